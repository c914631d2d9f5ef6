"""Sums of the folders' counters. Never a scan of the ledger."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from xdmigrate_state.rows import Counts
from xdmigrate_state.tables import COUNTERS, folder, mailbox


def mailbox_counts(c: Connection, plan_id: int) -> dict[int, dict[str, Counts]]:
    """The counters of each mailbox that has folders, by kind. Superseded folders count: rows may be left in them."""
    sums = [func.sum(folder.c[name]) for name in COUNTERS]
    wanted = (
        select(folder.c.mailbox_id, folder.c.kind, *sums)
        .join(mailbox, mailbox.c.id == folder.c.mailbox_id)
        .where(mailbox.c.plan_id == plan_id)
        .group_by(folder.c.mailbox_id, folder.c.kind)
        .order_by(folder.c.mailbox_id, folder.c.kind)
    )
    counts: dict[int, dict[str, Counts]] = {}
    for mailbox_id, kind, *values in c.execute(wanted):
        counts.setdefault(mailbox_id, {})[kind] = Counts(*map(int, values))  # PostgreSQL sums to Decimal
    return counts
