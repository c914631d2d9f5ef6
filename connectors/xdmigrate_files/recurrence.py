"""How Outlook keeps a series: the recurrence pattern with its exceptions (MS-OXOCAL 2.2.1.44), read. Pure.

Nothing is guessed: what is not as the specification has it is refused, so that no series becomes another one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import IntEnum, IntFlag
from typing import TypeVar

from xdmigrate.formats.refusal import Unstorable

MOST_DATES = 20_000
"""Deleted and changed dates of one series."""

REASON = "bad-series"

_Kind = TypeVar("_Kind", bound=IntEnum)
_EPOCH = datetime(1601, 1, 1)
_DAY = 24 * 60
_VERSION = 0x3004
_WITH_HIGHLIGHT = 0x3009


class Frequency(IntEnum):
    """How often."""

    DAILY = 0x200A
    WEEKLY = 0x200B
    MONTHLY = 0x200C
    YEARLY = 0x200D


class Pattern(IntEnum):
    """By which rule; the lunar ones are not read."""

    DAY = 0
    WEEK = 1
    MONTH = 2
    MONTH_NTH = 3
    MONTH_END = 4


class End(IntEnum):
    """What ends it."""

    DATE = 0x2021
    COUNT = 0x2022
    NEVER = 0x2023


class Override(IntFlag):
    """What an exception tells anew."""

    SUBJECT = 0x1
    MEETING = 0x2
    REMINDER_DELTA = 0x4
    REMINDER = 0x8
    LOCATION = 0x10
    BUSY = 0x20
    ATTACHMENT = 0x40
    ALL_DAY = 0x80
    COLOUR = 0x100
    BODY = 0x200


_GREGORIAN = frozenset({0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12})
"""Calendars with the months of ours, whatever they call their years."""


@dataclass(frozen=True, slots=True)
class Series:
    """A pattern: what comes back, and which dates are left out. Times are local, without zone."""

    frequency: Frequency
    pattern: Pattern
    period: int  # days (DAY), weeks (WEEK) or months
    days: int = 0  # of the week, a bit each, from Sunday
    day: int = 0  # of the month
    nth: int = 0  # which of `days` in the month; 5: the last
    end: End = End.NEVER
    count: int = 0
    first_weekday: int = 0
    start: date = date(1601, 1, 1)
    until: date | None = None
    deleted: tuple[date, ...] = ()
    sliding: bool = False  # a task that comes back when it is done


@dataclass(frozen=True, slots=True)
class Change:
    """One date of a series that is otherwise than the rest."""

    original: date
    start: datetime
    end: datetime
    told: Override
    subject: str = ""
    location: str = ""
    reminder_delta: int = 0
    reminder: bool = False
    busy: int = 0
    all_day: bool = False


@dataclass(frozen=True, slots=True)
class Appointments:
    """A series of appointments."""

    series: Series
    begins: timedelta  # after midnight
    ends: timedelta
    changes: tuple[Change, ...] = field(default=())


class _Reader:
    """Little-endian numbers, one after the other. Raises Unstorable where the bytes end."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(f"<{form}", self._raw, self._at)
        except struct.error:
            raise _bad("the rule of the series ends too early") from None
        self._at += struct.calcsize(f"<{form}")
        return found

    def number(self, form: str = "I") -> int:
        return self.numbers(form)[0]

    def octets(self, length: int) -> bytes:
        found = self._raw[self._at : self._at + length]
        if len(found) < length:
            raise _bad("the rule of the series ends too early")
        self._at += length
        return found

    def many(self) -> tuple[int, ...]:
        count = self.number()
        if count > MOST_DATES:
            raise _bad(f"the series has more than {MOST_DATES} exceptions")
        return self.numbers(f"{count}I")


def task_series(raw: bytes) -> Series:
    """PidLidTaskRecurrence. Raises Unstorable."""
    return _series(_Reader(raw))[0]


