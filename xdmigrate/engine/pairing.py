"""Pairs every source folder with its target folder: recognises renames, maps names, creates, records the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine import guards
from xdmigrate.engine.fingerprints import known_print, prints
from xdmigrate.engine.listing import merged, rows_of
from xdmigrate.engine.names import Rules, place_folders
from xdmigrate.engine.recognise import How, Recognised, leaving_first, recognise
from xdmigrate.engine.rematch import rematch_source, rematch_target
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Path
from xdmigrate_state import folders, ledger, places
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow

SAMPLE = 10
"""Items that are looked at where a folder may have been renamed."""

Shown = dict[Path, Folder]
"""The target's folders as listed, by path."""


def align(work: Work) -> list[Pair]:
    """Recognise, rename, map and create until every wanted source folder has its place on the target."""
    listed = [folder for folder in work.here() if folder.selectable]
    shown = _shown(work)
    work.shown = dict(shown)
    known = work.known()
    trusted = _believe(work, known, listed)
    found, lost = recognise(known, listed)
    new = _new_rows(work, [one.folder for one in found if one.row is None])
    pairs = _paired(work, found, new, shown)
    _renumbered(work, found, lost, pairs, trusted=trusted)
    _vanished(work, [row for row in lost if all(row.path != pair.folder.path for pair in pairs)])
    _map_names(work, pairs, shown)
    for pair in pairs:
        while pair.row.target_path is not None and not _take_place(work, pair, pair.row.target_path, shown):
            _map_names(work, pairs, shown)
    return pairs


def _shown(work: Work) -> Shown:
    r"""A place that cannot be opened (\Noselect, \NonExistent) is no folder yet: creating it makes it one."""
    return {folder.path: folder for folder in work.there() if folder.selectable}


def _believe(work: Work, known: Sequence[FolderRow], listed: Sequence[Folder]) -> bool:
    """True when the source lost most of its items and a person accepted that. Raises GuardRefused."""
    live = sum(row.counts.seen - row.counts.gone for row in known)
    shown = sum(folder.count for folder in listed)
    return guards.believe_count(work.mailbox.source, "source", known=live, shown=shown, accepted=work.policy.accepted)


# --- the source side --------------------------------------------------------------------------------------------


def _new_rows(work: Work, found: Sequence[Folder]) -> dict[Path, FolderRow]:
    """Rows for folders seen for the first time, by path; one commit for all, for a seed may find hundreds."""
    if not found:
        return {}
    return work.checkpoint(lambda c: {folder.path: _add_row(work, c, folder) for folder in found})


def _add_row(work: Work, c: Connection, folder: Folder) -> FolderRow:
    account, role = work.mailbox.account_id, folder.role or ""
    return folders.add(
        c, work.mailbox.id, account, folder.kind, folder.path, role, folder.ref, folder.validity, folder.next_id
    )


def _paired(work: Work, found: Sequence[Recognised], new: Mapping[Path, FolderRow], shown: Shown) -> list[Pair]:
    """Every listed folder with its row, in the order of `found`; the target's copies follow renames.

    Where names were exchanged, the first to follow finds its name taken: it goes there when all others have followed.
    """
    pairs = {
        one.folder.path: Pair(new[one.folder.path], one.folder) if one.row is None else _pair(work, one, shown)
        for one in leaving_first(found)
    }
    left = {one.row.path for one in found if one.row is not None and one.row.path != one.folder.path}
    for path in sorted(left & pairs.keys()):
        _catch_up(work, work.read(partial(folders.get, folder_id=pairs[path].row.id)), pairs[path].folder, shown)
    rows = {row.id: row for row in work.known()} if left else {}  # a place takes along all that are below it
    for pair in pairs.values():
        pair.row = rows.get(pair.row.id, pair.row)
    return [pairs[one.folder.path] for one in found]


