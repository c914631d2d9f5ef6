"""Brings the state in line with the plan file before a run: the edit is judged, mailboxes keep their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from xdmigrate.cli.compose import into_path
from xdmigrate.engine.context import Policy
from xdmigrate.engine.labels import Labels
from xdmigrate.engine.people import People
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import GuardRefused, UsageError
from xdmigrate.model import Kind
from xdmigrate_plans import csvfile, edit, loader
from xdmigrate_plans.addresses import mapped
from xdmigrate_plans.checks import account_name
from xdmigrate_plans.faults import Faults, Spot
from xdmigrate_plans.logins import store_name
from xdmigrate_plans.plan import SIDES, PlannedMailbox
from xdmigrate_state import journal, mailboxes, plans
from xdmigrate_state.rows import MailboxSpec, PlanRow

if TYPE_CHECKING:
    from pathlib import Path

    from xdmigrate_plans.edit import Change
    from xdmigrate_plans.plan import Plan
    from xdmigrate_plans.vault import Vault

BEFORE_COPYING = ("planned", "provisioned")
IMPORTED = "imported:"
"""Under this prefix the store remembers the mark of what a CSV said, so that only a new password in it is read."""


def changes(c: Connection, plan: Plan) -> list[Change]:
    """What applying the plan file would change; empty for a plan that was never run."""
    row = plans.find(c, plan.name)
    if row is None:
        return []
    begun = {box.source for box in mailboxes.all(c, row.id) if box.stage not in BEFORE_COPYING}
    return edit.diff(row.snapshot, plan, begun)


def apply_plan(c: Connection, plan: Plan, system: str, accepted: Sequence[str], now: float) -> PlanRow:
    """Record the plan as applied; `system` is the identity of its target.

    Raises GuardRefused for an edit that endangers what is copied, unless its checksum is accepted.
    """
    found = changes(c, plan)
    checksum = edit.refusal_checksum(found)
    if checksum and checksum not in accepted:
        told = "\n".join(f"plan {plan.name}: {change}" for change in edit.refused(found))
        raise GuardRefused(told, checksum=checksum)
    row = plans.find(c, plan.name)
    saved = plans.save(c, plan.name, plan.path, plan.checksum, plan.snapshot(), now)
    if row is None or row.checksum != plan.checksum:
        changed = [change.where for change in found]
        facts: dict[str, object] = {"checksum": plan.checksum, "accepted": checksum, "changed": changed}
        journal.append(c, saved.id, journal.PLAN_CHAIN, "plan-applied", facts, now)
    mailboxes.upsert(c, saved.id, list(_specs(plan, system)))
    return saved


def _specs(plan: Plan, system: str) -> Iterator[MailboxSpec]:
    for box in plan.mailboxes:
        yield MailboxSpec(
            box.source, box.target, into_path(box), box.name or "", box.wave or "", system, merge=box.merge or ""
        )


def policy(plan: Plan, accepted: Sequence[str]) -> Policy:
    """The plan's wishes as the engine reads them."""
    return Policy(
        scope=scope(plan),
        mirror=plan.deletions == "mirror",
        failures=plan.failures.items_per_mailbox,
        labels=labels(plan),
        permissions=plan.content.include.permissions,
        people=people(plan),
        repair=plan.scope.repair,
        accepted=frozenset(accepted),
    )


def people(plan: Plan) -> People:
    """Who at the source is who on the target, as far as the plan tells."""
    known: dict[str, str] = {}
    for box in plan.mailboxes:
        name = account_name(plan, "target", box)
        asked = (box.source, box.source_user or "", account_name(plan, "source", box))
        known |= {each.casefold(): name for each in asked if each}
    addresses = plan.addresses

    def elsewhere(address: str) -> str:
        target = mapped(address, addresses)
        return account_name(plan, "target", PlannedMailbox(address, target))

    return People(known, elsewhere)


def labels(plan: Plan) -> Labels:
    """How the source's labels become copies."""
    if Kind.MAIL not in plan.kinds:
        return Labels.ONCE
    wished = plan.endpoints[plan.endpoint_name("source", Kind.MAIL)].described().get("labels")
    return Labels.FOLDERS if wished == Labels.FOLDERS else Labels.ONCE


def scope(plan: Plan) -> Scope:
    """The plan's scope as the engine reads it."""
    wanted = plan.scope
    return Scope(
        include=wanted.folders.include,
        exclude=wanted.folders.exclude,
        rename=dict(wanted.folders.rename),
        mail_since=wanted.mail_since,
        max_size=wanted.max_size,
        newest_first=wanted.order == "newest",
    )


def import_csv_passwords(plan: Plan, vault: Vault) -> int:
    """Read the password columns of the plan's CSV files into the store, once; returns how many were new.

    A password that a person set later stays until the CSV says another one.
    """
    new: dict[str, str] = {}
    for side, address, password in loader.csv_passwords(plan):
        name = store_name(side, address)
        mark = vault.mark(password).hex()
        if vault.get(IMPORTED + name) != mark:
            new |= {name: password, IMPORTED + name: mark}
    if new:
        vault.update(new)
    return len(new) // 2


def own_names(vault: Vault) -> list[str]:
    """The names of the secrets that people gave."""
    return [name for name in vault.names() if not name.startswith(IMPORTED)]


def passwords_in(plan: Plan, path: Path) -> dict[str, str]:
    """The passwords of a CSV file under their names in the store.

    Raises PlanInvalid for a file that cannot be used, UsageError for a mailbox that the plan does not list.
    """
    faults = Faults()
    rows = csvfile.read(path, faults, Spot(str(path)), "CSV")
    faults.raise_any()
    planned = {box.source.casefold(): box for box in plan.mailboxes}
    found: dict[str, str] = {}
    for row in rows:
        box = planned.get(row.cells.get("source", "").casefold())
        if box is None:
            message = f"{path}:{row.line}: plan {plan.name} has no mailbox {row.cells.get('source', '')!r}"
            raise UsageError(message, remedy="correct the row, or list the mailbox in the plan")
        found |= {store_name(side, box.address(side)): row.passwords[side] for side in SIDES if side in row.passwords}
    return found
