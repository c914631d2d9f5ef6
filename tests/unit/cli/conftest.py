"""A plan over two memory servers of the test's own, and the program as a user runs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from xdmigrate.cli.app import app
from xdmigrate.testing.memory import INBOX, MemoryServer

NUMBERS = count()
PASSWORD = "right-password"
PEOPLE = ("ann@x.test", "bob@x.test", "eve@x.test")

PLAN = """\
version: 1
name: office
customer: {{name: Office, timezone: Europe/London}}
endpoints:
  old: {{connector: memory, server: {old}, auth: {{user: "{{address}}", password: "env:OFFICE_PASSWORD"}}}}
  new: {{connector: memory, server: {new}, auth: {{user: "{{address}}", password: "env:OFFICE_PASSWORD"}}}}
source: old
target: new
mailboxes:
  - {{source: ann@x.test, wave: pilot}}
  - {{source: bob@x.test}}
  - {{source: eve@x.test}}
"""


@dataclass(frozen=True)
class Told:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.stdout)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors in the object."""
        return [error["code"] for error in self.json["errors"]]


class Office:
    """Three people, two servers, one plan."""

    def __init__(self, home: Path) -> None:
        number = next(NUMBERS)
        self.old, self.new = MemoryServer(f"old{number}"), MemoryServer(f"new{number}")
        for name in PEOPLE:
            self.new.add_account(name, PASSWORD)
            account = self.old.add_account(name, PASSWORD)
            for letter in range(4):
                account.deliver(INBOX, b"Subject: %d\r\n\r\nto %s\r\n" % (letter, name.encode()))
        self.home = home
        self.plan = home / "plans" / "office.yaml"
        self.plan.parent.mkdir()
        self.text = PLAN.format(old=self.old.name, new=self.new.name)
        self.plan.write_text(self.text)

    @property
    def state(self) -> Path:
        """The plan's state file, where it is by default."""
        return self.home / "state" / "var" / "office.db"

    def run(self, *args: str, input: str | None = None) -> Told:  # noqa: A002 - the runner's word
        """Run the program; PLAN stands for the plan file."""
        told = [str(self.plan) if arg == "PLAN" else arg for arg in args]
        result = CliRunner().invoke(app, told, input=input, catch_exceptions=False)
        return Told(result.exit_code, result.stdout, result.stderr)

    def edit(self, before: str, after: str) -> None:
        """Edit the plan file."""
        assert before in self.plan.read_text()
        self.plan.write_text(self.plan.read_text().replace(before, after))

    def inbox(self, name: str) -> list[bytes]:
        """What the target holds."""
        return list(self.new.account(name).contents(INBOX))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("OFFICE_PASSWORD", PASSWORD)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("XDMIGRATE_STATE", raising=False)
    monkeypatch.delenv("XDMIGRATE_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Office(tmp_path)
    structlog.reset_defaults()
    for handler in list(logging.getLogger("xdmigrate").handlers):
        logging.getLogger("xdmigrate").removeHandler(handler)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off without waiting for it."""
    from xdmigrate.cli import compose
    from xdmigrate.engine import advance
    from xdmigrate.jobs import reaching

    monkeypatch.setattr(advance, "BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr(reaching, "BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr(compose, "FIRST_WAIT", 0.01)
