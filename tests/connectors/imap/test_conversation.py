"""Commands that travel together: what is sent ahead is read or read over, and what is owed matters to nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk, conversation
from xdmigrate.errors import FolderUnusable, ProtocolError
from xdmigrate.model import Folder
from xdmigrate_imap.conversation import Conversation, Literals
from xdmigrate_imap.grammar import Octets
from xdmigrate_imap.plugin import ImapConnector

BOX = Folder(("Box",), native="Box", validity=7, count=3)
HEAD = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE " 5-Jan-2001 03:04:05 +0000" RFC822.SIZE 5)'
BODY = b"* 1 FETCH (UID 1 FLAGS () INTERNALDATE NIL BODY[] {17}\r\nx9 OK\r\nx4 BAD x\r\n)"


def sent(talk: Conversation) -> bytes:
    return bytes(talk.wire.sock.sent)  # type: ignore[attr-defined]


def pair(talk: Talk) -> tuple[bytes, bytes]:
    """Two commands that came together: the tags of EXAMINE and of the FETCH behind it."""
    assert talk.command().startswith(b"EXAMINE")
    examine = talk.tag
    assert talk.command().startswith(b"UID FETCH"), "sent before the first answer"
    return examine, talk.tag


def opened(tag: bytes, validity: int = 7) -> list[bytes]:
    return [b"* 3 EXISTS", b"* OK [UIDVALIDITY %d] valid" % validity, b"* OK [UIDNEXT 4] next", tag + b" OK done"]


def test_opening_a_folder_and_asking_for_its_messages_is_one_round_trip() -> None:
    def script(talk: Talk) -> None:
        talk.log_in()
        examine, fetch = pair(talk)
        talk.send(*opened(examine), HEAD, fetch + b" OK done")

    with Scripted(script) as server:
        assert [head.size for head in ImapConnector().source(server.endpoint, LOGIN).heads(BOX)] == [5]


def refused(talk: Talk, examine: bytes, fetch: bytes) -> None:
    talk.send(examine + b" NO [NONEXISTENT] no such mailbox", fetch + b" BAD no mailbox is selected")


def answered_for_another(talk: Talk, examine: bytes, fetch: bytes) -> None:
    """A server that keeps the former mailbox open (against RFC 3501 section 6.3.1)."""
    talk.send(examine + b" NO no such mailbox", HEAD, BODY, fetch + b" OK done")


def rebuilt(talk: Talk, examine: bytes, fetch: bytes) -> None:
    talk.send(*opened(examine, validity=8), HEAD, BODY, fetch + b" OK done")
    talk.expect(b"UNSELECT")


@pytest.mark.parametrize("answer", [refused, answered_for_another, rebuilt], ids=lambda answer: answer.__name__)
def test_what_was_asked_ahead_of_a_folder_that_cannot_be_read_is_never_believed(
    answer: Callable[[Talk, bytes, bytes], None],
) -> None:
    def script(talk: Talk) -> None:
        talk.log_in(b"NAMESPACE UNSELECT")
        answer(talk, *pair(talk))
        talk.expect(b"STATUS", b"* STATUS Other (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 4)")

    with Scripted(script) as server:
        session = ImapConnector().source(server.endpoint, LOGIN)
        with pytest.raises(FolderUnusable):
            list(session.heads(BOX))
        assert session.status(Folder(("Other",), native="Other")).count == 2, "the connection is still in order"


def test_a_folder_that_has_grown_beyond_one_window_is_listed_in_windows_after_all() -> None:
    def script(talk: Talk) -> None:
        talk.log_in()
        examine, fetch = pair(talk)
        talk.send(b"* 90000 EXISTS", b"* OK [UIDNEXT 90001] next", examine + b" OK done", HEAD, fetch + b" OK done")
        talk.expect(b"UID SEARCH", b"* SEARCH 90000")
        talk.expect(b"UID SEARCH", b"* SEARCH 1")
        talk.expect(b"UID FETCH 1:90000", HEAD)

    with Scripted(script) as server:
        folder = Folder(("Box",), native="Box", count=3)
        assert len(list(ImapConnector().source(server.endpoint, LOGIN).heads(folder))) == 1


def test_an_answer_that_does_not_matter_may_say_no_and_may_come_at_any_time() -> None:
    talk = conversation([b"x2 BAD what?\r\n* 1 EXISTS\r\nx1 OK again\r\nx3 OK third\r\n"])
    talk.owe(b"UNSELECT")
    assert talk.execute(b"NOOP").status.words == "again"
    assert talk.execute(b"NOOP").status.words == "third", "it is owed once"
    assert sent(talk) == b"x2 UNSELECT\r\nx1 NOOP\r\nx3 NOOP\r\n"


def test_what_is_forgiven_is_not_sent() -> None:
    talk = conversation([b"x1 OK done\r\n"])
    talk.owe(b"UNSELECT")
    talk.forgive()
    talk.execute(b"NOOP")
    assert sent(talk) == b"x1 NOOP\r\n"


def test_what_is_owed_goes_before_the_first_of_many() -> None:
    talk = conversation([b"x3 OK left\r\nx1 OK a\r\nx2 OK b\r\n"])
    talk.owe(b"UNSELECT")
    assert [reply.status.words for reply in talk.execute_many([(b"NOOP",), (b"CHECK",)])] == ["a", "b"]
    assert sent(talk).startswith(b"x3 UNSELECT\r\n")


def test_nothing_is_sent_behind_a_literal_that_waits_for_consent() -> None:
    talk = conversation([b"+ go\r\nx1 OK open\r\nx2 OK done\r\n"], Literals.SYNCHRONISING)
    ahead = (b"UID", b"FETCH", b"1", b"(UID)")
    assert talk.execute(b"EXAMINE", Octets(b"B\xfcx"), ahead=ahead).ok
    assert sent(talk) == b"x1 EXAMINE {3}\r\nB\xfcx\r\n"
    assert talk.start(*ahead) == b"x2", "it is sent when it is begun"


def test_an_answer_to_nothing_drops_the_connection() -> None:
    talk = conversation([b"x7 OK what?\r\n"])
    talk.owe(b"UNSELECT")
    with pytest.raises(ProtocolError):
        talk.execute(b"NOOP")
    assert not talk.wire.is_open
