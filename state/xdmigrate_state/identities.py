"""Which items of a mailbox are one object: the source's own name for the content, as a digest, by item.

Filled only for sources that give such names (`Features.identities`): one that shows an object in several folders, where
no listing is held whole, and one whose messages keep their names when they are moved (RFC 8474).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from xdmigrate_state import dialects
from xdmigrate_state.packing import batched
from xdmigrate_state.rows import FolderKey, NewItem, Standing
from xdmigrate_state.tables import identity, item, merged_into

_CHUNK = 400
_DIGEST_BYTES = 16
_ALIKE = 2  # one size, and one fingerprint where one is known


def remember(c: Connection, folder: FolderKey, mailbox_id: int, rows: Iterable[NewItem]) -> None:
    """Keep the names of new items; those without one are left out."""
    values = [
        {"folder_id": folder.id, "source_id": row.source_id, "mailbox_id": mailbox_id, "digest": _digest(row.identity)}
        for row in rows
        if row.identity
    ]
    if values:
        c.execute(dialects.insert(c.dialect.name, identity).on_conflict_do_nothing(), values)


def forget(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> None:
    """These items are no longer known."""
    for chunk in batched(refs, _CHUNK):
        c.execute(delete(identity).where(identity.c.folder_id == folder.id, identity.c.source_id.in_(chunk)))


def copies(
    c: Connection, mailbox_id: int, folder: FolderKey, refs: Iterable[bytes], others: Sequence[FolderKey]
) -> dict[bytes, Standing]:
    """What stands on the target for the objects of these items already, as `others` show them, by source id.

    An item that is gone at the source proves nothing; one that is there proves the copy that it is or relies on.
    """
    names = digests(c, folder, refs)
    found: dict[bytes, Standing] = {}
    for chunk in batched(set(names.values()), _CHUNK):
        same = identity.c.mailbox_id == mailbox_id, identity.c.digest.in_(chunk)
        for each in (_relied(others), _linked(folder.account_id, others)):
            found |= {digest: Standing(*standing) for digest, *standing in c.execute(each.where(*same))}
    return {ref: found[digest] for ref, digest in names.items() if digest in found}


def digests(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> dict[bytes, bytes]:
    """What these items of a folder are called, by source id; those without a name are left out."""
    found: dict[bytes, bytes] = {}
    wanted = select(identity.c.source_id, identity.c.digest).where(identity.c.folder_id == folder.id)
    for chunk in batched(refs, _CHUNK):
        for ref, digest in c.execute(wanted.where(identity.c.source_id.in_(chunk))):
            found[ref] = digest
    return found


def ambiguous(c: Connection, account_id: int, mailbox_id: int, names: Iterable[bytes]) -> bool:
    """Whether any of these names, as digests, stands for items of several contents or sizes: then it names nothing."""
    differing = func.count(item.c.size.distinct()) + func.count(item.c.fingerprint.distinct())
    bearing = (item.c.folder_id == identity.c.folder_id) & (item.c.source_id == identity.c.source_id)
    wanted = select(identity.c.digest).join(item, bearing).group_by(identity.c.digest).having(differing > _ALIKE)
    mine = wanted.where(item.c.account_id == account_id, identity.c.mailbox_id == mailbox_id).limit(1)
    return any(c.execute(mine.where(identity.c.digest.in_(chunk))).first() for chunk in batched(names, _CHUNK))


def _linked(account_id: int, others: Sequence[FolderKey]) -> Select[*tuple[Any, ...]]:
    return (
        select(identity.c.digest, item.c.place_id, item.c.target_id)
        .join(item, (item.c.folder_id == identity.c.folder_id) & (item.c.source_id == identity.c.source_id))
        .where(item.c.account_id == account_id, item.c.target_id.is_not(None), ~item.c.gone)
        .where(identity.c.folder_id.in_([other.id for other in others]))
    )


def _relied(others: Sequence[FolderKey]) -> Select[*tuple[Any, ...]]:
    same = (merged_into.c.folder_id == identity.c.folder_id) & (merged_into.c.source_id == identity.c.source_id)
    return (
        select(identity.c.digest, merged_into.c.place_id, merged_into.c.target_id)
        .join(merged_into, same)
        .where(identity.c.folder_id.in_([other.id for other in others]))
    )


def _digest(name: bytes) -> bytes:
    return sha256(name).digest()[:_DIGEST_BYTES]
