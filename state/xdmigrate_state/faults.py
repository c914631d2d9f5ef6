"""What a database error means to a person: full, unusable, or worth another run. Pure classification."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from xdmigrate.errors import StateFull, StateUnusable, Stopped, XdmigrateError
from xdmigrate_state.packing import one_line

_PRIMARY = 0xFF  # an extended result code's low byte is the primary code
_SPACE = "free space and run again"
_PERMISSION = "check the path and its permissions"

_SQLITE: dict[int, tuple[type[XdmigrateError], str, str]] = {
    sqlite3.SQLITE_FULL: (StateFull, "disk full at {}", _SPACE),
    # SQLite says "full" only for ENOSPC in the main file; quota, file size limits and -shm come as I/O errors.
    sqlite3.SQLITE_IOERR_WRITE: (StateFull, "cannot write {}: disk full, over quota, or failing", _SPACE),
    sqlite3.SQLITE_IOERR_SHMSIZE: (StateFull, "cannot write {}: disk full, over quota, or failing", _SPACE),
    sqlite3.SQLITE_IOERR: (StateUnusable, "reading or writing {} failed (I/O error)", "check the disk"),
    sqlite3.SQLITE_READONLY: (StateUnusable, "{} cannot be written", _PERMISSION),
    sqlite3.SQLITE_PERM: (StateUnusable, "{} cannot be written", _PERMISSION),
    sqlite3.SQLITE_CANTOPEN: (StateUnusable, "{} cannot be opened", _PERMISSION),
    sqlite3.SQLITE_CORRUPT: (StateUnusable, "{} is damaged", "restore a backup of the state"),
    sqlite3.SQLITE_NOTADB: (StateUnusable, "{} is damaged or no database", "restore a backup of the state"),
    sqlite3.SQLITE_BUSY: (Stopped, "another process holds {}", "let it end and run again"),
    sqlite3.SQLITE_LOCKED: (Stopped, "another process holds {}", "let it end and run again"),
}
"""What to tell for a result code, or else for its primary code."""

# PostgreSQL's SQLSTATE (appendix A of its manual)
_DISK_FULL = "53100"
_REFUSED = ("28", "3D", "42501")  # authorisation, no such database, no right
_CONFLICTS = ("40001", "40P01")  # serialization failure, deadlock: the same unit may be run again


def conflict(error: BaseException) -> bool:
    """Whether PostgreSQL undid a transaction only because of another one."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in _CONFLICTS


def whole_group(error: BaseException) -> bool:
    """Whether an error hits the storage under all units, not the unit that met it."""
    return isinstance(error, DBAPIError) and told(error, "") is not None


def told(error: DBAPIError, where: str) -> XdmigrateError | None:
    """The error to tell a person, or None when the statement itself was wrong."""
    if isinstance(error.orig, sqlite3.Error):
        return sqlite(error.orig, where)
    return _postgresql(error, where)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise StateFull, StateUnusable or Stopped in place of a database error that means one of them."""
    try:
        yield
    except DBAPIError as error:
        meaning = told(error, where)
        if meaning is None:
            raise
        raise meaning from error


@contextmanager
def unreachable(where: str) -> Iterator[None]:
    """Raise StateUnusable when a first connection fails; libpq tells the cause in words only, without a SQLSTATE."""
    try:
        yield
    except DBAPIError as error:
        cause = one_line(str(error.orig), 200)
        raise StateUnusable(f"state: cannot connect to {where} ({cause})", remedy="check the state's URL") from error


def full(where: str) -> StateFull:
    """The disk under the state is full."""
    return StateFull(f"state: disk full at {where}", remedy=_SPACE)


def no_space(error: OSError) -> bool:
    """Whether an operating-system error means that nothing more can be written."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sqlite(error: sqlite3.Error, where: str) -> XdmigrateError | None:
    """As `told`, for the driver's own error."""
    code = getattr(error, "sqlite_errorcode", 0)
    meaning = _SQLITE.get(code) or _SQLITE.get(code & _PRIMARY)
    if meaning is None:
        return None
    kind, text, remedy = meaning
    return kind(f"state: {text.format(where)}", remedy=remedy)


def _postgresql(error: DBAPIError, where: str) -> XdmigrateError | None:
    state = _sqlstate(error)
    if state == _DISK_FULL:
        return full(where)
    if state.startswith(_REFUSED):
        return StateUnusable(f"state: {where} refused the login or the access", remedy="check the state's URL")
    if error.connection_invalidated or state.startswith(("57P", "08")) or (not state and _disconnected(error)):
        return Stopped(f"state: the connection to {where} was lost or refused", remedy="run again to resume")
    return None


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _disconnected(error: DBAPIError) -> bool:
    return type(error).__name__ == "OperationalError"
