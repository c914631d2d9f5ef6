"""What folders carry beside their items: which were looked at, and what a person has to do by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from xdmigrate.model import Path
from xdmigrate_state.packing import one_line, path_levels
from xdmigrate_state.tables import folder, leftover, mailbox, shared

NAME_LENGTH = 200
DETAIL_LENGTH = 500


class Leftover(NamedTuple):
    """A grant or a note that the target did not get. `name` is an identifier or an entry, `detail` says why."""

    what: str
    name: str
    detail: str


class LeftoverRow(NamedTuple):
    """A leftover, and where it is."""

    mailbox_id: int
    path: Path  # at the source
    left: Leftover


def looked_at(c: Connection, mailbox_id: int) -> dict[int, frozenset[str]]:
    """What was looked at of each folder of a mailbox, by folder."""
    found = c.execute(
        select(shared.c.folder_id, shared.c.aspects)
        .join(folder, folder.c.id == shared.c.folder_id)
        .where(folder.c.mailbox_id == mailbox_id)
    )
    return {row.folder_id: frozenset(json.loads(row.aspects)) for row in found}


def record(c: Connection, folder_id: int, aspects: Iterable[str], left: Iterable[Leftover]) -> None:
    """The folder was looked at, and this is left; what was left before is forgotten."""
    for table in (shared, leftover):
        c.execute(delete(table).where(table.c.folder_id == folder_id))
    c.execute(insert(shared), {"folder_id": folder_id, "aspects": json.dumps(sorted(aspects))})
    shown = [Leftover(one.what, one_line(one.name, NAME_LENGTH), one_line(one.detail, DETAIL_LENGTH)) for one in left]
    if rows := {(one.what, one.name): {"folder_id": folder_id, **one._asdict()} for one in shown}:
        c.execute(insert(leftover), list(rows.values()))


def of_plan(c: Connection, plan_id: int) -> list[LeftoverRow]:
    """Everything that is left in folders that are still there, by mailbox and folder."""
    wanted = (
        select(folder.c.mailbox_id, folder.c.path, leftover.c.what, leftover.c.name, leftover.c.detail)
        .join(folder, folder.c.id == leftover.c.folder_id)
        .join(mailbox, mailbox.c.id == folder.c.mailbox_id)
        .where(mailbox.c.plan_id == plan_id, folder.c.superseded.is_(False), folder.c.vanished.is_(False))
        .order_by(folder.c.mailbox_id, folder.c.id, leftover.c.what, leftover.c.name)
    )
    return [
        LeftoverRow(row.mailbox_id, path_levels(row.path), Leftover(row.what, row.name, row.detail))
        for row in c.execute(wanted)
    ]
