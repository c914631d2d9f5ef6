"""Listings and bodies, with everything that servers leave out."""

from __future__ import annotations

import httpx
import pytest

from tests.connectors.dav.scripted import (
    CALENDAR,
    CONTACTS,
    HOME,
    WORK,
    Scripted,
    card,
    event,
    multistatus,
    response,
    todo,
)
from xdmigrate.errors import FolderUnusable, ItemRefused, Throttled
from xdmigrate.model import Folder, Item, Kind
from xdmigrate_dav import listing, names, reading
from xdmigrate_dav.auditor import DavAuditor
from xdmigrate_dav.reading import Reader
from xdmigrate_dav.source import DavSource

TASKS = Folder(("Work",), Kind.TASKS, native=WORK, ref=WORK.encode())


def whole(item: Item) -> bytes:
    return item.body.spool().read()


def filled(count: int = 3) -> Scripted:
    server = Scripted()
    server.items = {f"{n}.ics": event(f"u{n}", f"Number {n}") for n in range(count)}
    return server


def test_a_calendar_with_tasks_in_it_is_two_folders() -> None:
    server = filled()
    assert [each.kind for each in DavSource(server.session()).folders()] == [Kind.CALENDAR]
    server.items["t.ics"] = todo("t")
    source = DavSource(server.session())
    calendar, tasks = source.folders()
    assert (calendar.path, calendar.count, tasks.path, tasks.count) == (("Work",), 3, ("Work",), 1)
    assert [each.ref for each in source.heads(tasks)] == [b"t.ics"]
    assert b"t.ics" not in [each.ref for each in source.heads(calendar)]
    assert source.status(tasks) == tasks


def test_one_list_tells_of_both_kinds_until_the_token_changes() -> None:
    server = filled()
    server.items["t.ics"] = todo("t")
    server.more = "<d:sync-token>one</d:sync-token>"
    source = DavSource(server.session())
    calendar, tasks = source.folders()
    assert (calendar.count, tasks.count) == (3, 1)
    assert server.methods("PROPFIND") == [f"PROPFIND {HOME}", f"PROPFIND {WORK}"]
    del server.items["0.ics"]
    server.asked.clear()
    assert [each.count for each in source.folders()] == [3, 1]  # the token says that nothing changed
    server.more = "<d:sync-token>two</d:sync-token>"
    assert [each.count for each in source.folders()] == [2, 1]
    assert server.methods("PROPFIND") == [f"PROPFIND {HOME}", f"PROPFIND {HOME}", f"PROPFIND {WORK}"]


def test_tokens_are_asked_for_only_where_they_are_looked_at() -> None:
    server = filled()
    source = DavSource(server.session())
    (calendar,) = source.folders()
    source.sharing(calendar)
    homes = [each.content for each in server.asked if (each.method, each.url.path) == ("PROPFIND", HOME)]
    assert [b"sync-token" in each for each in homes] == [True, False]


def test_of_two_tokens_the_one_that_the_server_tells_is_asked_for() -> None:
    """Radicale reads every item for each of them."""
    server = filled()
    server.more = f"<x:getctag xmlns:x='{names.SERVER}'>one</x:getctag><d:sync-token>two</d:sync-token>"
    source = DavSource(server.session())
    for _ in range(2):
        source.folders()
    asked = [each.content for each in server.asked if each.method == "PROPFIND" and b"resourcetype" in each.content]
    tokens = [(b"getctag" in each, b"sync-token" in each) for each in asked]
    assert tokens == [(True, True), (True, False), (True, False)]


def test_a_token_outlives_lists_without_one_only_if_they_are_the_same() -> None:
    server = filled()
    server.more = "<d:sync-token>one</d:sync-token>"
    source = DavSource(server.session())
    (calendar,) = source.folders()
    server.asked.clear()
    list(source.heads(calendar))
    assert b"sync-token" not in server.asked[-1].content
    source.folders()
    assert server.methods("PROPFIND")[-2:] == [f"PROPFIND {WORK}", f"PROPFIND {HOME}"]  # the token is believed
    del server.items["0.ics"]
    server.more = ""
    list(source.heads(calendar))
    server.more = "<d:sync-token>one</d:sync-token>"
    assert [each.count for each in source.folders()] == [2]  # what was listed last is not what the token was told with


