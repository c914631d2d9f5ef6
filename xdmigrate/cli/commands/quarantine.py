"""`quarantine`: the items that could not be copied, by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.opened import Known, find_mailboxes, open_known
from xdmigrate.cli.options import Mailbox
from xdmigrate.errors import UsageError
from xdmigrate.report.words import counted, counted_are

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from xdmigrate_state.rows import AlterationRow, FailureRow

Row = TypeVar("Row", "FailureRow", "AlterationRow", "FailureRow | AlterationRow")

SHORTEST_TYPED = 4
"""Characters by which an item may be named; less is no name."""

Items = Annotated[
    list[str] | None, typer.Argument(metavar="[ITEM]...", help="Items as `list` names them, e.g. 12.1f3.")
]
Code = Annotated[str, typer.Option("--code", metavar="CODE", help="All items that failed for this reason.")]
All = Annotated[bool, typer.Option("--all", help="All items in quarantine.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is right that they are as they are.")]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Where to put them; made if it is not there.")]


def show(call: Call, plan: str, *, mailbox: Mailbox = "", code: Code = "") -> None:
    """List what could not be copied, and what was copied with other bytes, and why."""
    from xdmigrate.report import text
    from xdmigrate.report.quarantine import item_json, item_table, short_names, summary

    with open_known(call, plan) as known:
        found: list[FailureRow | AlterationRow] = [*_failed(known, mailbox, code), *_altered(known, mailbox, code)]
        names = short_names(row.id for row in _all(known))
    call.facts = {"plan": known.row.name, "items": [item_json(row) for row in found]}
    if found:
        call.say(item_table(found, names))
    call.say(*(text.cell(line) for line in summary(found)))


def retry(call: Call, plan: str, items: Items = None, *, code: Code = "", every: All = False) -> None:
    """Try items once more: at once where a process is running, else with the next sync."""
    from xdmigrate.cli.asking import ask
    from xdmigrate.jobs.requests import Ask, Verb

    with open_known(call, plan) as known:
        rows = _failed(known, "", "") if every else _all(known)
        chosen = _not_copied(_chosen(rows, items or [], code, every=every))
        boxes = tuple(sorted({row.mailbox_id for row in chosen}))
        answer = ask(known, Ask(Verb.RETRY, boxes, tuple(row.id for row in chosen)))
    call.facts = {"plan": known.row.name, "items": len(chosen), "request": answer.name.lower()}
    call.say(f"retry of {counted(len(chosen), 'item')}: {answer.value}")


def accept(
    call: Call, plan: str, items: Items = None, *, reason: Reason = "", code: Code = "", every: All = False
) -> None:
    """Accept that items are not copied, or copied with other bytes, with a reason; the journal keeps it."""
    if not reason.strip():
        raise UsageError("accepting needs a reason", remedy="write --reason TEXT")
    with open_known(call, plan) as known:
        chosen = _chosen(_all(known), items or [], code, every=every)
        failed = known.db.write(lambda c: _accept(c, known, chosen, reason.strip()))
    altered = len(chosen) - failed
    call.facts = {"plan": known.row.name, "items": len(chosen), "altered": altered}
    if failed or not altered:
        call.say(f"accepted that {counted_are(failed, 'item')} not copied")
    if altered:
        call.say(f"accepted that {counted_are(altered, 'item')} copied with other bytes")


def _accept(c: Connection, known: Known, chosen: Sequence[FailureRow | AlterationRow], why: str) -> int:
    """Returns how many of them are not copied."""
    from xdmigrate_state import alterations, failures, journal
    from xdmigrate_state.rows import FailureRow

    now = time.time()
    failed = [row for row in chosen if isinstance(row, FailureRow)]
    altered = [row for row in chosen if not isinstance(row, FailureRow)]
    failures.accept(c, [(row.folder_id, row.source_id) for row in failed], why, now)
    alterations.accept(c, [(row.folder_id, row.source_id) for row in altered], why, now)
    for mailbox_id in sorted({row.mailbox_id for row in chosen}):
        ids = [row.id for row in chosen if row.mailbox_id == mailbox_id]
        journal.append(c, known.row.id, mailbox_id, "accepted", {"items": ids, "why": why}, now)
    return len(failed)


def export(call: Call, plan: str, directory: Directory, *, mailbox: Mailbox = "") -> int:
    """Fetch the refused items from the source into files, readable by you only, with a list as CSV."""
    from xdmigrate.cli.exporting import export as write

    return write(call, plan, directory, mailbox)


def _all(known: Known) -> list[FailureRow | AlterationRow]:
    return [*_failed(known, "", ""), *_altered(known, "", "")]


def _failed(known: Known, mailbox: str, code: str) -> list[FailureRow]:
    from xdmigrate_state import failures

    return _of(known, known.db.read(lambda c: failures.of_plan(c, known.row.id)), mailbox, code)


def _altered(known: Known, mailbox: str, code: str) -> list[AlterationRow]:
    from xdmigrate_state import alterations

    return _of(known, known.db.read(lambda c: alterations.of_plan(c, known.row.id)), mailbox, code)


def _of(known: Known, rows: list[Row], mailbox: str, code: str) -> list[Row]:
    from xdmigrate_state import mailboxes

    if mailbox:
        boxes = find_mailboxes(known.db.read(lambda c: mailboxes.all(c, known.row.id)), mailbox)
        rows = [row for row in rows if row.mailbox_id in {box.id for box in boxes}]
    return [row for row in rows if not code or row.reason == code]


def _not_copied(rows: Sequence[FailureRow | AlterationRow]) -> Sequence[FailureRow | AlterationRow]:
    """Raises UsageError for what is copied already: it is never sent again."""
    from xdmigrate_state.rows import AlterationRow

    for row in rows:
        if isinstance(row, AlterationRow):
            remedy = "`xdmigrate quarantine PLAN accept` accepts it as it is"
            raise UsageError(f"{row.id!r} is copied, with other bytes; it is not sent again", remedy=remedy)
    return rows


def _chosen(rows: Sequence[Row], items: Sequence[str], code: str, *, every: bool) -> list[Row]:
    """The items that are meant. Raises UsageError for one that is not in quarantine, and when none is meant."""
    if sum((bool(items), bool(code), every)) != 1:
        raise UsageError("say which items", remedy="name them, or write --code CODE, or --all")
    if code:
        return _of_code(rows, code)
    return [_one(rows, item) for item in items] if items else list(rows)


def _of_code(rows: Sequence[Row], code: str) -> list[Row]:
    found = [row for row in rows if row.reason == code]
    if rows and not found:
        known = ", ".join(sorted({row.reason for row in rows}))
        raise UsageError(f"no item is in quarantine for {code!r}", remedy=f"the codes there are: {known}")
    return found


def _one(rows: Sequence[Row], item: str) -> Row:
    """The item of this id, or the only one whose id begins so."""
    alike = [row for row in rows if row.id.startswith(item)] if len(item) >= SHORTEST_TYPED else []
    found = [row for row in rows if row.id == item] or alike
    if len(found) > 1:
        raise UsageError(f"{item!r} is the beginning of {len(found)} items", remedy="name more of it")
    if not found:
        raise UsageError(f"{item!r} is not in quarantine", remedy="`xdmigrate quarantine PLAN list` shows what is")
    return found[0]
