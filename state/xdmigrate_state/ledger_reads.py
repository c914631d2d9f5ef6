"""Reading the ledger, in bounded pieces and in key order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Integer, Row, Select, bindparam, func, select

from xdmigrate.model import Outcome
from xdmigrate_state import words
from xdmigrate_state.ledger_rows import CHUNK, WITHIN, key, within
from xdmigrate_state.packing import batched, flags_set
from xdmigrate_state.rows import FolderKey, ItemRow
from xdmigrate_state.tables import item

_OUTCOMES = {int(outcome): outcome for outcome in Outcome}
_NO_FLAGS: frozenset[str] = frozenset()
_GONE_AND_KNOWN = (
    (item.c.outcome == int(Outcome.COPIED))
    & item.c.gone
    & item.c.target_id.is_not(None)
    & item.c.fingerprint.is_not(None)
)
_CLAIMS = (
    select(item.c.target_id)
    .where(item.c.account_id == bindparam("account"), item.c.place_id == bindparam("place"))
    .where(item.c.target_id >= bindparam("floor"))
    .order_by(item.c.target_id)
)
_SCAN = select(item).where(*WITHIN, item.c.source_id > bindparam("after")).order_by(item.c.source_id)
_SCAN = _SCAN.limit(bindparam("limit", type_=Integer))
_BY_REFS = select(item).where(*WITHIN, item.c.source_id.in_(bindparam("refs", expanding=True)))
_UNCOPIED = (item.c.outcome == int(Outcome.PENDING)) & item.c.target_id.is_(None)


def scan(c: Connection, folder: FolderKey, after: bytes = b"", limit: int = 5000) -> list[ItemRow]:
    """The next rows of a folder, ascending by source id."""
    return _items(c, _SCAN, {**key(folder), "after": after, "limit": limit})


def pending(
    c: Connection,
    folder: FolderKey,
    *,
    newest: bool,
    limit: int,
    before: bytes | None = None,
    after: bytes | None = None,
) -> list[ItemRow]:
    """Rows without an outcome: descending by source id with `newest`, else ascending; strictly between the bounds."""
    wanted = _pending(newest=newest, below=before is not None, above=after is not None)
    return _items(c, wanted, {**key(folder), "limit": limit, "before": before, "after": after})


@cache
def _pending(*, newest: bool, below: bool, above: bool) -> Select[*tuple[Any, ...]]:
    wanted = select(item).where(*WITHIN, item.c.outcome == int(Outcome.PENDING))
    if below:
        wanted = wanted.where(item.c.source_id < bindparam("before"))
    if above:
        wanted = wanted.where(item.c.source_id > bindparam("after"))
    order = item.c.source_id.desc() if newest else item.c.source_id
    return wanted.order_by(order).limit(bindparam("limit", type_=Integer))


def pending_sizes(c: Connection, folder: FolderKey) -> Counter[int]:
    """How many rows without an outcome and without a copy there are of each size."""
    wanted = select(item.c.size, func.count()).where(within(folder), _UNCOPIED)
    return Counter({row[0]: row[1] for row in c.execute(wanted.group_by(item.c.size))})


def by_refs(c: Connection, folder: FolderKey, refs: Iterable[bytes]) -> dict[bytes, ItemRow]:
    """The rows of these source ids; those that are not in the ledger are left out."""
    found: dict[bytes, ItemRow] = {}
    for chunk in batched(refs, CHUNK):
        for row in _items(c, _BY_REFS, {**key(folder), "refs": chunk}):
            found[row.source_id] = row
    return found


def claims(c: Connection, account_id: int, place_id: int, floor: bytes = b"") -> list[bytes]:
    """The target ids >= `floor` of a place that belong to a source item, ascending."""
    wanted = {"account": account_id, "place": place_id, "floor": floor}
    return [ref for ref in c.execute(_CLAIMS, wanted).scalars() if ref is not None]


def by_targets(c: Connection, account_id: int, place_id: int, after: bytes = b"", limit: int = 5000) -> list[ItemRow]:
    """The next linked rows of a place, ascending by target id, whichever folders they come from."""
    wanted = select(item).where(item.c.account_id == account_id, item.c.place_id == place_id, item.c.target_id > after)
    return _items(c, wanted.order_by(item.c.target_id).limit(limit))


def uncopied(c: Connection, folder: FolderKey, sizes: Collection[int] | None = None) -> list[ItemRow]:
    """Pending rows of these sizes (None: of any) that have no copy and whose source item is there, by source id."""
    live = select(item).where(within(folder), _UNCOPIED, ~item.c.gone)
    if sizes is None:
        return _items(c, live.order_by(item.c.source_id))
    found: list[ItemRow] = []
    for chunk in batched(sorted(sizes), CHUNK):
        found += _items(c, live.where(item.c.size.in_(chunk)))
    return sorted(found, key=lambda row: row.source_id)


def gone_copies(c: Connection, folder: FolderKey, after: bytes = b"", limit: int = 5000) -> list[ItemRow]:
    """The next copied rows whose source item is gone since, ascending by source id."""
    copied = (item.c.outcome == int(Outcome.COPIED)) & item.c.gone & item.c.target_id.is_not(None)
    wanted = select(item).where(within(folder), copied, item.c.source_id > after)
    return _items(c, wanted.order_by(item.c.source_id).limit(limit))


def gone_sizes(c: Connection, folder: FolderKey) -> set[int]:
    """The sizes of what `gone_by_size` finds."""
    return set(c.execute(select(item.c.size).where(within(folder), _GONE_AND_KNOWN).distinct()).scalars())


def gone_by_size(c: Connection, folder: FolderKey, sizes: Collection[int] | None) -> list[ItemRow]:
    """Copied rows of these sizes (None: of any) whose source item is gone since and whose content is known."""
    if sizes is None:
        return _items(c, select(item).where(within(folder), _GONE_AND_KNOWN).order_by(item.c.source_id))
    found: list[ItemRow] = []
    for chunk in batched(sorted(sizes), CHUNK):
        found += _items(c, select(item).where(within(folder), _GONE_AND_KNOWN, item.c.size.in_(chunk)))
    return sorted(found, key=lambda row: row.source_id)


def _items(c: Connection, wanted: Select[*tuple[Any, ...]], given: dict[str, Any] | None = None) -> list[ItemRow]:
    rows: Sequence[Row[*tuple[Any, ...]]] = c.execute(wanted, given or {}).all()
    texts = words.texts(c, {number for row in rows for number in (row[9], row[11]) if number is not None})
    flags = {row[9]: flags_set(texts[row[9]]) for row in rows if row[9] is not None}
    return [
        ItemRow(
            account_id=row[0],
            folder_id=row[1],
            source_id=row[2],
            outcome=_OUTCOMES[row[3]],
            gone=row[4],
            size=row[5],
            fingerprint=row[6],
            place_id=row[7],
            target_id=row[8],
            base_flags=flags.get(row[9], _NO_FLAGS),
            base_version=row[10] or b"",
            note="" if row[11] is None else texts[row[11]],
            target_version=row[12] or b"",
        )
        for row in rows
    ]