def test_the_state_is_of_the_whole_list() -> None:
    """A token that lies is believed by nobody: there is none in it."""
    server = filled()
    server.more = "<d:sync-token>always-the-same</d:sync-token>"
    states = [DavSource(server.session()).folders()[0].state]
    server.items["1.ics"] = event("u1", "Changed")
    states.append(DavSource(server.session()).folders()[0].state)
    del server.items["0.ics"]
    states.append(DavSource(server.session()).folders()[0].state)
    assert len(set(states)) == 3
    assert all(states)


def test_status_is_of_now_whatever_the_token_says() -> None:
    server = filled()
    server.more = "<d:sync-token>always-the-same</d:sync-token>"
    source = DavSource(server.session())
    (before,) = source.folders()
    server.items["new.ics"] = event("new")
    assert source.status(before).count == 4


def test_every_cursor_gets_the_whole_list() -> None:
    source = DavSource(filled().session())
    for cursor in (b"", b"1:x", b"http://sogo/sync/0"):
        told = source.changes(CALENDAR, cursor)
        assert told.complete
        assert [each.ref for each in told.heads] == [b"0.ics", b"1.ics", b"2.ics"]


def test_without_etags_something_else_is_the_version() -> None:
    stamp = (
        "<d:getlastmodified>Sun, 22 Nov 2026 12:00:00 GMT</d:getlastmodified><d:getcontentlength>5</d:getcontentlength>"
    )
    server = Scripted(contacts=True, hook=lambda request: _listing(request, response(WORK + "a.vcf", stamp)))
    (head,) = DavSource(server.session()).heads(CONTACTS)
    assert head.version.startswith(b"~Sun")
    server.hook = lambda request: _listing(
        request, response(WORK + "a.vcf", "<d:getcontentlength>5</d:getcontentlength>")
    )
    session = server.session()
    assert session.listing(CONTACTS).state == b""


def test_odd_members_of_a_listing_are_passed_over() -> None:
    answers = (
        response(f"http://127.0.0.1:8008{WORK}", "<d:displayname>Work</d:displayname>"),
        response("http://proxy:1/elsewhere/foreign.vcf", "<d:getetag>x</d:getetag>"),
        response("%zz", "<d:getetag>x</d:getetag>"),
        response(WORK + "deep/er.vcf", "<d:getetag>x</d:getetag>"),
        response(WORK + "inner", "<d:getetag>x</d:getetag><d:resourcetype><d:collection/></d:resourcetype>"),
        response(WORK + "inner/", "<d:resourcetype><d:collection/></d:resourcetype>"),
        f"<d:response><d:href>{WORK}went.vcf</d:href><d:status>HTTP/1.1 410 Gone</d:status></d:response>",
        response(WORK + "gone.vcf", "<d:getetag/>", status="404 Not Found"),
        response("./b%20%C3%BC.vcf", '<d:getetag>"2"</d:getetag>'),
        response(
            f"http://127.0.0.1{WORK}a.vcf",
            '<d:getetag>"1"</d:getetag><d:getcontentlength>x</d:getcontentlength>',
        ),
    )
    server = Scripted(contacts=True, hook=lambda request: _listing(request, *answers))
    heads = list(DavSource(server.session()).heads(CONTACTS))
    assert [(each.ref, each.version, each.size) for each in heads] == [
        (b"%zz", b"x", 0),
        (b"a.vcf", b'"1"', 0),
        ("b ü.vcf".encode(), b'"2"', 0),
    ]


