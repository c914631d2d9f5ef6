"""How units of work reach the disk: in groups through one thread (SQLite), or one transaction each (PostgreSQL)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from xdmigrate_state import faults

T = TypeVar("T")

GROUP_SECONDS = 0.05
"""A group takes no further unit when it is this old, so that nobody waits long for a commit."""

ATTEMPTS = 6
"""How often a PostgreSQL unit runs when other transactions undo it."""


class UnitWriter(Protocol):
    """Runs units of work and keeps them."""

    def submit(self, work: Callable[[Connection], T]) -> Future[T]: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Unit:
    work: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class GroupWriter:
    """The one writer of a SQLite state. Units run in the order of submission, each in its own savepoint.

    While one group is being flushed to disk the next one gathers: that is the whole group commit.
    """

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._queue: SimpleQueue[_Unit | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="state-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a unit; its future resolves when the unit is on disk. Raises RuntimeError after `close`."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a unit of work must not submit another one; compose them in one function")
        unit = _Unit(work)
        unit.future.set_running_or_notify_cancel()  # a unit that is queued cannot be called back
        with self._closing:
            if self._closed:
                raise RuntimeError("the state is closed")
            self._queue.put(unit)
        return unit.future

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        first = self._queue.get()
        while first is not None:
            first = self._session(first)

    def _session(self, first: _Unit) -> _Unit | None:
        """Commit groups over one connection, until one fails as a whole. Returns the unit to go on with."""
        head: _Unit | None = first
        group = [first]
        try:
            with self._engine.connect() as c:
                while head is not None:
                    group = [head]
                    self._group(c, group)
                    for unit in group:
                        unit.deliver()
                    group = []
                    head = self._queue.get()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
            self._fail(group, error)
        return None if head is None else self._queue.get()

    def _group(self, c: Connection, group: list[_Unit]) -> None:
        """Run the unit in `group` and those that wait behind it, and commit them together."""
        with c.begin() as transaction:
            if not self._alone(group[0], c):
                transaction.rollback()
                return
            for unit in self._more(time.monotonic() + GROUP_SECONDS):
                group.append(unit)
                self._attempt(c, unit)

    def _more(self, until: float) -> Iterator[_Unit]:
        while time.monotonic() < until:
            try:
                unit = self._queue.get_nowait()
            except Empty:
                return
            if unit is None:  # closing: finish this group first
                self._queue.put(None)
                return
            yield unit

    def _alone(self, unit: _Unit, c: Connection) -> bool:
        """Run the first unit of a group: until others follow, what undoes it can undo everything. False: it failed."""
        try:
            unit.result = unit.work(c)
        except BaseException as error:
            if faults.whole_group(error):
                raise
            unit.error = error
        return unit.error is None

    def _attempt(self, c: Connection, unit: _Unit) -> None:
        """Run one unit; its error undoes only itself, unless the storage failed under all of them."""
        try:
            with c.begin_nested():
                unit.result = unit.work(c)
        except BaseException as error:
            if faults.whole_group(error) or not _in_transaction(c):
                raise
            unit.error = error

    def _fail(self, group: list[_Unit], error: BaseException) -> None:
        meaning = faults.told(error, self._where) if isinstance(error, DBAPIError) else None
        if meaning is not None:
            meaning.__cause__ = error
        for unit in group:
            unit.future.set_exception(unit.error or meaning or error)


def _in_transaction(c: Connection) -> bool:
    # SQLite undoes the whole transaction by itself on some errors ("full", for one); the savepoint is gone then.
    driver = c.connection.dbapi_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


class DirectWriter:
    """Writes to PostgreSQL in the caller's thread, one transaction a unit, so a thread's units keep their order."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Run and commit the unit now; the future that comes back is done."""
        future: Future[T] = Future()
        try:
            future.set_result(self._run(work))
        except Exception as error:  # noqa: BLE001 - delivered through the future
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing is ever queued."""

    def _run(self, work: Callable[[Connection], T]) -> T:
        with faults.translated(self._where):
            for attempt in range(1, ATTEMPTS):
                try:
                    return self._once(work)
                except DBAPIError as error:
                    if not faults.conflict(error):
                        raise
                    time.sleep(0.01 * 2**attempt)
            return self._once(work)

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as c:
            return work(c)
