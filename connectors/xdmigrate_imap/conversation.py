"""Commands and answers on one connection (RFC 3501 section 2.2), by our own bounded parser.

Everything after login is said here: names need literals and streams need pipelining, which imaplib has not. A stream
or a writer that has answers outstanding registers in `unfinished`; any other command first lets it come to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from xdmigrate.errors import XdmigrateError
from xdmigrate_imap import tokens
from xdmigrate_imap.grammar import Octets
from xdmigrate_imap.peer import Peer
from xdmigrate_imap.tokens import Continuation, Data, Malformed, Response, Status
from xdmigrate_imap.wire import Wire

PIPELINE = 50
"""Commands sent before their answers are read."""

MAX_UNTAGGED = 200_000
"""Responses to one command."""

MAX_REPLY = 64 << 20
"""Octets of them, where they are collected."""


class Literals(IntEnum):
    """Largest non-synchronising literal that the server takes."""

    SYNCHRONISING = 0
    MINUS = 4096  # LITERAL- (RFC 7888 section 5)
    PLUS = 2**63 - 1  # LITERAL+


@dataclass(slots=True)
class Reply:
    """A tagged answer, and what came before it."""

    status: Status
    data: list[Data] = field(default_factory=list)
    notices: list[Status] = field(default_factory=list)  # untagged OK, NO, BAD

    @property
    def ok(self) -> bool:
        return self.status.kind == "OK"

    def named(self, name: bytes) -> list[Data]:
        """The untagged responses of this name."""
        return [each for each in self.data if each.name == name]


class Conversation:
    """Sends commands and reads responses. Raises ConnectionLost, Throttled and ProtocolError."""

    def __init__(self, wire: Wire, literals: Literals = Literals.SYNCHRONISING) -> None:
        self.wire = wire
        self.literals = literals
        self.unfinished: Callable[[], None] | None = None
        self._tags = 0

    @property
    def peer(self) -> Peer:
        """Whom we talk to."""
        return self.wire.peer

    def tag(self) -> bytes:
        """A tag that was not used before; imaplib's have four letters."""
        self._tags += 1
        return b"x%d" % self._tags

    def marker(self, size: int) -> bytes:
        """Announces a literal, non-synchronising where the server takes that."""
        return b"{%d+}\r\n" % size if size <= self.literals else b"{%d}\r\n" % size

    def execute(self, *parts: bytes) -> Reply:
        """Send one command and read its answer, whatever it says."""
        self.finish_others()
        tag = self.tag()
        refused = self._send(tag, parts)
        return refused or self._reply(tag)

    def execute_many(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """Send several commands that do not depend on each other, without a round trip for each."""
        replies: list[Reply] = []
        for start in range(0, len(commands), PIPELINE):
            batch = commands[start : start + PIPELINE]
            if any(isinstance(part, Octets) and len(part) > self.literals for parts in batch for part in parts):
                replies += [self.execute(*parts) for parts in batch]
                continue
            self.finish_others()
            tags = [self.tag() for _ in batch]
            self.wire.send(b"".join(self._line(tag, parts) for tag, parts in zip(tags, batch, strict=True)))
            replies += [self._reply(tag) for tag in tags]
        return replies

    def start(self, *parts: bytes) -> bytes:
        """Send a command whose answers the caller reads; returns its tag."""
        self.finish_others()
        tag = self.tag()
        self.wire.send(self._line(tag, parts))
        return tag

    def finish_others(self) -> None:
        """Let whoever has answers outstanding take them."""
        finish, self.unfinished = self.unfinished, None
        if finish is not None:
            finish()

    def receive(self) -> Response:
        """The next whole response. A BYE raises the error that it means."""
        return self.interpret(self.wire.line())

    def interpret(self, line: bytes) -> Response:
        """The response that begins with this line."""
        try:
            response = tokens.response(line, self._more)
        except Malformed as error:
            raise self.malformed(error) from error
        if isinstance(response, Status) and response.kind == "BYE" and not response.tag:
            self.wire.close()
            raise self.peer.farewell(response.words)
        return response

    def skip_to(self, tag: bytes) -> None:
        """Read over everything up to this command's answer, bodies included."""
        while not (line := self.wire.line()).startswith(tag + b" "):
            self.skip_rest(line)

    def skip_rest(self, line: bytes) -> None:
        """Read over the literals of the response that `line` belongs to."""
        while (size := tokens.literal_size(line)) is not None:
            self.wire.literal(size).skip()
            line = self.wire.line()

    def malformed(self, error: Malformed) -> XdmigrateError:
        """Drop the connection for a response that cannot be right; returns the error to raise."""
        return self.wire.broken(f"sent what IMAP does not allow: {error}")

    def _more(self, size: int) -> tuple[bytes, bytes]:
        return self.wire.exactly(size), self.wire.line()

    def _line(self, tag: bytes, parts: Sequence[bytes]) -> bytes:
        """A whole command whose literals, if any, need no consent."""
        shown = [self.marker(len(part)) + part if isinstance(part, Octets) else part for part in parts]
        return b" ".join((tag, *shown)) + b"\r\n"

    def _send(self, tag: bytes, parts: Sequence[bytes]) -> Reply | None:
        """Send a command; the answer, when it was refused before one of its literals."""
        held = tag
        for part in parts:
            held += b" "
            if isinstance(part, Octets) and len(part) > self.literals:
                self.wire.send(held + self.marker(len(part)))
                refused = self._consent(tag)
                if refused is not None:
                    return refused
                held = bytes(part)
            elif isinstance(part, Octets):
                held += self.marker(len(part)) + part
            else:
                held += part
        self.wire.send(held + b"\r\n")
        return None

    def _consent(self, tag: bytes) -> Reply | None:
        while not isinstance(response := self.receive(), Continuation):
            if isinstance(response, Status) and response.tag:
                self._must_be(tag, response)
                return Reply(response)
        return None

    def _reply(self, tag: bytes) -> Reply:
        data: list[Data] = []
        notices: list[Status] = []
        limit = self.wire.received + MAX_REPLY
        while len(data) + len(notices) < MAX_UNTAGGED and self.wire.received < limit:
            response = self.receive()
            if isinstance(response, Data):
                data.append(response)
            elif isinstance(response, Status):
                if response.tag:
                    self._must_be(tag, response)
                    return Reply(response, data, notices)
                notices.append(response)
        raise self.wire.broken("answers without end")

    def _must_be(self, tag: bytes, response: Status) -> None:
        if response.tag != tag:
            raise self.wire.broken("answered a command that was not asked")
