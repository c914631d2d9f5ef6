"""The quarantine as facts for machines, and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from xdmigrate.report.facts import moment
from xdmigrate.report.text import cell, table
from xdmigrate.report.words import octets
from xdmigrate_state.rows import FailureRow


def failure_json(row: FailureRow) -> dict[str, object]:
    """One item in quarantine."""
    return {
        "id": row.id,
        "mailbox": row.source,
        "folder": list(row.path),
        "size": row.size,
        "code": row.reason,
        "detail": row.detail,
        "attempts": row.attempts,
        "since": moment(row.at),
        "accepted": moment(row.accepted_at),
        "reason": row.accepted_why,
    }


def failure_table(rows: Sequence[FailureRow]) -> Table:
    """One line an item."""
    made = table("item", "mailbox", "folder", "size", "code", "the server's words", "accepted")
    for row in rows:
        place = cell("/".join(row.path))
        accepted = cell(row.accepted_why if row.accepted_at else "")
        made.add_row(row.id, cell(row.source), place, octets(row.size), cell(row.reason), cell(row.detail), accepted)
    return made
