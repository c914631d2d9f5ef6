"""The occurrences of a series, as a second opinion beside the semantic digest: equal digests expand to equal moments.

Bounded in time and number, for hostile rules: only rules that count in days or more are expanded, over the `YEARS` that
follow the start, and never more than `MOST` occurrences. Whatever is not expanded counts as it stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import Line
from xdmigrate.formats.ical.rules import rule
from xdmigrate.formats.ical.times import Moment, listed_moment, moment, read
from xdmigrate.formats.ical.zones import Zones

YEARS = 4
"""How long a series is followed."""

MOST = 2000
"""The most occurrences of one rule."""

_EXPANDED = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_LONGEST = 2000
_CYCLE = 400  # years after which days of the month fall on the same days of the week again


def occurrences(data: bytes) -> bytes:
    """16 octets over when everything in these bytes happens, overrides and exceptions counted. Raises Unreadable."""
    found: set[tuple[str, str]] = set()
    for calendar in calendars(parsed(data)):
        zones = Zones(calendar)
        found |= _happening(list(objects(calendar)), zones)
    return hashlib.sha256(json.dumps(sorted(found)).encode()).digest()[:16]


def _happening(components: list[Component], zones: Zones) -> set[tuple[str, str]]:
    """UIDs with the moments at which they happen."""
    masters = [each for each in components if each.first("RECURRENCE-ID") is None]
    overrides = [each for each in components if each.first("RECURRENCE-ID") is not None]
    found = {(each.value("UID"), when) for each in masters for when in _series(each, zones)}
    found -= {(each.value("UID"), when) for each in overrides for when in _named(each, "RECURRENCE-ID", zones)}
    return found | {(each.value("UID"), when) for each in overrides for when in _named(each, "DTSTART", zones)}


def _series(component: Component, zones: Zones) -> set[str]:
    start = component.first("DTSTART")
    begun = moment(start, zones) if start else None
    if start is None or begun is None:
        return set()
    found = {str(begun), *_named(component, "RDATE", zones, begun), *_by_rules(component, "RRULE", begun)}
    return found - {*_named(component, "EXDATE", zones, begun), *_by_rules(component, "EXRULE", begun)}


def _named(component: Component, name: str, zones: Zones, start: Moment | None = None) -> set[str]:
    """The moments that lines of this name list; periods count by their start."""
    return {
        listed_moment(line, zones, value.partition("/")[0], start)
        for line in component.lines()
        if line.name == name
        for value in line.value.split(",")
    }


def _by_rules(component: Component, name: str, begun: Moment) -> Iterator[str]:
    for line in component.lines():
        if line.name == name:
            try:
                yield from list(_expanded(line, begun))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):  # dateutil raises any of them
                yield rule(line.value, begun)


def _expanded(line: Line, begun: Moment) -> Iterator[str]:
    """The moments of a rule, computed in local time. Raises ValueError for what is not expanded.

    It is expanded at the end of the calendar's last cycles, so that a rule that never matches is given up soon.
    """
    from dateutil.rrule import rrulestr

    parts = dict(part.split("=", 1) for part in "".join(line.value.split()).upper().split(";") if part)
    if parts.get("FREQ") not in _EXPANDED or len(line.value) > _LONGEST or not parts.get("INTERVAL", "1").strip("0"):
        raise ValueError("a rule that is not expanded")
    until = _until(parts.pop("UNTIL", ""), begun)
    start = _wall(begun.when)
    away = (9590 - start.year) // _CYCLE * _CYCLE
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    shifted = rrulestr(text, dtstart=start.replace(year=start.year + away), cache=False)
    last = min(until, start + timedelta(days=YEARS * 366))
    walls = (each.replace(year=each.year - away) for each in islice(shifted, MOST))
    for wall in takewhile(lambda each: each <= last, walls):
        yield str(_located(wall, begun))


def _until(value: str, begun: Moment) -> datetime:
    """The last local time of a rule; a date includes its day."""
    found = read(value) if value else None
    if isinstance(found, datetime):
        zone = begun.when.tzinfo if isinstance(begun.when, datetime) else None
        return found.astimezone(zone or UTC).replace(tzinfo=None) if found.tzinfo else found
    return datetime.combine(found, time.max) if isinstance(found, date) else datetime.max


def _wall(when: date | datetime) -> datetime:
    return when.replace(tzinfo=None) if isinstance(when, datetime) else datetime.combine(when, time())


def _located(wall: datetime, begun: Moment) -> Moment:
    if not isinstance(begun.when, datetime):
        return Moment(wall.date())
    return Moment(wall.replace(tzinfo=begun.when.tzinfo), begun.lost)
