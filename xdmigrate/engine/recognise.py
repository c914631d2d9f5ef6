"""Which listed folder is which known one: by permanent id, else by validity, whatever it is called now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from xdmigrate.model import Folder, Path
from xdmigrate_state.rows import FolderRow


class How(Enum):
    """How a listed folder relates to what the state knows."""

    NEW = "new"
    SAME = "same"
    RENAMED = "renamed"  # proved by its permanent id
    MAYBE_RENAMED = "maybe-renamed"  # same validity, old name gone: the doer compares ids and sizes first
    RENUMBERED = "renumbered"  # same folder, other ids: they must be matched anew


@dataclass(frozen=True, slots=True)
class Recognised:
    """One listed folder and the row it belongs to, if any."""

    folder: Folder
    how: How
    row: FolderRow | None = None


def recognise(known: Sequence[FolderRow], listed: Sequence[Folder]) -> tuple[list[Recognised], list[FolderRow]]:
    """Every listed folder with its relation, and the rows whose folder is gone."""
    left = {row.id: row for row in known}
    open_ = {folder.path: folder for folder in listed}
    found: list[Recognised] = []
    for judge in (_by_ref, _by_path, _by_validity):
        for folder in list(open_.values()):
            match = judge(folder, list(left.values()), listed)
            if match is not None and match.row is not None:
                del left[match.row.id], open_[folder.path]
                found.append(match)
    found += [Recognised(folder, How.NEW) for folder in open_.values()]
    return sorted(found, key=lambda r: (len(r.folder.path), r.folder.path)), list(left.values())


def leaving_first(found: Sequence[Recognised]) -> list[Recognised]:
    """The same, but whoever has left a name comes before whoever took it, as far as nobody exchanged names."""
    leaving = {one.row.path: one for one in found if one.row is not None and one.row.path != one.folder.path}
    ordered: dict[Path, Recognised] = {}
    for one in found:
        chain = [one]
        while (before := leaving.get(chain[-1].folder.path)) is not None and before not in chain:
            chain.append(before)
        ordered |= {each.folder.path: each for each in reversed(chain) if each.folder.path not in ordered}
    return list(ordered.values())


def _by_ref(folder: Folder, rows: Sequence[FolderRow], _listed: Sequence[Folder]) -> Recognised | None:
    row = _closest(folder, [r for r in rows if folder.ref and r.ref == folder.ref])
    if row is None:
        return None
    if not _ids_go_on(row, folder):
        return Recognised(folder, How.RENUMBERED, row)
    return Recognised(folder, How.SAME if row.path == folder.path else How.RENAMED, row)


def _by_path(folder: Folder, rows: Sequence[FolderRow], listed: Sequence[Folder]) -> Recognised | None:
    row = _closest(folder, [r for r in rows if r.path == folder.path and r.kind == folder.kind])
    if row is None or (row.ref and folder.ref):
        return None  # both have permanent ids, and they differ: another folder took the name
    if row.validity == folder.validity:
        return Recognised(folder, How.SAME if _ids_go_on(row, folder) else How.RENUMBERED, row)
    if any(f.validity == row.validity and f.path != row.path for f in listed):
        return None  # the folder moved on under another name and a new one took its place
    return Recognised(folder, How.RENUMBERED, row)


def _ids_go_on(row: FolderRow, folder: Folder) -> bool:
    """Whether an id still means the same item.

    Not under another validity; nor when the next id is lower than it was: then the store was restored from a backup and
    gives ids of items that we know to others (RFC 3501 section 2.3.1.1 forbids it; it happens).
    """
    return row.validity == folder.validity and not (folder.next_id and folder.next_id < row.next_id)


def _closest(folder: Folder, rows: Sequence[FolderRow]) -> FolderRow | None:
    """Of several incarnations, left by a run that was stopped while it matched ids anew, the latest."""
    return next(
        (row for row in rows if _ids_go_on(row, folder)),
        next((row for row in rows if row.validity == folder.validity), rows[0] if rows else None),
    )


def _by_validity(folder: Folder, rows: Sequence[FolderRow], _listed: Sequence[Folder]) -> Recognised | None:
    if folder.ref or not folder.validity:
        return None
    alike = [r for r in rows if _could_be(r, folder)]
    return Recognised(folder, How.MAYBE_RENAMED, alike[0]) if len(alike) == 1 else None


def _could_be(row: FolderRow, folder: Folder) -> bool:
    return (
        not row.ref
        and row.kind == folder.kind
        and row.validity == folder.validity
        and row.next_id <= folder.next_id
        and row.counts.seen > 0
    )
