"""The composition root: a plan's endpoints become wrapped sessions. Nowhere else does anybody know a connector."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from xdmigrate import registry
from xdmigrate.access import extra
from xdmigrate.cli.entrance import Entrance
from xdmigrate.cli.tally import CountedTrace
from xdmigrate.errors import PlanInvalid, Problem, SecretUnreadable
from xdmigrate.report.facts import EndpointCost
from xdmigrate.wrap.cost import Cost, Costs
from xdmigrate.wrap.gate import Gate, Gates
from xdmigrate.wrap.limit import LimitedAuditor, LimitedSource, LimitedTarget
from xdmigrate.wrap.patience import Patience
from xdmigrate.wrap.retry import RetryingAuditor, RetryingSource, RetryingTarget
from xdmigrate.wrap.trace import TracedSource, TracedTarget
from xdmigrate_plans import logins
from xdmigrate_plans.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from xdmigrate.contract import Auditor, Connector, Source, Target
    from xdmigrate.model import Endpoint, Login
    from xdmigrate_plans.plan import Plan, PlannedMailbox, Side
    from xdmigrate_state.rows import MailboxRow

ATTEMPTS = 3
FIRST_WAIT = 0.3
"""Quick attempts inside one call; longer trouble is the runner's, which knows the other mailboxes."""

KIND = "mail"

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class System:
    """One endpoint of the plan, on the side where it is used."""

    side: Side
    endpoint: Endpoint
    connector: Connector
    identity: str
    gate: Gate


