"""The journal: everything done to an outside system, append-only and hash-chained.

One chain a mailbox (its id) and one (0) for the plan. An entry's hash covers the hash before it and everything in it,
exactly as stored. `chain` holds every head, and an anchor writes all heads into the plan's chain, so that a chain
cannot be cut short, or written anew, without the plan's chain telling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, func, insert, select

from xdmigrate_state import dialects
from xdmigrate_state.rows import JournalRow
from xdmigrate_state.tables import chain as heads
from xdmigrate_state.tables import journal

PLAN_CHAIN = 0
ANCHOR = "anchor"
_ROWS = 2_000  # read at a time

Head = tuple[int, bytes]
"""Number and hash of a chain's last entry."""

_CHAIN = (journal.c.plan_id == bindparam("plan")) & (journal.c.chain == bindparam("of"))
_LAST = select(journal.c.seq, journal.c.hash).where(_CHAIN).order_by(journal.c.seq.desc()).limit(1)
_ENTRY = insert(journal)


def append(c: Connection, plan_id: int, chain: int, event: str, facts: dict[str, object], now: float) -> bytes:  # noqa: PLR0917 - a row's columns
    """Add an entry and return its hash. `facts` are JSON values without content, subjects or secrets.

    Raises TypeError or ValueError for facts that JSON cannot hold.
    """
    _lock(c, plan_id, chain)
    seq, previous = _last(c, plan_id, chain)
    values = {
        "plan_id": plan_id,
        "chain": chain,
        "seq": seq + 1,
        "at": float(now),
        "event": event,
        "facts": _canonical(facts),
        "previous": previous,
    }
    digest = _hash(values)
    c.execute(_ENTRY, {**values, "hash": digest})
    _move_head(c, plan_id, chain, (seq + 1, digest))
    return digest


def anchor(c: Connection, plan_id: int, now: float) -> bytes:
    """Write the heads of all chains into the plan's own chain; called at each change of stage."""
    found = c.execute(select(heads).where(heads.c.plan_id == plan_id).order_by(heads.c.chain))
    return append(
        c, plan_id, PLAN_CHAIN, ANCHOR, {"heads": {str(row.chain): [row.seq, row.hash.hex()] for row in found}}, now
    )


def show(c: Connection, plan_id: int, chain: int | None = None, after: int = 0, limit: int = 1000) -> list[JournalRow]:
    """Entries behind number `after` of each chain, or of one, by chain and number."""
    wanted = select(journal).where(journal.c.plan_id == plan_id, journal.c.seq > after)
    if chain is not None:
        wanted = wanted.where(journal.c.chain == chain)
    rows = c.execute(wanted.order_by(journal.c.chain, journal.c.seq).limit(limit))
    return [JournalRow(row.chain, row.seq, row.at, row.event, json.loads(row.facts), row.hash) for row in rows]


def verify(c: Connection, plan_id: int) -> list[str]:
    """A line for each break: an entry edited, missing or out of order, a tail cut off. Empty when all is whole."""
    known = {
        row.chain: (row.seq, bytes(row.hash)) for row in c.execute(select(heads).where(heads.c.plan_id == plan_id))
    }
    breaks: list[str] = []
    anchored: list[tuple[int, int, str]] = []
    for number, rows in groupby(_entries(c, plan_id), key=lambda row: int(row.chain)):
        last = _walk(number, rows, breaks, anchored)
        _compare_head(number, last, known.pop(number, None), breaks)
    breaks += [f"chain {number}: all {head[0]} entries are missing" for number, head in known.items()]
    breaks += _missing_anchors(c, plan_id, anchored)
    return breaks


def _walk(
    number: int, rows: Iterator[Row[*tuple[Any, ...]]], breaks: list[str], anchored: list[tuple[int, int, str]]
) -> Head:
    seq, previous = 0, b""
    for row in rows:
        if row.seq != seq + 1:
            breaks.append(f"chain {number}: entries {seq + 1} to {row.seq - 1} are missing")
        elif bytes(row.previous) != previous:
            breaks.append(f"chain {number}: entry {row.seq} does not follow entry {seq}")
        if _hash(row._asdict()) != row.hash:
            breaks.append(f"chain {number}: entry {row.seq} was edited")
        elif number == PLAN_CHAIN and row.event == ANCHOR:
            anchored += [(int(of), *head) for of, head in json.loads(row.facts)["heads"].items()]
        seq, previous = int(row.seq), bytes(row.hash)
    return seq, previous


def _compare_head(number: int, last: Head, head: Head | None, breaks: list[str]) -> None:
    if head is None:
        breaks.append(f"chain {number}: its head is missing")
    elif last[0] < head[0]:
        breaks.append(f"chain {number}: cut off after entry {last[0]} of {head[0]}")
    elif last != head:
        breaks.append(f"chain {number}: its last entry {last[0]} is not the one that was written last ({head[0]})")


def _missing_anchors(c: Connection, plan_id: int, anchored: list[tuple[int, int, str]]) -> Iterator[str]:
    for number, seq, digest in anchored:
        wanted = select(journal.c.hash).where(
            journal.c.plan_id == plan_id, journal.c.chain == number, journal.c.seq == seq
        )
        found = c.execute(wanted).scalar()
        if found is None or bytes(found).hex() != digest:
            yield f"chain {number}: entry {seq} is not the one that the plan's chain is anchored on"


def _entries(c: Connection, plan_id: int) -> Iterator[Row[*tuple[Any, ...]]]:
    wanted = select(journal).where(journal.c.plan_id == plan_id).order_by(journal.c.chain, journal.c.seq)
    return iter(c.execute(wanted.execution_options(yield_per=_ROWS)))


def _hash(entry: Mapping[str, Any]) -> bytes:
    covered = [entry[name] for name in ("plan_id", "chain", "seq", "at", "event", "facts")]
    return sha256(bytes(entry["previous"]) + _canonical(covered).encode()).digest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _lock(c: Connection, plan_id: int, chain: int) -> None:
    # On SQLite the writer is alone; on PostgreSQL two processes may append to the plan's chain at once.
    if c.dialect.name == "postgresql":
        c.execute(select(func.pg_advisory_xact_lock(plan_id, chain)))


def _last(c: Connection, plan_id: int, chain: int) -> Head:
    row = c.execute(_LAST, {"plan": plan_id, "of": chain}).one_or_none()
    return (0, b"") if row is None else (int(row.seq), bytes(row.hash))


def _move_head(c: Connection, plan_id: int, chain: int, head: Head) -> None:
    values = {"plan_id": plan_id, "chain": chain, "seq": head[0], "hash": head[1]}
    c.execute(_moving(c.dialect.name), values)


@cache
def _moving(dialect: str) -> Executable:
    new = dialects.insert(dialect, heads)
    moved = {"seq": new.excluded.seq, "hash": new.excluded.hash}
    return new.on_conflict_do_update(index_elements=[heads.c.plan_id, heads.c.chain], set_=moved)
