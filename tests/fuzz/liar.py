"""A server made from bytes: what it says to each command, how its words are cut, and what it claims to know."""

from __future__ import annotations

import re
from collections import deque

BETWEEN = b"\x1e"
"""Separates what is said to one command from what is said to the next."""

CAPABILITIES = (
    "LITERAL+ UIDPLUS MULTIAPPEND UNSELECT LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE",
    "LITERAL+ MULTIAPPEND UNSELECT CONDSTORE QRESYNC ESEARCH NAMESPACE OBJECTID",
    "LITERAL+ UIDPLUS MOVE CONDSTORE ESEARCH LIST-STATUS LIST-EXTENDED NAMESPACE ACL QUOTA",
    "LITERAL- UIDPLUS MULTIAPPEND APPENDLIMIT=5000",
    "",
    "X-GM-EXT-1 UIDPLUS NAMESPACE UNSELECT LITERAL+ MULTIAPPEND OBJECTID",
)

_COMMAND = re.compile(rb"(?:\A|\r\n)(x\d+) [A-Z]")
_MARKER = re.compile(rb"\{(\d+)(\+?)\}$")
_BEGINS = re.compile(rb"x\d+ [A-Z]+([ \r]|$)")


class Liar:
    """The socket of such a server. It never waits: when it has nothing left to say, the connection has ended."""

    def __init__(self, script: bytes, *, step: int, helpful: bool) -> None:
        self.sent = bytearray()
        self.closed = False
        self._script = deque(script.split(BETWEEN))
        self._step = step
        self._helpful = helpful  # answers every command with OK, whatever it has said before
        self._ready = bytearray(self._next())

    def send(self, data: bytes | bytearray | memoryview) -> int:
        said = bytes(data)
        self.sent += said
        for found in _COMMAND.finditer(said):
            self._ready += self._next()
            if self._helpful:
                self._ready += found[1] + b" OK [APPENDUID 7 1:3] done\r\n"
        marker = _MARKER.search(said.removesuffix(b"\r\n"))
        if marker is not None and not marker[2]:
            self._ready += b"+ go on\r\n"
        return len(said)

    def recv_into(self, view: memoryview) -> int:
        piece = self._ready[: min(len(view), self._step)]
        del self._ready[: len(piece)]
        view[: len(piece)] = piece
        return len(piece)

    def settimeout(self, seconds: float) -> None:
        """Never waits anyway."""

    def gettimeout(self) -> float:
        return 0.0

    def close(self) -> None:
        self.closed = True

    def _next(self) -> bytes:
        return self._script.popleft() if self._script else b""


def commands(sent: bytes, bodies: set[bytes]) -> list[bytes]:
    """What a server hears: the first line of each command, literals read over. Raises AssertionError for other bytes.

    A literal that waits for consent may have been refused, and then the next command follows: so it was unless it is
    one of `bodies`, or what follows is no command (it is a name, then).
    """
    found: list[bytes] = []
    at, inside = 0, False
    while (end := sent.find(b"\r\n", at)) >= 0:
        line, at = sent[at:end], end + 2
        if not inside:
            assert _BEGINS.match(line), f"the client was made to send {line[:80]!r}"
            found.append(line)
        marker = _MARKER.search(line)
        inside = marker is not None
        if marker is not None and not marker[2] and sent[at : at + int(marker[1])] not in bodies:
            inside = _BEGINS.match(sent, at) is None
        if marker is not None and inside:
            at += int(marker[1])
    return found
