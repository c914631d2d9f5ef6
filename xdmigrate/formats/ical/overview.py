"""What an engine must know of an iCalendar object before it writes it anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from xdmigrate.formats.ical.addresses import address
from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import unescaped
from xdmigrate.formats.ical.times import Moment, moment
from xdmigrate.formats.ical.zones import Zones

_RECURRING = frozenset({"RRULE", "EXRULE", "RDATE", "RECURRENCE-ID"})
_MOMENTS = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID"})


@dataclass(frozen=True, slots=True)
class Outline:
    """What stands in an object, without its texts."""

    uid: str  # of its first component; "" if it has none
    uids: int  # how many different ones
    components: tuple[str, ...]  # names, sorted, each once; no VTIMEZONE
    method: str  # of iTIP, upper-case, or ""
    organizer: str  # address in lower case, or ""
    attendees: tuple[str, ...]  # addresses in lower case, sorted, each once
    recurring: bool
    times: tuple[datetime, datetime] | None  # first and last moment that it names, in UTC; the end of a rule is unknown


def outline(data: bytes) -> Outline:
    """The outline of the objects in these bytes. Raises Unreadable."""
    found = list(calendars(parsed(data)))
    components = [each for calendar in found for each in objects(calendar)]
    uids = [unescaped(each.value("UID")) for each in components]
    moments = sorted(_instant(each) for calendar in found for each in _moments(calendar))
    organizers = _people(components, "ORGANIZER")
    return Outline(
        uid=uids[0] if uids else "",
        uids=len(set(uids)),
        components=tuple(sorted({each.name for each in components})),
        method=next((calendar.value("METHOD").upper() for calendar in found if calendar.first("METHOD")), ""),
        organizer=organizers[0] if organizers else "",
        attendees=tuple(sorted(set(_people(components, "ATTENDEE")))),
        recurring=any(line.name in _RECURRING for each in components for line in each.lines()),
        times=(moments[0], moments[-1]) if moments else None,
    )


def _people(components: list[Component], name: str) -> list[str]:
    """Addresses in the order in which they stand."""
    people = (address(line.value) for each in components for line in each.lines() if line.name == name)
    return [each for each in people if each]


def _moments(calendar: Component) -> Iterator[Moment]:
    zones = Zones(calendar)
    for component in objects(calendar):
        for line in component.lines():
            found = moment(line, zones) if line.name in _MOMENTS else None
            if found:
                yield found


def _instant(found: Moment) -> datetime:
    """Dates and floating times are read as UTC."""
    when: date | datetime = found.when
    if not isinstance(when, datetime):
        return datetime(when.year, when.month, when.day, tzinfo=UTC)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
