"""The quarantine as facts for machines, and as a table: what is not copied, and copies that have other bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from os.path import commonprefix

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


SHORTEST = 10
"""Characters of an item's name that are shown at least."""


def short_names(ids: Iterable[str]) -> dict[str, str]:
    """Each id with its shortest beginning that no other one has: what a person can type."""
    ordered = sorted(ids)
    alike = [len(commonprefix(pair)) for pair in pairwise(ordered)]  # noqa: RUF071 - of texts, not of paths
    longest = [max(pair) for pair in pairwise([0, *alike, 0])][: len(ordered)]
    return {each: each[: max(SHORTEST, length + 1)] for each, length in zip(ordered, longest, strict=True)}


def item_table(rows: Sequence[FailureRow | AlterationRow], names: Mapping[str, str]) -> Table:
    """One line an item, by its short name; whose it is and what kind of data, where that is not the same for all."""
    boxes, kinds = len({row.source for row in rows}) > 1, any(row.kind != MAIL for row in rows)
    columns = ("item", *["mailbox"][:boxes], *["kind"][:kinds], "folder", "size", "code", "what was told")
    made = table(*columns, whole=("item", "kind", "size", "code"))
    for row in rows:
        about = [cell(row.source)][:boxes] + [cell(row.kind)][:kinds] + [cell("/".join(row.path))]
        told = f"accepted: {row.accepted_why}; {row.detail}" if row.accepted_at else row.detail
        made.add_row(names[row.id], *about, octets(row.size), cell(row.reason), cell(told))
    return made


def summary(rows: Sequence[FailureRow | AlterationRow]) -> list[str]:
    """How many of each, how many of them accepted, and what may still help."""
    failed = [row for row in rows if isinstance(row, FailureRow)]
    altered = [row for row in rows if isinstance(row, AlterationRow)]
    lines = [f"{len(failed)} not copied{_by_reason(failed)}, {_accepted(failed)} of them accepted"]
    if altered:
        lines.append(f"{len(altered)} copied with other bytes, {_accepted(altered)} of them accepted")
    repairable = sum(may_be_repaired(row) for row in failed)
    return [*lines, f"{repairable} of them may pass when repaired: {REPAIR}"] if repairable else lines


def _by_reason(rows: Sequence[FailureRow]) -> str:
    """How many for each reason, where there are several."""
    counted = Counter(row.reason for row in rows).most_common()
    return f" ({', '.join(f'{count} {reason}' for reason, count in counted)})" if counted else ""


def _accepted(rows: Sequence[FailureRow | AlterationRow]) -> int:
    return sum(row.accepted_at is not None for row in rows)
