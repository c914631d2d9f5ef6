"""Who else may use a folder, and what is noted on it, between servers that tell such things and one that does not."""

from __future__ import annotations

import imaplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.cyrus import Cyrus
from tests.live.dovecot import Dovecot, version
from tests.live.dovecot_conf import Settings
from tests.live.project import between
from tests.live.reader import Draft, load, session
from xdmigrate.model import Endpoint, Login
from xdmigrate.testing.conformance import Profile
from xdmigrate.testing.conformance.sharing import SharingCases
from xdmigrate_imap import connector

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

COLOUR = "/private/vendor/x/color"
GREETING = "Grüße".encode()
MAIL = {"Team": [Draft(b"Subject: x\r\n\r\nx\r\n")]}


@pytest.fixture
def sharing(new_dovecot: Server) -> Dovecot:
    """A Dovecot on which folders can be shared."""
    server = new_dovecot(Settings(sharing=True))
    if version() >= (2, 4):
        pytest.skip("folders are shared here on Dovecot 2.3 only; this one is newer")
    return server


class TestSharingDovecot(SharingCases):
    """The cases of the suite that a plain Dovecot leaves out."""

    @pytest.fixture
    def profile(self, sharing: Dovecot, new_user: Accounts) -> Profile:
        user, place = new_user(), {"host": sharing.host, "port": sharing.port, "tls": "none"}
        return Profile(connector, Endpoint("box", "imap", place), Login(user, user, "secret"), colleague=new_user())


def told(client: imaplib.IMAP4, name: str) -> dict[str, str]:
    """The access control list, by an independent client."""
    words = client.getacl(name)[1][0].decode().split()[1:]
    return {who: "".join(sorted(rights)) for who, rights in zip(words[::2], words[1::2], strict=True)}


def note(client: imaplib.IMAP4, name: str, entry: str) -> bytes:
    """One note; the value comes as a literal or quoted, whatever the server prefers."""
    imaplib.Commands.setdefault("GETMETADATA", ("AUTH", "SELECTED"))
    client._simple_command("GETMETADATA", name, entry)
    return repr(client._untagged_response("OK", [None], "METADATA")[1]).encode()


@contextmanager
def shared(server: Dovecot | Cyrus, user: str, name: str, *grants: tuple[str, str]) -> Iterator[imaplib.IMAP4]:
    """A session of a user who shares this folder."""
    load(*server.access(user), {name: MAIL["Team"]})
    with session(*server.access(user)) as client:
        for who, rights in grants:
            assert client.setacl(name, who, rights)[0] == "OK"
        client.send(b"A1 SETMETADATA %s (/private/comment {%d+}\r\n%s)\r\n" % (name.encode(), len(GREETING), GREETING))
        assert client.readline().startswith(b"A1 OK")
        yield client


def test_from_dovecot_to_cyrus(sharing: Dovecot, cyrus_server: Cyrus, new_user: Accounts, tmp_path: Path) -> None:
    """Names are the plan's, a group is listed, a colour that Cyrus refuses is listed; what a dry run says, happens."""
    ann, bob, gone = new_user(), new_user(), "carol@old.test"
    new_bob = bob.replace("example.test", "new.test")
    cyrus_server.add(ann)
    grants = ((bob, "lrs"), (gone, "lrswite"), ("$staff", "lr"))
    with shared(sharing, ann, "Team", *grants) as client:
        client.send(b'A2 SETMETADATA Team (%s "#ff0000")\r\n' % COLOUR.encode())
        assert client.readline().startswith(b"A2 OK")
    boxes = ({"source": ann}, {"source": bob, "target": new_bob})
    cyrus_server.add(new_bob)
    project = between(sharing, cyrus_server, tmp_path, *boxes, addresses={"old.test": "new.test"})

    predictions = project.run("sync", "--dry-run").facts["predictions"]
    (predicted,) = [one["shared"] for one in predictions if one["target"] == ann]
    wanted = {new_bob: "lrs", "carol@new.test": "eilrstw"}
    assert predicted == [{"folder": ["Team"], "grants": wanted, "notes": ["/private/comment", COLOUR]}]
    run = project.run("sync")
    assert run.exit == 0
    with session(*cyrus_server.access(ann)) as client:
        rights = told(client, "INBOX/Team")
        assert rights.pop(ann)
        assert {who: set(some) - set("cd") for who, some in rights.items()} == {w: set(s) for w, s in wanted.items()}
        assert b"Gr\\xc3\\xbc\\xc3\\x9fe" in note(client, "INBOX/Team", "/private/comment")
    left = [(one["folder"], one["what"], one["name"]) for one in run.facts["mailboxes"][0]["left"]]
    assert left == [(["Team"], "grant", "$staff"), (["Team"], "note", COLOUR)]
    assert "Team: not copied: permission of $staff (lr: " in project.run("status", text=True).out

    with session(*cyrus_server.access(ann)) as client:
        assert client.deleteacl("INBOX/Team", new_bob)[0] == "OK"
        again = project.run("sync")
        assert new_bob not in told(client, "INBOX/Team")  # looked at once: what the user takes away stays away
    assert again.facts["mailboxes"][0]["left"] == run.facts["mailboxes"][0]["left"]


def test_from_cyrus_to_dovecot(sharing: Dovecot, cyrus_server: Cyrus, new_user: Accounts, tmp_path: Path) -> None:
    ann, bob = new_user(), new_user()
    for user in (ann, bob):
        cyrus_server.add(user)
    with shared(cyrus_server, ann, "INBOX/Team", (bob, "lrswipkxte"), ("anyone", "lr")):
        pass
    project = between(cyrus_server, sharing, tmp_path, ann, bob)
    run = project.run("sync")
    assert run.exit == 0
    with session(*sharing.access(ann)) as client:
        rights = told(client, "Team")
        assert set(rights.pop(ann)) >= set("lrswipkxtea")
        assert {who: set(some) - set("cd") for who, some in rights.items()} == {bob: set("lrswipkxte")}
        assert b"Gr\\xc3\\xbc\\xc3\\x9fe" in note(client, "Team", "/private/comment")
    assert [(one["what"], one["name"]) for one in run.facts["mailboxes"][0]["left"]] == [("grant", "anyone")]


def test_a_target_without_either_gets_a_list(
    sharing: Dovecot, new_dovecot: Server, new_user: Accounts, tmp_path: Path
) -> None:
    """And a plan that wants no permissions hears nothing of them."""
    ann, bob, new = new_user(), new_user(), new_dovecot(Settings())
    with shared(sharing, ann, "Team", (bob, "lr")):
        pass
    project = between(sharing, new, tmp_path, ann, include={"permissions": False})
    noted = ("note", "/private/comment")
    for wish, wanted in ((False, [noted]), (True, [("grant", bob), noted])):
        project.plan["include"]["permissions"] = wish
        project.save()
        run = project.run("sync")
        assert run.exit == 0
        assert [(one["what"], one["name"]) for one in run.facts["mailboxes"][0]["left"]] == wanted
