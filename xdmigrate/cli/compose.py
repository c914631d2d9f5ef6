"""The composition root: a plan's endpoints become wrapped sessions. Nowhere else does anybody know a connector."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from xdmigrate import registry
from xdmigrate.access import extra
from xdmigrate.cli.entrance import Entrance
from xdmigrate.cli.tally import CountedTrace
from xdmigrate.errors import PlanInvalid, Problem, SecretUnreadable, UsageError
from xdmigrate.report.facts import EndpointCost
from xdmigrate.wrap.cost import Cost, Costs
from xdmigrate.wrap.gate import Gate, Gates
from xdmigrate.wrap.limit import LimitedAuditor, LimitedSource, LimitedTarget
from xdmigrate.wrap.patience import Patience
from xdmigrate.wrap.readdress import ReaddressedAuditor, ReaddressedSource
from xdmigrate.wrap.retry import RetryingAuditor, RetryingSource, RetryingTarget
from xdmigrate.wrap.trace import TracedSource, TracedTarget
from xdmigrate_plans import addresses, logins
from xdmigrate_plans.plan import SIDES
from xdmigrate_plans.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from xdmigrate.contract import Auditor, Connector, Source, Target
    from xdmigrate.model import Endpoint, Kind, Login
    from xdmigrate_plans.plan import Plan, PlannedMailbox, Side
    from xdmigrate_state.rows import MailboxRow

ATTEMPTS = 3
FIRST_WAIT = 0.3
"""Quick attempts inside one call; longer trouble is the runner's, which knows the other mailboxes."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class System:
    """One endpoint of the plan, on the side where it is used."""

    side: Side
    endpoint: Endpoint
    connector: Connector
    identity: str
    gate: Gate
    kinds: tuple[Kind, ...]  # what it serves there


@dataclass(frozen=True, slots=True)
class Route:
    """What goes from one system to another."""

    kinds: tuple[Kind, ...]
    source: System
    target: System

    @property
    def endpoints(self) -> tuple[str, str]:
        """The names of both, as the plan calls them."""
        return self.source.endpoint.name, self.target.endpoint.name


