"""A whole job from Radicale to servers that mail whoever stands in an event: copied, followed, and nobody invited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.connectors.dav.scripted import card, event, todo
from tests.live.dav.cyrus_dav import CyrusDav
from tests.live.dav.radicale import Radicale
from tests.live.dav.sogo import Sogo
from tests.live.project import Answer, Project, Values, closed, secret_file
from xdmigrate.contract import Intent, Refused
from xdmigrate.formats import ical
from xdmigrate.model import Endpoint, Folder, Head, HeldBody, Item, Kind, Login
from xdmigrate_dav import connector
from xdmigrate_dav.target import DavTarget

pytestmark = [pytest.mark.live, pytest.mark.full]  # seven runs of the program

COUNTS = {Kind.CALENDAR: 14, Kind.TASKS: 2, Kind.CONTACTS: 5}


class Account:
    """One side of the job, reached beside xdmigrate's run."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.user, self.password = url, user, password
        self.session: DavTarget = connector.target(Endpoint("beside", "dav", {"url": url}), Login(user, user, password))

    def described(self, folder: Path, **settings: str) -> Values:
        """As an endpoint of a plan."""
        auth = {"user": "{address}", "password": f"file:{secret_file(folder, self.password)}"}
        return {"connector": "dav", "url": self.url, "auth": auth, **settings}

    def folder(self, name: str, kind: Kind) -> Folder:
        (found,) = [each for each in self.session.folders() if (each.path, each.kind) == ((name,), kind)]
        return found

    def write(self, name: str, kind: Kind, items: Sequence[bytes], over: Head | None = None) -> None:
        folder = self.session.create_folder((name,), kind)
        with self.session.writer(folder, Intent(1, len(items), 0)) as writer:
            for ticket, data in enumerate(items):
                writer.put(ticket, Item(Head(b"%d" % ticket, len(data)), HeldBody(data), kind), over)
            assert not any(isinstance(receipt, Refused) for receipt in writer.flush())

    def items(self, name: str, kind: Kind) -> dict[str, tuple[Head, bytes]]:
        """Heads and bodies by UID; of contacts by name."""
        folder = self.folder(name, kind)
        read = self.session.read(folder, [head.ref for head in self.session.heads(folder)])
        found = [(item.head, item.body.spool().read()) for item in read]
        return {
            ical.outline(data).uid if kind is not Kind.CONTACTS else str(head.ref): (head, data) for head, data in found
        }

    def versions(self) -> dict[tuple[str, bytes], bytes]:
        """The ETag of everything."""
        return {
            (folder.native, head.ref): head.version
            for folder in self.session.folders()
            for head in self.session.heads(folder)
        }


@pytest.fixture(params=["cyrus_dav_server", "sogo_server"])
def inviting(request: pytest.FixtureRequest) -> CyrusDav | Sogo:
    """A server that sends invitations."""
    server: CyrusDav | Sogo = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def accounts(
    radicale_server: Radicale, inviting: CyrusDav | Sogo, new_user: Callable[[], str]
) -> tuple[Account, Account]:
    """A filled one, and one of the same name that is as the server made it."""
    user = new_user()
    radicale_server.add(user)
    inviting.welcome(user)
    old = Account(radicale_server.url, user, radicale_server.password)
    people = f"ORGANIZER:mailto:{user}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@elsewhere.example\r\n"
    meetings = [event("meeting", more=people), event("over", more=people).replace(b":2037", b":2019")]
    old.write("Work", Kind.CALENDAR, [*(event(f"e{n}", f"Number {n}") for n in range(12)), *meetings])
    old.write("Work", Kind.TASKS, [todo("t0"), todo("t1")])
    old.write("People", Kind.CONTACTS, [card(f"c{n}", f"Person {n}") for n in range(5)])
    return old, Account(inviting.url, user, inviting.password)


def told(answer: Answer) -> Values:
    kinds: Values = answer.facts["mailboxes"][0]["kinds"]
    return kinds


def test_a_job_between_two_servers(
    tmp_path: Path, accounts: tuple[Account, Account], inviting: CyrusDav | Sogo
) -> None:
    old, new = accounts
    before, mails = old.versions(), len(inviting.sink.mails)
    project = Project(tmp_path, old.described(tmp_path), new.described(tmp_path), [old.user])
    assert project.run("check").exit == 0
    counted = told(project.run("sync"))
    assert {kind: counted[kind.value]["copied"] for kind in COUNTS} == COUNTS
    assert all(closed(counted[kind.value]) for kind in COUNTS)
    assert old.versions() == before  # the source is as it was
    meeting, over = (new.items("Work", Kind.CALENDAR)[uid][1] for uid in ("meeting", "over"))
    stripped, kept = (2, ()) if isinstance(inviting, Sogo) else (1, ("bob@elsewhere.example",))
    assert (ical.outline(meeting).attendees, ical.outline(over).attendees) == ((), kept)

    verified = told(project.run("verify"))  # what is not as it was is told, and nothing else
    assert {kind: verified[kind.value]["changed"] for kind in COUNTS} == {
        **dict.fromkeys(COUNTS, 0),
        Kind.CALENDAR: stripped,
    }
    assert {kind: verified[kind.value]["verified"] for kind in COUNTS} == {**COUNTS, Kind.CALENDAR: 14 - stripped}

    written = new.versions()
    assert project.run("sync").exit == 0
    assert new.versions() == written  # a second run writes nothing

    items = old.items("Work", Kind.CALENDAR)
    old.write("Work", Kind.CALENDAR, [items["e0"][1].replace(b"Number 0", b"Moved")], items["e0"][0])
    old.session.remove(old.folder("Work", Kind.CALENDAR), [items["e1"][0].ref])
    old.write("Work", Kind.CALENDAR, [event("late")])
    old.session.rename_folder(old.folder("Work", Kind.TASKS), ("To do",))
    assert project.run("sync").exit == 0
    after = new.items("Work", Kind.CALENDAR)
    assert b"Moved" in after["e0"][1]
    assert set(after) == {*items, "late"}  # additive: what is gone at the source stays
    changed = {key for key, version in new.versions().items() if written.get(key) != version}
    assert changed == {(new.folder("Work", Kind.CALENDAR).native, after[uid][0].ref) for uid in ("e0", "late")}
    assert len(new.items("To do", Kind.TASKS)) == 2
    assert len(inviting.sink.mails) == mails
