"""Groups: their members renamed and remapped, and what a card is in short."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.unit.formats.vcard import strategies
from tests.unit.formats.vcard.strategies import card
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard import Outline, outline, readdressed, remembered

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


def test_members_and_related_follow_their_contacts() -> None:
    assert remembered(GROUP, {"A": "A2", "G": "G2"}) == GROUP.replace(b"urn:uuid:A\r", b"urn:uuid:A2\r")
    assert remembered(GROUP, {"X": "Y"}) is GROUP
    bare = card(["X-ADDRESSBOOKSERVER-MEMBER:A", "FN:x"])
    assert remembered(bare, {"A": "B" * 100}).replace(b"\r\n ", b"") == bare.replace(b":A", b":" + b"B" * 100)


@given(strategies.bodies.map(card).flatmap(strategies.folded))
def test_a_card_without_such_members_stays_to_the_octet(data: bytes) -> None:
    assert readdressed(data, moved) == data
    assert remembered(data, {"x": "y"}) == data


@given(strategies.hostile)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        told = outline(data)
    except Unreadable:
        with pytest.raises(Unreadable):
            readdressed(data, moved)
        return
    again = remembered(readdressed(data, moved), {"1": "2"})
    assert outline(again).uid == told.uid
    assert len(outline(again).members) == len(told.members)
