"""Late twins: an unknown write that committed after all, beside the copy that was sent again.

A twin is removed only when its bytes are equal, the claimed copy exists, and nobody touched its flags; else it is
reported in the journal and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.altering import as_copied
from xdmigrate.engine.closing import unclaimed
from xdmigrate.engine.fingerprints import known_print, prints
from xdmigrate.engine.match import Look, pair_alike
from xdmigrate.engine.work import Work
from xdmigrate.model import Folder, Head, Path
from xdmigrate_state import doubts, folders, ledger, merges, places
from xdmigrate_state.rows import DoubtRow, ItemRow


def remove_late_twins(work: Work) -> Iterator[None]:
    """Look for twins of everything doubtful. Yields after each target folder."""
    mine = {row.id for row in work.known(live=False)}
    known = work.read(lambda c: doubts.of_mailbox(c, work.mailbox.id))
    doubtful = [each for each in known if each.folder_id in mine and each.fingerprint is None]  # an update has no twin
    if not doubtful:
        return
    shown = {folder.path: folder for folder in work.there()}
    by_place: dict[int, list[DoubtRow]] = {}
    for doubt in doubtful:
        by_place.setdefault(doubt.place_id, []).append(doubt)
    for place_id, rows in by_place.items():
        _look(work, place_id, rows, shown)
        yield


def _look(work: Work, place_id: int, doubtful: Sequence[DoubtRow], shown: dict[Path, Folder]) -> None:
    place = work.read(lambda c: places.get(c, place_id))
    folder = shown.get(place.path)
    if folder is None or folder.validity != place.validity:
        return
    free = unclaimed(work, place, folder, min(doubt.floor for doubt in doubtful))
    items = [
        item
        for item in as_copied(work, _items(work, doubtful))
        if item.fingerprint and item.target_id and item.place_id == place_id
    ]
    sizes = {item.size for item in items}
    sized = work.sized(place.kind)
    contents = dict(prints(work.target, folder, [r for r, head in free.items() if not sized or head.size in sizes]))
    wanted = [(item.target_id or b"", known_print(place.kind, item.size, item.fingerprint or b"")) for item in items]
    looks = {item.target_id or b"": Look(item.base_flags) for item in items}
    copies = {ref: Look(free[ref].flags) for ref in contents}
    twins = dict(pair_alike(wanted, sorted(contents.items()), looks, copies))
    if twins:
        _remove(work, folder, place.id, _untouched(work, folder, items, twins, free), len(twins))


def _items(work: Work, doubtful: Sequence[DoubtRow]) -> Iterator[ItemRow]:
    by_folder: dict[int, list[bytes]] = {}
    for doubt in doubtful:
        by_folder.setdefault(doubt.folder_id, []).append(doubt.source_id)
    for folder_id, refs in by_folder.items():
        row = work.read(partial(folders.get, folder_id=folder_id))
        standings = work.read(partial(merges.of_folder, folder=row, refs=refs))
        for ref, item in work.read(partial(ledger.by_refs, folder=row, refs=refs)).items():
            yield replace(item, **standings[ref]._asdict()) if ref in standings else item


def _untouched(
    work: Work, folder: Folder, items: Sequence[ItemRow], twins: dict[bytes, bytes], free: dict[bytes, Head]
) -> list[bytes]:
    """Twins whose claimed copy is there and whose flags are as we sent them."""
    lowest = min(twins)
    there = {head.ref for head in work.target.heads(folder, lowest)}
    sent = {item.target_id: item.base_flags for item in items}
    return [twin for claimed, twin in twins.items() if claimed in there and free[twin].flags == sent[claimed]]


def _remove(work: Work, folder: Folder, place_id: int, refs: Sequence[bytes], found: int) -> None:
    work.hold()
    work.checkpoint(
        lambda c: work.note(c, "late-twins", place=place_id, found=found, removing=[ref.hex() for ref in refs])
    )
    if refs:
        work.target.remove(folder, refs)


def forget_doubts(work: Work, c: Connection) -> None:
    """Called when a pass completes: doubts that have been looked for often enough end."""
    doubts.drop_expired(c, work.mailbox.id, work.mailbox.passes + 1)
