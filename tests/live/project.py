"""A migration job as a technician has it: a plan file, a state of its own, and the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.live.cyrus import Cyrus
from tests.live.dovecot import Dovecot
from tests.live.starting import Process, start
from xdmigrate.report.status import plan_status
from xdmigrate.testing.pymap import PymapServer
from xdmigrate_state import intents, mailboxes, plans
from xdmigrate_state.database import Database

PROGRAM = Path(sys.executable).with_name("xdmigrate")
SECONDS = 600.0
"""Longest that a command may take before the test fails."""

Values = dict[str, Any]
Server = Dovecot | Cyrus | PymapServer


class Answer(NamedTuple):
    """How a command ended and what it told."""

    exit: int
    out: str
    err: str

    @property
    def facts(self) -> Values:
        """The one JSON object on stdout."""
        told: Values = json.loads(self.out)
        return told

    @property
    def codes(self) -> list[str]:
        """The codes of the errors it told."""
        return [error["code"] for error in self.facts["errors"]]


@dataclass(frozen=True, slots=True)
class Running:
    """A command under way; `finish` must be called, or `kill`."""

    process: Process

    def finish(self, seconds: float = SECONDS) -> Answer:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode is not None
        return Answer(self.process.returncode, out, err)

    def ask(self, how: signal.Signals) -> Answer:
        """Send a signal and wait for its end."""
        self.process.send_signal(how)
        return self.finish(60)

    def kill(self) -> Answer:
        """kill -9; whatever it was doing, it does no more."""
        return self.ask(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None


class Project:
    """One plan in a folder of its own. Edit `plan`, then `save`; `run` gives a command its plan, state and --json."""

    def __init__(self, folder: Path, old: Values, new: Values, users: Iterable[str | Values], **sections: Any) -> None:
        self.folder = folder
        self.state = str(folder / "state")
        self.file = folder / "job.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        listed = [{"source": user} if isinstance(user, str) else user for user in users]
        systems = {"old": old, "new": new}
        self.plan: Values = {"version": 1, "name": "job", "endpoints": systems, "source": "old", "target": "new"}
        self.plan |= {"mailboxes": listed, **sections}
        self.save()

    def save(self) -> None:
        """Write the plan file."""
        self.file.write_text(yaml.safe_dump(self.plan, sort_keys=False, allow_unicode=True), "utf-8")

    # --- commands -------------------------------------------------------------------------------------------------

    def run(self, command: str, *words: str, text: bool = False) -> Answer:
        """Run `xdmigrate COMMAND PLAN WORDS…` to its end; as JSON unless `text` for people is wanted."""
        return self.start(command, *words, text=text).finish()

    def start(self, command: str, *words: str, text: bool = False, patch: str = "") -> Running:
        """As `run`, without waiting; `patch` is executed in the process before the program begins."""
        told = ["--state", self.state, *([] if text else ["--json"]), command, str(self.file), *words]
        return Running(start([str(PROGRAM), *told], self.environment(), self.folder, patch=patch))

    def environment(self) -> dict[str, str]:
        """Of a machine without keyring, configuration and earlier runs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDMIGRATE_", "XDG_"))}
        nowhere = "keyring.backends.fail.Keyring"
        return {**kept, "HOME": str(self.folder / "home"), "PYTHON_KEYRING_BACKEND": nowhere}

    @contextmanager
    def running(self, command: str, *words: str) -> Iterator[Running]:
        """A command that is killed at the end of the block if it still runs."""
        started = self.start(command, *words)
        try:
            yield started
        finally:
            if started.running:
                started.process.send_signal(signal.SIGKILL)
            with suppress(ValueError):  # its end was read already
                started.process.communicate()

    # --- the state, beside any run ----------------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        """The SQLite file of the plan."""
        return Path(self.state) / f"{self.plan['name']}.db"

    def writing(self) -> bool:
        """Whether a range is under way at this moment; a look that leaves nothing behind, beside a run."""
        counted = "SELECT count(*) FROM intent"
        if "://" in self.state:
            import psycopg

            with suppress(psycopg.Error), psycopg.connect(self.state) as server:
                return server.execute(counted).fetchall() > [(0,)]
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as state:
            return bool(state.execute(counted).fetchone()[0])
        return False  # the run is still making its state

    @contextmanager
    def watched(self) -> Iterator[Callable[[], dict[str, Values]]]:
        """What `status` tells, mailboxes by their source, as often as one likes beside a run that has begun."""
        with Database.open(self.database, create=False) as db:

            def look() -> dict[str, Values]:
                told = db.read(lambda c: plan_status(c, self.plan["name"], time.time()))
                found: dict[str, Values] = {box.source: json.loads(json.dumps(box.to_json())) for box in told.mailboxes}
                return found

            yield look

    def log(self) -> list[Values]:
        """What the runs so far have logged."""
        files = sorted((Path(self.state) / "logs" / self.plan["name"]).iterdir())
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]

    def snapshot(self, folder: Path) -> Path:
        """The state's file as a process left it that does not run any more, copied without opening it."""
        folder.mkdir()
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{self.database}{suffix}", folder / f"{self.database.name}{suffix}")
        return folder / self.database.name

    def counts(self) -> dict[str, int]:
        """The mail totals of `status`."""
        answer = self.run("status")
        assert answer.exit == 0, answer
        totals: dict[str, int] = answer.facts["totals"]["mail"]
        return totals


