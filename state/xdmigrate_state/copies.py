"""Whole copies of a state: into a backup file, or row by row into another database with every id kept."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Engine, Table, exists, func, insert, select, text, update

from xdmigrate.errors import StateFull, StateUnusable
from xdmigrate_state import faults, journal
from xdmigrate_state.tables import account, folder, mailbox, metadata, plan, word

_ROWS = 2_000  # at a time


def backup_file(engine: Engine, path: Path) -> None:
    """SQLite's online backup into a new file; the file appears under its name only when it is whole."""
    with _appearing(path) as part, engine.connect() as c, closing(sqlite3.connect(part)) as target:
        source = c.connection.dbapi_connection
        if not isinstance(source, sqlite3.Connection):
            raise TypeError("not a SQLite state")
        source.backup(target)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    part = path.with_name(path.name + ".part")
    try:
        file = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
    except OSError as error:
        raise _refused(error, path) from error
    try:
        yield part
        os.fsync(file)
        part.replace(path)
        _keep_name(path)
    except sqlite3.Error as error:
        raise (faults.sqlite(error, str(path)) or error) from error
    except OSError as error:
        raise _refused(error, path) from error
    finally:
        os.close(file)
        part.unlink(missing_ok=True)


def _keep_name(path: Path) -> None:
    """A rename is on disk when its directory is."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def copy_rows(source: Connection, target: Connection, plan_name: str | None = None) -> None:
    """Copy every table, or what belongs to one plan, into a state without rows. Raises StateUnusable if it has any."""
    for table in metadata.sorted_tables:
        if target.execute(select(exists().select_from(table))).scalar():
            raise StateUnusable("state: the target of the copy is not empty", remedy="name a new state")
    for table in metadata.sorted_tables:
        _copy_table(source, target, table, _chosen(table, plan_name))
    _continue_ids(source, target)


def restored(c: Connection, now: float) -> None:
    """A state that was brought back is older than the target: match what is there again before anything is sent.

    Without it, what was copied after the backup would be copied a second time.
    """
    c.execute(update(folder).values(adopted=False))
    for plan_id in c.execute(select(plan.c.id).order_by(plan.c.id)).scalars().all():
        journal.append(c, plan_id, journal.PLAN_CHAIN, "restored", {}, now)


def _copy_table(source: Connection, target: Connection, table: Table, chosen: ColumnElement[bool] | None) -> None:
    wanted = select(table) if chosen is None else select(table).where(chosen)
    for rows in source.execute(wanted.execution_options(yield_per=_ROWS)).mappings().partitions():
        target.execute(insert(table), [dict(row) for row in rows])


def _chosen(table: Table, plan_name: str | None) -> ColumnElement[bool] | None:
    """Which rows of a table belong to the plan."""
    if plan_name is None or table is word:
        return None
    plan_id = select(plan.c.id).where(plan.c.name == plan_name).scalar_subquery()
    if table is plan:
        return plan.c.name == plan_name
    if "plan_id" in table.c:
        return table.c.plan_id == plan_id
    if "account_id" in table.c:
        return table.c.account_id.in_(select(account.c.id).where(account.c.plan_id == plan_id))
    folders = select(folder.c.id).join(mailbox, mailbox.c.id == folder.c.mailbox_id)
    return table.c.folder_id.in_(folders.where(mailbox.c.plan_id == plan_id))


def _continue_ids(source: Connection, target: Connection) -> None:
    """Let new ids begin after every id that was ever given, also those whose rows are gone."""
    for table in metadata.sorted_tables:
        if [column.name for column in table.primary_key] == ["id"]:
            last = _last_id[source.dialect.name](source, table)
            if last:
                _set_last_id[target.dialect.name](target, table, last)


def _sqlite_last(c: Connection, table: Table) -> int:
    found = c.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}).scalar()
    return int(found or c.execute(select(func.max(table.c.id))).scalar() or 0)


def _postgresql_last(c: Connection, table: Table) -> int:
    sequence = c.execute(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}).scalar()
    used = c.execute(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")).scalar()
    return int(used or 0)


def _sqlite_set(c: Connection, table: Table, last: int) -> None:
    if table.dialect_options["sqlite"]["autoincrement"]:
        c.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        c.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), {"name": table.name, "last": last}
        )


def _postgresql_set(c: Connection, table: Table, last: int) -> None:
    c.execute(text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"), {"name": table.name, "last": last})


_last_id: dict[str, Callable[[Connection, Table], int]] = {"sqlite": _sqlite_last, "postgresql": _postgresql_last}
_set_last_id: dict[str, Callable[[Connection, Table, int], None]] = {
    "sqlite": _sqlite_set,
    "postgresql": _postgresql_set,
}


def _refused(error: OSError, path: Path) -> StateFull | StateUnusable:
    if faults.no_space(error):
        return faults.full(str(path))
    return StateUnusable(f"state: cannot write {path} ({error.strerror})", remedy="check the path")
