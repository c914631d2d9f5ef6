"""Sets the stage for a canary: who takes part, in which sessions, and what is put on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from xdmigrate.cli.compose import ATTEMPTS, FIRST_WAIT
from xdmigrate.contract import Inviting, Source, Trial
from xdmigrate.engine.canary.trial import Stage
from xdmigrate.engine.canary.watching import MailWatch
from xdmigrate.errors import UsageError
from xdmigrate.model import Kind
from xdmigrate.report.invitations import CanaryFacts
from xdmigrate.wrap.patience import Patience
from xdmigrate.wrap.retry import RetryingSource
from xdmigrate_plans.checks import login_name
from xdmigrate_plans.plan import SIDES
from xdmigrate_state import canaries, journal
from xdmigrate_state.rows import CanaryRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from xdmigrate.cli.compose import System, Systems
    from xdmigrate_plans.plan import Plan, PlannedMailbox

S = TypeVar("S", Trial, MailWatch)


@dataclass(frozen=True, slots=True)
class Cast:
    """Where a canary takes place, and who takes part: two mailboxes of the plan."""

    system: System
    connector: Inviting
    organizer: PlannedMailbox
    attendee: PlannedMailbox

    @property
    def invited(self) -> tuple[str, ...]:
        """The attendee's addresses on both sides: to the server, the old one may be somebody outside."""
        return tuple(dict.fromkeys((self.attendee.target, self.attendee.source)))

    @classmethod
    def of(cls, systems: Systems, endpoint: str, organizer: str, attendee: str) -> Cast:
        """As the command line names them. Raises UsageError for what the plan does not know."""
        plan = systems.plan
        system = _system(systems, endpoint)
        if not isinstance(system.connector, Inviting):
            message = f"endpoint {system.endpoint.name} ({system.endpoint.connector}) sends no invitations"
            raise UsageError(message, remedy="there is nothing to prove")
        who, to = _planned(plan, organizer), _planned(plan, attendee)
        if who.target.casefold() == to.target.casefold():
            raise UsageError(f"{organizer} and {attendee} are one account", remedy="name two mailboxes of the plan")
        user = login_name(plan, "target", who, Kind.CALENDAR)
        if user == login_name(plan, "target", to, Kind.CALENDAR) and not system.endpoint.settings.get("principal"):
            message = f"endpoint {system.endpoint.name} logs in as {user} for both, so that they are one account"
            raise UsageError(message, remedy="let `auth.user` name each account by {address}, or set `principal`")
        if Kind.MAIL not in plan.kinds:
            message = f"plan {plan.name} moves no mail, so nobody sees what {to.target} gets"
            raise UsageError(message, remedy="list `mail` in `source` and `target`, if only while the canary flies")
        return cls(system, system.connector, who, to)


def _system(systems: Systems, endpoint: str) -> System:
    """The target of calendars that is meant; the plan's own when none is named."""
    targets = {each.endpoint.name: each for each in systems.systems if each.side == "target"}
    taking = {name: each for name, each in targets.items() if Kind.CALENDAR in each.kinds}
    if not taking:
        raise UsageError(f"plan {systems.plan.name} moves no calendars", remedy="there is nothing to prove")
    if endpoint and endpoint not in taking:
        raise UsageError(f"endpoint {endpoint!r} is no target of calendars", remedy=f"name {', '.join(taking)}")
    return taking[endpoint] if endpoint else next(iter(taking.values()))


def _planned(plan: Plan, told: str) -> PlannedMailbox:
    for side in reversed(SIDES):
        for box in plan.mailboxes:
            if box.address(side).casefold() == told.casefold():
                return box
    message = f"{told!r} is no mailbox of plan {plan.name}, and nobody else is ever invited"
    raise UsageError(message, remedy="name one of its addresses")


@contextmanager
def staged(systems: Systems, cast: Cast, stop: Callable[[], bool]) -> Iterator[Stage]:
    """Every session that is needed, logged in: nothing is written before all of them are there."""
    with ExitStack() as held:
        calendar, colleague = (_held(held, _trial(systems, cast, who)) for who in (cast.organizer, cast.attendee))
        mail = [_held(held, watch) for watch in _mail(systems, cast, stop)]
        yield Stage(cast.organizer.target, cast.attendee.target, cast.invited, calendar, colleague, mail)


def _held(held: ExitStack, session: S) -> S:
    held.callback(session.close)
    return session


def _trial(systems: Systems, cast: Cast, who: PlannedMailbox) -> Trial:
    system = cast.system
    connect = partial(cast.connector.trial, system.endpoint)
    return systems.entrance.admit(system.side, system.kinds[0], who, connect)


def _mail(systems: Systems, cast: Cast, stop: Callable[[], bool]) -> Iterator[MailWatch]:
    """The attendee's mail on both sides: before the switch, it still arrives at the old one."""
    places: set[tuple[str, str]] = set()
    for side in reversed(SIDES):
        name = systems.plan.endpoint_name(side, Kind.MAIL)
        system = next(each for each in systems.systems if (each.side, each.endpoint.name) == (side, name))
        place = system.identity, cast.attendee.address(side).casefold()
        if place not in places:
            places.add(place)
            yield MailWatch(_source(systems, system, cast.attendee, stop), name)


def _source(systems: Systems, system: System, who: PlannedMailbox, stop: Callable[[], bool]) -> Source:
    connect = partial(system.connector.source, system.endpoint)
    patience = Patience(ATTEMPTS, FIRST_WAIT, stop=stop)
    return RetryingSource(lambda: systems.entrance.admit(system.side, Kind.MAIL, who, connect), patience)


def facts_of(systems: Systems, cast: Cast, stage: Stage) -> CanaryFacts:
    """What is known before anything is written."""
    return CanaryFacts(
        plan=systems.plan.name,
        endpoint=cast.system.endpoint.name,
        organizer=stage.organizer,
        attendee=stage.attendee,
        invited=stage.invited,
        mail=tuple(watch.endpoint for watch in stage.mail),
        server=stage.calendar.server,
        schedules=stage.calendar.schedules,
    )


# --- the record ---------------------------------------------------------------------------------------------------


def begun(c: Connection, plan_id: int, cast: Cast) -> None:
    """Put on record what is about to be written."""
    journal.append(c, plan_id, journal.PLAN_CHAIN, "canary-begun", _about(cast), time.time())


def ended(c: Connection, plan_id: int, cast: Cast, told: CanaryFacts) -> None:
    """Put on record what came of it; what says nothing about the server leaves the last word as it was."""
    now, verdict, mailed = time.time(), told.verdict, told.observed.mailed
    acts = {name: asdict(getattr(told.observed, name)) for name in ("writing", "removal")}
    facts = {**_about(cast), "verdict": verdict.value, "mailed": mailed, "server": told.server, **acts}
    journal.append(c, plan_id, journal.PLAN_CHAIN, "canary", facts, now)
    if verdict.is_told:
        system = cast.system
        people = cast.organizer.target, cast.attendee.target
        row = CanaryRow(system.identity, system.endpoint.name, verdict.value, mailed, now, told.server, *people)
        canaries.record(c, plan_id, row)


def _about(cast: Cast) -> dict[str, object]:
    return {
        "endpoint": cast.system.endpoint.name,
        "system": cast.system.identity,
        "organizer": cast.organizer.target,
        "invited": list(cast.invited),
    }
