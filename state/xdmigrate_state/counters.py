"""The counters of a folder change in the transaction that changes its rows: one place for the whole arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

from sqlalchemy import BigInteger, Connection, Update, bindparam, case, func, select, update

from xdmigrate.model import Outcome
from xdmigrate_state.rows import Counts, FolderKey
from xdmigrate_state.tables import COUNTERS, folder, item

_COLUMN = {int(outcome): outcome.name.lower() for outcome in Outcome}
_PENDING = int(Outcome.PENDING)

Weight = tuple[int, bool, int]
"""What the counters need to know of a row: outcome, gone, size."""


class Difference:
    """By how much the counters of one folder change."""

    def __init__(self) -> None:
        self._by: Counter[str] = Counter()

    def add(self, rows: Iterable[Weight]) -> None:
        """These rows are new, or became like this."""
        self._count(rows, 1)

    def remove(self, rows: Iterable[Weight]) -> None:
        """These rows left, or were like this before."""
        self._count(rows, -1)

    def apply(self, c: Connection, to: FolderKey) -> None:
        """Change the folder's counters."""
        changed = {name: by for name, by in self._by.items() if by}
        if changed:
            c.execute(_plus(tuple(changed)), {"this": to.id} | {f"by_{name}": by for name, by in changed.items()})

    def _count(self, rows: Iterable[Weight], sign: int) -> None:
        kinds: Counter[tuple[int, bool]] = Counter()
        octets: Counter[int] = Counter()
        for outcome, gone, size in rows:
            kinds[outcome, gone] += 1
            octets[outcome] += size
        for (outcome, gone), count in kinds.items():
            self._by["seen"] += sign * count
            self._by[_COLUMN[outcome]] += sign * count
            self._by["gone"] += sign * count * gone
        self._by["octets"] += sign * octets.total()
        self._by["octets_pending"] += sign * octets[_PENDING]


@cache
def _plus(names: tuple[str, ...]) -> Update:
    more = {name: folder.c[name] + bindparam(f"by_{name}", type_=BigInteger) for name in names}
    return update(folder).where(folder.c.id == bindparam("this")).values(more)


def recount(c: Connection, folder_id: int) -> Counts:
    """The counters as a scan of the ledger gives them: what the kept ones must equal."""
    found = c.execute(
        select(
            item.c.outcome,
            func.count(),
            func.coalesce(func.sum(case((item.c.gone, 1), else_=0)), 0),
            func.coalesce(func.sum(item.c.size), 0),
        )
        .where(item.c.folder_id == folder_id)
        .where(item.c.account_id == select(folder.c.account_id).where(folder.c.id == folder_id).scalar_subquery())
        .group_by(item.c.outcome)
    )
    counts = dict.fromkeys(COUNTERS, 0)
    for outcome, count, gone, octets in found:
        counts["seen"] += count
        counts[_COLUMN[outcome]] = count
        counts["gone"] += int(gone)
        counts["octets"] += int(octets)
        if outcome == _PENDING:
            counts["octets_pending"] = int(octets)
    return Counts(**counts)
