"""Whole passes between servers that answer oddly: one item never keeps the others waiting, and none is lost unheard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from tests.connectors.dav.between import Between
from tests.connectors.dav.scripted import HOME, WORK, Hook, Scripted, etag, event, multistatus, response
from xdmigrate.engine.advance import Verdict as Step
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Kind
from xdmigrate.report.verdicts import Verdict
from xdmigrate_state import journal

GONE = httpx.RemoteProtocolError("Server disconnected without sending a response.")


def filled(home: Path, count: int = 5) -> Between:
    world = Between(home)
    world.here.items = {f"{number}.ics": event(f"u{number}", f"Number {number}") for number in range(count)}
    return world


def listing(server: Scripted, *more: str, broken: str = "") -> Hook:
    """Lists the items, `broken` as one of which the server can tell nothing."""

    def hook(request: httpx.Request) -> httpx.Response | None:
        if (request.method, request.url.path) != ("PROPFIND", WORK):
            return None
        itself = response(WORK, f"<d:resourcetype>{server.types}</d:resourcetype>")
        return multistatus(itself, *(one(*each) for each in server.items.items()), *more)

    def one(name: str, data: bytes) -> str:
        facts = f"<d:getetag>{etag(data)}</d:getetag><d:resourcetype/>"
        return response(WORK + name, facts, status="500 Internal Server Error" if name == broken else "200 OK")

    return hook


def other_etag(told: str) -> Callable[[httpx.Response], None]:
    def change(answer: httpx.Response) -> None:
        if told:
            answer.headers["etag"] = told.format(answer.headers["etag"].strip('"'))
        else:
            del answer.headers["etag"]

    return change


@pytest.mark.parametrize("told", ["", 'W/"{}"', '"{}-gzip"'], ids=["none", "weak", "packed"])
def test_a_body_may_come_with_another_etag_than_the_list_has(tmp_path: Path, told: str) -> None:
    """As behind proxies that pack it. It was taken for somebody's change of the copy."""
    world, change = filled(tmp_path, 1), other_etag(told)

    def hook(request: httpx.Request) -> httpx.Response | None:
        if request.method not in ("GET", "PUT"):
            return None
        answer = world.there.ordinary(request)
        if request.method == "PUT" and answer.is_success:
            answer.headers["etag"] = '"of what was sent"'
        elif answer.is_success:
            change(answer)
        return answer

    world.there.hook = hook
    for summary in ("Number 0", "once more", "and again"):
        world.here.items["0.ics"] = event("u0", summary)
        world.sync()
        assert world.outcomes() == {"0.ics": "copied"}
        assert world.said(world.there) == world.said(world.here)
    assert world.puts() == 3
    assert world.audited().verdict is Verdict.PASS


def failing(how: int | None, name: str = "") -> Callable[[httpx.Request], httpx.Response | None]:
    """Fails over the item `u2`: with this status, or by ending the connection."""

    def hook(request: httpx.Request) -> httpx.Response | None:
        about = request.method == "PUT" and b"UID:u2" in request.content
        about = about or (request.method == "GET" and request.url.path.endswith("/2.ics"))
        about = about or (request.method == "REPORT" and b"/2.ics" in request.content)
        if about and how is None:
            raise GONE
        return httpx.Response(how) if about and how is not None else None

    return hook


@pytest.mark.parametrize("how", [None, 502, 423])
def test_an_item_over_which_the_target_fails_keeps_no_other_waiting(tmp_path: Path, how: int | None) -> None:
    """It was tried for half an hour, and then the server was given up, for all mailboxes."""
    world = filled(tmp_path)
    world.there.hook = failing(how)
    world.sync(attempts=1)
    assert world.outcomes() == {f"{n}.ics": "refused" if n == 2 else "copied" for n in range(5)}
    world.there.hook = None
    world.retry_quarantine()
    world.sync(attempts=1)
    assert world.audited().verdict is Verdict.PASS


