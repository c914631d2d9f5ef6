"""Names of time zones are believed where they are sure, definitions where they are all there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from tests.unit.formats.ical.samples import BERLIN
from xdmigrate.formats.ical.components import parsed
from xdmigrate.formats.ical.observances import Custom, custom
from xdmigrate.formats.ical.tznames import described, named
from xdmigrate.formats.ical.zones import Zones, behaviour


def defined(*lines: str) -> Custom | None:
    (definition,) = parsed("\r\n".join(lines).encode()).components()
    return custom(definition)


def berlin() -> Custom:
    found = defined(*(line % "Mine" if "%s" in line else line for line in BERLIN))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("tzid", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ('"Europe/Berlin"', "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Western/Central Europe", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/Europe/Stockholm", "Europe/Stockholm"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("tzone://Microsoft/Custom", ""),
        ("../../etc/passwd", ""),
        ("America", ""),
        ("Europe/Atlantis", ""),
        ("", ""),
        ("Europe/Berlin" * 100, ""),
        ("(UTC+01:00) Berlin", ""),
    ],
)
def test_sure_names(tzid: str, zone: str) -> None:
    assert named(tzid) == zone


@pytest.mark.parametrize(
    ("tzid", "zone"),
    [
        ("(UTC+07:00) Bangkok, Hanoi, Jakarta", "Asia/Bangkok"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("Pacific Time (US & Canada), Tijuana", "America/Los_Angeles"),
        ("(GMT +01:00)", "Etc/GMT-1"),
        ("UTC-5", "Etc/GMT+5"),
        ("GMT+0", "Etc/UTC"),
        ("(UTC+03:00) Bangkok", ""),  # the places keep another time than it says
        ("Berlin, Tokyo", ""),
        ("GMT+05:30", ""),
        ("UTC+99", ""),
        ("Customized Time Zone", ""),
    ],
)
def test_names_that_describe(tzid: str, zone: str) -> None:
    assert described(tzid) == zone


@given(when=st.datetimes(datetime(1997, 1, 1), datetime(2099, 12, 30)), fold=st.integers(0, 1))
@example(when=datetime(2024, 3, 31, 2, 30), fold=0)
@example(when=datetime(2024, 3, 31, 2, 30), fold=1)
@example(when=datetime(2024, 10, 27, 2, 30), fold=0)
@example(when=datetime(2024, 10, 27, 2, 30), fold=1)
@example(when=datetime(2024, 10, 27, 1, 30), fold=0)
def test_a_definition_keeps_the_time_that_it_says(when: datetime, fold: int) -> None:
    """Both ways, skipped and repeated hours included."""
    ours, theirs, when = berlin(), ZoneInfo("Europe/Berlin"), when.replace(fold=fold)
    assert when.replace(tzinfo=ours).utcoffset() == when.replace(tzinfo=theirs).utcoffset()
    instant = when.replace(tzinfo=UTC, fold=0)
    here, there = instant.astimezone(ours), instant.astimezone(theirs)
    assert (here.replace(tzinfo=None), here.fold) == (there.replace(tzinfo=None), there.fold)
    assert here.astimezone(UTC) == instant


def test_zones_are_compared_by_their_clocks() -> None:
    assert behaviour(berlin(), 2010) == behaviour(ZoneInfo("Europe/Paris"), 2010)
    assert behaviour(berlin(), 2010) != behaviour(ZoneInfo("Europe/London"), 2010)
    assert behaviour(ZoneInfo("Europe/Istanbul"), 2010) != behaviour(ZoneInfo("Europe/Athens"), 2014)
    assert behaviour(berlin(), 2500) == behaviour(ZoneInfo("Europe/Paris"), 3000)
    assert berlin() == berlin()
    assert hash(berlin()) == hash(berlin())


def test_listed_changes_and_changes_in_utc_are_read() -> None:
    zone = defined(
        *("BEGIN:VTIMEZONE", "BEGIN:STANDARD", "DTSTART:20000101T000000", "RDATE:20100101T000000,20200101T000000Z"),
        *("TZOFFSETFROM:-0030", "TZOFFSETTO:-003015", "END:STANDARD", "END:VTIMEZONE"),
    )
    assert zone is not None
    assert datetime(1999, 1, 1, tzinfo=zone).utcoffset() == -timedelta(minutes=30)
    assert datetime(2021, 1, 1, tzinfo=zone).utcoffset() == -timedelta(minutes=30, seconds=15)
    assert len(zone.changes) == 3


STANDARD = ("BEGIN:STANDARD", "DTSTART:20000101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100", "END:STANDARD")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TZOFFSETTO:+0100", "TZOFFSETTO:soon"),
        ("TZOFFSETTO:+0100", "TZOFFSETTO:+9900"),
        ("DTSTART:20000101T000000", "DTSTART:never"),
        ("DTSTART:20000101T000000", "DTSTART:00010101T000000"),
        ("DTSTART:20000101T000000", ""),
        ("TZOFFSETFROM:+0100", "TZOFFSETFROM:+0100\r\nRRULE:FREQ=SECONDLY"),
        ("TZOFFSETFROM:+0100", "TZOFFSETFROM:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=0"),
        ("TZOFFSETFROM:+0100", "TZOFFSETFROM:+0100\r\nRRULE:FREQ=YEARLY;BYEASTER=1"),
        ("TZOFFSETFROM:+0100", "TZOFFSETFROM:+0100\r\nRRULE:FREQ=YEARLY;BYDAY=1SU BYMONTH=3"),
        ("BEGIN:STANDARD", "BEGIN:NOTHING"),
    ],
)
def test_what_defines_nothing_is_no_zone(old: str, new: str) -> None:
    text = "\r\n".join(("BEGIN:VTIMEZONE", *STANDARD, "END:VTIMEZONE"))
    assert defined(text) is not None
    broken = text.replace(old, new).replace("END:STANDARD", "END:NOTHING" if "NOTHING" in new else "END:STANDARD")
    assert defined(broken) is None


def test_a_rule_that_never_ends_is_bounded() -> None:
    hours = ",".join(map(str, range(24)))
    minutes = ",".join(map(str, range(60)))
    every = f"RRULE:FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYHOUR={hours};BYMINUTE={minutes}"
    zone = defined("BEGIN:VTIMEZONE", *STANDARD[:2], every, *STANDARD[2:], "END:VTIMEZONE")
    assert zone is None or len(zone.changes) <= 2001


def test_a_zone_by_libical_is_known_by_its_location() -> None:
    lines = (
        "BEGIN:VCALENDAR",
        "BEGIN:VTIMEZONE",
        "TZID:Mine",
        "X-LIC-LOCATION:Asia/Tokyo",
        "END:VTIMEZONE",
        "END:VCALENDAR",
    )
    (calendar,) = parsed("\r\n".join(lines).encode()).components()
    zones = Zones(calendar)
    assert zones.get("Mine") == ZoneInfo("Asia/Tokyo")
    assert zones.get("Etc/UTC") is UTC
    assert zones.get("Nowhere") is None


def test_one_files_zone_never_serves_another() -> None:
    """`icalendar` keeps every definition under its name for the whole process."""
    lines = ("BEGIN:VCALENDAR", "BEGIN:VTIMEZONE", "TZID:Shared", *STANDARD, "END:VTIMEZONE", "END:VCALENDAR")
    (first,) = parsed("\r\n".join(lines).encode()).components()
    (second,) = parsed(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").components()
    assert Zones(first).get("Shared") is not None
    assert Zones(second).get("Shared") is None