def _catch_up(work: Work, row: FolderRow, folder: Folder, shown: Shown) -> None:
    former, target = row.target_path, _follow(work, row, folder, shown)
    if target is not None and former is not None:
        work.checkpoint(lambda c: _rebase_paths(work, c, former, target))


def _pair(work: Work, one: Recognised, shown: Shown) -> Pair:
    row = one.row
    if row is not None and one.how is How.MAYBE_RENAMED and not _same_items(work, row, one.folder):
        row = None
    if row is None or one.how is How.RENUMBERED:
        return Pair(_new_row(work, one.folder, row), one.folder)
    if row.path != one.folder.path:
        row = _renamed(work, row, one.folder, shown)
    if row.role != (one.folder.role or "") or row.ref != one.folder.ref or row.vanished:
        work.checkpoint(
            lambda c: folders.set_source(c, row.id, role=one.folder.role or "", ref=one.folder.ref, vanished=False)
        )
    return Pair(row, one.folder)


def _new_row(work: Work, folder: Folder, former: FolderRow | None) -> FolderRow:
    """A row for a folder that is not the one it seemed to be, or under new ids: then it goes where it went before."""

    def add(c: Connection) -> FolderRow:
        row = _add_row(work, c, folder)
        if former is None or former.target_path is None:
            return row
        folders.set_target(c, row.id, former.target_path, former.place_id)
        return folders.get(c, row.id)

    return work.checkpoint(add)


def _same_items(work: Work, row: FolderRow, folder: Folder) -> bool:
    """Whether ids, sizes and a few bodies say that this is the folder of the row, under another name.

    Ids alone do not, nor do sizes: some servers give every folder the same validity. Where sizes differ, which some
    servers only estimate, more bodies are looked at.
    """
    alike: list[ItemRow] = []
    sized = True
    for head, known in merged(work.source.heads(folder), rows_of(work, row)):
        if head is not None and known is not None:
            sized = sized and head.size == known.size
            alike[SAMPLE - 1 :] = [known]  # the first ones, and the last
    looked = alike[:1] + alike[-1:] if sized else alike
    held = {
        each.source_id: known_print(folder.kind, each.size, each.fingerprint) for each in looked if each.fingerprint
    }
    if not alike or not (sized or held):
        return False
    return dict(prints(work.source, folder, list(held))) == held


def _renamed(work: Work, row: FolderRow, folder: Folder, shown: Shown) -> FolderRow:
    """The source renamed a folder: the target's copy follows when it is ours and still where we put it."""
    new_target = _follow(work, row, folder, shown)

    def commit(c: Connection) -> FolderRow:
        folders.set_source(c, row.id, path=folder.path)
        if new_target is not None and row.target_path is not None:
            _rebase_paths(work, c, row.target_path, new_target)
        work.note(c, "folder-renamed", before=list(row.path), after=list(folder.path))
        return folders.get(c, row.id)

    return work.checkpoint(commit)


def _follow(work: Work, row: FolderRow, folder: Folder, shown: Shown) -> Path | None:
    place = _known_place(work, row)
    if place is None or not place.created or not work.target.features.rename:
        return None
    if place.path not in shown:  # its owner renamed it, or we did and were stopped before we could say so
        return _moved_by_user(work, place, shown)
    known = {r.path: r.target_path for r in work.known()}
    frozen = {path: target for path, target in known.items() if target is not None and path != row.path}
    wanted = _allowed_names(work, [folder], frozen, shown)[folder.path]
    if wanted == place.path or wanted in {folder.path for folder in work.there()}:
        return None
    work.hold()
    renamed = work.target.rename_folder(shown.pop(place.path), wanted)
    shown.clear()
    shown.update(_shown(work))  # children moved along (RFC 3501 6.3.5)
    return renamed.path


def _rebase_paths(work: Work, c: Connection, old: Path, new: Path) -> None:
    """The target folder and everything below it have new paths."""
    for row in folders.of_mailbox(c, work.mailbox.id):
        if row.kind in work.kinds and row.target_path is not None and row.target_path[: len(old)] == old:
            path = new + row.target_path[len(old) :]
            folders.set_target(c, row.id, path, row.place_id)
            if row.place_id is not None:
                places.rename(c, row.place_id, path)


