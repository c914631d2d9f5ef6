"""Backs up, restores and moves run state: one SQLite file a plan, or one PostgreSQL database."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xdmigrate.errors import GuardRefused, StateUnusable, UsageError
from xdmigrate_state import locks, plans
from xdmigrate_state.copies import restored
from xdmigrate_state.database import Database, copy, scratch_copy

if TYPE_CHECKING:
    from xdmigrate.cli.home import Home

SECRETS = "secrets"
"""The encrypted stores, in a home and in a backup; the key is kept apart from both."""


def names(home: Home) -> list[str]:
    """The plans whose state is here. Raises StateUnusable when there is none."""
    if home.url:
        with Database.open(home.url, create=False) as db:
            found = [row.name for row in db.read(plans.every)]
    else:
        found = home.plans()
    if not found:
        raise StateUnusable(f"state: there is none at {home.folder}", remedy="name it with --state")
    return found


def back_up(home: Home, folder: Path) -> list[Path]:
    """Write every plan's state into a file of its own in `folder`, while runs go on. Never overwrites."""
    _make(folder)
    return [_write_file(home, name, folder / f"{name}.db") for name in names(home)] + _copy_secrets(home.folder, folder)


def _write_file(home: Home, name: str, path: Path) -> Path:
    """One plan's state as a new SQLite file."""
    with Database.open(home.database(name), create=False) as db:
        if home.url:
            with scratch_copy(db, name) as one:
                one.backup(path)
        else:
            db.backup(path)
    return path


def restore(folder: Path, home: Home, *, replace: bool) -> list[str]:
    """Bring back what `back_up` wrote. A state that is there is refused, or with `replace` put aside first."""
    files = sorted(folder.glob("*.db"))
    if not files:
        raise UsageError(f"{folder} holds no backup", remedy="name the folder that `state backup` wrote")
    for file in files:
        if home.url:
            _into_database(file, home.url)
        else:
            _restore_file(file, home, replace=replace)
    _copy_secrets(folder, home.folder)
    return [file.stem for file in files]


def _into_database(file: Path, url: str) -> None:
    with _brought_back(file) as older, Database.open(url) as target:
        copy(older, target)


def _restore_file(file: Path, home: Home, *, replace: bool) -> None:
    target = home.folder / file.name
    with locks.PlanLock(home.folder, file.stem):
        if target.exists():
            if not replace:
                raise GuardRefused(f"state: {target} exists already", remedy="to put it aside, run again with --yes")
            _put_aside(target)
        with _brought_back(file) as older:
            older.backup(target)


@contextmanager
def _brought_back(file: Path) -> Iterator[Database]:
    """The backup, marked as older than the target: what is there is matched before anything is sent."""
    with Database.open(file, create=False) as db, scratch_copy(db) as older:
        older.write(lambda c: restored(c, time.time()))
        yield older


def _put_aside(path: Path) -> None:
    """Keep what is replaced: a whole copy under another name, then its files go."""
    with Database.open(path, create=False) as db:
        db.backup(path.with_name(f"{path.name}.replaced-{int(time.time())}"))
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def move(home: Home, destination: str, plan: str) -> list[str]:
    """Copy the state of all plans, or of one, to a PostgreSQL database or a folder, while no run holds them."""
    found = names(home)
    if plan and plan not in found:
        raise UsageError(f"the state knows no plan {plan!r}", remedy=f"it knows: {', '.join(found)}")
    chosen = [plan] if plan else found
    for name in chosen:
        if "://" in destination and len(chosen) > 1:
            raise UsageError("a database takes one plan's file", remedy=f"name it with --plan: {', '.join(found)}")
        with _at_rest(home, name):
            _copy_one(home, name, destination)
    if "://" not in destination:
        _copy_secrets(home.folder, Path(destination))
    return chosen


def _copy_one(home: Home, name: str, destination: str) -> None:
    if "://" not in destination:
        _make(Path(destination))
        _write_file(home, name, Path(destination) / f"{name}.db")
        return
    with Database.open(home.database(name), create=False) as source, Database.open(destination) as target:
        copy(source, target)


@contextmanager
def _at_rest(home: Home, name: str) -> Iterator[None]:
    with Database.open(home.database(name), create=False) as db, locks.for_plan(db, home.folder, name):
        yield


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateUnusable(f"{folder} cannot be made: {error.strerror}", remedy="name another folder") from error


def _copy_secrets(source: Path, target: Path) -> list[Path]:
    """The encrypted stores go with the state; one that is there already stays."""
    copied: list[Path] = []
    for vault in sorted((source / SECRETS).glob("*.vault")):
        path = target / SECRETS / vault.name
        if not path.exists():
            _make(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            shutil.copyfile(vault, path)
            copied.append(path)
    return copied