def appointments(raw: bytes) -> Appointments:
    """PidLidAppointmentRecur. Raises Unstorable."""
    reader = _Reader(raw)
    series, changed = _series(reader)
    _, writer, begins, ends, count = reader.numbers("IIIIH")
    if count != changed or ends < begins or begins >= 2 * _DAY or ends > 60 * 366 * _DAY:
        raise _bad("the rule of the series contradicts itself")
    told = [_told(reader) for _ in range(count)]
    reader.octets(reader.number())
    return Appointments(
        series,
        timedelta(minutes=begins),
        timedelta(minutes=ends),
        tuple(_widened(reader, each, writer) for each in told),
    )


def _series(reader: _Reader) -> tuple[Series, int]:
    """The pattern, and how many exceptions follow."""
    version, _, frequency, pattern, calendar = reader.numbers("5H")
    _, period, sliding = reader.numbers("III")
    if version != _VERSION or calendar not in _GREGORIAN:
        raise _bad("the series follows a calendar that has no rule in iCalendar")
    how, often = _known(Pattern, pattern), _known(Frequency, frequency)
    days = reader.number() if how in {Pattern.WEEK, Pattern.MONTH_NTH} else 0
    day = reader.number() if how in {Pattern.MONTH, Pattern.MONTH_END} else 0
    nth = reader.number() if how is Pattern.MONTH_NTH else 0
    end, count, first_weekday = reader.numbers("III")
    deleted, changed = reader.many(), reader.many()
    start, until = reader.numbers("II")
    return Series(
        frequency=often,
        pattern=how,
        period=_days(period) if how is Pattern.DAY else period,
        days=days,
        day=day,
        nth=nth,
        end=End.NEVER if end == 0xFFFFFFFF else _known(End, end),
        count=count,
        first_weekday=first_weekday,
        start=_moment(start).date(),
        until=_moment(until).date() if end in {End.DATE, End.COUNT} else None,
        deleted=tuple(sorted({_moment(each).date() for each in deleted})),
        sliding=bool(sliding),
    ), len(changed)


def _told(reader: _Reader) -> Change:
    """ExceptionInfo (2.2.1.44.2). Its texts are in an unknown code page; the Unicode ones follow later."""
    start, end, original, flags = reader.numbers("IIIH")
    told = Override(flags & 0x3FF)
    found: dict[Override, int] = {}
    for each in Override:
        if each not in told or each is Override.BODY:
            continue
        if each in {Override.SUBJECT, Override.LOCATION}:
            reader.number("H")
            reader.octets(reader.number("H"))
        else:
            found[each] = reader.number()
    if end < start:
        raise _bad("an exception of the series ends before it begins")
    return Change(
        original=_moment(original).date(),
        start=_moment(start),
        end=_moment(end),
        told=told,
        reminder_delta=found.get(Override.REMINDER_DELTA, 0),
        reminder=bool(found.get(Override.REMINDER, 0)),
        busy=found.get(Override.BUSY, 0),
        all_day=bool(found.get(Override.ALL_DAY, 0)),
    )


def _widened(reader: _Reader, change: Change, writer: int) -> Change:
    """ExtendedException (2.2.1.44.4): the texts in Unicode."""
    if writer >= _WITH_HIGHLIGHT:
        reader.octets(reader.number())
    reader.octets(reader.number())
    if not change.told & (Override.SUBJECT | Override.LOCATION):
        return change
    reader.numbers("III")
    subject, location = (
        reader.octets(2 * reader.number("H")).decode("utf-16-le", "replace") if each in change.told else ""
        for each in (Override.SUBJECT, Override.LOCATION)
    )
    reader.octets(reader.number())
    return replace(change, subject=subject, location=location)


def _known(kind: type[_Kind], number: int) -> _Kind:
    try:
        return kind(number)
    except ValueError:
        raise _bad("the series has a rule that iCalendar cannot say") from None


def _days(minutes: int) -> int:
    if minutes % _DAY:
        raise _bad("the series has a rule that iCalendar cannot say")
    return minutes // _DAY


def _moment(minutes: int) -> datetime:
    """Minutes since 1601, local."""
    return _EPOCH + timedelta(minutes=minutes)


def _bad(message: str) -> Unstorable:
    return Unstorable(REASON, message)
