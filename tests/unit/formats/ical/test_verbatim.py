"""What cannot be interpreted counts line by line, however it is written."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import texts, words
from tests.unit.formats.ical.test_strict import EVENT, one
from xdmigrate.formats.ical import differences, digest, digested, outline, storable
from xdmigrate.formats.ical.lines import escaped
from xdmigrate.formats.ical.meaning import digest as meant
from xdmigrate.formats.ical.verbatim import is_opaque
from xdmigrate.formats.refusal import Unreadable, Unstorable

NOWHERE = "DTSTART;TZID=Nowhere/Middle:20240101T100000"
OPAQUE = {
    "a zone that nobody knows": one(*EVENT[:2], NOWHERE, "DURATION:PT1H"),
    "a start that cannot be read": one(*EVENT[:2], "DTSTART:Next Year"),
    "a rule that cannot be read": one(*EVENT, "RRULE:FREQ=NEVER"),
    "an exception that cannot be read": one(*EVENT, "RDATE;VALUE=TIME:083000"),
    "an end that cannot be read": one(*EVENT[:3], "DTEND:20240101T18300"),
    "an alarm that cannot be read": one(*EVENT, "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:now", "END:VALARM"),
}


@pytest.mark.parametrize("what", OPAQUE)
def test_it_is_offered_as_it_is(what: str) -> None:
    data = OPAQUE[what]
    with pytest.raises(Unstorable) as caught:
        storable(data)
    assert caught.value.as_it_is == data
    assert is_opaque(data)
    assert digest(data) != meant(data)
    assert digested(data) == (digest(data), True)


@pytest.mark.parametrize(
    "data",
    [
        one(*EVENT[:2], NOWHERE, "SUMMARY:Bo\0ard"),
        one(*EVENT[:2], NOWHERE, "SUMMARY:Größe").decode().encode("cp1252"),
        b"\xef\xbb\xbf" + one(*EVENT[:2], NOWHERE),
        one(*EVENT, "this is no line"),
        one("UID:1", "DTSTAMP:20200101T000000Z", kind="VFREEBUSY"),
    ],
)
def test_what_is_not_even_that_is_not_offered(data: bytes) -> None:
    with pytest.raises(Unstorable) as caught:
        storable(data)
    assert not caught.value.as_it_is
    assert is_opaque(data) == (caught.value.reason == "unknown-timezone")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_it_gets_a_uid_where_it_has_none(end: bytes) -> None:
    data = one(NOWHERE).replace(b"\r\n", end)
    with pytest.raises(Unstorable) as caught:
        storable(data, b"item 7")
    offered = caught.value.as_it_is
    assert digest(offered) == digest(data)
    assert outline(offered).uid
    assert offered.replace(b"UID:" + outline(offered).uid.encode() + end, b"") == data


def test_what_can_be_interpreted_counts_by_its_meaning() -> None:
    data = one(*EVENT, "SUMMARY:?")
    assert digest(data) == meant(data)
    assert not is_opaque(data)
    with pytest.raises(Unreadable):
        digest(b"BEGIN:VCALENDAR\r\n")
    assert not is_opaque(b"BEGIN:VCALENDAR\r\n")


def opaque(parameters: list[str], lines: list[str]) -> tuple[str, ...]:
    head = "".join(f";{each}" for each in parameters)
    return (*EVENT[:2], f"DTSTART;TZID=Nowhere/Middle{head}:20240101T100000", *lines)


@given(
    text=texts,
    parameters=st.lists(st.tuples(st.sampled_from(["X-A", "X-B", "X-C"]), words), unique_by=lambda each: each[0]),
    width=st.integers(3, 100),
    lf=st.booleans(),
    data=st.data(),
)
def test_folds_and_order_do_not_count(
    text: str, parameters: list[tuple[str, str]], width: int, data: st.DataObject, *, lf: bool
) -> None:
    lines = [f"SUMMARY:{escaped(text)}", "X-NOTE:kept", "CATEGORIES:A,B"]
    plain = one(*opaque([f"{name}={value}" for name, value in parameters], lines))
    quoted = [f'{name.lower()}="{value}"' for name, value in data.draw(st.permutations(parameters))]
    other = one(*opaque(quoted, data.draw(st.permutations(lines))), "SEQUENCE:7")
    folded = refolded(other, width, b"\n" if lf else b"\r\n")
    assert digest(folded) == digest(plain)
    assert differences(folded, plain) == []


def refolded(data: bytes, width: int, end: bytes) -> bytes:
    """With folds of this width, which may stand inside of a character."""
    lines = data.replace(b"\r\n ", b"").split(b"\r\n")
    return end.join(
        (end + b" ").join(line[at : at + width] for at in range(0, len(line), width)) for line in lines if line
    )


@given(mine=texts, theirs=texts, name=st.sampled_from(["SUMMARY", "X-NOTE", "DTSTART;TZID=Nowhere/Middle;X-A"]))
def test_every_value_counts(mine: str, theirs: str, name: str) -> None:
    start = () if name.startswith("DTSTART") else (NOWHERE,)

    def said(text: str) -> bytes:
        value = "=" + "".join(f"{ord(char):x}" for char in text) if start == () else f":{escaped(text.strip())}"
        return one(*EVENT[:2], *start, f"{name}{value}" + ("" if start else ":20240101T100000"))

    same = mine.strip() == theirs.strip() if start else mine == theirs
    assert (digest(said(mine)) == digest(said(theirs))) == same
    assert bool(differences(said(mine), said(theirs))) != same


def test_parts_of_a_rule_have_no_order_and_alarms_stay_where_they_are() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT5M", "END:VALARM")
    data = one(*EVENT[:2], NOWHERE, "RRULE:FREQ=DAILY;COUNT=4;WKST=MO", *alarm)
    assert digest(data) == digest(one(*EVENT[:2], *alarm, "RRULE:FREQ=DAILY;WKST=MO;COUNT=4", NOWHERE))
    assert digest(data) != digest(one(*EVENT[:2], NOWHERE, "RRULE:FREQ=DAILY;COUNT=5;WKST=MO", *alarm))
    assert digest(data) != digest(one(*EVENT[:2], NOWHERE, "RRULE:FREQ=DAILY;COUNT=4;WKST=MO", "ACTION:AUDIO"))
