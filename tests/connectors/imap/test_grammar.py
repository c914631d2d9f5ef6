"""Flags and dates: nothing leaves that the grammar of RFC 3501 does not allow."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_imap import grammar

ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
FLAGS = st.frozensets(
    st.text(max_size=20)
    | st.sampled_from(["\\Seen", "\\seen", "\\Recent", "\\*", "\\Deleted", "$MDNSent", "work", "a]b", "x\r\nx1 NOOP"]),
    max_size=6,
)


@given(FLAGS, st.none() | st.frozensets(st.sampled_from(["\\seen", "\\*", "work", "$mdnsent"])))
def test_only_well_formed_and_permitted_flags_are_sent(flags: frozenset[str], permitted: frozenset[str] | None) -> None:
    sent = grammar.sendable(flags, permitted)
    for flag in grammar.flag_list(sent)[1:-1].split():
        assert ATOM.fullmatch(flag.removeprefix(b"\\"))
        assert not flag.startswith(b"\\") or flag.decode() in grammar.SYSTEM_FLAGS
        if permitted is not None:
            assert flag.decode().lower() in permitted or "\\*" in permitted
    assert {flag.lower() for flag in sent} <= {flag.lower() for flag in flags}
    kept = {flag.lower() for flag in sent} | {"\\recent"}
    assert grammar.left_out(flags, sent) == {flag for flag in flags if flag.lower() not in kept}


def test_keywords_need_permission_and_system_flags_their_own() -> None:
    flags = frozenset({"\\Seen", "\\Deleted", "work"})
    assert grammar.sendable(flags, None) == flags
    assert grammar.sendable(flags, frozenset({"\\seen", "\\*"})) == {"\\Seen", "work"}
    assert grammar.sendable(flags, frozenset({"\\seen", "work"})) == {"\\Seen", "work"}
    assert grammar.sendable(flags, frozenset()) == frozenset()
    assert grammar.sendable(frozenset({"\\sEEn"}), None) == {"\\Seen"}
    assert grammar.sendable(frozenset({"k" * 129, "k" * 128}), None) == {"k" * 128}


def test_listed_flags_are_spelt_alike_and_never_recent() -> None:
    assert grammar.listed_flags(b"\\SEEN \\recent $Forwarded  \\XYZ") == {"\\Seen", "$Forwarded", "\\XYZ"}
    assert grammar.listed_flags(b"") == frozenset()


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=ZONES))
def test_dates_come_back_with_their_zone(date: datetime) -> None:
    text = grammar.format_date(date)
    assert re.fullmatch(rb'"[ 0-3]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"', text)
    back = grammar.parse_date(text.strip(b'"'))
    assert back == date.replace(microsecond=0)
    assert back is not None
    assert back.utcoffset() == date.utcoffset()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (b" 5-Jan-2001 03:04:05 -0730", datetime(2001, 1, 5, 10, 34, 5, tzinfo=UTC)),
        (b"5-jan-2001 03:04:05 +0000", datetime(2001, 1, 5, 3, 4, 5, tzinfo=UTC)),
        (b"05-Jan-2001 03:04:05", datetime(2001, 1, 5, 3, 4, 5, tzinfo=UTC)),
        (b"31-Dec-2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"01-Jan-2001 00:00:00 +9959", datetime(2000, 12, 27, 20, 1, tzinfo=UTC)),
        (b"01-Jan-2001 00:00:00 -2500", datetime(2001, 1, 2, 1, 0, tzinfo=UTC)),
        (b"31-Feb-2001 00:00:00 +0000", None),
        (b"01-Foo-2001 00:00:00 +0000", None),
        (b"01-Jan-0000 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +9900", None),
        (b"yesterday", None),
    ],
)  # fmt: skip
def test_known_dates(text: bytes, date: datetime | None) -> None:
    assert grammar.parse_date(text) == date


@given(st.binary(max_size=40))
def test_no_bytes_break_the_date(text: bytes) -> None:
    assert grammar.parse_date(text) is None or text


def test_a_day_below_ten_has_a_leading_space_and_naive_dates_are_utc() -> None:
    assert grammar.format_date(datetime(2001, 1, 5, 3, 4, 5)) == b'" 5-Jan-2001 03:04:05 +0000"'
    odd = timezone(timedelta(hours=5, minutes=53, seconds=28))
    assert grammar.format_date(datetime(1890, 11, 15, 0, 0, tzinfo=odd)) == b'"15-Nov-1890 00:00:00 +0553"'


def test_dates_that_some_server_refuses_are_not_ordinary() -> None:
    assert grammar.is_ordinary(datetime(2020, 1, 1, tzinfo=UTC))
    assert not grammar.is_ordinary(datetime(1969, 1, 1, tzinfo=UTC))
    assert not grammar.is_ordinary(datetime(2038, 2, 1, tzinfo=UTC))
    assert not grammar.is_ordinary(datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=23))))


@given(st.binary(max_size=60))
def test_strings_are_quoted_where_that_can_carry_them(value: bytes) -> None:
    sent = grammar.astring(value)
    if isinstance(sent, grammar.Octets):
        assert bytes(sent) == value
        assert any(not 0x20 <= byte <= 0x7E for byte in value)
    else:
        assert sent[:1] == sent[-1:] == b'"'
        assert re.sub(rb"\\(.)", rb"\1", sent[1:-1]) == value
