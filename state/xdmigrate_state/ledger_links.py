"""Which ids an item has on both sides, and what both sides agreed on: changed without touching its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from xdmigrate.model import Outcome
from xdmigrate_state import identities, merges
from xdmigrate_state.ledger_outcomes import flag_numbers, reopen
from xdmigrate_state.ledger_rows import CHUNK, Change, Held, load, remove, replace, store_new, within
from xdmigrate_state.packing import batched
from xdmigrate_state.rows import FolderKey, Standing
from xdmigrate_state.tables import alteration, doubt, failure, identity, item, merged_into

NONE: Mapping[bytes, bytes] = {}


def gone(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> int:
    """The source has these items no longer; their outcome stays. Returns how many were not known to be gone."""
    refs = list(refs)
    merges.release(c, folder, refs)
    return _set_gone(c, folder, refs, value=True)


def back(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> int:
    """The source has these items after all. Returns how many were thought to be gone; merged ones are pending again."""
    refs = list(refs)
    known = load(c, folder, refs).values()
    reopen(c, folder, [row.source_id for row in known if row.gone and row.outcome == int(Outcome.MERGED)])
    return _set_gone(c, folder, refs, value=False)


def rebase(c: Connection, folder: FolderKey, rows: Sequence[tuple[bytes, frozenset[str]]]) -> None:
    """Both sides agree on these flags now."""
    flags = flag_numbers(c, (flags for _, flags in rows))
    held = load(c, folder, (ref for ref, _ in rows))
    changes = [(held[ref], held[ref]._replace(base_flags=flags[wanted])) for ref, wanted in rows if ref in held]
    replace(c, folder, changes, "base_flags")


def relink(
    c: Connection, folder: FolderKey, rows: Sequence[tuple[bytes, int, bytes]], versions: Mapping[bytes, bytes] = NONE
) -> None:
    """Items that have a copy (source id, place, target id) have it under another id, e.g. under a new validity.

    `versions` of the copies, by their new ids; one whose version was unknown keeps it so. Raises ValueError for an item
    without a link, IntegrityError when two items would claim one target item.
    """
    held = load(c, folder, (ref for ref, _, _ in rows))
    changes = []
    for ref, place_id, target_id in rows:
        row = held.get(ref)
        if row is None or row.target_id is None:
            raise ValueError(f"item {ref.hex()} has no link to change")
        version = versions.get(target_id) if row.target_version else None
        changes.append((row, row._replace(place_id=place_id, target_id=target_id, target_version=version)))
    merges.follow(c, _moved(changes))
    for chunk in batched((ref for ref, _, _ in rows), CHUNK):  # let go first: ids may be exchanged among the rows
        c.execute(update(item).where(within(folder), item.c.source_id.in_(chunk)).values(target_id=None))
    replace(c, folder, changes, "place_id", "target_id", "target_version")


def _moved(changes: Iterable[Change]) -> dict[Standing, Standing]:
    linked = ((before, after) for before, after in changes if before.place_id and before.target_id)
    return {
        Standing(before.place_id or 0, before.target_id or b""): Standing(after.place_id or 0, after.target_id or b"")
        for before, after in linked
    }


def transfer(c: Connection, from_folder: FolderKey, to_folder: FolderKey, rows: Sequence[tuple[bytes, bytes]]) -> None:
    """Rows (old source id, new source id) keep everything but their key: new validity, or moved at the source.

    Quarantine, doubts and alterations go with them. Raises ValueError between target mailboxes and for an unknown item,
    IntegrityError when a new id has a row already.
    """
    if from_folder.account_id != to_folder.account_id:
        raise ValueError("ledger rows cannot leave their target mailbox")
    held = load(c, from_folder, (old for old, _ in rows))
    if unknown := [old for old, _ in rows if old not in held]:
        raise ValueError(f"item {unknown[0].hex()} is not in the ledger")
    new_ids = dict(rows)
    remove(c, from_folder, list(held.values()))
    store_new(c, to_folder, [row._replace(source_id=new_ids[old]) for old, row in held.items()])
    for table in (failure, alteration, doubt, identity, merged_into):
        _move_entries(c, table, from_folder, to_folder, new_ids)


def hand_over(c: Connection, from_folder: FolderKey, to_folder: FolderKey, rows: Sequence[tuple[bytes, bytes]]) -> int:
    """Forget copied items that are gone at the source: (old, new), the target item of each is another row's now.

    What is known of a copy's bytes goes with it. Returns how many; rows of any other kind are left as they are.
    """
    known = load(c, from_folder, (old for old, _ in rows)).values()
    handed = {row.source_id: row for row in known if row.gone and row.outcome == int(Outcome.COPIED)}
    remove(c, from_folder, list(handed.values()))
    identities.forget(c, from_folder, handed)
    _move_entries(c, alteration, from_folder, to_folder, {old: new for old, new in rows if old in handed})
    return len(handed)


def resize(c: Connection, folder: FolderKey, rows: Sequence[tuple[bytes, int, bytes | None]]) -> None:
    """The exact size, and the fingerprint, of items whose body has been read."""
    held = load(c, folder, (ref for ref, _, _ in rows))
    changes = [
        (held[ref], held[ref]._replace(size=size, fingerprint=fingerprint))
        for ref, size, fingerprint in rows
        if ref in held
    ]
    replace(c, folder, changes, "size", "fingerprint")


def _set_gone(c: Connection, folder: FolderKey, refs: Iterable[bytes], *, value: bool) -> int:
    changes: list[tuple[Held, Held]] = [
        (row, row._replace(gone=value)) for row in load(c, folder, refs).values() if row.gone is not value
    ]
    replace(c, folder, changes, "gone")
    return len(changes)


def _move_entries(
    c: Connection, table: Table, from_folder: FolderKey, to_folder: FolderKey, new_ids: Mapping[bytes, bytes]
) -> None:
    """Rows of another table with the same key (folder, source id) follow the ledger's rows."""
    found: list[dict[str, Any]] = []
    for chunk in batched(new_ids, CHUNK):
        mine = (table.c.folder_id == from_folder.id) & table.c.source_id.in_(chunk)
        found += [dict(row) for row in c.execute(select(table).where(mine)).mappings()]
        c.execute(delete(table).where(mine))
    for row in found:
        row.update(folder_id=to_folder.id, source_id=new_ids[row["source_id"]])
    if found:
        c.execute(insert(table), found)
