"""Several kinds and endpoints for each mailbox: mail here, calendars and address books there."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD, PEOPLE, Office
from xdmigrate.model import Kind
from xdmigrate.testing.memory import INBOX, MemoryServer, Powers
from xdmigrate_state import folders, mailboxes, plans
from xdmigrate_state.database import Database
from xdmigrate_state.rows import FolderRow

GROUPWARE = Powers(versions=True, updates=True, exact_sizes=False, change_test=True, rename=False, move=False)
CALENDAR, BOOK = ("Team",), ("People",)
EVENTS, CARDS = 3, 2
ADDED = """\
  old-dav: {{connector: memory, server: {old}, auth: {{user: "{{address}}", password: "env:DAV_PASSWORD"}}}}
  new-dav: {{connector: memory, server: {new}, auth: {{user: "{{address}}", password: "env:DAV_PASSWORD"}}}}
source: {{mail: old, calendar: old-dav, contacts: old-dav}}
target: {{mail: new, calendar: new-dav, contacts: new-dav}}
"""


def event(number: int, title: str = "Meeting") -> bytes:
    lines = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT"
        f"\nUID:event-{number}@x.test\nDTSTAMP:20240101T000000Z\nDTSTART:20240102T090000Z\nDTEND:20240102T100000Z"
        f"\nSUMMARY:{title} {number}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return lines.replace("\n", "\r\n").encode()


def card(number: int) -> bytes:
    lines = f"BEGIN:VCARD\nVERSION:3.0\nUID:card-{number}\nFN:Person {number}\nN:Person;{number};;;\nEND:VCARD\n"
    return lines.replace("\n", "\r\n").encode()


class Groupware:
    """The office with two servers more, for calendars and address books."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.old = MemoryServer(f"{office.old.name}-dav", GROUPWARE)
        self.new = MemoryServer(f"{office.new.name}-dav", GROUPWARE)
        for name in PEOPLE:
            self.new.add_account(name, PASSWORD)
            account = self.old.add_account(name, PASSWORD)
            account.create_folder(CALENDAR, Kind.CALENDAR)
            account.create_folder(BOOK, Kind.CONTACTS)
            for number in range(EVENTS):
                account.deliver(CALENDAR, event(number))
            for number in range(CARDS):
                account.deliver(BOOK, card(number))
        office.edit("source: old\ntarget: new\n", ADDED.format(old=self.old.name, new=self.new.name))

    def there(self, name: str) -> tuple[int, int, int]:
        """Mail, events and cards on the target."""
        boxes = {box.path: len(box.items) for box in self.new.account(name).boxes()}
        return len(self.office.inbox(name)), boxes.get(CALENDAR, 0), boxes.get(BOOK, 0)

    def shown(self) -> list[str]:
        """Everything on the targets, with ids and dates."""
        accounts = [server.account(name) for server in (self.office.new, self.new) for name in PEOPLE]
        return [repr(box.items) for account in accounts for box in account.boxes()]

    def rows(self) -> list[FolderRow]:
        with Database.open(self.office.state, create=False) as db:
            plan = db.read(lambda c: plans.find(c, "office"))
            assert plan is not None
            boxes = db.read(lambda c: mailboxes.all(c, plan.id))
            return [row for box in boxes for row in db.read(partial(folders.of_mailbox, mailbox_id=box.id))]


@pytest.fixture
def groupware(office: Office, monkeypatch: pytest.MonkeyPatch) -> Groupware:
    monkeypatch.setenv("DAV_PASSWORD", PASSWORD)
    return Groupware(office)


def counts(told: object, *names: str) -> dict[str, tuple[int, ...]]:
    assert isinstance(told, dict)
    return {kind: tuple(found[name] for name in names) for kind, found in told.items()}


