"""What is asked of a server about folders beside their messages: permissions, notes, and Cyrus's ids of mailboxes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk
from xdmigrate.contract import Declined
from xdmigrate.errors import AccessDenied
from xdmigrate.model import Folder, Sharing
from xdmigrate_imap.plugin import ImapConnector

BOX = Folder(("Box",), native="Box", validity=7)


def logged_in(capabilities: bytes, script: Callable[[Talk], object]) -> Scripted:
    def whole(talk: Talk) -> None:
        talk.log_in(capabilities)
        script(talk)

    return Scripted(whole)


def test_cyrus_is_asked_for_mailbox_ids_alone() -> None:
    """Asked for with other things, 3.6.1 answers with freed memory, which may hold anything."""

    def script(talk: Talk) -> None:
        assert b"MAILBOXID" not in talk.expect(
            b"LIST .*STATUS", b'* LIST () "/" Box', b"* STATUS Box (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)"
        )
        talk.expect(b"NAMESPACE", b'* NAMESPACE (("" "/")) NIL NIL')
        told = (b'* LIST () "/" Box', b"* STATUS Box (MAILBOXID (F1))", b"* STATUS New (MAILBOXID (F2))")
        talk.expect(rb'LIST "" "\*" RETURN \(STATUS \(MAILBOXID\)\)$', *told)
        assert b"MAILBOXID" not in talk.expect(b"STATUS", b"* STATUS Box (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)")

    with logged_in(b"LIST-STATUS NAMESPACE OBJECTID X-REPLICATION", script) as server:
        source = ImapConnector().source(server.endpoint, LOGIN)
        (box,) = source.folders()
        assert (box.ref, box.count) == (b"F1", 1)
        assert source.status(box).ref == b"F1"


def test_an_old_server_is_asked_in_its_letters() -> None:
    def script(talk: Talk) -> None:
        talk.expect(b'GETACL "Box"', b"* ACL Box ann lrswipcda bob lrd {5}", b"-c l  dz")
        assert talk.command() == b'SETACL "Box" "bob" "+dlr"'
        talk.ok()
        talk.command()
        talk.send(talk.tag + b" NO who?")

    with logged_in(b"ACL", script) as server:
        target = ImapConnector().target(server.endpoint, LOGIN)
        told = target.sharing(BOX)
        assert told.grants == {"ann": "aeiklprstwx", "bob": "elrt", "-c l ": "et"}
        declined = target.share(BOX, Sharing({"bob": "elrt", "carol": "k", "dave": "l"}))
    assert [one.name for one in declined] == ["carol", "dave"]
    assert declined[1] == Declined("dave", "who?")


@pytest.mark.parametrize("answer", [b" NO not yours", b" BAD what?"])
def test_a_server_that_does_not_tell_keeps_its_connection(answer: bytes) -> None:
    def script(talk: Talk) -> None:
        for _ in range(2):
            talk.command()
            talk.send(talk.tag + answer)
        talk.expect(b"STATUS", b"* STATUS Box (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)")

    with logged_in(b"ACL METADATA", script) as server:
        target = ImapConnector().target(server.endpoint, LOGIN)
        for _ in range(2):
            with pytest.raises(AccessDenied):
                target.sharing(BOX)
        assert target.status(BOX).count == 1


def test_notes_are_told_apart_from_the_servers_own_entries() -> None:
    def script(talk: Talk) -> None:
        talk.expect(
            rb'GETMETADATA \(MAXSIZE 4096 DEPTH infinity\) "Box" \(/private/comment ',
            b'* METADATA Box (/Private/Comment "x" /shared/comment NIL /shared/vendor/a/size "9")',
            b'* METADATA Box ("/shared/vendor/a/Color" {2}',
            b'\xc3\xa9 "/private/vendor/a/color" "")',
        )
        assert talk.command() == b'SETMETADATA "Box" ("/private/comment" "y")'
        talk.ok()

    with logged_in(b"METADATA", script) as server:
        target = ImapConnector().target(server.endpoint, LOGIN)
        assert target.sharing(BOX).notes == {"/private/comment": b"x", "/shared/vendor/a/color": "é".encode()}
        declined = target.share(BOX, Sharing(notes={"/private/comment": b"y", "/shared/comment": "é".encode()}))
    assert [one.name for one in declined] == ["/shared/comment"]  # needs a literal that the server does not take
