"""The two events, and how they are recognised in whatever a server mails."""

from __future__ import annotations

import quopri
from base64 import encodebytes
from datetime import UTC, datetime, timedelta
from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.engine.canary.events import Pair, event, mentions
from xdmigrate.formats import ical

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PAIR = Pair.of("ann@x.example")


def test_uids_are_the_same_in_every_run_and_words_are_not() -> None:
    again, another = Pair.of("Ann@X.example"), Pair.of("bob@x.example")
    assert again.uids == PAIR.uids
    assert set(again.uids).isdisjoint(another.uids)
    assert {again.canary_word, again.control_word}.isdisjoint({PAIR.canary_word, PAIR.control_word})
    assert PAIR.canary_uid in PAIR.canary_marks, "an older canary that arrives is no better"
    assert PAIR.control_marks == (PAIR.control_word,), "an older control that arrives proves nothing"


def test_the_event_is_one_that_strict_servers_take_as_it_is() -> None:
    data = event(PAIR.canary_uid, PAIR.canary_word, "ann@x.example", ("bea@x.example", "bea@old.example"), NOW)
    assert ical.storable(data, b"") == data
    found = ical.outline(data)
    assert (found.uid, found.organizer) == (PAIR.canary_uid, "ann@x.example")
    assert set(found.attendees) >= {"bea@x.example", "bea@old.example"}
    assert found.times is not None
    assert found.times[0] > NOW + timedelta(days=29)
    assert ical.unscheduled(data).count(b"SCHEDULE-AGENT=CLIENT") == 4
    assert mentions(data, PAIR.canary_word)
    assert not mentions(data, PAIR.control_word)


@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize("fold", [b"\r\n ", b"\n\t", b"=\r\n", b"\r\n"])
def test_a_word_is_found_wherever_it_is_folded(shift: int, fold: bytes) -> None:
    word = PAIR.canary_word.encode()
    assert mentions(b"Subject: x" + word[: 3 + shift] + fold + word[3 + shift :] + b"!\r\n", PAIR.canary_word)


@given(st.binary(max_size=90), st.binary(max_size=90))
def test_a_word_is_found_in_base64_wherever_it_stands(before: bytes, after: bytes) -> None:
    sent = encodebytes(before + PAIR.canary_word.encode() + after).replace(b"\n", b"\r\n")
    assert mentions(b"Content-Transfer-Encoding: base64\r\n\r\n" + sent, PAIR.canary_word)
    assert not mentions(sent, PAIR.control_word)


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_word_is_found_in_quoted_printable_and_in_a_subject(before: str, after: str) -> None:
    text = f"{before}{PAIR.control_word}{after}".encode("utf-8", "replace")
    assert mentions(quopri.encodestring(text), PAIR.control_word)
    subject = Header(f"Größe {PAIR.control_word}", "iso-8859-1").encode()
    assert mentions(subject.encode(), PAIR.control_word)
