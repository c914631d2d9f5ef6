"""Locks between processes. The kernel (or the PostgreSQL server) frees them when their holder dies, even by kill -9."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection, NullPool, create_engine, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from xdmigrate.errors import PlanHeld, StateUnusable
from xdmigrate_state import faults

if TYPE_CHECKING:
    from xdmigrate_state.database import Database


class FileLock:
    """Holds `flock` on a file while entered. The file stays; who holds it is written into it."""

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._file = -1

    def __enter__(self) -> Self:
        try:
            for folder in (self._path.parent.parent, self._path.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if faults.no_space(error):
                raise faults.full(str(self._path)) from error
            raise StateUnusable(
                f"state: cannot open the lock {self._path} ({error.strerror})", remedy="check the path"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 200, 0).decode(errors="replace").strip()
            os.close(file)
            raise _held(self._what, holder) from error
        self._file = file
        self._sign()
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._file)

    def _sign(self) -> None:
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, _signature().encode(), 0)
        except OSError:
            return  # a full disk: the lock holds all the same, only its holder is not told


class PlanLock(FileLock):
    """One whole-plan run at a time on this host. Raises PlanHeld on entering while another run is in it."""

    def __init__(self, home: Path, plan: str) -> None:
        super().__init__(home / "locks" / f"plan-{_name(plan)}.lock", f"plan {plan}")


class TargetLock(FileLock):
    """One writer at a time in a target mailbox, whichever plans of this home name it. Raises PlanHeld."""

    def __init__(self, home: Path, system: str, address: str) -> None:
        name = _name(f"{system}\0{address}")
        super().__init__(home / "locks" / f"target-{name}.lock", f"target mailbox {address}")


class AdvisoryLock:
    """The same between hosts, on a PostgreSQL state: an advisory lock on a connection of its own."""

    def __init__(self, url: URL, what: str) -> None:
        self._url = url
        self._what = what
        self._key = int.from_bytes(sha256(what.encode()).digest()[:8], "big", signed=True)
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        where = self._url.render_as_string(hide_password=True)
        options = {"application_name": f"xdmigrate {_process()}", "connect_timeout": 10, **_KEEPALIVE}
        engine = create_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        with faults.translated(where):
            connection = engine.connect()
            if not connection.execute(select(func.pg_try_advisory_lock(self._key))).scalar():
                holder = _advisory_holder(connection, self._key)
                connection.close()
                raise _held(self._what, holder)
        self._connection = connection
        return self

    def __exit__(self, *_error: object) -> None:
        if self._connection is not None:
            with suppress(DBAPIError):  # the server has ended the session, and the lock with it
                # An ended session is cleared away a moment later: whoever comes at once would find the lock taken.
                self._connection.execute(select(func.pg_advisory_unlock(self._key)))
            self._connection.close()  # NullPool: this ends the session
            self._connection = None


# A host that vanished without closing its connection is noticed after about 30 seconds.
_KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}


def for_plan(db: Database, home: Path, plan: str) -> FileLock | AdvisoryLock:
    """The lock of a whole-plan run: on this host for SQLite, between hosts for PostgreSQL."""
    return PlanLock(home, plan) if db.path else AdvisoryLock(db.address, f"plan {plan}")


def for_target(db: Database, home: Path, system: str, address: str) -> FileLock | AdvisoryLock:
    """The lock of a target mailbox, as `for_plan`."""
    what = f"target mailbox {address} on {system}"
    return TargetLock(home, system, address) if db.path else AdvisoryLock(db.address, what)


def _advisory_holder(c: Connection, key: int) -> str:
    unsigned = key % 2**64  # pg_locks shows the halves of the key as unsigned numbers
    wanted = text(
        "SELECT a.application_name, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.classid = :high AND l.objid = :low AND l.granted"
    )
    found = c.execute(wanted, {"high": unsigned >> 32, "low": unsigned & 0xFFFFFFFF}).first()
    return f"{found[0].removeprefix('xdmigrate ')} since {found[1]}" if found else ""


def _name(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _signature() -> str:
    since = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{_process()} since {since}"


def _process() -> str:
    return f"pid {os.getpid()} on {socket.gethostname()[:30]}"  # PostgreSQL keeps 63 bytes of an application's name


def _held(what: str, holder: str) -> PlanHeld:
    run = "another run holds this plan" if what.startswith("plan ") else f"another run holds the {what}"
    return PlanHeld(f"{run}: {holder or 'unknown holder'}", remedy="wait for it to end, or stop it")
