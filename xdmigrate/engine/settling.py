"""After a crash, a reset or a timeout: settle, then reconcile. Nothing is sent before the open ranges are explained.

A dead client's commands may still commit on the server after its death (measured: up to 156 ms on Dovecot), so the
target is looked at until it stands still. What the folder then holds beyond the range's lower bound is matched, as a
multiset, against everything that was about to be written there.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.altering import Reading, found_altered
from xdmigrate.engine.closing import DOUBTFUL_PASSES, next_id, unclaimed
from xdmigrate.engine.fingerprints import Print, inspected, names, prints
from xdmigrate.engine.match import Look, fill_gaps, gap_pairs, pair_alike
from xdmigrate.engine.moves import content, flag_changes
from xdmigrate.engine.moving import still_there
from xdmigrate.engine.remnants import link_remnants
from xdmigrate.engine.repairing import explained
from xdmigrate.engine.updating import written
from xdmigrate.engine.work import Work
from xdmigrate.errors import SettleTimeout
from xdmigrate.model import Folder, Head, Kind, Outcome, Path
from xdmigrate_state import alterations, doubts, folders, intents, ledger, places
from xdmigrate_state.rows import Altered, FolderIds, FolderRow, IntentRow, ItemRow, PlaceRow, Settled

LONGEST_SETTLE = 300.0
"""Seconds after which a target that never stands still needs a person."""


@dataclass(slots=True)
class OpenRange:
    """One range that an earlier run left open, and what is learnt about it."""

    intent: IntentRow
    row: FolderRow
    waiting: dict[bytes, ItemRow]  # by source id: what has no outcome yet, in the order of sending
    contents: dict[bytes, Print] = field(default_factory=dict)  # of the source items that had to be read
    looks: dict[bytes, Look] = field(default_factory=dict)  # of the same
    found: dict[bytes, bytes] = field(default_factory=dict)  # source id -> target id
    altered: list[Altered] = field(default_factory=list)  # those of them whose copy has other bytes
    repairs: dict[bytes, Altered] = field(default_factory=dict)  # repaired attempts among them: what was to be sent
    formers: dict[bytes, ItemRow] = field(default_factory=dict)  # of a move: the rows that had the copies before
    updates: dict[bytes, ItemRow] = field(default_factory=dict)  # waiting, too, but to replace their copies
    replaced: dict[bytes, Head] = field(default_factory=dict)  # those of them that did: the copies now
    remnants: list[Settled] = field(default_factory=list)  # copies that are not what was intended; linked as outdated


@dataclass(slots=True)
class Unexplained:
    """The open ranges of one target folder; `target` is None when the folder is gone or has other ids now."""

    place: PlaceRow
    target: Folder | None
    shown: dict[Path, Folder]  # all folders of the target
    ranges: list[OpenRange] = field(default_factory=list)
    gained: dict[bytes, Head] = field(default_factory=dict)  # unclaimed, from the lowest lower bound on


def reconcile(work: Work) -> Iterator[None]:
    """Explain every range that an earlier run left open, then close it. Yields after each target folder."""
    mine = {row.id for row in work.known(live=False)}
    left_open = [each for each in work.read(lambda c: intents.of_mailbox(c, work.mailbox.id)) if each.folder_id in mine]
    if not left_open:
        return
    work.tell("settle", items=sum(len(intent.refs) for intent in left_open))
    shown = {folder.path: folder for folder in work.there()}
    sources = {folder.path: folder for folder in work.here() if folder.selectable}
    found = _by_place(work, left_open, shown)
    settle(work, [unexplained.target for unexplained in found if unexplained.target is not None])
    for unexplained in found:
        _explain(work, unexplained, sources)
        yield


def _by_place(work: Work, left_open: Sequence[IntentRow], shown: dict[Path, Folder]) -> list[Unexplained]:
    found: dict[int, Unexplained] = {}
    for intent in left_open:
        if intent.place_id not in found:
            place = work.read(partial(places.get, place_id=intent.place_id))
            folder = shown.get(place.path)
            same = folder is not None and folder.validity == place.validity
            found[intent.place_id] = Unexplained(place, folder if same else None, shown)
        found[intent.place_id].ranges.append(_open_range(work, intent))
    return list(found.values())


def _open_range(work: Work, intent: IntentRow) -> OpenRange:
    row = work.read(partial(folders.get, folder_id=intent.folder_id))
    known = work.read(partial(ledger.by_refs, folder=row, refs=intent.refs))
    sent = [known[ref] for ref in intent.refs if ref in known]
    repairs = work.read(partial(alterations.under_way, folder_id=row.id, refs=intent.refs))
    waiting = {item.source_id: item for item in sent if item.outcome is Outcome.PENDING or item.source_id in repairs}
    updates = {ref: waiting.pop(ref) for ref, item in list(waiting.items()) if item.target_id is not None}
    contents = {ref: Print(0, known) for ref, known in zip(intent.refs, intent.contents, strict=False)}
    return OpenRange(
        intent, row, waiting, contents, repairs=repairs, formers=_formers(work, intent, row), updates=updates
    )


def _formers(work: Work, intent: IntentRow, row: FolderRow) -> dict[bytes, ItemRow]:
    """The rows to which moved copies belonged, by the source ids that their items have now."""
    if intent.former_folder_id is None:
        return {}
    folder = FolderIds(intent.former_folder_id, row.account_id)
    known = work.read(partial(ledger.by_refs, folder=folder, refs=intent.former_refs))
    pairs = zip(intent.refs, intent.former_refs, strict=True)
    return {ref: known[old] for ref, old in pairs if old in known}


def settle(work: Work, targets: Sequence[Folder]) -> None:
    """Look until each of these folders stands still, all of them together: four lanes leave as many behind.

    Raises SettleTimeout.
    """
    wait, waited = work.context.settle_seconds, 0.0
    moving = [work.target.status(folder) for folder in targets]
    while moving:
        if waited >= LONGEST_SETTLE:
            raise _never_still(work, moving[0])
        work.context.clock.sleep(wait)
        looks = [(before, work.target.status(before)) for before in moving]
        moving = [now for before, now in looks if not _stands_still(before, now)]
        wait, waited = wait * 2, waited + wait


def _stands_still(before: Folder, now: Folder) -> bool:
    """Whether next id and count are unchanged; of kinds that change, the token, too: of messages, flags may change."""
    same = (now.next_id, now.count) == (before.next_id, before.count)
    return same and (now.kind is Kind.MAIL or now.state == before.state)


def _never_still(work: Work, folder: Folder) -> SettleTimeout:
    name, mailbox = "/".join(folder.path), work.mailbox.target
    return SettleTimeout(
        f"{mailbox}: the target folder '{name}' keeps changing, so unfinished writes cannot be told from new mail",
        remedy="hold the mail flow into this mailbox for a minute and run again",
        mailbox=mailbox,
    )


def _explain(work: Work, unexplained: Unexplained, sources: dict[Path, Folder]) -> None:
    """Match what the folder gained against all open ranges of it, jointly."""
    free: dict[bytes, Print] = {}
    ranges = unexplained.ranges
    if unexplained.target is not None:
        floor = min(open_range.intent.floor for open_range in ranges)
        unexplained.gained = unclaimed(work, unexplained.place, unexplained.target, floor)
        sizes = {_sent_size(open_range, ref) for open_range in ranges for ref in open_range.waiting}
        alike = [ref for ref, head in unexplained.gained.items() if head.size in sizes]
        free = dict(prints(work.target, unexplained.target, alike))
        for open_range in ranges:
            open_range.replaced = written(work, unexplained.target, open_range.updates, open_range.contents)
    _find(work, unexplained, ranges, sources, free)
    _find_whatever_size(work, unexplained, sources, free)
    for open_range in ranges:
        _find_remnants(work, open_range, sources.get(open_range.row.path), unexplained, free)
        _find_altered(work, open_range, sources.get(open_range.row.path), unexplained, free)
        _find_gone(work, open_range, unexplained)
        _close(work, open_range, unexplained)


def _find_whatever_size(
    work: Work, unexplained: Unexplained, sources: dict[Path, Folder], free: dict[bytes, Print]
) -> None:
    """Read what is left on both sides where something is: servers that only estimate sizes must not get it twice."""
    found = {ref for open_range in unexplained.ranges for ref in open_range.found.values()}
    rest = [ref for ref in unexplained.gained if ref not in found and ref not in free]
    open_ranges = [each for each in unexplained.ranges if each.waiting.keys() - each.found.keys()]
    if unexplained.target is None or not open_ranges or not (rest or free):
        return
    free |= prints(work.target, unexplained.target, rest)
    _find(work, unexplained, open_ranges, sources, free, by_size=False)


def _sent_size(open_range: OpenRange, ref: bytes) -> int:
    repaired = open_range.repairs.get(ref)
    return repaired.size if repaired else open_range.waiting[ref].size


def _find(
    work: Work,
    unexplained: Unexplained,
    ranges: Sequence[OpenRange],
    sources: dict[Path, Folder],
    free: dict[bytes, Print],
    *,
    by_size: bool = True,
) -> None:
    """Pair by content; what is paired is no longer free."""
    sizes = {print_.size for print_ in free.values()} if by_size else None
    wanted: list[tuple[tuple[int, bytes], Print]] = []
    mine: dict[tuple[int, bytes], Look] = {}
    for at, open_range in enumerate(ranges):
        for ref in _read(work, open_range, sources.get(open_range.row.path), sizes):
            wanted.append(((at, ref), open_range.contents[ref]))
            before = open_range.formers.get(ref, open_range.waiting[ref])  # a moved copy looks as it did before
            mine[at, ref] = open_range.looks.get(ref, Look(before.base_flags))
    theirs = {ref: Look(head.flags, head.date) for ref, head in unexplained.gained.items()}
    for (at, ref), to in pair_alike(wanted, sorted(free.items()), mine, theirs):
        ranges[at].found[ref] = to
        del free[to]


def _read(work: Work, open_range: OpenRange, source: Folder | None, sizes: Container[int] | None) -> list[bytes]:
    """What is not found yet, is of one of these sizes (None: of any), and is known or can be read."""
    left = [ref for ref in open_range.waiting if ref not in open_range.found]
    alike = [ref for ref in left if sizes is None or _sent_size(open_range, ref) in sizes]
    kind = open_range.row.kind
    open_range.contents |= {ref: content(open_range.formers[ref], kind) for ref in alike if ref in open_range.formers}
    repaired = ((ref, open_range.repairs[ref]) for ref in alike if ref in open_range.repairs)
    open_range.contents |= {ref: Print(each.size, each.fingerprint or b"") for ref, each in repaired}
    if source is not None and source.validity == open_range.row.validity:
        unknown = [ref for ref in alike if ref not in open_range.contents]
        for head, print_ in inspected(work.source, source, unknown):
            open_range.contents[head.ref], open_range.looks[head.ref] = print_, Look(head.flags, head.date)
    return [ref for ref in alike if ref in open_range.contents]


def _find_remnants(
    work: Work, open_range: OpenRange, source: Folder | None, unexplained: Unexplained, free: dict[bytes, Print]
) -> None:
    """Copies that the store altered on their way in, known by their UID; mail has none (see `_find_altered`)."""
    if unexplained.target is None or source is None or source.kind is Kind.MAIL:
        return
    missing = [ref for ref in open_range.waiting if ref not in open_range.found]
    called = names(work.source, source, missing) if free else iter(())
    found = link_remnants(work, unexplained.place, unexplained.target, called, sorted(free))
    open_range.remnants += found
    for each in found:
        free.pop(each.target_id or b"", None)


def _find_altered(
    work: Work, open_range: OpenRange, source: Folder | None, unexplained: Unexplained, free: dict[bytes, Print]
) -> None:
    """Copies that the target altered on their way in: known by their place between found neighbours."""
    if not work.target.features.ordered_ids:
        return
    candidates = gap_pairs(open_range.intent.refs, open_range.found, free)
    wanted = [(ref, to) for ref, to in candidates if ref in open_range.waiting]
    if unexplained.target is None or not wanted:
        return
    same = source is not None and source.validity == open_range.row.validity
    reading = Reading(open_range.contents, free)
    found = found_altered(work, source if same else None, unexplained.target, wanted, reading)
    for ref, (to, told) in found.items():
        open_range.found[ref] = to
        open_range.altered.append(told)
        del free[to]


def _find_gone(work: Work, open_range: OpenRange, unexplained: Unexplained) -> None:
    """Written, then moved or deleted by somebody before we looked: not to be sent again."""
    place, intent = unexplained.place, open_range.intent
    if not work.target.features.ordered_ids:
        return
    claims = work.read(lambda c: ledger.claims(c, place.account_id, place.id, intent.floor))
    open_range.found |= fill_gaps(intent.refs, open_range.found, sorted({*unexplained.gained, *claims}))


def _close(work: Work, open_range: OpenRange, unexplained: Unexplained) -> None:
    place, intent, row = unexplained.place, open_range.intent, open_range.row
    settled = [_copied(open_range, unexplained, ref) for ref in open_range.found if ref in open_range.waiting]
    settled += [_replaced(open_range, ref) for ref in open_range.replaced]
    linked = {each.source_id for each in open_range.remnants}
    doubtful = [ref for ref in open_range.waiting if ref not in open_range.found and ref not in linked]
    unsure = [ref for ref in open_range.updates if ref not in open_range.replaced]
    updates = {ref: open_range.contents[ref].fingerprint for ref in unsure if ref in open_range.contents}
    now, beyond = work.context.clock.now(), next_id(work, place, unexplained.gained)
    handed = _moved_on(work, open_range, unexplained)

    def commit(c: Connection) -> None:
        if intent.former_folder_id is not None:
            ledger.hand_over(c, FolderIds(intent.former_folder_id, row.account_id), row, handed)
        ledger.settle(c, row, settled, now)
        ledger.link(c, row, open_range.remnants)
        alterations.release(c, row.id, open_range.replaced)
        explained(c, row.id, open_range.repairs, open_range.found, now)
        alterations.record(c, row.id, open_range.altered, now)
        again = [*doubtful, *unsure]
        doubts.add(c, row.id, place.id, again, intent.floor, work.mailbox.passes + DOUBTFUL_PASSES, updates)
        intents.close(c, intent.id)
        places.advance(c, place.id, beyond)
        work.note(c, "reconciled", folder=row.id, found=len(settled), again=len(again))
        if settled:
            work.progressed(c)

    work.checkpoint(commit)
    if settled:  # a line that never lasts for a whole range gets on all the same
        work.tell("copy", "/".join(row.path), len(settled), sum(done.size or 0 for done in settled))


def _moved_on(work: Work, open_range: OpenRange, unexplained: Unexplained) -> list[tuple[bytes, bytes]]:
    """Of a move: give the copies found the flags that the source has now; returns who had them before and who now."""
    waiting, paired = open_range.waiting, open_range.found
    found = {ref: former for ref, former in open_range.formers.items() if ref in paired and ref in waiting}
    bases = [(paired[ref], former.base_flags, waiting[ref].base_flags) for ref, former in found.items()]
    if unexplained.target is not None and (changes := flag_changes(bases)):
        work.hold()
        work.target.change_flags(unexplained.target, changes)
    stayed = still_there(work, found.values(), unexplained.shown)
    left = {ref: former for ref, former in found.items() if (former.place_id, former.target_id) not in stayed}
    return [(former.source_id, ref) for ref, former in left.items()]


def _copied(open_range: OpenRange, unexplained: Unexplained, ref: bytes) -> Settled:
    item, content, to = open_range.waiting[ref], open_range.contents.get(ref), open_range.found[ref]
    own = content if ref not in open_range.repairs else None
    return Settled(
        source_id=ref,
        outcome=Outcome.COPIED,
        size=own.size if own and open_range.row.kind == Kind.MAIL else item.size,
        fingerprint=own.fingerprint if own else None,
        place_id=unexplained.place.id,
        target_id=to,
        flags=item.base_flags,
        target_version=unexplained.gained[to].version if to in unexplained.gained else None,
    )


def _replaced(open_range: OpenRange, ref: bytes) -> Settled:
    """An update that was carried out; a copy that was not ours before is not ours now."""
    item, copy = open_range.updates[ref], open_range.replaced[ref]
    return Settled(
        source_id=ref,
        outcome=Outcome.COPIED if item.target_version else Outcome.PRESENT,
        fingerprint=open_range.contents[ref].fingerprint,
        place_id=item.place_id,
        target_id=copy.ref,
        target_version=copy.version if item.target_version else None,
    )