def test_a_list_under_the_name_that_the_server_has_behind_a_proxy_is_believed() -> None:
    """It was taken for an empty one."""
    answers = (
        response(f"http://inside:8080{WORK}", "<d:displayname>Work</d:displayname>"),
        response(f"http://inside:8080{WORK}a.vcf", '<d:getetag>"1"</d:getetag>'),
        f"<d:response><d:href>{WORK}b.vcf</d:href><d:status>HTTP/1.1 403 Forbidden</d:status></d:response>",
    )
    server = Scripted(contacts=True, hook=lambda request: _listing(request, *answers))
    assert [each.ref for each in DavSource(server.session()).heads(CONTACTS)] == [b"a.vcf", b"b.vcf"]
    assert {each.url.host for each in server.asked} == {"127.0.0.1"}


@pytest.mark.parametrize("where", ["/DAV/ann/work/", "/other/", "//inside/other/"])
def test_a_list_of_something_else_is_not_believed(where: str) -> None:
    """It was taken for an empty one."""
    answers = (
        response(where, "<d:displayname>Work</d:displayname>"),
        response(where + "a.vcf", "<d:getetag>1</d:getetag>"),
    )
    server = Scripted(contacts=True, hook=lambda request: _listing(request, *answers))
    with pytest.raises(FolderUnusable, match="something else"):
        server.session().listing(CONTACTS)


CUT = f"<d:response><d:href>{WORK}</d:href><d:status>HTTP/1.1 507 Insufficient Storage</d:status></d:response>"
GONE = f"<d:response><d:href>{WORK}a.vcf</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>"


@pytest.mark.parametrize(
    "first", [httpx.Response(507), multistatus(response(WORK + "a.vcf", "<d:getetag>1</d:getetag>"), CUT)]
)
def test_a_list_that_is_cut_short_is_asked_for_by_pages(first: httpx.Response) -> None:
    """RFC 6578 section 3.6. What was on one page and goes before the next is gone."""
    pages = {
        b"<d:sync-token/>": multistatus(
            response(WORK + "a.vcf", '<d:getetag>"1"</d:getetag>'),
            response(WORK + "c.vcf", '<d:getetag>"3"</d:getetag>'),
            CUT,
            token="p1",
        ),
        b">p1<": multistatus(response(WORK + "b.vcf", '<d:getetag>"2"</d:getetag>'), GONE, CUT, token="p2"),
        b">p2<": multistatus(token="p3"),
    }

    def hook(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != WORK:
            return None
        if request.method == "PROPFIND":
            return first
        return next(page for mark, page in reversed(pages.items()) if mark in request.content)

    server = Scripted(contacts=True, hook=hook)
    listing = server.session().listing(CONTACTS)
    assert {ref: head.version for ref, head in listing.heads.items()} == {b"b.vcf": b'"2"', b"c.vcf": b'"3"'}
    assert listing.token == "p3"
    assert not any(b"limit" in each.content for each in server.asked)


def test_pages_without_an_end_are_left() -> None:
    again = multistatus(response(WORK + "a.vcf", "<d:getetag>1</d:getetag>"), CUT, token="p1")
    server = Scripted(contacts=True, hook=lambda request: again if request.url.path == WORK else None)
    with pytest.raises(FolderUnusable, match="cuts the list short"):
        server.session().listing(CONTACTS)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(507), FolderUnusable),
        (
            multistatus(CUT),
            FolderUnusable,
        ),
        (httpx.Response(404), FolderUnusable),
        (httpx.Response(429, headers={"retry-after": "9"}), Throttled),
        (httpx.Response(200, html="<html/>"), FolderUnusable),
        (httpx.Response(207, content=b"<!DOCTYPE a []><a/>"), FolderUnusable),
    ],
)
def test_a_list_that_is_not_whole_is_never_believed(answer: httpx.Response, kind: type[Exception]) -> None:
    server = Scripted(hook=lambda request: answer if request.url.path == WORK else None)
    with pytest.raises(kind):
        list(DavSource(server.session()).heads(CALENDAR))


