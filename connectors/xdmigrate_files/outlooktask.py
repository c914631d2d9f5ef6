"""A task of Outlook's as a VTODO (MS-OXOTASK). Pure.

Outlook keeps the days of a task as dates; of a recurring one the file holds the date that is next, and from that one
on the series is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from xdmigrate.formats.refusal import Unstorable
from xdmigrate_files.calendaring import calendar, common, stamped, uid_made
from xdmigrate_files.contentlines import day, line, moment
from xdmigrate_files.mapi import REMINDER_SET, REMINDER_TIME, TASK, Found, Properties
from xdmigrate_files.recurrence import REASON, End, Series, task_series
from xdmigrate_files.rules import fits, rule

STATUS, PERCENT, START, DUE = (TASK, 0x8101), (TASK, 0x8102), (TASK, 0x8104), (TASK, 0x8105)
COMPLETED_ON, COMPLETE, RECURRENCE, RECURS = (TASK, 0x810F), (TASK, 0x811C), (TASK, 0x8116), (TASK, 0x8126)
_IN_PROGRESS, _COMPLETED = 1, 2
_WHOLE = 100


def converted(found: Found) -> bytes:
    """The calendar object. Raises Unstorable."""
    told = found.properties
    start, due = told.moment(START), told.moment(DUE)
    if start is not None and due is not None and due < start:
        start = None  # no reader takes a task that is due before it begins
    done = told.truth(COMPLETE) or told.number(STATUS) == _COMPLETED
    first, more = start, b""
    if told.octets(RECURRENCE) and told.truth(RECURS) and not done:
        first, more = _series(task_series(told.octets(RECURRENCE)), start, due)
    lines = [
        b"BEGIN:VTODO\r\n",
        *stamped(told, uid_made(found)),
        _date("DTSTART", first),
        _date("DUE", due),
        more,
        *common(found),
        *_state(told, done=done),
        *_alarm(told),
        b"END:VTODO\r\n",
    ]
    return calendar(b"", b"".join(lines))


def _series(series: Series, start: datetime | None, due: datetime | None) -> tuple[datetime, bytes]:
    """From the date that is next: the count is of all dates, those that are done included, so the end is told."""
    first = start or due
    if first is None or not fits(series, first.date()):
        raise Unstorable(REASON, "the task's date is not one that its rule gives")
    if series.end is End.COUNT:
        series = replace(series, end=End.DATE)
    until = day(series.until) if series.until else ""
    gone = [line("EXDATE", day(each), {"VALUE": "DATE"}) for each in series.deleted if each >= first.date()]
    return first, b"".join([line("RRULE", rule(series, until)), *gone])


def _state(told: Properties, *, done: bool) -> Iterator[bytes]:
    percent = told.real(PERCENT) or 0.0
    begun = told.number(STATUS) == _IN_PROGRESS
    yield line("STATUS", "COMPLETED" if done else "IN-PROCESS" if begun else "NEEDS-ACTION")
    if done or 0 < percent <= 1:
        yield line("PERCENT-COMPLETE", str(_WHOLE if done else round(percent * _WHOLE)))
    completed = told.moment(COMPLETED_ON)
    if done and completed is not None:
        yield line("COMPLETED", f"{moment(completed)}Z")


def _alarm(told: Properties) -> Iterator[bytes]:
    when = told.moment(REMINDER_TIME)
    if told.truth(REMINDER_SET) and when is not None:
        yield b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\n"
        yield line("TRIGGER", f"{moment(when)}Z", {"VALUE": "DATE-TIME"}) + b"END:VALARM\r\n"


def _date(name: str, when: datetime | None) -> bytes:
    return line(name, day(when), {"VALUE": "DATE"}) if when else b""