def test_every_kind_goes_its_own_way(groupware: Groupware) -> None:
    office = groupware.office
    told = office.run("sync", "PLAN", "--json")
    assert (told.code, told.codes) == (0, [])
    assert counts(told.json["totals"], "source", "copied") == {"mail": (12, 12), "calendar": (9, 9), "contacts": (6, 6)}
    assert [groupware.there(name) for name in PEOPLE] == [(4, EVENTS, CARDS)] * 3
    assert set(told.json["endpoints"]) == {"old", "new", "old-dav", "new-dav"}
    assert {box["stage"] for box in told.json["mailboxes"]} == {"synced"}
    assert all(box.path == INBOX for name in PEOPLE for box in office.new.account(name).boxes())
    assert {row.kind for row in groupware.rows() if row.cursor} == {"mail", "calendar", "contacts"}
    verdict = office.run("verify", "PLAN", "--full", "--json")
    assert (verdict.code, verdict.json["verdict"]) == (0, "pass")
    assert counts(verdict.json["mailboxes"][0]["kinds"], "source", "verified") == {
        "mail": (4, 4),
        "calendar": (EVENTS, EVENTS),
        "contacts": (CARDS, CARDS),
    }


def test_people_are_told_each_kind(groupware: Groupware) -> None:
    told = groupware.office.run("sync", "PLAN").stdout
    assert "27 items at the source = 27 copied + 0 present" in told
    assert "calendar: 9 = 9 copied + 0 present" in told
    told = groupware.office.run("verify", "PLAN").stdout
    lines = [line.split() for line in told.splitlines()]
    kinds = [line[-5:-2] for line in lines if len(line) > 4 and line[-5] in set(Kind)]
    assert kinds[:3] == [["mail", "4", "4"], ["calendar", "3", "3"], ["contacts", "2", "2"]]


def test_a_second_run_writes_nothing_and_a_delta_brings_each_kind(groupware: Groupware) -> None:
    office = groupware.office
    office.run("sync", "PLAN")
    before = groupware.shown()
    assert office.run("sync", "PLAN").code == 0
    assert groupware.shown() == before
    groupware.old.account(PEOPLE[0]).deliver(CALENDAR, event(99))
    office.old.account(PEOPLE[1]).deliver(INBOX, b"Subject: late\r\n\r\nlate\r\n")
    assert office.run("sync", "PLAN").code == 0
    assert [groupware.there(name) for name in PEOPLE] == [
        (4, EVENTS + 1, CARDS),
        (5, EVENTS, CARDS),
        (4, EVENTS, CARDS),
    ]


def test_one_kind_alone_does_not_end_the_seed(groupware: Groupware) -> None:
    office = groupware.office
    told = office.run("sync", "PLAN", "--kind", "contacts", "--json").json
    assert (told["exit"], set(told["endpoints"])) == (0, {"old-dav", "new-dav"})
    assert [groupware.there(name) for name in PEOPLE] == [(0, 0, CARDS)] * 3
    assert {box["stage"] for box in told["mailboxes"]} == {"seeding"}
    assert all(box["last_pass"] is None for box in told["mailboxes"])
    assert list(office.run("verify", "PLAN", "--kind", "contacts", "--json").json["mailboxes"][0]["kinds"]) == [
        "contacts"
    ]
    assert office.run("sync", "PLAN", "--json").json["stage"] == "synced"
    assert [groupware.there(name) for name in PEOPLE] == [(4, EVENTS, CARDS)] * 3


def test_a_kind_that_the_plan_does_not_move_is_a_usage_error(groupware: Groupware) -> None:
    for command in ("sync", "verify"):
        told = groupware.office.run(command, "PLAN", "--kind", "tasks")
        assert told.code == 2
        assert "plan office moves no tasks; leave --kind out; it moves: mail, calendar, contacts" in told.stderr


