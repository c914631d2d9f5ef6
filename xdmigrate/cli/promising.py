"""What a plan promises about invitations, judged by what canaries told: for `check`, `sync` and `verify`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from xdmigrate.contract import Inviting, Promise
from xdmigrate.errors import GuardRefused, StateUnusable
from xdmigrate.model import Kind
from xdmigrate.report.invitations import PromiseFacts
from xdmigrate_state import canaries, plans
from xdmigrate_state.database import Database

if TYPE_CHECKING:
    from xdmigrate.cli.call import Call
    from xdmigrate.cli.compose import Systems
    from xdmigrate.cli.home import Home
    from xdmigrate_state.rows import CanaryRow

INVITING = frozenset((Kind.CALENDAR, Kind.TASKS))
"""Kinds of data with people in them."""


def told(db: Database, plan: str) -> dict[str, CanaryRow]:
    """The last word of a canary on each system, by its identity."""
    row = db.read(lambda c: plans.find(c, plan))
    return {} if row is None else db.read(lambda c: canaries.of_plan(c, row.id))


def told_so_far(home: Home, plan: str) -> dict[str, CanaryRow]:
    """The same, from the state as it is; one that is not there, or cannot be used, knows nothing."""
    try:
        with Database.open(home.database(plan), create=False) as db:
            return told(db, plan)
    except StateUnusable:
        return {}


def promised(systems: Systems, known: Mapping[str, CanaryRow]) -> list[PromiseFacts]:
    """What is promised about the endpoints to which events and tasks are written; nothing where nothing is."""
    targets = [route.target for route in systems.routes if INVITING & set(route.kinds)]
    found = {}
    for system in targets:
        if isinstance(system.connector, Inviting):
            promise = system.connector.promise(system.endpoint)
            found[system.endpoint.name] = PromiseFacts(system.endpoint.name, promise, known.get(system.identity))
    return [facts for facts in found.values() if facts.promise is not Promise.NONE]


def refuse(promises: Iterable[PromiseFacts]) -> None:
    """Raises GuardRefused where a run might invite people again, whatever else it would do."""
    for facts in promises:
        if not facts.standing.is_safe:
            raise GuardRefused(facts.text, remedy=facts.remedy, endpoint=facts.endpoint)


def report(call: Call, promises: Sequence[PromiseFacts]) -> None:
    """Tell by whose word nobody was invited, where the plan gives one."""
    if promises:
        call.facts["invitations"] = [facts.to_json() for facts in promises]
        call.say(*(facts.text for facts in promises))
