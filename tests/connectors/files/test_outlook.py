"""Appointments, contacts and tasks of Outlook's: what they become, and what is refused rather than made wrong."""

from __future__ import annotations

import json
import re
import struct
import sys
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from io import BytesIO
from itertools import islice
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FULL
from tests.connectors.files.outlookmaking import (
    BERLIN,
    BY_COUNT,
    BY_DATE,
    DAILY,
    MONTHLY,
    WEEKLY,
    YEARLY,
    Other,
    Rule,
    found,
    recurrence,
    series,
    zone_definition,
    zone_struct,
)
from xdmigrate.formats.refusal import Unstorable
from xdmigrate.model import Kind
from xdmigrate_files import mapi, outlook
from xdmigrate_files.mapi import ADDRESS, APPOINTMENT, COMMON, MEETING, TASK, Attached, Found, Key, Properties
from xdmigrate_files.outlookzone import of_definition, of_struct
from xdmigrate_files.pst_reader import Reader

pytestmark = pytest.mark.skipif(find_spec("icalendar") is None, reason="icalendar is not installed")

START = date(2024, 1, 31)
UTF = st.characters(codec="utf-8")


def ics(item: Found) -> str:
    """The object, unfolded; every line is one that a strict server stores as it is."""
    from xdmigrate.formats import ical

    raw = outlook.converted(Kind.CALENDAR, item)
    assert ical.storable(raw) == raw
    return raw.decode().replace("\r\n ", "")


def card(item: Found) -> list[str]:
    raw = outlook.converted(Kind.CONTACTS, item)
    return raw.decode().replace("\r\n ", "").split("\r\n")


# --- series -------------------------------------------------------------------------------------------------------


def by_the_book(rule: Rule, count: int) -> list[date]:
    """The first dates, a day at a time, as MS-OXOCAL tells each pattern."""
    found: list[date] = []
    day = rule.start
    while len(found) < count and day < rule.start + timedelta(days=366 * 60):
        if _falls(rule, day):
            found.append(day)
        day += timedelta(days=1)
    return found


