"""SQLAlchemy engines for a state: the SQLite writer, the SQLite readers, PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from xdmigrate.errors import ExtraMissing, StateUnusable
from xdmigrate_state import words

BUSY_SECONDS = 60
"""How long a process waits for another one's write transaction, e.g. a posted request or a backup."""

_QUIET: dict[str, Any] = {"hide_parameters": True}  # addresses and server texts stay out of tracebacks and logs

_WAL_KEPT = 64 * 1024 * 1024  # bytes of write-ahead log kept on disk after a checkpoint


def sqlite_writer(path: Path) -> Engine:
    """The engine of the one writer: every transaction takes the write lock at its beginning."""
    engine = create_engine(_sqlite_url(path), poolclass=NullPool, **_settings())
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    words.watch(engine)
    return engine


def sqlite_reader(path: Path) -> Engine:
    """Engine of the readers: each transaction sees one moment of the state and cannot write."""
    engine = create_engine(_sqlite_url(path), poolclass=QueuePool, pool_size=4, max_overflow=60, **_settings())
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin)
    return engine


def postgresql(url: URL) -> Engine:
    """The engine of a PostgreSQL state. Raises ExtraMissing without psycopg."""
    try:
        engine = create_engine(
            url,
            isolation_level="READ COMMITTED",
            **_QUIET,
            pool_size=8,
            max_overflow=56,
            pool_pre_ping=True,  # a restarted server costs one round trip, not a run
            connect_args={"connect_timeout": 10},
        )
    except ModuleNotFoundError as error:
        raise ExtraMissing("state: PostgreSQL needs psycopg", remedy="pip install 'xdmigrate[postgresql]'") from error
    words.watch(engine)
    return engine


def snapshot(engine: Engine) -> Engine:
    """The readers of a PostgreSQL state: as `sqlite_reader`, over the same pool."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _sqlite_url(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


def _settings() -> dict[str, Any]:
    # isolation_level None: the driver begins nothing by itself; the `begin` events below do.
    arguments = {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    return {"connect_args": arguments, **_QUIET}


def _prepare_writer(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise StateUnusable("state: this file system cannot hold it (no shared memory)", remedy="use a local disk")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT}")
    connection.execute("PRAGMA cache_size=-16000")  # 16 MB


def _prepare_reader(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