def test_items_are_read_together() -> None:
    server = filled(120)
    source = DavSource(server.session())
    read = {each.head.ref: each for each in source.read(CALENDAR, [f"{n}.ics".encode() for n in range(120)])}
    assert {ref.decode(): whole(each) for ref, each in read.items()} == server.items
    assert all(each.head.version.startswith(b'"') and each.kind is Kind.CALENDAR for each in read.values())
    assert len(server.methods("REPORT")) == 3
    assert server.methods("GET") == []


def test_what_is_gone_is_left_out() -> None:
    source = DavSource(filled().session())
    assert [each.head.ref for each in source.read(CALENDAR, [b"0.ics", b"gone.ics", b"2.ics"])] == [b"0.ics", b"2.ics"]
    assert list(source.read(CALENDAR, [b"gone.ics"])) == []
    assert list(source.read(CALENDAR, [])) == []


def test_what_an_answer_leaves_out_is_asked_for_by_itself() -> None:
    """207 with errors for some, and nothing at all about others."""
    server = filled(4)

    def partly(request: httpx.Request) -> httpx.Response | None:
        if request.method != "REPORT":
            return None
        return multistatus(
            response(WORK + "0.ics", f"<c:calendar-data>{server.items['0.ics'].decode()}</c:calendar-data>"),
            response(WORK + "1.ics", "<c:calendar-data/>", status="500 Internal Server Error"),
            f"<d:response><d:href>{WORK}2.ics</d:href><d:status>HTTP/1.1 500 X</d:status></d:response>",
        )

    server.hook = partly
    read = list(DavSource(server.session()).read(CALENDAR, [f"{n}.ics".encode() for n in range(4)]))
    assert [whole(each) for each in read] == list(server.items.values())
    assert server.methods("GET") == [f"GET {WORK}{n}.ics" for n in (1, 2, 3)]


@pytest.mark.parametrize("answer", [httpx.Response(403), httpx.Response(500), httpx.Response(207, content=b"\x00<")])
def test_a_server_without_multiget_is_asked_one_by_one(answer: httpx.Response) -> None:
    server = filled()
    server.hook = lambda request: answer if request.method == "REPORT" else None
    assert len(list(DavSource(server.session()).read(CALENDAR, [b"0.ics", b"1.ics", b"2.ics"]))) == 3


def test_a_poison_item_comes_with_a_body_that_says_so() -> None:
    server = filled()
    server.hook = lambda request: (
        httpx.Response(500) if request.method == "REPORT" or request.url.path.endswith("1.ics") else None
    )
    first, bad, last = DavSource(server.session()).read(CALENDAR, [b"0.ics", b"1.ics", b"2.ics"])
    assert (whole(first), whole(last)) == (server.items["0.ics"], server.items["2.ics"])
    with pytest.raises(ItemRefused) as told:
        bad.body.spool()
    assert told.value.reason == "unreadable"
    assert "Number" not in str(told.value)


def test_a_server_that_asks_to_wait_is_not_asked_one_by_one() -> None:
    server = filled()
    server.hook = lambda request: httpx.Response(503) if request.method == "REPORT" else None
    with pytest.raises(Throttled):
        list(DavSource(server.session()).read(CALENDAR, [b"0.ics", b"1.ics"]))


def test_memory_is_bounded_by_asking_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 4000)
    server = Scripted()
    server.items = {f"{n}.ics": event(f"u{n}", "x" * (3000 if n == 5 else 200)) for n in range(20)}
    read = list(DavSource(server.session()).read(CALENDAR, [name.encode() for name in server.items]))
    assert {each.head.ref.decode(): whole(each) for each in read} == server.items
    monkeypatch.setattr(reading, "LARGEST_ITEM", 1000)
    with pytest.raises(ItemRefused, match="larger than"):
        [whole(each) for each in DavSource(server.session()).read(CALENDAR, [b"5.ics"])]


