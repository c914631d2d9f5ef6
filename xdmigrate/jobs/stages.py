"""The stage of a plan, as far as copying moves it. Each change is journalled and anchors the mailboxes' chains."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from xdmigrate_state import journal, mailboxes, plans
from xdmigrate_state.rows import MailboxRow

BEFORE_SEEDING = ("draft", "assessed", "provisioned")
BEFORE_SYNCED = (*BEFORE_SEEDING, "seeding")


def stage_after(stage: str, listed: Sequence[MailboxRow]) -> str:
    """The stage that follows from the mailboxes' own: a plan is synced when each of them has had a whole pass. Pure."""
    wanted = [box for box in listed if box.listed and not box.skipped]
    if stage in BEFORE_SYNCED and wanted and all(box.passes for box in wanted):
        return "synced"
    if stage in BEFORE_SEEDING and any(box.stage not in {"planned", "provisioned"} for box in wanted):
        return "seeding"
    return stage


def move_on(c: Connection, name: str, now: float) -> None:
    """Bring the plan's stage up to date."""
    plan = plans.find(c, name)
    if plan is None:
        return
    stage = stage_after(plan.stage, mailboxes.all(c, plan.id))
    if stage != plan.stage:
        plans.set_stage(c, plan.id, stage)
        journal.append(c, plan.id, journal.PLAN_CHAIN, stage, {"from": plan.stage}, now)
        journal.anchor(c, plan.id, now)
