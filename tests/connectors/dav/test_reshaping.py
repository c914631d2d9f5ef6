"""What a server refuses as invalid is sent once more in another form; if that fails too, the words say why."""

from __future__ import annotations

import httpx
import pytest

from tests.connectors.dav.scripted import CALENDAR, CONTACTS, Scripted, card, denied, event
from xdmigrate.contract import Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied
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


# --- what cannot be interpreted --------------------------------------------------------------------------------------

NOWHERE = event("nowhere").replace(b"DTSTART:20370102T100000Z", b"DTSTART;TZID=Nowhere/Middle:20370102T100000")
OVER = event("over", more="RRULE:FREQ=DAILY;UNTIL=20370101T000000Z\r\n")


def floating(request: httpx.Request) -> httpx.Response | None:
    """Forgets zones that it does not know, without a word."""
    request._content = request.content.replace(b";TZID=Nowhere/Middle", b"")
    return None


def test_what_nobody_understands_is_stored_as_it_is() -> None:
    server = Scripted()
    first, again = put(server, NOWHERE), put(server, NOWHERE)
    assert isinstance(first, Stored)
    assert isinstance(again, Stored)
    assert list(server.items.values()) == [NOWHERE]


def test_what_a_server_makes_something_else_of_is_taken_out_again() -> None:
    server = Scripted(hook=floating)
    receipt = put(server, NOWHERE)
    assert isinstance(receipt, Refused)
    assert receipt.reason == "unknown-timezone"
    assert "taken out again" in receipt.detail
    assert not server.items


def test_what_a_server_does_not_take_out_again_stops_the_mailbox() -> None:
    def keeping(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(403) if request.method == "DELETE" else floating(request)

    with pytest.raises(AccessDenied):
        put(Scripted(hook=keeping), NOWHERE)


def test_it_is_not_offered_where_taking_it_out_again_would_send_mail() -> None:
    people = b"ORGANIZER:mailto:ann@x.example\r\nATTENDEE:mailto:bob@x.example\r\nSUMMARY"
    server = Scripted(powers="1, calendar-access, calendar-auto-schedule")
    receipt = put(server, NOWHERE.replace(b"SUMMARY", people))
    assert isinstance(receipt, Refused)
    assert not server.methods("PUT")


def test_a_copy_is_not_replaced_by_what_nobody_understands() -> None:
    server = Scripted()
    first = put(server, event("nowhere"))
    assert isinstance(first, Stored)
    receipt = put(server, NOWHERE, Head(first.ref, 0, version=first.version))
    assert isinstance(receipt, Refused)
    assert receipt.reason == "unknown-timezone"
    assert "left alone" in receipt.detail
    assert list(server.items.values()) == [event("nowhere")]


def test_a_refusal_of_what_nobody_understands_tells_both_reasons() -> None:
    server = Scripted(hook=lambda request: httpx.Response(400) if request.method == "PUT" else None)
    receipt = put(server, NOWHERE)
    assert isinstance(receipt, Refused)
    assert receipt.reason == "refused"
    assert "400" in receipt.detail
    assert "time zone" in receipt.detail


def test_a_rule_that_adds_nothing_is_left_out_where_it_is_refused() -> None:
    def picky(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(400) if request.method == "PUT" and b"UNTIL" in request.content else None

    server = Scripted(hook=picky)
    assert isinstance(put(server, OVER), Stored)
    assert list(server.items.values()) == [event("over")]
    kept = Scripted()
    put(kept, OVER)
    assert list(kept.items.values()) == [OVER]
