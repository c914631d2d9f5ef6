"""The program as a whole: start-up, global options, usage errors, signals, bugs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.unit.cli.conftest import Office
from xdmigrate.cli.call import Call, Globals
from xdmigrate.cli.command import perform
from xdmigrate.cli.stopping import SIGNALS, stop_on_signals

HEAVY = ("sqlalchemy", "pydantic", "alembic", "cryptography", "imapclient", "rich", "structlog", "yaml", "keyring")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom xdmigrate.cli import main\nsys.argv = ['xdmigrate', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: xdmigrate" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "args", [("--json", "status", "PLAN"), ("status", "--json", "PLAN"), ("status", "PLAN", "--json")]
)
def test_global_options_stand_before_or_behind_the_command(office: Office, args: tuple[str, ...]) -> None:
    office.run("sync", "PLAN")
    assert office.run(*args).json["plan"] == "office"


@pytest.mark.parametrize(
    "args",
    [
        ("--state", "there", "journal", "PLAN", "verify", "--json"),
        ("journal", "--state", "there", "PLAN", "verify", "--json"),
        ("journal", "PLAN", "verify", "--json", "--state", "there"),
        ("--json", "journal", "verify", "PLAN", "--state=there"),
    ],
)
def test_global_options_reach_commands_of_a_group(office: Office, args: tuple[str, ...]) -> None:
    office.run("sync", "PLAN", "--state", "there")
    assert office.run(*args).json["breaks"] == []


def test_state_comes_from_the_environment(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDMIGRATE_STATE", "there")
    office.run("sync", "PLAN")
    assert (office.home / "there" / "office.db").is_file()
    assert not office.state.exists()


@pytest.mark.parametrize("args", [("--state", "here", "sync", "PLAN"), ("sync", "PLAN", "--state", "here")])
def test_an_option_wins_over_the_environment(
    office: Office, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.setenv("XDMIGRATE_STATE", "there")
    assert office.run(*args).code == 0
    assert (office.home / "here" / "office.db").is_file()
    assert not (office.home / "there").exists()


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("sync",),
        ("sync", "PLAN", "--nonsense"),
        ("verify", "PLAN", "--sample", "many"),
        ("journal", "PLAN"),
    ],
)
def test_usage_errors_are_one_line_or_one_object(office: Office, args: tuple[str, ...]) -> None:
    told = office.run(*args)
    assert told.code == 2
    if args != ("journal", "PLAN"):
        assert len(told.stderr.splitlines()) == 1
        assert told.stderr.startswith("xdmigrate: ")
        machine = office.run(*args, "--json")
        assert (machine.code, machine.json["exit"], machine.codes) == (2, 2, ["usage"])


def test_an_unexpected_exception_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_call: Call) -> int:
        raise ZeroDivisionError("the subject of a mail")

    assert perform(work, Globals(json=True), {}) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["errors"][0]["code"] == "internal"
    assert "the subject" not in told.out + told.err


def test_an_interrupted_command_is_exit_6(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_call: Call) -> int:
        raise KeyboardInterrupt

    assert perform(work, Globals(), {}) == 6
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_to_stop_and_a_second_one_asks_the_same(number: signal.Signals) -> None:
    stop = threading.Event()
    before = signal.getsignal(number)
    with stop_on_signals(stop):
        for _again in range(2):
            os.kill(os.getpid(), number)
            assert stop.wait(5)
    assert signal.getsignal(number) is before


def test_words_from_outside_cannot_move_the_cursor(office: Office) -> None:
    told = office.run("sync", "no\x1b[2Jplan")
    assert told.code == 2
    assert "\x1b" not in told.stdout + told.stderr
