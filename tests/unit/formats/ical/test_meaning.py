"""The digest is the same for everything that means the same, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import BERLIN, MEETING, Plan, Sample, plans
from xdmigrate.formats.ical import differences, digest
from xdmigrate.formats.refusal import Unreadable

MINE = digest(MEETING.octets())

NOISE = (
    "SEQUENCE:7",
    "CATEGORY:no standard knows it",
    "CREATED:20190101T000000Z",
    "LAST-MODIFIED:20190101T000000Z",
    "X-OWN;X-P=1:anything",
)
DEFAULTS = (
    "TRANSP:OPAQUE",
    "STATUS:CONFIRMED",
    "CLASS:PUBLIC",
    "PRIORITY:0",
    "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
    "COMMENT:",
)


@given(plan=plans, random=st.randoms(use_true_random=False), width=st.integers(3, 100), lf=st.booleans())
def test_a_rewriting_server_changes_nothing(plan: Plan, random: Random, width: int, *, lf: bool) -> None:
    """Folding, line ends, order of properties and components, what every system writes anew, DURATION for DTEND."""
    components = [[*each, "METHOD:REQUEST"] for each in plan.sample(told=False).components]
    for each in components:
        each[:] = [line for line in each if not line.startswith(("DTSTAMP:", "METHOD:"))] + list(NOISE)
        random.shuffle(each)
    random.shuffle(components)
    head = ("PRODID:-//Other//EN", "METHOD:REQUEST", "VERSION:2.0", "X-WR-CALNAME:Mine")
    theirs = Sample(tuple(map(tuple, components)), head=head)
    mine = plan.sample().octets()
    assert digest(theirs.octets(b"\n" if lf else b"\r\n", width)) == digest(mine)
    assert differences(mine, theirs.octets()) == []


@given(plan=plans.filter(lambda plan: plan.form == "Europe/Berlin"))
def test_names_of_time_zones_do_not_count(plan: Plan) -> None:
    names = ["W. Europe Standard Time", "/mozilla.org/20070129_1/Europe/Berlin", "Europe/Paris", "Own zone"]
    defined = tuple(line % "Own zone" if "%s" in line else line for line in BERLIN)
    for name in names:
        # Central Europe keeps one time, at the latest since 1996.
        late = replace(plan, start=plan.start.replace(year=max(plan.start.year, 1998), day=min(plan.start.day, 28)))
        theirs = replace(replace(late, form=name).sample(), zones=defined if name == "Own zone" else ())
        assert digest(theirs.octets()) == digest(late.sample().octets())


@given(plan=plans, default=st.sampled_from(DEFAULTS))
def test_defaults_do_not_count(plan: Plan, default: str) -> None:
    plan = replace(plan, said=())
    theirs = replace(plan, said=(default,))
    assert digest(theirs.sample().octets()) == digest(plan.sample().octets())


@given(plan=plans, seconds=st.integers(1, 86_400))
def test_another_start_is_another_event(plan: Plan, seconds: int) -> None:
    moved = replace(
        plan,
        start=plan.start + timedelta(days=seconds) if plan.form == "date" else plan.start + timedelta(seconds=seconds),
    )
    assert digest(moved.sample().octets()) != digest(plan.sample().octets())


@given(plan=plans)
def test_dates_floating_times_and_instants_are_not_the_same(plan: Plan) -> None:
    plan = replace(plan, minutes=0, start=plan.start.replace(hour=0, minute=0, second=0))
    forms = ["date", "floating", "utc", "Asia/Tokyo"]
    assert len({digest(replace(plan, form=form, rule="").sample().octets()) for form in forms}) == len(forms)


CHANGES = {
    "UID differs": ("UID:meeting@example", "UID:other@example"),
    "DTSTART": ("DTSTART;TZID=Europe/Berlin:20240108T093000", "DTSTART;TZID=Europe/Berlin:20240108T093100"),
    "its end": ("20240108T103000", "20240108T104500"),
    "the clock of its time zone": ("Europe/Berlin:20240108T093000", "Africa/Lagos:20240108T093000"),
    "RRULE": ("BYDAY=MO", "BYDAY=TU"),
    "EXDATE": ("20240115T", "20240129T"),
    "RDATE": ("20240116T", "20240117T"),
    "SUMMARY": ("SUMMARY:Board", "SUMMARY:Boards"),
    "DESCRIPTION": ("Quarter\\,", "Quarter\\;"),
    "LOCATION": ("LOCATION:Room 1", ""),
    "CATEGORIES": ("CATEGORIES:Work,Red", "CATEGORIES:Work,Blue"),
    "STATUS": ("STATUS:TENTATIVE", "STATUS:CANCELLED"),
    "TRANSP": ("TRANSP:TRANSPARENT", ""),
    "CLASS": ("CLASS:PRIVATE", "CLASS:CONFIDENTIAL"),
    "PRIORITY": ("PRIORITY:2", "PRIORITY:1"),
    "URL": ("https://a.example/1", "https://a.example/2"),
    "the busy status": ("BUSYSTATUS:OOF", "BUSYSTATUS:WORKINGELSEWHERE"),
    "the HTML body": ("<b>plans", "<i>plans"),
    "ORGANIZER": ("ORGANIZER;CN=Ann:mailto:ann@", "ORGANIZER;CN=Ann:mailto:zoe@"),
    "ATTENDEE": ("PARTSTAT=TENTATIVE", "PARTSTAT=DECLINED"),
    "ATTACH": ("aGVsbG8=", "aGVsbG9v"),
    "alarms": ("TRIGGER:-PT15M", "TRIGGER:-PT30M"),
    "only here": ("RECURRENCE-ID;TZID=Europe/Berlin:20240122T", "RECURRENCE-ID;TZID=Europe/Berlin:20240129T"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_each_field_counts_and_is_named(field: str) -> None:
    theirs = MEETING.changed(*CHANGES[field]).octets()
    assert digest(theirs) != MINE
    told = differences(MEETING.octets(), theirs)
    assert any(field in words for words in told), told


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CN=Bob", "CN=Robert;ROLE=OPT-PARTICIPANT;RSVP=TRUE;SCHEDULE-STATUS=2.0"),
        ("mailto:bob@a.example", "MAILTO:Bob@A.example"),
        ("ATTENDEE;CN=Ann;PARTSTAT=ACCEPTED:mailto:ann@a.example", ""),
        ("ENCODING=BASE64;VALUE=BINARY:aGVsbG8=", "FMTTYPE=text/plain:data:text/plain;base64,aGVsbG8="),
        ("UNTIL=20240601T000000Z", "INTERVAL=1;WKST=SU;UNTIL=20240601T000000Z"),
        ("EXDATE;TZID=Europe/Berlin:20240115T093000", "EXDATE:20240115T083000Z"),
        ("RECURRENCE-ID;TZID=Europe/Berlin:20240122T093000", "RECURRENCE-ID:20240122T083000Z"),
        ("DESCRIPTION:Board", "DESCRIPTION:Reminder"),
        ("TRIGGER:-PT15M", "TRIGGER;RELATED=START:-P0DT0H15M0S"),
        ("TRANSP:TRANSPARENT", "TRANSP:transparent"),
    ],
)
def test_the_same_in_other_words_is_the_same(old: str, new: str) -> None:
    assert digest(MEETING.changed(old, new).octets()) == MINE


def test_lists_count_however_they_are_spread() -> None:
    spread = MEETING.changed("CATEGORIES:Work,Red", "CATEGORIES:Red")
    master = (*spread.components[0], "CATEGORIES:Work,Red")
    assert digest(replace(spread, components=(master, *spread.components[1:])).octets()) == MINE


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("FREQ=DAILY", False),
        ("FREQ=WEEKLY;BYDAY=MO", False),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU", True),
        ("FREQ=YEARLY;BYWEEKNO=20", True),
    ],
)
def test_the_first_day_of_the_week_counts_where_weeks_are_counted(rule: str, *, counts: bool) -> None:
    plain = Sample((("UID:1", "DTSTART:20240101T100000Z", f"RRULE:{rule}"),)).octets()
    sunday = Sample((("UID:1", "DTSTART:20240101T100000Z", f"RRULE:{rule};WKST=SU"),)).octets()
    monday = Sample((("UID:1", "DTSTART:20240101T100000Z", f"RRULE:WKST=MO;{rule}"),)).octets()
    assert digest(plain) == digest(monday)
    assert (digest(plain) != digest(sunday)) == counts


@pytest.mark.parametrize(
    ("start", "until"),
    [
        ("DTSTART;TZID=Europe/Berlin:20240101T100000", "20240601T080000Z"),
        ("DTSTART:20240101T100000Z", "20240601T100000Z"),
    ],
)
def test_the_end_of_a_rule_in_local_time_means_the_zone_of_the_series(start: str, until: str) -> None:
    ends = [
        digest(Sample((("UID:1", start, f"RRULE:FREQ=DAILY;UNTIL={each}"),)).octets())
        for each in (until, "20240601T100000")
    ]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("start", "exception", "meant"),
    [
        ("DTSTART;TZID=Europe/Berlin:20240101T100000", "EXDATE;VALUE=DATE:20240601", "EXDATE:20240601T080000Z"),
        ("DTSTART;TZID=Europe/Berlin:20240101T100000", "EXDATE:20240601T100000", "EXDATE:20240601T080000Z"),
        ("DTSTART:20240101T100000", "EXDATE:20240601T100000Z", "EXDATE:20240601T100000"),
        ("DTSTART;VALUE=DATE:20240101", "EXDATE:20240601T100000Z", "EXDATE;VALUE=DATE:20240601"),
    ],
)
def test_exceptions_have_the_form_of_their_series(start: str, exception: str, meant: str) -> None:
    """RFC 5545 section 3.8.5.1; Evolution and Outlook write others, and Radicale puts them right."""
    found = [digest(Sample((("UID:1", start, "RRULE:FREQ=DAILY", each),)).octets()) for each in (exception, meant)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("usual", "added", "counts"),
    [
        ("ACTION:AUDIO", "REPEAT:3\r\nDURATION:PT5M", True),
        ("ACTION:AUDIO", "REPEAT:0\r\nDURATION:PT5M", False),
        ("ACTION:AUDIO", "DURATION:PT5M", False),
        ("ACTION:EMAIL", "ATTENDEE:mailto:ann@a.example", True),
        ("ACTION:DISPLAY", "PROXIMITY:ARRIVE", True),
        ("ACTION:DISPLAY", "TRIGGER:-PT6M", True),
        ("ACTION:DISPLAY", "DESCRIPTION:Now", False),
        ("ACTION:DISPLAY", "BEGIN:VLOCATION\r\nURL:geo:1,2\r\nEND:VLOCATION", True),
    ],
)
def test_how_often_and_for_whom_an_alarm_rings_counts(usual: str, added: str, *, counts: bool) -> None:
    """RFC 5545 section 3.6.6, RFC 9074."""
    lines = ("UID:1", "DTSTART:20240101T100000Z", "BEGIN:VALARM", "TRIGGER:-PT5M", usual)
    mine = Sample(((*lines, "END:VALARM"),)).octets()
    theirs = Sample(((*lines, *added.split("\r\n"), "END:VALARM"),)).octets()
    assert (digest(mine) != digest(theirs)) == counts
    assert differences(mine, theirs) == (["VEVENT: alarms differs"] if counts else [])


def test_the_clock_of_a_task_that_recurs_counts_though_it_has_only_an_end() -> None:
    dues = ["DUE;TZID=Europe/Berlin:20240101T100000", "DUE;TZID=Europe/Paris:20240101T100000", "DUE:20240101T090000Z"]
    found = [digest(Sample((("UID:1", due, "RRULE:FREQ=DAILY"),), "VTODO").octets()) for due in dues]
    assert found[0] == found[1] != found[2]


def test_clocks_that_keep_universal_time_are_universal_time() -> None:
    starts = ["DTSTART;TZID=GMT:20240101T100000", "DTSTART;TZID=Atlantic/Reykjavik:20240101T100000"]
    found = {digest(Sample((("UID:1", start, "RRULE:FREQ=DAILY"),)).octets()) for start in starts}
    assert found == {digest(Sample((("UID:1", "DTSTART:20240101T100000Z", "RRULE:FREQ=DAILY"),)).octets())}


def test_blanks_around_the_name_of_a_zone_do_not_count() -> None:
    """Outlook has zones called ` 1`; quotes keep the blank."""
    zones = tuple(line % " 1" if "%s" in line else line for line in BERLIN)
    starts = ["DTSTART;TZID= 1:20240101T100000", 'DTSTART;TZID=" 1":20240101T100000', "DTSTART:20240101T090000Z"]
    assert len({digest(Sample((("UID:1", start),), zones=zones).octets()) for start in starts}) == 1


def test_the_last_day_of_a_rule_of_days_may_have_a_time() -> None:
    start = ("UID:1", "DTSTART;VALUE=DATE:20240101")
    ends = ["20240601", "20240601T000000Z", "20240602"]
    found = [digest(Sample(((*start, f"RRULE:FREQ=DAILY;UNTIL={end}"),)).octets()) for end in ends]
    assert found[0] == found[1] != found[2]


def test_a_part_of_a_rule_that_stands_there_twice_is_not_left_out() -> None:
    """RFC 5545 section 3.3.10 forbids it, and libraries take the last one."""
    start, parts = ("UID:1", "DTSTART:20240101T100000Z"), ["BYDAY=MO;BYDAY=TU", "BYDAY=TU", "BYDAY=MO", "BYDAY=MO,TU"]
    assert len({digest(Sample(((*start, f"RRULE:FREQ=WEEKLY;{each}"),)).octets()) for each in parts}) == len(parts)


def test_a_participant_is_an_address_too() -> None:
    """RFC 9073 section 6.4."""
    who = ["mailto:Ann@a.example", "MAILTO:ann@a.example", "mailto:bob@a.example"]
    lines = ("UID:1", "DTSTART:20240101T100000Z", "BEGIN:PARTICIPANT", "UID:2")
    found = [digest(Sample(((*lines, f"CALENDAR-ADDRESS:{each}", "END:PARTICIPANT"),)).octets()) for each in who]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("kind", ["VTODO", "VJOURNAL"])
def test_tasks_and_journal_entries_have_digests_too(kind: str) -> None:
    task = ("UID:1", "DTSTART:20240101T100000Z", "SUMMARY:Do")
    due, lasting = (*task, "DUE:20240101T110000Z"), (*task, "DURATION:PT1H")
    assert digest(Sample((due,), kind).octets()) == digest(Sample((lasting,), kind).octets())
    assert digest(Sample((due,), kind).octets()) != digest(Sample((task,), kind).octets())


def test_a_task_that_is_done_is_another() -> None:
    done = ["COMPLETED:20240101T100000Z", "COMPLETED;TZID=Europe/Berlin:20240101T110000", "COMPLETED:20240101T100001Z"]
    digests = [digest(Sample((("UID:1", line),), "VTODO").octets()) for line in done]
    assert digests[0] == digests[1] != digests[2]


def test_days_are_nominal_and_hours_exact() -> None:
    """RFC 5545 section 3.3.6: over the change to summer time a day has 23 hours."""
    start = "DTSTART;TZID=Europe/Berlin:20240330T120000"
    ends = [
        "DURATION:P1D",
        "DTEND;TZID=Europe/Berlin:20240331T120000",
        "DTEND:20240331T100000Z",
        "DURATION:PT23H",
        "DURATION:PT24H",
    ]
    found = [digest(Sample((("UID:1", start, end),)).octets()) for end in ends]
    assert len(set(found[:4])) == 1
    assert found[4] != found[0]


def test_what_cannot_be_read_counts_as_it_stands() -> None:
    """Nothing is left out silently: neither a line that is none, nor a value that is none."""
    event = ("UID:1", "DTSTART:20240101T100000Z")
    extra = [
        "",
        "no line at all",
        "RRULE:FREQ=NEVER",
        "EXDATE:soon",
        "DTEND:later",
        "RRULE:COUNT;FREQ=DAILY",
        "GEO:here",
    ]
    found = [digest(Sample(((*event, *filter(None, [line])),)).octets()) for line in extra]
    assert len(set(found)) == len(extra)


def test_differences_hold_no_content() -> None:
    secret = "SWORDFISH"
    mine = Sample(
        (
            (
                "UID:1",
                "DTSTART:20240101T100000Z",
                f"SUMMARY:{secret}",
                f"{secret}:x",
                f"{secret} none",
                f"RECURRENCE-ID:{secret}",
            ),
        )
    )
    theirs = Sample(
        (("UID:2", f"DTSTART;TZID={secret}:20240101T100000", f"ATTENDEE:mailto:{secret}@a.example"),), secret
    )
    told = "\n".join(differences(mine.octets(), theirs.octets()) + differences(theirs.octets(), mine.octets()))
    assert told
    assert secret not in told


def test_override_differences_name_their_day() -> None:
    told = differences(MEETING.octets(), MEETING.changed("at eleven", "at noon").octets())
    assert told == ["VEVENT of 2024-01-22: SUMMARY differs"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BEGIN:VCALENDAR\r\n",
        b"hello",
        b"END:VEVENT\r\n",
        b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n",
        b"\xff\xfeB\x00\x01",
    ],
)
def test_what_is_no_object_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        digest(data)
