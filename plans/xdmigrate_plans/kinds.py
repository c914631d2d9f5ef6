"""Which kinds of data a plan moves, and between which endpoints. Pure: works on a plan's raw values.

`source: old` stands for every kind that the connectors of both sides move; beside a mapping on the other side, for the
kinds that this one names. A kind has an endpoint on both sides or on none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from xdmigrate.model import Kind
from xdmigrate_plans.plan import SIDES, Side

if TYPE_CHECKING:
    from xdmigrate_plans.diagnosis import Fault

Moves = Callable[[str], AbstractSet[Kind]]
"""What a connector moves, by its name."""

OTHER: dict[Side, Side] = {"source": "target", "target": "source"}


def only_mail(_connector: str) -> AbstractSet[Kind]:
    """What a connector moves of which nothing is known."""
    return frozenset((Kind.MAIL,))


def spread(data: Mapping[str, Any], connectors: AbstractSet[str], moves: Moves) -> dict[str, Any]:
    """The plan's values with an endpoint for each kind where a side names one for all."""
    found = dict(data)
    found |= {side: _spread(data, side, connectors, moves) for side in SIDES if isinstance(data.get(side), str)}
    return found


def problems(data: Mapping[str, Any], connectors: AbstractSet[str], moves: Moves) -> Iterator[Fault]:
    """Kinds that only one side has, and endpoints that do not move what they are named for."""
    if all(isinstance(data.get(side), str) for side in SIDES):
        yield from _nothing_in_common(data, connectors, moves)
    for side in SIDES:
        for kind in _named(data.get(side)):
            yield from _about(data, side, kind, connectors, moves)


def _spread(data: Mapping[str, Any], side: Side, connectors: AbstractSet[str], moves: Moves) -> dict[str, str]:
    """The kinds of one side that names one endpoint; mail, where the other side does not tell."""
    other = data.get(OTHER[side])
    mine = _moved(data, data[side], connectors, moves)
    theirs = frozenset(_named(other)) or _moved(data, other, connectors, moves)
    common = [kind for kind in Kind if kind in mine and kind in theirs]
    return dict.fromkeys(map(str, common or (Kind.MAIL,)), data[side])


def _nothing_in_common(data: Mapping[str, Any], connectors: AbstractSet[str], moves: Moves) -> Iterator[Fault]:
    mine, theirs = (_moved(data, data[side], connectors, moves) for side in SIDES)
    if not mine & theirs:
        told = " and ".join(_connector(data, data[side]) for side in SIDES)
        yield ("target",), f"connectors {told} move no kind of data in common", "name other endpoints"


def _about(
    data: Mapping[str, Any], side: Side, kind: Kind, connectors: AbstractSet[str], moves: Moves
) -> Iterator[Fault]:
    other, where = data.get(OTHER[side]), (side, kind.value)
    name = data[side][kind]
    if kind not in _moved(data, name, connectors, moves):
        yield where, _moves_none(data, name, kind), f"name an endpoint that holds {kind}, or remove it on both sides"
    if isinstance(other, str) and kind not in _moved(data, other, connectors, moves):
        remedy = f"write an endpoint for each kind under `{OTHER[side]}`, or remove it"
        yield where, _moves_none(data, other, kind), remedy
    elif isinstance(other, dict) and kind not in _named(other):
        yield where, f"{kind} has no endpoint under {OTHER[side]}", "name one there, too, or remove it here"


def _named(systems: Any) -> list[Kind]:
    """The kinds for which a side names endpoints."""
    return [kind for kind in Kind if systems.get(kind) is not None] if isinstance(systems, dict) else []


def _moves_none(data: Mapping[str, Any], name: Any, kind: Kind) -> str:
    return f"endpoint '{name}' ({_connector(data, name)}) moves no {kind}"


def _connector(data: Mapping[str, Any], name: Any) -> str:
    endpoints = data.get("endpoints")
    endpoint = endpoints.get(name) if isinstance(endpoints, dict) and isinstance(name, str) else None
    connector = endpoint.get("connector") if isinstance(endpoint, dict) else None
    return connector if isinstance(connector, str) else ""


def _moved(data: Mapping[str, Any], name: Any, connectors: AbstractSet[str], moves: Moves) -> AbstractSet[Kind]:
    """What an endpoint moves; everything, where something else is wrong with it and told elsewhere."""
    connector = _connector(data, name)
    return moves(connector) if connector in connectors else frozenset(Kind)
