"""Verification, independent of the copy path: both sides are read through auditors, name map and filters anew.

Per folder: items are paired by the ledger's links first, the rest by content; what remains is looked for elsewhere on
the target. The ledger names differences (quarantined, gone since, adopted) but a wanted source item without an equal
on the target is missing whatever the ledger says.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from xdmigrate.contract import BUFFERED_BODY, Auditor, Features
from xdmigrate.engine import guards
from xdmigrate.engine.audit import Links, excuse, found_altered, leftover_state, metadata_faults, pair_by_links
from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.meaning import Meaning, difference, meaning
from xdmigrate.engine.names import Rules, place_folders
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import FolderUnusable, ProtocolError
from xdmigrate.model import Folder, Head, Outcome, Path
from xdmigrate.report.verdicts import Detail, ItemState, MailboxVerdict, Tally
from xdmigrate_state import alterations, failures, folders, ledger, merges, places
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Altered, FolderRow, MailboxRow

INSPECTED_AT_ONCE = 500

EXPLAINED = 20
"""Changed items of a mailbox that are read once more to say what differs."""

Altering = Callable[[int, Sequence[Altered]], None]
"""Told of altered copies, by the id of their source folder in the state."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How many bodies are compared per mailbox; ids, sizes, flags and dates always are."""

    full: bool = False
    sample: int = 50
    seed: int = 0


@dataclass(slots=True)
class Half:
    """One folder's items on one side, by id, as far as they are not paired yet."""

    folder: Folder
    items: dict[bytes, Head]


@dataclass(slots=True)
class Audit:
    """One mailbox being verified."""

    db: Database
    mailbox: MailboxRow
    scope: Scope
    source: Auditor
    target: Auditor
    features: Features  # of the target: what it cannot keep is not held against it
    depth: Depth
    altered: Altering
    explained: int = 0  # changed items whose meaning was compared
    tally: Tally = field(default_factory=Tally)
    unpaired: list[tuple[Half, Half | None, Links]] = field(default_factory=list)
    merged: list[tuple[Half, Half, Links]] = field(default_factory=list)  # a folder, and the items of it set aside
    others: list[Folder] = field(default_factory=list)  # of the target, to which nothing of the source goes
    random: random.Random = field(default_factory=random.Random)


def verify(
    db: Database,
    mailbox: MailboxRow,
    scope: Scope,
    *,
    source: Auditor,
    target: Auditor,
    features: Features,
    depth: Depth,
    altered: Altering = lambda _folder_id, _found: None,
) -> MailboxVerdict:
    """Compare every wanted item of the mailbox with the target. Changes nothing on either side, nor in the state.

    `altered` hears of the copies that have other bytes than their source, so that a person can accept them.

    Raises GuardRefused when the source shows far less than the ledger knows: nothing missing there proves nothing.
    """
    audit = Audit(db, mailbox, scope, source, target, features, depth, altered)
    audit.random.seed(depth.seed)
    shown = {folder.path: folder for folder in target.folders() if folder.selectable}
    listed = [folder for folder in source.folders() if folder.selectable]
    _believe(audit, listed)
    wanted = [folder for folder in listed if scope.wants_folder(folder)]
    where = _where(audit, wanted, shown)
    for folder in wanted:
        _compare(audit, folder, shown.get(where[folder.path]))
    _judge_merged(audit, shown)
    audit.others = [folder for path, folder in shown.items() if path not in set(where.values())]
    _look_elsewhere(audit)
    return audit.tally.verdict(mailbox.id, mailbox.source, mailbox.target)


def _believe(audit: Audit, listed: Sequence[Folder]) -> None:
    known = sum(row.counts.seen - row.counts.gone for row in _rows(audit))
    shown = sum(folder.count for folder in listed)
    guards.believe_count(audit.mailbox.source, "source", known=known, shown=shown, accepted=frozenset())


def _listing(auditor: Auditor, folder: Folder) -> list[Head]:
    """Everything in the folder. A listing that shows nothing of what the folder counts is no listing."""
    heads = list(auditor.heads(folder))
    if folder.count and not heads:
        raise ProtocolError(
            f"folder {'/'.join(folder.path)!r} counts {folder.count} items and lists none",
            remedy="run verify again; if it stays so, the server's index is damaged",
        )
    return heads


def _rows(audit: Audit) -> list[FolderRow]:
    return audit.db.read(partial(folders.of_mailbox, mailbox_id=audit.mailbox.id))


def _where(audit: Audit, wanted: Sequence[Folder], shown: dict[Path, Folder]) -> dict[Path, Path]:
    """Where each folder's items have to be: the frozen name, else what the plan's map says today."""
    frozen = {row.path: row.target_path for row in _rows(audit) if row.target_path is not None}
    new = [folder for folder in wanted if folder.path not in frozen]
    rules = Rules.of(audit.features, audit.scope.rename, audit.mailbox.into_path)
    return {**frozen, **place_folders(new, rules, frozen=frozen, target=shown.values())}


