"""Mirror mode: removes from the target what we copied, the source deleted since, and nobody touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from xdmigrate.engine.listing import PAGE
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import Folder, Head
from xdmigrate_state import ledger
from xdmigrate_state.rows import ItemRow


def untouched(rows: Sequence[ItemRow], there: dict[bytes, Head]) -> list[bytes]:
    """Pure: target ids whose item still has the size and flags with which we left it."""
    return [
        row.target_id
        for row in rows
        if row.target_id in there
        and there[row.target_id].size == row.size
        and there[row.target_id].flags == row.base_flags
    ]


def mirror_deletions(work: Work, pair: Pair) -> Iterator[None]:
    """Remove what is gone at the source. Yields after each page; adopted items are never removed."""
    if not work.policy.mirror or pair.place is None or pair.target is None:
        return
    if not (pair.row.counts.gone or pair.surveyed):
        return
    after = b""
    while rows := work.read(partial(ledger.gone_copies, folder=pair.row, after=after, limit=PAGE)):
        after = rows[-1].source_id
        _remove(work, pair, pair.target, rows)
        yield


def _remove(work: Work, pair: Pair, folder: Folder, rows: Sequence[ItemRow]) -> None:
    lowest = min(row.target_id for row in rows if row.target_id is not None)
    there = {head.ref: head for head in work.target.heads(folder, lowest)}
    refs = untouched(rows, there)
    if not refs:
        return
    work.hold()
    work.checkpoint(lambda c: work.note(c, "removing", folder=pair.row.id, ids=[ref.hex() for ref in refs]))
    work.target.remove(folder, refs)
    work.tell("remove", "/".join(pair.folder.path), items=len(refs))
