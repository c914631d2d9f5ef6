"""Words of the plan format that this version does not act on. They are refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xdmigrate_plans.document import Where

SECTIONS = ("brand", "waves", "windows", "cutover", "checklist", "notify", "price")


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A key, or only some values of it, at a place in the plan; "*" stands for any one step."""

    place: tuple[str, ...]
    what: str  # "{}" is the value
    remedy: str = "remove it"
    values: frozenset[Any] | None = None  # None: whatever the value is
    covers_parent: bool = False  # the mapping around it is meaningless without it

    def at(self, data: Any) -> Iterator[tuple[Where, str]]:
        """Where it stands in the data, and the message."""
        for where, value in _matches(data, self.place):
            if self.values is None or (isinstance(value, bool | str) and value in self.values):
                message = f"{self.what.format(value)} is not supported by this version"
                yield where[: len(where) - self.covers_parent], message


UNSUPPORTED = (
    *(Unsupported((name,), f"section '{name}'") for name in SECTIONS),
    *(Unsupported(("include", name), f"include of '{name}'") for name in ("archive", "recoverable", "rules")),
    *(Unsupported((side, "directory"), "kind 'directory'") for side in ("source", "target")),
    Unsupported(
        ("mailboxes", "*", "discover"),
        "mailbox discovery ('discover')",
        "list the mailboxes, here or in a CSV `file`",
        covers_parent=True,
    ),
    Unsupported(("limits", "*", "rate"), "limit 'rate'", "use `connections`"),
    Unsupported(("limits", "*", "bytes_per_day"), "limit 'bytes_per_day'", "use `connections`"),
)


def refused(data: Any) -> Iterator[tuple[Where, str, str]]:
    """Every unsupported word in the data: where, message, remedy."""
    for word in UNSUPPORTED:
        for where, message in word.at(data):
            yield where, message, word.remedy


def _matches(data: Any, place: tuple[str, ...], where: Where = ()) -> Iterator[tuple[Where, Any]]:
    if not place:
        yield where, data
        return
    step, rest = place[0], place[1:]
    for key, value in _children(data):
        if step in ("*", key):
            yield from _matches(value, rest, (*where, key))


def _children(data: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list):
        yield from enumerate(data)
