"""Occurrences are the same where the digest is, and are found in bounded time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import MEETING, Plan, Sample, plans
from xdmigrate.formats.ical import occurrences

UTC_EVENT = ("UID:1", "DTSTART:20240101T100000Z")


def series(*lines: str) -> bytes:
    return occurrences(Sample(((*UTC_EVENT, *lines),)).octets())


def listed(*days: str) -> bytes:
    """The same moments, as dates of a list."""
    return series(*(f"RDATE:{day}T100000Z" for day in days))


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;COUNT=3", ["20240102", "20240103"]),
        ("FREQ=WEEKLY;UNTIL=20240115T100000Z", ["20240108", "20240115"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["20240126", "20240223"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=1", ["20240229"]),
        ("FREQ=YEARLY;INTERVAL=2;UNTIL=20280101", ["20260101", "20280101"]),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", []),
    ],
)
def test_rules_happen_when_they_say(rule: str, days: list[str]) -> None:
    assert series(f"RRULE:{rule}") == listed(*days)


def test_a_series_keeps_its_local_time_over_the_change_of_clocks() -> None:
    berlin = Sample((("UID:1", "DTSTART;TZID=Europe/Berlin:20240330T100000", "RRULE:FREQ=DAILY;COUNT=2"),)).octets()
    told = Sample((("UID:1", "DTSTART:20240330T090000Z", "RDATE:20240331T080000Z"),)).octets()
    assert occurrences(berlin) == occurrences(told)


def test_exceptions_and_overrides_count() -> None:
    override = ("UID:1", "RECURRENCE-ID:20240102T100000Z", "DTSTART:20240102T120000Z")
    master = (*UTC_EVENT, "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20240103T100000Z", "EXRULE:FREQ=DAILY;INTERVAL=3;COUNT=2")
    moved = ("UID:1", "DTSTART:20240102T120000Z")
    assert occurrences(Sample((master, override)).octets()) == occurrences(Sample((moved,)).octets())


@given(plan=plans)
def test_what_means_the_same_happens_at_the_same_time(plan: Plan) -> None:
    sample = plan.sample()
    turned = replace(sample, components=tuple(each[::-1] for each in sample.components[::-1]))
    assert occurrences(turned.octets(b"\n", 9)) == occurrences(sample.octets())
    assert occurrences(plan.sample(told=False).octets()) == occurrences(sample.octets())


@pytest.mark.parametrize(
    "change", [("BYDAY=MO", "BYDAY=TU"), ("20240115T", "20240205T"), ("20240122T110000", "20240122T113000")]
)
def test_what_happens_at_other_times_differs(change: tuple[str, str]) -> None:
    assert occurrences(MEETING.changed(*change).octets()) != occurrences(MEETING.octets())


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=YEARLY;BYYEARDAY=" + ",".join(["1"] * 5000),
        "FREQ",
    ],
)
def test_what_is_not_expanded_counts_as_it_stands(rule: str) -> None:
    assert series(f"RRULE:{rule}") != series()


def test_an_endless_rule_is_followed_for_a_while() -> None:
    assert series("RRULE:FREQ=DAILY") == series("RRULE:FREQ=DAILY;COUNT=2000")
    times = "BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60)))
    assert series(f"RRULE:FREQ=DAILY;{times}") != series()
