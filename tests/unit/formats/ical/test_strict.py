"""What is stored means what came in, and what cannot be stored says why."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given
from icalendar import Calendar

from tests.unit.formats.ical.samples import BERLIN, HEAD, MEETING, Plan, Sample, plans
from xdmigrate.formats.ical import digest, outline, storable
from xdmigrate.formats.refusal import Unstorable

EVENT = ("UID:1", "DTSTAMP:20200101T000000Z", "DTSTART:20240101T100000Z", "DTEND:20240101T110000Z")


def one(*lines: str, kind: str = "VEVENT", head: tuple[str, ...] = HEAD, zones: tuple[str, ...] = ()) -> bytes:
    return Sample((lines,), kind, zones, head).octets()


def stored(data: bytes) -> str:
    """What is stored, unfolded; checked to be stable and to mean the same."""
    found = storable(data)
    assert storable(found) == found
    assert digest(found) == digest(data)
    return found.decode().replace("\r\n ", "")


@given(plan=plans, width=st.integers(3, 100), lf=st.booleans())
def test_what_is_stored_means_the_same(plan: Plan, width: int, *, lf: bool) -> None:
    data = replace(plan.sample(told=False), head=("METHOD:REQUEST",)).octets(b"\n" if lf else b"\r\n", width)
    text = stored(data)
    assert "METHOD" not in text
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
    assert not any(each.errors for each in Calendar.from_ical(text).walk())


def test_what_is_fit_stays_to_the_octet() -> None:
    data = one(*EVENT, "SUMMARY:Gru\u00df\\, dich", "CREATED:20200101T000000Z", "X-LONG:" + "x" * 200)
    assert storable(data) == data


def test_what_is_missing_is_supplied() -> None:
    text = stored(
        b"BEGIN:VEVENT\nDTSTART;TZID=Europe/Berlin:20240101T100000\nLAST-MODIFIED:20230101T000000Z\nEND:VEVENT\n"
    )
    for line in (
        "VERSION:2.0",
        "DTSTAMP:20230101T000000Z",
        "DTEND;TZID=Europe/Berlin:20240101T100000",
        "TZID:Europe/Berlin",
    ):
        assert f"\r\n{line}\r\n" in text
    assert "PRODID:" in text
    assert outline(text.encode()).uid


@pytest.mark.parametrize("seed", [b"", b"item 7"])
def test_a_made_up_uid_is_the_same_each_time(seed: bytes) -> None:
    data = one("DTSTART:20240101T100000Z", "SUMMARY:Nameless")
    assert storable(data, seed) == storable(data, seed)
    assert digest(storable(data, seed)) == digest(data)
    assert outline(storable(data, b"a")).uid != outline(storable(data, b"b")).uid


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("SUMMARY:One, two; three\\, four", "SUMMARY:One\\, two\\; three\\, four"),
        ("EXDATE:20240105", "EXDATE;VALUE=DATE:20240105"),
        ("RDATE;VALUE=DATE:20240105T100000Z", "RDATE:20240105T100000Z"),
        ("EXDATE;TZID=Nowhere:20240105T100000Z", "EXDATE:20240105T100000Z"),
        ("EXDATE;TZID=Nowhere;VALUE=DATE:20240105", "EXDATE;VALUE=DATE:20240105"),
        ("EXDATE;TZID=:20240105T100000", "EXDATE:20240105T100000"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO, TU;", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU"),
        ("X-PLACE;X-TITLE=Hall\\; 40 Linz;A=B:geo:1,2", 'X-PLACE;X-TITLE="Hall; 40 Linz";A=B:geo:1,2'),
        ("BEGIN:VALARM\r\nTRIGGER:20240101T090000Z\r\nEND:VALARM", "TRIGGER;VALUE=DATE-TIME:20240101T090000Z"),
        ("COMMENT;Europe/Berlin;X-A=1:c", "COMMENT;X-A=1:c"),
        ("GEO:48.1\\;11.5", "GEO:48.1;11.5"),
        ('COMMENT:say \\"hi\\"\\, \\\\ you', 'COMMENT:say "hi"\\, \\\\ you'),
        ('SUMMARY:"All of it"', 'SUMMARY:"All of it" '),
        ('COMMENT;ALTREP="CID:1":', 'COMMENT;ALTREP="CID:1":\\n'),
        ("RELATED-TO;VALUE=UID;RELTYPE=CHILD:a", "RELATED-TO;RELTYPE=CHILD:a"),
        ("REQUEST-STATUS:2.0\\;Success", "REQUEST-STATUS:2.0;Success"),
        ("ORGANIZER;CN=A\\:mailto:a@b.example", 'ORGANIZER;CN="A\\":mailto:a@b.example'),
        ("COMMENT;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Gr=C3=BC=C3=9Fe=0D=0Ahier", "COMMENT:Grüße\\nhier"),
    ],
)
def test_what_servers_cut_or_refuse_is_written_well(line: str, wanted: str) -> None:
    assert f"\r\n{wanted}\r\n" in stored(one(*EVENT, line))


def test_what_is_said_twice_is_stored_once() -> None:
    assert stored(one(*EVENT, *EVENT)) == one(*EVENT).decode()


def test_a_component_that_is_said_twice_is_stored_once() -> None:
    twice = Sample((EVENT, (*EVENT, "SEQUENCE:2"))).octets()
    assert stored(twice) == one(*EVENT).decode()
    assert stored(Sample((EVENT, (*EVENT, "SUMMARY:Other"))).octets()).count("BEGIN:VEVENT") == 2


def test_empty_lines_and_unreadable_stamps_go() -> None:
    text = stored(one(*EVENT[:1], *EVENT[2:], "DTSTAMP:yesterday", "LOCATION:", "URL:", "CREATED:x", "DURATION:PT5M"))
    for name in ("LOCATION", "URL", "CREATED", "DURATION", "yesterday"):
        assert name not in text
    assert "\r\nDTSTAMP:19700101T000000Z\r\n" in text


def test_done_is_told_in_utc() -> None:
    text = stored(
        one("UID:1", "DTSTAMP:20200101T000000Z", "COMPLETED;TZID=Europe/Berlin:20240101T110000", kind="VTODO")
    )
    assert "\r\nCOMPLETED:20240101T100000Z\r\n" in text


@pytest.mark.parametrize(
    "name", ["W. Europe Standard Time", "/mozilla.org/20070129_1/Europe/Berlin", "(UTC+01:00) Amsterdam, Berlin, Rome"]
)
def test_a_known_zone_without_definition_is_mapped_and_defined(name: str) -> None:
    text = stored(one(*EVENT[:2], f'DTSTART;TZID="{name}":20240701T100000', "RRULE:FREQ=DAILY"))
    assert name not in text
    (zone,) = Calendar.from_ical(text).walk("VTIMEZONE")
    assert str(zone["TZID"]) in ("Europe/Berlin", "Europe/Amsterdam")
    assert "COMMENT" not in text


def test_a_zone_with_a_definition_stays() -> None:
    zones = tuple(line % "Our time" if "%s" in line else line for line in BERLIN)
    data = one(*EVENT[:2], "DTSTART;TZID=Our time:20240701T100000", "DURATION:PT1H", zones=zones)
    assert storable(data) == data
    assert digest(data) == digest(one(*EVENT[:2], "DTSTART:20240701T080000Z", "DURATION:PT1H"))


def test_a_definition_is_made_fit() -> None:
    zones: tuple[str, ...] = (*BERLIN[:2], "COMMENT:ours", "TZID:Again", *BERLIN[2:])
    zones = tuple(line % "Our time" if "%s" in line else line for line in zones)
    zones = tuple(line.replace("DTSTART:16010101T020000", "DTSTART;VALUE=DATE:16010101") for line in zones)
    text = stored(one(*EVENT[:2], "DTSTART;TZID=Our time:20240701T100000", zones=zones))
    assert "COMMENT" not in text
    assert "Again" not in text
    assert "DTSTART:16010101T000000" in text


REFUSED = {
    "unknown-timezone": one(*EVENT[:2], "DTSTART;TZID=Nowhere/Middle:20240101T100000"),
    "bad-value": one(*EVENT, "RRULE:FREQ=NEVER"),
    "bad-line": one(*EVENT, "this is no line"),
    "no-component": one("UID:1", "DTSTAMP:20200101T000000Z", kind="VFREEBUSY"),
    "several-objects": Sample((EVENT, ("UID:2", *EVENT[1:]))).octets(),
    "vcalendar-1": one(*EVENT, "RRULE:W2 MO #5", head=("VERSION:1.0",)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_stored_says_why(reason: str) -> None:
    with pytest.raises(Unstorable) as caught:
        storable(REFUSED[reason])
    assert caught.value.reason == reason
    assert str(caught.value)
    assert "Nowhere" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        *("EXDATE:soon", "RDATE:20240101T100000Z,x", "EXDATE;VALUE=PERIOD:20240101T100000Z/x", "RECURRENCE-ID:"),
        *(
            "DURATION:an hour",
            "EXRULE:FREQ=DAILY;COUNT",
            "RDATE;VALUE=PERIOD:20240101/20240102",
            "BEGIN:VALARM\r\nTRIGGER:now\r\nEND:VALARM",
            "DTEND:20240101T18300",
        ),
    ],
)
def test_times_that_cannot_be_read_are_not_stored(line: str) -> None:
    with pytest.raises(Unstorable, match="cannot be read"):
        storable(one(*EVENT[:3], line))


@pytest.mark.parametrize(
    "data",
    [
        one(*EVENT) + one(*EVENT),
        Sample((EVENT[1:], EVENT[1:])).octets(),
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
    ],
)
def test_one_object_at_a_time(data: bytes) -> None:
    with pytest.raises(Unstorable, match=r"several|different"):
        storable(data)


def test_vcalendar_1_0_without_its_rules_is_stored() -> None:
    text = stored(one(*EVENT, "SUMMARY;ENCODING=QUOTED-PRINTABLE:Caf=E9", head=("VERSION:1.0",)))
    assert "VERSION:2.0" in text
    assert "SUMMARY:Café" in text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_other_encodings_become_utf_8(encoding: str) -> None:
    plain = one(*EVENT, "SUMMARY:Größe")
    assert storable(plain.decode().encode(encoding)) == plain


def test_control_characters_go() -> None:
    plain = one(*EVENT, "SUMMARY:Board")
    assert storable(plain.replace(b"Board", b"Bo\0ar\x07d")) == plain


def test_the_series_of_the_sample_is_stored_as_it_is() -> None:
    text = stored(MEETING.octets())
    assert text.count("BEGIN:VEVENT") == 2
    assert text.count("BEGIN:VTIMEZONE") == 1


@pytest.mark.parametrize("name", ["CATEGORIES", "RESOURCES", "ATTENDEE"])
@pytest.mark.parametrize("width", range(6))
def test_quoted_printable_survives_to_be_folded_anew(name: str, width: int) -> None:
    """A line that ends in "=" goes on without it: so no fold may stand there."""
    told = f"{name};ENCODING=QUOTED-PRINTABLE:{'a' * width}{'=C3=A4' * 8}=\r\n{'=C3=A4' * 30}"
    data = Sample((("UID:1", "DTSTAMP:20200101T000000Z", "DTSTART:20240101T100000Z", told),)).octets(width=10_000)
    stored = storable(data)
    assert b"=\r\n" not in stored
    assert digest(stored) == digest(data)
    assert storable(stored) == stored
