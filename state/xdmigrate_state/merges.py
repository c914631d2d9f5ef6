"""What stands on the target for merged items: a target item that belongs to another row of the ledger.

A link (`item.target_id`) is exclusive, a reference from here is not: several mailboxes, or several folders of a source
that shows one object under labels, may rely on one target item. Within one source folder a target item stands for one
item at most. References exist for items that are there: what goes at the source, or becomes pending, loses its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from sqlalchemy import Connection, delete, insert, select

from xdmigrate.model import Outcome
from xdmigrate_state.packing import batched
from xdmigrate_state.rows import Claimed, FolderIds, FolderKey, Owner, Standing
from xdmigrate_state.tables import folder as folder_table
from xdmigrate_state.tables import item, merged_into

_CHUNK = 400
_LINKED = (int(Outcome.COPIED), int(Outcome.PRESENT))


def add(c: Connection, folder: FolderKey, rows: Mapping[bytes, Standing]) -> None:
    """These source items are merged into these target items. Raises IntegrityError when one stands for two of them."""
    values = [
        {"folder_id": folder.id, "source_id": ref, "place_id": standing.place_id, "target_id": standing.target_id}
        for ref, standing in rows.items()
    ]
    if values:
        c.execute(insert(merged_into), values)


def release(c: Connection, folder: FolderKey, refs: Iterable[bytes] | None = None) -> None:
    """These items, or all of the folder, rely on nothing any more."""
    mine = merged_into.c.folder_id == folder.id
    if refs is None:
        c.execute(delete(merged_into).where(mine))
        return
    for chunk in batched(refs, _CHUNK):
        c.execute(delete(merged_into).where(mine, merged_into.c.source_id.in_(chunk)))


def of_folder(c: Connection, folder: FolderKey, refs: Iterable[bytes] | None = None) -> dict[bytes, Standing]:
    """What the merged items of a folder, or these of them, rely on."""
    found: dict[bytes, Standing] = {}
    wanted = select(merged_into.c.source_id, merged_into.c.place_id, merged_into.c.target_id)
    wanted = wanted.where(merged_into.c.folder_id == folder.id)
    for chunk in [None] if refs is None else batched(refs, _CHUNK):
        some = wanted if chunk is None else wanted.where(merged_into.c.source_id.in_(chunk))
        found |= {ref: Standing(place, target) for ref, place, target in c.execute(some)}
    return found


def relied_on(c: Connection, place_id: int, targets: Iterable[bytes]) -> set[bytes]:
    """Those of these target items on which anything relies."""
    found: set[bytes] = set()
    wanted = select(merged_into.c.target_id).where(merged_into.c.place_id == place_id)
    for chunk in batched(targets, _CHUNK):
        found.update(c.execute(wanted.where(merged_into.c.target_id.in_(chunk))).scalars())
    return found


def shared(c: Connection, place_id: int, mailbox_id: int) -> frozenset[bytes]:
    """The target items of a place on which other mailboxes than this one rely."""
    others = select(folder_table.c.id).where(folder_table.c.mailbox_id != mailbox_id)
    here = merged_into.c.place_id == place_id
    return frozenset(
        c.execute(select(merged_into.c.target_id).where(here, merged_into.c.folder_id.in_(others))).scalars()
    )


def follow(c: Connection, moved: Mapping[Standing, Standing]) -> None:
    """Target items have other ids, or are in other folders, now: what relied on them still does."""
    found = list(_relying(c, moved))
    for place_id, targets in _by_place(moved).items():
        mine = merged_into.c.place_id == place_id
        for chunk in batched(targets, _CHUNK):  # let go first: ids may be exchanged among the rows
            c.execute(delete(merged_into).where(mine, merged_into.c.target_id.in_(chunk)))
    values = [
        {"folder_id": folder.id, "source_id": ref, **moved[standing]._asdict()} for folder, ref, standing in found
    ]
    if values:
        c.execute(insert(merged_into), values)


def dependents(c: Connection, lost: Iterable[Standing]) -> dict[FolderIds, list[bytes]]:
    """The source ids that rely on these target items, by folder."""
    found: dict[FolderIds, list[bytes]] = defaultdict(list)
    for folder, ref, _standing in _relying(c, lost):
        found[folder].append(ref)
    return found


def _relying(c: Connection, standings: Iterable[Standing]) -> Iterator[tuple[FolderIds, bytes, Standing]]:
    wanted = select(
        folder_table.c.id,
        folder_table.c.account_id,
        merged_into.c.source_id,
        merged_into.c.place_id,
        merged_into.c.target_id,
    ).join(folder_table, folder_table.c.id == merged_into.c.folder_id)
    for place_id, targets in _by_place(standings).items():
        here = wanted.where(merged_into.c.place_id == place_id)
        for chunk in batched(targets, _CHUNK):
            for number, account, ref, place, target in c.execute(here.where(merged_into.c.target_id.in_(chunk))):
                yield FolderIds(number, account), ref, Standing(place, target)


def _by_place(standings: Iterable[Standing]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for standing in standings:
        found[standing.place_id].append(standing.target_id)
    return found


def owners(c: Connection, account_id: int, standings: Iterable[Standing]) -> dict[Standing, Owner]:
    """Which mailbox made or adopted each target item, and whether the item it came from is gone at the source."""
    found: dict[Standing, Owner] = {}
    wanted = (
        select(item.c.place_id, item.c.target_id, folder_table.c.mailbox_id, item.c.gone)
        .join(folder_table, folder_table.c.id == item.c.folder_id)
        .where(item.c.account_id == account_id)
    )
    for place_id, targets in _by_place(standings).items():
        here = wanted.where(item.c.place_id == place_id)
        for chunk in batched(targets, _CHUNK):
            for place, target, mailbox_id, gone in c.execute(here.where(item.c.target_id.in_(chunk))):
                found[Standing(place, target)] = Owner(mailbox_id, gone)
    return found


def candidates(
    c: Connection, account_id: int, place_id: int, mailbox_id: int, sizes: Collection[int] | None
) -> list[Claimed]:
    """What other mailboxes have in a place, of these sizes (None: of any), and nothing of this mailbox relies on.

    By target id.
    """
    mine = select(folder_table.c.id).where(folder_table.c.mailbox_id == mailbox_id)
    relied = select(merged_into.c.target_id).where(
        merged_into.c.place_id == place_id, merged_into.c.folder_id.in_(mine)
    )
    wanted = select(item.c.target_id, item.c.size, item.c.fingerprint).where(
        item.c.account_id == account_id,
        item.c.place_id == place_id,
        item.c.target_id.is_not(None),
        item.c.outcome.in_(_LINKED),
        item.c.folder_id.not_in(mine),
        item.c.target_id.not_in(relied),
    )
    found: list[Claimed] = []
    for some in (
        [wanted]
        if sizes is None
        else (wanted.where(item.c.size.in_(chunk)) for chunk in batched(sorted(sizes), _CHUNK))
    ):
        found += [Claimed(*row) for row in c.execute(some)]
    return sorted(found, key=lambda claimed: claimed.target_id)
