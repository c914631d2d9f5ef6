"""Writing: conditional, by names of our own, and read back where the answer tells nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from tests.connectors.dav.scripted import (
    CALENDAR,
    CONTACTS,
    HOME,
    WORK,
    Scripted,
    card,
    denied,
    etag,
    event,
    multistatus,
    response,
    todo,
)
from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied, ConnectionLost, FolderUnusable, ProtocolError, QuotaExceeded, Throttled
from xdmigrate.formats import ical, vcard
from xdmigrate.model import Folder, Head, HeldBody, Item, Kind, Sharing
from xdmigrate_dav import bodies, preparing
from xdmigrate_dav.preparing import own_name
from xdmigrate_dav.settings import Scheduling
from xdmigrate_dav.target import DavTarget

LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")
PEOPLE = "ORGANIZER:mailto:ann@x.example\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@x.example\r\n"
SCHEDULING = "1, calendar-access, calendar-auto-schedule"


def write(
    server: Scripted,
    *items: bytes,
    folder: Folder = CALENDAR,
    over: Head | None = None,
    target: DavTarget | None = None,
) -> list[Receipt]:
    made = target or DavTarget(server.session())
    with made.writer(folder, Intent(1, len(items), 0)) as writer:
        for ticket, data in enumerate(items):
            writer.put(ticket, Item(Head(b"ref-%d" % ticket, len(data)), HeldBody(data), folder.kind), over)
        return writer.flush()


def name(uid: str, ending: bytes = b".ics") -> str:
    return own_name(uid, ending).decode()


def test_new_items_get_a_name_of_ours() -> None:
    server = Scripted()
    receipts = write(server, event("one"), event("an odd/UID@{x}.ics"))
    refs = [name("one"), name("an odd/UID@{x}.ics")]
    assert receipts == [Stored(n, ref.encode(), etag(server.items[ref]).encode()) for n, ref in enumerate(refs)]
    assert list(server.items) == refs
    puts = [each for each in server.asked if each.method == "PUT"]
    assert all(each.headers["if-none-match"] == "*" for each in puts)
    assert ical.digest(server.items[refs[0]]) == ical.digest(event("one"))


def test_a_second_run_writes_nothing() -> None:
    server = Scripted()
    write(server, event("one"), event("two"))
    before = dict(server.items)
    assert [type(each) for each in write(server, event("one"), event("two"))] == [Stored, Stored]
    assert server.items == before
    assert len(server.methods("PUT")) == 2


def test_a_server_that_overwrites_without_a_word_gets_no_chance() -> None:
    """SOGo does not look at If-None-Match."""

    def careless(request: httpx.Request) -> httpx.Response | None:
        request.headers.pop("if-none-match", None)
        return None

    server = Scripted(hook=careless)
    server.items[name("one")] = event("one", "Somebody wrote this")
    (receipt,) = write(server, event("one"))
    assert isinstance(receipt, Refused)
    assert receipt.reason == UID_TAKEN
    assert b"Somebody" in server.items[name("one")]
    assert "Lunch" not in receipt.detail


@pytest.mark.parametrize("folder", [CALENDAR, CONTACTS])
def test_an_item_of_the_same_uid_under_another_name_is_found(folder: Folder) -> None:
    """DAViCal keeps a second copy."""
    contacts = folder is CONTACTS
    server = Scripted(contacts=contacts)
    make = card if contacts else event
    server.items = {"theirs.x": make("one", "Another"), "same.x": make("two")}
    taken, same, new = write(server, make("one"), make("two"), make("three"), folder=folder)
    assert isinstance(taken, Refused)
    assert (taken.reason, same, type(new)) == (UID_TAKEN, Stored(1, b"same.x"), Stored)
    assert len(server.items) == 3


def test_two_items_of_one_uid_are_never_one() -> None:
    server = Scripted()
    first, second = write(server, event("one"), event("one"))
    assert isinstance(first, Stored)
    assert isinstance(second, Refused)
    assert second.reason == UID_TAKEN


@pytest.mark.parametrize(
    ("answer", "there", "result"),
    [
        (denied(403, "no-uid-conflict", WORK + "theirs.ics"), {"theirs.ics": event("one")}, Stored(0, b"theirs.ics")),
        (denied(403, "no-uid-conflict", WORK + "theirs.ics"), {"theirs.ics": event("one", "No")}, UID_TAKEN),
        (denied(403, "no-uid-conflict", HOME + "elsewhere/a.ics"), {}, UID_TAKEN),
        (denied(409, "no-uid-conflict", "https://evil.example/a.ics"), {}, UID_TAKEN),
        (httpx.Response(409), {}, "refused"),
        (httpx.Response(412), {name("one"): event("one")}, Stored(0, name("one").encode())),
        (denied(403, "valid-calendar-data"), {}, "refused"),
        (denied(403, "max-resource-size"), {}, "too-big"),
        (httpx.Response(413), {}, "too-big"),
        (httpx.Response(400), {}, "refused"),
        (httpx.Response(500), {}, "refused"),
        (httpx.Response(404), {}, "refused"),  # SOGo, of what it cannot read
    ],
)
def test_what_a_refusal_means(answer: httpx.Response, there: dict[str, bytes], result: object) -> None:
    """The item appears, or is seen, only when it is written."""
    server = Scripted()

    def refuse(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT":
            return None
        server.items |= there
        return answer

    server.hook = refuse
    (receipt,) = write(server, event("one"))
    assert (receipt.reason if isinstance(receipt, Refused) else receipt) == result
    assert server.items == there


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(507), QuotaExceeded),
        (denied(403, "quota-not-exceeded"), QuotaExceeded),
        (denied(403, "need-privileges"), AccessDenied),
        (httpx.Response(429), Throttled),
        (httpx.Response(503), Throttled),
    ],
)
def test_what_is_about_the_account_fails_no_item(answer: httpx.Response, kind: type[Exception]) -> None:
    server = Scripted(hook=lambda request: answer if request.method == "PUT" else None)
    with pytest.raises(kind):
        write(server, event("one"))


def test_a_server_that_is_broken_is_not_the_items_fault() -> None:
    server = Scripted()

    def broken(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(500) if server.methods("PUT") else None

    server.hook = broken
    with pytest.raises(ProtocolError):
        write(server, event("one"), event("two"))
    assert len(server.methods("PUT")) == 1


def test_a_folder_that_is_gone_is_not_the_items_fault() -> None:
    server = Scripted()
    server.hook = lambda _request: httpx.Response(404) if server.methods("PUT") else None
    with pytest.raises(FolderUnusable):
        write(server, event("one"), event("two"))
    assert len(server.methods("PUT")) == 1


def test_one_poison_item_does_not_lose_the_others() -> None:
    server = Scripted(hook=lambda request: httpx.Response(500) if b"poison" in request.content else None)
    receipts = write(server, *(event(uid) for uid in ("a", "poison1", "poison2", "poison3", "poison4", "b", "c")))
    assert [type(each) is Stored for each in receipts] == [True, False, False, False, False, True, True]


def lose(server: Scripted, *, done: bool) -> Callable[[httpx.Request], httpx.Response | None]:
    def hook(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT":
            return None
        if done:
            server.ordinary(request)
        raise LOST

    return hook


def test_a_lost_answer_is_read_back() -> None:
    server = Scripted()
    server.hook = lose(server, done=True)
    assert write(server, event("one")) == [Stored(0, name("one").encode())]
    assert len(server.methods("PUT")) == 1


def test_a_lost_question_is_repeated_only_to_a_server_that_answers_otherwise() -> None:
    server = Scripted()
    server.hook = lose(server, done=False)
    (receipt,) = write(server, event("one"))
    assert receipt == Refused(0, "refused", "the server ends the connection")
    assert len(server.methods("PUT")) == 3

    def dead(request: httpx.Request) -> httpx.Response | None:
        if server.methods("PUT"):
            raise LOST
        return None

    server = Scripted(hook=dead)
    with pytest.raises(ConnectionLost):
        write(server, event("one"))
    assert len(server.methods("PUT")) == 1


def test_a_write_whose_answer_comes_late_is_not_done_twice() -> None:
    """The first one, lost on its way, is carried out when the second arrives."""
    server, lost = Scripted(), list[httpx.Request]()

    def late(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT":
            return None
        if not lost:
            lost.append(request)
            raise LOST
        server.ordinary(lost[0])
        return None

    server.hook = late
    assert write(server, event("one")) == [Stored(0, name("one").encode())]
    assert len(server.items) == 1


# --- changes ----------------------------------------------------------------------------------------------------


def head(server: Scripted, ref: str) -> Head:
    return Head(ref.encode(), 0, version=etag(server.items[ref]).encode())


def test_a_copy_is_replaced_where_it_is() -> None:
    server = Scripted()
    server.items = {"adopted.ics": event("one")}
    (receipt,) = write(server, event("one", "Changed"), over=head(server, "adopted.ics"))
    assert isinstance(receipt, Stored)
    assert receipt.ref == b"adopted.ics"
    assert b"Changed" in server.items["adopted.ics"]
    assert len(server.items) == 1


@pytest.mark.parametrize("gone", [True, False])
def test_a_copy_that_somebody_touched_is_left_alone(*, gone: bool) -> None:
    server = Scripted()
    server.items = {"a.ics": event("one")}
    over = head(server, "a.ics")
    server.items = {} if gone else {"a.ics": event("one", "By its user")}
    before = dict(server.items)
    (receipt,) = write(server, event("one", "Changed"), over=over)
    assert isinstance(receipt, Refused)
    assert receipt.reason == CHANGED_THERE
    assert server.items == before


@pytest.mark.parametrize("touched", [True, False])
def test_a_weak_etag_is_looked_at_before(*, touched: bool) -> None:
    """RFC 9110 section 13.1.1: If-Match never matches it."""
    server = Scripted()
    server.items = {"a.ics": event("one")}
    version = b"W/" + etag(server.items["a.ics"]).encode()

    def weak(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PROPFIND" and request.url.path.endswith("a.ics"):
            answer = server.ordinary(request)
            return httpx.Response(207, content=answer.content.replace(b"<d:getetag>", b"<d:getetag>W/"))
        assert request.headers.get("if-match") is None
        return None

    server.hook = weak
    if touched:
        server.items["a.ics"] = event("one", "By its user")
    (receipt,) = write(server, event("one", "Changed"), over=Head(b"a.ics", 0, version=version))
    assert isinstance(receipt, Refused) is touched


# --- what is written --------------------------------------------------------------------------------------------


def test_version_4_goes_only_where_it_is_taken() -> None:
    photo = "PHOTO:data:image/png;base64,iVBORw0KGgo=\r\n"
    for versions, kept in (
        ("", "3.0"),
        ('<a:address-data-type version="3.0"/><a:address-data-type version="4.0"/>', "4.0"),
    ):
        server = Scripted(contacts=True)
        server.more = f"<a:supported-address-data>{versions}</a:supported-address-data>" if versions else ""
        write(server, card("one", version="4.0", more=photo), folder=CONTACTS)
        (written,) = server.items.values()
        assert vcard.outline(written).version == kept
        assert vcard.digest(written) == vcard.digest(card("one", version="4.0", more=photo))


def test_a_card_without_a_uid_gets_the_same_one_in_every_run() -> None:
    bare = card("x").replace(b"UID:x\r\n", b"")
    server = Scripted(contacts=True)
    write(server, bare, folder=CONTACTS)
    write(server, bare, folder=CONTACTS)
    assert len(server.items) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no calendar at all", "unreadable"),
        (event("one").replace(b"END:VEV", b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:two\r\nEND:VEV"), "several-objects"),
        (todo("one"), "wrong-component"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(data: bytes, reason: str) -> None:
    server = Scripted()
    bad, good = write(server, data, event("good"))
    assert isinstance(bad, Refused)
    assert bad.reason == reason
    assert "bread" not in bad.detail
    assert isinstance(good, Stored)


def test_sizes_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Scripted()
    server.more = "<c:max-resource-size>5000</c:max-resource-size>"
    big, small = write(server, event("big", "x" * 6000), event("small"))
    assert isinstance(big, Refused)
    assert (big.reason, type(small)) == ("too-big", Stored)
    monkeypatch.setattr(bodies, "LARGEST_ITEM", 100)
    (huge,) = write(Scripted(), event("huge"))
    assert isinstance(huge, Refused)
    assert huge.reason == "too-big"


def test_names_that_only_look_like_ours_are_looked_into() -> None:
    """Many programs name items by 32 such digits. Where a server keeps a second one of a UID, it got one."""
    server = Scripted()
    server.items = {"d41d8cd98f00b204e9800998ecf8427e.ics": event("one", "Theirs")}
    (receipt,) = write(server, event("one"))
    assert isinstance(receipt, Refused)
    assert receipt.reason == UID_TAKEN
    assert len(server.items) == 1


def test_names_of_ours_are_known() -> None:
    assert preparing.is_own_name(own_name("any", b".vcf"))
    assert not preparing.is_own_name(b"any.ics")
    assert not preparing.is_own_name(b"z" * 32 + b".ics")


# --- invitations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("powers", "scheduling", "attendee", "agent"),
    [
        ("1, calendar-access", Scheduling.UNKNOWN, True, False),
        (SCHEDULING, Scheduling.OFF, True, False),
        (SCHEDULING, Scheduling.SILENT, True, True),
        (SCHEDULING, Scheduling.UNKNOWN, False, False),
    ],
)
def test_no_invitation_is_sent_again(powers: str, scheduling: Scheduling, *, attendee: bool, agent: bool) -> None:
    server = Scripted(powers=powers)
    target = DavTarget(server.session(scheduling))
    (receipt,) = write(server, event("one", more=PEOPLE), target=target)
    (written,) = server.items.values()
    assert bool(ical.outline(written).attendees) is attendee
    assert (b"SCHEDULE-AGENT=CLIENT" in written.replace(b"\r\n ", b"")) is agent
    assert isinstance(receipt, Stored)
    assert bool(target.features.rewrites) is not attendee
    assert (receipt.version == etag(written).encode()) is (attendee and not agent)


def test_people_in_what_is_over_stay() -> None:
    server = Scripted(powers=SCHEDULING)
    past = event("one", more=PEOPLE).replace(b":2037", b":2019")
    series = event("two", more=PEOPLE + "RRULE:FREQ=WEEKLY\r\n").replace(b":2037", b":2019")
    write(server, past, series)
    assert [bool(ical.outline(each).attendees) for each in server.items.values()] == [True, False]


def test_nothing_is_removed_that_would_send_a_cancellation() -> None:
    server = Scripted(powers=SCHEDULING)
    server.items = {"a.ics": event("a", more=PEOPLE), "b.ics": event("b")}
    target = DavTarget(server.session())
    target.remove(CALENDAR, [b"b.ics"])
    with pytest.raises(AccessDenied, match="cancellations"):
        target.remove(CALENDAR, [b"a.ics"])
    assert list(server.items) == ["a.ics"]
    DavTarget(server.session(Scheduling.OFF)).remove(CALENDAR, [b"a.ics", b"gone.ics"])
    assert server.items == {}


# --- folders ----------------------------------------------------------------------------------------------------


def test_a_folder_that_is_there_is_taken() -> None:
    server = Scripted()
    target = DavTarget(server.session())
    assert target.create_folder(("Work",), Kind.CALENDAR).native == WORK
    assert target.create_folder(("Work",), Kind.TASKS).native == WORK  # the calendar takes both
    assert server.methods("MKCALENDAR", "MKCOL") == []


@pytest.mark.parametrize("path", [(), ("a", "b"), ("",), (" a",), ("a\n",), ("a\0",), ("x" * 300,)])
def test_names_that_no_collection_can_have(path: tuple[str, ...]) -> None:
    target = DavTarget(Scripted().session())
    assert target.refuses([path, ("Fine",)]) == {path}
    with pytest.raises(FolderUnusable):
        target.create_folder(path, Kind.CALENDAR)


class Unruly(Scripted):
    """Refuses some ways to make a collection, and does not listen to its name."""

    def __init__(self, *refused: bytes) -> None:
        super().__init__(hook=self.made)
        self.refused = refused
        self.taken = httpx.Response(405)  # what is said of an address that is taken
        self.names: dict[str, str] = {}

    def made(self, request: httpx.Request) -> httpx.Response | None:
        path = request.url.path
        if request.method in ("MKCALENDAR", "MKCOL"):
            if path in self.names:
                return self.taken
            if any(each in request.method.encode() + request.content for each in self.refused):
                return httpx.Response(403)
            self.names[path] = "untitled"
            return httpx.Response(201)
        if request.method == "PROPPATCH":
            self.names[path] = request.content.partition(b"displayname>")[2].partition(b"<")[0].decode()
            return multistatus(response(path, "<d:displayname/>"))
        if request.method == "PROPFIND" and path in self.names:
            return multistatus(response(path))
        if request.method == "PROPFIND" and path == HOME:
            types = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><d:displayname>{}</d:displayname>"
            return multistatus(*(response(path, types.format(name)) for path, name in self.names.items()))
        return None


@pytest.mark.parametrize(
    ("refused", "ways"),
    [((), 1), ((b"VJOURNAL",), 2), ((b"component-set",), 3), ((b"MKCALENDAR",), 4)],
)
def test_a_folder_is_made_in_the_way_that_the_server_knows(refused: tuple[bytes, ...], ways: int) -> None:
    server = Unruly(*refused)
    target = DavTarget(server.session())
    made = target.create_folder(("New",), Kind.CALENDAR)
    assert (made.path, made.kind, list(server.names.values())) == (("New",), Kind.CALENDAR, ["New"])
    assert len(server.methods("MKCALENDAR", "MKCOL")) == ways
    assert target.create_folder(("New",), Kind.CALENDAR) == made
    server.names[made.native] = "Renamed by its user"
    assert target.create_folder(("New",), Kind.CALENDAR).native == made.native[:-1] + "-1/"  # beside it


def test_an_address_that_is_taken_is_told_in_two_ways() -> None:
    """By 403 on Cyrus: a folder that had got another name left no place for a new one of its own."""
    server = Unruly()
    server.taken = denied(403, "resource-must-be-null")
    target = DavTarget(server.session())
    made = target.create_folder(("New",), Kind.CALENDAR)
    server.names[made.native] = "Renamed by its user"
    assert target.create_folder(("New",), Kind.CALENDAR).native == made.native[:-1] + "-1/"


@pytest.mark.parametrize("name", ["Family \U0001f468\u200d\U0001f469", "R\xe9unions\xa0: tous", "soft\xadhyphen"])
def test_names_that_people_give_are_kept(name: str) -> None:
    server = Unruly()
    target = DavTarget(server.session())
    assert target.refuses([(name,)]) == set()
    assert target.create_folder((name,), Kind.CALENDAR).path == (name,)


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(AccessDenied):
        DavTarget(Unruly(b"").session()).create_folder(("New",), Kind.CALENDAR)


def test_a_server_that_makes_something_else_is_told() -> None:
    server = Scripted(hook=lambda request: httpx.Response(201) if request.method == "MKCALENDAR" else None)
    with pytest.raises(FolderUnusable, match="does not list it so"):
        DavTarget(server.session()).create_folder(("New",), Kind.CALENDAR)


def test_a_read_only_folder_is_told() -> None:
    server = Scripted()
    server.more = "<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>"
    with pytest.raises(AccessDenied, match="read-only"):
        DavTarget(server.session()).create_folder(("Work",), Kind.CALENDAR)


def test_mail_has_no_place_here() -> None:
    with pytest.raises(FolderUnusable):
        DavTarget(Scripted().session()).create_folder(("Work",), Kind.MAIL)


def test_notes_that_no_calendar_has_are_declined() -> None:
    target = DavTarget(Scripted().session())
    more = Sharing({"bob": "r"}, {"/private/vendor/x/note": b"n", "/shared/comment": b"a\0b"})
    assert {each.name for each in target.share(CALENDAR, more)} == {"bob", "/private/vendor/x/note", "/shared/comment"}


def test_what_other_connectors_have_is_harmless() -> None:
    target = DavTarget(Scripted().session())
    target.subscribe(CALENDAR)
    target.change_flags(CALENDAR, [])
    assert target.move(CALENDAR, [b"a"], replace(CALENDAR)) == {}
    assert list(target.look_up(CALENDAR, [])) == []
