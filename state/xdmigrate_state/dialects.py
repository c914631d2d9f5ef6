"""What the two databases do in ways of their own.

PostgreSQL's part of SQLAlchemy is loaded when it is needed: it takes 30 ms of the start of a run on SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.default import DefaultDialect

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what happens to a row that is there already."""
    if dialect != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def positional(name: str) -> DefaultDialect:
    """The dialect of this name, to compile for its driver with positional parameters."""
    if name != "postgresql":
        return sqlite.dialect(paramstyle="qmark")
    from sqlalchemy.dialects import postgresql

    return postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call] # untyped in SQLAlchemy