def open_ranges(state: str | Path, plan: str = "job") -> int:
    """How many ranges of a plan were begun whose outcome is not recorded, in a state that no process holds."""
    with Database.open(state, create=False) as db:
        row = db.read(lambda c: plans.find(c, plan))
        boxes = db.read(lambda c: mailboxes.all(c, row.id)) if row else []
        return sum(len(db.read(partial(intents.of_mailbox, mailbox_id=box.id))) for box in boxes)


# --- parts of a plan ----------------------------------------------------------------------------------------------


def endpoint(server: Server, folder: Path, *, password: str = "secret", **settings: Any) -> Values:
    """A server as an endpoint, in plain text on loopback unless `tls` says otherwise.

    Further settings are the plan's own; `auth` is merged with the reference to the password, which lies in a file.
    """
    auth = {"password": f"file:{secret_file(folder, password)}", **settings.pop("auth", {})}
    chosen: Values = {"connector": "imap", "host": server.host, "port": server.port, "tls": "none", **settings}
    if isinstance(server, Dovecot) and chosen["tls"] != "none":
        chosen["ca"] = str(server.ca)
        chosen["port"] = server.tls_port if chosen["tls"] == "implicit" else server.port
    return {**chosen, "auth": auth}


def secret_file(folder: Path, secret: str) -> Path:
    """A file that holds this secret, readable by us alone."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.glob('*.pw')))}.pw"
    path.touch(0o600)
    path.write_text(secret + "\n", "utf-8")
    return path


def between(old: Server, new: Server, folder: Path, *users: str | Values, **sections: Any) -> Project:
    """A plan that moves these users from one server to the other, all by password and without TLS."""
    return Project(folder, endpoint(old, folder), endpoint(new, folder), users, **sections)


def deliver(server: Dovecot, user: str, raw: bytes, name: str = "1") -> None:
    """Put a message into an INBOX kept as Maildir, around the server's own checks, as a broken delivery would."""
    folder = server.home(user) / "mail"
    path = folder / "new" / f"1600000000.{name}.test"
    path.write_bytes(raw)
    os.chown(path, folder.stat().st_uid, folder.stat().st_gid)


# --- what has to hold -------------------------------------------------------------------------------------------


def closed(counts: Mapping[str, int]) -> bool:
    """Whether every item seen has exactly one outcome."""
    outcomes = ("copied", "present", "merged", "filtered", "failed", "pending")
    return counts["source"] == sum(counts[name] for name in outcomes)


def within(seconds: float, holds: Callable[[], object], *, pause: float = 0.02) -> bool:
    """Whether it comes to hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