@pytest.mark.parametrize("how", [None, 502])
def test_an_item_over_which_the_source_fails_keeps_no_other_waiting(tmp_path: Path, how: int | None) -> None:
    world = filled(tmp_path)
    world.here.hook = failing(how)
    world.sync(attempts=1)
    assert world.outcomes() == {f"{n}.ics": "unreadable" if n == 2 else "copied" for n in range(5)}
    world.here.hook = None
    world.retry_quarantine()
    world.sync(attempts=1)
    assert world.audited().verdict is Verdict.PASS


def test_what_is_listed_and_never_given_is_told(tmp_path: Path) -> None:
    """It stayed pending for ever, and no command said why."""
    world = filled(tmp_path, 2)
    world.here.hook = listing(world.here, response(WORK + "ghost.ics", '<d:getetag>"1"</d:getetag>'))
    world.sync()
    assert world.outcomes() == {"0.ics": "copied", "1.ics": "copied", "ghost.ics": "unreadable"}
    counts = world.audited().kinds[Kind.CALENDAR]
    assert (counts.verified, counts.failed, counts.missing) == (2, 1, 0)


def test_what_a_list_cannot_tell_of_now_is_there_all_the_same(tmp_path: Path) -> None:
    """It was left out, and in mirror mode its copy was removed."""
    world = filled(tmp_path, 3)
    world.policy = Policy(Scope(), mirror=True)
    for broken in ("1.ics", "", "2.ics", ""):
        world.here.hook = listing(world.here, broken=broken)
        world.sync()
        assert list(world.outcomes().values()) == ["copied"] * 3
        assert len(world.there.items) == 3
    assert world.there.methods("DELETE") == []
    assert world.audited().verdict is Verdict.PASS


BROKEN = HOME + "broken/"


@pytest.mark.parametrize("status", [403, 500])
def test_a_calendar_that_cannot_be_listed_can_be_excluded(tmp_path: Path, status: int) -> None:
    """It was listed all the same, so that the account could not be migrated at all."""
    world = filled(tmp_path)
    calendar = f"<d:resourcetype>{world.here.types}</d:resourcetype><d:displayname>%s</d:displayname>"
    empty = multistatus(response(BROKEN, calendar % "Broken"))
    answers = {BROKEN: httpx.Response(status)}

    def two(listed: Mapping[str, httpx.Response]) -> Hook:
        def hook(request: httpx.Request) -> httpx.Response | None:
            if (request.method, request.url.path) == ("PROPFIND", HOME):
                return multistatus(response(WORK, calendar % "Work"), response(BROKEN, calendar % "Broken"))
            if (request.method, request.url.path) == ("REPORT", BROKEN):  # which of them are tasks
                return multistatus()
            return listed.get(request.url.path)

        return hook

    world.here.hook, world.there.hook = two(answers), two({BROKEN: empty})
    step = world.step()
    while step.verdict is Step.RETRY_AT:
        step = world.step()
    assert step.verdict is Step.ATTENTION
    assert isinstance(step.error, FolderUnusable)
    assert "Broken" in step.error.message
    assert "scope.folders" in step.error.remedy
    assert world.puts() == 0

    world.policy = Policy(Scope(exclude=("Broken",)))
    world.sync()
    assert set(world.outcomes().values()) == {"copied"}
    assert world.audited().verdict is Verdict.PASS
    [told] = [each for each in world.db.read(lambda c: journal.show(c, world.plan_id)) if each.event == "unread"]
    assert str(status) in str(told.facts)

    late = response(BROKEN + "late.ics", "<d:getetag>1</d:getetag><d:resourcetype/>")
    answers[BROKEN] = multistatus(response(BROKEN, calendar % "Broken"), late)
    world.sync()
    assert world.outcomes() == {**{f"{n}.ics": "copied" for n in range(5)}, "late.ics": "filtered"}
