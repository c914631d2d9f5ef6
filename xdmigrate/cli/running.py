"""One run over a plan: the engine's context, the runner, the progress, the summary."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from xdmigrate.cli import memory
from xdmigrate.cli.applying import policy
from xdmigrate.cli.lending import SpareConnections
from xdmigrate.engine.context import Context, Leg, StopClock
from xdmigrate.errors import LeaseLost, PlanHeld
from xdmigrate.jobs.secrets import Secrets
from xdmigrate.jobs.stages import move_on
from xdmigrate.jobs.threads import Runner
from xdmigrate.report.status import plan_status
from xdmigrate.wrap.dry_run import DryRunTarget
from xdmigrate.wrap.dry_source import DryRunSource
from xdmigrate.wrap.forward import ForwardingTarget
from xdmigrate_state import failures, locks, mailboxes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from xdmigrate.cli.compose import Route, System, Systems
    from xdmigrate.cli.home import Home
    from xdmigrate.contract import Source, Target
    from xdmigrate.jobs.due import Wish
    from xdmigrate.jobs.run import RunResult
    from xdmigrate.report.facts import PlanStatus
    from xdmigrate.wrap.prediction import Prediction
    from xdmigrate_state.database import Database
    from xdmigrate_state.rows import MailboxRow, PlanRow


Predicted = tuple[int, tuple[str, str]]
"""Of which mailbox, by its id, and between which endpoints."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a run works with."""

    home: Home
    db: Database
    plan: PlanRow
    systems: Systems
    stop: threading.Event
    accepted: tuple[str, ...] = ()
    dry_run: bool = False
    predictions: dict[Predicted, tuple[MailboxRow, Prediction]] = field(default_factory=dict)  # of a dry run

    def status(self) -> PlanStatus:
        """Where the plan stands."""
        now = time.time()
        return self.db.read(lambda c: plan_status(c, self.plan.name, now))

    def reasons(self) -> Counter[tuple[str, str]]:
        """How many items are not copied, by code and words, without those that somebody accepted."""
        rows = self.db.read(lambda c: failures.of_plan(c, self.plan.id))
        return Counter((row.reason, row.detail) for row in rows if row.accepted_at is None)


class HeldTarget(ForwardingTarget):
    """A target that no other plan of this home writes to while it is open."""

    def __init__(self, inner: Target, held: ExitStack) -> None:
        super().__init__(inner)
        self._held = held

    def close(self) -> None:
        self.inner.close()
        self._held.close()


def run(bench: Bench, wish: Wish) -> RunResult:
    """Give every mailbox that the wish covers its pass; ends early, losing nothing, when asked to stop."""
    runner = Runner(
        _context(bench),
        wish,
        stop=bench.stop,
        endpoints=bench.systems.endpoints,
        secrets=Secrets(bench.systems.mark, bench.systems.forget),
        workers=bench.systems.workers(),
    )
    memory.settle()
    result = runner.run()
    bench.db.write(lambda c: move_on(c, bench.plan.name, time.time()))
    return result


def _context(bench: Bench) -> Context:
    return Context(
        db=bench.db,
        plan_id=bench.plan.id,
        policy=policy(bench.systems.plan, bench.accepted),
        legs=tuple(_dry_leg(bench, route) if bench.dry_run else _leg(bench, route) for route in bench.systems.routes),
        clock=StopClock(bench.stop),
        whole=bench.systems.whole,
        owner=f"{socket.gethostname()}:{os.getpid()}",
    )


def _leg(bench: Bench, route: Route) -> Leg:
    systems = bench.systems
    source, lender = partial(systems.readdressed, route.source), SpareConnections(systems, route)
    return Leg(frozenset(route.kinds), source, _held_target(bench, route.target), lender, route.endpoints)


def _dry_leg(bench: Bench, route: Route) -> Leg:
    """Nobody lends it sessions: a prediction is made in one."""
    source, target = _dry_source(bench, route), _dry_target(bench, route)
    return Leg(frozenset(route.kinds), source, target, endpoints=route.endpoints)


def _held_target(bench: Bench, system: System) -> Callable[[MailboxRow], Target]:
    def open_target(mailbox: MailboxRow) -> Target:
        with ExitStack() as held:
            lock = locks.for_target(bench.db, bench.home.folder, system.identity, mailbox.target)
            try:
                held.enter_context(lock)
            except PlanHeld as error:
                raise LeaseLost(error.message, remedy=error.remedy, mailbox=mailbox.source) from error
            return HeldTarget(bench.systems.target(system, mailbox), held.pop_all())

    return open_target


def _dry_source(bench: Bench, route: Route) -> Callable[[MailboxRow], Source]:
    return lambda mailbox: DryRunSource(bench.systems.readdressed(route.source, mailbox))


def _dry_target(bench: Bench, route: Route) -> Callable[[MailboxRow], Target]:
    def open_target(mailbox: MailboxRow) -> Target:
        target = DryRunTarget(bench.systems.target(route.target, mailbox))
        bench.predictions[mailbox.id, route.endpoints] = mailbox, target.prediction
        return target

    return open_target


def fresh_start(bench: Bench) -> None:
    """Failed attempts of an earlier run do not make this one wait; what a server asked for still does."""

    def forget(c: Connection) -> None:
        for box in mailboxes.all(c, bench.plan.id):
            if box.retries:
                mailboxes.progressed(c, box.id)

    bench.db.write(forget)
