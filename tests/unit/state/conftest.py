"""Every test of the state runs on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.postgres import Postgres
from tests.unit.state.sample import Pair, new_pair
from xdmigrate_state.database import Database
from xdmigrate_state.tables import metadata

BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.live))


@pytest.fixture(params=BOTH)
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new state can be opened, again and again."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return str(tmp_path / "state.db")


@pytest.fixture(params=BOTH)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A state that holds nothing; PostgreSQL's is made once, for making its hundred tables takes longer than a test."""
    if request.param == "sqlite":
        yield str(tmp_path / "state.db")
    else:
        url = request.getfixturevalue("shared_state")
        yield url
        empty(url)


@pytest.fixture(scope="session")
def shared_state(postgres_cluster: Postgres) -> str:
    """The URL of a state that the tests of this process use one after the other."""
    url = postgres_cluster.create_database()
    Database.open(url).close()
    return url


def empty(url: str) -> None:
    """Remove every row, and whoever is still connected; ids begin anew."""
    import psycopg

    others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
    sequences = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
    with psycopg.connect(url) as c:
        c.execute(f"{others} AND pid <> pg_backend_pid()")
        c.execute("SET session_replication_role = replica")  # in any order
        for table in metadata.tables:
            c.execute(f'DELETE FROM "{table}"')
        for (name,) in c.execute(sequences).fetchall():
            c.execute(f'ALTER SEQUENCE "{name}" RESTART')


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    with Database.open(address) as db:
        yield db


@pytest.fixture
def pair(database: Database) -> Pair:
    """A plan with one mailbox, a folder of it, and the place that the folder goes to."""
    return new_pair(database, "ann")
