"""Which copies nobody has touched since we wrote them: only these are moved, taken over or removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdmigrate.engine.fingerprints import prints
from xdmigrate.engine.moves import content
from xdmigrate.engine.work import Work
from xdmigrate.model import Folder, Head, Kind
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


def estimated(work: Work, folder: Folder, rows: Sequence[ItemRow], there: Mapping[bytes, Head]) -> bool:
    """Whether the target only estimates sizes: a copy of another size than we know is ours all the same."""
    known = ((row, there[row.target_id]) for row in rows if row.target_id is not None and row.target_id in there)
    row, head = next(((row, head) for row, head in known if row.fingerprint and head.size != row.size), (None, None))
    if row is None or head is None:
        return False
    return any(held == content(row, folder.kind) for _, held in prints(work.target, folder, [head.ref]))


def unchanged_by_content(work: Work, folder: Folder, rows: Sequence[ItemRow], there: dict[bytes, Head]) -> list[bytes]:
    """Target ids of the copies that nobody has touched although their sizes differ, where those are only estimated."""
    other = [row for row in rows if row.target_id in there and there[row.target_id].size != row.size]
    if not work.sized(folder.kind) or not estimated(work, folder, other, there):
        return []
    held = dict(prints(work.target, folder, untouched(other, there, sized=False)))
    known = {row.target_id: content(row, folder.kind) for row in other if row.fingerprint}
    return [ref for ref, found in held.items() if known.get(ref) == found]