@pytest.mark.parametrize(("versions", "asked"), [(frozenset({"3.0", "4.0"}), True), (frozenset({"3.0"}), False)])
def test_version_4_is_asked_for_where_it_is_offered(versions: frozenset[str], *, asked: bool) -> None:
    server = Scripted(contacts=True)
    server.items = {"a.vcf": card("a"), "b.vcf": card("b")}
    reader = Reader(server.session().client, CONTACTS, versions)
    assert len(list(reader.read([b"a.vcf", b"b.vcf"]))) == 2
    assert reader.one(b"a.vcf") is not None
    report, get = server.asked
    assert (b'version="4.0"' in report.content) is asked
    assert ("version=4.0" in get.headers["accept"]) is asked


def test_the_auditor_asks_for_single_items_by_themselves() -> None:
    server = filled()
    auditor = DavAuditor(server.session())
    assert dict(auditor.whole(CALENDAR, [b"0.ics"])) == {b"0.ics": server.items["0.ics"]}
    assert [each.size for each in auditor.inspect(CALENDAR, [b"1.ics"])] == [len(server.items["1.ics"])]
    assert b"".join(auditor.chunks(CALENDAR, b"2.ics")) == server.items["2.ics"]
    assert server.methods("REPORT") == []


def test_the_auditor_compares_one_item_of_each_report() -> None:
    server = Scripted()
    server.items |= {f"{number:03}.ics": event(f"u{number}") for number in range(120)}
    wanted = {name.encode(): data for name, data in server.items.items()}
    auditor = DavAuditor(server.session())
    assert dict(auditor.whole(CALENDAR, [*wanted, b"gone.ics", b"000.ics"])) == wanted
    assert len(server.methods("REPORT")) == 3
    assert [each.rpartition("/")[2] for each in server.methods("GET")] == ["000.ics", "050.ics", "100.ics"]


def test_the_auditor_believes_no_report_after_one_that_said_something_else() -> None:
    def lying(request: httpx.Request) -> httpx.Response | None:
        if request.method != "REPORT":
            return None
        return multistatus(
            *(
                response(f"{WORK}{number}.ics", f"<d:getetag>x</d:getetag><c:calendar-data>{told}</c:calendar-data>")
                for number in range(3)
            )
        )

    told = event("u0", "Something else").decode()
    server = filled()
    server.hook = lying
    auditor = DavAuditor(server.session())
    refs = [name.encode() for name in server.items]
    for _ in range(2):
        assert dict(auditor.whole(CALENDAR, refs)) == {ref: server.items[ref.decode()] for ref in refs}
    assert len(server.methods("REPORT")) == 1


@pytest.mark.parametrize("first", [b"gone.ics", b"0.ics"])
def test_an_item_that_is_gone_makes_no_report_doubtful(first: bytes) -> None:
    server = filled()
    auditor = DavAuditor(server.session())
    assert dict(auditor.whole(CALENDAR, [first, b"1.ics", b"2.ics"])).keys() >= {b"1.ics", b"2.ics"}
    list(auditor.whole(CALENDAR, [b"1.ics", b"2.ics"]))
    assert len(server.methods("REPORT")) == 2


def test_a_folder_that_is_gone_is_unusable() -> None:
    source = DavSource(filled().session())
    with pytest.raises(FolderUnusable, match="gone"):
        source.status(Folder(("Gone",), Kind.CALENDAR, native=HOME + "gone/"))


def _listing(request: httpx.Request, *answers: str) -> httpx.Response | None:
    return multistatus(*answers) if request.method == "PROPFIND" and request.url.path == WORK else None


@pytest.mark.parametrize(
    ("version", "strong"),
    [
        (b'"a"', True),
        (b'""', True),
        (b'W/"a"', False),
        (b"a", False),
        (b"", False),
        (b'"\xc3\xbc"', False),
        (b'"a\n"', False),
    ],
)
def test_what_a_write_can_be_made_conditional_on(version: bytes, *, strong: bool) -> None:
    """A header holds no letters beyond ASCII: such an ETag kept its whole folder from being written."""
    assert listing.is_strong(version) is strong
