"""Times without a zone keep what they are, also where a server gives them one."""

from __future__ import annotations

from hypothesis import given

from tests.unit.formats.ical.samples import Plan, plans
from tests.unit.formats.ical.test_strict import one
from xdmigrate.formats.ical import differences, digest, marked, storable

HEAD = ("UID:1", "DTSTAMP:20200101T000000Z")
FLOATING = one(*HEAD, "DTSTART:20240101T100000", "DTEND:20240101T110000", "RRULE:FREQ=DAILY", "EXDATE:20240102T100000")


def zoned(data: bytes, zone: bytes) -> bytes:
    """As SOGo writes it: start and end get the zone of the account, other parameters stay."""
    return data.replace(b"DTSTART;", b"DTSTART;TZID=%s;" % zone).replace(b"DTEND;", b"DTEND;TZID=%s;" % zone)


def test_a_zone_that_a_server_gives_does_not_count() -> None:
    kept = marked(FLOATING)
    there = zoned(kept, b"Europe/Berlin")
    assert digest(there) == digest(kept) == digest(FLOATING)
    assert storable(there) == FLOATING
    assert marked(kept) == kept


def test_another_time_counts() -> None:
    moved = zoned(marked(FLOATING), b"Etc/UTC").replace(b"T100000", b"T103000", 1)
    assert any("DTSTART" in words for words in differences(FLOATING, moved))
    assert digest(FLOATING.replace(b"DTSTART:", b"DTSTART;TZID=Etc/UTC:")) != digest(FLOATING)


@given(plan=plans)
def test_only_times_without_a_zone_are_marked(plan: Plan) -> None:
    data = plan.sample().octets()
    assert (marked(data) == data) == (plan.form != "floating")
    assert digest(marked(data)) == digest(data)
