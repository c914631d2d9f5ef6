"""A server that says exactly what a test tells it to, in a thread, and a socket that gives bytes in chosen pieces."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from types import TracebackType
from typing import Self

from xdmigrate.contract import BUFFERED_BODY
from xdmigrate.model import Endpoint, Head, Item, Login
from xdmigrate_imap.conversation import Conversation, Literals
from xdmigrate_imap.peer import Peer
from xdmigrate_imap.wire import Wire

LOGIN = Login("ann@example.test", "ann@example.test", "hunter2")
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")


class Talk:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")
        self.tag = b""
        self.seen: list[bytes] = []

    def send(self, *lines: bytes) -> None:
        self._sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def raw(self, data: bytes) -> None:
        self._sock.sendall(data)

    def line(self) -> bytes:
        line = self._file.readline()
        assert line.endswith(b"\r\n"), f"the client ended the connection after {self.seen[-3:]}"
        self.seen.append(line[:-2])
        return line[:-2]

    def octets(self, count: int) -> bytes:
        return self._file.read(count)

    def at_end(self) -> bool:
        """Whether the client has closed the connection without another byte."""
        return self._file.read(1) == b""

    def command(self, *, consent: bool = True) -> bytes:
        """One whole command without its tag; literals are asked for, and shown in place."""
        line = self.line()
        self.tag, _, whole = line.partition(b" ")
        while found := _LITERAL.search(whole):
            if not found[2] and consent:
                self.send(b"+ go on")
            whole += b"\r\n" + self.octets(int(found[1])) + self.line()
        return whole

    def expect(self, pattern: bytes, *answer: bytes) -> bytes:
        """A command that matches; then these lines, and OK."""
        whole = self.command()
        assert re.match(pattern, whole, re.DOTALL), f"{whole!r} is not {pattern!r}"
        self.ok(*answer)
        return whole

    def ok(self, *lines: bytes, text: bytes = b"OK done") -> None:
        self.send(*lines, self.tag + b" " + text)

    def log_in(self, capabilities: bytes = b"") -> None:
        """Greeting, and a login by SASL PLAIN after which the server can do this."""
        self.greet()
        assert self.command() == b"AUTHENTICATE PLAIN"
        self.send(b"+ ")
        self.line()
        self.send(b"* CAPABILITY IMAP4rev1 " + capabilities)
        self.ok()

    def greet(self, capabilities: bytes = b"AUTH=PLAIN") -> None:
        self.send(b"* OK ready")
        self.expect(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 " + capabilities)

    def select(self, exists: int = 0, *, flags: bytes = b"\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*") -> bytes:
        """SELECT or EXAMINE of a folder with UIDVALIDITY 7."""
        return self.expect(
            b"(SELECT|EXAMINE) ",
            b"* %d EXISTS" % exists,
            b"* OK [PERMANENTFLAGS (" + flags + b")] kept",
            b"* OK [UIDVALIDITY 7] valid",
            b"* OK [UIDNEXT %d] next" % (exists + 1),
        )


class Scripted:
    """Runs one script for each connection, in order; a failing script fails the test."""

    def __init__(self, *scripts: Callable[[Talk], None]) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(5)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    @property
    def endpoint(self) -> Endpoint:
        port = self._listener.getsockname()[1]
        return Endpoint("old", "imap", {"host": "127.0.0.1", "port": port, "tls": "none"})

    def _run(self) -> None:
        try:
            for script in self._scripts:
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                try:
                    script(Talk(connection))
                finally:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                    connection.close()
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            self._failure = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(15)
        self._listener.close()
        if self._failure is not None:
            raise AssertionError("the script failed") from self._failure
        assert not self._thread.is_alive(), "the script has not ended"


class Pieces:
    """A socket that gives the server's bytes in these pieces and remembers what was sent."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._left = [piece for piece in pieces if piece]
        self.sent = bytearray()
        self.closed = False

    def recv_into(self, view: memoryview) -> int:
        if not self._left:
            return 0
        piece = self._left[0][: len(view)]
        self._left[0] = self._left[0][len(piece) :]
        if not self._left[0]:
            self._left.pop(0)
        view[: len(piece)] = piece
        return len(piece)

    def send(self, data: memoryview) -> int:
        self.sent += data
        return len(data)

    def settimeout(self, seconds: float) -> None:
        """Never waits anyway."""

    def close(self) -> None:
        self.closed = True


PEER = Peer("old", "imap.old.example:993", "ann@example.test")


def conversation(pieces: Iterable[bytes], literals: Literals = Literals.PLUS) -> Conversation:
    """A conversation whose server has said all this already."""
    return Conversation(Wire(Pieces(pieces), PEER), literals)  # type: ignore[arg-type]


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """The bytes in pieces that end at these positions."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


class Held:
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def chunks(self) -> Iterable[memoryview]:
        step = BUFFERED_BODY
        return (memoryview(self._data)[start : start + step] for start in range(0, self.size, step))


def item(data: bytes, *flags: str) -> Item:
    """A message without a date."""
    return Item(Head(b"\0\0\0\1", len(data), frozenset(flags)), Held(data))  # type: ignore[arg-type]
