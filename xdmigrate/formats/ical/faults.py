"""Why a server may refuse an object that was made as fit as its meaning allows: told in words, without its content.

Servers often answer nothing but "400 Bad Request"; a technician has to know what to mend at the source. Whatever is
named here some server takes, so that nothing of it is refused before it was tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lengths import length
from xdmigrate.formats.ical.rules import RULES, is_over
from xdmigrate.formats.ical.times import moment, read
from xdmigrate.formats.ical.zones import Zones
from xdmigrate.formats.refusal import Unreadable

NO_START = "an event without a start (DTSTART)"
_ONCE = frozenset(
    {"DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "UID", "ORGANIZER", "SUMMARY", "LOCATION", "STATUS", "URL"}
)


def faults(data: bytes) -> tuple[str, ...]:
    """What is unusual or wrong in it, by RFC 5545; sorted. Nothing is raised."""
    try:
        known = [(calendar, Zones(calendar)) for calendar in calendars(parsed(data))]
    except Unreadable as error:
        return (str(error),)
    found = [(each, zones) for calendar, zones in known for each in objects(calendar)]
    own = {words for component, zones in found for words in _of(component, zones)}
    return tuple(sorted({*own, *_together([component for component, _ in found])}))


def _together(components: list[Component]) -> Iterator[str]:
    """RFC 4791 section 4.1: one series, and its exceptions."""
    occurrences = Counter(each.value("RECURRENCE-ID") for each in components)
    if occurrences[""] > 1:
        yield "several events of one UID, none of which is an exception to another"
    if len(components) > 1 and not occurrences[""]:
        yield "exceptions to a series without the series"


def _of(component: Component, zones: Zones) -> Iterator[str]:
    counted = Counter(line.name for line in component.lines())
    yield from (f"{name} stands there {counted[name]} times" for name in sorted(_ONCE) if counted[name] > 1)
    if component.name == "VEVENT" and not counted["DTSTART"]:
        yield NO_START
    if any(each.name == "VALARM" and each.first("TRIGGER") is None for each in component.walk()):
        yield "an alarm without a moment (TRIGGER)"
    if any(line.name == "RDATE" and "/" in line.value for line in component.lines()):
        yield "occurrences with lengths of their own (RDATE;VALUE=PERIOD)"
    if any(line.name == "IMAGE" and line.parameter("ENCODING") for line in component.lines()):
        yield "a picture that is not linked but inside (IMAGE)"
    yield from _of_times(component, zones)
    yield from _of_rules(component, zones)


def _of_times(component: Component, zones: Zones) -> Iterator[str]:
    start, end = component.first("DTSTART"), component.first("DTEND") or component.first("DUE")
    if start is not None and end is not None and type(read(start.value)) is not type(read(end.value)):
        yield "its start is a day and its end a time, or the other way round"
        return
    lasting = length(component, zones)
    if lasting is not None and lasting.total_seconds() < 0:
        yield "it ends before it starts"
    elif lasting is not None and not lasting and component.name == "VEVENT":
        yield "an event without a length"


def _of_rules(component: Component, zones: Zones) -> Iterator[str]:
    start = component.first("DTSTART")
    begun = moment(start, zones) if start is not None else None
    for line in component.lines():
        if line.name not in RULES:
            continue
        if "RSCALE=" in line.value.upper():
            yield "a rule that names its calendar (RSCALE)"
        if is_over(line.value, begun):
            yield "a rule that ends before it starts"
