"""`verify`: compares both sides anew, independently of the copy path."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import find_home, find_mailboxes, load_plan, open_state
from xdmigrate.cli.options import KindOption, Mailbox, PlanArgument, known_kind
from xdmigrate.cli.stopping import stop_on_signals
from xdmigrate.errors import MailboxError, StateUnusable, Stopped, UsageError
from xdmigrate.report.words import printable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from xdmigrate.cli.compose import Systems
    from xdmigrate.engine.verification.audit import Depth
    from xdmigrate.report.verdicts import MailboxVerdict, PlanVerdict
    from xdmigrate_state.database import Database
    from xdmigrate_state.rows import MailboxRow, PlanRow

SHOWN = 20
"""Details of each state that are shown for a mailbox; --json has them all."""

Full = Annotated[bool, typer.Option("--full", help="Compare every body, not a sample.")]
Sample = Annotated[
    int | None, typer.Option("--sample", metavar="N", min=0, help="Bodies to compare in each folder; by default 50.")
]


def verify(
    call: Call,
    plan: PlanArgument,
    *,
    full: Full = False,
    sample: Sample = None,
    mailbox: Mailbox = "",
    kind: KindOption = "",
) -> int:
    """Compare both sides anew: every item's presence, size, flags and date, and bodies as deep as asked for.

    Exits 0 for pass, and for pass-with-exceptions when every quarantined item was accepted; otherwise 3.
    """
    from xdmigrate.cli import promising
    from xdmigrate.cli.applying import scope
    from xdmigrate.cli.compose import Systems
    from xdmigrate.cli.verifying import Verification
    from xdmigrate.engine.verification.audit import Depth
    from xdmigrate.report.verdicts import judge_plan

    known_kind(kind)
    if full and sample is not None:
        raise UsageError("--full and --sample exclude each other", remedy="leave one out")
    depth = Depth(full=True) if full else Depth() if sample is None else Depth(sample=sample)
    file = plan_file(plan, Path.cwd())
    home, loaded = find_home(call, file), load_plan(file)
    stop = threading.Event()
    log = call.open_log(home, loaded.name, "verify")
    systems = Systems(loaded, home.folder, kind=kind, stop=stop.is_set, hide=log.redactor.add)
    with open_state(call, home, loaded.name, create=False) as db:
        row, chosen = _chosen(db, loaded.name, mailbox)
        verification = Verification(db, systems, scope(loaded), depth, stop, call.add, partial(_told, call))
        with stop_on_signals(stop):
            verdict = judge_plan(verification.run(chosen))
        db.write(lambda c: _note(c, row, verdict, depth, systems))
        promises = promising.promised(systems, promising.told(db, loaded.name))
    if stop.is_set():
        call.add(Stopped("stopped on request", remedy="run verify again; it begins anew"))
    code = _tell(call, verdict)
    promising.report(call, promises)
    return code


def _chosen(db: Database, plan: str, mailbox: str) -> tuple[PlanRow, list[MailboxRow]]:
    """The mailboxes to verify. Raises UsageError when there is none: nothing verified is nothing proved."""
    from xdmigrate_state import mailboxes, plans

    row = db.read(lambda c: plans.find(c, plan))
    if row is None:
        raise StateUnusable(f"state: nothing is known of plan {plan}", remedy="run sync first")
    rows = [box for box in db.read(lambda c: mailboxes.all(c, row.id)) if box.listed and not box.skipped]
    if not rows:
        remedy = "`xdmigrate mailbox PLAN skip MAILBOX --undo` takes one up again"
        raise UsageError("every mailbox is skipped or no longer listed", remedy=remedy)
    return row, find_mailboxes(rows, mailbox) if mailbox else rows


def _told(call: Call, verdict: MailboxVerdict) -> None:
    if not call.options.json:
        call.note(printable(f"{verdict.source}: {verdict.verdict.value}"))


def _note(c: Connection, plan: PlanRow, verdict: PlanVerdict, depth: Depth, systems: Systems) -> None:
    """What was proved, of which kinds and how deep, belongs to the record."""
    from xdmigrate_state import journal

    facts: dict[str, object] = {
        "verdict": verdict.verdict.value,
        "mailboxes": {str(box.id): box.verdict.value for box in verdict.mailboxes},
        "kinds": [kind.value for route in systems.routes for kind in route.kinds],
        "bodies": "all" if depth.full else depth.sample,
    }
    journal.append(c, plan.id, journal.PLAN_CHAIN, "verify", facts, time.time())


def _tell(call: Call, verdict: PlanVerdict) -> int:
    from xdmigrate.report import proof
    from xdmigrate.report.verdicts import Verdict

    call.facts = verdict.to_json()
    call.say(proof.verdict_table(verdict))
    for box in verdict.mailboxes:
        call.say(*proof.detail_lines(box, SHOWN))
    call.say(proof.verdict_headline(verdict))
    return call.code([MailboxError.exit_code] if verdict.verdict is Verdict.FAIL else [])
