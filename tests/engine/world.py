"""A small world for engine tests: two memory servers, a state, a clock of its own, and faults on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath

from xdmigrate.contract import Source, Target
from xdmigrate.engine.advance import Advancer, Step, Verdict
from xdmigrate.engine.context import Context, Leg, Lender, Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.verification.audit import Depth
from xdmigrate.engine.verification.verify import verify
from xdmigrate.jobs.requests import Ask, Verb, apply
from xdmigrate.model import Kind, Login, Path
from xdmigrate.report.verdicts import MailboxVerdict
from xdmigrate.testing.faults import Faults, FaultySource, FaultyTarget
from xdmigrate.testing.memory.auditor import MemoryAuditor
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.server import MemoryServer
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.testing.memory.target import MemoryTarget
from xdmigrate_state import alterations, failures, mailboxes, plans
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Altered, MailboxRow, MailboxSpec

USER = "ann@old.example"
FOREVER = 1e12


class FakeClock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        self.time += 0.001
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def no_faults() -> Faults:
    return Faults(lambda _operation: None)


class World:
    """One mailbox from `old` to `new`; `old` and `new` are its two accounts."""

    def __init__(
        self,
        home: FilePath,
        *,
        source: Powers | None = None,
        target: Powers | None = None,
        policy: Policy | None = None,
        database: Database | None = None,
    ) -> None:
        self.old_server = MemoryServer(powers=source)
        self.new_server = MemoryServer(powers=target)
        self.old = self.old_server.add_account(USER, "secret-old")
        self.new = self.new_server.add_account(USER, "secret-new")
        self.db = database or Database.open(home / "plan.sqlite")
        self.clock = FakeClock()
        self.policy = policy or Policy(Scope())
        self.source_faults = no_faults()
        self.target_faults = no_faults()
        self.lender: Lender | None = None
        self.kinds = frozenset(Kind)
        row = self.db.write(lambda c: plans.save(c, "contoso", home / "contoso.yaml", "0", {}, self.clock.now()))
        self.plan_id = row.id
        self.mailbox_id = self.add_mailbox(USER, USER)

    def add_mailbox(self, source: str, target: str, into: Path = (), merge: str = "") -> int:
        known = [
            MailboxSpec(m.source, m.target, m.into_path, system="memory://new", merge=m.merge)
            for m in self.mailboxes()
            if m.listed
        ]
        spec = MailboxSpec(source, target, into, system="memory://new", merge=merge)
        rows = self.db.write(lambda c: mailboxes.upsert(c, self.plan_id, [*known, spec]))
        return next(row.id for row in rows if (row.source, row.target, row.into_path) == (source, target, into))

    def mailboxes(self) -> list[MailboxRow]:
        return self.db.read(lambda c: mailboxes.all(c, self.plan_id))

    def mailbox(self) -> MailboxRow:
        return self.db.read(lambda c: mailboxes.get(c, self.mailbox_id))

    # --- running ---------------------------------------------------------------------------------------------------

    def context(self) -> Context:
        return Context(
            db=self.db,
            plan_id=self.plan_id,
            policy=self.policy,
            legs=(Leg(self.kinds, self.source, self.target, self.lender),),
            clock=self.clock,
        )

    def source(self, mailbox: MailboxRow) -> Source:
        login = Login(mailbox.source, mailbox.source, "secret-old")
        return FaultySource(self.source_faults, lambda: MemorySource(self.old_server.log_in(login)))

    def target(self, mailbox: MailboxRow) -> Target:
        login = Login(mailbox.target, mailbox.target, "secret-new")
        return FaultyTarget(self.target_faults, lambda: MemoryTarget(self.new_server.log_in(login)))

    def step(self, mailbox_id: int | None = None) -> Step:
        """One attempt at a whole pass."""
        step = Advancer(self.context()).advance(mailbox_id or self.mailbox_id, FOREVER)
        if step.verdict is Verdict.RETRY_AT:
            self.clock.time = max(self.clock.time, step.when)
        return step

    def sync(self, mailbox_id: int | None = None, attempts: int = 30) -> Step:
        """Passes until one is complete; fails when the mailbox needs attention."""
        for _ in range(attempts):
            step = self.step(mailbox_id)
            if step.verdict is not Verdict.RETRY_AT:
                break
        assert step.verdict is Verdict.DONE, step
        return step

    def calm(self) -> None:
        """No more faults; what was late happens now."""
        for faults in (self.source_faults, self.target_faults):
            faults.commit_late()
        self.source_faults, self.target_faults = no_faults(), no_faults()

    def retry_quarantine(self) -> None:
        """What `quarantine retry --all` does."""
        failed = self.db.read(lambda c: failures.of_plan(c, self.plan_id))
        ask = Ask(Verb.RETRY, tuple({each.mailbox_id for each in failed}), tuple(each.id for each in failed))
        self.db.write(partial(apply, plan_id=self.plan_id, ask=ask, now=self.clock.now()))

    def verify(
        self, *, full: bool = True, mailbox_id: int | None = None, kinds: frozenset[Kind] | None = None
    ) -> MailboxVerdict:
        mailbox = self.db.read(lambda c: mailboxes.get(c, mailbox_id or self.mailbox_id))
        source = MemoryAuditor(self.old_server.log_in(Login(mailbox.source, mailbox.source, "secret-old")))
        target = MemoryAuditor(self.new_server.log_in(Login(mailbox.target, mailbox.target, "secret-new")))
        features = self.new_server.powers.features()
        return verify(
            self.db,
            mailbox,
            self.policy.scope,
            source=source,
            target=target,
            features=features,
            depth=Depth(full=full),
            altered=self._record,
            kinds=kinds or self.kinds,
        )

    def _record(self, folder_id: int, found: Sequence[Altered]) -> None:
        """What the command does: so that a person can accept these copies."""
        self.db.write(lambda c: alterations.record(c, folder_id, found, self.clock.now()))

    def accept(self, checksum: str) -> None:
        self.policy = replace(self.policy, accepted=self.policy.accepted | {checksum})

    # --- looking ---------------------------------------------------------------------------------------------------

    def bodies(self, path: Path) -> Counter[bytes]:
        return Counter(self.new.contents(path))

    def everything(self) -> Counter[bytes]:
        """Every body on the target, whatever its folder."""
        return sum((Counter(self.new.contents(b.path)) for b in self.new.boxes() if b.selectable), Counter[bytes]())

    def writes(self, run: Callable[[], object]) -> list[str]:
        """Names of the operations that change the target while `run` runs."""
        self.target_faults = no_faults()
        run()
        reading = {"connect", "folders", "status", "heads", "changes", "read", "refuses", "look-up"}
        return [operation.name for operation, _ in self.target_faults.log if operation.name not in reading]
