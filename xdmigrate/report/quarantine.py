"""The quarantine as facts for machines, and as a table: what is not copied, and copies that have other bytes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from xdmigrate.report.facts import moment
from xdmigrate.report.text import cell, table
from xdmigrate.report.words import octets
from xdmigrate_state.failures import BEYOND_REPAIR, MAIL
from xdmigrate_state.rows import AlterationRow, FailureRow

REPAIR = "write `scope: {repair: true}` into the plan and run sync: it gets one repaired attempt"
"""The remedy for an item whose bytes the target does not take."""


def may_be_repaired(row: FailureRow | AlterationRow) -> bool:
    """Whether a repaired attempt may still help: refused for its bytes, as far as the reason tells."""
    refused = isinstance(row, FailureRow) and row.mended_at is None and row.reason not in BEYOND_REPAIR
    return refused and row.accepted_at is None and row.kind == MAIL


def item_json(row: FailureRow | AlterationRow) -> dict[str, object]:
    """One item in quarantine, or one altered copy."""
    return {
        "id": row.id,
        "mailbox": row.source,
        "folder": list(row.path),
        "kind": row.kind,
        "size": row.size,
        "code": row.reason,
        "copied": isinstance(row, AlterationRow),
        "detail": row.detail,
        "attempts": row.attempts if isinstance(row, FailureRow) else 1,
        "since": moment(row.at),
        "accepted": moment(row.accepted_at),
        "reason": row.accepted_why,
        "remedy": REPAIR if may_be_repaired(row) else "",
    }


def item_table(rows: Sequence[FailureRow | AlterationRow]) -> Table:
    """One line an item; what kind of data it is, where it is not all mail."""
    several = any(row.kind != MAIL for row in rows)
    made = table("item", "mailbox", *["kind"][:several], "folder", "size", "code", "what was told", "accepted")
    for row in rows:
        place = [*map(cell, [row.kind][:several]), cell("/".join(row.path))]
        accepted = cell(row.accepted_why if row.accepted_at else "")
        made.add_row(row.id, cell(row.source), *place, octets(row.size), cell(row.reason), cell(row.detail), accepted)
    return made


def summary(rows: Sequence[FailureRow | AlterationRow]) -> list[str]:
    """How many of each, how many of them accepted, and what may still help."""
    failed = [row for row in rows if isinstance(row, FailureRow)]
    altered = [row for row in rows if isinstance(row, AlterationRow)]
    lines = [f"{len(failed)} not copied, {_accepted(failed)} of them accepted"]
    if altered:
        lines.append(f"{len(altered)} copied with other bytes, {_accepted(altered)} of them accepted")
    repairable = sum(may_be_repaired(row) for row in failed)
    return [*lines, f"{repairable} of them may pass when repaired: {REPAIR}"] if repairable else lines


def _accepted(rows: Sequence[FailureRow | AlterationRow]) -> int:
    return sum(row.accepted_at is not None for row in rows)
