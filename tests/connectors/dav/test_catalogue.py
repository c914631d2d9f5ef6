"""Collections as folders, and what `check` says about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.dav.scripted import HOME, LOGIN, WORK, Scripted, multistatus, response
from xdmigrate.contract import Finding
from xdmigrate.errors import LoginRejected, Throttled
from xdmigrate.model import Kind
from xdmigrate_dav import check
from xdmigrate_dav.catalogue import Collection, listed
from xdmigrate_dav.invitations import Step
from xdmigrate_dav.settings import Scheduling

CALENDAR = "<d:resourcetype><d:collection/><c:calendar/>{}</d:resourcetype><d:displayname>{}</d:displayname>{}"
BOOK = "<d:resourcetype><d:collection/><a:addressbook/></d:resourcetype><d:displayname>{}</d:displayname>{}"
ONLY = '<c:supported-calendar-component-set><c:comp name="{}"/></c:supported-calendar-component-set>'
MINE, BOBS = (f"<d:owner><d:href>{path}</d:href></d:owner>" for path in ("/dav/principals/ANN", "/dav/bob/"))
BUSY = "<d:current-user-privilege-set><d:privilege><c:read-free-busy/></d:privilege></d:current-user-privilege-set>"
READ = "<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>"


def home(*answers: str, powers: str = "1") -> Scripted:
    def hook(request: httpx.Request) -> httpx.Response | None:
        whole = (response(HOME, "<d:resourcetype><d:collection/></d:resourcetype>"), *answers)
        return multistatus(*whole) if request.method == "PROPFIND" and request.url.path == HOME else None

    return Scripted(hook=hook, powers=powers)


def test_what_a_home_holds() -> None:
    server = home(
        response(HOME + "a/", CALENDAR.format("", "Work", ONLY.format("VEVENT") + MINE)),
        response(HOME + "b/", CALENDAR.format("", "Work", ONLY.format("VTODO"))),
        response(HOME + "c", CALENDAR.format("", "Work", ONLY.format("VJOURNAL"))),
        response(HOME + "d/", BOOK.format("", "")),
        response(HOME + "inbox/", "<d:resourcetype><d:collection/><c:schedule-inbox/></d:resourcetype>"),
        response(HOME + "e/", CALENDAR.format('<s:subscribed xmlns:s="http://calendarserver.org/ns/"/>', "Web", "")),
        response(HOME + "f/", CALENDAR.format("", "Bob", BOBS)),
        response(HOME + "x/", CALENDAR.format('<n:deleted-calendar xmlns:n="http://nextcloud.com/ns"/>', "Old", "")),
        response(HOME + "contact_birthdays/", CALENDAR.format("", "Birthdays", "")),
        response("https://evil.example/g/", CALENDAR.format("", "Evil", "")),
    )
    session = server.session()
    assert [(one.name, one.kind, one.collection.path) for one in session.listed()] == [
        ("Work", Kind.CALENDAR, HOME + "a/"),
        ("Work", Kind.TASKS, HOME + "b/"),
        ("Work (c)", Kind.CALENDAR, HOME + "c/"),
        ("d", Kind.CONTACTS, HOME + "d/"),
    ]
    told = sorted(each.left_out for each in session.collections() if each.left_out)
    assert told == ["a subscription", "another user's", "in the trash", "made of the contacts"]


PATHS = st.lists(st.sampled_from([f"/h/{name}/" for name in ("a", "b", "c", "a (b)", "ab")]), unique=True)


@given(PATHS, st.lists(st.sampled_from(["Work", "Work (a)", "Work (b)", "Home"]), min_size=5, max_size=5), st.randoms())
def test_names_are_unique_and_the_same_in_any_order(paths: list[str], names: list[str], chance: object) -> None:
    made = [Collection(path, name, contacts=False) for path, name in zip(paths, names, strict=False)]
    made = [
        Collection(each.path, each.name, contacts=False, components=frozenset({"VEVENT", "VTODO"})) for each in made
    ]
    found = {(one.kind, one.name): one.collection.path for one in listed(made)}
    assert len(found) == 2 * len(made)
    chance.shuffle(made)  # type: ignore[attr-defined]
    assert {(one.kind, one.name): one.collection.path for one in listed(made)} == found


def topics(findings: Iterable[Finding], topic: str) -> list[Finding]:
    return [each for each in findings if each.topic == topic]


def test_check_tells_what_is_there_and_changes_nothing() -> None:
    server = home(
        response(HOME + "a/", CALENDAR.format("", "Work", "<c:max-resource-size>1000</c:max-resource-size>")),
        response(HOME + "b/", CALENDAR.format("", "Work", READ)),
        response(HOME + "f/", CALENDAR.format("", "Bob", BOBS)),
        powers="1, calendar-access, addressbook",
    )
    told = check.findings(server.session(), LOGIN, writable=True)
    assert all(each.ok for each in told)
    assert topics(told, "capabilities")[0].names == ("calendar-access", "addressbook")
    assert [each.amount for each in topics(told, "size-limit")] == [1000]
    texts = " | ".join(each.text for each in told)
    for words in ("calendars: 2", "1 left out: another user's", "1 can only be read", "1 names are borne by several"):
        assert words in texts
    assert {each.method for each in server.asked} <= {"PROPFIND", "OPTIONS"}
    assert "s3cret" not in repr(told)


@pytest.mark.parametrize(
    ("powers", "scheduling", "step"),
    [
        ("1, calendar-access", Scheduling.UNKNOWN, "nothing"),
        ("1, 2", Scheduling.UNKNOWN, "strip"),
        ("", Scheduling.UNKNOWN, "strip"),
        ("", Scheduling.OFF, "off"),
        ("1, calendar-auto-schedule", Scheduling.UNKNOWN, "strip"),
        ("1, Calendar-Auto-Schedule", Scheduling.OFF, "off"),
        ("1, calendar-schedule", Scheduling.SILENT, "client"),
    ],
)
def test_check_tells_which_step_a_target_gets(powers: str, scheduling: Scheduling, step: str) -> None:
    told = check.findings(home(powers=powers).session(scheduling), LOGIN, writable=True)
    (finding,) = topics(told, "invitations")
    assert finding.names == (step,)
    assert bool(finding.remedy) is (step == "strip")
    assert topics(check.findings(home(powers=powers).session(), LOGIN, writable=False), "invitations") == []


@pytest.mark.parametrize("status", [204, 400, 403, 405, 500, 501])
def test_a_server_that_does_not_speak_for_itself_may_send_invitations(status: int) -> None:
    """Proxies answer OPTIONS themselves, or forbid it."""
    server = home()
    server.hook = lambda request: httpx.Response(status) if request.method == "OPTIONS" else None
    assert server.session().step is Step.STRIP


@pytest.mark.parametrize("status", [401, 429, 502, 503, 504])
def test_what_a_server_does_with_invitations_is_asked_for_again(status: int) -> None:
    server = home()
    server.hook = lambda request: httpx.Response(status) if request.method == "OPTIONS" else None
    with pytest.raises((Throttled, LoginRejected)):
        _ = server.session().step


def test_where_there_are_no_calendars_nobody_is_invited() -> None:
    session = home(powers="1, addressbook").session()
    session.account = replace(session.account, calendars=())
    assert session.step is Step.NOTHING


def test_a_calendar_that_must_not_be_read_is_left_out() -> None:
    """Its list was refused, and with it the whole account."""
    server = home(
        response(WORK, CALENDAR.format("", "Work", READ)),
        response(HOME + "b/", CALENDAR.format("", "Bob's time", BUSY)),
    )
    session = server.session()
    assert {each.name for each in session.listed()} == {"Work"}
    told = check.findings(session, LOGIN, writable=False)
    assert "1 left out: must not be read" in " | ".join(each.text for each in told)
