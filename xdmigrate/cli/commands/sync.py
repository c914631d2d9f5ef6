"""`sync`: seeds, resumes, or runs a delta, whatever is due."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import Known, find_home, find_mailboxes, load_plan, of_wave, open_state
from xdmigrate.cli.options import DryRun, KindOption, Mailbox, PlanArgument, Wave, known_kind
from xdmigrate.cli.stopping import stop_on_signals
from xdmigrate.errors import PlanHeld

if TYPE_CHECKING:
    from xdmigrate.cli.compose import Systems
    from xdmigrate.cli.home import Home
    from xdmigrate.cli.running import Bench
    from xdmigrate.jobs.due import Wish
    from xdmigrate.jobs.run import RunResult
    from xdmigrate.report.facts import PlanStatus
    from xdmigrate_state.database import Database

Now = Annotated[bool, typer.Option("--now", help="Do not wait for the time that a server asked for.")]
Accept = Annotated[
    list[str] | None,
    typer.Option("--accept-change", metavar="CHECKSUM", help="Accept the finding that a guard named so. Repeatable."),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks of this run."""

    wave: str = ""
    mailbox: str = ""
    at_once: bool = False
    dry_run: bool = False
    accepted: tuple[str, ...] = ()


def sync(
    call: Call,
    plan: PlanArgument,
    *,
    wave: Wave = "",
    mailbox: Mailbox = "",
    kind: KindOption = "",
    now: Now = False,
    dry_run: DryRun = False,
    accept_change: Accept = None,
) -> int:
    """Copy what is due: seed, resume, or bring up to date.

    Stopping it at any moment, even by kill -9, loses nothing: run the same command again.
    """
    from xdmigrate.cli.compose import Systems

    known_kind(kind)
    asked = Asked(wave, mailbox, now, dry_run, tuple(accept_change or ()))
    file = plan_file(plan, Path.cwd())
    home, loaded = find_home(call, file), load_plan(file)
    stop = threading.Event()
    with ExitStack() as held:
        held.enter_context(stop_on_signals(stop))
        log = call.open_log(home, loaded.name, "dry-run" if dry_run else "sync")
        systems = Systems(loaded, home.folder, kind=kind, stop=stop.is_set, hide=log.redactor.add)
        db = held.enter_context(open_state(call, home, loaded.name, create=True))
        try:
            db = _held(held, home, db, systems, asked)
        except PlanHeld:
            if not mailbox:
                raise
            return _hand_over(call, home, db, loaded.name, mailbox)
        return _perform(call, _bench(home, db, systems, stop, asked), asked)


def _held(held: ExitStack, home: Home, db: Database, systems: Systems, asked: Asked) -> Database:
    """The state to work on: this one under the plan's lock, or a throw-away copy. Raises PlanHeld."""
    from xdmigrate_state import locks
    from xdmigrate_state.database import scratch_copy

    if asked.dry_run:
        return held.enter_context(scratch_copy(db, systems.plan.name))
    held.enter_context(locks.for_plan(db, home.folder, systems.plan.name))
    return db


def _bench(home: Home, db: Database, systems: Systems, stop: threading.Event, asked: Asked) -> Bench:
    from xdmigrate.cli.applying import apply_plan, import_csv_passwords
    from xdmigrate.cli.running import Bench

    import_csv_passwords(systems.plan, systems.vault)
    identity = systems.account_system
    row = db.write(lambda c: apply_plan(c, systems.plan, identity, asked.accepted, time.time()))
    return Bench(home, db, row, systems, stop, asked.accepted, asked.dry_run)


def _perform(call: Call, bench: Bench, asked: Asked) -> int:
    """Raises GuardRefused before anything is done, where people might be invited again."""
    from xdmigrate.cli import promising
    from xdmigrate.cli.progress import shown
    from xdmigrate.cli.running import fresh_start, run

    if asked.dry_run:
        call.note("dry run: nothing is changed on either side")
    promises = promising.promised(bench.systems, promising.told(bench.db, bench.plan.name))
    promising.refuse(promises)
    fresh_start(bench)
    wish = _wish(bench, asked)
    before = bench.status()
    with shown(call, bench.status):
        result = run(bench, wish)
    code = _tell(call, bench, before, result)
    promising.report(call, promises)
    return code


def _wish(bench: Bench, asked: Asked) -> Wish:
    from xdmigrate.jobs.due import Wish
    from xdmigrate_state import mailboxes

    rows = bench.db.read(lambda c: mailboxes.all(c, bench.plan.id))
    if asked.wave:
        of_wave(rows, asked.wave)
    named = frozenset(box.id for box in find_mailboxes(rows, asked.mailbox)) if asked.mailbox else frozenset()
    return Wish(asked.wave, named, asked.at_once)


def _tell(call: Call, bench: Bench, before: PlanStatus, result: RunResult) -> int:
    """The summary: closed arithmetic, whoever reads it."""
    from xdmigrate.cli import predicting
    from xdmigrate.report import text
    from xdmigrate.report.facts import SyncFacts
    from xdmigrate.report.words import zone

    after = bench.status()
    facts = SyncFacts(after, result.seconds, tuple(bench.systems.told_costs()), bench.dry_run)
    call.facts = facts.to_json()
    call.errors.extend(map(predicting.foreseen, result.errors) if bench.dry_run else result.errors)
    call.say(text.status_table(after, zone(bench.systems.plan.customer.timezone or "UTC")))
    call.say(text.sync_headline(after, result.seconds, dry_run=bench.dry_run), text.cost_line(facts))
    call.say(*text.kind_lines(after))
    reasons = bench.reasons()
    call.say(*text.reason_lines(reasons, dry_run=bench.dry_run), *text.empty_lines(after))
    call.say(*text.altered_lines(after), *text.left_lines(after))
    if bench.dry_run:
        call.facts["predictions"] = predicting.facts(bench.predictions.values())
        call.say(text.prediction_line(before, after), predicting.line(bench.predictions.values()))
    return result.exit_code


def _hand_over(call: Call, home: Home, db: Database, plan: str, mailbox: str) -> int:
    """Another process holds the plan: let it sync the mailbox."""
    from xdmigrate.cli.asking import post
    from xdmigrate.jobs.requests import Ask, Verb
    from xdmigrate_state import mailboxes, plans

    row = db.read(lambda c: plans.find(c, plan))
    if row is None:
        raise PlanHeld(f"another run is just beginning plan {plan}", remedy="try again in a few seconds")
    found = find_mailboxes(db.read(lambda c: mailboxes.all(c, row.id)), mailbox)
    answer = post(Known(home, db, row), Ask(Verb.SYNC, tuple(box.id for box in found)))
    call.facts = {"plan": plan, "request": answer.name.lower()}
    call.say(f"{mailbox}: {answer.value}")
    return 0
