"""One mailbox from one scripted server to another, through the whole engine, in this process."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.connectors.imap.dialect.server import DialectServer
from tests.connectors.imap.dialect.speech import Dialect
from tests.connectors.imap.dialect.store import Account
from tests.engine.world import FOREVER, FakeClock
from xdmigrate.contract import Source, Target
from xdmigrate.engine.advance import Advancer, Step, Verdict
from xdmigrate.engine.context import Context, Leg, Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.verification.audit import Depth
from xdmigrate.engine.verification.verify import verify
from xdmigrate.jobs.requests import Ask, Verb, apply
from xdmigrate.model import Kind
from xdmigrate.report.verdicts import MailboxVerdict
from xdmigrate.wrap.dry_run import DryRunTarget
from xdmigrate_imap import connector
from xdmigrate_state import failures, folders, mailboxes, plans
from xdmigrate_state.database import Database
from xdmigrate_state.rows import FailureRow, FolderRow, MailboxRow, MailboxSpec

USER = "ann@example.test"
INBOX = b"INBOX"


def mail(number: int, body: bytes = b"hello\r\n") -> bytes:
    """A small message."""
    return b"Message-ID: <%d@example.test>\r\nSubject: number %d\r\n\r\n" % (number, number) + body


class Job:
    """`old` and `new` are the two accounts. Enter it to start the servers."""

    def __init__(self, home: Path, source: Dialect, target: Dialect, policy: Policy | None = None) -> None:
        self.old_server, self.new_server = DialectServer(source), DialectServer(target)
        self.policy = policy or Policy(Scope())
        self.clock = FakeClock()
        self.steps: list[Step] = []
        self.db = Database.open(home / "plan.sqlite")
        row = self.db.write(lambda c: plans.save(c, "contoso", home / "contoso.yaml", "0", {}, self.clock.now()))
        self._plan_id = row.id
        spec = MailboxSpec(USER, USER, (), system="imap://new")
        [box] = self.db.write(lambda c: mailboxes.upsert(c, self._plan_id, [spec]))
        self._mailbox_id = box.id

    def __enter__(self) -> Self:
        self.old_server.__enter__()
        self.new_server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.close()
        self.old_server.__exit__(kind, error, trace)
        self.new_server.__exit__(kind, error, trace)

    @property
    def old(self) -> Account:
        return self.old_server.account(USER)

    @property
    def new(self) -> Account:
        return self.new_server.account(USER)

    # --- running --------------------------------------------------------------------------------------------------

    def step(self) -> Step:
        """One attempt at a whole pass; waits, on its own clock, as long as it is told to."""
        step = Advancer(self._context()).advance(self._mailbox_id, FOREVER)
        self.steps.append(step)
        if step.verdict is Verdict.RETRY_AT:
            self.clock.time = max(self.clock.time, step.when)
        return step

    def sync(self, attempts: int = 12) -> Step:
        """Passes until one is complete or a person is needed."""
        for _ in range(attempts):
            step = self.step()
            if step.verdict is not Verdict.RETRY_AT:
                return step
        raise AssertionError(f"no end: {self.steps[-3:]}")

    def done(self) -> None:
        """Passes until one is complete."""
        step = self.sync()
        assert step.verdict is Verdict.DONE, step

    def verify(self) -> MailboxVerdict:
        features = self._target(self.mailbox).features
        source = connector.auditor(self.old_server.endpoint("old"), self.old_server.login(USER))
        target = connector.auditor(self.new_server.endpoint("new"), self.new_server.login(USER))
        depth = Depth(full=True)
        return verify(
            self.db, self.mailbox, self.policy.scope, source=source, target=target, features=features, depth=depth
        )

    def _context(self) -> Context:
        return Context(
            db=self.db,
            plan_id=self._plan_id,
            policy=self.policy,
            legs=(Leg(frozenset((Kind.MAIL,)), self._source, self._target),),
            clock=self.clock,
        )

    def _source(self, mailbox: MailboxRow) -> Source:
        return connector.source(self.old_server.endpoint("old"), self.old_server.login(mailbox.source))

    def _target(self, mailbox: MailboxRow) -> Target:
        return connector.target(self.new_server.endpoint("new"), self.new_server.login(mailbox.target))

    # --- looking --------------------------------------------------------------------------------------------------

    @property
    def mailbox(self) -> MailboxRow:
        return self.db.read(partial(mailboxes.get, mailbox_id=self._mailbox_id))

    def rows(self) -> list[FolderRow]:
        """The folders as the state knows them."""
        return self.db.read(partial(folders.of_mailbox, mailbox_id=self._mailbox_id))

    def map(self) -> dict[tuple[str, ...], tuple[str, ...] | None]:
        """Where each folder goes, as it is frozen."""
        return {row.path: row.target_path for row in self.rows()}

    def failures(self) -> list[FailureRow]:
        """The quarantine."""
        return self.db.read(partial(failures.of_plan, plan_id=self._plan_id))

    def retry_quarantine(self) -> None:
        """What `quarantine retry --all` does."""
        ask = Ask(Verb.RETRY, (self._mailbox_id,), tuple(each.id for each in self.failures()))
        self.db.write(partial(apply, plan_id=self._plan_id, ask=ask, now=self.clock.now()))

    def everything(self) -> list[bytes]:
        """Every message on the target, in no order."""
        return sorted(shown.message.data for box in self.new.boxes.values() for shown in box.shown.values())


class DryRun(Job):
    """A job whose target nothing reaches; `created` is what it would have made."""

    def _target(self, mailbox: MailboxRow) -> Target:
        self.dry = DryRunTarget(super()._target(mailbox))
        return self.dry

    @property
    def created(self) -> list[tuple[str, ...]]:
        return self.dry.prediction.created
