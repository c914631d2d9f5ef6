"""How long an event lasts, told in another way; what it says stays the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import Plan, plans
from tests.unit.formats.ical.test_strict import one, stored
from xdmigrate.formats.ical import differences, digest, storable, stretched

HEAD = ("UID:1", "DTSTAMP:20200101T000000Z")
POINT = one(*HEAD, "DTSTART:20240101T100000Z", "DTEND:20240101T100000Z")


def ends(data: bytes) -> list[str]:
    """How the event says when it ends."""
    text = data.decode().replace("\r\n ", "").rpartition("END:VTIMEZONE")[2]
    return [line for line in text.splitlines() if line.startswith(("DTEND", "DURATION"))]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (("DTSTART;VALUE=DATE:20240101", "DURATION:PT86400S"), ["DURATION:P1D"]),
        (("DTSTART;VALUE=DATE:20240101", "DURATION:PT48H"), ["DURATION:P2D"]),
        (("DTSTART;VALUE=DATE:20240101", "DURATION:P1W"), ["DURATION:P1W"]),
        (("DTSTART;VALUE=DATE:20240101", "DURATION:PT0S"), []),
        (("DTSTART;VALUE=DATE:20240101", "DTEND;VALUE=DATE:20240101"), []),
        (("DTSTART;VALUE=DATE:20240101", "DTEND;VALUE=DATE:20240103"), ["DTEND;VALUE=DATE:20240103"]),
        (("DTSTART:20240101T100000Z", "DURATION:PT24H"), ["DURATION:PT24H"]),
    ],
)
def test_lengths_of_days_are_told_in_days(told: tuple[str, str], wanted: list[str]) -> None:
    assert ends(stored(one(*HEAD, *told)).encode()) == wanted


def test_the_day_is_the_shortest_event_of_days() -> None:
    day = one(*HEAD, "DTSTART;VALUE=DATE:20240101")
    assert digest(one(*HEAD, "DTSTART;VALUE=DATE:20240101", "DTEND;VALUE=DATE:20240101")) == digest(day)
    assert digest(one(*HEAD, "DTSTART;VALUE=DATE:20240101", "DTEND;VALUE=DATE:20240103")) != digest(day)


LONG = ("DTSTART;TZID=Europe/Berlin:20240101T100000", "DTEND;TZID=Europe/Berlin:20240101T110000")


def test_occurrences_of_the_usual_length_need_none_of_their_own() -> None:
    data = one(
        *HEAD, *LONG, "RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20240701T100000/PT1H,20240702T090000Z/20240702T100000Z"
    )
    assert "\r\nRDATE;TZID=Europe/Berlin:20240701T100000,20240702T090000Z\r\n" in stored(data)
    other = one(*HEAD, *LONG, "RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20240701T100000/PT2H")
    assert storable(other).count(b"VALUE=PERIOD") == 1
    assert differences(other, one(*HEAD, *LONG, "RDATE;TZID=Europe/Berlin:20240701T100000")) == [
        "VEVENT: RDATE differs"
    ]


@pytest.mark.parametrize(
    "told",
    [
        ("DTSTART:20240101T235959Z",),
        ("DTSTART;TZID=Europe/Berlin:20240101T100000", "DURATION:PT0S"),
        ("DTSTART:20240101T100000", "DTEND:20240101T100000", "RRULE:FREQ=DAILY"),
    ],
)
def test_what_has_no_length_gets_a_second_that_does_not_count(told: tuple[str, ...]) -> None:
    plain = storable(one(*HEAD, *told))
    longer = stretched(plain)
    (end,) = ends(longer)
    assert end.split(":")[0].endswith(";X-XDMIGRATE-LENGTH=0")
    assert digest(longer) == digest(plain)
    assert stretched(longer) == longer
    again = storable(longer)
    assert digest(again) == digest(plain)
    assert b"X-XDMIGRATE" not in again


def test_an_end_that_nobody_can_read_stays() -> None:
    data = one("UID:1", "DTSTART:20240101T235959Z", "DTEND:20240102T00000")
    assert stretched(data) == data


def test_another_end_counts_although_it_is_marked() -> None:
    later = stretched(POINT).replace(b"100001Z", b"101500Z")
    assert differences(POINT, later) == ["VEVENT: its end differs"]
    assert b"101500Z" in storable(later)


@given(plan=plans)
def test_what_has_a_length_stays_to_the_octet(plan: Plan) -> None:
    data = replace(plan, minutes=max(plan.minutes, 1)).sample().octets()
    if not plan.rule:  # an exception may have none
        assert stretched(data) == data
    assert digest(stretched(data)) == digest(data)
