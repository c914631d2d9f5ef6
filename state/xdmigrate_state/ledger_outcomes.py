"""What became of items: seen, settled, reopened, filtered anew, withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select, update

from xdmigrate.model import Outcome
from xdmigrate_state import alterations, failures, identities, merges, words
from xdmigrate_state.ledger_rows import CHUNK, Change, Held, load, remove, replace, store_new, within
from xdmigrate_state.packing import flags_text
from xdmigrate_state.rows import FolderKey, NewItem, Renewal, Settled, Standing
from xdmigrate_state.tables import folder as folder_table
from xdmigrate_state.tables import item

RETRIED = "retried"
"""The note of an update that a person asked for once more."""

_PENDING, _FAILED, _FILTERED = int(Outcome.PENDING), int(Outcome.FAILED), int(Outcome.FILTERED)
_MERGED, _COPIED, _PRESENT = int(Outcome.MERGED), int(Outcome.COPIED), int(Outcome.PRESENT)
_LINKED = frozenset({int(Outcome.COPIED), int(Outcome.PRESENT)})
_UNDECIDED = frozenset({_PENDING, _FAILED})
_LINK = ("place_id", "target_id", "target_version")
_SETTLED = ("outcome", "size", "fingerprint", "base_flags", "base_version", "note", *_LINK)
_OPENED = ("outcome", "note", *_LINK)
_RENEWED = ("outcome", "size", "base_version", "note")


def add(c: Connection, folder: FolderKey, rows: Sequence[NewItem]) -> None:
    """Items seen for the first time, pending or filtered. Raises IntegrityError when one has a row already."""
    for row in rows:
        if row.outcome not in (Outcome.PENDING, Outcome.FILTERED):
            raise ValueError(f"a new item cannot be {row.outcome.name.lower()}")
    flags = flag_numbers(c, (row.flags for row in rows))
    notes = words.ids(c, {row.note for row in rows if row.note})
    new = [
        Held(
            source_id=row.source_id,
            outcome=int(row.outcome),
            gone=False,
            size=row.size,
            fingerprint=None,
            place_id=None,
            target_id=None,
            base_flags=flags[row.flags],
            base_version=row.version or None,
            note=notes[row.note] if row.note else None,
        )
        for row in rows
    ]
    store_new(c, folder, new)


def settle(c: Connection, folder: FolderKey, rows: Sequence[Settled], now: float) -> None:
    """Give pending (or failed) items their outcome. An update that fails keeps its link to the outdated copy.

    Copied and present need the place and the id that prove them. A row that has such an outcome never changes: the
    same proof again does nothing, another one raises ValueError, as does an item that the ledger does not know.
    """
    held = load(c, folder, (row.source_id for row in rows))
    flags = flag_numbers(c, (row.flags for row in rows if row.flags is not None))
    notes = words.ids(c, {row.reason for row in rows if row.reason})
    changes: dict[bytes, Change] = {}
    for row in rows:
        before = _known(held, row.source_id)
        after = _settled(before, row, flags, notes)
        if after is not None:
            first, _ = changes.get(row.source_id, (before, before))
            changes[row.source_id] = (first, after)
            held[row.source_id] = after
    replace(c, folder, list(changes.values()), *_SETTLED)
    _quarantine(c, folder, rows, changes, now)


def reopen(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> int:
    """Make items pending again, whatever became of them; returns how many did. They have no copy any more.

    Unknown ones are left, and pending ones that have none. What was merged into their copies is pending again, too.
    """
    held = load(c, folder, refs)
    changes = [
        (row, row._replace(outcome=_PENDING, place_id=None, target_id=None, target_version=None, note=None))
        for row in held.values()
        if row.outcome != _PENDING or row.target_id is not None
    ]
    replace(c, folder, changes, *_OPENED)
    failures.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome == _FAILED])
    alterations.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome != _FAILED])
    merges.release(c, folder, [row.source_id for row, _ in changes if row.outcome == _MERGED])
    _reopen_dependents(c, [row for row, _ in changes])
    return len(changes)


def retry(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> int:
    """Make failed items pending again; returns how many did. An update keeps its link and is noted as `RETRIED`."""
    held = load(c, folder, refs)
    retried = words.ids(c, {RETRIED})[RETRIED]
    changes = [
        (row, row._replace(outcome=_PENDING, note=None if row.target_id is None else retried))
        for row in held.values()
        if row.outcome == _FAILED
    ]
    replace(c, folder, changes, "outcome", "note")
    failures.release(c, folder.id, [row.source_id for row, _ in changes])
    return len(changes)


def _reopen_dependents(c: Connection, lost: Iterable[Held]) -> None:
    """What was merged into these copies stands for nothing any more."""
    standings = [Standing(row.place_id, row.target_id) for row in lost if row.place_id and row.target_id]
    for other, merged in merges.dependents(c, standings).items():
        reopen(c, other, merged)


def renew(c: Connection, folder: FolderKey, rows: Iterable[Renewal]) -> int:
    """Items that changed at the source are pending with their new size and version; returns how many are known.

    A copy keeps its link and the fingerprint of what it holds: the pending row is an update of it.
    """
    told = {row.source_id: row for row in rows}
    held = load(c, folder, told)
    changes = [(row, _renewed(row, told[ref])) for ref, row in held.items()]
    replace(c, folder, changes, *_RENEWED)
    failures.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome == _FAILED])
    merges.release(c, folder, [row.source_id for row, _ in changes if row.outcome == _MERGED])
    _reopen_dependents(c, [row for row, _ in changes if row.outcome in _LINKED])
    return len(changes)


def _renewed(row: Held, told: Renewal) -> Held:
    note = row.note if row.outcome == _PENDING else None  # what was asked for once more still is
    return row._replace(outcome=_PENDING, size=told.size, base_version=told.version or None, note=note)


def link(c: Connection, folder: FolderKey, rows: Sequence[Settled]) -> None:
    """Pending items have a copy on the target after all, of an earlier version of theirs: they become updates.

    Raises ValueError for an item that is not pending, or has another copy.
    """
    held = load(c, folder, (row.source_id for row in rows))
    changes = []
    for row in rows:
        before = _known(held, row.source_id)
        if before.outcome != _PENDING or before.target_id not in (None, row.target_id):
            raise ValueError(f"item {row.source_id.hex()} is not waiting for a copy")
        after = before._replace(
            place_id=row.place_id,
            target_id=row.target_id,
            target_version=row.target_version or None,
            fingerprint=row.fingerprint,
        )
        changes.append((before, after))
    replace(c, folder, changes, "fingerprint", *_LINK)


def refilter(c: Connection, folder: FolderKey, refs: Iterable[bytes], note: str) -> int:
    """Leave items out under the scope `note`; returns how many. Only what is not on the target can be left out."""
    number = words.ids(c, {note})[note]
    held = load(c, folder, refs)
    changes = [
        (row, row._replace(outcome=_FILTERED, note=number))
        for row in held.values()
        if (row.outcome in _UNDECIDED and row.target_id is None) or (row.outcome == _FILTERED and row.note != number)
    ]
    replace(c, folder, changes, "outcome", "note")
    failures.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome == _FAILED])
    return len(changes)


def withdraw(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> int:
    """Forget pending and failed items that vanished at the source before they were copied; returns how many.

    One that has a copy is on the target in an earlier version: it is copied again, and gone at the source.
    """
    rows = [row for row in load(c, folder, refs).values() if row.outcome in _UNDECIDED]
    failures.release(c, folder.id, [row.source_id for row in rows if row.outcome == _FAILED])
    never = [row for row in rows if row.target_id is None]
    identities.forget(c, folder, [row.source_id for row in never])
    remove(c, folder, never)
    stay = [
        (row, row._replace(outcome=_as_linked(row), gone=True, note=None)) for row in rows if row.target_id is not None
    ]
    replace(c, folder, stay, "outcome", "gone", "note")
    return len(rows)


def _as_linked(row: Held) -> int:
    """The outcome of a row that has a copy: one whose version is unknown is not ours, it was there before."""
    return _PRESENT if row.target_version is None else _COPIED


def retire(c: Connection, folder: FolderKey) -> None:
    """The whole source folder is gone: what was never copied is forgotten, all the rest is gone at the source."""
    while refs := _undecided(c, folder):
        withdraw(c, folder, refs)
    merges.release(c, folder)
    live = within(folder) & ~item.c.gone
    marked = c.execute(update(item).where(live).values(gone=True)).rowcount
    c.execute(update(folder_table).where(folder_table.c.id == folder.id).values(gone=folder_table.c.gone + marked))


def _undecided(c: Connection, folder: FolderKey) -> list[bytes]:
    some = select(item.c.source_id).where(within(folder), item.c.outcome.in_(_UNDECIDED)).limit(CHUNK)
    return list(c.execute(some).scalars())


def _settled(
    before: Held, row: Settled, flags: Mapping[frozenset[str], int | None], notes: Mapping[str, int]
) -> Held | None:
    """The row's new form, or None when it has the outcome already."""
    outcome = int(row.outcome)
    proved = outcome in _LINKED
    if outcome in (_PENDING, _FILTERED) or (proved and (row.place_id is None or row.target_id is None)):
        raise ValueError(f"{row.outcome.name.lower()} without proof: item {row.source_id.hex()}")
    if before.outcome not in _UNDECIDED:
        _demand_same(before, row)
        return None
    settled = before._replace(
        outcome=outcome,
        size=before.size if row.size is None else row.size,
        fingerprint=before.fingerprint if row.fingerprint is None else row.fingerprint,
        base_flags=before.base_flags if row.flags is None else flags[row.flags],
        base_version=before.base_version if row.version is None else row.version or None,
        note=notes[row.reason] if row.reason and outcome == _FAILED else None,
    )
    if outcome == _FAILED:
        return settled  # the copy of an update that failed stays what it is
    if not proved:
        return settled._replace(place_id=None, target_id=None, target_version=None)
    return settled._replace(place_id=row.place_id, target_id=row.target_id, target_version=row.target_version or None)


