"""The outline tells what an engine must know, and nothing of the texts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.formats.ical.samples import MEETING, Sample
from xdmigrate.formats.ical import Outline, outline


def test_the_outline_of_a_meeting() -> None:
    assert outline(MEETING.octets()) == Outline(
        uid="meeting@example",
        uids=1,
        components=("VEVENT",),
        method="",
        organizer="ann@a.example",
        attendees=("ann@a.example", "bob@a.example"),
        recurring=True,
        times=(datetime(2024, 1, 8, 8, 30, tzinfo=UTC), datetime(2024, 1, 22, 11, tzinfo=UTC)),
    )


def test_the_outline_of_a_message() -> None:
    found = outline(
        Sample((("UID:1", "DTSTART;VALUE=DATE:20240108"), ("UID:2",)), "VTODO", head=("METHOD:request",)).octets()
    )
    assert (found.method, found.uids, found.components, found.recurring) == ("REQUEST", 2, ("VTODO",), False)
    assert found.times == (datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC))


@pytest.mark.parametrize("line", ["SUMMARY:x", "DTSTART:later"])
def test_an_object_without_times(line: str) -> None:
    assert outline(Sample(((line,),)).octets()).times is None


@pytest.mark.parametrize("line", ["RRULE:FREQ=DAILY", "RDATE:20240101", "RECURRENCE-ID:20240101"])
def test_what_recurs(line: str) -> None:
    assert outline(Sample((("UID:1", line),)).octets()).recurring
