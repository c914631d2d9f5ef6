"""What is already on the target: equal items are claimed as `present`, one to one, instead of being sent again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.closing import unclaimed
from xdmigrate.engine.fingerprints import ENTRY, Print, of_entry, prints
from xdmigrate.engine.match import Look, by_content, pair_alike
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import FlagChange, Folder, Head, Outcome
from xdmigrate_state import folders, intents, ledger
from xdmigrate_state.packing import batched
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow, Settled

DEDUPE = "dedupe"
"""The wish of mailboxes that go to one place and share equal items there."""

PAGE = 5000
"""Rows read at once."""

SIZES = 500
"""Sizes asked for at once."""

SIZE_BYTES = 8

TRIED = 5
"""Bodies of each side that are read to see whether the sizes that a store tells are true."""


def adopt(work: Work, pair: Pair) -> Iterator[None]:
    """Match the pending items against what the target folder holds unclaimed.

    The first pass looks at everything that was there before us, a later one at what others have put there since:
    the target's user, or another tool that is still at work.
    """
    if pair.place is None or pair.target is None or not _anything_new(work, pair, pair.place, pair.target):
        return
    free = {head.ref: head for head in _unclaimed(work, pair.row, pair.place, pair.target)}
    sized = work.sized(pair.folder.kind)
    if sized:
        yield from _adopt_by_size(work, pair, pair.target, free)
    if not sized or (not pair.row.adopted and _estimated(work, pair, pair.target, free)):
        yield from _adopt_by_content(work, pair, pair.target, free)
    if not pair.row.adopted:
        work.checkpoint(lambda c: folders.set_adopted(c, pair.row.id, adopted=True))


def _adopt_by_size(work: Work, pair: Pair, folder: Folder, free: dict[bytes, Head]) -> Iterator[None]:
    """Only what has an equally large item on the other side is read. What is claimed is no longer free."""
    found = (_of_size(head.size, head.ref) for head in free.values())
    for left, right in by_content(_waiting_of(work, pair, {head.size for head in free.values()}), found, SIZE_BYTES):
        refs, copies = [each[SIZE_BYTES:] for each in left], [each[SIZE_BYTES:] for each in right]
        mine, theirs = dict(prints(work.source, pair.folder, refs)), dict(prints(work.target, folder, copies))
        heads = {ref: free[ref] for ref in copies}
        _adopt_alike(work, pair, folder, Candidates(_rows(work, pair, refs), heads, mine, theirs), free)
        yield


def _of_size(size: int, ref: bytes) -> bytes:
    """A size and an id in one, so that many can be held."""
    return size.to_bytes(SIZE_BYTES) + ref


def _waiting_of(work: Work, pair: Pair, sizes: Collection[int]) -> Iterator[bytes]:
    """What has no copy yet and one of these sizes; a few hundred sizes at a time."""
    for some in batched(sorted(sizes), SIZES):
        for row in work.read(partial(ledger.uncopied, folder=pair.row, sizes=some)):
            yield _of_size(row.size, row.source_id)


def _waiting(work: Work, pair: Pair) -> Iterator[ItemRow]:
    """What has no copy yet, by source id; a page in memory at a time."""
    edge: bytes | None = None
    while page := work.read(partial(ledger.pending, folder=pair.row, newest=False, limit=PAGE, after=edge)):
        yield from (row for row in page if row.target_id is None and not row.gone)
        edge = page[-1].source_id


def _rows(work: Work, pair: Pair, refs: Sequence[bytes]) -> list[ItemRow]:
    """The rows of these items, by source id."""
    found = work.read(partial(ledger.by_refs, folder=pair.row, refs=refs))
    return [found[ref] for ref in sorted(found)]


def _adopt_by_content(work: Work, pair: Pair, folder: Folder, free: dict[bytes, Head]) -> Iterator[None]:
    """Everything that is left on both sides is read."""
    waiting = [row.source_id for row in _waiting(work, pair)] if free else []
    if not waiting:
        return
    mine = (content.entry(ref) for ref, content in prints(work.source, pair.folder, waiting))
    theirs = (content.entry(ref) for ref, content in prints(work.target, folder, list(free)))
    for left, right in by_content(mine, theirs, ENTRY):
        yield
        some, copies = dict(map(of_entry, left)), dict(map(of_entry, right))
        heads = {ref: free[ref] for ref in sorted(copies)}
        _adopt_alike(work, pair, folder, Candidates(_rows(work, pair, list(some)), heads, some, copies), free)


def _estimated(work: Work, pair: Pair, folder: Folder, free: Mapping[bytes, Head]) -> bool:
    """Whether a store tells sizes that its bodies do not have: then equal sizes select nothing."""
    waiting = work.read(partial(ledger.pending, folder=pair.row, newest=False, limit=TRIED)) if free else []
    if not waiting:
        return False
    sizes = {row.source_id: row.size for row in waiting}
    some = sorted(free)[:TRIED]
    mine = (content.size != sizes[ref] for ref, content in prints(work.source, pair.folder, list(sizes)))
    return any(mine) or any(content.size != free[ref].size for ref, content in prints(work.target, folder, some))


def _anything_new(work: Work, pair: Pair, place: PlaceRow, target: Folder) -> bool:
    """Whether the target folder may hold an equal of something that is pending."""
    if not pair.row.adopted:
        return True
    if not (pair.surveyed or pair.row.counts.pending):
        return False
    grown = not work.target.features.ordered_ids or target.next_id > _floor(work, place)
    return grown and bool(work.read(partial(folders.get, folder_id=pair.row.id)).counts.pending)


def _unclaimed(work: Work, row: FolderRow, place: PlaceRow, target: Folder) -> list[Head]:
    if row.adopted:
        return list(unclaimed(work, place, target, _floor(work, place)).values())
    if not target.count:
        return []
    claimed = set(work.read(lambda c: ledger.claims(c, place.account_id, place.id)))
    return [head for head in work.target.heads(target) if head.ref not in claimed]


def _floor(work: Work, place: PlaceRow) -> bytes:
    """From where on a later pass looks. Ranges that are open now are other mailboxes': their run was cut short.

    What these have sent and do not know of is theirs only where every mailbox keeps its own.
    """
    left_open = work.read(lambda c: intents.of_place(c, place.id)) if work.mailbox.merge == DEDUPE else []
    return min([place.next_id, *(intent.floor for intent in left_open)])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pending rows and unclaimed target items, and what both sides hold."""

    rows: Sequence[ItemRow]
    heads: Mapping[bytes, Head]
    mine: Mapping[bytes, Print]
    theirs: Mapping[bytes, Print]


