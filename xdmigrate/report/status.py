"""Where a plan stands, read from counters alone: never a scan of the ledger, never a lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from xdmigrate.errors import StateUnusable
from xdmigrate.model import Kind
from xdmigrate.report.facts import Attention, KindCounts, LeftFact, MailboxStatus, PlanStatus
from xdmigrate_state import alterations, leftovers, mailboxes, plans, totals
from xdmigrate_state.rows import AlteredCounts, Counts, MailboxRow

NEEDS_ATTENTION = "needs-attention"


def plan_status(c: Connection, name: str, now: float) -> PlanStatus:
    """The plan's mailboxes: those that it lists, and those that it no longer lists but that hold items.

    Raises StateUnusable when the state knows no plan of this name.
    """
    plan = plans.find(c, name)
    if plan is None:
        raise StateUnusable(f"state: nothing is known of plan {name}", remedy="run sync first")
    counts, altered = totals.mailbox_counts(c, plan.id), alterations.counts(c, plan.id)
    rows = [box for box in mailboxes.all(c, plan.id) if box.listed or box.id in counts]
    left = _left(c, plan.id)
    told = [_mailbox(box, counts.get(box.id, {}), altered.get(box.id, AlteredCounts()), now) for box in rows]
    boxes = [replace(box, left=tuple(left.get(box.id, ()))) for box in told]
    return PlanStatus(plan.name, plan.stage, boxes, plan.paused)


def _left(c: Connection, plan_id: int) -> dict[int, list[LeftFact]]:
    """What has to be done by hand, by mailbox."""
    found: dict[int, list[LeftFact]] = {}
    for row in leftovers.of_plan(c, plan_id):
        found.setdefault(row.mailbox_id, []).append(LeftFact(row.path, *row.left))
    return found


def _mailbox(box: MailboxRow, counts: Mapping[str, Counts], altered: AlteredCounts, now: float) -> MailboxStatus:
    return MailboxStatus(
        id=box.id,
        source=box.source,
        target=box.target,
        wave=box.wave,
        stage=shown_stage(box),
        attention=_attention(box),
        last_pass=box.last_pass_at,
        next=box.retry_at if box.retry_at > now else None,
        kinds={Kind(kind): KindCounts.of(found) for kind, found in counts.items()},
        altered=altered,
    )


def shown_stage(box: MailboxRow) -> str:
    """What stands beside the stages stands before them: skipped, paused, in need of a person."""
    if box.skipped or not box.listed:
        return "skipped"
    if box.paused:
        return "paused"
    return NEEDS_ATTENTION if box.attention_code else box.stage


def _attention(box: MailboxRow) -> Attention | None:
    if not box.attention_code:
        return None
    return Attention(box.attention_code, box.attention_at or 0.0, box.attention_text, box.attention_remedy)
