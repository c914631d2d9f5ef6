"""Copies of earlier versions that no row of theirs is linked to: known by their UID, and replaced as updates.

They are left by writes whose end was unknown, or belong to items that the source's user wrote anew under another id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from xdmigrate.engine.fingerprints import inspected, names
from xdmigrate.engine.listing import PAGE
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.ours import as_written
from xdmigrate.engine.work import Work
from xdmigrate.model import Folder, Outcome
from xdmigrate_state import ledger
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow, Settled


def link_remnants(
    work: Work, place: PlaceRow, target: Folder, missing: Iterable[tuple[bytes, str]], left: Sequence[bytes]
) -> list[Settled]:
    """Pair items that were sent before, given with their UIDs, with what has these; to be given to `ledger.link`.

    `left` is what came to the target since our first write and nobody claims. Its content is not what was sent: the
    source, or the store, changed it.
    """
    found = dict(pair_equals(missing, names(work.target, target, left))) if left else {}
    read = {head.ref: (head, print_) for head, print_ in inspected(work.target, target, list(found.values()))}
    return [
        Settled(
            source_id=ref,
            outcome=Outcome.PENDING,
            fingerprint=read[to][1].fingerprint,
            place_id=place.id,
            target_id=to,
            target_version=read[to][0].version,
        )
        for ref, to in found.items()
        if to in read
    ]


def take_over(
    work: Work, place: PlaceRow, target: Folder, missing: Iterable[tuple[bytes, str]]
) -> list[tuple[ItemRow, Settled]]:
    """Pair items that are refused because of their UIDs, given with these, with our copies of what is gone.

    What was written anew under another id vanished under the old one, perhaps with all its folder; nobody has touched
    its copy since. Returns rows that are to be handed over, each with what is to be given to `ledger.link` then.
    """
    gone = {old.target_id: old for old in _ours(work, place, target) if old.target_id is not None}
    found = pair_equals(missing, names(work.target, target, list(gone))) if gone else []
    return [(gone[to], _linked(gone[to], ref)) for ref, to in found]


def _ours(work: Work, place: PlaceRow, target: Folder) -> Iterator[ItemRow]:
    for folder in (each for each in work.known(live=False) if each.counts.gone):
        for rows in _gone_from(work, folder, place):
            there = work.target.look_up(target, [each.target_id for each in rows if each.target_id is not None])
            ours = set(as_written(rows, {head.ref: head for head in there}))
            yield from (each for each in rows if each.target_id in ours)


def _gone_from(work: Work, folder: FolderRow, place: PlaceRow) -> Iterator[list[ItemRow]]:
    """Rows of the folder whose copies are in this place, a page at a time."""
    after = b""
    while page := work.read(partial(ledger.gone_copies, folder=folder, after=after, limit=PAGE)):
        after = page[-1].source_id
        if rows := [each for each in page if each.place_id == place.id]:
            yield rows


def _linked(old: ItemRow, ref: bytes) -> Settled:
    return Settled(
        source_id=ref,
        outcome=Outcome.PENDING,
        fingerprint=old.fingerprint,
        place_id=old.place_id,
        target_id=old.target_id,
        target_version=old.target_version,
    )
