"""`journal`: the append-only record of everything done to an outside system."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.opened import find_one, open_known
from xdmigrate.cli.options import Mailbox
from xdmigrate.errors import GuardRefused

PAGE = 1000

After = Annotated[int, typer.Option("--after", metavar="N", min=0, help="Only entries behind number N of a chain.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many entries.")]


def show(call: Call, plan: str, *, mailbox: Mailbox = "", after: After = 0, limit: Limit = PAGE) -> None:
    """Show the journal: the plan's chain (0) and one a mailbox."""
    from xdmigrate.report import text
    from xdmigrate.report.facts import moment
    from xdmigrate.report.words import clock, zone
    from xdmigrate_state import journal, mailboxes

    with open_known(call, plan) as known:
        rows = known.db.read(lambda c: mailboxes.all(c, known.row.id))
        chain = find_one(rows, mailbox).id if mailbox else None
        found = known.db.read(lambda c: journal.show(c, known.row.id, chain, after, limit))
        place = zone(known.timezone)
    call.facts = {
        "plan": known.row.name,
        "entries": [
            {"chain": row.chain, "seq": row.seq, "at": moment(row.at), "event": row.event, "facts": row.facts}
            | {"hash": row.hash.hex()}
            for row in found
        ],
    }
    made = text.table("chain", "entry", "at", "event", "facts")
    for row in found:
        facts = text.cell(json.dumps(row.facts, ensure_ascii=False))
        made.add_row(str(row.chain), str(row.seq), clock(row.at, place), text.cell(row.event), facts)
    call.say(made)


def verify(call: Call, plan: str) -> None:
    """Prove that no entry was edited, removed or moved. Exits 5 when one was."""
    from xdmigrate_state import journal

    with open_known(call, plan) as known:
        breaks = known.db.read(lambda c: journal.verify(c, known.row.id))
    call.facts = {"plan": known.row.name, "breaks": breaks}
    if breaks:
        raise GuardRefused("\n".join(f"journal: {line}" for line in breaks), remedy="compare it with a backup")
    call.say("the journal is whole")
