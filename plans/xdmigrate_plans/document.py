"""A YAML file as plain values, each with the line where it stands; bounded, and nothing in it is executed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NoReturn

import yaml

from xdmigrate_plans.faults import Faults, Spot
from xdmigrate_plans.textfile import half_characters, unprintable

MAX_DEPTH = 20
MAX_NODES = 200_000
MAX_INTEGER = 2**63
MAX_KEY = 1000  # characters

Where = tuple[str | int, ...]
"""The way to a value: keys and list positions."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp"))
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(slots=True)
class Document:
    """Plain values, and where each of them stands."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    spots: dict[Where, Spot] = field(default_factory=dict)
    unreadable: list[Where] = field(default_factory=list)  # already noted as faults; the value reads as None

    def spot(self, where: Where) -> Spot:
        """Where the value stands, or the nearest that encloses it."""
        for length in range(len(where), 0, -1):
            if found := self.spots.get(where[:length]):
                return found
        return Spot(self.file)


def dotted(where: Where) -> str:
    """The way to a value as people read it."""
    return ".".join(map(named, where)) or "plan"


def named(key: str | int) -> str:
    """A key as messages may quote it: without a blank after the colon, `password:x` is all key to YAML."""
    name, colon, _ = str(key).partition(":")
    return f"{name}:…" if colon else name


def parse(text: str, file: str, faults: Faults) -> Document | None:
    """The document, or None when it is no mapping at all; every fault is noted in `faults`."""
    try:
        if fault := _excess(text):
            faults.add(Spot(file, fault[0]), "plan", fault[1])
            return None
        root = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        faults.add(Spot(file, _line_of(error, text)), "plan", f"is not valid YAML: {_cause(error)}")
        return None
    if not isinstance(root, yaml.MappingNode):
        message = "is empty" if root is None else "is not a mapping of keys to values"
        faults.add(Spot(file), "plan", message, "start from a ready plan: `xdmigrate init NAME`")
        return None
    reader = _Reader(Document(file), faults)
    reader.document.data = reader.mapping(root, ())
    return reader.document


def _excess(text: str) -> tuple[int, str] | None:
    """Line and fault of a file that is nested too deeply or holds too much, found before anything is built."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            return _line(event), f"is nested more than {MAX_DEPTH} levels deep"
        if nodes > MAX_NODES:
            return _line(event), f"holds more than {MAX_NODES} values"
    return None


def _line(marked: yaml.Event | yaml.Node) -> int:
    return int(marked.start_mark.line) + 1 if marked.start_mark else 1


def _cause(error: Exception) -> str:
    """The parser's words without what it quotes: an unquoted password that begins with `*` is an alias to YAML."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    return re.sub(r"(['\"]).{2,}\1", "…", str(problem), flags=re.DOTALL)


def _line_of(error: Exception, text: str) -> int:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0) or 0) + 1


class _Unreadable(Exception):
    """A value that no plan can use; already noted."""


class _Reader:
    """Turns nodes into values. Aliases are followed, so the number of values is bounded once more."""

    def __init__(self, document: Document, faults: Faults) -> None:
        self.document = document
        self._faults = faults
        self._scalars = yaml.constructor.SafeConstructor()
        self._left = MAX_NODES

    def mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        """A mapping with text keys; a key that stands twice is a fault."""
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, where)
            if key is None:
                continue
            here = (*where, key)
            if key in found:
                first = self.document.spots[here].line
                self._note(key_node, here, f"stands twice, first on line {first}", "remove one of them")
                continue
            self.document.spots[here] = self._spot(key_node)
            self._put(found, key, value_node, here)
        return found

    def _put(self, found: dict[str, Any], key: str, node: yaml.Node, here: Where) -> None:
        try:
            found[key] = self._value(node, here)
        except _Unreadable:
            found[key] = None

    def _sequence(self, node: yaml.SequenceNode, where: Where) -> list[Any]:
        found: list[Any] = []
        for place, child in enumerate(node.value):
            here = (*where, place)
            self.document.spots[here] = self._spot(child)
            try:
                found.append(self._value(child, here))
            except _Unreadable:
                found.append(None)
        return found

    def _value(self, node: yaml.Node, where: Where) -> Any:
        self._left -= 1
        if self._left < 0 or len(where) > MAX_DEPTH:
            self._refuse(node, (where[0],), "its aliases expand to too much", "write the values out")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, where)
        return self._scalar(node, where)

    def _scalar(self, node: yaml.Node, where: Where) -> Any:
        if node.tag not in _SCALARS:
            self._refuse(node, where, "has a YAML tag that plans do not use", "remove the tag")
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, ValueError):
            self._refuse(node, where, "is neither text, a number nor a date", "put it in quotes if it is text")
        if isinstance(value, str) and half_characters(value):
            self._refuse(node, where, "holds half a character (a lone surrogate)", "write the character itself")
        if isinstance(value, int | float) and not abs(value) < MAX_INTEGER:  # true for NaN, too
            self._refuse(node, where, "is too large a number", "put it in quotes if it is text")
        return value.isoformat() if isinstance(value, date) else value

    def _key(self, node: yaml.Node, where: Where) -> str | None:
        if node.tag == _MERGE:
            self._note(node, where, "'<<' is not supported", "write the keys out, or share them by `extends`")
            return None
        try:
            key = self._scalar(node, where)
        except _Unreadable:
            return None
        if not isinstance(key, str):
            self._note(node, where, f"the key {key!r} is not text", "put it in quotes")
        elif len(key) > MAX_KEY or unprintable(key):
            self._note(node, where, "has a key that is too long or not printable", "use a short word")
        else:
            return key
        return None

    def _refuse(self, node: yaml.Node, where: Where, message: str, remedy: str) -> NoReturn:
        self._note(node, where, message, remedy)
        self.document.unreadable.append(where)
        raise _Unreadable

    def _note(self, node: yaml.Node, where: Where, message: str, remedy: str) -> None:
        self._faults.add(self._spot(node), dotted(where), message, remedy)

    def _spot(self, node: yaml.Node) -> Spot:
        return Spot(self.document.file, _line(node))
