"""The connector against Radicale, Xandikos, Cyrus and SOGo: from an address alone to every kind of item and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.connectors.dav.scripted import card, event, todo
from tests.live.dav.radicale import ADMIN
from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Intent, Receipt, Refused, Stored
from xdmigrate.errors import FolderUnusable, LoginRejected
from xdmigrate.formats import ical, vcard
from xdmigrate.model import Endpoint, Folder, Head, HeldBody, Item, Kind, Login, Sharing
from xdmigrate_dav import connector, listing
from xdmigrate_dav.notes import COLOUR, COMMENT
from xdmigrate_dav.target import DavTarget

pytestmark = pytest.mark.live

Place = tuple[Endpoint, Login]

PHOTO = "PHOTO:data:image/png;base64," + "iVBORw0KGgo" * 400 + "=\r\n"
DATA = {
    Kind.CALENDAR: [event(f"e{n}", f"Number {n}") for n in range(12)],
    Kind.TASKS: [todo("t0"), todo("t1", "Buy \\, everything")],
    Kind.CONTACTS: [card("c0"), card("c1", version="4.0", more=PHOTO), card("c2", name="Größe")],
}


@pytest.fixture(params=["at_radicale", "at_xandikos", "at_cyrus", pytest.param("at_sogo", marks=pytest.mark.full)])
def place(request: pytest.FixtureRequest) -> Place:
    """An account on each of the servers."""
    found: Place = request.getfixturevalue(request.param)
    return found


def write(target: DavTarget, folder: Folder, items: Sequence[bytes], over: Head | None = None) -> list[Receipt]:
    with target.writer(folder, Intent(1, len(items), 0)) as writer:
        for ticket, data in enumerate(items):
            writer.put(ticket, Item(Head(b"%d" % ticket, len(data)), HeldBody(data), folder.kind), over)
        return writer.flush()


def digests(found: Sequence[bytes], kind: Kind) -> list[bytes]:
    return sorted(map(vcard.digest if kind is Kind.CONTACTS else ical.digest, found))


@pytest.mark.parametrize("kind", list(DATA))
def test_everything_goes_there_and_back(place: Place, kind: Kind) -> None:
    target = connector.target(*place)
    name = f"Größe & <{kind.value}> /2024"
    folder = target.create_folder((name,), kind)
    assert (folder.path, folder.kind, folder.count) == ((name,), kind, 0)
    receipts = write(target, folder, DATA[kind])
    assert all(isinstance(each, Stored) for each in receipts)
    refs = {each.ref for each in receipts if isinstance(each, Stored)}
    source, auditor = connector.source(*place), connector.auditor(*place)
    (listed,) = [each for each in source.folders() if (each.path, each.kind) == ((name,), kind)]
    assert (listed.native, listed.count) == (folder.native, len(DATA[kind]))
    heads = list(source.heads(listed))
    assert [each.ref for each in heads] == sorted(refs)
    assert {each.ref: each.version for each in heads} == {
        each.ref: each.version for each in receipts if isinstance(each, Stored)
    }
    read = {each.head.ref: each.body.spool().read() for each in source.read(listed, sorted(refs))}
    assert digests(list(read.values()), kind) == digests(DATA[kind], kind)
    whole = dict(auditor.whole(listed, sorted(refs)))
    assert digests(list(whole.values()), kind) == digests(DATA[kind], kind)
    again = write(target, folder, DATA[kind][:2])
    assert [each.ref for each in again if isinstance(each, Stored)] == [
        each.ref for each in receipts[:2] if isinstance(each, Stored)
    ]
    assert list(source.heads(listed)) == heads


@pytest.mark.parametrize("kind", list(DATA))
def test_changes_and_removals(place: Place, kind: Kind) -> None:
    target = connector.target(*place)
    folder = target.create_folder((f"Changes {kind.value}",), kind)
    (stored, *_) = write(target, folder, DATA[kind][:2])
    assert isinstance(stored, Stored)
    before = {each.ref: each for each in target.heads(folder)}
    state = target.status(folder).state
    assert connector.source(*place).status(folder).state == state
    changed = DATA[kind][0].replace(b"Number 0", b"Moved").replace(b"bread", b"milk").replace(b"FN:Ann", b"FN:Eve")
    (again,) = write(target, folder, [changed], before[stored.ref])
    assert isinstance(again, Stored)
    assert again.ref == stored.ref
    (late,) = write(target, folder, [DATA[kind][0]], before[stored.ref])
    assert late == Refused(0, CHANGED_THERE, late.detail) if isinstance(late, Refused) else False
    told = target.changes(folder, b"1:" + state)
    after = {each.ref: each for each in told.heads}
    assert told.complete
    assert [ref for ref in before if before[ref].version != after[ref].version] == [stored.ref]
    assert target.status(folder).state != state
    (taken,) = write(target, folder, [DATA[kind][0]])
    assert isinstance(taken, Refused)
    assert taken.reason == UID_TAKEN
    target.remove(folder, [stored.ref, b"gone.ics"])
    assert set(before) - {each.ref for each in target.heads(folder)} == {stored.ref}


def test_a_calendar_is_renamed_and_coloured(place: Place) -> None:
    target = connector.target(*place)
    folder = target.create_folder(("To be renamed",), Kind.CALENDAR)
    assert target.create_folder(("To be renamed",), Kind.CALENDAR) == folder
    renamed = target.rename_folder(folder, ("Renamed <&>",))
    assert (renamed.path, renamed.ref) == (("Renamed <&>",), folder.ref)
    notes = {COLOUR: b"#AA00FF", COMMENT: "für alle".encode()}
    refused = [each.name for each in target.share(renamed, Sharing(notes=notes))]
    assert refused == ([COMMENT] if place[0].name == "sogo" else [])  # it has no place for a description
    kept = {entry: value for entry, value in notes.items() if entry not in refused}
    assert connector.source(*place).sharing(renamed).notes == kept
    with pytest.raises(FolderUnusable):
        target.status(replace(folder, native=folder.native + "gone/"))


def test_one_poison_item_does_not_lose_the_others(place: Place) -> None:
    target = connector.target(*place)
    folder = target.create_folder(("Poison",), Kind.CALENDAR)
    receipts = write(target, folder, [event("before"), todo("no event"), b"\0", event("after")])
    assert [type(each) for each in receipts] == [Stored, Refused, Refused, Stored]
    assert target.status(folder).count == 2


def test_the_list_by_pages_is_the_same_list(place: Place) -> None:
    target = connector.target(*place)
    folder = target.create_folder(("Pages",), Kind.CONTACTS)
    write(target, folder, [card(f"p{n}") for n in range(3)])
    client = target._session.client
    whole, paged = listing.read(client, folder.native, "list"), listing._by_pages(client, folder.native, "list")
    assert len(whole.heads) == 3
    assert {ref: head.version for ref, head in paged.heads.items()} == {
        ref: head.version for ref, head in whole.heads.items()
    }


def test_delta_of_a_few_among_many_reads_a_few(at_radicale: Place) -> None:
    """Bodies are asked for by their names: no more than were changed."""
    target = connector.target(*at_radicale)
    folder = target.create_folder(("Many",), Kind.CALENDAR)
    write(target, folder, [event(f"m{n}") for n in range(16)])
    source = connector.source(*at_radicale)
    before = {each.ref: each.version for each in source.heads(folder)}
    for ref in sorted(before)[:10]:
        (item,) = source.read(folder, [ref])
        write(target, folder, [item.body.spool().read().replace(b"Lunch", b"Dinner")], item.head)
    meter = at_radicale[0].meter
    commands = meter.commands
    changed = [each.ref for each in source.changes(folder).heads if before[each.ref] != each.version]
    assert len(list(source.read(folder, changed))) == 10
    assert meter.commands - commands <= 4


def test_a_wrong_password_is_told(at_radicale: Place) -> None:
    endpoint, login = at_radicale
    with pytest.raises(LoginRejected) as told:
        connector.source(endpoint, replace(login, password="wr0ng"))
    assert "wr0ng" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "principal"),
    [("radicale", "/{address}/"), pytest.param("sogo", "/SOGo/dav/{address}/", marks=pytest.mark.full)],
)
def test_an_administrator_works_in_the_account_of_another(
    request: pytest.FixtureRequest, name: str, principal: str
) -> None:
    (endpoint, login), server = (request.getfixturevalue(each) for each in (f"at_{name}", f"{name}_server"))
    server.add(ADMIN)
    connector.target(endpoint, login).create_folder(("Own",), Kind.CALENDAR)
    before = {each.path for each in connector.source(endpoint, login).folders()}
    theirs = replace(endpoint, settings={**endpoint.settings, "principal": principal})
    target = connector.target(theirs, replace(login, user=ADMIN))
    assert {each.path for each in target.folders()} == before
    assert isinstance(write(target, target.create_folder(("New",), Kind.CALENDAR), [event("one")])[0], Stored)
    assert {each.path for each in connector.source(endpoint, login).folders()} == {*before, ("New",)}


def test_check_changes_nothing(place: Place) -> None:
    before = connector.source(*place).folders()
    told = connector.check(*place, writable=True)
    assert {each.topic for each in told} >= {"login", "capabilities", "invitations"}
    assert all(each.ok for each in told)
    assert connector.source(*place).folders() == before
