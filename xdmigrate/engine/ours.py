"""Which copies nobody has touched since we wrote them: only these are moved, taken over or removed."""

from __future__ import annotations

from collections.abc import Sequence

from xdmigrate.engine.work import Work
from xdmigrate.model import Head, Kind
from xdmigrate_state.rows import ItemRow


def untouched(rows: Sequence[ItemRow], there: dict[bytes, Head], *, sized: bool = True) -> list[bytes]:
    """Pure: target ids of messages that still have the size and flags with which we left them."""
    flags = {row.target_id: row.base_flags for row in rows}
    return [ref for ref in as_sized(rows, there, sized=sized) if there[ref].flags == flags[ref]]


def as_sized(rows: Sequence[ItemRow], there: dict[bytes, Head], *, sized: bool) -> list[bytes]:
    """Pure: target ids of messages that are there with the size that we know; `sized`: sizes prove something."""
    found = ((row, there[row.target_id]) for row in rows if row.target_id is not None and row.target_id in there)
    return [head.ref for row, head in found if not sized or head.size == row.size]


def as_written(rows: Sequence[ItemRow], there: dict[bytes, Head]) -> list[bytes]:
    """Pure: target ids of items of kinds that change, if they still have the very version that we wrote."""
    return [
        row.target_id
        for row in rows
        if row.target_id in there and row.target_version and there[row.target_id].version == row.target_version
    ]


def unchanged_copies(work: Work, kind: Kind | str, rows: Sequence[ItemRow], there: dict[bytes, Head]) -> list[bytes]:
    """Target ids of the copies that nobody has touched, as far as the listing tells."""
    if kind == Kind.MAIL:
        return untouched(rows, there, sized=work.sized(kind))
    return as_written(rows, there)
