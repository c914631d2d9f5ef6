"""Where words and files cannot be put: the run goes on, and says in one line what could not be written."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import CAPABILITIES, Settings
from tests.live.project import PROGRAM, Project, between
from tests.live.reader import load, native
from tests.live.refusals import assert_harmless, errors, lines, mails

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]


@pytest.fixture
def project(dovecot_pair: Pair, new_dovecot: Server, new_user: Accounts, tmp_path: Path) -> Project:
    """A mailbox with a folder beyond ASCII and a message that the target does not take."""
    user = new_user()
    load(*dovecot_pair.old.access(user), {native("台北 📁"): [*mails(3), *mails(1, "large", size=5000)]})
    new = new_dovecot(Settings(capabilities=(*CAPABILITIES, "APPENDLIMIT=1000")))
    return between(dovecot_pair.old, new, tmp_path, user)


def shell(project: Project, command: str, **environment: str) -> tuple[int, str]:
    """Run a line of bash in which `xdm` stands for the program with its state; its exit code and stderr."""
    program = f"{shlex.quote(str(PROGRAM))} --state {shlex.quote(project.state)}"
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command.replace('xdm', program)}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**project.environment(), **environment},
        cwd=project.folder,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("options", ["", "--json"])
def test_an_output_that_is_full_stops_no_run(project: Project, options: str) -> None:
    code, told = shell(project, f"xdm {options} sync job.yaml > /dev/full")
    assert code == 6
    assert "No space left" in told.splitlines()[-1]
    assert project.counts()["copied"] == 3, "every word is lost, and no message"


def test_an_output_that_is_closed_or_narrow(project: Project) -> None:
    assert shell(project, "xdm sync job.yaml >&-")[0] == 3
    assert shell(project, "xdm sync job.yaml 2>&-")[0] == 3
    assert shell(project, "xdm quarantine job.yaml list >&- 2>&-") == (0, "")
    assert shell(project, "xdm quarantine job.yaml list", PYTHONIOENCODING="ascii") == (0, "")


def test_a_reader_that_leaves_early(project: Project) -> None:
    assert shell(project, "xdm sync job.yaml | true")[0] == 3
    assert project.counts()["copied"] == 3
    assert shell(project, "xdm journal job.yaml show | head -c 1 > /dev/null") == (0, "")


def test_an_export_to_where_nothing_can_be_written(project: Project, tmp_path: Path) -> None:
    """A link in place of a file is not followed, whoever put it there."""
    assert project.run("sync").exit == 3
    assert project.run("quarantine", "list").facts["items"]
    place, victim = tmp_path / "exported", tmp_path / "victim"
    place.mkdir()
    (place / "quarantine.csv").symlink_to(victim)
    for directory in (place, Path("/proc/self/task"), project.file):
        for told in errors(project.run("quarantine", "export", str(directory)), 2):
            assert str(directory) in told["message"]
            assert told["remedy"]
    assert not victim.exists()
    answer = project.run("quarantine", "export", str(tmp_path / "new"), text=True)
    assert lines(answer, 0) == []
    assert_harmless(answer)
