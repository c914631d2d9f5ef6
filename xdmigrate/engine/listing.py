"""Listings and ledger rows side by side, in the order of their ids, without holding either whole."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from xdmigrate.engine.work import Work
from xdmigrate.model import Head
from xdmigrate_state import ledger
from xdmigrate_state.rows import FolderRow, ItemRow

PAGE = 2000
"""Ledger rows read at once, and heads committed at once."""


def rows_of(work: Work, folder: FolderRow) -> Iterator[ItemRow]:
    """The folder's ledger rows, ascending by source id."""
    after = b""
    while rows := work.read(partial(ledger.scan, folder=folder, after=after, limit=PAGE)):
        yield from rows
        after = rows[-1].source_id


def merged(heads: Iterator[Head], rows: Iterator[ItemRow]) -> Iterator[tuple[Head | None, ItemRow | None]]:
    """Both sides joined by id: (head, None) is new, (None, row) is no longer listed. Both must ascend."""
    head, row = next(heads, None), next(rows, None)
    while head is not None or row is not None:
        if row is None or (head is not None and head.ref < row.source_id):
            yield head, None
            head = next(heads, None)
        elif head is None or row.source_id < head.ref:
            yield None, row
            row = next(rows, None)
        else:
            yield head, row
            head, row = next(heads, None), next(rows, None)


def left_out(alive: Iterator[bytes], rows: Iterator[ItemRow]) -> Iterator[ItemRow]:
    """The rows whose id is not among those that exist. Both must ascend."""
    ref = next(alive, None)
    for row in rows:
        while ref is not None and ref < row.source_id:
            ref = next(alive, None)
        if ref != row.source_id:
            yield row
