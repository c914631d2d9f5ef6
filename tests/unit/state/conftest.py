"""Every test of the state runs on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.state.sample import Pair, new_pair
from xdmigrate_state.database import Database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new state can be opened, again and again."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return str(tmp_path / "state.db")


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    with Database.open(address) as db:
        yield db


@pytest.fixture
def pair(database: Database) -> Pair:
    """A plan with one mailbox, a folder of it, and the place that the folder goes to."""
    return new_pair(database, "ann")
