"""Items that were sent a second time after an unknown first time: for a while, a late twin may still appear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, func, select

from xdmigrate_state import dialects
from xdmigrate_state.packing import batched
from xdmigrate_state.rows import DoubtRow
from xdmigrate_state.tables import doubt, folder

_CHUNK = 900

_OF_MAILBOX = (
    select(doubt)
    .join(folder, folder.c.id == doubt.c.folder_id)
    .where(folder.c.mailbox_id == bindparam("mailbox"))
    .order_by(doubt.c.folder_id, doubt.c.source_id)
)
_EXPIRED = delete(doubt).where(
    doubt.c.folder_id.in_(select(folder.c.id).where(folder.c.mailbox_id == bindparam("mailbox"))),
    doubt.c.until_pass <= bindparam("passes"),
)

NONE: Mapping[bytes, bytes] = {}


def add(  # noqa: PLR0917 - a row's columns
    c: Connection,
    folder_id: int,
    place_id: int,
    refs: Iterable[bytes],
    floor: bytes,
    until_pass: int,
    updates: Mapping[bytes, bytes] = NONE,
) -> None:
    """Look for twins of these items with ids >= `floor` until the mailbox has completed pass `until_pass`.

    `updates`: the fingerprints of those that were to replace their copies. An item that is in doubt already keeps the
    lower floor and gets the later end.
    """
    key = {"folder_id": folder_id, "place_id": place_id, "floor": floor, "until_pass": until_pass}
    rows = [key | {"source_id": ref, "fingerprint": updates.get(ref)} for ref in refs]
    if not rows:
        return
    new = dialects.insert(c.dialect.name, doubt)
    least, greatest = ("least", "greatest") if c.dialect.name == "postgresql" else ("min", "max")
    longer = {
        "place_id": new.excluded.place_id,
        "floor": getattr(func, least)(doubt.c.floor, new.excluded.floor),
        "until_pass": getattr(func, greatest)(doubt.c.until_pass, new.excluded.until_pass),
        "fingerprint": new.excluded.fingerprint,
    }
    c.execute(new.on_conflict_do_update(index_elements=[doubt.c.folder_id, doubt.c.source_id], set_=longer), rows)


def of_mailbox(c: Connection, mailbox_id: int) -> list[DoubtRow]:
    """The doubts of a mailbox, by folder and source id."""
    return [DoubtRow(**row) for row in c.execute(_OF_MAILBOX, {"mailbox": mailbox_id}).mappings()]


def drop(c: Connection, folder_id: int, refs: Iterable[bytes]) -> None:
    """The twins of these items were found and dealt with."""
    for chunk in batched(refs, _CHUNK):
        c.execute(delete(doubt).where(doubt.c.folder_id == folder_id, doubt.c.source_id.in_(chunk)))


def drop_expired(c: Connection, mailbox_id: int, passes: int) -> int:
    """End the doubts of a mailbox that has completed so many passes; returns how many ended."""
    return c.execute(_EXPIRED, {"mailbox": mailbox_id, "passes": passes}).rowcount
