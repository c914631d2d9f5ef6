"""No invitation is sent again: a Cyrus that mails whoever stands in an event, and a host that would get the mail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from tests.connectors.dav.scripted import event
from tests.live.dav.cyrus_dav import CyrusDav
from xdmigrate.contract import Intent, Stored
from xdmigrate.formats import ical
from xdmigrate.model import Endpoint, Head, HeldBody, Item, Kind, Login
from xdmigrate_dav import connector
from xdmigrate_dav.target import DavTarget

pytestmark = pytest.mark.live

Place = tuple[Endpoint, Login]
SECONDS = 5.0
"""A mail that was going to be sent has been sent by then: the server sends before it answers."""


def people(organizer: str, attendee: str) -> str:
    return f"ORGANIZER:mailto:{organizer}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{attendee}\r\n"


def put(target: DavTarget, data: bytes, over: Head | None = None) -> Stored:
    folder = target.create_folder(("Meetings",), Kind.CALENDAR)
    with target.writer(folder, Intent(1, 1, 0)) as writer:
        writer.put(0, Item(Head(b"1", len(data)), HeldBody(data), Kind.CALENDAR), over)
        (receipt,) = writer.flush()
    assert isinstance(receipt, Stored), receipt
    return receipt


def test_the_sink_gets_what_the_server_sends(at_cyrus: Place, cyrus_dav_server: CyrusDav) -> None:
    """Without this, an empty sink would prove nothing."""
    endpoint, login = at_cyrus
    before = len(cyrus_dav_server.sink.mails)
    data = event("sent", more=people(login.address, "bob@elsewhere.example"))
    path = f"dav/calendars/user/{login.user}/Default/sent.ics"
    answer = httpx.put(
        f"{endpoint.settings['url']}{path}",
        content=data,
        auth=(login.user, login.password),
        headers={"content-type": "text/calendar"},
    )
    assert answer.status_code == 201
    deadline = time.monotonic() + SECONDS
    while len(cyrus_dav_server.sink.mails) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(cyrus_dav_server.sink.mails) == before + 1


@pytest.mark.parametrize("organizes", [True, False])
@pytest.mark.parametrize("scheduling", [None, "silent"])
def test_copy_update_again_and_removal_send_nothing(
    at_cyrus: Place, cyrus_dav_server: CyrusDav, scheduling: str | None, *, organizes: bool
) -> None:
    endpoint, login = at_cyrus
    before = len(cyrus_dav_server.sink.mails)
    both = (login.address, "bob@elsewhere.example")
    roles = people(*both) if organizes else people(*reversed(both))
    target = connector.target(replace(endpoint, settings={**endpoint.settings, "scheduling": scheduling or ""}), login)
    one, series = event("one", more=roles), event("two", more=roles + "RRULE:FREQ=WEEKLY;COUNT=5\r\n")
    for data in (one, series, one, series):  # the last two: another run
        put(target, data)
    folder = target.create_folder(("Meetings",), Kind.CALENDAR)
    for head in list(target.heads(folder)):
        (item,) = target.read(folder, [head.ref])
        written = item.body.spool().read()
        assert bool(ical.outline(written).attendees) is (scheduling == "silent")
        changed = (one if b"UID:one" in written else series).replace(b"Lunch", b"Dinner")
        put(target, changed, head)
    target.remove(folder, [head.ref for head in target.heads(folder)])
    assert list(target.heads(folder)) == []
    assert len(cyrus_dav_server.sink.mails) == before


def test_a_colleagues_calendar_stays_as_it_is(
    at_cyrus: Place, cyrus_dav_server: CyrusDav, new_user: Callable[[], str]
) -> None:
    """Inside one server nothing is mailed: it is written into the colleague's calendar instead."""
    endpoint, login = at_cyrus
    colleague = new_user()
    cyrus_dav_server.welcome(colleague)
    theirs = connector.source(endpoint, Login(colleague, colleague, login.password))
    before = theirs.folders()
    put(connector.target(endpoint, login), event("one", more=people(login.address, colleague)))
    assert theirs.folders() == before
