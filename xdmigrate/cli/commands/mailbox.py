"""`mailbox`: one mailbox of a plan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import Known, find_one, load_plan, open_known
from xdmigrate.cli.options import MailboxArgument
from xdmigrate.errors import GuardRefused, UsageError

if TYPE_CHECKING:
    from xdmigrate.jobs.requests import Ask
    from xdmigrate_state.rows import FolderRow, MailboxRow

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown by `status`.")]
Undo = Annotated[bool, typer.Option("--undo", help="Work on it again.")]
New = Annotated[str, typer.Argument(metavar="NEW", help="Its new source address.")]
NewTarget = Annotated[
    str, typer.Option("--target", metavar="ADDRESS", help="Its new target address; by default it stays.")
]


def show(call: Call, plan: str, mailbox: MailboxArgument) -> None:
    """Show a mailbox with its folders."""
    from xdmigrate.report import text
    from xdmigrate.report.folders import folder_json, folder_table
    from xdmigrate.report.status import plan_status
    from xdmigrate.report.words import zone
    from xdmigrate_state import folders

    with open_known(call, plan) as known:
        box = find_one(_rows(known), mailbox)
        found: list[FolderRow] = known.db.read(lambda c: folders.of_mailbox(c, box.id))
        status = known.db.read(lambda c: plan_status(c, known.row.name, time.time()))
    mine = next((one for one in status.mailboxes if one.id == box.id), None)
    call.facts = {"plan": known.row.name, "folders": [folder_json(row) for row in found]}
    call.facts["mailbox"] = mine.to_json() if mine else None
    call.say(text.cell(f"mailbox {box.id}: {box.source} -> {box.target}: {mine.stage if mine else box.stage}"))
    if box.skipped:
        call.say(text.cell(f"skipped: {box.skipped}"))
    if mine:
        call.say(*text.attention_lines([mine], zone(known.timezone)))
    call.say(folder_table(found))


def skip(call: Call, plan: str, mailbox: MailboxArgument, *, reason: Reason = "", undo: Undo = False) -> None:
    """Leave a mailbox out from now on; what is copied stays."""
    from xdmigrate.jobs.requests import Ask, Verb

    with open_known(call, plan) as known:
        box = find_one(_rows(known), mailbox)
        _ask(call, known, box, Ask(Verb.UNSKIP if undo else Verb.SKIP, (box.id,), text=reason))


def reset(call: Call, plan: str, mailbox: MailboxArgument) -> None:
    """Forget what is known of a mailbox; the next pass recognises what is on the target. Removes nothing there."""
    from xdmigrate.jobs.requests import Ask, Verb

    with open_known(call, plan) as known:
        box = find_one(_rows(known), mailbox)
        if not call.options.yes and not _confirmed(call, box):
            raise GuardRefused(f"{box.source}: was not reset", remedy="confirm it, or write --yes")
        _ask(call, known, box, Ask(Verb.RESET, (box.id,)))


def rename(call: Call, plan: str, mailbox: MailboxArgument, new: New, *, target: NewTarget = "") -> None:
    """Give a mailbox other addresses and keep what is known of it. The plan file has to say the same."""
    from xdmigrate.jobs.requests import Ask, Verb

    if not new.strip():
        raise UsageError("the new address is empty", remedy="name it")
    with open_known(call, plan) as known:
        box = find_one(_rows(known), mailbox)
        goal = target or box.target
        listed = _check_plan(plan, new, goal)
        _ask(call, known, box, Ask(Verb.RENAME, (box.id,), source=new, target=goal))
    if not listed:
        call.say(f"now write {new} into the plan file, before the next sync")


def _check_plan(plan: str, source: str, target: str) -> bool:
    """Whether the plan lists the new address. Raises UsageError when it sends it elsewhere: that would copy anew."""
    planned = {box.source.casefold(): box for box in load_plan(plan_file(plan, Path.cwd())).mailboxes}
    found = planned.get(source.casefold())
    if found is not None and found.target.casefold() != target.casefold():
        remedy = f"write `target: {target}` there, or --target {found.target} if the target account was renamed too"
        raise UsageError(f"the plan sends {source} to {found.target}, not to {target}", remedy=remedy)
    return found is not None


def _rows(known: Known) -> list[MailboxRow]:
    from xdmigrate_state import mailboxes

    return known.db.read(lambda c: mailboxes.all(c, known.row.id))


def _confirmed(call: Call, box: MailboxRow) -> bool:
    if not call.on_terminal:
        return False
    return typer.confirm(f"Forget what is known of {box.source}? Nothing is removed on either side.")


def _ask(call: Call, known: Known, box: MailboxRow, request: Ask) -> None:
    from xdmigrate.cli.asking import ask

    answer = ask(known, request)
    call.facts = {"plan": known.row.name, "mailbox": box.id, "request": answer.name.lower()}
    call.say(f"{request.verb.value} {box.source}: {answer.value}")
