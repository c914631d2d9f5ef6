"""No invitation is sent again: by servers that mail whoever stands in an event, to a host that would get the mail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from tests.connectors.dav.scripted import event
from tests.live.dav.cyrus_dav import CyrusDav
from tests.live.dav.sogo import Sogo
from xdmigrate.contract import Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied
from xdmigrate.formats import ical
from xdmigrate.model import Endpoint, Folder, Head, HeldBody, Item, Kind, Login
from xdmigrate_dav import connector
from xdmigrate_dav.target import DavTarget

pytestmark = pytest.mark.live

Place = tuple[Endpoint, Login]
Inviting = CyrusDav | Sogo
SECONDS = 5.0
"""A mail that was going to be sent has been sent by then: the server sends before it answers."""


@pytest.fixture(params=["cyrus", pytest.param("sogo", marks=pytest.mark.full)])
def inviting(request: pytest.FixtureRequest) -> tuple[Place, Inviting]:
    """An account, and the server that would invite."""
    names = {"cyrus": ("at_cyrus", "cyrus_dav_server"), "sogo": ("at_sogo", "sogo_server")}[request.param]
    return request.getfixturevalue(names[0]), request.getfixturevalue(names[1])


def people(organizer: str, attendee: str) -> str:
    return f"ORGANIZER:mailto:{organizer}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{attendee}\r\n"


def attempt(target: DavTarget, folder: Folder, data: bytes, over: Head | None = None) -> Receipt:
    with target.writer(folder, Intent(1, 1, 0)) as writer:
        writer.put(0, Item(Head(b"1", len(data)), HeldBody(data), Kind.CALENDAR), over)
        (receipt,) = writer.flush()
    return receipt


def put(target: DavTarget, data: bytes, over: Head | None = None) -> Stored:
    receipt = attempt(target, target.create_folder(("Meetings",), Kind.CALENDAR), data, over)
    assert isinstance(receipt, Stored), receipt
    return receipt


def saying(place: Place, scheduling: str) -> DavTarget:
    endpoint, login = place
    return connector.target(replace(endpoint, settings={**endpoint.settings, "scheduling": scheduling}), login)


def put_beside(place: Place, collection: str, data: bytes) -> None:
    """As a program does that knows nothing of all this."""
    endpoint, login = place
    answer = httpx.put(
        f"{endpoint.settings['url']}{collection}{ical.outline(data).uid}.ics",
        content=data,
        auth=(login.user, login.password),
        headers={"content-type": "text/calendar"},
    )
    assert answer.status_code == 201


def everything(target: DavTarget) -> list[tuple[Folder, list[Head]]]:
    """Folders, and what is in them, with their versions."""
    return [(folder, list(target.heads(folder))) for folder in target.folders()]


def welcomed(server: Inviting, user: str) -> DavTarget:
    """A colleague who has a calendar."""
    server.welcome(user)
    theirs = connector.target(Endpoint("theirs", "dav", {"url": server.url}), Login(user, user, server.password))
    theirs.folders()
    return theirs


def test_the_sink_gets_what_the_server_sends(inviting: tuple[Place, Inviting]) -> None:
    """Without this, an empty sink would prove nothing."""
    place, server = inviting
    before = len(server.sink.mails)
    data = event("sent", more=people(place[1].address, "bob@elsewhere.example"))
    put_beside(place, server.calendar(place[1].user), data)
    deadline = time.monotonic() + SECONDS
    while len(server.sink.mails) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(server.sink.mails) == before + 1

    target = saying(place, "")  # what was there before is neither replaced nor removed: both would be told
    (folder,) = [each for each in target.folders() if each.kind is Kind.CALENDAR and each.count]
    refused = attempt(target, folder, data.replace(b"Lunch", b"Dinner"), *target.heads(folder))
    assert isinstance(refused, Refused)
    assert refused.reason == "would-notify"
    with pytest.raises(AccessDenied):
        target.remove(folder, [head.ref for head in target.heads(folder)])
    assert len(server.sink.mails) == before + 1


@pytest.mark.parametrize("organizes", [True, False])
@pytest.mark.parametrize("scheduling", ["", "silent"])
def test_copy_update_again_and_removal_send_nothing(
    inviting: tuple[Place, Inviting], scheduling: str, *, organizes: bool
) -> None:
    place, server = inviting
    before = len(server.sink.mails)
    both = (place[1].address, "bob@elsewhere.example")
    roles = people(*both) if organizes else people(*reversed(both))
    target = saying(place, scheduling)
    one, series = event("one", more=roles), event("two", more=roles + "RRULE:FREQ=WEEKLY;COUNT=5\r\n")
    for data in (one, series, one, series):  # the last two: another run
        put(target, data)
    folder = target.create_folder(("Meetings",), Kind.CALENDAR)
    for head in list(target.heads(folder)):
        (item,) = target.read(folder, [head.ref])
        written = item.body.spool().read()
        assert bool(ical.outline(written).attendees) is (scheduling == "silent" and isinstance(server, CyrusDav))
        changed = (one if b"UID:one" in written else series).replace(b"Lunch", b"Dinner")
        put(target, changed, head)
    target.remove(folder, [head.ref for head in target.heads(folder)])
    assert list(target.heads(folder)) == []
    assert len(server.sink.mails) == before


def test_a_colleagues_calendar_stays_as_it_is(inviting: tuple[Place, Inviting], new_user: Callable[[], str]) -> None:
    """Inside one server nothing is mailed: it is written into the colleague's calendar instead."""
    place, server = inviting
    colleague = new_user()
    theirs = welcomed(server, colleague)
    before = theirs.folders()
    put(connector.target(*place), event("one", more=people(place[1].address, colleague)))
    assert theirs.folders() == before


