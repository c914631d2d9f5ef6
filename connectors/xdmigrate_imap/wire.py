"""The bytes of one connection: a bounded read buffer that everything on the connection reads through.

imaplib reads its lines through it too (see `client.py`), so there is one reader and nothing is ever left behind in
another buffer. Literals are handed out as views of the buffer, never collected.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Sequence

from xdmigrate.errors import XdmigrateError
from xdmigrate_imap.pace import Pace
from xdmigrate_imap.peer import Peer

BUFFER = 1 << 18
"""Read buffer in bytes: a copy has eight connections, and larger ones made nothing faster (measured)."""

LONGEST_LINE = 1 << 20
"""Bytes; the buffer grows to so many where it has to, e.g. for the answer to a SEARCH."""

IDLE_SECONDS = 120.0
"""A server that says nothing, or takes nothing, for so long is lost."""

_SEND = 256 * 1024
"""Bytes given to one send: `IDLE_SECONDS` is granted to each, so a slow link never times out while it moves."""

LOOK_SECONDS = 0.005
"""`arrived` looks at the socket no more often than this, because a look costs as much as a small message."""

_TOGETHER = 64 * 1024
"""Pieces below this are joined for TLS, which makes a record of each write."""

_ROOM = 64 * 1024
_VECTOR = 512
"""Pieces in one call; systems take 1024 and POSIX promises 16."""

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_TIMEVAL = struct.Struct("@ll")


class Wire:
    """One connection. Raises ConnectionLost when it ends, ProtocolError for a line beyond the bounds."""

    def __init__(self, sock: socket.socket, peer: Peer) -> None:
        self.peer = peer
        self.sock = sock
        self.idle = IDLE_SECONDS
        self.received = self.sent = 0  # octets in all
        self._reading, self._writing = Pace(self.idle), Pace(self.idle)
        self._open = True
        self._patient = False
        self._looked = 0.0
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        return self._open

    def rely_on_system(self) -> None:
        """Let the system end what takes longer than `idle`, where it can: nobody else sets this socket's timeout now.

        Python's own timeout asks `poll` before each read and write, which took a tenth of a copy's CPU time (measured).
        """
        if isinstance(self.sock, ssl.SSLSocket) or os.name != "posix":
            return
        self.sock.settimeout(None)
        span = _TIMEVAL.pack(*divmod(round(self.idle * 1e6), 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, span)
        self._patient = True

    def line(self) -> bytes:
        """The next line without its end."""
        searched = 0
        if self._start == self._end:
            self._reading.begin()
        while (at := self._buffer.find(b"\n", self._start + searched, self._end)) < 0:
            searched = self._end - self._start
            self._fill()
        line = bytes(self._view[self._start : at])
        self._start = at + 1
        return line[:-1] if line.endswith(b"\r") else line

    def literal(self, size: int) -> Literal:
        """The next `size` octets, to be read or skipped before anything else is read."""
        return Literal(self, size)

    def exactly(self, size: int) -> bytes:
        """The next `size` octets in one piece."""
        return b"".join(bytes(view) for view in self.literal(size).chunks())

    def take(self, most: int) -> memoryview:
        """At least one and at most `most` octets; the view is valid until the next read."""
        if self._start == self._end:
            self._fill()
        begin = self._start
        self._start = min(self._end, begin + most)
        return self._view[begin : self._start]

    def arrived(self, *, urgent: bool = False) -> bool:
        """Whether a whole line is there; takes in what the socket holds, and never waits.

        Unless it is `urgent` the socket is looked at only now and then.
        """
        if self._has_line():
            return True
        now = time.monotonic()
        if not urgent and now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        self._make_room()
        try:
            self._end += self._taken(self._look())
        except _WOULD_BLOCK:
            return False
        return self._has_line()

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything. Raises ConnectionLost or Throttled with the server's last words, where it said any."""
        self._check_open()
        view = memoryview(data)
        self._writing.begin()
        try:
            while view:
                view = view[self._written(self.sock.send(view[:_SEND])) :]
        except OSError as error:
            raise self._last_words(error) from error

    def send_all(self, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """As `send`, these one behind the other; the system gathers them, so that large ones are not copied."""
        if isinstance(self.sock, ssl.SSLSocket) or not hasattr(self.sock, "sendmsg"):
            for block in _blocks(pieces):
                self.send(block)
            return
        self._check_open()
        left = [memoryview(piece) for piece in pieces if piece]
        self._writing.begin()
        try:
            while left:
                _drop(left, self._written(self.sock.sendmsg(left[:_VECTOR])))
        except OSError as error:
            raise self._last_words(error) from error

    def _written(self, count: int) -> int:
        self.sent += count
        if not self._writing.passed(count):
            raise self.lost("the server takes a byte now and then")
        return count

    def start_tls(self, context: ssl.SSLContext, host: str) -> socket.socket:
        """Go on in TLS. What came in plaintext behind the server's OK is an injection and is refused (RFC 8314)."""
        if self._start != self._end:
            raise self.broken("sent data between STARTTLS and TLS")
        self.sock = context.wrap_socket(self.sock, server_hostname=host)
        return self.sock

    def close(self) -> None:
        """Drop the connection. Never raises."""
        self._open = False
        try:
            self.sock.close()
        except OSError:
            return

    def broken(self, cause: str) -> XdmigrateError:
        """Drop the connection for this fault of the server and return the error to raise."""
        self.close()
        return self.peer.protocol(cause)

    def lost(self, cause: str) -> XdmigrateError:
        """Drop the connection and return the error to raise."""
        self.close()
        return self.peer.lost(cause)

    def _has_line(self) -> bool:
        return self._buffer.find(b"\n", self._start, self._end) >= 0

    def _check_open(self) -> None:
        if not self._open:
            raise self.peer.lost("the connection was dropped")

    def _fill(self) -> None:
        self._check_open()
        self._make_room()
        try:
            count = self._taken(self.sock.recv_into(self._view[self._end :]))
            self._end += count
        except OSError as error:
            raise self.lost(reason(error, self.sock.gettimeout() or self.idle)) from error
        if not self._reading.passed(count):
            raise self.lost("the server says a byte now and then")

    def _look(self) -> int:
        """Read without waiting. Raises one of _WOULD_BLOCK when there is nothing."""
        if self._patient:
            return self.sock.recv_into(self._view[self._end :], 0, socket.MSG_DONTWAIT)
        self.sock.settimeout(0)
        try:
            return self.sock.recv_into(self._view[self._end :])
        finally:
            self.sock.settimeout(self.idle)

    def _taken(self, count: int) -> int:
        if not count:
            raise self.lost("the server closed the connection")
        self.received += count
        return count

    def _make_room(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        elif len(self._buffer) - self._end < _ROOM and self._start:
            self._move_into(self._view)
        if self._end == len(self._buffer):
            if self._end >= LONGEST_LINE:
                raise self.broken("sent a line that is too long")
            self._buffer = bytearray(LONGEST_LINE)
            self._move_into(memoryview(self._buffer))

    def _move_into(self, view: memoryview) -> None:
        """What is held goes to the beginning of this buffer."""
        held = self._end - self._start
        view[:held] = self._view[self._start : self._end]
        self._view, self._start, self._end = view, 0, held

    def _last_words(self, error: OSError) -> XdmigrateError:
        """A server that ends a connection while we send has often said why."""
        try:
            while self.arrived(urgent=True):
                line = self.line()
                if line[:6].upper() == b"* BYE ":
                    self.close()
                    return self.peer.farewell(line[6:].decode("utf-8", "replace"))
        except (OSError, XdmigrateError):
            self.close()
        return self.lost(reason(error, self.idle))


class Literal:
    """Octets that the server announced and that must be read or skipped before the next line."""

    __slots__ = ("_skipped", "_wire", "left", "size")

    def __init__(self, wire: Wire, size: int) -> None:
        self._wire = wire
        self.size = size
        self.left = size
        self._skipped = False

    def chunks(self) -> Iterator[memoryview]:
        """What is left of it; each view is valid until the next one is asked for."""
        while self.left:
            view = self._wire.take(self.left)
            self.left -= len(view)
            yield view
        if self._skipped:  # a reader that was overtaken must not take a part for the whole
            raise RuntimeError("a body can be read only until its session is asked for something else")

    def skip(self) -> None:
        """Read over what is left."""
        self._skipped = self.left > 0
        while self.left:
            self.left -= len(self._wire.take(self.left))


def _blocks(pieces: Sequence[bytes | bytearray | memoryview]) -> Iterator[bytes | bytearray | memoryview]:
    """The same octets in fewer pieces: small ones are joined."""
    small: list[bytes | bytearray | memoryview] = []
    for piece in pieces:
        if len(piece) < _TOGETHER:
            small.append(piece)
            continue
        if small:
            yield b"".join(small)
            small = []
        yield piece
    if small:
        yield b"".join(small)


def _drop(pieces: list[memoryview], count: int) -> None:
    """Take so many octets away from the front."""
    whole = 0
    while whole < len(pieces) and count >= len(pieces[whole]):
        count -= len(pieces[whole])
        whole += 1
    del pieces[:whole]
    if count:
        pieces[0] = pieces[0][count:]


def reason(error: OSError, idle: float = IDLE_SECONDS) -> str:
    """The cause of a failed read or write in words."""
    if isinstance(error, (TimeoutError, BlockingIOError)):
        return f"no answer for {idle:.0f} seconds"
    return error.strerror or type(error).__name__
