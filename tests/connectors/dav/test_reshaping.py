"""What a server refuses as invalid is sent once more in another form; if that fails too, the words say why."""

from __future__ import annotations

import httpx
import pytest

from tests.connectors.dav.scripted import CALENDAR, CONTACTS, Scripted, card, denied, event
from xdmigrate.contract import Intent, Receipt, Refused, Stored
from xdmigrate.formats import ical
from xdmigrate.model import Head, HeldBody, Item, Kind
from xdmigrate_dav import names
from xdmigrate_dav.target import DavTarget

POINT = event("point").replace(b"DTEND:20370102T110000Z", b"DTEND:20370102T100000Z")


def strict(request: httpx.Request) -> httpx.Response | None:
    """Takes no event without a length, as Cyrus 3.6."""
    refused = request.method == "PUT" and b"DTEND:20370102T100000Z" in request.content
    return denied(403, "valid-calendar-data") if refused else None


def put(server: Scripted, data: bytes, over: Head | None = None) -> Receipt:
    with DavTarget(server.session()).writer(CALENDAR, Intent(1, 1, 0)) as writer:
        writer.put(0, Item(Head(b"1", len(data)), HeldBody(data), Kind.CALENDAR), over)
        (receipt,) = writer.flush()
    return receipt


def test_an_event_without_a_length_is_stored_and_says_the_same() -> None:
    server = Scripted(hook=strict)
    receipt = put(server, POINT)
    assert isinstance(receipt, Stored)
    (kept,) = server.items.values()
    assert kept != POINT
    assert ical.digest(kept) == ical.digest(POINT)
    assert isinstance(put(server, POINT), Stored)  # another run finds it as it is
    assert list(server.items.values()) == [kept]


def test_it_is_replaced_in_the_same_form() -> None:
    server = Scripted(hook=strict)
    first = put(server, POINT)
    assert isinstance(first, Stored)
    changed = POINT.replace(b"Lunch", b"Dinner")
    assert isinstance(put(server, changed, Head(first.ref, 0, version=first.version)), Stored)
    (kept,) = server.items.values()
    assert ical.digest(kept) == ical.digest(changed)


def test_a_server_that_takes_it_gets_it_as_it_is() -> None:
    server = Scripted()
    put(server, POINT)
    assert list(server.items.values()) == [POINT]


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_refusal_without_words_gets_some(status: int) -> None:
    server = Scripted(hook=lambda request: httpx.Response(status) if request.method == "PUT" else None)
    receipt = put(server, event("none").replace(b"DTSTART:20370102T100000Z\r\nDTEND:20370102T110000Z\r\n", b""))
    assert receipt == Refused(0, "refused", f"{status}; an event without a start (DTSTART)")
    assert server.items == {}


def test_what_is_refused_in_both_forms_is_sent_twice_and_no_more() -> None:
    server = Scripted(hook=lambda request: denied(403, "valid-calendar-data") if request.method == "PUT" else None)
    receipt = put(server, POINT)
    assert isinstance(receipt, Refused)
    assert receipt.reason == "refused"
    assert receipt.detail.endswith("; an event without a length")
    assert len(server.methods("PUT")) == 2


def test_sogo_gets_times_without_a_zone_marked() -> None:
    floating = event("floating").replace(b"00Z\r\nDTEND:20370102T110000Z", b"00\r\nDTEND:20370102T110000")
    other, sogo = Scripted(), Scripted()
    privilege = f'<i:viewwhole-component xmlns:i="{names.INVERSE}"/>'
    sogo.more = f"<d:current-user-privilege-set><d:privilege>{privilege}</d:privilege></d:current-user-privilege-set>"
    for server in (other, sogo):
        assert isinstance(put(server, floating), Stored)
    assert list(other.items.values()) == [floating]
    assert list(sogo.items.values()) == [ical.marked(floating)]


def test_a_refused_contact_gets_words_too() -> None:
    server = Scripted(contacts=True, hook=lambda request: httpx.Response(403) if request.method == "PUT" else None)
    data = card("twice", more="BDAY:1996-04-15\r\nBDAY:1997-04-15\r\n")
    with DavTarget(server.session()).writer(CONTACTS, Intent(1, 1, 0)) as writer:
        writer.put(0, Item(Head(b"1", len(data)), HeldBody(data), Kind.CONTACTS))
        assert writer.flush() == [Refused(0, "refused", "403; BDAY stands there 2 times")]
