"""An appointment of Outlook's as an iCalendar object (MS-OXOCAL by the rules of MS-OXCICAL). Pure.

A single appointment is told in UTC: that is the instant, whatever anybody's clock does. A series is told by the clock
of its zone. What iCalendar cannot say, or what contradicts itself, is refused: never a wrong series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from xdmigrate.formats.refusal import Unstorable
from xdmigrate_files.calendaring import calendar, common, stamped, uid_of
from xdmigrate_files.contentlines import day, line, moment, text
from xdmigrate_files.mapi import APPOINTMENT, REMINDER_DELTA, REMINDER_SET, SUBJECT, Found, Properties
from xdmigrate_files.outlookpeople import CANCELLED, STATE, people
from xdmigrate_files.outlookzone import Zone, of_definition, of_struct
from xdmigrate_files.recurrence import REASON, Appointments, Change, Override, appointments
from xdmigrate_files.rules import fits, rule

START, END, ALL_DAY = (APPOINTMENT, 0x820D), (APPOINTMENT, 0x820E), (APPOINTMENT, 0x8215)
BUSY, LOCATION, REPLACES = (APPOINTMENT, 0x8205), (APPOINTMENT, 0x8208), (APPOINTMENT, 0x8228)
RECUR, RECURS = (APPOINTMENT, 0x8216), (APPOINTMENT, 0x8223)
_ZONES = ((APPOINTMENT, 0x8260), (APPOINTMENT, 0x825E))  # of the series, of the start as it is shown
_ZONE_STRUCT, _ZONE_NAME = (APPOINTMENT, 0x8233), (APPOINTMENT, 0x8234)
_BUSY = {0: "FREE", 1: "TENTATIVE", 2: "BUSY", 3: "OOF", 4: "WORKINGELSEWHERE"}
_DEFAULT_REMINDER = 0x5AE980E1
_LONGEST_REMINDER = 5_000_000
_REMINDED = 15
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Times:
    """How the moments of an object are written."""

    all_day: bool
    zone: Zone | None  # None: in UTC

    def line(self, name: str, when: datetime) -> bytes:
        """A property that is a moment."""
        if self.all_day:
            return line(name, day(when), {"VALUE": "DATE"})
        if self.zone is None:
            return line(name, f"{moment(when)}Z")
        return line(name, moment(when), {"TZID": self.zone.tzid})


def converted(found: Found) -> bytes:
    """The calendar object. Raises Unstorable."""
    told = found.properties
    raw = told.octets(RECUR)
    try:
        if raw and told.truth(RECURS):
            return _series(found, appointments(raw))
        return _single(found)
    except (OverflowError, ValueError) as error:
        if isinstance(error, Unstorable):
            raise
        raise Unstorable("bad-value", "it has a date that no calendar can name") from None


def _single(found: Found) -> bytes:
    told = found.properties
    start, end = told.moment(START), told.moment(END)
    if start is None:
        raise Unstorable("bad-value", "the appointment has no start")
    end = max(end or start, start)
    times = Times(told.truth(ALL_DAY), None)
    if times.all_day:
        zone = _zone(told)
        first = _midnight(start, zone)
        begins, ends = first, max(_midnight(end, zone), first + _DAY)
    else:
        begins, ends = start.replace(tzinfo=None), end.replace(tzinfo=None)
    return calendar(b"", _event(found, times, begins, ends))


def _series(found: Found, held: Appointments) -> bytes:
    told = found.properties
    all_day = told.truth(ALL_DAY)
    zone = _zone(told)
    if zone is None and not all_day:
        raise Unstorable(REASON, "the series tells no time zone that can be read")
    if not fits(held.series, held.series.start):
        raise Unstorable(REASON, "the first date of the series is not one that its rule gives")
    times = Times(all_day, None if all_day else zone)
    start = _at(held.series.start, held)
    extent = max(held.ends - held.begins, _DAY if all_day else timedelta())
    changed = {each.original for each in held.changes}
    left_out = [times.line("EXDATE", _at(each, held)) for each in held.series.deleted if each not in changed]
    more = [line("RRULE", rule(held.series, _until(held, times))), *left_out]
    master = _event(found, times, start, start + extent, b"".join(more))
    exceptions = b"".join(_exception(found, times, held, change) for change in held.changes)
    return calendar(b"" if times.zone is None else times.zone.definition(), master + exceptions)


def _at(date_: date, held: Appointments) -> datetime:
    """When the date's appointment begins by the rule; of whole days, midnight."""
    return datetime(date_.year, date_.month, date_.day) + held.begins


