"""What became of items: seen, settled, reopened, filtered anew, withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select, update

from xdmigrate.model import Outcome
from xdmigrate_state import alterations, failures, identities, merges, words
from xdmigrate_state.ledger_rows import CHUNK, Change, Held, load, remove, replace, store_new, within
from xdmigrate_state.packing import flags_text
from xdmigrate_state.rows import FolderKey, NewItem, Settled, Standing
from xdmigrate_state.tables import folder as folder_table
from xdmigrate_state.tables import item

_PENDING, _FAILED, _FILTERED = int(Outcome.PENDING), int(Outcome.FAILED), int(Outcome.FILTERED)
_MERGED = int(Outcome.MERGED)
_LINKED = frozenset({int(Outcome.COPIED), int(Outcome.PRESENT)})
_UNDECIDED = frozenset({_PENDING, _FAILED})
_SETTLED = ("outcome", "size", "fingerprint", "place_id", "target_id", "base_flags", "note")
_OPENED = ("outcome", "place_id", "target_id", "note")


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
    """Give pending (or failed) items their outcome.

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
    """Make items pending again, whatever became of them; returns how many did. Unknown and pending ones are left.

    What was merged into their copies is pending again, too.
    """
    held = load(c, folder, refs)
    changes = [
        (row, row._replace(outcome=_PENDING, place_id=None, target_id=None, note=None))
        for row in held.values()
        if row.outcome != _PENDING
    ]
    replace(c, folder, changes, *_OPENED)
    failures.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome == _FAILED])
    alterations.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome != _FAILED])
    merges.release(c, folder, [row.source_id for row, _ in changes if row.outcome == _MERGED])
    lost = [Standing(row.place_id, row.target_id) for row, _ in changes if row.place_id and row.target_id]
    for other, merged in merges.dependents(c, lost).items():
        reopen(c, other, merged)
    return len(changes)


def refilter(c: Connection, folder: FolderKey, refs: Iterable[bytes], note: str) -> int:
    """Leave items out under the scope `note`; returns how many. Only what is not on the target can be left out."""
    number = words.ids(c, {note})[note]
    held = load(c, folder, refs)
    changes = [
        (row, row._replace(outcome=_FILTERED, note=number))
        for row in held.values()
        if row.outcome in _UNDECIDED or (row.outcome == _FILTERED and row.note != number)
    ]
    replace(c, folder, changes, "outcome", "note")
    failures.release(c, folder.id, [row.source_id for row, _ in changes if row.outcome == _FAILED])
    return len(changes)


def withdraw(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> int:
    """Forget pending and failed items that vanished at the source before they were copied; returns how many."""
    rows = [row for row in load(c, folder, refs).values() if row.outcome in _UNDECIDED]
    failures.release(c, folder.id, [row.source_id for row in rows if row.outcome == _FAILED])
    identities.forget(c, folder, [row.source_id for row in rows])
    remove(c, folder, rows)
    return len(rows)


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
    linked = outcome in _LINKED
    if outcome in (_PENDING, _FILTERED) or (linked and (row.place_id is None or row.target_id is None)):
        raise ValueError(f"{row.outcome.name.lower()} without proof: item {row.source_id.hex()}")
    if before.outcome not in _UNDECIDED:
        _demand_same(before, row)
        return None
    return Held(
        source_id=before.source_id,
        outcome=outcome,
        gone=before.gone,
        size=before.size if row.size is None else row.size,
        fingerprint=before.fingerprint if row.fingerprint is None else row.fingerprint,
        place_id=row.place_id if linked else None,
        target_id=row.target_id if linked else None,
        base_flags=before.base_flags if row.flags is None else flags[row.flags],
        base_version=before.base_version,
        note=notes[row.reason] if row.reason and outcome == _FAILED else None,
    )


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
