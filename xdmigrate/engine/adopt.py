"""What is already on the target: equal items are claimed as `present`, one to one, instead of being sent again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.copying import unclaimed
from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.match import Look, by_size, pair_alike
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import FlagChange, Folder, Head, Outcome
from xdmigrate_state import folders, intents, ledger
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow, Settled

DEDUPE = "dedupe"
"""The wish of mailboxes that go to one place and share equal items there."""


def adopt(work: Work, pair: Pair) -> Iterator[None]:
    """Match the pending items against what the target folder holds unclaimed.

    The first pass looks at everything that was there before us, a later one at what others have put there since:
    the target's user, or another tool that is still at work.
    """
    if pair.place is None or pair.target is None or not _anything_new(work, pair, pair.place, pair.target):
        return
    free = _unclaimed(work, pair.row, pair.place, pair.target)
    wanted = work.read(lambda c: ledger.live_by_size(c, pair.row, {head.size for head in free}, {Outcome.PENDING}))
    for rows, heads in by_size(wanted, free):
        _adopt_alike(work, pair, pair.target, rows, heads)
        yield
    if not pair.row.adopted:
        work.checkpoint(lambda c: folders.set_adopted(c, pair.row.id, adopted=True))


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


def _adopt_alike(work: Work, pair: Pair, folder: Folder, rows: Sequence[ItemRow], heads: Sequence[Head]) -> None:
    known = {row.source_id: row for row in rows}
    there = {head.ref: head for head in heads}
    mine = dict(prints(work.source, pair.folder, list(known)))
    theirs = dict(prints(work.target, folder, list(there)))
    looks = {ref: Look(row.base_flags) for ref, row in known.items()}
    copies = {ref: Look(head.flags) for ref, head in there.items()}
    found = pair_alike(in_order(mine, known), in_order(theirs, there), looks, copies)
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
        size=content.size,
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
