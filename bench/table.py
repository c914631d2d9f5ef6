"""Results as text for people: tables, ratios, goals. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import APPEND
from bench.measure import Row
from bench.phases import Result, spread

OURS = "xdmigrate"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

GOALS: dict[str, dict[str, float]] = {
    "maildir": {"imapsync": 8, "mbsync": 2.5, "dsync": 1.4, APPEND: 0.8},
    "mdbox": {"imapsync": 18, "mbsync": 2.5, "dsync": 1.4, APPEND: 0.8},
    "latency": {"imapsync": 27, "mbsync": 3, "dsync": 1.5},
    "tls": {"mbsync": 1.8, "dsync": 1.1},
    "unchanged": {"mbsync": 3, "imapsync": 250},
    "delta": {"mbsync": 1},
    "groupware": {"vdirsyncer": 5},
}
"""How many times faster than each tool we mean to be at least, in the same run."""

MAILBOX = 0.020
"""Seconds for a mailbox in which nothing changed, in a run of many, start-up excluded."""

PEAK = 120_000_000
"""Bytes of memory that we mean to stay below."""

STATE, MANY = 80, 100_000
"""Bytes of state for each message that we mean to stay below, among so many; an empty state has 0.25 MB."""

HEAD = "| | s | start-up s | messages/s | MB/s | client CPU s | peak MB | commands | ratio | target |"
RULE = "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"


def render(result: Result) -> str:
    """One phase: title, table, goals, notes."""
    lines = [f"### {result.title}", "", HEAD, RULE]
    lines += [_line(row, ratio(result, row)) for row in result.rows]
    kept = [f"{row.tool} {row.kept / row.messages:.0f} bytes" for row in result.rows if row.kept]
    notes = [*result.notes, *([f"Kept for the next run, each message: {', '.join(kept)}."] if kept else [])]
    notes.append(f"No run was further than {spread(result.rows):.0%} from its tool's median.")
    return "\n".join([*lines, "", *goals(result), *notes, ""])


def ours(result: Result) -> Row | None:
    """Our row."""
    return next((row for row in result.rows if row.tool == OURS), None)


def ratio(result: Result, row: Row) -> float | None:
    """How many times faster we were: messages a second, or for updates the time without start-up."""
    own = ours(result)
    if own is None or own is row:
        return None
    return row.working / own.working if result.update else own.rate / row.rate


def goals(result: Result) -> list[str]:
    """What was aimed at and what came out, one line each."""
    named = GOALS.get(result.phase, {})
    found = [(row, ratio(result, row), named[row.tool]) for row in result.rows if row.tool in named]
    lines = [
        _goal(f"{value:.2f} × {row.tool}", f"≥ {goal:g} ×", met=value >= goal) for row, value, goal in found if value
    ]
    own = ours(result)
    if own is not None and result.mailboxes > 1:
        each = own.working / result.mailboxes
        lines.append(_goal(f"{1000 * each:.1f} ms a mailbox", f"≤ {1000 * MAILBOX:.0f} ms", met=each <= MAILBOX))
    if own is not None:
        if own.kept and own.messages >= MANY:
            each = own.kept / own.messages
            lines.append(_goal(f"state {each:.0f} bytes a message", f"≤ {STATE}", met=each <= STATE))
        lines.append(_goal(f"peak memory {own.rss / 1e6:.0f} MB", f"≤ {PEAK / 1e6:.0f} MB", met=own.rss <= PEAK))
    return lines


def missed(results: Sequence[Result]) -> list[str]:
    """The goals that were not met."""
    return [f"{result.phase}: {line[2:]}" for result in results for line in goals(result) if "**missed**" in line]


def _goal(what: str, wanted: str, *, met: bool) -> str:
    return f"- {what}; goal {wanted}: {'met' if met else '**missed**'}"


def _line(row: Row, factor: float | None) -> str:
    bad = next((run.exits for run in row.runs if not run.ok), None)
    state = str(row.difference) if row.difference is not None else ""
    cells = [
        row.tool,
        f"{row.seconds:.2f}",
        f"{row.seconds - row.working:.2f}" if row.startups else "",
        f"{row.rate:,.0f}",
        f"{row.octets / row.seconds / 1e6:,.1f}",
        f"{row.cpu:.2f}",
        f"{row.rss / 1e6:.0f}" if row.rss else "",
        "" if row.commands is None else f"{row.commands:,}",
        "" if factor is None else f"{factor:.2f} ×",
        f"{state} (exit {max(bad)})" if bad else state,
    ]
    return f"| {' | '.join(cells)} |"


def replaced(document: str, block: str) -> str:
    """The document with what stands between the marks replaced. Raises ValueError where a mark is missing."""
    before, found, rest = document.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{BEGIN} … {END} is not in the document")
    return f"{before}{BEGIN}\n{block.strip()}\n{END}{after}"