def _renumbered(
    work: Work, found: Sequence[Recognised], lost: Sequence[FolderRow], pairs: Sequence[Pair], *, trusted: bool
) -> None:
    """Match items anew where the source gave new ids; also where an earlier run was stopped while doing so."""
    by_path = {pair.folder.path: pair for pair in pairs}
    former = [one.row for one in found if one.row is not None and one.how is How.RENUMBERED]
    for row in [*former, *(row for row in lost if row.path in by_path)]:
        rematch_source(work, row, by_path[row.path], trusted=trusted)


def _vanished(work: Work, rows: Sequence[FolderRow]) -> None:
    for row in rows:
        if not row.vanished:
            _retire(work, row)


def _retire(work: Work, row: FolderRow) -> None:
    """The source folder is gone: what was copied stays on the target, the rest was never to be had."""

    def commit(c: Connection) -> None:
        ledger.retire(c, row)
        folders.set_source(c, row.id, vanished=True)
        work.note(c, "folder-gone", path=list(row.path))

    work.checkpoint(commit)


# --- the target side --------------------------------------------------------------------------------------------


def _rules(work: Work) -> Rules:
    return Rules.of(work.target.features, work.policy.scope.rename, work.mailbox.into_path)


def _map_names(work: Work, pairs: Sequence[Pair], shown: Shown) -> None:
    """Choose a target path for every wanted folder that has no place yet; taking the place freezes it."""
    new = [pair for pair in pairs if pair.row.place_id is None and work.policy.scope.wants_folder(pair.folder)]
    if not new:
        return
    chosen = {pair.row.id for pair in new}
    frozen = {pair.row.path: pair.row.target_path for pair in pairs if pair.row.id not in chosen}
    known = {path: target for path, target in frozen.items() if target is not None}
    paths = _allowed_names(work, [pair.folder for pair in new], known, shown)
    for pair in new:
        pair.row = replace(pair.row, target_path=paths[pair.folder.path])


def _allowed_names(work: Work, new: Sequence[Folder], frozen: Mapping[Path, Path], shown: Shown) -> dict[Path, Path]:
    """The map without the paths of which the target tells beforehand that it does not take them."""
    asked = set(shown)
    while True:
        paths = place_folders(new, _rules(work), frozen=frozen, target=shown.values(), refused=work.refused)
        unknown = sorted(set(paths.values()) - asked)
        told = work.target.refuses(unknown) if unknown else set()
        if not told:
            return paths
        asked.update(unknown)
        work.refused |= told


def _take_place(work: Work, pair: Pair, path: Path, shown: Shown) -> bool:
    """Create the target folder, or find it, and record it; False when the target refuses the name."""
    former = _known_place(work, pair.row)
    if former is not None and path not in shown:
        path = _moved_by_user(work, former, shown) or path
    created = path not in shown
    if created and former is not None:
        _believe_gone(work, former)
    folder = _create(work, pair, path, shown) if created else shown[path]
    if folder is None:
        return False
    place = work.read(lambda c: places.find(c, work.mailbox.account_id, path, folder.validity, kind=folder.kind))
    if place is None and not created:
        account = work.mailbox.account_id
        known = former or work.read(lambda c: places.at(c, account, path, kind=folder.kind))  # of another mailbox
        place = rematch_target(work, known, folder) if known is not None else None
    if place is None:
        place = _begin_place(work, pair, replace(folder, path=path), former, created=created)
    elif pair.row.place_id != place.id or (former is not None and former.path != path):
        place = _settle_in(work, pair, place, path)
    pair.place, pair.target = place, folder
    return True


def _known_place(work: Work, row: FolderRow) -> PlaceRow | None:
    return work.read(partial(places.get, place_id=row.place_id)) if row.place_id is not None else None


