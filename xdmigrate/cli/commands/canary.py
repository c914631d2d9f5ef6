"""`canary`: an event of ours to an address of our own, which tells whether a server can be kept from inviting."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import find_home, load_plan, open_state
from xdmigrate.cli.options import DryRun, PlanArgument
from xdmigrate.cli.stopping import stop_on_signals
from xdmigrate.errors import GuardRefused, MailboxError

if TYPE_CHECKING:
    from xdmigrate.cli.canaries import Cast
    from xdmigrate.cli.compose import Systems
    from xdmigrate.cli.home import Home
    from xdmigrate.engine.canary.trial import Stage
    from xdmigrate.engine.context import Clock
    from xdmigrate.report.invitations import CanaryFacts
    from xdmigrate_state.database import Database
    from xdmigrate_state.rows import PlanRow

Organizer = Annotated[
    str, typer.Option("--mailbox", metavar="ADDRESS", help="Whose calendar the event is written into: a mailbox.")
]
Attendee = Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Who is invited: another mailbox of the plan.")]
Where = Annotated[
    str, typer.Option("--endpoint", metavar="ENDPOINT", help="The target of calendars; by default the plan's own.")
]
Wait = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=1, max=3600, help="Watch so long at most, twice; default 60.")
]


def canary(
    call: Call,
    plan: PlanArgument,
    *,
    mailbox: Organizer,
    to: Attendee,
    endpoint: Where = "",
    wait: Wait = 60.0,
    dry_run: DryRun = False,
) -> int:
    """Find out, with an event to an address of your own, whether the target can be kept from sending invitations.

    Exits 0 when that is proved, 5 when it sends all the same, 3 when nothing is proved.
    """
    from xdmigrate.cli.applying import import_csv_passwords
    from xdmigrate.cli.canaries import Cast, begun, ended, facts_of, staged
    from xdmigrate.cli.compose import Systems
    from xdmigrate.engine.context import StopClock

    file = plan_file(plan, Path.cwd())
    home, loaded = find_home(call, file), load_plan(file)
    stop = threading.Event()
    with ExitStack() as held:
        held.enter_context(stop_on_signals(stop))
        log = call.open_log(home, loaded.name, "canary")
        systems = Systems(loaded, home.folder, stop=stop.is_set, hide=log.redactor.add)
        import_csv_passwords(loaded, systems.vault)
        cast = Cast.of(systems, endpoint, mailbox, to)
        if dry_run:
            return _predict(call, systems, cast, held.enter_context(staged(systems, cast, stop.is_set)))
        db = held.enter_context(open_state(call, home, loaded.name, create=True))
        row = _plan(held, db, home, systems)
        stage = held.enter_context(staged(systems, cast, stop.is_set))
        db.write(lambda c: begun(c, row.id, cast))
        facts = _fly(call, facts_of(systems, cast, stage), stage, StopClock(stop), wait)
        db.write(lambda c: ended(c, row.id, cast, facts))
    return _tell(call, facts)


def _plan(held: ExitStack, db: Database, home: Home, systems: Systems) -> PlanRow:
    """The plan's row, under its lock: no run writes there meanwhile. An edit of the plan is left to `sync`."""
    from xdmigrate.cli.applying import apply_plan
    from xdmigrate_state import locks, plans

    plan = systems.plan
    held.enter_context(locks.for_plan(db, home.folder, plan.name))
    row = db.read(lambda c: plans.find(c, plan.name))
    return row or db.write(lambda c: apply_plan(c, plan, systems.account_system, (), time.time()))


def _predict(call: Call, systems: Systems, cast: Cast, stage: Stage) -> int:
    from xdmigrate.cli.canaries import facts_of
    from xdmigrate.engine.canary.events import Pair

    pair = Pair.of(stage.organizer)
    left = sum(len(session.held(pair.uids)) for session in (stage.calendar, stage.colleague))
    facts = replace(facts_of(systems, cast, stage), remnants=left, dry_run=True)
    call.facts = facts.to_json()
    call.say(*facts.lines())
    return 0


def _fly(call: Call, facts: CanaryFacts, stage: Stage, clock: Clock, wait: float) -> CanaryFacts:
    from xdmigrate.engine.canary.events import Pair
    from xdmigrate.engine.canary.trial import Flight, clear

    pair = Pair.of(stage.organizer)
    remnants = clear(stage, pair)
    return replace(facts, remnants=remnants, observed=Flight(stage, pair, clock, wait, call.note).fly())


def _tell(call: Call, facts: CanaryFacts) -> int:
    from xdmigrate.report.canary import Verdict

    call.facts = facts.to_json()
    call.say(*facts.lines())
    codes = {Verdict.SILENT: 0, Verdict.NOT_SILENT: GuardRefused.exit_code}
    return call.code([codes.get(facts.verdict, MailboxError.exit_code)])
