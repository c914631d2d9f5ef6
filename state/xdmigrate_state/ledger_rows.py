"""Ledger rows as the tables hold them, words as numbers: loaded, replaced and removed with their counters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from xdmigrate_state.bulk import Bulk
from xdmigrate_state.counters import Difference
from xdmigrate_state.packing import batched
from xdmigrate_state.rows import FolderKey
from xdmigrate_state.tables import item

CHUNK = 900
"""Ids in one IN list."""


class Held(NamedTuple):
    """One row without the folder it is in; the fields are columns, in the order of the table."""

    source_id: bytes
    outcome: int
    gone: bool
    size: int
    fingerprint: bytes | None
    place_id: int | None
    target_id: bytes | None
    base_flags: int | None
    base_version: bytes | None
    note: int | None
    target_version: bytes | None = None


Change = tuple[Held, Held]
"""A row as it was and as it shall be, under the same source id."""

_HELD = [item.c[name] for name in Held._fields]
WITHIN = (item.c.account_id == bindparam("account"), item.c.folder_id == bindparam("folder"))
"""As `within`, with the parameters that `key` gives: such a statement is built and compiled once."""
_LOAD = select(*_HELD).where(*WITHIN, item.c.source_id.in_(bindparam("refs", expanding=True)))


def within(folder: FolderKey) -> ColumnElement[bool]:
    """The rows of a folder: the beginning of the primary key."""
    return (item.c.account_id == folder.account_id) & (item.c.folder_id == folder.id)


def key(folder: FolderKey) -> dict[str, Any]:
    """The parameters of WITHIN."""
    return {"account": folder.account_id, "folder": folder.id}


def load(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> dict[bytes, Held]:
    """The rows of these source ids; those that are not in the ledger are left out."""
    held = {}
    for chunk in batched(refs, CHUNK):
        for row in c.execute(_LOAD, {**key(folder), "refs": chunk}):
            held[row[0]] = Held._make(row)
    return held


def store_new(c: Connection, folder: FolderKey, rows: Sequence[Held]) -> None:
    """Insert rows and count them. Raises IntegrityError when one is there already."""
    if not rows:
        return
    key = (folder.account_id, folder.id)
    _INSERT.run(c, [key + row for row in rows])
    counters = Difference()
    counters.add((row.outcome, row.gone, row.size) for row in rows)
    counters.apply(c, folder)


def replace(c: Connection, folder: FolderKey, changes: Sequence[Change], *columns: str) -> None:
    """Write the named columns of each row's new form and move the counters."""
    if not changes:
        return
    key = (folder.account_id, folder.id)
    picked = [Held._fields.index(name) for name in ("source_id", *columns)]
    _update(columns).run(c, [(*key, *(after[at] for at in picked)) for _before, after in changes])
    counters = Difference()
    counters.remove((before.outcome, before.gone, before.size) for before, _after in changes)
    counters.add((after.outcome, after.gone, after.size) for _before, after in changes)
    counters.apply(c, folder)


def remove(c: Connection, folder: FolderKey, rows: Sequence[Held]) -> None:
    """Delete rows and uncount them."""
    for chunk in batched((row.source_id for row in rows), CHUNK):
        c.execute(delete(item).where(within(folder), item.c.source_id.in_(chunk)))
    counters = Difference()
    counters.remove((row.outcome, row.gone, row.size) for row in rows)
    counters.apply(c, folder)


_INSERT = Bulk(insert(item), "account_id", "folder_id", *Held._fields)


@cache
def _update(columns: tuple[str, ...]) -> Bulk:
    row = (item.c.account_id == bindparam("of_account")) & (item.c.folder_id == bindparam("of_folder"))
    row &= item.c.source_id == bindparam("of_source")
    statement = update(item).where(row).values({name: bindparam(f"new_{name}") for name in columns})
    return Bulk(statement, "of_account", "of_folder", "of_source", *(f"new_{name}" for name in columns))
