"""One view of every kind: equal for items that say the same, and never raising."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Kind, fingerprint
from xdmigrate.testing.objects import made, rewritten

KINDS = [Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS]


@pytest.mark.parametrize("kind", KINDS)
def test_what_stores_make_of_an_object_says_the_same(kind: Kind) -> None:
    said = semantics(kind)
    one, other = made(kind, "1", "one"), made(kind, "1", "other")
    assert said.digest(one) == said.digest(rewritten(one)) != said.digest(other)
    assert said.differences(one, rewritten(one)) == []
    assert said.differences(one, other) != []
    assert said.name(one) == "1"
    assert said.digested(one) == (said.digest(one), False)


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=30)
@given(data=st.binary(max_size=200))
def test_anything_has_a_digest(kind: Kind, data: bytes) -> None:
    said = semantics(kind)
    assert len(said.digest(data)) == 16
    assert said.digest(data) == said.digest(data)
    assert said.differences(data, data) == []
    assert isinstance(said.readdressed(data, str.upper), bytes)
    assert isinstance(said.name(data), str)


def test_what_cannot_be_read_is_its_bytes() -> None:
    said = semantics(Kind.CALENDAR)
    assert said.digest(b"\xff nonsense") == fingerprint(b"\xff nonsense")
    assert said.differences(b"nonsense", b"other nonsense") != []
    assert said.readdressed(b"nonsense", str.upper) == b"nonsense"


def test_mail_is_its_bytes() -> None:
    said = semantics(Kind.MAIL)
    assert said.digest(b"x") == fingerprint(b"x")
    assert (said.differences(b"x", b"x"), len(said.differences(b"x", b"y"))) == ([], 1)
    assert (said.readdressed(b"ann@old", str.upper), said.name(b"x")) == (b"ann@old", "")
