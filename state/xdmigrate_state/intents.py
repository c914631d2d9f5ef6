"""Open ranges: what is about to be written, recorded before the first byte is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from xdmigrate_state.packing import pack, unpack
from xdmigrate_state.rows import IntentRow
from xdmigrate_state.tables import folder, intent

_OPEN = insert(intent).returning(intent.c.id)
_OF_MAILBOX = (
    select(intent)
    .join(folder, folder.c.id == intent.c.folder_id)
    .where(folder.c.mailbox_id == bindparam("mailbox"))
    .order_by(intent.c.id)
)
_CLOSE = delete(intent).where(intent.c.id == bindparam("intent"))


def open(  # noqa: A001, PLR0917 - read as intents.open; a row's columns
    c: Connection,
    folder_id: int,
    place_id: int,
    epoch: int,
    floor: bytes,
    refs: Sequence[bytes],
    octets: int,
    now: float,
    former: tuple[int, Sequence[bytes]] | None = None,
    contents: Sequence[bytes] = (),
) -> int:
    """Record a range and return its id, which is never used again. It must be committed before the range is sent.

    `former`, of a move: the folder and the source ids whose copies are moved, in the order of `refs`. `contents`, of
    items that change: the fingerprints of what is written, in the same order.
    """
    values = {
        "folder_id": folder_id,
        "place_id": place_id,
        "epoch": epoch,
        "floor": floor,
        "refs": pack(refs),
        "octets": octets,
        "opened_at": now,
        "former_folder_id": former[0] if former else None,
        "former_refs": pack(former[1]) if former else None,
        "contents": pack(contents) if contents else None,
    }
    return int(c.execute(_OPEN, values).scalar_one())


def of_mailbox(c: Connection, mailbox_id: int) -> list[IntentRow]:
    """The ranges of a mailbox whose fate is not recorded, oldest first."""
    return [_intent(row) for row in c.execute(_OF_MAILBOX, {"mailbox": mailbox_id})]


def of_place(c: Connection, place_id: int) -> list[IntentRow]:
    """The open ranges into one target folder, whichever mailboxes they come from, oldest first."""
    wanted = select(intent).where(intent.c.place_id == place_id).order_by(intent.c.id)
    return [_intent(row) for row in c.execute(wanted)]


def close(c: Connection, intent_id: int) -> None:
    """The range's outcomes are in this very unit, or it was reconciled."""
    c.execute(_CLOSE, {"intent": intent_id})


def _intent(row: Row[*tuple[Any, ...]]) -> IntentRow:
    values = dict(row._mapping)
    values["refs"] = unpack(values["refs"])
    values["former_refs"] = unpack(values["former_refs"]) if values["former_refs"] else []
    values["contents"] = unpack(values["contents"]) if values["contents"] else []
    return IntentRow(**values)
