"""Moments, periods and durations as they are meant (RFC 5545 sections 3.3.4 to 3.3.6, 3.3.9).

Three kinds of moments stay distinct: dates, floating times, and instants. What cannot be read stays as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from xdmigrate.formats.ical.lines import Line
from xdmigrate.formats.ical.zones import Zones

Value = date | datetime | timedelta

_EARLY = re.compile(r"([+-]?)PT(?:(\d{1,9})W)?(?:(\d{1,9})D)?((?:\d{1,9}[HMS]){0,3})", re.IGNORECASE)
_DATE_IN_UTC = re.compile(r"\d{8}Z", re.IGNORECASE)

POINT = "X-XDMIGRATE-LENGTH"
"""The parameter of a DTEND that stands in for none; its value is 0."""

FLOATING = "X-XDMIGRATE-FLOATING"
"""The parameter of a time that had no zone, for servers that give it one: `floating.marked`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a floating time (naive) or an instant (aware); `lost` is the TZID that nothing explains."""

    when: date | datetime
    lost: str = ""

    def __str__(self) -> str:
        if not isinstance(self.when, datetime):
            return self.when.isoformat()
        if self.when.tzinfo is not None:
            return f"{self.when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.when:%Y-%m-%dT%H:%M:%S}" + (f" in {self.lost}" if self.lost else "")

    @property
    def zone(self) -> tzinfo | None:
        """The zone in which it was written, if that is neither UTC nor unknown."""
        zone = self.when.tzinfo if isinstance(self.when, datetime) else None
        return None if zone is UTC else zone

    def like(self, start: Moment) -> Moment:
        """The same in the form of the moment at which a series starts.

        EXDATE and RDATE must have that form (RFC 5545 section 3.8.5.1), but many have not, and servers put it right.
        """
        mine, its = self.when, start.when
        if self.lost or start.lost:
            return self
        if not isinstance(its, datetime):
            return Moment(mine.date() if isinstance(mine, datetime) else mine)
        if not isinstance(mine, datetime):
            return Moment(datetime.combine(mine, its.timetz()))
        return self if (mine.tzinfo is None) == (its.tzinfo is None) else Moment(mine.replace(tzinfo=its.tzinfo))

    def later(self, duration: str) -> Moment | None:
        """This much later: days and weeks are nominal, the rest is exact (section 3.3.6)."""
        days, _, exact = spelled(duration).upper().partition("T")
        sign = "-" if days.startswith("-") else ""
        first, then = read(days), read(f"{sign}PT{exact}") if exact else timedelta()
        if not isinstance(first, timedelta) or not isinstance(then, timedelta):
            return None
        try:
            return self._plus(first, then)
        except OverflowError:
            return None

    def _plus(self, days: timedelta, exact: timedelta) -> Moment | None:
        when = self.when + days
        if isinstance(when, datetime) and when.tzinfo is not None:
            when = (when.astimezone(UTC) + exact).astimezone(when.tzinfo)
        else:
            when += exact
        return Moment(when, self.lost) if _in_reach(when) else None


def spelled(value: str) -> str:
    """The value as the standard spells it, where no more than a letter stands at the wrong place.

    That is a duration whose T comes before its weeks or days (`PT1W`), and a date with the Z of a time.
    """
    value = value.strip()
    if _DATE_IN_UTC.fullmatch(value):
        return value[:-1]
    early = _EARLY.fullmatch(value)
    if early is None or not (early[2] or early[3]):
        return value
    days = 7 * int(early[2] or 0) + int(early[3] or 0)
    return f"{early[1]}P{days}D" + (f"T{early[4].upper()}" if early[4] else "")


def read(value: str) -> Value | None:
    """What this value says, or None if it is neither moment nor duration."""
    from icalendar.prop import vDDDTypes

    try:
        found = vDDDTypes.from_ical(spelled(value))  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, OverflowError):
        return None
    if isinstance(found, date):
        return _in_reach(found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo else found)
    return found if isinstance(found, timedelta) else None


def _in_reach(when: date) -> date | None:
    """Years at the very ends cannot be moved between zones."""
    return when if 2 <= when.year <= 9997 else None


def moment(line: Line, zones: Zones, value: str | None = None) -> Moment | None:
    """The moment that this line says, or this one of its values; None if it says none."""
    found = read(line.value if value is None else value)
    if not isinstance(found, datetime):
        return Moment(found) if isinstance(found, date) else None
    if line.parameter(FLOATING):
        return Moment(found.replace(tzinfo=None))
    return located(found, line.parameter("TZID"), zones)


def told(line: Line, zones: Zones) -> str:
    """The moment in its one form, or what stands there instead."""
    return str(moment(line, zones) or unreadable(line.value))


def listed_moment(line: Line, zones: Zones, value: str, start: Moment | None) -> str:
    """As `told`, of one value of a list that belongs to a series."""
    found = moment(line, zones, value)
    if found is None:
        return unreadable(value)
    return str(found.like(start) if start else found)


def unreadable(value: str) -> str:
    """A value that says nothing known: it counts as it stands."""
    return f"?{value.strip()}"


def located(when: datetime, tzid: str, zones: Zones) -> Moment:
    """A time in the zone that this TZID means. UTC needs none, and an empty one says nothing."""
    if when.tzinfo is not None or not tzid.strip():
        return Moment(when)
    zone = zones.get(tzid)
    return Moment(when, tzid) if zone is None else Moment(when.replace(tzinfo=zone))


def spanned(line: Line, zones: Zones, value: str) -> timedelta | None:
    """How long this period is; None if it is none."""
    begun, over = _period(line, zones, value)
    return span(begun, over) if begun and over else None


def span(begun: Moment, over: Moment) -> timedelta | None:
    """From one moment to another; None between kinds of moments that cannot be compared."""
    first, last = begun.when, over.when
    if not (isinstance(first, datetime) and isinstance(last, datetime)):
        return None if isinstance(first, datetime) or isinstance(last, datetime) else last - first
    if (first.tzinfo is None) != (last.tzinfo is None):
        return None
    return last - first if first.tzinfo is None else last.astimezone(UTC) - first.astimezone(UTC)


def period(line: Line, zones: Zones, value: str) -> str:
    """A period as start and end, whichever way it was written."""
    begun, over = _period(line, zones, value)
    return f"{begun}/{over}" if over else unreadable(value)


def _period(line: Line, zones: Zones, value: str) -> tuple[Moment | None, Moment | None]:
    start, _, end = value.partition("/")
    begun = moment(line, zones, start)
    return begun, begun and (begun.later(end) if "P" in end.upper() else moment(line, zones, end))


def stands_in(end: Line, begun: Moment | None, zones: Zones) -> bool:
    """Whether this DTEND stands for none, one second after the start and marked so: see `lengths.stretched`."""
    return end.parameter(POINT) == "0" and begun is not None and moment(end, zones) == begun.later("PT1S")


def ended(begun: Moment | None, end: Line | None, duration: Line | None, zones: Zones, *, event: bool) -> Moment | str:
    """When it ends: as told, by its duration, or, an event, as section 3.6.1 implies: after the day, or at once.

    An event of a day ends after it at the earliest (section 3.8.2.2). Text is what cannot be read, "" for no end.
    """
    over: Moment | str = ""
    if end is not None:
        over = begun if begun and stands_in(end, begun, zones) else moment(end, zones) or unreadable(end.value)
    elif duration is not None:
        over = (begun and begun.later(duration.value)) or unreadable(duration.value)
    elif begun is not None and event:
        over = begun
    return _after(begun) if event and begun is not None and over == begun else over


def _after(begun: Moment) -> Moment:
    """The end of an event without a length."""
    return begun if isinstance(begun.when, datetime) else begun.later("P1D") or begun
