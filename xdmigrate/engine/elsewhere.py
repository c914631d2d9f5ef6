"""Copies that somebody moved before we looked: acknowledged where they were put, and shown in another folder.

A user's rules move mail within moments of its arrival. Sending it again would make two of it; believing every
acknowledged id that is not shown would lose what a target said yes to and dropped. Looked for when no range of this
pass is open: what another lane has sent and not yet claimed would pass for what was moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Head, Outcome
from xdmigrate_state import ledger, places
from xdmigrate_state.rows import PlaceRow, Settled


@dataclass(frozen=True, slots=True)
class Unkept:
    """An item that was sent to a folder of the target and is not shown there."""

    pair: Pair
    place: PlaceRow
    sent: Sent
    told: bytes | None  # the id that the target acknowledged it with
    linked: bool = False  # it was refused as new: an earlier copy of it is there, and is its own now


def settle_moved(work: Work, items: Sequence[Unkept]) -> list[Unkept]:
    """Settle as copied what has come to another folder; returns the rest. All are of one folder."""
    moved = moved_on(work, items)
    settled, now = [_copied(item) for item in moved.values()], work.context.clock.now()

    def commit(c: Connection) -> None:
        ledger.settle(c, items[0].pair.row, settled, now)
        work.note(c, "moved-on", folder=items[0].pair.row.id, items=len(settled))

    if settled:
        work.checkpoint(commit)
    return [item for item in items if item.sent.source_id not in moved]


def moved_on(work: Work, items: Sequence[Unkept]) -> dict[bytes, Unkept]:
    """Those of the items, all of one folder, whose equal has come to another folder; by source id."""
    if not items:
        return {}
    place = items[0].place
    claims = set(work.read(lambda c: ledger.claims(c, place.account_id, place.id, place.next_id)))
    told = possible(items, claims)
    sized = work.sized(items[0].pair.folder.kind)
    sizes = {item.sent.content.size for item in told.values()} if sized else None
    wanted = ((item.sent.source_id, item.sent.content) for item in told.values())
    found = dict(pair_equals(wanted, _arrived(work, place, sizes) if told else ()))
    return {item.sent.source_id: item for item in told.values() if item.sent.source_id in found}


def possible(items: Sequence[Unkept], claims: set[bytes]) -> dict[bytes, Unkept]:
    """Pure: by told id, the items that can have been moved: acknowledged with an id of their own that was free."""
    told: dict[bytes, Unkept] = {}
    for item in items:
        if item.told is not None and item.told >= item.place.next_id and item.told not in claims:
            told.setdefault(item.told, item)
    return told


def _arrived(work: Work, here: PlaceRow, sizes: set[int] | None) -> Iterator[tuple[bytes, Print]]:
    """What came into the target's other folders since this pass looked at them first, and is no copy of ours.

    Only what is of these sizes; None: of any.
    """
    for folder in work.there():
        if folder.path == here.path or not folder.selectable:
            continue
        with suppress(FolderUnusable):  # one that cannot be read shows nothing
            alike = [head.ref for head in _foreign(work, folder) if sizes is None or head.size in sizes]
            yield from prints(work.target, folder, alike)


def _foreign(work: Work, folder: Folder) -> Iterator[Head]:
    before = work.shown.get(folder.path)
    floor = before.next_id if before is not None and before.validity == folder.validity else b""
    if floor and floor == folder.next_id:
        return
    account = work.mailbox.account_id
    place = work.read(
        partial(places.find, account_id=account, path=folder.path, validity=folder.validity, kind=folder.kind)
    )
    claims = set(work.read(lambda c: ledger.claims(c, account, place.id, floor))) if place is not None else set()
    yield from (head for head in work.target.heads(folder, floor) if head.ref not in claims)


def _copied(item: Unkept) -> Settled:
    return Settled(
        source_id=item.sent.source_id,
        outcome=Outcome.COPIED,
        size=item.sent.size,
        fingerprint=item.sent.content.fingerprint,
        place_id=item.place.id,
        target_id=item.told,
        flags=item.sent.flags,
    )
