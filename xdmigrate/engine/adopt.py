"""What is already on the target: equal items are claimed as `present`, one to one, instead of being sent again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import FlagChange, Folder, Head, Outcome
from xdmigrate_state import folders, ledger
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow, Settled

AT_ONCE = 1000
"""Candidates compared in one step; all items of one size are always in the same step."""


def adopt(work: Work, pair: Pair) -> Iterator[None]:
    """Match the pending items against what the target folder holds unclaimed. Once for each folder pair."""
    if pair.place is None or pair.target is None or pair.row.adopted:
        return
    free = _unclaimed(work, pair.place, pair.target)
    wanted = work.read(lambda c: ledger.live_by_size(c, pair.row, {head.size for head in free}, {Outcome.PENDING}))
    for rows, heads in _by_size(wanted, free):
        _adopt_alike(work, pair, pair.target, rows, heads)
        yield
    work.checkpoint(lambda c: folders.set_adopted(c, pair.row.id, adopted=True))


def _unclaimed(work: Work, place: PlaceRow, folder: Folder) -> list[Head]:
    if not folder.count:
        return []
    claimed = set(work.read(lambda c: ledger.claims(c, place.account_id, place.id)))
    return [head for head in work.target.heads(folder) if head.ref not in claimed]


def _by_size(rows: Sequence[ItemRow], heads: Sequence[Head]) -> Iterator[tuple[list[ItemRow], list[Head]]]:
    """Candidates of both sides, cut between sizes into steps of about AT_ONCE."""
    mine: dict[int, list[ItemRow]] = {}
    theirs: dict[int, list[Head]] = {}
    for row in rows:
        mine.setdefault(row.size, []).append(row)
    for head in heads:
        theirs.setdefault(head.size, []).append(head)
    step_rows: list[ItemRow] = []
    step_heads: list[Head] = []
    for size, alike in sorted(mine.items()):
        step_rows += alike
        step_heads += theirs.get(size, [])
        if len(step_rows) + len(step_heads) >= AT_ONCE:
            yield step_rows, step_heads
            step_rows, step_heads = [], []
    if step_rows:
        yield step_rows, step_heads


def _adopt_alike(work: Work, pair: Pair, folder: Folder, rows: Sequence[ItemRow], heads: Sequence[Head]) -> None:
    known = {row.source_id: row for row in rows}
    there = {head.ref: head for head in heads}
    mine = dict(prints(work.source, pair.folder, list(known)))
    theirs = dict(prints(work.target, folder, list(there)))
    found = pair_equals(_in_order(mine, known), _in_order(theirs, there))
    settled = [_present(pair.row, pair.place, known[ref], mine[ref], target) for ref, target in found]
    gains = [_gain(known[ref], there[target]) for ref, target in found]
    work.hold()
    work.target.change_flags(folder, [gain for gain in gains if gain.add])
    now = work.context.clock.now()

    def commit(c: Connection) -> None:
        ledger.settle(c, pair.row, settled, now)
        work.note(c, "adopted", folder=pair.row.id, items=len(settled))
        work.progressed(c)

    work.checkpoint(commit)
    work.tell("adopt", "/".join(pair.folder.path), len(settled), sum(mine[ref].size for ref, _ in found))


def _in_order(read: dict[bytes, Print], order: dict[bytes, ItemRow] | dict[bytes, Head]) -> list[tuple[bytes, Print]]:
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


def _gain(item: ItemRow, there: Head) -> FlagChange:
    """An item that was there before us only gains the source's flags."""
    return FlagChange(there.ref, add=item.base_flags - there.flags)
