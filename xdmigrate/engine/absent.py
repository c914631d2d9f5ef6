"""What a source folder no longer holds: found by whatever the store can tell, and believed only where it adds up.

Every item of the folder has a row once the told heads are judged. So what is known to be there, less what is missing,
must come to the number of items that the store counts: a store that names the wrong items, or too few, is found out
before any row is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from xdmigrate.engine import guards
from xdmigrate.engine.listing import PAGE, left_out, rows_of
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import Changes, Outcome
from xdmigrate_state import folders, ledger
from xdmigrate_state.rows import ItemRow

UNDECIDED = (Outcome.PENDING, Outcome.FAILED)


@dataclass(slots=True)
class Absent:
    """Rows whose item is not at the source; only their ids are held."""

    refs: list[bytes] = field(default_factory=list)
    live: int = 0  # how many of them were there when last looked

    def take(self, rows: Iterable[ItemRow]) -> None:
        """Add rows, but not those of which it is known already and about which nothing is left to do."""
        for row in rows:
            if not row.gone or row.outcome in UNDECIDED:
                self.refs.append(row.source_id)
                self.live += not row.gone

    def pages(self) -> Iterator[list[bytes]]:
        """The ids in pieces that are committed together."""
        for start in range(0, len(self.refs), PAGE):
            yield self.refs[start : start + PAGE]


def find_absent(work: Work, pair: Pair, told: Changes, absent: Absent) -> bool:
    """Add what a listing of changes tells to be gone; False when it does not add up to what the store counts.

    To be called when its heads have been judged. A complete listing has left out what is gone: there is nothing to add.
    """
    if told.complete:
        return True
    live = _live(work, pair)
    if told.alive is None:
        for start in range(0, len(told.vanished), PAGE):
            refs = told.vanished[start : start + PAGE]
            absent.take(work.read(partial(ledger.by_refs, folder=pair.row, refs=refs)).values())
    elif live != told.count:
        absent.take(left_out(told.alive, rows_of(work, pair.row)))
    return told.count is None or live - absent.live == told.count


def believe(work: Work, pair: Pair, absent: Absent) -> None:
    """Refuse a listing that shows less than half of what is known, unless the store counts no more either.

    Raises GuardRefused. That the source as a whole has shrunken is looked at before (`pairing`).
    """
    live = _live(work, pair)
    if live < guards.FEW or live - absent.live >= live * guards.SHRUNKEN:
        return
    guards.believe_count(
        work.mailbox.source,
        f"source's folder {'/'.join(pair.folder.path)!r}",
        known=min(live, work.source.status(pair.folder).count),
        shown=live - absent.live,
        accepted=work.policy.accepted,
    )


def _live(work: Work, pair: Pair) -> int:
    """How many items the ledger knows to be there, by the folder's counters."""
    counts = work.read(partial(folders.get, folder_id=pair.row.id)).counts
    return counts.seen - counts.gone
