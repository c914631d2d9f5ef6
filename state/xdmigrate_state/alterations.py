"""Copies whose bytes are not those of their source: altered by the target, or repaired by the plan's wish.

The ledger's row keeps the size and fingerprint of the source; the copy's stand here, so that a crash, a change of
ids or a late twin finds the copy by what it is. Only copied and present items have a row, except that of a repaired
attempt under way (REPAIRING), which is written with its intent and ends with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, insert, select

from xdmigrate_state.failures import DETAIL_LENGTH, note_accepted, short_id
from xdmigrate_state.packing import batched, one_line, path_levels
from xdmigrate_state.rows import AlterationRow, Altered, AlteredCounts
from xdmigrate_state.tables import alteration, folder, item, mailbox

ALTERED = "altered"
"""The target keeps other bytes than it was given."""

REPAIRED = "repaired"
"""The target took the item only after a repair that the plan wished for."""

REPAIRING = "repairing"
"""A repaired attempt is under way; known by its intent, listed nowhere."""

_CHUNK = 900
_COLUMNS = (
    alteration.c.source_id,
    alteration.c.reason,
    alteration.c.detail,
    alteration.c.size,
    alteration.c.fingerprint,
    alteration.c.accepted_why,
)


def record(c: Connection, folder_id: int, rows: Sequence[Altered], now: float) -> None:
    """Note altered copies. What a person accepted stays accepted as long as the copy is what was accepted."""
    known = of_items(c, folder_id, [row.source_id for row in rows])
    release(c, folder_id, [row.source_id for row in rows])
    values = [_merged(known.get(row.source_id), row) for row in rows]
    if values:
        c.execute(insert(alteration), [_columns(folder_id, row, now) for row in values])


def release(c: Connection, folder_id: int, refs: Iterable[bytes]) -> None:
    """These items have no altered copy any more."""
    for chunk in batched(refs, _CHUNK):
        c.execute(delete(alteration).where(alteration.c.folder_id == folder_id, alteration.c.source_id.in_(chunk)))


def accept(c: Connection, items: Iterable[tuple[int, bytes]], why: str, now: float) -> int:
    """A person accepts these copies as they are; returns how many of them are altered."""
    return note_accepted(c, alteration, items, why, now)


def of_items(c: Connection, folder_id: int, refs: Iterable[bytes]) -> dict[bytes, Altered]:
    """Those of these items that have a row, repairs under way included."""
    found: dict[bytes, Altered] = {}
    for chunk in batched(refs, _CHUNK):
        mine = (alteration.c.folder_id == folder_id) & alteration.c.source_id.in_(chunk)
        found |= {row[0]: Altered(*row) for row in c.execute(select(*_COLUMNS).where(mine))}
    return found


def of_folder(c: Connection, folder_id: int) -> dict[bytes, Altered]:
    """The altered copies of a folder, by source id."""
    mine = (alteration.c.folder_id == folder_id) & (alteration.c.reason != REPAIRING)
    return {row[0]: Altered(*row) for row in c.execute(select(*_COLUMNS).where(mine))}


def under_way(c: Connection, folder_id: int, refs: Iterable[bytes]) -> dict[bytes, Altered]:
    """Those of these items whose repaired attempt was begun and not recorded."""
    return {ref: row for ref, row in of_items(c, folder_id, refs).items() if row.reason == REPAIRING}


def of_plan(c: Connection, plan_id: int) -> list[AlterationRow]:
    """Every altered copy of a plan, by mailbox, folder and id."""
    shown = [column for column in alteration.c if column.name not in {"size", "fingerprint"}]
    wanted = (
        select(
            *shown, folder.c.path, folder.c.kind, folder.c.mailbox_id, mailbox.c.source, mailbox.c.target, item.c.size
        )
        .join(folder, folder.c.id == alteration.c.folder_id)
        .join(mailbox, mailbox.c.id == folder.c.mailbox_id)
        .join(
            item,
            (item.c.account_id == folder.c.account_id)
            & (item.c.folder_id == folder.c.id)
            & (item.c.source_id == alteration.c.source_id),
        )
        .where(mailbox.c.plan_id == plan_id, alteration.c.reason != REPAIRING)
        .order_by(folder.c.mailbox_id, folder.c.id, alteration.c.source_id)
    )
    return [_row(dict(row)) for row in c.execute(wanted).mappings()]


def counts(c: Connection, plan_id: int) -> dict[int, AlteredCounts]:
    """The counts of each mailbox of the plan that has altered copies."""
    wanted = (
        select(folder.c.mailbox_id, func.count(), func.count(alteration.c.accepted_at))
        .join(folder, folder.c.id == alteration.c.folder_id)
        .join(mailbox, mailbox.c.id == folder.c.mailbox_id)
        .where(mailbox.c.plan_id == plan_id, alteration.c.reason != REPAIRING)
        .group_by(folder.c.mailbox_id)
    )
    return {mailbox_id: AlteredCounts(items, accepted) for mailbox_id, items, accepted in c.execute(wanted)}


def same_copy(known: Altered, size: int, fingerprint: bytes | None) -> bool:
    """Pure: whether a copy of this size and, where it was read, fingerprint is the one that is known."""
    if known.fingerprint is None or fingerprint is None:
        return known.size == size
    return (known.size, known.fingerprint) == (size, fingerprint)


def _merged(known: Altered | None, row: Altered) -> Altered:
    """A repair, its reason and its acceptance outlive later looks at the same copy."""
    if known is None or known.reason == REPAIRING or not same_copy(known, row.size, row.fingerprint):
        return row
    why = row.accepted_why or known.accepted_why
    return Altered(row.source_id, known.reason, known.detail, row.size, row.fingerprint or known.fingerprint, why)


def _columns(folder_id: int, row: Altered, now: float) -> dict[str, object]:
    return {
        "folder_id": folder_id,
        "source_id": row.source_id,
        "reason": row.reason,
        "detail": one_line(row.detail, DETAIL_LENGTH),
        "size": row.size,
        "fingerprint": row.fingerprint,
        "at": now,
        "accepted_at": now if row.accepted_why else None,
        "accepted_why": one_line(row.accepted_why, DETAIL_LENGTH),
    }


def _row(values: dict[str, object]) -> AlterationRow:
    folder_id, source_id, path = values["folder_id"], values["source_id"], values["path"]
    told = {**values, "path": path_levels(str(path))}
    return AlterationRow(id=short_id(int(str(folder_id)), bytes(source_id)), **told)  # type: ignore[arg-type,call-overload]