class Systems:
    """Opens the sessions of a plan's mailboxes on both sides. Safe for several threads.

    `kind`: of that kind alone. Raises UsageError when the plan does not move it.
    """

    def __init__(
        self,
        plan: Plan,
        home: Path,
        *,
        kind: str = "",
        stop: Callable[[], bool] = lambda: False,
        hide: Callable[[str], None] = lambda _secret: None,
    ) -> None:
        self.plan = plan
        self.vault = Vault(home, plan.name)
        self.costs = Costs()
        self._stop = stop
        self.entrance = Entrance(plan, self.vault, hide)
        self._patience = Patience(ATTEMPTS, FIRST_WAIT, stop=stop)
        self._rename = addresses.renaming(plan.mailboxes, plan.addresses)
        self._endpoints: dict[str, Endpoint] = {}
        self._planned = {(box.source, box.target, into_path(box)): box for box in plan.mailboxes}
        gates = Gates()
        systems = {
            (side, name): self._system(side, name, gates) for side in SIDES for name in plan.endpoint_names(side)
        }
        self._all = list(systems.values())
        self.routes = [
            Route(kinds, systems["source", way.source], systems["target", way.target])
            for way in plan.ways
            if (kinds := _chosen(way.kinds, kind))
        ]
        if not self.routes:
            moved = ", ".join(plan.kinds)
            raise UsageError(f"plan {plan.name} moves no {kind}", remedy=f"leave --kind out; it moves: {moved}")

    @property
    def account_system(self) -> str:
        """What names the mailboxes' accounts on the target, whatever this run moves: the system of the first kind."""
        name = self.plan.endpoint_name("target")
        return next(each.identity for each in self._all if (each.side, each.endpoint.name) == ("target", name))

    @property
    def whole(self) -> bool:
        """Whether the routes carry all that the plan moves."""
        return sum(len(route.kinds) for route in self.routes) == len(self.plan.kinds)

    @property
    def systems(self) -> list[System]:
        """The systems of all routes, the sources first; each once on a side."""
        found = [route.source for route in self.routes] + [route.target for route in self.routes]
        return [system for place, system in enumerate(found) if system not in found[:place]]

    def route(self, kind: str) -> Route | None:
        """The way of this kind of data; None when it is not moved."""
        return next((route for route in self.routes if kind in route.kinds), None)

    def _system(self, side: Side, name: str, gates: Gates) -> System:
        endpoint = self._endpoint(name)
        connector = registry.load(endpoint.connector)
        auth = self.plan.endpoints[name].auth
        if auth is not None and auth.oauth is not None:
            extra.require(auth.oauth.flow)
        if found := connector.problems(endpoint):
            raise PlanInvalid([_located(self.plan.path, name, problem) for problem in found])
        identity = connector.identity(endpoint)
        gate = gates.gate(identity, self.plan.name, self.plan.connections(name))
        kinds = tuple(kind for kind in self.plan.kinds if self.plan.endpoint_name(side, kind) == name)
        return System(side, endpoint, connector, identity, gate, kinds)

    def _endpoint(self, name: str) -> Endpoint:
        """The endpoint, one for both sides: what it costs is counted once."""
        return self._endpoints.setdefault(name, logins.endpoint(self.plan, name))

    def endpoints(self, _mailbox: MailboxRow) -> list[tuple[str, str]]:
        """The names of the endpoints that a mailbox needs, route by route."""
        return [route.endpoints for route in self.routes]

    def workers(self) -> int:
        """How many mailboxes may be worked on at once: each needs one place at either side's gate of every route."""
        return min(_places(route) for route in self.routes)

    def told_costs(self) -> list[EndpointCost]:
        """What the run cost each endpoint until now; one that serves both sides is told once."""
        systems = {system.endpoint.name: system.endpoint for system in self.systems}
        return [_told(self.costs.of(name), endpoint) for name, endpoint in systems.items()]

    def login(self, system: System, planned: PlannedMailbox) -> Login:
        """The mailbox's login on one side. Raises SecretUnreadable."""
        return self.entrance.login(system.side, system.kinds[0], planned)

    def mark(self, mailbox: MailboxRow) -> bytes:
        """Changes when one of the mailbox's secrets does. Raises SecretUnreadable."""
        planned = self.planned(mailbox)
        return b"".join(self.entrance.mark(system.side, system.kinds[0], planned) for system in self._all)

    def forget(self) -> None:
        """A person changed secrets: what was refused before may be granted now."""
        self.entrance.forget()

    def planned(self, mailbox: MailboxRow) -> PlannedMailbox:
        """The mailbox as the plan writes it. Raises SecretUnreadable when the plan no longer lists it."""
        planned = self._planned.get((mailbox.source, mailbox.target, mailbox.into_path))
        if planned is None:
            raise SecretUnreadable("the plan no longer lists this mailbox, so it has no login", mailbox=mailbox.source)
        return planned

    def source(self, system: System, mailbox: MailboxRow, *, insist: bool = True) -> Source:
        """A session on a source; `insist`: it has to be had, so it is tried for with patience."""
        planned = self.planned(mailbox)
        trace = self._trace(system, mailbox)

        def connect() -> Source:
            with trace.call("connect"):
                session = self._admitted(system, planned, system.connector.source)
            return TracedSource(session, trace)

        return RetryingSource(lambda: LimitedSource(system.gate, connect, self._stop), self._patience, insist=insist)

    def readdressed(self, system: System, mailbox: MailboxRow, *, insist: bool = True) -> Source:
        """The same, with the addresses of people in events, tasks and contacts as the target calls them."""
        session = self.source(system, mailbox, insist=insist)
        return ReaddressedSource(session, self._rename) if self._rename else session

    def target(self, system: System, mailbox: MailboxRow, *, insist: bool = True) -> Target:
        """A session on a target, as `source`."""
        planned = self.planned(mailbox)
        trace = self._trace(system, mailbox)

        def connect() -> Target:
            with trace.call("connect"):
                session = self._admitted(system, planned, system.connector.target)
            return TracedTarget(session, trace)

        return RetryingTarget(lambda: LimitedTarget(system.gate, connect, self._stop), self._patience, insist=insist)

    def auditor(self, system: System, mailbox: MailboxRow) -> Auditor:
        """An independent reading session on either side; the source's as `readdressed`."""
        planned, trace = self.planned(mailbox), self._trace(system, mailbox)

        def connect() -> Auditor:
            with trace.call("connect"):
                return self._admitted(system, planned, system.connector.auditor)

        session = RetryingAuditor(lambda: LimitedAuditor(system.gate, connect, self._stop), self._patience)
        return ReaddressedAuditor(session, self._rename) if self._rename and system.side == "source" else session

    def _admitted(self, system: System, planned: PlannedMailbox, connect: Callable[[Endpoint, Login], S]) -> S:
        return self.entrance.admit(system.side, system.kinds[0], planned, partial(connect, system.endpoint))

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


def _chosen(kinds: Iterable[Kind], wanted: str) -> tuple[Kind, ...]:
    """Those of the kinds that are wanted; all of them, when none is named."""
    return tuple(kind for kind in kinds if not wanted or kind == wanted)


def _places(route: Route) -> int:
    """How many mailboxes can go this way at once."""
    source, target = route.source.gate, route.target.gate
    return max(1, source.places() // 2) if source is target else min(source.places(), target.places())


def _located(path: Path, endpoint: str, problem: Problem) -> Problem:
    """The problem with the file and the line of the endpoint, where the connector could not know them."""
    if problem.line:
        return problem
    lines = path.read_text("utf-8", "replace").splitlines()
    pattern = re.compile(rf"\s+[\"']?{re.escape(endpoint)}[\"']?\s*:")
    found = next((number for number, line in enumerate(lines, 1) if pattern.match(line)), 1)
    return replace(problem, file=str(path), line=found)
