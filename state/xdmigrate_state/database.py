"""Opens a state and runs units of work over it. See the package's docstring for the invariants."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from xdmigrate.errors import StateUnusable
from xdmigrate_state import copies, engines, faults, schema
from xdmigrate_state.writer import DirectWriter, GroupWriter, UnitWriter

T = TypeVar("T")


class Database:
    """A state that is open. Safe to use from any thread; reads never wait for writers.

    `new` tells whether this opening made it, `url` names it for people (password masked), `path` is its file, or None
    on PostgreSQL.
    """

    def __init__(self, url: URL, *, new: bool, reader: Engine, writer: Engine) -> None:
        self.new = new
        self.url = url.render_as_string(hide_password=True)
        self.path = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        self._where = str(self.path or self.url)
        self._address = url
        self._reader = reader
        self._writer = writer
        self._private: tempfile.TemporaryDirectory[str] | None = None
        kind = GroupWriter if self.path else DirectWriter
        self._units: UnitWriter = kind(writer, self._where)

    @classmethod
    def open(cls, url_or_path: str | Path, *, create: bool = True) -> Database:
        """Open a SQLite file (a path or `sqlite:///…`) or a `postgresql://…` URL and migrate it to this version.

        Raises StateUnusable (newer, damaged, foreign, not writable, unreachable, missing and not `create`), StateFull,
        ExtraMissing (no psycopg).
        """
        url = _parse(url_or_path)
        opened = _open_sqlite if url.get_backend_name() == "sqlite" else _open_postgresql
        return opened(url, create=create)

    @property
    def address(self) -> URL:
        """The URL with its password, for a second connection (advisory locks). Never print it."""
        return self._address

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read transaction of its own: it sees one moment of the state, and cannot write."""
        with faults.translated(self._where), self._reader.begin() as c:
            return work(c)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as a unit and wait until it is on disk. Raises what `work` raises, StateFull, StateUnusable."""
        return self.submit(work).result()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue `work` as a unit, committed whole or not at all; the future resolves after the commit.

        Units submitted by one thread run in that order. An error undoes only its own unit.
        """
        return self._units.submit(work)

    def backup(self, path: Path) -> None:
        """Write a consistent copy of the state into a new SQLite file, while others go on writing."""
        if path.exists():
            raise StateUnusable(f"state: {path} exists already", remedy="name a new file for the backup")
        if self.path is not None:
            copies.backup_file(self._reader, path)
        else:
            with Database.open(path) as target:
                copy(self, target)

    def close(self) -> None:
        """Commit what is queued and let go of the database. May be called twice."""
        self._units.close()
        self._reader.dispose()
        self._writer.dispose()
        if self._private is not None:
            self._private.cleanup()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def scratch_copy(db: Database, plan: str | None = None) -> Database:
    """A private throw-away copy in a temporary SQLite file, removed by `close`; only of `plan` when it is named."""
    private = tempfile.TemporaryDirectory(prefix="xdmigrate-")
    try:
        path = Path(private.name) / "scratch.db"
        if db.path is not None:
            db.backup(path)
        scratch = Database.open(path)
        if db.path is None:
            scratch.write(lambda into: db.read(lambda c: copies.copy_rows(c, into, plan)))
    except BaseException:
        private.cleanup()
        raise
    scratch._private = private
    return scratch


def copy(source: Database, target: Database) -> None:
    """Copy a whole state into an empty one, ids kept. Raises StateUnusable when the target holds anything."""
    target.write(lambda into: source.read(lambda c: copies.copy_rows(c, into)))


def _parse(url_or_path: str | Path) -> URL:
    text = str(url_or_path)
    if isinstance(url_or_path, Path) or "://" not in text:
        return URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StateUnusable("state: the URL cannot be read", remedy="use a path or postgresql://…") from error
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StateUnusable(
            f"state: {url.get_backend_name()} is not supported", remedy="use a path or postgresql://user@host/database"
        )
    if url.get_backend_name() == "sqlite":
        return URL.create("sqlite", database=str(Path(url.database or "").absolute()))
    return url.set(drivername="postgresql")


def _open_sqlite(url: URL, *, create: bool) -> Database:
    path = Path(url.database or "")
    _prepare_file(path, create=create)
    reader, writer = engines.sqlite_reader(path), engines.sqlite_writer(path)
    with faults.translated(str(path)), _disposed_on_error(reader):
        new = schema.ensure(reader, writer, str(path), create=create)
    return Database(url, new=new, reader=reader, writer=writer)


def _open_postgresql(url: URL, *, create: bool) -> Database:
    writer = engines.postgresql(url)
    reader = engines.snapshot(writer)
    where = url.render_as_string(hide_password=True)
    with _disposed_on_error(writer):
        with faults.unreachable(where), writer.connect():
            pass
        with faults.translated(where):
            new = schema.ensure(reader, writer, where, create=create)
    return Database(url, new=new, reader=reader, writer=writer)


@contextmanager
def _disposed_on_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _prepare_file(path: Path, *, create: bool) -> None:
    if not create and not path.is_file():
        raise StateUnusable(f"state: there is none at {path}", remedy="check the path, or run sync first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The mode before the first byte: the state names people. SQLite gives -wal and -shm the file's mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        if faults.no_space(error):
            raise faults.full(str(path)) from error
        raise StateUnusable(
            f"state: cannot open {path} for writing ({error.strerror})", remedy="check the path and its permissions"
        ) from error