# --- one folder -------------------------------------------------------------------------------------------------


def _compare(audit: Audit, folder: Folder, there: Folder | None) -> None:
    links = _links(audit, folder, there)
    heads = {head.ref: head for head in _listing(audit.source, folder) if audit.scope.wants(folder, head)}
    mine = Half(folder, heads)
    theirs = Half(there, {head.ref: head for head in _listing(audit.target, there)}) if there is not None else None
    audit.tally.source(folder.kind, len(heads))
    if links.standings:
        aside = {ref: heads.pop(ref) for ref in links.standings.keys() & heads.keys()}
        audit.merged.append((mine, Half(folder, aside), links))
    if theirs is not None:
        linked = pair_by_links(mine.items, theirs.items, links)
        _judge_pairs(audit, mine, theirs, linked, links)
        _pair_by_content(audit, mine, theirs, links)
    audit.unpaired.append((mine, theirs, links))


def _links(audit: Audit, folder: Folder, there: Folder | None) -> Links:
    links = Links()
    row = next((r for r in _rows(audit) if r.path == folder.path and r.validity == folder.validity), None)
    if row is not None:
        after = b""
        while page := audit.db.read(partial(ledger.scan, folder=row, after=after, limit=INSPECTED_AT_ONCE * 4)):
            links.learn(page)
            after = page[-1].source_id
        links.reasons.update(_quarantined(audit, row))
        links.standings = audit.db.read(partial(merges.of_folder, folder=row))
        links.folder_id = row.id
        links.altered = audit.db.read(partial(alterations.of_folder, folder_id=row.id))
    if row is not None and row.place_id is not None and there is not None:
        place = audit.db.read(partial(places.get, place_id=row.place_id))
        if place.validity == there.validity:
            links.baseline = audit.db.read(partial(places.baseline, place_id=place.id))
            claims = audit.db.read(partial(ledger.claims, account_id=row.account_id, place_id=place.id))
            links.claimed = frozenset(claims)
            links.shared = audit.db.read(partial(merges.shared, place_id=place.id, mailbox_id=audit.mailbox.id))
    return links


def _quarantined(audit: Audit, row: FolderRow) -> Iterator[tuple[bytes, tuple[str, bool]]]:
    for failure in audit.db.read(partial(failures.of_mailbox, mailbox_id=audit.mailbox.id)):
        if failure.folder_id == row.id:
            yield failure.source_id, (failure.reason, failure.accepted_at is not None)


def _judge_pairs(audit: Audit, mine: Half, theirs: Half, pairs: Sequence[tuple[bytes, bytes]], links: Links) -> None:
    """Judge pairs that the ledger links, by body as deep as asked for, by flags and date; then unlist them.

    Where the servers tell different sizes, the bodies decide: some servers only estimate them.
    """
    deep = _chosen(audit, pairs)
    deep |= {source for source, target in pairs if mine.items[source].size != theirs.items[target].size}
    deep |= links.altered.keys()
    differ = _different_bodies(audit, mine, theirs, [pair for pair in pairs if pair[0] in deep])
    news: list[Altered] = []
    for source, target in pairs:
        head, copy = mine.items.pop(source), theirs.items.pop(target)
        if source in differ:
            found = found_altered(head, copy, differ[source])
            told = excuse(links.altered.get(source), found, copy.size)
            if told is None:
                found = _with_meaning(audit, mine.folder, theirs.folder, found, target)
                news.append(found)
            elif told.fingerprint is None:
                news.append(replace(told, size=found.size, fingerprint=found.fingerprint))
            _judge_changed(audit, mine.folder, head, told, found)
            continue
        _judge_metadata(audit, mine.folder, head, copy, adopted=links.adopted(source))
    if news:
        audit.altered(links.folder_id, news)


def _with_meaning(audit: Audit, mine: Folder, theirs: Folder, found: Altered, target: bytes) -> Altered:
    """The finding with what differs in words: whether the copy still says the same. For the first few."""
    if audit.explained >= EXPLAINED:
        return found
    audit.explained += 1
    told = difference(_meaning(audit.source, mine, found.source_id), _meaning(audit.target, theirs, target))
    return replace(found, detail=f"{found.detail}; {told}")


def _meaning(auditor: Auditor, folder: Folder, ref: bytes) -> Meaning:
    with SpooledTemporaryFile(max_size=BUFFERED_BODY) as file:
        file.writelines(auditor.chunks(folder, ref))
        return meaning(cast(BinaryIO, file))


