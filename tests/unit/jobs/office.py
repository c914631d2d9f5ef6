"""A plan over two memory servers, run by the thread runner."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from xdmigrate.contract import Source, Target
from xdmigrate.engine.context import Context, Leg, Policy, Progress, StopClock
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import LoginRejected
from xdmigrate.jobs.due import Wish
from xdmigrate.jobs.requests import Ask
from xdmigrate.jobs.run import RunResult
from xdmigrate.jobs.secrets import Secrets
from xdmigrate.jobs.threads import Runner
from xdmigrate.model import Kind, Login
from xdmigrate.testing.memory import INBOX, MemoryServer
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.testing.memory.target import MemoryTarget
from xdmigrate_state import mailboxes, plans, requests
from xdmigrate_state.database import Database
from xdmigrate_state.rows import MailboxRow, MailboxSpec

PASSWORD = "right"


def nothing(_mailbox: MailboxRow) -> None:
    """What happens when a session is opened, unless a test says otherwise."""


class Office:
    """People with mail on `old`, moving to `new`."""

    def __init__(self, home: Path, people: int = 3, messages: int = 5) -> None:
        self.db = Database.open(home / "office.db")
        self.old, self.new = MemoryServer(), MemoryServer()
        self.passwords = {f"user{number}@x.test": PASSWORD for number in range(1, people + 1)}
        for name in self.passwords:
            self.new.add_account(name, PASSWORD)
            account = self.old.add_account(name, PASSWORD)
            for number in range(messages):
                account.deliver(INBOX, b"Subject: %d\r\n\r\nto %s\r\n" % (number, name.encode()))
        row = self.db.write(lambda c: plans.save(c, "office", home / "office.yaml", "0", {}, time.time()))
        self.plan_id = row.id
        self.lists([MailboxSpec(name, name, system="memory://new") for name in self.passwords])
        self.stop = threading.Event()
        self.opened: Callable[[MailboxRow], None] = nothing
        self.progress: Callable[[Progress], None] = lambda _progress: None

    def lists(self, specs: list[MailboxSpec]) -> None:
        self.db.write(lambda c: mailboxes.upsert(c, self.plan_id, specs))

    def rows(self) -> list[MailboxRow]:
        return self.db.read(lambda c: mailboxes.all(c, self.plan_id))

    def row(self, number: int = 1) -> MailboxRow:
        return self.rows()[number - 1]

    def ask(self, request: Ask) -> int:
        """Post a request, as another process would."""
        return self.db.write(lambda c: requests.post(c, self.plan_id, request.verb.value, request.facts(), time.time()))

    def taken(self, request_id: int) -> bool:
        return self.db.read(lambda c: requests.is_taken(c, request_id))

    def run(self, wish: Wish | None = None, *, workers: int = 2, slice_seconds: float = 60.0) -> RunResult:
        context = Context(
            db=self.db,
            plan_id=self.plan_id,
            policy=Policy(Scope()),
            legs=(Leg(frozenset(Kind), self._source, self._target, endpoints=("old", "new")),),
            clock=StopClock(self.stop),
            progress=self._told,
            settle_seconds=0.01,
        )
        runner = Runner(
            context,
            wish or Wish(),
            stop=self.stop,
            endpoints=lambda _mailbox: [("old", "new")],
            secrets=Secrets(lambda mailbox: self.passwords[mailbox.source].encode()),
            workers=workers,
            slice_seconds=slice_seconds,
        )
        return runner.run()

    def _told(self, progress: Progress) -> None:
        self.progress(progress)

    def _source(self, mailbox: MailboxRow) -> Source:
        self.opened(mailbox)
        try:
            return MemorySource(self.old.log_in(Login(mailbox.source, mailbox.source, self.passwords[mailbox.source])))
        except LoginRejected as error:
            error.endpoint = "old"
            raise

    def _target(self, mailbox: MailboxRow) -> Target:
        return MemoryTarget(self.new.log_in(Login(mailbox.target, mailbox.target, PASSWORD)))

    def copied(self, name: str) -> int:
        """Messages in the target's inbox."""
        return len(list(self.new.account(name).contents(INBOX)))
