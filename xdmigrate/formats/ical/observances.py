"""What a VTIMEZONE says (RFC 5545 section 3.6.5): the offsets from UTC that it prescribes, and since when.

Evaluated here and not by `icalendar`, which would keep every definition under its name for the whole process. Bounded:
only yearly rules are expanded, and only up to `LAST`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice

from xdmigrate.formats.ical.components import Component, parsed

FIRST, LAST = 1968, 2100
"""The years whose changes are expanded."""

_ONSETS, _RULES = 2000, 50  # the most of one definition; of the latter real ones have a dozen
_CYCLE = 400  # years after which days of the month fall on the same days of the week again
# COUNT is missing: the rule is not expanded from its own start.
_KNOWN = {"FREQ", "INTERVAL", "UNTIL", "BYMONTH", "BYDAY", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "WKST", "BYSETPOS"}
_ONSET = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?")


@dataclass(frozen=True, slots=True)
class _Change:
    onset: datetime  # local time before the change, naive
    before: timedelta
    after: timedelta

    @property
    def instant(self) -> datetime:
        return self.onset - self.before

    def shown(self, fold: int) -> datetime:
        """The first local time that is after it: of a skipped or repeated hour the first or, folded, the second."""
        jump = self.after - self.before
        return self.onset + (min(timedelta(), jump) if fold else max(timedelta(), jump))


class Custom(tzinfo):
    """A zone that only its definition knows. Equal definitions are equal zones."""

    def __init__(self, changes: tuple[_Change, ...]) -> None:
        self.changes = changes
        self._shown = [[change.shown(fold) for change in changes] for fold in (0, 1)]
        self._instants = [change.instant for change in changes]
        self._hash = hash(changes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom) and self.changes == other.changes

    def __hash__(self) -> int:
        return self._hash

    def utcoffset(self, when: datetime | None) -> timedelta:
        if when is None:
            return self.changes[0].after
        return self._since(bisect_right(self._shown[when.fold], when.replace(tzinfo=None)))

    def dst(self, when: datetime | None) -> timedelta | None:  # noqa: ARG002
        return None

    def tzname(self, when: datetime | None) -> str | None:  # noqa: ARG002
        return None

    def fromutc(self, when: datetime) -> datetime:
        instant = when.replace(tzinfo=None)
        offset = self._since(bisect_right(self._instants, instant))
        local = (instant + offset).replace(tzinfo=self)
        return local if self.utcoffset(local) == offset else local.replace(fold=1)

    def _since(self, number: int) -> timedelta:
        return self.changes[number - 1].after if number else self.changes[0].before


def custom(definition: Component) -> Custom | None:
    """The zone that this VTIMEZONE defines, or None if it defines none."""
    return _custom(b"".join(definition.raw()))


@lru_cache(maxsize=256)
def _custom(raw: bytes) -> Custom | None:
    (definition,) = parsed(raw).components()
    try:
        changes = sorted(_changes(definition), key=lambda change: change.onset)
        return Custom(tuple(changes)) if changes else None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):  # dateutil raises any of them
        return None


def _changes(definition: Component) -> Iterator[_Change]:
    if sum(line.name == "RRULE" for part in definition.components() for line in part.lines()) > _RULES:
        raise ValueError("more rules than any zone has")
    for part in definition.components():
        if part.name in ("STANDARD", "DAYLIGHT"):
            before, after = _offset(part.value("TZOFFSETFROM")), _offset(part.value("TZOFFSETTO"))
            yield from (_Change(onset, before, after) for onset in sorted(set(_onsets(part, before)))[:_ONSETS])


def _offset(value: str) -> timedelta:
    match = _OFFSET.fullmatch(value)
    if match is None:
        raise ValueError("no UTC offset")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    if offset >= timedelta(days=1):
        raise ValueError("an offset of a day or more")
    return -offset if match[1] == "-" else offset


def _onsets(part: Component, before: timedelta) -> Iterator[datetime]:
    start = _local(part.value("DTSTART"), before)
    yield start
    for line in part.lines():
        if line.name == "RDATE":
            yield from (_local(value.partition("/")[0], before) for value in line.value.split(","))
        elif line.name == "RRULE":
            yield from _yearly(line.value, start, before)


def _local(value: str, before: timedelta) -> datetime:
    """Onsets are local times; some write them in UTC nevertheless, or as dates."""
    match = _ONSET.fullmatch(value.strip())
    if match is None:
        raise ValueError("no onset")
    found = datetime.strptime(match[1] + (match[2] or "000000"), "%Y%m%d%H%M%S")
    return found + before if match[3] else found


def _yearly(value: str, start: datetime, before: timedelta) -> Iterator[datetime]:
    """Expanded from `FIRST` on, a leap year: Outlook's definitions begin in 1601.

    It is expanded at the end of the calendar's last cycles, so that a rule that never matches is given up soon.
    """
    from dateutil.rrule import rrulestr

    parts = dict(part.upper().split("=", 1) for part in "".join(value.split()).split(";") if "=" in part)
    if parts.get("FREQ") != "YEARLY" or set(parts) - _KNOWN or not parts.get("INTERVAL", "1").strip("0"):
        raise ValueError("a zone's rule that is not yearly")
    until = _local(parts.pop("UNTIL"), before) if "UNTIL" in parts else datetime.max
    first = start if start.year >= FIRST else start.replace(year=FIRST)
    away = max(0, (9590 - first.year) // _CYCLE * _CYCLE)
    text = ";".join(f"{name}={each}" for name, each in parts.items())
    rule = rrulestr(text, dtstart=first.replace(year=first.year + away), cache=False)
    for onset in (each.replace(year=each.year - away) for each in islice(rule, _ONSETS)):
        if onset > until or onset.year > LAST:
            return
        yield onset