class Systems:
    """Opens the sessions of a plan's mailboxes on both sides. Safe for several threads."""

    def __init__(
        self,
        plan: Plan,
        home: Path,
        *,
        stop: Callable[[], bool] = lambda: False,
        hide: Callable[[str], None] = lambda _secret: None,
    ) -> None:
        self.plan = plan
        self.vault = Vault(home, plan.name)
        self.costs = Costs()
        self._stop = stop
        self.entrance = Entrance(plan, KIND, self.vault, hide)
        self._patience = Patience(ATTEMPTS, FIRST_WAIT, stop=stop)
        self._planned = {(box.source, box.target, into_path(box)): box for box in plan.mailboxes}
        gates = Gates()
        self.source_system = self._system("source", gates)
        self.target_system = self._system("target", gates)
        _refuse_faulty(plan, (self.source_system, self.target_system))

    def _system(self, side: Side, gates: Gates) -> System:
        name = self.plan.endpoint_name(side, KIND)
        endpoint = logins.endpoint(self.plan, name)
        connector = registry.load(endpoint.connector)
        auth = self.plan.endpoints[name].auth
        if auth is not None and auth.oauth is not None:
            extra.require(auth.oauth.flow)
        if found := connector.problems(endpoint):
            raise PlanInvalid([_located(self.plan.path, name, problem) for problem in found])
        identity = connector.identity(endpoint)
        gate = gates.gate(identity, self.plan.name, self.plan.connections(name))
        return System(side, endpoint, connector, identity, gate)

    def endpoints(self, _mailbox: MailboxRow) -> tuple[str, ...]:
        """The names of the endpoints that a mailbox needs."""
        return self.source_system.endpoint.name, self.target_system.endpoint.name

    def workers(self) -> int:
        """How many mailboxes may be worked on at once: each needs one place at either side's gate."""
        source, target = self.source_system, self.target_system
        if source.gate is target.gate:
            return max(1, source.gate.places() // 2)
        return min(source.gate.places(), target.gate.places())

    def told_costs(self) -> list[EndpointCost]:
        """What the run cost each endpoint until now; one that serves both sides is told once."""
        systems = {system.endpoint.name: system.endpoint for system in (self.source_system, self.target_system)}
        return [_told(self.costs.of(name), endpoint) for name, endpoint in systems.items()]

    def login(self, system: System, planned: PlannedMailbox) -> Login:
        """The mailbox's login on one side. Raises SecretUnreadable."""
        return self.entrance.login(system.side, planned)

    def mark(self, mailbox: MailboxRow) -> bytes:
        """Changes when one of the mailbox's two secrets does. Raises SecretUnreadable."""
        planned = self.planned(mailbox)
        return b"".join(self.entrance.mark(system.side, planned) for system in (self.source_system, self.target_system))

    def forget(self) -> None:
        """A person changed secrets: what was refused before may be granted now."""
        self.entrance.forget()

    def planned(self, mailbox: MailboxRow) -> PlannedMailbox:
        """The mailbox as the plan writes it. Raises SecretUnreadable when the plan no longer lists it."""
        planned = self._planned.get((mailbox.source, mailbox.target, mailbox.into_path))
        if planned is None:
            raise SecretUnreadable("the plan no longer lists this mailbox, so it has no login", mailbox=mailbox.source)
        return planned

    def source(self, mailbox: MailboxRow, *, insist: bool = True) -> Source:
        """A session on the source; `insist`: it has to be had, so it is tried for with patience."""
        system, planned = self.source_system, self.planned(mailbox)
        trace = self._trace(system, mailbox)

        def connect() -> Source:
            with trace.call("connect"):
                session = self.entrance.admit(system.side, system.endpoint, planned, system.connector.source)
            return TracedSource(session, trace)

        return RetryingSource(lambda: LimitedSource(system.gate, connect, self._stop), self._patience, insist=insist)

    def target(self, mailbox: MailboxRow, *, insist: bool = True) -> Target:
        """A session on the target, as `source`."""
        system, planned = self.target_system, self.planned(mailbox)
        trace = self._trace(system, mailbox)

        def connect() -> Target:
            with trace.call("connect"):
                session = self.entrance.admit(system.side, system.endpoint, planned, system.connector.target)
            return TracedTarget(session, trace)

        return RetryingTarget(lambda: LimitedTarget(system.gate, connect, self._stop), self._patience, insist=insist)

    def auditor(self, system: System, mailbox: MailboxRow) -> Auditor:
        """An independent reading session on either side."""
        planned, trace = self.planned(mailbox), self._trace(system, mailbox)

        def connect() -> Auditor:
            with trace.call("connect"):
                return self.entrance.admit(system.side, system.endpoint, planned, system.connector.auditor)

        return RetryingAuditor(lambda: LimitedAuditor(system.gate, connect, self._stop), self._patience)

    def _trace(self, system: System, mailbox: MailboxRow) -> CountedTrace:
        address = mailbox.source if system.side == "source" else mailbox.target
        return CountedTrace(self.costs, system.endpoint.name, address)


def _told(cost: Cost, endpoint: Endpoint) -> EndpointCost:
    meter = endpoint.meter
    return EndpointCost(
        endpoint.name,
        cost.seconds,
        cost.calls,
        cost.items,
        cost.octets,
        cost.retries,
        meter.commands,
        meter.sent,
        meter.received,
    )


def into_path(planned: PlannedMailbox) -> tuple[str, ...]:
    """The folder below which everything goes, as levels."""
    return tuple(planned.into.split("/")) if planned.into else ()


def _refuse_faulty(plan: Plan, systems: Iterable[System]) -> None:
    """A connector that cannot move mail is a fault of the plan."""
    problems = [
        Problem(str(plan.path), 1, system.side, f"connector {system.connector.name!r} moves no {KIND}")
        for system in systems
        if KIND not in system.connector.kinds
    ]
    if problems:
        raise PlanInvalid(problems)


def _located(path: Path, endpoint: str, problem: Problem) -> Problem:
    """The problem with the file and the line of the endpoint, where the connector could not know them."""
    if problem.line:
        return problem
    lines = path.read_text("utf-8", "replace").splitlines()
    pattern = re.compile(rf"\s+[\"']?{re.escape(endpoint)}[\"']?\s*:")
    found = next((number for number, line in enumerate(lines, 1) if pattern.match(line)), 1)
    return replace(problem, file=str(path), line=found)
