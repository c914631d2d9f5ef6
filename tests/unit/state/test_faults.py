"""What a database's error means to a person."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.unit.state.sample import counts, fill, new_pair
from xdmigrate.errors import StateFull, StateUnusable, Stopped
from xdmigrate_state import faults
from xdmigrate_state.database import Database

psycopg_errors = pytest.importorskip("psycopg.errors", reason="psycopg is not installed (xdmigrate[postgresql])")


@pytest.mark.parametrize(
    ("name", "meaning", "code"),
    [
        ("DiskFull", StateFull, 6),
        ("AdminShutdown", Stopped, 6),
        ("CannotConnectNow", Stopped, 6),
        ("ConnectionFailure", Stopped, 6),
        ("InsufficientPrivilege", StateUnusable, 2),
        ("InvalidPassword", StateUnusable, 2),
        ("UniqueViolation", None, None),
        ("SyntaxError", None, None),
    ],
)
def test_postgresql_is_classified(name: str, meaning: type[Exception] | None, code: int | None) -> None:
    error = OperationalError("statement", {}, getattr(psycopg_errors, name)("server's words"))
    told = faults.told(error, "postgresql://host/db")
    assert (type(told) if told else None) is meaning
    if told is not None:
        assert told.exit_code == code
        assert "postgresql://host/db" in str(told)
        assert "server's words" not in str(told)


def test_a_lost_connection_stops_the_unit_and_not_the_next_one(postgres_url: str) -> None:
    """A restarted server: whoever was in a transaction is told to run again, the others notice nothing."""

    def cut(c: Connection) -> None:
        fill(c, pair, 3)
        own = c.execute(text("SELECT pg_backend_pid()")).scalar_one()
        killer.write(lambda other: other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own}))
        fill(c, pair, 3, first=10)

    with Database.open(postgres_url) as db, Database.open(postgres_url) as killer:
        pair = new_pair(db, "ann")
        with pytest.raises(Stopped, match=r"connection to .* was lost"):
            db.write(cut)
        db.write(lambda c: fill(c, pair, 2))
        assert counts(db, pair.folder).seen == 2


def test_an_error_shows_no_values(database: Database) -> None:
    """Addresses and servers' words stay out of tracebacks."""
    pair = new_pair(database, "ann")
    insert = text("INSERT INTO mailbox (id, source) VALUES (:id, :source)")
    with pytest.raises(Exception, match="hide_parameters") as caught:
        database.write(lambda c: c.execute(insert, {"id": pair.mailbox.id, "source": "secret@old.example"}))
    assert "secret" not in str(caught.value).replace("DETAIL", "").partition("[SQL")[2]
