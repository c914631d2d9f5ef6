"""The demo, and a real process over embedded servers that is asked to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.unit.cli.conftest import Office
from xdmigrate.cli import showing
from xdmigrate.cli.call import Call, Globals
from xdmigrate.testing.pymap import PymapServer

pytest.importorskip("pymap", reason="pymap is not installed (xdmigrate[demo])")

MESSAGES = 300


def test_the_demo_kills_resumes_proves_and_cleans_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(office.home))
    told = office.run("demo", "--messages", str(MESSAGES), "--json")
    assert told.code == 0
    assert told.json["verdict"] == "pass"
    assert 0 < told.json["killed_at"] < MESSAGES
    assert not list(office.home.glob("xdmigrate-*"))


def test_sigterm_ends_a_run_at_a_checkpoint_and_the_same_command_resumes_it(
    office: Office, new_pymap: Callable[[dict[str, str]], PymapServer]
) -> None:
    accounts = {"ann@x.test": showing.PASSWORD, "bob@x.test": showing.PASSWORD}
    old, new = new_pymap(accounts), new_pymap(accounts)
    plan = showing._write_plan(office.home, old, new, accounts)
    showing._fill(old, list(accounts), MESSAGES)
    stage = showing.Stage(Call(Globals()), plan, office.home / "state", MESSAGES)
    environ = {**os.environ, showing.VARIABLE: showing.PASSWORD}
    process = subprocess.Popen(
        stage.command("sync", "--json"), env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        _wait(lambda: (stage.state / "demo.db").exists() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        stopped = json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
    assert stopped["exit"] in {0, 6}
    done = subprocess.run(stage.command("sync", "--json"), env=environ, capture_output=True, check=False, timeout=60)
    assert json.loads(done.stdout)["totals"]["mail"]["copied"] == MESSAGES
    verified = subprocess.run(
        stage.command("verify", "--full", "--json"), env=environ, capture_output=True, check=False
    )
    assert json.loads(verified.stdout)["verdict"] == "pass"


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