@pytest.mark.parametrize(
    ("organizes", "year"),
    [
        (True, b"2019"),
        pytest.param(True, b"2037", marks=pytest.mark.full),
        pytest.param(False, b"2019", marks=pytest.mark.full),
        (False, b"2037"),
    ],
)
def test_sogo_writes_into_no_calendar_of_a_colleague(
    at_sogo: Place, sogo_server: Sogo, new_user: Callable[[], str], year: bytes, *, organizes: bool
) -> None:
    """It does so although its sending is off, and whenever the event was: for others, and never for us."""
    place, colleague = at_sogo, new_user()
    theirs = welcomed(sogo_server, colleague)
    roles = people(place[1].address, colleague) if organizes else people(colleague, place[1].address)
    target, mails = saying(place, "off"), len(sogo_server.sink.mails)
    before = everything(theirs)
    one = event("one", more=roles).replace(b":2037", b":" + year)
    written = put(target, one)
    put(target, one)  # another run
    folder = target.create_folder(("Meetings",), Kind.CALENDAR)
    changed = one.replace(b"Lunch", b"Dinner").replace(b"ACCEPTED", b"DECLINED")
    put(target, changed, *target.look_up(folder, [written.ref]))
    target.remove(folder, [written.ref])
    assert everything(theirs) == before
    assert len(sogo_server.sink.mails) == mails


@pytest.mark.full
@pytest.mark.parametrize("year", [b"2019", b"2037"])
def test_what_sogo_does_when_it_is_not_spared(
    at_sogo: Place, sogo_server: Sogo, new_user: Callable[[], str], year: bytes
) -> None:
    """Without this, a colleague's untouched calendar would prove nothing. Cancelling goes the same way."""
    colleague, target = new_user(), saying(at_sogo, "off")
    theirs = welcomed(sogo_server, colleague)
    before = everything(theirs)
    data = event("sent", more=people(at_sogo[1].address, colleague)).replace(b":2037", b":" + year)
    put_beside(at_sogo, sogo_server.calendar(at_sogo[1].user), data)
    after = everything(theirs)
    assert after != before
    (mine,) = [each for each in target.folders() if each.count]
    with pytest.raises(AccessDenied):
        target.remove(mine, [b"sent.ics"])
    assert everything(theirs) == after
