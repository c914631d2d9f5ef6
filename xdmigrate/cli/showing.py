"""The demo: two embedded servers, a plan, a run that is killed and resumed, and the proof. Needs no root and no net."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from xdmigrate import registry
from xdmigrate.cli import log
from xdmigrate.cli.call import Call
from xdmigrate.contract import Intent
from xdmigrate.errors import Stopped, XdmigrateError
from xdmigrate.model import Endpoint, Head, Item, Login
from xdmigrate.report.status import plan_status
from xdmigrate.report.verdicts import Verdict
from xdmigrate.testing.bodies import BytesBody
from xdmigrate.testing.messages import PORTABLE_KINDS, samples
from xdmigrate.testing.pymap import PymapServer
from xdmigrate_state.database import Database

if TYPE_CHECKING:
    from xdmigrate.contract import Target

NAME = "demo"
PEOPLE = ("ann", "bob", "chloe", "dan", "eva", "finn", "gita", "hugo", "ines", "juri")
FOLDERS = (("INBOX",), ("Sent",), ("Projects", "2024"))
PASSWORD = "correct horse"  # noqa: S105 - of servers that live a minute on loopback
VARIABLE = "XDMIGRATE_DEMO_PASSWORD"
KILL_AT = 0.3
"""Part of the messages after which the run is killed."""

LIMIT_SECONDS = 300.0
LOOK_SECONDS = 0.02
PROGRAM = (sys.executable, "-c", "from xdmigrate.cli import main; main()")

PLAN = """\
version: 1
name: {name}
endpoints:
  old: {{connector: imap, host: {old.host}, port: {old.port}, tls: none, auth: {{password: "env:{variable}"}}}}
  new: {{connector: imap, host: {new.host}, port: {new.port}, tls: none, auth: {{password: "env:{variable}"}}}}
source: old
target: new
mailboxes:
{mailboxes}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays."""

    call: Call
    plan: Path
    state: Path
    messages: int

    def command(self, name: str, *options: str) -> list[str]:
        """The program as the user would run it."""
        return [*PROGRAM, name, str(self.plan), *options, "--state", str(self.state)]


def show(call: Call, messages: int, *, keep: bool) -> int:
    """Play it; returns the exit code of `verify`."""
    log.quiet()
    accounts = {f"{person}@demo.example": PASSWORD for person in PEOPLE}
    with ExitStack() as held:
        folder = Path(tempfile.mkdtemp(prefix="xdmigrate-demo-"))
        if not keep:
            held.callback(_remove, folder)
        old, new = (held.enter_context(PymapServer(accounts)) for _side in ("old", "new"))
        stage = Stage(call, _write_plan(folder, old, new, accounts), folder / "state", messages)
        call.say(f"two mail servers run on {old.host}, ports {old.port} and {new.port}")
        _fill(old, list(accounts), messages)
        call.say(f"the old one holds {messages:,} messages in {len(accounts)} mailboxes; the plan is {stage.plan}")
        code = _play(stage)
        if keep:
            call.say(f"everything is kept in {folder}; the servers end now")
        return code


def _write_plan(folder: Path, old: PymapServer, new: PymapServer, accounts: dict[str, str]) -> Path:
    mailboxes = "\n".join(f"  - {{source: {account}}}" for account in accounts)
    path = folder / f"{NAME}.yaml"
    path.write_text(PLAN.format(name=NAME, old=old, new=new, variable=VARIABLE, mailboxes=mailboxes), "utf-8")
    return path


def _fill(server: PymapServer, accounts: list[str], messages: int) -> None:
    """Put generated messages into every account, folder by folder."""
    endpoint = Endpoint("old", "imap", {"host": server.host, "port": server.port, "tls": "none"})
    share = -(-messages // len(accounts))
    for number, account in enumerate(accounts):
        count = min(share, messages - number * share)
        if count > 0:
            target = registry.load("imap").target(endpoint, Login(account, account, PASSWORD))
            try:
                _fill_account(target, number, count)
            finally:
                target.close()


def _fill_account(target: Target, seed: int, count: int) -> None:
    items = [
        Item(Head(b"", len(sample.raw), sample.flags, sample.date), BytesBody(sample.raw))
        for sample in samples(seed, count, list(PORTABLE_KINDS))
    ]
    for place, path in enumerate(FOLDERS):
        mine = items[place :: len(FOLDERS)]
        folder = target.create_folder(path)
        with target.writer(folder, Intent(place, len(mine), sum(item.body.size for item in mine))) as writer:
            for ticket, item in enumerate(mine):
                writer.put(ticket, item)


def _play(stage: Stage) -> int:
    call, environ = stage.call, {**os.environ, VARIABLE: PASSWORD}
    quiet = subprocess.DEVNULL if call.options.json else None
    call.say("", f"$ xdmigrate sync {stage.plan}")
    killed_at = _killed_run(stage, environ)
    call.say(
        f"killed by SIGKILL after {killed_at:,} messages were on record",
        "",
        "$ xdmigrate sync  # the same command again",
    )
    subprocess.run(stage.command("sync"), env=environ, stdout=quiet, check=False, timeout=LIMIT_SECONDS)
    call.say("", "$ xdmigrate verify --full")
    code = subprocess.run(
        stage.command("verify", "--full"), env=environ, stdout=quiet, check=False, timeout=LIMIT_SECONDS
    ).returncode
    verdict = Verdict.FAIL if code else Verdict.PASS
    call.facts = {"messages": stage.messages, "killed_at": killed_at, "verdict": verdict.value}
    call.say(
        "every message is there byte for byte, once"
        if verdict is Verdict.PASS
        else "the result differs from the source"
    )
    return code


def _killed_run(stage: Stage, environ: dict[str, str]) -> int:
    """Start a run and kill it midway; returns how many messages were on record then."""
    process = subprocess.Popen(stage.command("sync"), env=environ, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            copied = _copied(stage)
            if copied >= KILL_AT * stage.messages:
                return copied
            time.sleep(LOOK_SECONDS)
        raise Stopped("the run of the demo ended before it could be killed", remedy="try it with more --messages")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _copied(stage: Stage) -> int:
    """What the state has on record; 0 while there is none."""
    try:
        with Database.open(stage.state / f"{NAME}.db", create=False) as db:
            return db.read(lambda c: plan_status(c, NAME, time.time())).total.copied
    except XdmigrateError:
        return 0


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(cast("str", folder), ignore_errors=True)
