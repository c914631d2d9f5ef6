"""Why servers refuse an object, in words that hold nothing of it."""

from __future__ import annotations

import pytest

from tests.unit.formats.ical.samples import MEETING, Sample
from tests.unit.formats.ical.test_strict import EVENT, one
from xdmigrate.formats.ical import faults

FAULTS = {
    "an event without a start (DTSTART)": one(*EVENT[:2]),
    "an event without a length": one(*EVENT[:3]),
    "it ends before it starts": one(*EVENT[:3], "DTEND:20230101T000000Z"),
    "its start is a day and its end a time, or the other way round": one(*EVENT[:3], "DTEND;VALUE=DATE:20240102"),
    "an alarm without a moment (TRIGGER)": one(*EVENT, "BEGIN:VALARM", "ACTION:DISPLAY", "END:VALARM"),
    "DTSTART stands there 2 times": one(*EVENT, "DTSTART:20240102T100000Z"),
    "occurrences with lengths of their own (RDATE;VALUE=PERIOD)": one(
        *EVENT, "RDATE;VALUE=PERIOD:20240201T100000Z/PT5H"
    ),
    "a rule that names its calendar (RSCALE)": one(*EVENT, "RRULE:RSCALE=CHINESE;FREQ=YEARLY"),
    "a rule that ends before it starts": one(*EVENT, "RRULE:FREQ=DAILY;UNTIL=20200101T000000Z"),
    "a picture that is not linked but inside (IMAGE)": one(*EVENT, "IMAGE;VALUE=BINARY;ENCODING=BASE64:aGVsbG8="),
    "several events of one UID, none of which is an exception to another": Sample((EVENT, EVENT)).octets(),
    "exceptions to a series without the series": Sample(
        ((*EVENT, "RECURRENCE-ID:20240101T100000Z"), (*EVENT, "RECURRENCE-ID:20240108T100000Z"))
    ).octets(),
}


@pytest.mark.parametrize("words", FAULTS)
def test_each_fault_is_told(words: str) -> None:
    assert words in faults(FAULTS[words])


def test_nothing_is_told_of_what_is_sound() -> None:
    assert faults(MEETING.octets()) == ()
    assert faults(one(*EVENT)) == ()


def test_what_cannot_be_read_is_told() -> None:
    assert len(faults(b"BEGIN:VEVENT\r\n")) == 1
