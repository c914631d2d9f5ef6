"""What a plan promises about invitations, judged by what canaries told: for `check`, `sync` and `verify`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xdmigrate import registry
from xdmigrate.contract import Inviting, Promise
from xdmigrate.errors import ExtraMissing, GuardRefused, StateUnusable, UsageError
from xdmigrate.model import Endpoint, Kind
from xdmigrate.report.invitations import PromiseFacts
from xdmigrate_state import canaries, plans
from xdmigrate_state.database import Database

if TYPE_CHECKING:
    from xdmigrate.cli.call import Call
    from xdmigrate.cli.compose import Systems
    from xdmigrate.cli.home import Home
    from xdmigrate_state.rows import CanaryRow, PlanRow

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


def standing_of(db: Database, row: PlanRow) -> list[PromiseFacts]:
    """The same from the state alone, for the plan as it was last applied: also where nothing is promised.

    An endpoint whose connector is not installed here is left out.
    """
    known = db.read(lambda c: canaries.of_plan(c, row.id))
    found = {}
    for endpoint in _targets(row.snapshot):
        with suppress(UsageError, ExtraMissing):
            connector = registry.load(endpoint.connector)
            if isinstance(connector, Inviting):
                last = known.get(connector.identity(endpoint))
                found[endpoint.name] = PromiseFacts(endpoint.name, connector.promise(endpoint), last)
    return list(found.values())


def _targets(snapshot: Mapping[str, Any]) -> Iterator[Endpoint]:
    """Where events and tasks are written to; without what only a login needs."""
    for kind in sorted(INVITING & set(snapshot["target"])):
        name = snapshot["target"][kind]
        settings = {key: value for key, value in snapshot["endpoints"][name].items() if key != "auth"}
        yield Endpoint(name, settings.pop("connector"), settings)


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
