"""The read buffer: lines and literals come out the same however the network cuts them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.imap.scripted import PEER, Pieces, cut
from xdmigrate.errors import ConnectionLost, ProtocolError
from xdmigrate_imap.wire import BUFFER, LONGEST_LINE, Wire


def wire(*pieces: bytes) -> Wire:
    return Wire(Pieces(pieces), PEER)  # type: ignore[arg-type]


PARTS = st.lists(
    st.one_of(
        st.binary(max_size=80).map(lambda data: (True, data.replace(b"\n", b"").replace(b"\r", b""))),
        st.binary(max_size=300).map(lambda data: (False, data)),
    ),
    max_size=8,
)


@given(PARTS, st.lists(st.integers(0, 5000), max_size=12))
def test_lines_and_literals_survive_any_cutting(parts: list[tuple[bool, bytes]], at: list[int]) -> None:
    sent = b"".join(data + b"\r\n" if is_line else data for is_line, data in parts)
    reader = wire(*cut(sent, at))
    for is_line, data in parts:
        assert (reader.line() if is_line else reader.exactly(len(data))) == data
    with pytest.raises(ConnectionLost):
        reader.line()


def test_a_literal_larger_than_the_buffer_passes_through_in_views() -> None:
    data = bytes(range(256)) * (BUFFER // 100)
    reader = wire(*cut(data + b")\r\n", range(70_000, len(data), 70_001)))
    literal = reader.literal(len(data))
    assert b"".join(bytes(view) for view in literal.chunks()) == data
    assert reader.line() == b")"


def test_what_is_not_read_of_a_literal_is_skipped() -> None:
    reader = wire(b"0123456789" * 10 + b"next\r\n")
    literal = reader.literal(100)
    next(literal.chunks())
    literal.skip()
    assert reader.line() == b"next"


def test_a_reader_that_was_overtaken_never_takes_a_part_for_the_whole() -> None:
    reader = wire(b"01234", b"56789", b"next\r\n")
    literal = reader.literal(10)
    chunks = literal.chunks()
    next(chunks)
    literal.skip()
    with pytest.raises(RuntimeError):
        next(chunks)


@pytest.mark.parametrize("size", [BUFFER - 3, BUFFER - 2, BUFFER - 1, BUFFER, 3 * BUFFER, LONGEST_LINE - 2])
def test_a_long_line_makes_the_buffer_grow(size: int) -> None:
    """After another one, so that it does not begin where the buffer does; what comes behind it is not harmed."""
    line = bytes(range(48, 58)) * (size // 10) + b"z" * (size % 10)
    literal = b"a" * BUFFER + b"b"
    reader = wire(*cut(b"* first\r\n" + line + b"\r\n" + literal + b")\r\n", range(65_536, 5 * BUFFER, 65_536)))
    assert reader.line() == b"* first"
    assert reader.line() == line
    assert reader.exactly(len(literal)) == literal
    assert reader.line() == b")"


def test_a_line_beyond_the_bound_is_refused_and_the_connection_dropped() -> None:
    reader = wire(b"x" * (LONGEST_LINE + 10))
    with pytest.raises(ProtocolError, match="too long"):
        reader.line()
    assert not reader.is_open


def test_only_a_whole_line_counts_as_arrived() -> None:
    reader = wire(b"x1 O", b"K\r\n")
    assert not reader.arrived()
    assert not reader.arrived(), "the socket is not looked at again so soon"
    assert reader.arrived(urgent=True)
    assert reader.line() == b"x1 OK"


def test_what_comes_between_starttls_and_tls_is_refused() -> None:
    import ssl

    reader = wire(b"x1 OK begin\r\nx2 OK injected\r\n")
    reader.line()
    with pytest.raises(ProtocolError, match="STARTTLS"):
        reader.start_tls(ssl.create_default_context(), "imap.old.example")
    assert not reader.is_open


class Slow(Pieces):
    """A socket that gathers, and that takes a few octets at a time."""

    def __init__(self, at_once: int) -> None:
        super().__init__([])
        self.calls = 0
        self._at_once = at_once

    def sendmsg(self, pieces: list[memoryview]) -> int:
        self.calls += 1
        taken = b"".join(pieces)[: self._at_once]
        self.sent += taken
        return len(taken)


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 100))
def test_what_is_gathered_is_sent_whole_and_in_order(pieces: list[bytes], at_once: int) -> None:
    sock = Slow(at_once)
    Wire(sock, PEER).send_all([bytearray(piece) for piece in pieces])  # type: ignore[arg-type]
    assert bytes(sock.sent) == b"".join(pieces)
    assert sock.calls == -(-len(sock.sent) // at_once), "no call for nothing"


def test_where_nothing_gathers_small_pieces_are_joined_and_large_ones_are_not_copied() -> None:
    sock = Pieces([])
    sizes: list[int] = []
    sock.send = lambda data: sizes.append(len(data)) or len(data)  # type: ignore[func-returns-value, method-assign]
    Wire(sock, PEER).send_all([b"a" * 10, b"b" * 20, b"c" * 70_000, b"d"])  # type: ignore[arg-type]
    assert sizes == [30, 70_000, 1]


@pytest.fixture
def patient() -> Iterator[tuple[Wire, socket.socket]]:
    """A wire whose times the system keeps, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = Wire(ours, PEER)
        reader.idle = 0.05
        reader.rely_on_system()
        yield reader, theirs


def test_a_silent_server_is_lost_when_the_system_keeps_the_time(patient: tuple[Wire, socket.socket]) -> None:
    reader, theirs = patient
    theirs.sendall(b"x1 O")
    with pytest.raises(ConnectionLost, match="no answer"):
        reader.line()
    assert not reader.is_open


def test_a_server_that_takes_nothing_is_lost_when_the_system_keeps_the_time(
    patient: tuple[Wire, socket.socket],
) -> None:
    reader, _theirs = patient
    with pytest.raises(ConnectionLost, match="no answer"):
        reader.send_all([bytes(1 << 24)])


def test_a_look_never_waits_when_the_system_keeps_the_time(patient: tuple[Wire, socket.socket]) -> None:
    reader, theirs = patient
    assert not reader.arrived(urgent=True)
    theirs.sendall(b"x1 OK\r\n")
    assert reader.arrived(urgent=True)
    assert reader.line() == b"x1 OK"
    assert reader.is_open