def _until(held: Appointments, times: Times) -> str:
    """In UTC where the start has a zone (RFC 5545 section 3.3.10)."""
    if held.series.until is None:
        return ""
    last = _at(held.series.until, held)
    return day(last) if times.zone is None else f"{moment(times.zone.utc(last))}Z"


def _event(found: Found, times: Times, start: datetime, end: datetime, more: bytes = b"") -> bytes:
    told = found.properties
    lines = [
        b"BEGIN:VEVENT\r\n",
        *stamped(told, uid_of(found)),
        times.line("DTSTART", start),
        times.line("DTEND", end),
        more,
        *common(found),
        line("LOCATION", text(told.text(LOCATION))),
        *_busy(told.number(BUSY, 2)),
        line("STATUS", "CANCELLED" if told.number(STATE) & CANCELLED else ""),
        *people(found),
        *_alarm(told.truth(REMINDER_SET), told.number(REMINDER_DELTA, _REMINDED)),
        b"END:VEVENT\r\n",
    ]
    return b"".join(lines)


def _exception(found: Found, times: Times, held: Appointments, change: Change) -> bytes:
    """One date that is otherwise; what it does not tell is as in the series."""
    told, changed = found.properties, change.told
    own = _own(found, times, _at(change.original, held))
    inner = own.properties if own else told
    as_told = Times(change.all_day, times.zone) if Override.ALL_DAY in changed else times
    if as_told.all_day != times.all_day and times.zone is None:
        raise Unstorable(REASON, "a date of the series is no whole day as the others are")
    end = max(change.end, change.start + _DAY) if as_told.all_day else change.end
    subject = change.subject if Override.SUBJECT in changed else told.text(SUBJECT)
    location = change.location if Override.LOCATION in changed else told.text(LOCATION)
    is_set = change.reminder if Override.REMINDER in changed else told.truth(REMINDER_SET)
    delta = change.reminder_delta if Override.REMINDER_DELTA in changed else told.number(REMINDER_DELTA, _REMINDED)
    lines = [
        b"BEGIN:VEVENT\r\n",
        *stamped(inner, uid_of(found)),
        times.line("RECURRENCE-ID", _at(change.original, held)),
        as_told.line("DTSTART", change.start),
        as_told.line("DTEND", end),
        *common(own if own is not None and Override.BODY in changed else found, subject),
        line("LOCATION", text(location)),
        *_busy(change.busy if Override.BUSY in changed else told.number(BUSY, 2)),
        line("STATUS", "CANCELLED" if inner.number(STATE) & CANCELLED else ""),
        *people(own if own is not None and own.people else found),
        *_alarm(is_set, delta),
        b"END:VEVENT\r\n",
    ]
    return b"".join(lines)


def _own(found: Found, times: Times, original: datetime) -> Found | None:
    """The message inside the series that belongs to a date, known by the instant that it replaces."""
    if times.zone is None:
        return None
    instant = times.zone.utc(original).replace(tzinfo=UTC)
    return next((each for each in found.exceptions if each.properties.moment(REPLACES) == instant), None)


def _busy(status: int) -> Iterator[bytes]:
    yield line("TRANSP", "TRANSPARENT" if status == 0 else "OPAQUE")
    yield line("X-MICROSOFT-CDO-BUSYSTATUS", _BUSY.get(status, "BUSY"))


def _alarm(is_set: bool, minutes: int) -> Iterator[bytes]:  # noqa: FBT001 -- as Outlook keeps it
    if is_set:
        minutes = _REMINDED if minutes == _DEFAULT_REMINDER else min(max(minutes, 0), _LONGEST_REMINDER)
        yield b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\n"
        yield line("TRIGGER", f"-PT{minutes}M") + b"END:VALARM\r\n"


def _zone(told: Properties) -> Zone | None:
    found = (of_definition(told.octets(key)) for key in _ZONES)
    return next(filter(None, found), None) or of_struct(told.octets(_ZONE_STRUCT), told.text(_ZONE_NAME))


def _midnight(when: datetime, zone: Zone | None) -> datetime:
    """The day that is meant by an instant at midnight somewhere; without a zone, the nearest midnight of UTC."""
    plain = when.replace(tzinfo=None)
    local = zone.local(plain) if zone else plain
    return (local + timedelta(hours=12)).replace(hour=0, minute=0, second=0)
