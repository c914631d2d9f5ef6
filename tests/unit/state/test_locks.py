"""Locks between processes. What a death does to them stands in test_death."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdmigrate.errors import PlanHeld, StateUnusable
from xdmigrate_state import locks
from xdmigrate_state.database import Database


def test_a_plan_is_held_once(database: Database, tmp_path: Path) -> None:
    with locks.for_plan(database, tmp_path, "contoso"):
        with pytest.raises(PlanHeld, match="another run holds this plan: pid"):
            locks.for_plan(database, tmp_path, "contoso").__enter__()
        with locks.for_plan(database, tmp_path, "fabrikam"):
            pass
    with locks.for_plan(database, tmp_path, "contoso"):
        pass


def test_a_target_mailbox_is_held_once(database: Database, tmp_path: Path) -> None:
    with locks.for_target(database, tmp_path, "imap://new", "ann@new.example"):
        with pytest.raises(PlanHeld, match=r"holds the target mailbox ann@new\.example"):
            locks.for_target(database, tmp_path, "imap://new", "ann@new.example").__enter__()
        with locks.for_target(database, tmp_path, "imap://other", "ann@new.example"):
            pass


def test_an_error_inside_frees_the_lock(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError), locks.for_plan(database, tmp_path, "contoso"):
        raise ArithmeticError
    with locks.for_plan(database, tmp_path, "contoso"):
        pass


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "x" * 500, "\0"])
def test_no_name_leaves_the_directory(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    with locks.PlanLock(home, name), locks.TargetLock(home, name, name):
        assert len(list((home / "locks").iterdir())) == 2
    assert [path.stat().st_mode & 0o777 for path in (home, home / "locks")] == [0o700, 0o700]


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "locks").touch()
    with pytest.raises(StateUnusable, match="cannot open the lock"):
        locks.PlanLock(tmp_path, "contoso").__enter__()