def test_a_rejected_login_on_one_endpoint_does_not_hold_up_the_others(
    groupware: Groupware, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = groupware.office
    monkeypatch.setenv("DAV_PASSWORD", "wrong")
    told = office.run("sync", "PLAN", "--json")
    assert (told.code, set(told.codes)) == (3, {"login-rejected"})
    assert [groupware.there(name) for name in PEOPLE] == [(4, 0, 0)] * 3
    assert {box["stage"] for box in told.json["mailboxes"]} == {"needs-attention"}
    logins = groupware.old.logins
    assert office.run("sync", "PLAN").code == 3
    assert groupware.old.logins == logins, "nobody is locked out"
    monkeypatch.setenv("DAV_PASSWORD", PASSWORD)
    assert office.run("sync", "PLAN").code == 0
    assert [groupware.there(name) for name in PEOPLE] == [(4, EVENTS, CARDS)] * 3


def test_mail_is_copied_although_its_own_login_stands_first_and_is_rejected(
    groupware: Groupware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFICE_PASSWORD", "wrong")
    told = groupware.office.run("sync", "PLAN", "--json")
    assert (told.code, set(told.codes)) == (3, {"login-rejected"})
    assert [groupware.there(name) for name in PEOPLE] == [(0, EVENTS, CARDS)] * 3


@pytest.mark.usefixtures("no_waits")
def test_an_endpoint_that_never_answers_is_given_up_soon_and_the_others_go_on(groupware: Groupware) -> None:
    office = groupware.office
    groupware.new.reachable = False
    told = office.run("sync", "PLAN", "--json")
    assert (told.code, told.codes) == (4, ["unreachable"])
    assert [groupware.there(name) for name in PEOPLE] == [(4, 0, 0)] * 3
    assert told.json["stage"] == "seeding"
    groupware.new.reachable = True
    assert office.run("sync", "PLAN").code == 0
    assert [groupware.there(name) for name in PEOPLE] == [(4, EVENTS, CARDS)] * 3


@pytest.mark.usefixtures("no_waits")
def test_mail_that_cannot_be_reached_does_not_hold_up_calendars(groupware: Groupware) -> None:
    """Though mail goes first."""
    office = groupware.office
    office.old.reachable = False
    told = office.run("sync", "PLAN", "--json")
    assert (told.code, told.codes) == (4, ["unreachable"])
    assert [groupware.there(name) for name in PEOPLE] == [(0, EVENTS, CARDS)] * 3


def test_check_tells_of_every_endpoint(groupware: Groupware, monkeypatch: pytest.MonkeyPatch) -> None:
    office = groupware.office
    told = office.run("check", "PLAN", "--json").json
    sides = [(side["side"], side["endpoint"], side["kinds"]) for side in told["mailboxes"][0]["sides"]]
    assert sides == [
        ("source", "old", ["mail"]),
        ("source", "old-dav", ["calendar", "contacts"]),
        ("target", "new", ["mail"]),
        ("target", "new-dav", ["calendar", "contacts"]),
    ]
    assert all(box["ok"] for box in told["mailboxes"])
    monkeypatch.setenv("DAV_PASSWORD", "wrong")
    told = office.run("check", "PLAN", "--json").json
    assert {box["ok"] for box in told["mailboxes"]} == {False}
    rejected = {side["endpoint"] for box in told["mailboxes"] for side in box["sides"] if not side["ok"]}
    assert rejected == {"old-dav", "new-dav"}


def test_a_dry_run_predicts_every_way(groupware: Groupware) -> None:
    told = groupware.office.run("sync", "PLAN", "--dry-run", "--json").json
    assert counts(told["totals"], "copied") == {"mail": (12,), "calendar": (9,), "contacts": (6,)}
    created = {tuple(path) for one in told["predictions"] for path in one["created"]}
    assert created == {CALENDAR, BOOK}
    assert [groupware.there(name) for name in PEOPLE] == [(0, 0, 0)] * 3


def test_a_kind_that_is_added_later_is_copied_in_the_next_pass(groupware: Groupware) -> None:
    office = groupware.office
    text = office.plan.read_text()
    office.edit("contacts: old-dav}", "}")
    office.edit("contacts: new-dav}", "}")
    assert office.run("sync", "PLAN").code == 0
    assert groupware.there(PEOPLE[0]) == (4, EVENTS, 0)
    office.plan.write_text(text)
    told = office.run("diff", "PLAN", "--json").json
    assert [(change["kind"], change["where"]) for change in told["changes"]] == [
        ("free", "source.contacts"),
        ("free", "target.contacts"),
    ]
    assert office.run("sync", "PLAN").code == 0
    assert groupware.there(PEOPLE[0]) == (4, EVENTS, CARDS)


def test_quarantined_events_are_exported_as_what_they_are(groupware: Groupware, tmp_path: Path) -> None:
    office = groupware.office
    groupware.new.powers = Powers(
        versions=True, updates=True, exact_sizes=False, refuse=lambda data: "no" * (b"event-1@" in data)
    )
    assert office.run("sync", "PLAN").code == 3
    listed = office.run("quarantine", "PLAN", "list", "--json").json["items"]
    assert [(each["kind"], each["remedy"]) for each in listed] == [("calendar", "")] * 3, "only mail can be repaired"
    assert "calendar" in office.run("quarantine", "PLAN", "list").stdout
    assert office.run("quarantine", "PLAN", "export", str(tmp_path / "out")).code == 0
    written = sorted((tmp_path / "out").glob("*.ics"))
    assert [path.read_bytes() for path in written] == [event(1)] * 3


def test_equal_names_of_different_kinds_are_different_folders(groupware: Groupware) -> None:
    """A place, a name map and a ledger for each: what a calendar is called says nothing about an address book."""
    office, name = groupware.office, PEOPLE[0]
    office.old.account(name).create_folder(CALENDAR)
    office.old.account(name).deliver(CALENDAR, b"Subject: team\r\n\r\nteam\r\n")
    groupware.old.account(name).create_folder(CALENDAR, Kind.CONTACTS)
    groupware.old.account(name).deliver(CALENDAR, card(50), kind=Kind.CONTACTS)
    assert office.run("sync", "PLAN").code == 0
    assert len(office.new.account(name).contents(CALENDAR)) == 1
    assert len(groupware.new.account(name).contents(CALENDAR, Kind.CALENDAR)) == EVENTS
    assert groupware.new.account(name).contents(CALENDAR, Kind.CONTACTS) == [card(50)]
    assert office.run("verify", "PLAN", "--full").code == 0
    shown = groupware.shown()
    assert office.run("sync", "PLAN").code == 0
    assert groupware.shown() == shown


def test_people_are_called_as_on_the_target(groupware: Groupware) -> None:
    """Organisers and attendees; mail, whose addresses are history, stays byte for byte; and so do strangers."""
    office = groupware.office
    people = (
        b"\r\nORGANIZER:mailto:ANN@x.test\r\nATTENDEE:mailto:bob@x.test\r\nATTENDEE:mailto:eve@y.test\r\nEND:VEVENT"
    )
    groupware.old.account(PEOPLE[0]).deliver(CALENDAR, event(50).replace(b"\r\nEND:VEVENT", people))
    for server in (office.new, groupware.new):
        server.add_account("ann@new.test", PASSWORD)
    office.edit("{source: ann@x.test,", "{source: ann@x.test, target: ann@new.test,")
    office.edit("mailboxes:", "addresses: {bob@x.test: robert@new.test}\nmailboxes:")
    office.edit("  - {source: bob@x.test}\n", "")
    assert office.run("sync", "PLAN").code == 0
    (copy,) = (data for data in groupware.new.account("ann@new.test").contents(CALENDAR) if b"ORGANIZER" in data)
    assert re.findall(rb"mailto:(\S+)", copy) == [b"ann@new.test", b"robert@new.test", b"eve@y.test"]
    assert b"to ann@x.test\r\n" in office.inbox("ann@new.test")[0]
    assert office.run("verify", "PLAN", "--full").code == 0
    before = groupware.new.account("ann@new.test").octets()
    assert office.run("sync", "PLAN").code == 0
    assert groupware.new.account("ann@new.test").octets() == before