def _judge_changed(audit: Audit, folder: Folder, head: Head, told: Altered | None, found: Altered) -> None:
    """Other bytes than the source's are never verified; a person, or the plan, may have accepted exactly these."""
    accepted = told.accepted_why if told else ""
    audit.tally.count(folder.kind, ItemState.CHANGED, accepted=bool(accepted))
    text = f"{told.reason}: {told.detail}" if told else f"the bytes differ: {found.detail}"
    text += f" (accepted: {accepted})" if accepted else ""
    audit.tally.note(Detail(ItemState.CHANGED, folder.path, head.ref.hex(), head.size, head.date, text))


def _judge_metadata(audit: Audit, folder: Folder, head: Head, copy: Head, *, adopted: bool) -> None:
    faults = metadata_faults(head, copy, audit.features, adopted=adopted)
    if faults:
        _count(audit, folder, ItemState.METADATA, head, faults)
    else:
        audit.tally.count(folder.kind, ItemState.VERIFIED)


def _chosen(audit: Audit, pairs: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    refs = [source for source, _target in pairs]
    return set(refs if audit.depth.full else audit.random.sample(refs, min(audit.depth.sample, len(refs))))


def _different_bodies(
    audit: Audit, mine: Half, theirs: Half, pairs: Sequence[tuple[bytes, bytes]]
) -> dict[bytes, Print | None]:
    """Pairs whose bodies, read from both sides, are not equal: what was read on the target, by source id."""
    differ: dict[bytes, Print | None] = {}
    for start in range(0, len(pairs), INSPECTED_AT_ONCE):
        some = pairs[start : start + INSPECTED_AT_ONCE]
        left = _inspect(audit.source, mine.folder, [source for source, _ in some])
        right = _inspect(audit.target, theirs.folder, [target for _, target in some])
        found = {source: right.get(target) for source, target in some if source in left}
        differ |= {source: read for source, read in found.items() if left[source] != read}
    return differ


def _pair_by_content(audit: Audit, mine: Half, theirs: Half, links: Links) -> None:
    """Items that no link explains, but whose equal is there all the same."""
    sizes = {head.size for head in mine.items.values()} & {head.size for head in theirs.items.values()}
    if not sizes:
        return
    free = {ref for ref, head in theirs.items.items() if head.size in sizes and ref not in links.claimed}
    left = _inspect(audit.source, mine.folder, [ref for ref, head in mine.items.items() if head.size in sizes])
    right = _inspect(audit.target, theirs.folder, sorted(free))
    for source, target in pair_equals(sorted(left.items()), sorted(right.items())):
        head, copy = mine.items.pop(source), theirs.items.pop(target)
        _judge_metadata(audit, mine.folder, head, copy, adopted=target in links.baseline)


def _inspect(auditor: Auditor, folder: Folder, refs: Sequence[bytes]) -> dict[bytes, Print]:
    return {one.ref: Print(one.size, one.fingerprint) for one in auditor.inspect(folder, refs)} if refs else {}


# --- what needed no copy ----------------------------------------------------------------------------------------


def _judge_merged(audit: Audit, shown: dict[Path, Folder]) -> None:
    """Merged items against what stands for them; where that is gone, they are looked for like any others."""
    for mine, aside, links in audit.merged:
        by_place: dict[int, list[bytes]] = {}
        for ref in aside.items:
            by_place.setdefault(links.standings[ref].place_id, []).append(ref)
        for place_id, refs in by_place.items():
            theirs = _standing(audit, place_id, {links.standings[ref].target_id for ref in refs}, shown)
            pairs = [
                (ref, links.standings[ref].target_id) for ref in refs if links.standings[ref].target_id in theirs.items
            ]
            _explained(audit, theirs)
            _judge_pairs(audit, aside, theirs, pairs, links)
        mine.items.update(aside.items)  # what is left of them


def _standing(audit: Audit, place_id: int, targets: AbstractSet[bytes], shown: dict[Path, Folder]) -> Half:
    """Those of these items that the target shows."""
    place = audit.db.read(partial(places.get, place_id=place_id))
    folder = shown.get(place.path)
    if folder is None or folder.validity != place.validity:
        return Half(Folder(place.path), {})
    return Half(folder, {head.ref: head for head in _listing(audit.target, folder) if head.ref in targets})


def _explained(audit: Audit, stood: Half) -> None:
    """What stands for an item is no leftover, even when the item that it was copied from is gone."""
    for _mine, theirs, _links in audit.unpaired:
        if theirs is not None and theirs.folder.path == stood.folder.path:
            for ref in stood.items:
                theirs.items.pop(ref, None)


# --- what is left -----------------------------------------------------------------------------------------------


def _look_elsewhere(audit: Audit) -> None:
    """Source items without an equal in their folder: moved by the user, quarantined, or missing; then the target's."""
    places_to_look = _where_it_could_be(audit)
    for mine, _theirs, links in audit.unpaired:
        moved = _moved(audit, mine, places_to_look)
        for ref, head in mine.items.items():
            if ref in moved:
                _count(audit, mine.folder, ItemState.MOVED, head, f"now in {'/'.join(moved[ref])!r}")
            else:
                _judge_lost(audit, mine.folder, head, links)
    for mine, theirs, links in audit.unpaired:
        if theirs is not None:
            _judge_leftovers(audit, mine, theirs, links)


def _where_it_could_be(audit: Audit) -> list[tuple[Half, AbstractSet[bytes]]]:
    """What is left over of every target folder, with what is claimed of it; folders of the target's own included."""
    found: list[tuple[Half, AbstractSet[bytes]]] = [
        (theirs, links.claimed) for _mine, theirs, links in audit.unpaired if theirs is not None
    ]
    sizes = {head.size for mine, _theirs, _links in audit.unpaired for head in mine.items.values()}
    for folder in audit.others if sizes else ():
        with suppress(FolderUnusable):  # one that cannot be read shows nothing
            alike = {head.ref: head for head in _listing(audit.target, folder) if head.size in sizes}
            found.append((Half(folder, alike), _claimed(audit, folder)))
    return found


def _claimed(audit: Audit, folder: Folder) -> AbstractSet[bytes]:
    """Copies of other mailboxes that go to the same account."""
    account = audit.mailbox.account_id
    place = audit.db.read(partial(places.find, account_id=account, path=folder.path, validity=folder.validity))
    if place is None:
        return frozenset()
    return frozenset(audit.db.read(partial(ledger.claims, account_id=account, place_id=place.id)))


def _moved(audit: Audit, mine: Half, places_to_look: Sequence[tuple[Half, AbstractSet[bytes]]]) -> dict[bytes, Path]:
    """Items found with equal bytes in another folder; what is found there is no longer free."""
    found: dict[bytes, Path] = {}
    lost = {ref: head.size for ref, head in mine.items.items()}
    left: dict[bytes, Print] | None = None
    for theirs, claimed in places_to_look:
        sizes = set(lost.values())
        free = [ref for ref, head in theirs.items.items() if head.size in sizes and ref not in claimed]
        if not free:
            continue
        left = left if left is not None else _inspect(audit.source, mine.folder, list(lost))
        right = _inspect(audit.target, theirs.folder, free)
        for source, target in pair_equals(((ref, left[ref]) for ref in lost if ref in left), sorted(right.items())):
            found[source] = theirs.folder.path
            del theirs.items[target], lost[source]
    return found


def _judge_lost(audit: Audit, folder: Folder, head: Head, links: Links) -> None:
    if head.ref in links.reasons:
        reason, accepted = links.reasons[head.ref]
        audit.tally.count(folder.kind, ItemState.FAILED, accepted=accepted)
        audit.tally.note(Detail(ItemState.FAILED, folder.path, head.ref.hex(), head.size, head.date, reason))
        return
    row_outcome = links.outcomes.get(head.ref)
    known = row_outcome in (Outcome.COPIED, Outcome.PRESENT, Outcome.MERGED)
    text = "copied, but no longer on the target" if known else "not copied yet: run sync"
    _count(audit, folder, ItemState.MISSING, head, text)


def _judge_leftovers(audit: Audit, mine: Half, theirs: Half, links: Links) -> None:
    suspects = [ref for ref in theirs.items if leftover_state(ref, links) is None]
    twins = _twins(audit, mine.folder, theirs, suspects)
    for ref, head in theirs.items.items():
        state = leftover_state(ref, links)
        if state is None:
            state = ItemState.UNEXPLAINED if ref in twins else ItemState.OWN
        audit.tally.count(mine.folder.kind, state)
        if state is ItemState.UNEXPLAINED:
            text = "equal to a source item that is already on the target"
            audit.tally.note(Detail(state, theirs.folder.path, ref.hex(), head.size, head.date, text))


def _twins(audit: Audit, folder: Folder, theirs: Half, suspects: Sequence[bytes]) -> set[bytes]:
    """Suspects whose bytes equal those of any item in the source folder: a second copy that nobody ordered."""
    sizes = {theirs.items[ref].size for ref in suspects}
    alike = [head.ref for head in audit.source.heads(folder) if head.size in sizes] if sizes else []
    if not alike:
        return set()
    contents = set(_inspect(audit.source, folder, alike).values())
    return {ref for ref, content in _inspect(audit.target, theirs.folder, suspects).items() if content in contents}


def _count(audit: Audit, folder: Folder, state: ItemState, head: Head, text: str) -> None:
    audit.tally.count(folder.kind, state)
    audit.tally.note(Detail(state, folder.path, head.ref.hex(), head.size, head.date, text))
