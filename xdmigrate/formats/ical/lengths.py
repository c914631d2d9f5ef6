"""How long an event lasts, and the same length told in another way, for servers that do not take every one.

Measured: Cyrus 3.6 refuses a day's length that is told in hours, the end of a day on that day, and an event that ends
at its start (RFC 5545 section 3.6.1) in every form; Radicale refuses occurrences with a length of their own
(RDATE;VALUE=PERIOD) even where it is the usual one, as Lotus Notes writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import Line, made
from xdmigrate.formats.ical.times import POINT, Moment, ended, moment, read, span, spanned, stands_in
from xdmigrate.formats.ical.zones import Zones

_ENDS = ("DTEND", "DURATION")
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


def length(component: Component, zones: Zones) -> timedelta | None:
    """How long it lasts; None if nothing tells."""
    start = component.first("DTSTART")
    begun = moment(start, zones) if start is not None else None
    if begun is None:
        return None
    end, lasting = (component.first(name) for name in _ENDS)
    over = ended(begun, end, lasting, zones, event=component.name == "VEVENT")
    return span(begun, over) if isinstance(over, Moment) else None


# --- the plainest form ----------------------------------------------------------------------------------------------


def plain(component: Component, zones: Zones) -> Component:
    """The event with its length in the form that most servers take; what stood in for an end is one again."""
    start = component.first("DTSTART")
    begun = moment(start, zones) if start is not None else None
    if component.name != "VEVENT" or start is None or begun is None or _is_plain(component, begun):
        return component
    usual = length(component, zones)
    entries: list[Line | Component] = []
    for each in component.entries:
        entries += [each] if isinstance(each, Component) else _plain(each, start, begun, usual, zones)
    return replace(component, entries=entries)


def _is_plain(component: Component, begun: Moment) -> bool:
    """Whether most servers take it for sure; nearly every event is."""
    odd = (POINT in line.text or (line.name == "RDATE" and "/" in line.value) for line in component.lines())
    return isinstance(begun.when, datetime) and not any(odd)


def _plain(line: Line, start: Line, begun: Moment, usual: timedelta | None, zones: Zones) -> Iterator[Line]:
    if line.name == "DTEND" and stands_in(line, begun, zones):
        yield made(f"DTEND{start.text[len('DTSTART') :]}")
    elif line.name in _ENDS and not isinstance(begun.when, datetime):
        yield from _of_days(line, begun, zones)
    elif line.name == "RDATE" and "/" in line.value and _is_usual(line, usual, zones):
        starts = (value.partition("/")[0].strip() for value in line.value.split(","))
        yield made(f"{line.text[: line.colon]}:{','.join(starts)}")
    else:
        yield line


def _of_days(line: Line, begun: Moment, zones: Zones) -> Iterator[Line]:
    """Lengths are told in days (section 3.6.1); a day itself has none to tell."""
    if line.name == "DTEND":
        yield from [line] if moment(line, zones) != begun else []
        return
    lasting = read(line.value)
    if not isinstance(lasting, timedelta) or begun.later(line.value) == begun:
        yield from [line] if not isinstance(lasting, timedelta) else []
    else:
        whole = "T" in line.value.upper() and not lasting % _DAY
        yield made(f"DURATION:P{lasting // _DAY}D") if whole else line


def _is_usual(line: Line, usual: timedelta | None, zones: Zones) -> bool:
    return usual is not None and all(spanned(line, zones, value) == usual for value in line.value.split(","))


# --- the form for servers that take no event without a length --------------------------------------------------------


def stretched(data: bytes) -> bytes:
    """The object with a second for each event that ends at its start, marked as standing in for none.

    The digest is the same: `plain` and the digest know the mark. The same octets where there is no such event. Raises
    Unreadable.
    """
    root = parsed(data)
    known = ((calendar, Zones(calendar)) for calendar in calendars(root))
    found = [_stretch(each, zones) for calendar, zones in known for each in objects(calendar)]
    return b"".join(root.raw()) if any(found) else data


def _stretch(component: Component, zones: Zones) -> bool:
    start = component.first("DTSTART")
    when = read(start.value) if start is not None else None
    if component.name != "VEVENT" or start is None or not isinstance(when, datetime):
        return False
    if length(component, zones) != timedelta():  # nor one that nobody can read
        return False
    zone = "Z" if start.value.strip().upper().endswith("Z") else ""
    head = start.text[len("DTSTART") : start.colon]
    end = made(f"DTEND{head};{POINT}=0:{when + _SECOND:%Y%m%dT%H%M%S}{zone}")
    kept = [each for each in component.entries if isinstance(each, Component) or each.name not in _ENDS]
    component.entries[:] = [end, *kept]
    return True
