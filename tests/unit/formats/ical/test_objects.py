"""A file is taken apart into objects, and nothing is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import BERLIN, MEETING, Plan, Sample, plans
from xdmigrate.formats.ical import digest, outline, split
from xdmigrate.formats.ical.components import Component
from xdmigrate.formats.ical.meaning import facts
from xdmigrate.formats.refusal import Unreadable


def named(plan: Plan, uid: str) -> Sample:
    return plan.sample().changed("UID:plan@example", f"UID:{uid}")


@given(several=st.lists(plans, min_size=2, max_size=5), order=st.randoms(use_true_random=False), streamed=st.booleans())
def test_every_uid_becomes_one_object(several: list[Plan], order: object, *, streamed: bool) -> None:
    samples = [named(plan, f"uid-{number}") for number, plan in enumerate(several)]
    components = [each for sample in samples for each in sample.components]
    order.shuffle(components)  # type: ignore[attr-defined]
    together = (
        b"".join(Sample((each,)).octets() for each in components) if streamed else Sample(tuple(components)).octets()
    )
    found = split(together)
    assert {outline(each).uid: digest(each) for each in found} == {
        f"uid-{number}": digest(sample.octets()) for number, sample in enumerate(samples)
    }
    assert Counter(each for data in found for each in facts(data)) == Counter(facts(together))


def test_a_single_object_stays_to_the_octet() -> None:
    data = b"\xef\xbb\xbf" + MEETING.octets(b"\n", 40)
    assert split(data) == [data]


def test_every_object_has_the_zones_that_it_uses() -> None:
    zones = tuple(line % "Mine" if "%s" in line else line for line in BERLIN)
    zones += tuple(line % "Other" if "%s" in line else line for line in BERLIN)
    events = (("UID:1", 'DTSTART;TZID="Mine":20240101T100000'), ("UID:2", "DTSTART:20240101T100000Z"))
    first, second = split(Sample(events, zones=zones).octets())
    assert b"TZID:Mine" in first
    assert b"TZID:Other" not in first
    assert b"VTIMEZONE" not in second


def test_calendars_that_define_a_zone_differently_are_not_merged() -> None:
    zone = tuple(line % "Mine" if "%s" in line else line for line in BERLIN)
    other = tuple(line.replace("0100", "0300") for line in zone)
    master = ("UID:1", "DTSTART;TZID=Mine:20240101T100000", "RRULE:FREQ=DAILY")
    override = ("UID:1", "RECURRENCE-ID;TZID=Mine:20240102T100000", "DTSTART;TZID=Mine:20240102T110000")
    same = Sample((master,), zones=zone).octets() + Sample((override,), zones=zone).octets()
    apart = Sample((master,), zones=zone).octets() + Sample((override,), zones=other).octets()
    assert len(split(same)) == 1
    assert len(split(apart)) == 2


def test_components_without_a_uid_are_objects_of_their_own() -> None:
    data = Sample((("SUMMARY:One",), ("SUMMARY:One",), ("UID:1",))).octets()
    assert len(split(data)) == 3


def test_kinds_are_not_mixed_and_bare_components_are_objects() -> None:
    bare = b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO"
    assert [outline(each).components for each in split(bare)] == [("VEVENT",), ("VTODO",)]


def test_the_end_of_a_file_that_was_cut_short_is_an_object_that_cannot_be_read() -> None:
    whole = Sample((("UID:1", "SUMMARY:One"), ("UID:2", "SUMMARY:Two"))).octets()
    first, second = split(whole[: whole.index(b"SUMMARY:Two") + 9])
    assert outline(first).uid == "1"
    with pytest.raises(Unreadable, match="cut short"):
        digest(second)


def test_an_empty_calendar_has_no_objects() -> None:
    assert split(Sample(()).octets()) == []


def test_the_last_line_needs_no_end() -> None:
    data = Sample((("UID:1",), ("UID:2",))).octets().removesuffix(b"\r\n")
    assert [outline(each).uid for each in split(data)] == ["1", "2"]


def test_a_calendar_is_gone_over_once_and_not_for_each_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exported calendar has thousands of events: what they share is found once."""
    asked: Counter[str] = Counter()
    components = Component.components

    def counted(self: Component) -> Iterator[Component]:
        asked[self.name] += 1
        return components(self)

    monkeypatch.setattr(Component, "components", counted)
    event = "BEGIN:VEVENT\r\nUID:{}\r\nDTSTART:20240101T000000Z\r\nEND:VEVENT\r\n"
    events = "".join(map(event.format, range(50)))
    assert len(split(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n".encode())) == 50
    assert asked["VCALENDAR"] <= 5