def _falls(rule: Rule, day: date) -> bool:
    length = monthrange(day.year, day.month)[1]
    months = (day.year - rule.start.year) * 12 + day.month - rule.start.month
    if rule.pattern == 0:
        return (day - rule.start).days % (rule.period // 1440) == 0
    if rule.pattern == 1:
        sunday = rule.start - timedelta(days=rule.start.isoweekday() % 7)
        return (day - sunday).days // 7 % rule.period == 0 and bool(rule.specific[0] >> day.isoweekday() % 7 & 1)
    if months % rule.period:
        return False
    if rule.pattern == 2:
        return day.day == min(rule.specific[0], length)
    if rule.pattern == 4:
        return day.day == length
    mask, nth = rule.specific
    days = [each for each in range(1, length + 1) if mask >> day.replace(day=each).isoweekday() % 7 & 1]
    return day.day in (days[-1:] if nth == 5 else days[nth - 1 : nth])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any pattern that Outlook's dialog can make, with its first date where the pattern has it."""
    pattern = draw(st.sampled_from([0, 1, 2, 3, 4]))
    start = draw(st.dates(date(2000, 1, 1), date(2030, 12, 31)))
    months = draw(st.sampled_from([1, 2, 3, 5, 12, 24]))
    if pattern == 0:
        return Rule(DAILY, 0, 1440 * draw(st.integers(1, 40)), start)
    yearly = months % 12 == 0
    frequency = WEEKLY if pattern == 1 else YEARLY if yearly else MONTHLY
    mask = draw(st.integers(1, 127))
    specific = {1: (mask,), 2: (draw(st.integers(1, 31)),), 3: (mask, draw(st.integers(1, 5))), 4: (31,)}[pattern]
    rule = Rule(frequency, pattern, draw(st.integers(1, 6)) if pattern == 1 else months, start, specific)
    first = next(
        day
        for each in range(800)
        if _falls(Rule(frequency, pattern, 1, start, specific), day := start + timedelta(days=each))
    )
    rule.start = first
    return rule


@settings(max_examples=400 if FULL else 40, deadline=None)
@given(rules())
def test_a_rule_gives_the_dates_that_outlook_shows(rule: Rule) -> None:
    from dateutil.rrule import rrulestr

    *_, told = re.findall(r"(?m)^RRULE:(.*)\r$", ics(series(rule)))  # the first two are the zone's
    expanded = rrulestr(told, dtstart=datetime(rule.start.year, rule.start.month, rule.start.day))
    wanted = by_the_book(rule, 30)
    assert [each.date() for each in islice(expanded, len(wanted))] == wanted


def test_what_ends_a_series_and_what_is_left_out() -> None:
    rule = Rule(WEEKLY, 1, 2, date(2024, 3, 18), (2,), BY_DATE, until=date(2024, 6, 10), deleted=[date(2024, 4, 1)])
    text = ics(series(rule))
    assert "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU;UNTIL=20240610T080000Z\r\n" in text
    assert "DTSTART;TZID=W. Europe Standard Time:20240318T100000\r\n" in text
    assert "DTEND;TZID=W. Europe Standard Time:20240318T110000\r\n" in text
    assert "EXDATE;TZID=W. Europe Standard Time:20240401T100000\r\n" in text
    assert "UID:" + "04" * 16 + "00000000" + "04" * 20 + "10000000" + "78" * 16 + "\r\n" in text
    rule.end, rule.count = BY_COUNT, 7
    assert ";COUNT=7\r\n" in ics(series(rule))


def test_dates_that_are_otherwise() -> None:
    original, moved = datetime(2024, 4, 15, 10), datetime(2024, 4, 16, 14)
    other = Other(original, moved, moved + timedelta(hours=2), "Größer, später", busy=3)
    rule = Rule(WEEKLY, 1, 1, date(2024, 4, 8), (2,), deleted=[original.date()], changed=[moved.date()])
    own = found({(APPOINTMENT, 0x8228): datetime(2024, 4, 15, 8, tzinfo=UTC)}, plain="not used: no such flag")
    text = ics(series(rule, others=(other,), plain="of all", exceptions=(own,)))
    master, exception = re.findall(r"BEGIN:VEVENT.*?END:VEVENT", text, re.DOTALL)
    assert "EXDATE" not in text
    assert "RRULE" in master
    assert "RECURRENCE-ID;TZID=W. Europe Standard Time:20240415T100000" in exception
    assert "DTSTART;TZID=W. Europe Standard Time:20240416T140000" in exception
    assert "DTEND;TZID=W. Europe Standard Time:20240416T160000" in exception
    assert "SUMMARY:Größer\\, später" in exception
    assert "DESCRIPTION:of all" in exception
    assert "X-MICROSOFT-CDO-BUSYSTATUS:OOF" in exception


@pytest.mark.parametrize("rule", [
    Rule(MONTHLY, 10, 1, START, (31,)),  # by the moon
    Rule(MONTHLY, 2, 1, START, (31,), calendar=6),
    Rule(DAILY, 0, 1000, START),
    Rule(DAILY, 1, 1440, START, (127,)),
    Rule(YEARLY, 2, 13, START, (31,)),
    Rule(WEEKLY, 1, 1, START, (0,)),
    Rule(WEEKLY, 1, 0, START, (127,)),
    Rule(MONTHLY, 3, 1, START, (127, 9)),
    Rule(MONTHLY, 2, 1, START, (30,)),  # its first date is none of its dates
    Rule(WEEKLY, 1, 1, START, (127,), sliding=1),
    Rule(WEEKLY, 1, 1, START, (127,), end=0x9999),
])  # fmt: skip
def test_what_icalendar_cannot_say_is_refused(rule: Rule) -> None:
    with pytest.raises(Unstorable) as refused:
        outlook.converted(Kind.CALENDAR, series(rule))
    assert refused.value.reason == "bad-series"


def test_a_series_without_a_zone_is_refused_unless_of_whole_days() -> None:
    rule = Rule(WEEKLY, 1, 1, START, (127,))
    without: dict[Key, object] = {(APPOINTMENT, 0x8260): b""}
    with pytest.raises(Unstorable, match="time zone"):
        outlook.converted(Kind.CALENDAR, series(rule, told=without))
    text = ics(series(rule, 0, 1440, told={**without, (APPOINTMENT, 0x8215): True}))
    assert "DTSTART;VALUE=DATE:20240131\r\n" in text
    assert "DTEND;VALUE=DATE:20240201\r\n" in text


def test_a_blob_that_is_cut_anywhere_is_refused() -> None:
    at = datetime(2024, 1, 31, 10)
    raw = recurrence(Rule(WEEKLY, 1, 1, START, (8,), changed=[START]), 600, 660, (Other(at, at, at, "x", "y", 2),))
    whole: dict[Key, object] = {(APPOINTMENT, 0x8216): raw}
    assert "SUMMARY:x" in ics(series(Rule(WEEKLY, 1, 1, START, (8,)), told=whole))
    for end in range(1, len(raw) - 4):
        with pytest.raises(Unstorable):
            outlook.converted(
                Kind.CALENDAR, series(Rule(WEEKLY, 1, 1, START, (8,)), told={(APPOINTMENT, 0x8216): raw[:end]})
            )


@given(st.binary(max_size=200), st.integers(0, 90))
def test_hostile_blobs_are_refused_or_harmless(noise: bytes, at: int) -> None:
    raw = recurrence(Rule(WEEKLY, 1, 1, START, (8,)), 600, 660)
    try:
        outlook.converted(
            Kind.CALENDAR, series(Rule(WEEKLY, 1, 1, START, (8,)), told={(APPOINTMENT, 0x8216): raw[:at] + noise})
        )
    except Unstorable as refused:
        assert refused.reason in {"bad-series", "bad-value"}  # noqa: PT017 -- both are right


# --- zones --------------------------------------------------------------------------------------------------------


@given(st.datetimes(datetime(2000, 1, 1), datetime(2030, 12, 31)))
def test_a_zone_keeps_the_clock_that_it_tells(when: datetime) -> None:
    when = when.replace(minute=30, second=0, microsecond=0)
    berlin = when.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    for zone in (of_definition(zone_definition("x")), of_struct(zone_struct())):
        assert zone is not None
        assert zone.local(when) == berlin.replace(fold=0)
        assert zone.utc(berlin) in {when, when - timedelta(hours=1)}  # of a repeated hour, one of both


def test_a_zone_of_the_south_and_one_without_changes() -> None:
    sydney = of_definition(zone_definition("AUS Eastern Standard Time", (-600, 0, -60, (4, 0, 1, 3), (10, 0, 1, 2))))
    assert sydney is not None
    for month in range(1, 13):
        when = datetime(2024, month, 20, 12)
        clock = when.replace(tzinfo=UTC).astimezone(ZoneInfo("Australia/Sydney")).replace(tzinfo=None)
        assert sydney.local(when) == clock
    fixed = of_definition(zone_definition("", (-330, 0, 0, (0, 0, 0, 0), (0, 0, 0, 0))))
    assert fixed is not None
    assert fixed.local(datetime(2024, 1, 1)) == datetime(2024, 1, 1, 5, 30)
    assert fixed.tzid.startswith("Outlook ")
    assert b"TZOFFSETTO:+0530" in fixed.definition()


@given(st.binary(max_size=300))
def test_hostile_zones_are_none_or_harmless(raw: bytes) -> None:
    for zone in (of_definition(raw), of_struct(raw), of_definition(zone_definition("a")[:20] + raw)):
        assert zone is None or zone.definition().startswith(b"BEGIN:VTIMEZONE")


def test_the_definition_says_what_the_rules_say() -> None:
    from xdmigrate.formats import ical

    rule = Rule(WEEKLY, 1, 1, date(2024, 1, 1), (2,), BY_COUNT, 60)
    named = outlook.converted(Kind.CALENDAR, series(rule))
    own = outlook.converted(
        Kind.CALENDAR, series(rule, told={(APPOINTMENT, 0x8260): zone_definition("tzone://x/Custom")})
    )
    assert named != own
    assert ical.digest(named) == ical.digest(own)
    assert ical.occurrences(named) == ical.occurrences(own)
    assert BERLIN[0] == -60


# --- single appointments ------------------------------------------------------------------------------------------


def person(address: str, **told: int) -> Properties:
    return Properties(
        {
            0x39FE: address,
            0x3001: "Ann; Ü",
            0x0C15: told.get("type", 1),
            0x5FFD: told.get("flags", 1),
            0x5FFF: told.get("answer", 0),
        }
    )


def test_everything_of_an_appointment() -> None:
    text = ics(found(
        {
            0x0037: "Lunch; big", 0x0036: 2, 0x0017: 2, (mapi.STRINGS, "Keywords"): ["Red", "a,b"],
            (APPOINTMENT, 0x820D): datetime(2024, 7, 1, 10, tzinfo=UTC),
            (APPOINTMENT, 0x820E): datetime(2024, 7, 1, 11, tzinfo=UTC),
            (APPOINTMENT, 0x8205): 1, (APPOINTMENT, 0x8208): "Room, 1", (APPOINTMENT, 0x8217): 3,
            (COMMON, 0x8503): True, (COMMON, 0x8501): 30,
            (MEETING, 0x0003): bytes(36) + b"\x20\0\0\0" + b"vCal-Uid\x01\0\0\0{A-B}@example.test\0",
        },
        plain="line 1\r\nline 2", html=b"<b>x</b>", attached=(Attached('a"b.txt', b"data", "text/plain"),),
        people=(person("boss@x.test", flags=3), person("ann@x.test", answer=3), person("room@x.test", type=3),
                person("/O=EX/CN=GONE")),
    ))  # fmt: skip
    for line in (
        "UID:{A-B}@example.test", "DTSTART:20240701T100000Z", "DTEND:20240701T110000Z", "SUMMARY:Lunch\\; big",
        "DESCRIPTION:line 1\\nline 2", "X-ALT-DESC;FMTTYPE=text/html:<b>x</b>", "CLASS:PRIVATE", "PRIORITY:1",
        "CATEGORIES:Red,a\\,b", "LOCATION:Room\\, 1", "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "TRIGGER:-PT30M",
        'ORGANIZER;CN="Ann; Ü":mailto:boss@x.test', 'ATTENDEE;CN="Ann; Ü";PARTSTAT=ACCEPTED:mailto:ann@x.test',
        'ATTENDEE;CN="Ann; Ü";CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT:mailto:room@x.test',
        "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY;FILENAME=\"a^'b.txt\":ZGF0YQ==",
    ):  # fmt: skip
        assert f"{line}\r\n" in text
    assert text.count("ATTENDEE") == 2


@pytest.mark.parametrize(("start", "end", "zone", "days"), [
    (datetime(2024, 6, 30, 22, tzinfo=UTC), datetime(2024, 7, 2, 22, tzinfo=UTC), True, ("20240701", "20240703")),
    (datetime(2024, 6, 30, 22, tzinfo=UTC), datetime(2024, 7, 1, 22, tzinfo=UTC), False, ("20240701", "20240702")),
    (datetime(2024, 7, 1, 5, tzinfo=UTC), datetime(2024, 7, 1, 5, tzinfo=UTC), False, ("20240701", "20240702")),
])  # fmt: skip
def test_whole_days_are_dates(start: datetime, end: datetime, zone: bool, days: tuple[str, str]) -> None:
    told: dict[Key, object] = {(APPOINTMENT, 0x8215): True, (APPOINTMENT, 0x820D): start, (APPOINTMENT, 0x820E): end}
    text = ics(found(told | ({(APPOINTMENT, 0x8233): zone_struct()} if zone else {}), seed=b"1"))
    assert f"DTSTART;VALUE=DATE:{days[0]}\r\n" in text
    assert f"DTEND;VALUE=DATE:{days[1]}\r\n" in text


def test_what_has_no_start_or_is_too_large_is_refused() -> None:
    with pytest.raises(Unstorable, match="no start"):
        outlook.converted(Kind.CALENDAR, found({}))
    big = Attached("a", bytes(41_000_000))
    with pytest.raises(Unstorable) as refused:
        outlook.converted(
            Kind.CALENDAR, found({(APPOINTMENT, 0x820D): datetime(2024, 1, 1, tzinfo=UTC)}, attached=(big,))
        )
    assert refused.value.reason == "too-big"


VALUES = st.one_of(
    st.text(UTF, max_size=30), st.binary(max_size=60), st.integers(-(2**31), 2**31 - 1), st.booleans(), st.none(),
    st.floats(), st.datetimes(timezones=st.just(UTC)), st.lists(st.text(UTF, max_size=5), max_size=3),
)  # fmt: skip
KEYS: list[Key] = [
    *((APPOINTMENT, each) for each in (0x820D, 0x820E, 0x8215, 0x8205, 0x8208, 0x8216, 0x8223, 0x8217, 0x8233, 0x8260)),
    *((TASK, each) for each in (0x8101, 0x8102, 0x8104, 0x8105, 0x810F, 0x811C, 0x8116, 0x8126)),
    *((ADDRESS, each) for each in (0x8083, 0x8082, 0x8084, 0x80DE, 0x8045, 0x8046)),
    (MEETING, 0x0003), (MEETING, 0x0023), (COMMON, 0x8503), (COMMON, 0x8501), (COMMON, 0x8502),
    0x0037, 0x0017, 0x0036, 0x3001, 0x3A11, 0x3A06, 0x3A16, 0x3A08, 0x3A42, 0x3008, 0x3007, 0x300B, 0x3A58,
]  # fmt: skip


@settings(max_examples=2000 if FULL else 80, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.text(UTF, max_size=50), st.sampled_from(list(Kind)[1:]))
def test_hostile_properties_make_an_object_or_a_refusal(told: dict[Key, object], text: str, kind: Kind) -> None:
    """Whatever types the values have, and whatever stands in them: no line is torn, and a strict server stores it."""
    from xdmigrate.formats import ical, vcard

    item = found(told, plain=text, people=(Properties({0x39FE: f"{text}@x.test", 0x3001: text}),), seed=b"1")
    try:
        raw = outlook.converted(kind, item)
    except Unstorable:
        return
    assert raw == outlook.converted(kind, item)
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    raw.decode()
    if kind is not Kind.CONTACTS:
        assert ical.digest(ical.storable(raw)) == ical.digest(raw)
        assert ical.outline(raw).uids == 1
    else:
        assert vcard.outline(raw).uid


# --- contacts, tasks ----------------------------------------------------------------------------------------------


def test_everything_of_a_contact() -> None:
    photo = b"\xff\xd8\xff\xe0jpeg"
    lines = card(found(
        {
            0x3001: "Dr. Ann Ü", 0x3A11: "Ü", 0x3A06: "Ann", 0x3A45: "Dr.", 0x3A16: "Fence; Co", 0x3A18: "R&D",
            0x3A17: "Boss", 0x3A1C: "+49 1", 0x3A24: "2", 0x3A5D: "Street 1\r\nBack", 0x3A59: "Town",
            (ADDRESS, 0x8046): "City", (ADDRESS, 0x8083): "/o=ex", (ADDRESS, 0x8082): "EX",
            (ADDRESS, 0x8084): "ann@x.test", (ADDRESS, 0x8093): "two@x.test", 0x3A51: "https://x.test/",
            0x3A42: datetime(1990, 5, 5, 22, tzinfo=UTC), (ADDRESS, 0x80DF): datetime(2010, 6, 1, tzinfo=UTC),
            (mapi.STRINGS, "Keywords"): "Friends", 0x300B: b"key", 0x0036: 2,
        },
        plain="a note\n2", attached=(Attached("x.bin", b"\xff\xd8no photo"), Attached("p.jpg", photo, photo=True)),
    ))  # fmt: skip
    assert {
        "FN:Dr. Ann Ü", "N:Ü;Ann;;Dr.;", "ORG:Fence\\; Co;R&D", "TITLE:Boss", "TEL;TYPE=CELL:+49 1",
        "TEL;TYPE=WORK,FAX:2", "ADR;TYPE=HOME:;;Street 1\\nBack;Town;;;", "ADR;TYPE=WORK:;;;City;;;",
        "EMAIL;TYPE=INTERNET:ann@x.test", "EMAIL;TYPE=INTERNET:two@x.test", "URL:https://x.test/", "BDAY:1990-05-06",
        "X-ANNIVERSARY:2010-06-01", "CATEGORIES:Friends", "NOTE:a note\\n2", "CLASS:PRIVATE",
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4GpwZWc=",
    } <= set(lines)  # fmt: skip


def test_a_company_and_a_nameless_contact() -> None:
    assert {"FN:Fence Co", "N:;;;;", "ORG:Fence Co"} <= set(card(found({0x3A16: "Fence Co"})))
    assert "FN:ann@x.test" in card(found({(ADDRESS, 0x8083): "ann@x.test"}))


def todo(told: dict[Key, object]) -> str:
    return outlook.converted(Kind.TASKS, found(told, seed=b"7")).decode()


def test_tasks() -> None:
    due, start = datetime(2024, 2, 5, tzinfo=UTC), datetime(2024, 2, 5, tzinfo=UTC)
    text = todo({(TASK, 0x8105): due, (TASK, 0x8101): 1, (TASK, 0x8102): 0.25, 0x0017: 0, 0x0037: "Jump",
                 (COMMON, 0x8503): True, (COMMON, 0x8502): datetime(2024, 2, 5, 7, tzinfo=UTC)})  # fmt: skip
    for line in ("DUE;VALUE=DATE:20240205", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:25", "PRIORITY:9", "SUMMARY:Jump",
                 "TRIGGER;VALUE=DATE-TIME:20240205T070000Z"):  # fmt: skip
        assert f"{line}\r\n" in text
    done = todo({(TASK, 0x811C): True, (TASK, 0x810F): due})
    assert "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nCOMPLETED:20240205T000000Z\r\n" in done
    weekly = Rule(WEEKLY, 1, 1, date(2024, 1, 1), (2,), BY_COUNT, 9, date(2024, 2, 26))
    again: dict[Key, object] = {(TASK, 0x8104): start, (TASK, 0x8126): True, (TASK, 0x8116): weekly.octets()}
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO;WKST=SU;UNTIL=20240226\r\n" in todo(again)
    with pytest.raises(Unstorable, match="not one that its rule"):
        todo(again | {(TASK, 0x8104): start + timedelta(days=1)})
    weekly.sliding = 1
    with pytest.raises(Unstorable, match="when it is done"):
        todo(again | {(TASK, 0x8116): weekly.octets()})


# --- from libpff --------------------------------------------------------------------------------------------------


def entry(number: int, kind: int, raw: bytes) -> SimpleNamespace:
    return SimpleNamespace(entry_type=number, value_type=kind, data=raw, data_as_string=raw.decode("latin-1"))


def holder(*entries: SimpleNamespace, **more: Any) -> SimpleNamespace:
    """As libpff shows an item: its properties are the first record set."""
    record = SimpleNamespace(entries=entries)
    return SimpleNamespace(number_of_record_sets=1, get_record_set=lambda _: record, **more)


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def test_a_pst_as_libpff_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named properties, several values, recipients, and the message inside a series; what is deleted is marked."""
    numbers = ((0x820D, 6, 0), (0x820E, 6, 1), (0, 5, 2), (0x8217, 6, 3))
    names = b"".join(struct.pack("<IHH", *each) for each in numbers)
    sets = UUID(APPOINTMENT).bytes_le
    keywords = len(utf16("Keywords")).to_bytes(4, "little") + utf16("Keywords")
    filetime = int((datetime(2024, 7, 1, 10, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    first = 4 + 4
    several = (1).to_bytes(4, "little") + first.to_bytes(4, "little") + utf16("Red")
    people = holder(entry(0x39FE, 0x1F, utf16("ann@x.test")))
    event = holder(
        entry(0x001A, 0x1F, utf16("IPM.Appointment")), entry(0x0037, 0x1F, utf16("Lunch")),
        entry(0x8000, 0x40, filetime.to_bytes(8, "little")), entry(0x8002, 0x101F, several),
        entry(0x8003, 0x03, b"\x01\0\0\0"), identifier=7, recipients=people,
    )  # fmt: skip
    note = holder(entry(0x001A, 0x1F, utf16("IPM.StickyNote")), identifier=8)
    bad = holder(entry(0x001A, 0x1F, utf16("IPM.Appointment")), identifier=9)
    items = [event, note, bad]
    calendar = holder(
        entry(0x3613, 0x1F, utf16("IPF.Appointment")), identifier=5, name="Kalender", number_of_sub_messages=3,
        get_sub_message=items.__getitem__, number_of_sub_folders=0,
    )  # fmt: skip
    top = holder(identifier=1, number_of_sub_messages=0, number_of_sub_folders=1, get_sub_folder=lambda _: calendar)
    pst = SimpleNamespace(
        open_file_object=lambda _: None, get_root_folder=lambda: top,
        get_message_store=lambda: holder(entry(0x35E3, 0x102, bytes(20) + b"\x05\0\0\0")),
        name_to_id_map=holder(*(entry(each, 0x102, raw) for each, raw in enumerate((sets, names, keywords), 2))),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pypff", SimpleNamespace(file=lambda: pst))
    out = BytesIO()
    reader = Reader(BytesIO(), out)
    reader.list()
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert told[0] == {
        "folder": ["Kalender"],
        "holds": "IPF.Appointment",
        "deleted": True,
        "trash": True,
        "sent": False,
    }
    event_told, other, refused = told[2], told[4], told[6]
    assert (event_told["id"], event_told["kind"]) == (7, "calendar")
    assert other == {"other": 8}
    assert (refused["id"], refused["refused"], refused["why"]) == (9, "bad-value", "the appointment has no start")
    out.truncate(0)
    out.seek(0)
    reader.read(7)
    line, _, raw = out.getvalue().partition(b"\n")
    assert json.loads(line) == {"size": event_told["size"], "there": True}
    for each in (b"SUMMARY:Lunch", b"DTSTART:20240701T100000Z", b"CATEGORIES:Red", b"ATTENDEE:mailto:ann@x.test"):
        assert each + b"\r\n" in raw
