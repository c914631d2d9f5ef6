"""Mirror mode: removes from the target what we copied, the source deleted since, and nobody touched.

What merged items rely on stays, whichever mailbox they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from xdmigrate.engine.altering import as_copied
from xdmigrate.engine.listing import PAGE
from xdmigrate.engine.merging import may_be_relied_on
from xdmigrate.engine.ours import unchanged_by_content, unchanged_copies
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import Folder
from xdmigrate_state import ledger, merges
from xdmigrate_state.rows import ItemRow


def mirror_deletions(work: Work, pair: Pair) -> Iterator[None]:
    """Remove what is gone at the source. Yields after each page; adopted items are never removed.

    In a folder that did not change since, a completed pass has done so, unless other items relied on a copy then.
    """
    if not work.policy.mirror or pair.place is None or pair.target is None:
        return
    if not (pair.surveyed or (may_be_relied_on(work) and pair.row.counts.gone)):
        return
    after = b""
    while rows := work.read(partial(ledger.gone_copies, folder=pair.row, after=after, limit=PAGE)):
        after = rows[-1].source_id
        _remove(work, pair, pair.target, list(as_copied(work, rows)))
        yield


def _remove(work: Work, pair: Pair, folder: Folder, rows: Sequence[ItemRow]) -> None:
    lowest = min(row.target_id for row in rows if row.target_id is not None)
    there = {head.ref: head for head in work.target.heads(folder, lowest)}
    free = unchanged_copies(work, pair.folder.kind, rows, there) + unchanged_by_content(work, folder, rows, there)
    relied_on = work.read(lambda c: merges.relied_on(c, rows[0].place_id or 0, free))
    refs = [ref for ref in free if ref not in relied_on]
    if not refs:
        return
    work.hold()
    work.checkpoint(lambda c: work.note(c, "removing", folder=pair.row.id, ids=[ref.hex() for ref in refs]))
    work.target.remove(folder, refs)
    work.tell("remove", "/".join(pair.folder.path), items=len(refs))
