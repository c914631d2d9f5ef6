"""The tree of components (RFC 5545 section 3.6) over content lines, octets kept; bounded in depth and number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdmigrate.formats.ical.lines import Line, lines, utf8
from xdmigrate.formats.refusal import Unreadable

DEPTH = 12
"""The deepest nesting that is read; RFC 9073 comes to 5."""

COMPONENTS = 500_000
"""The most components of a file."""


@dataclass(slots=True)
class Component:
    """A component with its lines and sub-components in the order in which they came."""

    name: str  # upper-case; "" for what stands outside of all components
    begin: Line | None = None
    entries: list[Line | Component] = field(default_factory=list)
    end: Line | None = None

    def lines(self) -> Iterator[Line]:
        """Its own lines."""
        return (each for each in self.entries if isinstance(each, Line))

    def components(self) -> Iterator[Component]:
        """The components directly inside."""
        return (each for each in self.entries if isinstance(each, Component))

    def walk(self) -> Iterator[Component]:
        """Itself and everything inside."""
        yield self
        for each in self.components():
            yield from each.walk()

    def first(self, name: str) -> Line | None:
        """Its first line of this name."""
        return next((line for line in self.lines() if line.name == name), None)

    def value(self, name: str) -> str:
        """The value of its first line of this name, or ""; not unescaped."""
        line = self.first(name)
        return "" if line is None else line.value.strip()

    def raw(self) -> Iterator[bytes]:
        """The octets of all of it."""
        if self.begin is not None:
            yield self.begin.raw
        for each in self.entries:
            if isinstance(each, Component):
                yield from each.raw()
            else:
                yield each.raw
        if self.end is not None:
            yield self.end.raw


def parsed(data: bytes, *, cut: bool = False) -> Component:
    """The nameless component that holds everything in these bytes.

    With `cut`, what is cut short stays in the tree, without an `end`. Raises Unreadable if components do not nest or
    are cut short, if there are none, and beyond the bounds.
    """
    stack = [Component("")]
    count = 0
    for line in lines(utf8(data)[0]):
        if line.name == "BEGIN":
            count += 1
            _begin(stack, line, count)
        elif line.name == "END":
            _end(stack, line)
        else:
            stack[-1].entries.append(line)
    if len(stack) > 1 and not cut:
        raise Unreadable("it ends inside a component: it was cut short")
    if not count:
        raise Unreadable("there is no iCalendar component in it")
    return stack[0]


def _begin(stack: list[Component], line: Line, count: int) -> None:
    if len(stack) > DEPTH:
        raise Unreadable(f"components nest deeper than {DEPTH}")
    if count > COMPONENTS:
        raise Unreadable(f"more than {COMPONENTS} components")
    component = Component(line.value.strip().upper(), line)
    stack[-1].entries.append(component)
    stack.append(component)


def _end(stack: list[Component], line: Line) -> None:
    if len(stack) == 1 or stack[-1].name != line.value.strip().upper():
        raise Unreadable("a component ends that did not begin")
    stack.pop().end = line


def calendars(root: Component) -> Iterator[Component]:
    """The calendars of a stream; components that stand in none make up one more."""
    yield from (each for each in root.components() if each.name == "VCALENDAR")
    bare = [each for each in root.components() if each.name != "VCALENDAR"]
    if bare:
        yield Component("VCALENDAR", entries=list(bare))


def objects(calendar: Component) -> Iterator[Component]:
    """Its components that are no time zones."""
    return (each for each in calendar.components() if each.name != "VTIMEZONE")
