"""A canary's place in an account: what is written, found and removed, and that nothing else is."""

from __future__ import annotations

from pathlib import PurePosixPath

import httpx
import pytest

from tests.connectors.dav.scripted import HOME, WORK, Scripted, denied, event, multistatus, response
from xdmigrate.contract import Inviting, Promise
from xdmigrate.errors import AccessDenied, EndpointError
from xdmigrate.model import Endpoint, Kind
from xdmigrate_dav import connector
from xdmigrate_dav.creating import segment
from xdmigrate_dav.preparing import own_name
from xdmigrate_dav.trial import CALENDAR, DavTrial

UID, OTHER = "xdmigrate-canary-0", "xdmigrate-control-0"
PEOPLE = "ORGANIZER:mailto:ann@x.example\r\nATTENDEE:mailto:bea@x.example\r\n"
INBOX = HOME + "inbox/"
OURS = HOME + segment(CALENDAR[0], Kind.CALENDAR) + "/"


class Canaries(Scripted):
    """The one calendar bears the canary's name, and there is an inbox with an invitation in it."""

    def __init__(self, *, place: str = WORK) -> None:
        super().__init__(hook=self.odd, powers="1, calendar-access, calendar-auto-schedule")
        self.invitation: dict[str, bytes] = {}
        self.place = place

    def odd(self, request: httpx.Request) -> httpx.Response | None:
        path = request.url.path
        if request.method == "OPTIONS":
            return httpx.Response(200, headers={"dav": self.powers, "server": "Cal/1.2 (very long) Lib/3"})
        if path.startswith(INBOX):
            return self.in_inbox(request)
        if self.place != WORK:
            request = httpx.Request(
                request.method,
                str(request.url).replace(self.place, WORK),
                headers=request.headers,
                content=request.content,
            )
        if request.url.path == WORK and request.method == "DELETE":
            return httpx.Response(204)
        told = self.ordinary(request).content.replace(b">Work<", b">xdmigrate canary<")
        told = told.replace(WORK.encode(), self.place.encode())
        if path == HOME and request.method == "PROPFIND":
            inbox = response(INBOX, "<d:resourcetype><d:collection/><c:schedule-inbox/></d:resourcetype>")
            told = told.replace(b"</d:multistatus>", inbox.encode() + b"</d:multistatus>")
        answer = self.ordinary(request) if request.method in ("GET", "PUT", "DELETE") else None
        return answer or httpx.Response(207, content=told)

    def in_inbox(self, request: httpx.Request) -> httpx.Response:
        name = PurePosixPath(request.url.path).name
        if request.method == "DELETE":
            return httpx.Response(204 if self.invitation.pop(name, None) else 404)
        if request.method == "GET":
            return httpx.Response(200, content=self.invitation[name])
        facts = '<d:getetag>"1"</d:getetag><d:resourcetype/>'
        return multistatus(
            response(INBOX, "<d:resourcetype><d:collection/></d:resourcetype>"),
            *(response(INBOX + each, facts) for each in self.invitation),
        )

    def trial(self) -> DavTrial:
        return DavTrial(self.session())


def test_the_connector_lets_its_servers_be_tried() -> None:
    assert isinstance(connector, Inviting)
    for scheduling, promise in (
        (None, Promise.NONE),
        (False, Promise.OFF),
        ("silent", Promise.SILENT),
        ("silent-by-hand", Promise.BY_HAND),
    ):
        endpoint = Endpoint("new", "dav", {"url": "https://dav.x.example/", "scheduling": scheduling})
        assert connector.problems(endpoint) == []
        assert connector.promise(endpoint) is promise


def test_what_the_server_calls_itself() -> None:
    trial = Canaries().trial()
    assert (trial.server, trial.schedules) == ("Cal/1.2", True)


def test_an_event_is_written_just_as_all_others_would_be() -> None:
    server = Canaries()
    trial = server.trial()
    trial.invite(event(UID, more=PEOPLE), silent=True)
    trial.invite(event(OTHER, more=PEOPLE), silent=False)
    assert server.items[own_name(UID, b".ics").decode()].count(b"SCHEDULE-AGENT=CLIENT") == 2
    assert server.items[own_name(OTHER, b".ics").decode()] == event(OTHER, more=PEOPLE)


def test_an_event_that_is_not_taken_ends_the_canary() -> None:
    server = Canaries()
    trial, usual = server.trial(), server.odd
    server.hook = lambda request: denied(403, "valid-calendar-data") if request.method == "PUT" else usual(request)
    with pytest.raises(EndpointError, match="not taken"):
        trial.invite(event(UID), silent=True)


def test_events_are_found_under_any_name_and_in_the_inbox() -> None:
    server = Canaries()
    trial = server.trial()
    assert trial.held((UID, OTHER)) == {}
    server.items["theirs.ics"] = event(UID)
    server.items["another.ics"] = event("another")
    first = trial.held((UID, OTHER))
    assert set(first) == {UID}
    server.items["theirs.ics"] = event(UID, "Changed")
    server.invitation["x.ics"] = event(OTHER)
    second = trial.held((UID, OTHER))
    assert set(second) == {UID, OTHER}
    assert second[UID] != first[UID], "that it was changed is seen"


def test_only_its_own_events_are_removed_and_nobody_is_told() -> None:
    server = Canaries()
    trial = server.trial()
    server.items |= {"theirs.ics": event(UID), "another.ics": event("another")}
    server.invitation |= {"x.ics": event(UID), "y.ics": event(UID, "Cancelled")}
    assert trial.withdraw((UID,)) == 3
    assert (set(server.items), server.invitation) == ({"another.ics"}, {})
    assert trial.withdraw((UID,)) == 0
    removals = [each for each in server.asked if each.method == "DELETE"]
    assert [each.headers["schedule-reply"] for each in removals] == ["F", "F", "F"]


def test_an_event_that_cannot_be_removed_is_told() -> None:
    server = Canaries()
    server.items["theirs.ics"] = event(UID)
    trial, usual = server.trial(), server.odd
    server.hook = lambda request: denied(403) if request.method == "DELETE" else usual(request)
    with pytest.raises(AccessDenied, match="remove an event of the canary"):
        trial.withdraw((UID,))


@pytest.mark.parametrize(("place", "other"), [(WORK, False), (OURS, True), (OURS, False)])
def test_only_the_calendar_that_we_made_is_removed_and_only_when_it_is_empty(place: str, *, other: bool) -> None:
    server = Canaries(place=place)
    server.items = {"theirs.ics": event(UID), **({"another.ics": event("another")} if other else {})}
    server.trial().withdraw((UID,))
    assert (f"DELETE {place}" in server.methods("DELETE")) is (place == OURS and not other)
