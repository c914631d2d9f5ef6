"""Death and full disks: what was acknowledged is there, and the state opens again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.unit.state.sample import counts, fill, new_pair, uid
from xdmigrate.errors import PlanHeld, StateFull
from xdmigrate_state import folders, ledger, locks
from xdmigrate_state.database import Database
from xdmigrate_state.rows import NewItem

ROOT = Path(__file__).parents[3]

WRITE_FOREVER = """
import sys
from tests.unit.state.sample import NOW, copied, fill, new_pair
from xdmigrate_state import ledger
from xdmigrate_state.database import Database
db = Database.open(sys.argv[1])
pair = new_pair(db, "ann", plan="killed")
for number in range(1, 1_000_000, 10):
    db.submit(lambda c: fill(c, pair, 10, first=number))
    settled = [copied(pair, n, n) for n in range(number, number + 10)]
    db.submit(lambda c: ledger.settle(c, pair.folder, settled, NOW)).result()
    print(pair.folder.id, number + 9, flush=True)
"""

HOLD = """
import sys
from pathlib import Path
from xdmigrate_state import locks
from xdmigrate_state.database import Database
with Database.open(sys.argv[1]) as db, locks.for_plan(db, Path(sys.argv[2]), "contoso"):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    return iter(process.stdout)


def test_kill_9_loses_nothing_acknowledged(address: str) -> None:
    acknowledged = 0
    with start(WRITE_FOREVER, address) as process:
        for line in lines(process):
            folder_id, acknowledged = map(int, line.split())
            if acknowledged >= 200:
                process.kill()
                break
        rest = [int(line.split()[1]) for line in lines(process) if line.endswith("\n")]
    acknowledged = max([acknowledged, *rest])
    assert process.returncode == -signal.SIGKILL
    with Database.open(address, create=False) as db:
        folder = db.read(lambda c: folders.get(c, folder_id))
        found = counts(db, folder)
        assert found.copied >= acknowledged
        assert found.copied % 10 == 0, "a range is committed whole or not at all"
        copied_ids = [row.source_id for row in db.read(lambda c: ledger.scan(c, folder, limit=acknowledged))]
        assert len(copied_ids) == acknowledged


def test_a_second_run_is_refused_until_the_first_one_is_killed(
    address: str, database: Database, tmp_path: Path
) -> None:
    with start(HOLD, address, str(tmp_path)) as process:
        assert next(lines(process)) == "held\n"
        with pytest.raises(PlanHeld, match=f"another run holds this plan: pid {process.pid} .*since 20"):
            locks.for_plan(database, tmp_path, "contoso").__enter__()
        with locks.for_plan(database, tmp_path, "fabrikam"):
            pass
        process.kill()
        process.wait()
    enter_within(database, tmp_path, seconds=10)


def enter_within(database: Database, home: Path, *, seconds: float) -> None:
    """The kernel frees a file lock at once; a PostgreSQL server has to notice that its client is gone."""
    until = time.monotonic() + seconds
    while True:
        try:
            with locks.for_plan(database, home, "contoso"):
                return
        except PlanHeld:
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system needs root and mount")
    disk = tmp_path / "small"
    disk.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounting.returncode:
        pytest.skip("mount is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_stops_and_keeps_the_state(small_disk: Path) -> None:
    with Database.open(small_disk / "state.db") as db:
        pair = new_pair(db, "ann")
        kept = write_until_full(db, pair.folder.id)
        assert counts(db, pair.folder).seen == kept, "reading goes on, and nothing half-written is there"
        subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
        db.write(lambda c: fill(c, pair, 2000, first=1_000_001))  # of a group, later units may have got through
        assert counts(db, pair.folder).seen == kept + 2000, "the same process goes on when there is space"
    with Database.open(small_disk / "state.db", create=False) as again:
        assert counts(again, pair.folder).seen == kept + 2000


def test_opening_on_a_full_disk_is_told(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(bytes(4_000_000))
    with pytest.raises(StateFull, match=r"state: .*state\.db.*; free space and run again"):
        Database.open(small_disk / "state.db")
    (small_disk / "filler").unlink()
    with Database.open(small_disk / "state.db") as db:
        assert db.new, "what the full disk left behind is made whole"


def write_until_full(db: Database, folder_id: int) -> int:
    """Several units wait at once, so that a whole group meets the full disk. Returns how many rows are there then."""
    folder, acknowledged = db.read(lambda c: folders.get(c, folder_id)), 0
    for first in range(1, 1_000_000, 2000):
        rows = [[NewItem(uid(n), n) for n in range(at, at + 500)] for at in range(first, first + 2000, 500)]
        futures = [db.submit(partial(ledger.add, folder=folder, rows=new)) for new in rows]
        errors = [future.exception(60) for future in futures]
        if any(errors):
            assert all(isinstance(error, StateFull) for error in errors if error)
            assert "disk full" in str(next(filter(None, errors)))
            seen = db.read(lambda c: ledger.recount(c, folder_id)).seen
            assert seen >= acknowledged
            return seen
        acknowledged += 2000
    raise AssertionError("the disk never became full")


LIMITED = """
import resource, signal, sys
from tests.unit.state import test_death
from tests.unit.state.sample import new_pair
from xdmigrate_state.database import Database
with Database.open(sys.argv[1]) as db:
    pair = new_pair(db, "ann")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    print(pair.folder.id, test_death.write_until_full(db, pair.folder.id), flush=True)
"""


def test_a_file_size_limit_is_told_as_a_full_disk(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with start(LIMITED, str(state)) as process:
        folder_id, kept = map(int, next(lines(process)).split())
    assert process.returncode == 0
    with Database.open(state, create=False) as db:
        assert counts(db, db.read(lambda c: folders.get(c, folder_id))).seen == kept
        assert db.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