def _believe_gone(work: Work, place: PlaceRow) -> None:
    known = len(work.read(lambda c: ledger.claims(c, place.account_id, place.id)))
    guards.believe_gone(work.mailbox.target, "/".join(place.path), known=known, accepted=work.policy.accepted)


def _settle_in(work: Work, pair: Pair, place: PlaceRow, path: Path) -> PlaceRow:
    def commit(c: Connection) -> tuple[PlaceRow, FolderRow]:
        if place.path != path:
            places.rename(c, place.id, path)
        folders.set_target(c, pair.row.id, path, place.id)
        return places.get(c, place.id), folders.get(c, pair.row.id)

    place, pair.row = work.checkpoint(commit)
    return place


def _moved_by_user(work: Work, place: PlaceRow, shown: Mapping[Path, Folder]) -> Path | None:
    """The path to which somebody renamed our target folder, if exactly one folder can be it."""
    alike = [folder for folder in shown.values() if _could_be(place, folder)]
    find = partial(places.find, account_id=work.mailbox.account_id, validity=place.validity, kind=place.kind)
    free = [folder for folder in alike if not work.read(partial(find, path=folder.path))]
    found = [folder.path for folder in free if place.ref or _holds_copies(work, place, folder)]
    return found[0] if len(found) == 1 else None


def _could_be(place: PlaceRow, folder: Folder) -> bool:
    """By the folder's permanent id where there is one, else by what cannot have changed."""
    if place.ref or folder.ref:
        return place.ref == folder.ref
    return place.validity == folder.validity != 0 and folder.next_id >= place.next_id


def _holds_copies(work: Work, place: PlaceRow, folder: Folder) -> bool:
    """Whether one of the first copies is there: some servers give every folder the same validity, and the same ids."""
    rows = work.read(lambda c: ledger.by_targets(c, place.account_id, place.id, limit=SAMPLE))
    known = {row.target_id: row for row in rows if row.target_id is not None and row.fingerprint}
    sized = work.sized(folder.kind)
    there = [
        head.ref for head in work.target.look_up(folder, list(known)) if not sized or head.size == known[head.ref].size
    ]
    held = {ref: known_print(folder.kind, known[ref].size, known[ref].fingerprint or b"") for ref in there}
    return any(held[ref] == found for ref, found in prints(work.target, folder, there))


def _create(work: Work, pair: Pair, path: Path, shown: Shown) -> Folder | None:
    """The new folder; None when the target refuses a name that is not frozen and was not refused before."""
    work.hold()
    try:
        folder = work.target.create_folder(path, pair.folder.kind, role=pair.folder.role)
    except FolderUnusable:
        if pair.row.place_id is not None or path in work.refused:
            raise
        work.refused.add(path)
        return None
    if pair.folder.subscribed:
        work.target.subscribe(folder)
    shown[path] = folder
    return folder


def _begin_place(work: Work, pair: Pair, folder: Folder, former: PlaceRow | None, *, created: bool) -> PlaceRow:
    """Record what was there before our first write: it is never ours to touch. A folder just made holds nothing."""
    there = [head.ref for head in work.target.heads(folder)] if folder.count else []
    account = work.mailbox.account_id

    def commit(c: Connection) -> tuple[PlaceRow, FolderRow]:
        if former is not None:
            places.supersede(c, former.id)
        work.note(c, "folder-created" if created else "folder-found", path=list(folder.path), items=len(there))
        place = places.add(
            c,
            account,
            folder.kind,
            folder.path,
            folder.ref,
            folder.validity,
            folder.next_id,
            there,
            created=created,
        )
        folders.set_target(c, pair.row.id, folder.path, place.id)
        if created and not there:
            folders.set_adopted(c, pair.row.id, adopted=True)
        return place, folders.get(c, pair.row.id)

    place, pair.row = work.checkpoint(commit)
    return place
