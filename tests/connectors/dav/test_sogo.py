"""The ways of SOGo, scripted: how it is known, and what is done otherwise there."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from tests.connectors.dav.scripted import CALENDAR, HOME, LOGIN, WORK, Scripted, event, multistatus, response
from xdmigrate.contract import CHANGED_THERE, Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied
from xdmigrate.formats import ical
from xdmigrate.model import Head, HeldBody, Item, Kind, Sharing
from xdmigrate_dav.check import findings
from xdmigrate_dav.creating import segment
from xdmigrate_dav.invitations import Step
from xdmigrate_dav.notes import COLOUR
from xdmigrate_dav.settings import Scheduling
from xdmigrate_dav.source import DavSource
from xdmigrate_dav.target import DavTarget

POWERS = "1, 2, calendar-access, calendar-schedule, calendar-auto-schedule"
OWN = '<x:admin xmlns:x="urn:inverse:params:xml:ns:inverse-dav"/>'
PEOPLE = "ORGANIZER:mailto:ann@x.example\r\nATTENDEE:mailto:bob@x.example\r\n"
PAST = event("past", more=PEOPLE).replace(b":2037", b":2019")


def sogo(powers: str = POWERS) -> Scripted:
    """A server that tells of itself what SOGo tells."""
    server = Scripted(powers=powers)
    privileges = f"<d:privilege><d:all/></d:privilege><d:privilege>{OWN}</d:privilege>"
    server.more = (
        f"<d:current-user-privilege-set>{privileges}</d:current-user-privilege-set><d:sync-token>7</d:sync-token>"
    )
    return server


def write(server: Scripted, data: bytes, over: Head | None = None, *, scheduling: str = "") -> Receipt:
    target = DavTarget(server.session(Scheduling(scheduling)))
    with target.writer(CALENDAR, Intent(1, 1, 0)) as writer:
        writer.put(0, Item(Head(b"1", len(data)), HeldBody(data), Kind.CALENDAR), over)
        (receipt,) = writer.flush()
    return receipt


@pytest.mark.parametrize("scheduling", list(Scheduling))
@pytest.mark.parametrize("data", [PAST, event("next", more=PEOPLE)], ids=["past", "next"])
def test_whatever_the_plan_says_nobody_stands_in_an_event(scheduling: Scheduling, data: bytes) -> None:
    server = sogo()
    assert isinstance(write(server, data, scheduling=scheduling), Stored)
    (written,) = server.items.values()
    found = ical.outline(written)
    assert (found.organizer, found.attendees) == ("", ())
    assert b"bob@x.example" in written
    session = server.session(scheduling)
    assert session.step is Step.STRIP_ALL
    assert "calendars" in DavTarget(session).features.rewrites
    (told,) = [each for each in findings(session, LOGIN, writable=True) if each.topic == "invitations"]
    assert (told.names, told.remedy) == (("strip-all",), "")


def test_one_that_does_not_schedule_is_like_every_other() -> None:
    server = sogo("1, calendar-access")
    assert isinstance(write(server, PAST), Stored)
    assert ical.outline(next(iter(server.items.values()))).attendees == ("bob@x.example",)


@pytest.mark.parametrize("more", ["", PEOPLE])
def test_an_event_without_a_start_is_not_put_on_the_day_of_the_migration(more: str) -> None:
    server = sogo()
    lines = event("one", more=more).split(b"\r\n")
    told = write(server, b"\r\n".join(line for line in lines if not line.startswith((b"DTSTART", b"DTEND"))))
    assert isinstance(told, Refused)
    assert told.reason == "no-start"
    assert server.items == {}


def test_a_journal_for_which_there_is_no_place_is_told() -> None:
    server = sogo()
    server.more += (
        '<c:supported-calendar-component-set><c:comp name="VEVENT"/><c:comp name="VTODO"/>'
        "</c:supported-calendar-component-set>"
    )
    server.hook = lambda request: httpx.Response(404) if request.method == "PUT" else None
    told = write(server, event("one").replace(b"VEVENT", b"VJOURNAL").replace(b"DTEND:20370102T110000Z\r\n", b""))
    assert told == Refused(0, "refused", "404; the calendar takes no VJOURNAL")


def test_an_event_of_the_past_with_people_is_not_removed() -> None:
    """It would be taken out of their calendars."""
    server = sogo()
    server.items = {"past.ics": PAST, "alone.ics": event("alone")}
    target = DavTarget(server.session(Scheduling.OFF))
    with pytest.raises(AccessDenied):
        target.remove(CALENDAR, [b"past.ics"])
    target.remove(CALENDAR, [b"alone.ics"])
    assert list(server.items) == ["past.ics"]


@pytest.mark.parametrize(
    ("powers", "there"), [(POWERS, PAST), (POWERS, event("past", more=PEOPLE)), ("1, calendar-access", PAST)]
)
def test_what_was_there_with_people_is_not_replaced_by_one_without(powers: str, there: bytes) -> None:
    """They would lose it."""
    server = sogo(powers)
    server.items = {"past.ics": there}
    (head,) = DavSource(server.session()).heads(CALENDAR)
    told = write(server, there.replace(b"Lunch", b"Dinner"), head)
    if powers == POWERS:
        assert isinstance(told, Refused)
        assert told.reason == "would-notify"
        assert "x.example" not in told.detail
        assert server.items == {"past.ics": there}
    else:
        assert isinstance(told, Stored)


def test_a_token_that_counts_seconds_is_not_believed() -> None:
    """Two changes in one second have the same."""
    server = sogo()
    source = DavSource(server.session())
    assert source.folders()[0].count == 0
    server.items["one.ics"] = event("one")
    assert source.folders()[0].count == 1


def test_a_list_for_tasks_is_one_although_it_takes_events() -> None:
    """As it was made: nothing else tells what it is for."""
    server, made = sogo(), f"{HOME}{segment('To do', Kind.TASKS)}/"
    listed = multistatus(
        response(WORK, f"<d:resourcetype>{server.types}</d:resourcetype>"),
        response(made, f"<d:resourcetype>{server.types}</d:resourcetype><d:displayname>To do</d:displayname>"),
    )
    empty = multistatus(response(made, f"<d:resourcetype>{server.types}</d:resourcetype>"))
    server.hook = lambda request: {HOME: listed, made: empty}.get(request.url.path)
    kinds = {each.path[-1]: each.kind for each in DavSource(server.session()).folders()}
    assert kinds == {"work": Kind.CALENDAR, "To do": Kind.TASKS}
    names = {(each.name, each.kind): (each.is_beside, each.collection.path) for each in server.session().listed()}
    assert names == {
        ("work", Kind.CALENDAR): (False, WORK),
        ("work", Kind.TASKS): (False, WORK),  # not of our making: it has place for both
        ("To do", Kind.TASKS): (False, made),
        ("To do", Kind.CALENDAR): (True, made),
    }


@pytest.mark.parametrize("named", ["", "/{address}/"])
def test_names_are_told_to_an_administrator_with_their_owner(named: str) -> None:
    server = sogo()
    server.more += "<d:displayname>Team (new) (Ann Other &lt;ann@x.example&gt;)</d:displayname>"
    session = server.session()
    session.settings = replace(session.settings, principal=named)
    assert [each.name for each in session.collections()] == [
        "Team (new)" if named else "Team (new) (Ann Other <ann@x.example>)"
    ]


def test_what_is_gone_is_not_made_anew() -> None:
    def careless(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.removeprefix(WORK) not in server.items:
            request.headers.pop("if-match", None)
        return None

    server = sogo()
    stored = write(server, event("one"))
    assert isinstance(stored, Stored)
    over = Head(stored.ref, 0, version=stored.version)
    server.hook = careless
    assert isinstance(write(server, event("one", "Dinner"), over), Stored)
    server.items.clear()
    late = write(server, event("one"), over)
    assert isinstance(late, Refused)
    assert late.reason == CHANGED_THERE
    assert server.items == {}


def test_a_colour_is_spelled_as_the_server_wants_it() -> None:
    asked: list[bytes] = []

    def particular(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PROPPATCH":
            return None
        asked.append(request.content)
        if b"FF<" not in request.content:
            return httpx.Response(400)
        return multistatus(response(WORK, '<i:calendar-color xmlns:i="http://apple.com/ns/ical/"/>'))

    server = sogo()
    server.hook = particular
    target = DavTarget(server.session())
    assert target.share(CALENDAR, Sharing(notes={COLOUR: b"#aa0011"})) == []
    assert len(asked) == 2
    server.more += '<i:calendar-color xmlns:i="http://apple.com/ns/ical/">#AA0011FF</i:calendar-color>'
    assert target.sharing(CALENDAR).notes == {COLOUR: b"#AA0011"}
    assert len(target.share(CALENDAR, Sharing(notes={COLOUR: b"red"}))) == 1


def test_no_connection_is_used_twice_where_each_is_ended() -> None:
    """It does not say so with every answer: then the next request would come too late."""

    def ending(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PROPFIND":
            return None
        return httpx.Response(207, content=multistatus(response(HOME)).content, headers={"connection": "close"})

    server = Scripted(hook=ending)
    client = server.session().client
    for _ in range(3):
        client.request("PROPFIND", HOME)
    client.request("OPTIONS", HOME)
    assert [each.headers["connection"] for each in server.asked] == ["keep-alive", "keep-alive", "close", "close"]


def test_it_gets_no_name_that_it_would_write_in_halves() -> None:
    """Its list of calendars would be no XML any more, and most clients could read none of them."""
    target = DavTarget(sogo().session())
    target.folders()
    smiling, wide = ("A smile \N{GRINNING FACE}",), ("\uffee",)
    assert target.refuses([smiling, wide]) == {smiling}
    other = DavTarget(Scripted().session())
    other.folders()
    assert other.refuses([smiling, wide]) == set()