def _adopt_alike(work: Work, pair: Pair, folder: Folder, some: Candidates, free: dict[bytes, Head]) -> None:
    known, there = {row.source_id: row for row in some.rows}, some.heads
    mine, theirs = some.mine, some.theirs
    looks = {ref: Look(row.base_flags) for ref, row in known.items()}
    copies = {ref: Look(head.flags) for ref, head in there.items()}
    found = pair_alike(in_order(mine, known), in_order(theirs, there), looks, copies)
    for _ref, target in found:
        del free[target]
    settled = [_present(pair.row, pair.place, known[ref], mine[ref], target) for ref, target in found]
    send_gains(work, folder, [gain(known[ref], there[target]) for ref, target in found])
    now = work.context.clock.now()

    def commit(c: Connection) -> None:
        ledger.settle(c, pair.row, settled, now)
        work.note(c, "adopted", folder=pair.row.id, items=len(settled))
        work.progressed(c)

    work.checkpoint(commit)
    work.tell("adopt", "/".join(pair.folder.path), len(settled), sum(mine[ref].size for ref, _ in found))


def in_order(read: Mapping[bytes, Print], order: Mapping[bytes, object]) -> list[tuple[bytes, Print]]:
    """What could be read, in that order: the same pairs whenever it is done again."""
    return [(ref, read[ref]) for ref in order if ref in read]


def _present(row: FolderRow, place: PlaceRow | None, item: ItemRow, content: Print, target: bytes) -> Settled:
    return Settled(
        source_id=item.source_id,
        outcome=Outcome.PRESENT,
        size=content.size or item.size,
        fingerprint=content.fingerprint,
        place_id=place.id if place else row.place_id,
        target_id=target,
        flags=item.base_flags,
        reason="",
        detail="",
    )


def gain(item: ItemRow, there: Head) -> FlagChange:
    """An item that was there before us only gains the source's flags."""
    return FlagChange(there.ref, add=item.base_flags - there.flags)


def send_gains(work: Work, folder: Folder, gains: Sequence[FlagChange]) -> None:
    """Add flags to items of a target folder; nothing is sent when there are none."""
    wanted = [change for change in gains if change.add]
    work.hold()
    if wanted:
        work.target.change_flags(folder, wanted)