def _demand_same(before: Held, row: Settled) -> None:
    same = before.outcome == int(row.outcome)
    if before.outcome in _LINKED:
        same = (before.place_id, before.target_id) == (row.place_id, row.target_id)
    if not same:
        was = Outcome(before.outcome).name.lower()
        raise ValueError(f"item {row.source_id.hex()} is {was} already; it cannot become {row.outcome.name.lower()}")


def _known(held: Mapping[bytes, Held], ref: bytes) -> Held:
    row = held.get(ref)
    if row is None:
        raise ValueError(f"item {ref.hex()} is not in the ledger")
    return row


def _quarantine(
    c: Connection, folder: FolderKey, rows: Sequence[Settled], changes: Mapping[bytes, Change], now: float
) -> None:
    """Failed rows, and only those, have an entry in the quarantine."""
    told = {row.source_id: row for row in rows}
    failed = [told[ref] for ref, (_, after) in changes.items() if after.outcome == _FAILED]
    failures.record(c, folder.id, [(row.source_id, row.reason, row.detail) for row in failed], now)
    mended = [ref for ref, (was, after) in changes.items() if was.outcome == _FAILED and after.outcome != _FAILED]
    failures.release(c, folder.id, mended)


def flag_numbers(c: Connection, sets: Iterable[frozenset[str]]) -> dict[frozenset[str], int | None]:
    """The word of each flag set; the empty set, by far the most frequent, needs none."""
    spelled = {flags: flags_text(flags) for flags in set(sets) if flags}
    numbers = words.ids(c, spelled.values())
    return {frozenset(): None} | {flags: numbers[text] for flags, text in spelled.items()}
