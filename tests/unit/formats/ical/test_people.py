"""Who is invited may be renamed, silenced or taken out; everything else stays to the octet."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import MEETING, Plan, Sample, plans
from xdmigrate.formats.ical import digest, outline, readdressed, unscheduled, without_people


def rename(address: str) -> str:
    return address.lower().replace("@a.example", "@new.example")


@given(plan=plans, width=st.integers(3, 100), lf=st.booleans())
def test_nothing_changes_where_nobody_is_renamed(plan: Plan, width: int, *, lf: bool) -> None:
    data = plan.sample().octets(b"\n" if lf else b"\r\n", width)
    assert readdressed(data, lambda address: address) is data


@given(plan=plans, lf=st.booleans())
def test_only_addresses_change(plan: Plan, *, lf: bool) -> None:
    end = b"\n" if lf else b"\r\n"
    data = plan.sample().octets(end)
    there = readdressed(data, rename)
    people = {who.replace("@a.example", "@new.example") for who in outline(data).attendees}
    assert set(outline(there).attendees) == people
    before, after = data.split(end), there.split(end)
    kept = [line for line in before if not line.startswith((b"ORGANIZER", b"ATTENDEE"))]
    assert [line for line in after if not line.startswith((b"ORGANIZER", b"ATTENDEE"))] == kept
    assert digest(readdressed(there, lambda address: address.replace("@new.example", "@a.example"))) == digest(data)


def test_all_places_of_an_address() -> None:
    line = (
        'ATTENDEE;CN="ann@a.example; MEMBER";MEMBER="mailto:all@a.example","mailto:x@b.example";'
        'DELEGATED-TO="mailto:bob@a.example";'
        'SENT-BY="MAILTO:Zoe@a.example";EMAIL=ann@a.example:mailto:ann@a.example'
    )
    found = (
        readdressed(Sample(((line, "DESCRIPTION:mailto:ann@a.example"),)).octets(), rename)
        .replace(b"\r\n ", b"")
        .decode()
    )
    assert (
        'ATTENDEE;CN="ann@a.example; MEMBER";MEMBER="mailto:all@new.example","mailto:x@b.example";'
        'DELEGATED-TO="mailto:bob@new.example";'
        'SENT-BY="MAILTO:zoe@new.example";EMAIL=ann@new.example:mailto:ann@new.example'
    ) in found
    assert "DESCRIPTION:mailto:ann@a.example" in found


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_the_encoding_stays(encoding: str) -> None:
    text = MEETING.octets().decode()
    wanted = text.replace("@a.example", "@new.example")
    assert readdressed(text.encode(encoding), rename).decode(encoding) == wanted


def test_an_address_with_blanks_is_one() -> None:
    data = Sample((("ATTENDEE:mailto: Big Room@a.example ", "ATTENDEE:urn:uuid:1"),)).octets()
    assert readdressed(data, rename) == data.replace(b"Big Room@a.example", b"big room@new.example")


@pytest.mark.parametrize(
    "line",
    [
        'ATTENDEE:"mailto:%s"',
        "ATTENDEE:MAILTO: %s ",
        'ATTENDEE;X-CALENDARSERVER-EMAIL="%s":/principals/1/',
        "ATTENDEE;email=%s:urn:uuid:1",
    ],
)
def test_wherever_an_address_is_known_it_is_renamed(line: str) -> None:
    data, wanted = (Sample(((line % who,),)).octets() for who in ("ann@a.example", "ann@new.example"))
    assert readdressed(data, {"ann@a.example": "ann@new.example"}.__getitem__) == wanted


def test_an_address_is_known_though_its_at_is_encoded() -> None:
    """RFC 6068 section 2 allows it; what is not renamed stays as it was written."""
    data = Sample((("ATTENDEE:mailto:bob%40a.example", "ATTENDEE:mailto:bob%40b.example"),)).octets()
    assert outline(data).attendees == ("bob@a.example", "bob@b.example")
    assert readdressed(data, rename) == data.replace(b"bob%40a.example", b"bob@new.example")


def test_only_a_scheme_is_one() -> None:
    """What looks like one inside an address belongs to it."""
    assert outline(Sample((("ATTENDEE:zoe.mailto:x@a.example",),)).octets()).attendees == ("zoe.mailto:x@a.example",)


def test_lines_in_old_code_pages_stay() -> None:
    data = Sample((("SUMMARY:Gr", "ORGANIZER:mailto:ann@a.example"),)).octets().replace(b"Gr", b"Gr\xfc\xdfe")
    assert readdressed(data, rename) == data.replace(b"ann@a.example", b"ann@new.example")


@given(plan=plans)
def test_a_silenced_object_means_the_same(plan: Plan) -> None:
    data = plan.sample().octets()
    silent = unscheduled(data)
    assert digest(silent) == digest(data)
    assert unscheduled(silent) is silent
    assert silent.replace(b"\r\n ", b"").count(b";SCHEDULE-AGENT=CLIENT:") == data.count(b"\r\nORGANIZER") + data.count(
        b"\r\nATTENDEE"
    )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "ATTENDEE;SCHEDULE-AGENT=SERVER;SCHEDULE-FORCE-SEND=REQUEST:mailto:a@b",
            "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:a@b",
        ),
        ("ATTENDEE;SCHEDULE-AGENT=NONE:mailto:a@b", "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:a@b"),
    ],
)
def test_servers_lose_their_agency(line: str, wanted: str) -> None:
    data = Sample(((line, "BEGIN:VALARM", "ATTENDEE:mailto:alarm@b", "END:VALARM"),)).octets()
    assert unscheduled(data) == data.replace(line.encode(), wanted.encode())


@given(plan=plans)
def test_nobody_is_left_and_nobody_is_forgotten(plan: Plan) -> None:
    data = plan.sample().octets()
    alone = without_people(data)
    before, after = outline(data), outline(alone)
    assert (after.organizer, after.attendees) == ("", ())
    text = alone.replace(b"\r\n ", b"").decode()
    for who in {before.organizer, *before.attendees} - {""}:
        assert who in text
    assert without_people(alone) is alone
    assert (alone is data) == (not before.organizer and not before.attendees)


def test_people_are_told_below_the_description() -> None:
    text = without_people(MEETING.octets()).replace(b"\r\n ", b"").decode()
    assert (
        "DESCRIPTION:Quarter\\, plans\\n\\nOrganizer: Ann <ann@a.example>\\nAttendees:\\n"
        "- Ann <ann@a.example> (accepted)\\n- Bob <bob@a.example> (tentative)\r\n"
    ) in text
