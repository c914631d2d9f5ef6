"""Groups: their members renamed, and what a card is in short."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.unit.formats.vcard import strategies
from tests.unit.formats.vcard.strategies import card
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard import Outline, outline, readdressed

GROUP = card(
    ["KIND:group", "FN:All, of us", "UID:urn:uuid:G", "MEMBER:urn:uuid:A", "MEMBER:mailto:Bob@old.test",
     "MEMBER;X-P=1:urn:uuid:C", "EMAIL:own@old.test", "RELATED:urn:uuid:A", "NOTE:folded\r\n  here",
     "MEMBER:tel:+1"], "4.0",
)  # fmt: skip


def moved(address: str) -> str:
    return address.lower().replace("@old.test", "@new.test")


def test_the_outline_of_a_group() -> None:
    assert outline(GROUP) == Outline("G", "4.0", "group", "All, of us", ("A", "mailto:Bob@old.test", "C", "tel:+1"))
    apple = card(["X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:A", "N:x"])
    assert outline(apple) == Outline("", "3.0", "group", "x", ("A",))
    assert outline(b"BEGIN:VCARD\nEND:VCARD") == Outline("", "", "individual", "", ())


def test_members_are_renamed_and_nothing_else() -> None:
    assert readdressed(GROUP, moved) == GROUP.replace(b"Bob@old.test", b"bob@new.test")
    assert readdressed(GROUP, lambda address: address) is GROUP


def test_a_member_that_becomes_long_is_folded() -> None:
    apple = card(["X-ADDRESSBOOKSERVER-MEMBER:mailto:a@old.test", "FN:x"])
    renamed = readdressed(apple, lambda _address: "b" * 100)
    assert renamed.replace(b"\r\n ", b"") == apple.replace(b":a@old.test", b":" + b"b" * 100)
    assert max(map(len, renamed.split(b"\r\n"))) <= 75


@given(strategies.bodies.map(card).flatmap(strategies.folded))
def test_a_card_without_such_members_stays_to_the_octet(data: bytes) -> None:
    assert readdressed(data, moved) == data


@given(strategies.hostile)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        told = outline(data)
    except Unreadable:
        with pytest.raises(Unreadable):
            readdressed(data, moved)
        return
    again = readdressed(data, moved)
    assert outline(again).uid == told.uid
    assert len(outline(again).members) == len(told.members)
