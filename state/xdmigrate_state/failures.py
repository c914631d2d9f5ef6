"""The quarantine: items that failed, by name, with the server's words and a person's acceptance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, func, select, update

from xdmigrate_state import dialects
from xdmigrate_state.packing import batched, one_line, path_levels
from xdmigrate_state.rows import FailureRow
from xdmigrate_state.tables import failure, folder, item, mailbox

DETAIL_LENGTH = 300
"""Characters of a server's words that are kept."""

BEYOND_REPAIR = frozenset({"too-big", "bad-flag", "bad-id", "unreadable", "gone", "not-kept"})
"""Reasons that no change of an item's bytes removes."""

MAIL = "mail"
"""The one kind of data whose items can be repaired."""

_CHUNK = 900
_ORDERED = 4  # bytes of an id that people read as a number, e.g. a UID
_SHORT = re.compile(r"([0-9]{1,18})\.(?:x((?:[0-9a-f]{2})*)|([0-9a-f]{1,8}))")

_REPAIRABLE = failure.c.mended_at.is_(None) & failure.c.reason.not_in(sorted(BEYOND_REPAIR))
_OPEN = (
    select(func.count())
    .select_from(failure)
    .join(folder, folder.c.id == failure.c.folder_id)
    .where(folder.c.mailbox_id == bindparam("mailbox"), failure.c.accepted_at.is_(None))
)
_BEYOND_REPAIR = _OPEN.where(~(_REPAIRABLE & (folder.c.kind == MAIL)))


def short_id(folder_id: int, source_id: bytes) -> str:
    """The text that people type for an item: the folder's id, a dot, and the item's id as hexadecimal number.

    Ids that are not four bytes long are spelled in full behind an x, so that `parse` finds exactly this item.
    """
    if len(source_id) == _ORDERED:
        return f"{folder_id}.{int.from_bytes(source_id, 'big'):x}"
    return f"{folder_id}.x{source_id.hex()}"


def parse(text: str) -> tuple[int, bytes]:
    """The folder and source id of a `short_id`. Raises ValueError when it is none."""
    found = _SHORT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no item; quarantine list shows them, e.g. 12.1f3")
    folder_id, opaque, number = found.groups()
    return int(folder_id), (bytes.fromhex(opaque) if number is None else int(number, 16).to_bytes(_ORDERED, "big"))


def of_plan(c: Connection, plan_id: int) -> list[FailureRow]:
    """Every failed item of a plan, by mailbox, folder and id."""
    return _failures(c, _rows().where(mailbox.c.plan_id == plan_id))


def of_mailbox(c: Connection, mailbox_id: int) -> list[FailureRow]:
    """Every failed item of a mailbox, by folder and id."""
    return _failures(c, _rows().where(mailbox.c.id == mailbox_id))


def count_open(c: Connection, mailbox_id: int, *, repair: bool = False) -> int:
    """How many failed items of a mailbox nobody has accepted; with `repair`, without those that may yet be repaired."""
    return c.execute(_BEYOND_REPAIR if repair else _OPEN, {"mailbox": mailbox_id}).scalar_one()


def repairable(c: Connection, folder_id: int) -> list[bytes]:
    """Source ids of what the target refused and nobody has tried to repair or accepted yet, ascending."""
    waiting = select(failure.c.source_id).where(
        failure.c.folder_id == folder_id, _REPAIRABLE, failure.c.accepted_at.is_(None)
    )
    return list(c.execute(waiting.order_by(failure.c.source_id)).scalars())


def mended(c: Connection, folder_id: int, rows: Mapping[bytes, str], now: float) -> None:
    """The repaired attempt of these items was made in vain, or is impossible (then in words why): there is no other."""
    for ref, why in rows.items():
        mine = (failure.c.folder_id == folder_id) & (failure.c.source_id == ref)
        found = c.execute(select(failure.c.detail).where(mine)).scalar()
        detail = one_line(f"not repaired, {why}: {found or ''}" if why else found or "", DETAIL_LENGTH)
        c.execute(update(failure).where(mine).values(mended_at=now, detail=detail))


def accept(c: Connection, items: Iterable[tuple[int, bytes]], why: str, now: float) -> int:
    """A person accepts that these items are not copied; returns how many of them are in the quarantine."""
    return note_accepted(c, failure, items, why, now)


def note_accepted(c: Connection, table: Table, items: Iterable[tuple[int, bytes]], why: str, now: float) -> int:
    """Note at these (folder id, source id) of the table that a person accepted them; returns how many stand there."""
    known = (table.c.folder_id == bindparam("of_folder")) & (table.c.source_id == bindparam("of_source"))
    accepted = 0
    for folder_id, source_id in items:
        values = update(table).where(known).values(accepted_at=now, accepted_why=one_line(why, DETAIL_LENGTH))
        accepted += c.execute(values, {"of_folder": folder_id, "of_source": source_id}).rowcount
    return accepted


def record(c: Connection, folder_id: int, rows: Sequence[tuple[bytes, str, str]], now: float) -> None:
    """Quarantine items (source id, reason, the server's words); one that is there counts another attempt."""
    if not rows:
        return
    new = dialects.insert(c.dialect.name, failure)
    again = new.on_conflict_do_update(
        index_elements=[failure.c.folder_id, failure.c.source_id],
        set_={
            "reason": new.excluded.reason,
            "detail": new.excluded.detail,
            "attempts": failure.c.attempts + 1,
            "at": new.excluded.at,
        },
    )
    values = [
        {
            "folder_id": folder_id,
            "source_id": ref,
            "reason": reason,
            "detail": one_line(detail, DETAIL_LENGTH),
            "at": now,
        }
        for ref, reason, detail in rows
    ]
    c.execute(again, values)


def release(c: Connection, folder_id: int, refs: Iterable[bytes]) -> None:
    """Take items out of the quarantine."""
    for chunk in batched(refs, _CHUNK):
        c.execute(delete(failure).where(failure.c.folder_id == folder_id, failure.c.source_id.in_(chunk)))


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            failure, folder.c.path, folder.c.kind, folder.c.mailbox_id, mailbox.c.source, mailbox.c.target, item.c.size
        )
        .join(folder, folder.c.id == failure.c.folder_id)
        .join(mailbox, mailbox.c.id == folder.c.mailbox_id)
        .join(
            item,
            (item.c.account_id == folder.c.account_id)
            & (item.c.folder_id == folder.c.id)
            & (item.c.source_id == failure.c.source_id),
        )
        .order_by(folder.c.mailbox_id, folder.c.id, failure.c.source_id)
    )


def _failures(c: Connection, wanted: Select[*tuple[Any, ...]]) -> list[FailureRow]:
    return [_failure(row) for row in c.execute(wanted)]


def _failure(row: Row[*tuple[Any, ...]]) -> FailureRow:
    values = dict(row._mapping)
    values["path"] = path_levels(values["path"])
    return FailureRow(id=short_id(values["folder_id"], values["source_id"]), **values)
