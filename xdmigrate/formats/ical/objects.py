"""One object for each UID (RFC 4791 section 4.1): a series with all its overrides, and the time zones that they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import line_end

Key = tuple[str, ...]


def split(data: bytes) -> list[bytes]:
    """The objects of a file, in UTF-8, in the order of their first components, each with its calendar's properties.

    A file with a single object comes back as it is. Components without a UID are objects of their own. What is cut
    short at the end of a file is the last object and cannot be read. Raises Unreadable.
    """
    found = list(calendars(parsed(data, cut=True)))
    grouped: dict[Key, list[tuple[Component, Component]]] = {}
    apart = _contradicting(found)
    for number, calendar in enumerate(found):
        for component in objects(calendar):
            key = (*_key(component), str(number) if apart else "")
            grouped.setdefault(key, []).append((calendar, component))
    if len(grouped) == 1 and len(found) == 1:
        return [data]
    end, shared = line_end(data), {id(calendar): _Shared(calendar) for calendar in found}
    return [b"".join(_ended(_object(group, shared), end)) for group in grouped.values()]


class _Shared:
    """What the objects of one calendar share, found once: its own lines, and its time zones."""

    def __init__(self, calendar: Component) -> None:
        self.lines = [line.raw for line in calendar.lines()]
        self.zones = [(each.value("TZID"), each) for each in calendar.components() if each.name == "VTIMEZONE"]


def _key(component: Component) -> Key:
    uid = component.value("UID")
    whole = all(each.end is not None for each in component.walk())
    return (component.name, uid) if uid and whole else (component.name, "", str(id(component)))


def _contradicting(found: list[Component]) -> bool:
    """Whether two calendars of one stream define a time zone differently: their objects must then stay apart."""
    defined: dict[str, bytes] = {}
    for calendar in found:
        for zone in calendar.components():
            raw = b"".join(zone.raw())
            if zone.name == "VTIMEZONE" and defined.setdefault(zone.value("TZID"), raw) != raw:
                return True
    return False


def _object(group: list[tuple[Component, Component]], shared: dict[int, _Shared]) -> Iterator[bytes]:
    """The octets of an object; a component that was cut short ends it."""
    calendar = group[0][0]
    components = [component for _, component in group]
    whole = all(each.end is not None for component in components for each in component.walk())
    if calendar.begin is not None:
        yield calendar.begin.raw
    yield from shared[id(calendar)].lines
    yield from _zones(group, shared)
    for component in components:
        yield from component.raw()
    if whole and calendar.begin is not None:
        yield calendar.end.raw if calendar.end is not None else b"END:VCALENDAR"


def _zones(group: list[tuple[Component, Component]], shared: dict[int, _Shared]) -> Iterator[bytes]:
    used = {line.parameter("TZID") for _, each in group for part in each.walk() for line in part.lines()} - {""}
    for calendar in dict.fromkeys(id(calendar) for calendar, _ in group):
        for tzid, zone in shared[calendar].zones:
            if tzid in used:
                used.discard(tzid)
                yield from zone.raw()


def _ended(pieces: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    """Every piece with a line end: the file's last line may have none."""
    return (piece if piece.endswith((b"\n", b"\r")) else piece + end for piece in pieces)
