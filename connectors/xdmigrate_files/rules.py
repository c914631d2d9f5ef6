"""A series of Outlook's as the rule of iCalendar that gives the same dates, or a refusal. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date

from xdmigrate.formats.refusal import Unstorable
from xdmigrate_files.outlookzone import DAYS
from xdmigrate_files.recurrence import REASON, End, Frequency, Pattern, Series

_EVERY_DAY = 0x7F
_LAST = 5
_SHORTEST_MONTH = 28


def rule(series: Series, until: str) -> str:
    """RRULE; `until` is what ends it by date, as iCalendar writes it. Raises Unstorable."""
    if series.sliding:
        raise Unstorable(REASON, "the task comes back when it is done, which iCalendar cannot say")
    if not 1 <= series.period <= 10_000 or not 0 <= series.first_weekday <= 6:
        raise _bad()
    parts = [*_pattern(series)]
    if series.end is End.DATE:
        parts.append(f"UNTIL={until}")
    elif series.end is End.COUNT:
        if not 1 <= series.count <= 1_000_000:
            raise _bad()
        parts.append(f"COUNT={series.count}")
    return ";".join(parts)


def fits(series: Series, day: date) -> bool:
    """Whether a date is one that the rule can give: the first one must be, or readers disagree (RFC 5545 3.8.5.3)."""
    match series.pattern:
        case Pattern.DAY:
            return True
        case Pattern.WEEK:
            return bool(series.days >> day.isoweekday() % 7 & 1)
        case Pattern.MONTH:
            return day.day == min(series.day, monthrange(day.year, day.month)[1])
        case Pattern.MONTH_END:
            return day.day == monthrange(day.year, day.month)[1]
    return day.day == _nth_day(series, day)


def _nth_day(series: Series, day: date) -> int:
    """Which day of its month the n-th of these weekdays is; 0 for none."""
    length = monthrange(day.year, day.month)[1]
    first = day.replace(day=1).isoweekday() % 7
    found = [each for each in range(1, length + 1) if series.days >> (first + each - 1) % 7 & 1]
    if series.nth == _LAST:
        return found[-1] if found else 0
    return found[series.nth - 1] if len(found) >= series.nth else 0


def _pattern(series: Series) -> Iterator[str]:
    match series.pattern:
        case Pattern.DAY:
            yield from ("FREQ=DAILY", *_interval(series.period))
        case Pattern.WEEK:
            weekly = series.frequency is Frequency.WEEKLY
            if not (weekly or (series.frequency is Frequency.DAILY and series.period == 1)):
                raise _bad()  # by days, only "every weekday" is told so
            if not series.days & _EVERY_DAY:
                raise _bad()
            yield from ("FREQ=WEEKLY", *_interval(series.period), f"BYDAY={','.join(_weekdays(series.days))}")
            yield f"WKST={DAYS[series.first_weekday]}"
        case _:
            yield from _months(series)


def _months(series: Series) -> Iterator[str]:
    """Monthly, and yearly where it is a matter of whole years."""
    if series.frequency not in {Frequency.MONTHLY, Frequency.YEARLY}:
        raise _bad()
    yearly = series.frequency is Frequency.YEARLY
    if yearly and series.period % 12:
        raise _bad()
    yield "FREQ=YEARLY" if yearly else "FREQ=MONTHLY"
    yield from _interval(series.period // 12 if yearly else series.period)
    if yearly:
        yield f"BYMONTH={series.start.month}"
    if series.pattern is Pattern.MONTH_NTH:
        yield from _nth(series)
    elif series.pattern is Pattern.MONTH_END:
        yield "BYMONTHDAY=-1"
    else:
        yield from _day(series, yearly=yearly)


def _nth(series: Series) -> Iterator[str]:
    if not 1 <= series.nth <= _LAST or not series.days & _EVERY_DAY:
        raise _bad()
    number = -1 if series.nth == _LAST else series.nth
    weekdays = _weekdays(series.days)
    if series.days & _EVERY_DAY == _EVERY_DAY:
        yield f"BYMONTHDAY={number}"
    elif len(weekdays) == 1:
        yield f"BYDAY={number}{weekdays[0]}"
    else:
        yield from (f"BYDAY={','.join(weekdays)}", f"BYSETPOS={number}")


def _day(series: Series, *, yearly: bool) -> Iterator[str]:
    """Outlook takes the last day of a month that is too short; RRULE alone would leave that month out."""
    if not 1 <= series.day <= 31:
        raise _bad()
    shortest = _SHORTEST_MONTH if not yearly or series.start.month == 2 else monthrange(2001, series.start.month)[1]
    longest = 31 if not yearly else monthrange(2004, series.start.month)[1]
    if series.day <= shortest:
        yield f"BYMONTHDAY={series.day}"
    elif series.day >= longest:
        yield "BYMONTHDAY=-1"
    else:
        days = ",".join(str(each) for each in range(shortest, series.day + 1))
        yield from (f"BYMONTHDAY={days}", "BYSETPOS=-1")


def _interval(period: int) -> Iterator[str]:
    if period > 1:
        yield f"INTERVAL={period}"


def _weekdays(bits: int) -> list[str]:
    return [name for number, name in enumerate(DAYS) if bits >> number & 1]


def _bad() -> Unstorable:
    return Unstorable(REASON, "the series has a rule that iCalendar cannot say")
