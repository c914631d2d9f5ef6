"""Whatever the bytes: nothing but our own errors, soon."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import BERLIN, MEETING, plans
from xdmigrate.formats.ical import (
    differences,
    digest,
    faults,
    occurrences,
    outline,
    readdressed,
    simplified,
    split,
    storable,
    stretched,
    unscheduled,
    without_people,
)
from xdmigrate.formats.ical.components import Component
from xdmigrate.formats.ical.zones import MOST, Zones
from xdmigrate.formats.refusal import Unreadable, Unstorable

WAYS: list[Callable[[bytes], object]] = [
    digest,
    occurrences,
    outline,
    split,
    storable,
    unscheduled,
    without_people,
    lambda data: readdressed(data, lambda address: address + "x"),
    lambda data: differences(data, MEETING.octets()),
]

PIECES = [
    b"BEGIN:VEVENT\r\n",
    b"END:VEVENT\r\n",
    b"\r\n",
    b" ",
    b'"',
    b":",
    b";",
    b"\\",
    b",",
    b"\0",
    b"\xff",
    b"TZID=",
    b"=\r\n",
    b"P",
    b"-",
    b"T9999999999",
]


def exercised(data: bytes) -> None:
    """Every way through; what is stored is stable and means the same."""
    for way in WAYS:
        with contextlib.suppress(Unreadable, Unstorable):
            way(data)
    with contextlib.suppress(Unreadable, Unstorable):
        stored = storable(data)
        assert storable(stored) == stored
        assert digest(stored) == digest(data)


@given(
    cuts=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 12)), min_size=1, max_size=6),
    digits=st.text("0159+-TZ", max_size=15),
)
def test_damaged_time_zones(cuts: list[tuple[float, bytes, int]], digits: str) -> None:
    zone = "\r\n".join(line % "Wild" if "%s" in line else line for line in BERLIN).encode()
    for where, piece, gone in cuts:
        at = int(where * len(zone))
        zone = zone[:at] + piece + digits.encode() + zone[at + gone :]
    event = b"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Wild:20240101T000000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    exercised(b"BEGIN:VCALENDAR\r\n" + zone + b"\r\n" + event + b"END:VCALENDAR\r\n")


@given(data=st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    exercised(data)


@given(
    plan=plans,
    cuts=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 12)), min_size=1, max_size=6),
)
def test_damaged_objects(plan: object, cuts: list[tuple[float, bytes, int]]) -> None:
    data = plan.sample().octets()  # type: ignore[attr-defined]
    for where, piece, gone in cuts:
        at = int(where * len(data))
        data = data[:at] + piece + data[at + gone :]
    exercised(data)


@pytest.mark.parametrize(
    "line",
    [
        b"RRULE:FREQ=SECONDLY;UNTIL=99991231T235959Z",
        b"RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        b"RRULE:FREQ=YEARLY;INTERVAL=0",
        b"RRULE:FREQ=DAILY;COUNT=" + b"9" * 5000,
        b"RRULE:" + b";" * 20_000,
        b"DTEND:99991231T235959Z",
        b"DTSTART:00010101T000000Z",
        b"DURATION:P" + b"9" * 5000 + b"D",
        b"DURATION:-P99999999D",
        b"ATTACH;ENCODING=BASE64;VALUE=BINARY:" + b"=" * 1000,
        b"ATTACH:data:" + b";" * 20_000,
        b"ATTENDEE" + b';X="' * 8_000 + b":mailto:a@b",
        b"ATTENDEE:" + b"a" * 500_000,
        b"ATTENDEE:" + b"a@" * 20_000,
        b"SUMMARY:" + b"\\" * 500_001,
        b"CATEGORIES:" + b"," * 500_000,
        b"X;" + b"A " * 20_000 + b":",
        b"GEO:nan;inf",
        b"DTSTART;TZID=" + b"(" * 20_000 + b":20240101T000000",
        b"DTSTART;TZID=" + b"A/" * 20_000 + b":20240101T000000",
        b"SUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=punycode:" + b"=FF" * 10_000,
        b"SUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=base64:=FF",
        b"SUMMARY;ENCODING=QUOTED-PRINTABLE:" + b"=\r\n" * 8_000,
        b" \r\n" * 20_000,
        b"BEGIN:X\r\n" * 5 + b"END:X\r\n" * 5,
        b"ATTENDEE:mailto:a" + b" " * 500_000 + b"b",
        b"ATTENDEE:a" + b" " * 500_000 + b"m",
        b"ATTENDEE;CN=" + b"\\" * 500_000 + b'"":mailto:a@b',
    ],
)
def test_traps_are_harmless(line: bytes) -> None:
    head = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20240101T000000Z\r\n"
    exercised(head + line + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    exercised(head.replace(b"DTSTART:20240101T000000Z\r\n", b"") + line + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")


def zone(name: int, rules: int, rule: bytes = b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30") -> bytes:
    """A definition with rules that never match."""
    onset = b"DTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" + b"RRULE:%s\r\n" % rule * rules
    return b"BEGIN:VTIMEZONE\r\nTZID:z%d\r\nBEGIN:STANDARD\r\n%sEND:STANDARD\r\nEND:VTIMEZONE\r\n" % (name, onset)


@pytest.mark.parametrize(("zones", "rules"), [(1, 2_000), (20, 1), (MOST + 1, 1)])
def test_definitions_of_zones_are_bounded(zones: int, rules: int) -> None:
    event = b"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=z0:20240101T000000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    data = b"".join(
        [b"BEGIN:VCALENDAR\r\n", *(zone(each, rules) for each in range(zones)), event, b"END:VCALENDAR\r\n"]
    )
    exercised(data)
    if zones > MOST:
        with pytest.raises(Unreadable, match="time zones"):
            digest(data)


@pytest.mark.parametrize("call", [digest, faults, simplified, stretched])
def test_zones_are_looked_for_once_in_a_calendar(
    call: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look passes over all components: with one for each, many exceptions take minutes."""
    looked: list[Component] = []
    look = Zones.__init__

    def counted(zones: Zones, calendar: Component) -> None:
        looked.append(calendar)
        look(zones, calendar)

    monkeypatch.setattr(Zones, "__init__", counted)
    call(MEETING.octets())
    assert len(looked) == 1
