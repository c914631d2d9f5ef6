"""The FETCH stream: any order of attributes, any cutting, anything unsolicited in between, any reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.connectors.imap.scripted import conversation, cut
from xdmigrate.errors import ItemRefused, ProtocolError, XdmigrateError
from xdmigrate_imap.fetch import HEAD, WHOLE, Fetch, Message

DATE = b'" 5-Jan-2001 03:04:05 +0000"'


@dataclass(frozen=True)
class Sent:
    """A message as a server sends it."""

    uid: int
    flags: tuple[str, ...]
    body: bytes
    order: tuple[int, ...]
    how: int  # 0: literal; 1: quoted where that is possible

    def line(self, number: int) -> bytes:
        parts = [
            b"UID %d" % self.uid,
            b"FLAGS (" + " ".join(self.flags).encode() + b")",
            b"INTERNALDATE " + DATE,
            b"BODY[] " + self.spelt(),
            b"MODSEQ (12345)",
            b'X-GM-LABELS ("\\\\Inbox" {3}\r\na)b "c d")',
        ]
        return b"* %d FETCH (" % number + b" ".join(parts[place] for place in self.order) + b")\r\n"

    def spelt(self) -> bytes:
        if self.how and self.body.isascii() and not set(self.body) & set(b"\r\n\0"):
            return b'"' + self.body.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        return b"{%d}\r\n" % len(self.body) + self.body


SENT = st.builds(
    Sent,
    uid=st.integers(1, 2**32 - 1),
    flags=st.lists(st.sampled_from(["\\Seen", "\\Flagged", "$Forwarded", "work"]), unique=True).map(tuple),
    body=st.binary(max_size=400) | st.just(b"x2 OK fake\r\n)\r\n* 1 FETCH (UID 9 BODY[] {1}\r\nx)\r\n"),
    order=st.permutations(range(6)).map(tuple) | st.just((0, 1, 2, 3)),  # the latter is as usual
    how=st.integers(0, 1),
)
NOISE = st.sampled_from(
    [
        b"* 23 EXISTS\r\n",
        b"* 5 EXPUNGE\r\n",
        b"* OK still here\r\n",
        b"* 7 FETCH (FLAGS (\\Seen))\r\n",
        b"* 7 FETCH (UID 70 FLAGS ())\r\n",
        b"* LIST (\\HasNoChildren) \"/\" {5}\r\na)b\r\n\r\n",
        b"",
    ]
)  # fmt: skip


def whole(message: Message) -> bytes:
    return b"".join(bytes(chunk) for chunk in message.body.chunks()) if message.body is not None else b""


@given(st.lists(st.tuples(NOISE, SENT), max_size=5), NOISE, st.lists(st.integers(0, 4000), max_size=10))
def test_every_order_and_cutting_gives_the_same_messages(
    sent: list[tuple[bytes, Sent]], last: bytes, at: list[int]
) -> None:
    text = (
        b"".join(noise + each.line(number) for number, (noise, each) in enumerate(sent, 1)) + last + b"x1 OK done\r\n"
    )
    command = Fetch(conversation(cut(text, at)), b"UID", b"FETCH", b"1:*", WHOLE)
    got = [(m.uid, m.flags, m.date, m.body.size if m.body else -1, whole(m)) for m in command]
    date = datetime(2001, 1, 5, 3, 4, 5, tzinfo=UTC)
    assert got == [(each.uid, frozenset(each.flags), date, len(each.body), each.body) for _, each in sent]
    assert command.status is not None
    assert command.status.kind == "OK"


@given(st.lists(SENT, min_size=1, max_size=6), st.data())
def test_a_body_that_is_not_read_to_its_end_is_skipped(sent: list[Sent], data: st.DataObject) -> None:
    text = b"".join(each.line(number) for number, each in enumerate(sent, 1)) + b"x1 OK done\r\n"
    seen = []
    for message in Fetch(conversation(cut(text, range(0, len(text), 50))), b"UID", b"FETCH", b"1:*", WHOLE):
        seen.append(message.uid)
        assert message.body is not None
        if data.draw(st.booleans()) and message.body.size:
            next(iter(message.body.chunks()))
    assert seen == [each.uid for each in sent]


@given(st.lists(SENT, min_size=2, max_size=6), st.integers(0, 5), st.booleans())
def test_another_command_ends_the_stream_cleanly(sent: list[Sent], stop: int, begin_body: bool) -> None:
    text = b"".join(each.line(number) for number, each in enumerate(sent, 1)) + b"x1 OK done\r\n"
    talk = conversation(cut(text + b"* 1 EXISTS\r\nx2 OK again\r\n", range(0, len(text), 40)))
    command = Fetch(talk, b"UID", b"FETCH", b"1:*", WHOLE)
    messages = iter(command)
    for _ in range(stop % len(sent) + 1):
        message = next(messages)
    if begin_body and message.body is not None and message.body.size:
        next(iter(message.body.chunks()))
    assert talk.execute(b"NOOP").status.words == "again"
    assert list(messages) == []


@given(st.binary(max_size=300))
@example(b"* 1 FETCH (UID 1 FLAGS () INTERNALDATE NIL BODY[] {99999999}\r\n")
@example(b"* 1 FETCH (UID 99999999999 BODY[] NIL)\r\n")
@example(b"* 1 FETCH (BODY[] {1}\r\nx BODY[] {1}\r\ny UID 4)\r\n")
@example(b"* 1 FETCH (UID 5 BODY[] (a))\r\n")
@example(b"* 1 FETCH (UID 5 RFC822.SIZE (\r\n")
@example(b"* BYE going\r\n")
@example(b"x9 OK not asked\r\n")
def test_any_bytes_end_in_an_error_of_ours(data: bytes) -> None:
    command = Fetch(conversation([data]), b"UID", b"FETCH", b"1:*", WHOLE)
    with pytest.raises(XdmigrateError):
        list(map(whole, command))


def test_a_body_that_the_server_cannot_give_says_so_when_it_is_read() -> None:
    talk = conversation([b"* 1 FETCH (UID 5 FLAGS () INTERNALDATE NIL BODY[] NIL)\r\nx1 OK done\r\n"])
    [message] = Fetch(talk, b"UID", b"FETCH", b"5", WHOLE)
    with pytest.raises(ItemRefused) as refused:
        whole(message)
    assert refused.value.reason == "unreadable"


def test_a_large_body_before_its_uid_is_kept_on_the_disk() -> None:
    body = b"0123456789abcdef" * 40_000
    text = b"* 1 FETCH (BODY[] {%d}\r\n%s UID 8 FLAGS () INTERNALDATE NIL)\r\nx1 OK done\r\n" % (len(body), body)
    [message] = Fetch(conversation(cut(text, range(0, len(text), 9999))), b"UID", b"FETCH", b"8", WHOLE)
    assert message.uid == 8
    assert whole(message) == body


def test_the_spool_of_a_body_is_its_bytes() -> None:
    text = b"* 1 FETCH (UID 8 FLAGS () INTERNALDATE NIL BODY[] {5}\r\nhello)\r\nx1 OK done\r\n"
    for message in Fetch(conversation([text]), b"UID", b"FETCH", b"8", WHOLE):
        assert message.body is not None
        assert message.body.spool().read() == b"hello"
        with pytest.raises(RuntimeError):
            message.body.chunks()


def test_a_uid_beyond_32_bits_drops_the_connection() -> None:
    talk = conversation([b"* 1 FETCH (UID 4294967296 FLAGS ())\r\nx1 OK done\r\n"])
    with pytest.raises(ProtocolError):
        list(Fetch(talk, b"UID", b"FETCH", b"1", WHOLE))
    assert not talk.wire.is_open


HEADS = st.tuples(
    st.integers(0, 2**33), st.sampled_from([b"", b"\\Seen", b"\\Seen work", b"\\SEEN \\Recent"]),
    st.sampled_from([DATE, b'"31-Dec-1999 23:59:60 +0530"', b'"nonsense"', b"NIL", b'"30-Feb-2001 00:00:00 +0000"']),
    st.integers(0, 10**18 - 1),
)  # fmt: skip


@given(HEADS)
def test_a_head_is_read_the_same_in_one_step_and_taken_apart(head: tuple[int, bytes, bytes, int]) -> None:
    uid, flags, date, size = head
    usual = b"UID %d FLAGS (%b) INTERNALDATE %b RFC822.SIZE %d" % (uid, flags, date, size)
    other = b"RFC822.SIZE %d UID %d FLAGS (%b) INTERNALDATE %b" % (size, uid, flags, date)
    assert _told(usual) == _told(other)


def _told(attributes: bytes) -> object:
    talk = conversation([b"* 1 FETCH (" + attributes + b")\r\nx1 OK done\r\n"])
    try:
        return [(m.uid, m.flags, m.date, m.size) for m in Fetch(talk, b"UID", b"FETCH", b"1", HEAD)]
    except ProtocolError as error:
        return str(error)
