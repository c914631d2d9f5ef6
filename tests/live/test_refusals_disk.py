"""A disk that is full or cannot be written: exit 6 or 2 with the place named; the same command completes afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.process import program
from tests.live.project import Project, between
from tests.live.reader import contents, dump, load
from tests.live.refusals import HURRY, assert_healthy, assert_verified, error, line, mails, run_patched

Accounts = Callable[[], str]
Disk = Callable[[str], None]

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({octets}, {octets}))
"""
"""No file of this process becomes larger: what a full disk is to a process without the right to mount one."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Disk]]:
    """A small file system and a way to mount it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = program("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=700k", "xdmigrate-test", str(place)]
    if mount is None or os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not allowed (it needs root)")
    yield place, lambda options: _remount(mount, place, options)
    subprocess.run([program("umount") or "umount", "-l", str(place)], check=True)


def _remount(mount: str, place: Path, options: str) -> None:
    subprocess.run([mount, "-o", f"remount,{options}", str(place)], check=True)


@pytest.fixture
def project(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> Project:
    """A mailbox whose ledger needs more than the small disk."""
    user = new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": mails(6000, size=40)})
    return between(dovecot_pair.old, dovecot_pair.new, tmp_path, user)


def assert_once(project: Project, pair: Pair) -> None:
    """Both sides hold the same messages, each as often."""
    user = project.plan["mailboxes"][0]["source"]
    old, new = (contents(dump(*server.access(user)))["INBOX"] for server in pair)
    assert old == new


def test_a_full_disk_under_the_state(project: Project, dovecot_pair: Pair, disk: tuple[Path, Disk]) -> None:
    place, remount = disk
    project.state = str(place / "state")
    told = error(project.run("sync"), 6, "state-full")
    assert str(project.database) in told["message"]
    assert "free space" in told["remedy"]
    assert "disk" in line(project.run("sync", text=True), 6)
    remount("size=32m")
    assert_healthy(project)
    assert_once(project, dovecot_pair)


def test_no_room_for_the_state_at_all(project: Project, disk: tuple[Path, Disk]) -> None:
    place, remount = disk
    project.state = str(place / "state")
    (place / "filler").write_bytes(b"x" * 700_000)
    told = error(project.run("sync"), 6, "state-full")
    assert "free space" in told["remedy"]
    (place / "filler").unlink()
    remount("size=32m")
    assert project.run("sync").exit == 0


def test_a_limit_of_file_sizes_is_a_full_disk(project: Project, dovecot_pair: Pair) -> None:
    told = error(run_patched(project, LIMITED.format(octets=400_000), "sync"), 6, "state-full")
    assert str(project.database) in told["message"]
    assert_healthy(project)
    assert_once(project, dovecot_pair)


def test_a_state_that_cannot_be_written(project: Project, disk: tuple[Path, Disk]) -> None:
    place, remount = disk
    project.state = str(place / "state")
    remount("ro")
    told = error(project.run("sync"), 2, "state-unusable")
    assert str(place) in told["message"]
    assert told["remedy"]
    remount("rw,size=32m")
    assert project.run("sync").exit == 0
    remount("ro")
    told = error(project.run("sync"), 2, "state-unusable")
    assert str(place) in told["message"]
    remount("rw")
    assert_healthy(project)


def test_a_file_where_the_state_should_be(project: Project) -> None:
    Path(project.state).write_text("not a folder")
    told = error(project.run("sync"), 2, "state-unusable")
    assert project.state in told["message"]
    assert told["remedy"]
    assert line(project.run("check", text=True), 2)


def test_a_state_that_is_no_database(project: Project) -> None:
    project.database.parent.mkdir()
    project.database.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    told = error(project.run("sync"), 2, "state-unusable")
    assert str(project.database) in told["message"]
    assert "backup" in told["remedy"]


def test_no_room_to_spool_large_messages(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, disk: tuple[Path, Disk]
) -> None:
    """Large bodies wait on the disk for temporary files: when that one is full, no message is lost for it."""
    user, other = new_user(), new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": mails(2, size=6_000_000)})
    load(*dovecot_pair.old.access(other), {"INBOX": mails(2)})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user, other)
    patch = f"import tempfile\ntempfile.tempdir = {str(disk[0])!r}\n"
    told = error(run_patched(project, HURRY + patch, "sync"), 6, "state-full")
    assert str(disk[0]) in told["message"]
    assert told["remedy"]
    assert project.counts()["failed"] == 0
    assert_healthy(project)
    assert_verified(project)
