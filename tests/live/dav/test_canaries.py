"""`canary` against servers that invite: one that can be kept silent, one that cannot, and one that sends nothing."""

from __future__ import annotations

import imaplib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.conftest import Pair
from tests.connectors.dav.scripted import event
from tests.live.dav.cyrus_dav import CyrusDav
from tests.live.dav.radicale import Radicale
from tests.live.dav.sink import Sink
from tests.live.dav.sogo import Sogo
from tests.live.dovecot import Dovecot
from tests.live.project import Answer, Project, endpoint, secret_file, within
from xdmigrate.contract import Intent, Stored
from xdmigrate.model import Endpoint, Head, HeldBody, Item, Kind, Login
from xdmigrate_dav import connector

pytestmark = pytest.mark.live

Accounts = Callable[[], str]
Groupware = CyrusDav | Radicale | Sogo
MARK = b"xdmigrate test - please ignore"
NOTHING = {"mail": False, "calendar": False}


class Postman:
    """Puts what a server mails to these addresses into their mailboxes, as the organisation's mail host would."""

    def __init__(self, sink: Sink, boxes: dict[str, Dovecot]) -> None:
        self._sink, self._boxes = sink, boxes
        self._taken = len(sink.mails)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._walk, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _walk(self) -> None:
        while not self._ended.wait(0.05):
            while self._taken < len(self._sink.mails):
                mail = self._sink.mails[self._taken]
                self._taken += 1
                recipient = str(message_from_bytes(mail)["to"])
                for address in (each for each in self._boxes if each in recipient):
                    self._deliver(address, mail)

    def _deliver(self, address: str, mail: bytes) -> None:
        to = self._boxes[address]
        with imaplib.IMAP4(to.host, to.port, timeout=30) as box:
            box.login(address, to.password)
            box.append("INBOX", "", "", mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


@dataclass
class Office:
    """Ann and Bea, whose calendars and mail go to new servers; Bea had another address at the old one."""

    project: Project
    groupware: Groupware
    ann: str
    bea: str
    before: str  # Bea's old address

    def fly(self, *words: str, to: str = "", wait: float = 8) -> Answer:
        return self.project.run("canary", *self.words(to), "--wait", str(wait), *words)

    def words(self, to: str = "") -> tuple[str, ...]:
        return ("--endpoint", "new-dav", "--mailbox", self.ann, "--to", to or self.bea)

    def promise(self, scheduling: str) -> None:
        """Write it into the plan."""
        self.project.plan["endpoints"]["new-dav"]["scheduling"] = scheduling
        self.project.save()

    def calendars(self) -> dict[str, set[str]]:
        """What the calendars of both are called, with what is in them of ours."""
        found = {}
        for who in (self.ann, self.bea):
            session = connector.source(
                Endpoint("beside", "dav", {"url": self.groupware.url}), Login(who, who, self.groupware.password)
            )
            folders = [each for each in session.folders() if each.kind is Kind.CALENDAR]
            items = [
                item.body.spool().read()
                for folder in folders
                for item in session.read(folder, [head.ref for head in session.heads(folder)])
            ]
            found[who] = {each.path[0] for each in folders} | {"ours" for data in items if MARK in data}
            session.close()
        return found


def opened(folder: Path, mail: Pair, groupware: Groupware, users: tuple[str, str, str]) -> Office:
    ann, bea, before = users
    auth = {"user": "{address}", "password": f"file:{secret_file(folder, groupware.password)}"}
    project = Project(folder, endpoint(mail.old, folder), endpoint(mail.new, folder), [])
    nowhere = {"connector": "dav", "url": "http://127.0.0.1:9/", "auth": auth}
    project.plan["endpoints"] |= {"old-dav": nowhere, "new-dav": {**nowhere, "url": groupware.url}}
    project.plan["source"] = {"mail": "old", "calendar": "old-dav"}
    project.plan["target"] = {"mail": "new", "calendar": "new-dav"}
    project.plan["mailboxes"] = [{"source": ann}, {"source": before, "target": bea}]
    project.save()
    return Office(project, groupware, ann, bea, before)


@pytest.fixture
def users(new_user: Accounts) -> tuple[str, str, str]:
    """Ann, Bea, and Bea's old address."""
    return new_user(), new_user(), new_user().replace("example.test", "elsewhere.example")


@pytest.fixture
def at_cyrus_office(
    tmp_path: Path, dovecot_pair: Pair, cyrus_dav_server: CyrusDav, users: tuple[str, str, str]
) -> Iterator[Office]:
    for user in users[:2]:
        cyrus_dav_server.welcome(user)
    with Postman(cyrus_dav_server.sink, {users[1]: dovecot_pair.new, users[2]: dovecot_pair.old}):
        yield opened(tmp_path, dovecot_pair, cyrus_dav_server, users)


@pytest.fixture
def at_sogo_office(
    tmp_path: Path, dovecot_pair: Pair, sogo_server: Sogo, users: tuple[str, str, str]
) -> Iterator[Office]:
    for user in users[:2]:
        sogo_server.add(user)
    with Postman(sogo_server.sink, {users[1]: dovecot_pair.new, users[2]: dovecot_pair.old}):
        yield opened(tmp_path, dovecot_pair, sogo_server, users)


def invitation(told: Answer) -> dict[str, object]:
    """What `check` says about the promise, of the first mailbox."""
    sides = told.facts["mailboxes"][0]["sides"]
    (side,) = [each for each in sides if (each["side"], each["endpoint"]) == ("target", "new-dav")]
    found: list[dict[str, object]] = [each for each in side["findings"] if each["topic"] == "invitations"]
    return found[-1]


def test_a_server_that_can_be_kept_silent(at_cyrus_office: Office) -> None:
    office = at_cyrus_office
    before = office.calendars()
    told = office.fly()
    assert (told.exit, told.facts["verdict"], told.facts["mailed"], told.facts["remnants"]) == (0, "silent", True, 0)
    for act in ("writing", "removal"):
        assert told.facts[act] == {"canary": NOTHING, "control": {"mail": True, "calendar": False}, "ended": True}
    assert office.calendars() == before


@pytest.mark.full
def test_what_a_killed_one_left_is_found_and_removed(at_cyrus_office: Office) -> None:
    office = at_cyrus_office
    before = office.calendars()
    with office.project.running("canary", *office.words(), "--wait", "60") as run:
        assert within(30, lambda: "ours" in office.calendars()[office.ann])
        run.kill()
    assert office.calendars()[office.ann] == before[office.ann] | {"ours", "xdmigrate canary"}
    predicted = office.fly("--dry-run")
    assert (predicted.exit, predicted.facts["remnants"]) == (0, 2)
    told = office.fly(to=office.before)  # the same mailbox by its other address
    assert (told.exit, told.facts["verdict"], told.facts["mailed"], told.facts["remnants"]) == (0, "silent", True, 2)
    assert office.calendars() == before
    events = [each["event"] for each in office.project.run("journal", "show").facts["entries"]]
    assert events[-3:] == ["canary-begun", "canary-begun", "canary"]


@pytest.mark.full
def test_one_that_is_stopped_cleans_up(at_cyrus_office: Office) -> None:
    office = at_cyrus_office
    before = office.calendars()
    with office.project.running("canary", *office.words(to="nobody@x.example"), "--wait", "60") as run:
        assert run.finish().exit == 2, "nobody else is ever invited"
    with office.project.running("canary", *office.words(), "--wait", "60") as run:
        assert within(30, lambda: "ours" in office.calendars()[office.ann])
        assert run.ask(signal.SIGTERM).exit == 6
    assert office.calendars() == before


@pytest.mark.full
def test_a_server_that_sends_whatever_it_is_asked(at_sogo_office: Office) -> None:
    """No plan is right about it then, whoever proved what by hand. What a killed one left goes from both calendars."""
    office = at_sogo_office
    before = office.calendars()
    with office.project.running("canary", *office.words(), "--wait", "60") as run:
        assert within(30, lambda: "ours" in office.calendars()[office.bea])
        run.kill()
    told = office.fly()
    assert told.facts["remnants"] > 0
    assert (told.exit, told.facts["verdict"], told.facts["mailed"]) == (5, "not-silent", True)
    assert told.facts["writing"]["canary"] == {"mail": False, "calendar": True}, "SOGo writes into the colleague's"
    assert told.facts["writing"]["control"] == {"mail": True, "calendar": True}
    assert office.calendars() == before
    for promise in ("silent", "silent-by-hand", "off"):
        office.promise(promise)
        assert invitation(office.project.run("check"))["names"] == ["refuted"]
        refused = office.project.run("sync")
        assert (refused.exit, refused.codes) == (5, ["guard-refused"])
        assert "not-silent" in refused.facts["errors"][0]["message"]


@pytest.mark.full
def test_a_server_that_sends_nothing_proves_nothing(
    tmp_path: Path, dovecot_pair: Pair, radicale_server: Radicale, users: tuple[str, str, str]
) -> None:
    for user in users[:2]:
        radicale_server.add(user)
    office = opened(tmp_path, dovecot_pair, radicale_server, users)
    before = office.calendars()
    told = office.fly(wait=1)
    assert (told.exit, told.facts["verdict"], told.facts["schedules"]) == (3, "nothing", False)
    assert office.calendars() == before


@pytest.mark.full
def test_a_plan_that_promises_silence_needs_a_proof(
    at_cyrus_office: Office, cyrus_dav_server: CyrusDav, radicale_server: Radicale
) -> None:
    office, sink = at_cyrus_office, cyrus_dav_server.sink
    radicale_server.add(office.ann)
    radicale_server.add(office.before)
    office.project.plan["endpoints"]["old-dav"]["url"] = radicale_server.url
    people = f"ORGANIZER:mailto:{office.ann}\r\nATTENDEE:mailto:{office.bea}\r\n"
    write(radicale_server, office.ann, event("meeting", "Meeting", people))
    office.promise("silent")
    unproved = invitation(office.project.run("check"))
    assert (unproved["ok"], unproved["names"]) == (False, ["unproved"])
    assert "xdmigrate canary PLAN --endpoint new-dav" in str(unproved["remedy"])
    before = office.calendars()
    refused = office.project.run("sync")
    assert (refused.exit, refused.codes, office.calendars()) == (5, ["guard-refused"], before)

    office.promise("silent-by-hand")
    assert invitation(office.project.run("check"))["names"] == ["stated"]
    office.promise("silent")
    assert office.fly().exit == 0
    assert invitation(office.project.run("check"))["names"] == ["proved"]
    mails = len(sink.mails)
    told = office.project.run("sync")
    assert (told.exit, told.facts["invitations"][0]["standing"]) == (0, "proved")
    assert office.calendars()[office.ann] == before[office.ann] | {"Meetings"}
    assert len(sink.mails) == mails
    assert office.project.run("verify").facts["invitations"][0]["canary"]["verdict"] == "silent"


def write(server: Radicale, user: str, data: bytes) -> None:
    """Put an event into a calendar of this user."""
    target = connector.target(Endpoint("beside", "dav", {"url": server.url}), Login(user, user, server.password))
    folder = target.create_folder(("Meetings",), Kind.CALENDAR)
    with target.writer(folder, Intent(1, 1, 0)) as writer:
        writer.put(0, Item(Head(b"1", len(data)), HeldBody(data), Kind.CALENDAR))
        assert isinstance(writer.flush()[0], Stored)
    target.close()
