"""The semantic digest of an iCalendar object: equal for every way in which servers and clients write the same thing.

Left out: what every system writes anew, time zone definitions, calendar-wide properties, names that no standard knows
(`properties.NAMES`) but for HTML body and busy status, defaults, order, folding, escaping. Instants count in UTC; a
series counts with the clock of its zone (`zones.behaviour`), for it moves with daylight saving. An end counts, not
whether it was told as DTEND, DUE or DURATION; an occurrence's own length (RDATE;VALUE=PERIOD) only where it is not the
usual one. Alarms count by action, trigger, repetition and addressees, inline attachments by their SHA-256, attendees
by address and answer, without the organizer's own row. A UID that `strict.storable` made up is none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC

from xdmigrate.formats.ical.addresses import address
from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lengths import length
from xdmigrate.formats.ical.lines import Line, unescaped
from xdmigrate.formats.ical.properties import BUSY, PARTS, said
from xdmigrate.formats.ical.rules import RULES, is_over
from xdmigrate.formats.ical.times import Moment, ended, moment, told
from xdmigrate.formats.ical.zones import Zones, behaviour

MADE = "@xdmigrate.invalid"
"""How the UIDs end that we made up for objects without one."""

_OWN = frozenset({"UID", "RECURRENCE-ID", "DTEND", "DUE", "DURATION"})
_ALARM = {"ACTION": "AUDIO", "TRIGGER": "0:00:00"}
_ALARMING = frozenset({*_ALARM, "REPEAT", "DURATION", "PROXIMITY", "ATTENDEE"})
_IMPLIED = frozenset({(BUSY, "BUSY", "OPAQUE"), (BUSY, "FREE", "TRANSPARENT")})


@dataclass(frozen=True, slots=True, order=True)
class Facts:
    """What one component says."""

    kind: str
    uid: str
    occurrence: str  # RECURRENCE-ID, or "" for a master
    fields: tuple[tuple[str, str], ...]  # sorted, each once


def digest(data: bytes) -> bytes:
    """16 octets that are equal for objects that mean the same. Raises Unreadable."""
    return hashed(facts(data))


def hashed(found: Iterable[Facts]) -> bytes:
    """The digest of these facts."""
    rows = sorted({(each.kind, each.uid, each.occurrence, each.fields) for each in found})
    return hashlib.sha256(json.dumps(rows).encode()).digest()[:16]


def facts(data: bytes) -> list[Facts]:
    """What the components of all calendars in these bytes say, sorted. Raises Unreadable."""
    found = ((calendar, Zones(calendar)) for calendar in calendars(parsed(data)))
    return sorted(component_facts(component, zones) for calendar, zones in found for component in objects(calendar))


def component_facts(component: Component, zones: Zones) -> Facts:
    """What this one says."""
    occurrence = component.first("RECURRENCE-ID")
    return Facts(
        component.name,
        _uid(component),
        _occurrence(occurrence, zones) if occurrence else "",
        tuple(sorted(set(_fields(component, zones)))),
    )


def _uid(component: Component) -> str:
    uid = unescaped(component.value("UID"))
    return "" if uid.endswith(MADE) else uid


def _occurrence(line: Line, zones: Zones) -> str:
    following = line.parameter("RANGE").upper()
    return " ".join(filter(None, (told(line, zones), following)))


def _fields(component: Component, zones: Zones) -> Iterator[tuple[str, str]]:
    start = component.first("DTSTART")
    begun = moment(start, zones) if start else None
    organizer = {address(line.value) for line in component.lines() if line.name == "ORGANIZER"}
    usual = length(component, zones) if component.first("RDATE") else None
    found = [pair for line in component.lines() if line.name not in _OWN for pair in said(line, zones, begun, usual)]
    transparent = dict(found).get("TRANSP", "OPAQUE")
    for name, value in found:
        own = name == "ATTENDEE" and value.partition(" ")[0] in organizer
        if not own and (name, value, transparent) not in _IMPLIED:
            yield name, value
    yield from _times(component, zones, begun)
    for each in component.components():
        if each.name in PARTS:
            yield each.name, json.dumps(list(_inside(each, zones)))


def _recurs(component: Component, begun: Moment) -> bool:
    return any(line.name in RULES and not is_over(line.value, begun) for line in component.lines())


def _times(component: Component, zones: Zones, begun: Moment | None) -> Iterator[tuple[str, str]]:
    """When it ends, and for a series the clock that it follows."""
    start, duration = component.first("DTSTART"), component.first("DURATION")
    end = component.first("DTEND") or component.first("DUE")
    if start is not None:
        until = str(ended(begun, end, duration, zones, event=component.name == "VEVENT"))
        yield from [("END", until)] if until else []
    elif end is not None:
        yield "END", told(end, zones)
    elif duration is not None:
        yield from said(duration, zones, None)
    anchor = begun or (moment(end, zones) if end is not None else None)  # tasks often have nothing but DUE
    if anchor and anchor.zone and _recurs(component, anchor):
        clock = behaviour(anchor.zone, anchor.when.year)
        yield from [("ZONE", clock)] if clock != behaviour(UTC, anchor.when.year) else []


def _inside(component: Component, zones: Zones) -> Iterator[tuple[str, str]]:
    """An alarm by what it does, when and to whom; anything else by all that it says."""
    found = {pair for line in component.lines() for pair in said(line, zones, None)}
    yield from sorted(_alarm(found) if component.name == "VALARM" else found)
    parts = (each for each in component.components() if each.name in PARTS)
    yield from ((each.name, json.dumps(list(_inside(each, zones)))) for each in parts)


def _alarm(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """With what servers suppose where an alarm does not say it: a sound, at the start, once."""
    names = {name for name, _ in found}
    counted = _ALARMING if {"REPEAT", "DURATION"} <= names else _ALARMING - {"REPEAT", "DURATION"}
    supposed = {(name, value) for name, value in _ALARM.items() if name not in names}
    return supposed | {(name, value) for name, value in found if name in counted}
