"""One folder and its counterpart: pairs by the ledger's links first, the rest by content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from xdmigrate.contract import BUFFERED_BODY, Auditor
from xdmigrate.engine.match import Look, pair_alike
from xdmigrate.engine.verification.audit import Audit, Half, count, inspect, listing, rows
from xdmigrate.engine.verification.bodies import INSPECTED_AT_ONCE, different_bodies, judge_changed
from xdmigrate.engine.verification.decide import Links, excuse, found_altered, metadata_faults, pair_by_links
from xdmigrate.engine.verification.objects import judge_objects
from xdmigrate.formats.meaning import Meaning, difference, meaning
from xdmigrate.model import Folder, Head, Kind
from xdmigrate.report.verdicts import ItemState
from xdmigrate_state import alterations, failures, ledger, merges, places
from xdmigrate_state.rows import Altered, FolderRow


def compare(audit: Audit, folder: Folder, there: Folder | None) -> None:
    """Pair and judge what can be; the rest of both sides is kept for later."""
    links = _links(audit, folder, there)
    heads = {head.ref: head for head in listing(audit.source, folder) if audit.scope.wants(folder, head)}
    mine = Half(folder, heads)
    theirs = Half(there, {head.ref: head for head in listing(audit.target, there)}) if there is not None else None
    audit.tally.source(folder.kind, len(heads))
    if links.standings:
        aside = {ref: heads.pop(ref) for ref in links.standings.keys() & heads.keys()}
        audit.merged.append((mine, Half(folder, aside), links))
    if theirs is not None:
        linked = pair_by_links(mine.items, theirs.items, links)
        judge_pairs(audit, mine, theirs, linked, links)
        _pair_by_content(audit, mine, theirs, links)
    audit.unpaired.append((mine, theirs, links))


def _links(audit: Audit, folder: Folder, there: Folder | None) -> Links:
    links = Links()
    row = next((r for r in rows(audit) if r.path == folder.path and r.validity == folder.validity), None)
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


def judge_pairs(audit: Audit, mine: Half, theirs: Half, pairs: Sequence[tuple[bytes, bytes]], links: Links) -> None:
    """Judge pairs that the ledger links, by body as deep as asked for, by flags and date; then unlist them.

    Where the servers tell different sizes, the bodies decide: some servers only estimate them. Items of other kinds
    than mail are judged by what they say, all of them.
    """
    if mine.folder.kind is not Kind.MAIL:
        judge_objects(audit, mine, theirs, pairs, links)
        return
    deep = _chosen(audit, pairs)
    deep |= {source for source, target in pairs if mine.items[source].size != theirs.items[target].size}
    deep |= links.altered.keys()
    differ = different_bodies(audit, mine, theirs, [pair for pair in pairs if pair[0] in deep])
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
            judge_changed(audit, mine.folder, head, told, found)
            continue
        _judge_metadata(audit, mine.folder, head, copy, adopted=links.adopted(source))
    if news:
        audit.altered(links.folder_id, news)


def _with_meaning(audit: Audit, mine: Folder, theirs: Folder, found: Altered, target: bytes) -> Altered:
    """The finding with what differs in words: whether the copy still says the same."""
    if not audit.explain(1):
        return found
    told = difference(_meaning(audit.source, mine, found.source_id), _meaning(audit.target, theirs, target))
    return replace(found, detail=f"{found.detail}; {told}")


def _meaning(auditor: Auditor, folder: Folder, ref: bytes) -> Meaning:
    with SpooledTemporaryFile(max_size=BUFFERED_BODY) as file:
        file.writelines(auditor.chunks(folder, ref))
        return meaning(cast(BinaryIO, file))


def _judge_metadata(audit: Audit, folder: Folder, head: Head, copy: Head, *, adopted: bool) -> None:
    """Flags and dates are mail's alone."""
    mail = folder.kind is Kind.MAIL
    faults = metadata_faults(head, copy, audit.features, adopted=adopted) if mail else ""
    if faults:
        count(audit, folder, ItemState.METADATA, head, faults)
    else:
        audit.tally.count(folder.kind, ItemState.VERIFIED)


def _chosen(audit: Audit, pairs: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    refs = [source for source, _target in pairs]
    return set(refs if audit.depth.full else audit.random.sample(refs, min(audit.depth.sample, len(refs))))


def _pair_by_content(audit: Audit, mine: Half, theirs: Half, links: Links) -> None:
    """Items that no link explains, but whose equal is there all the same."""
    sizes = {head.size for head in mine.items.values()} & {head.size for head in theirs.items.values()}
    sized = audit.sized(mine.folder)
    alike = (ref for ref, head in theirs.items.items() if not sized or head.size in sizes)
    free = sorted(ref for ref in alike if ref not in links.claimed)
    wanted = [ref for ref, head in mine.items.items() if not sized or head.size in sizes] if free else []
    if not wanted:
        return
    left = inspect(audit.source, mine.folder, wanted)
    right = inspect(audit.target, theirs.folder, free)
    looks, copies = _looks(mine, left), _looks(theirs, right)
    for source, target in pair_alike(sorted(left.items()), sorted(right.items()), looks, copies):
        head, copy = mine.items.pop(source), theirs.items.pop(target)
        _judge_metadata(audit, mine.folder, head, copy, adopted=target in links.baseline)


def _looks(half: Half, refs: Iterable[bytes]) -> dict[bytes, Look]:
    return {ref: Look(half.items[ref].flags, half.items[ref].date) for ref in refs}
