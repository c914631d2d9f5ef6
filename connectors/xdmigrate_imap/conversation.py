"""Commands and answers on one connection (RFC 3501 section 2.2), by our own bounded parser.

Everything after login is said here: names need literals and streams need pipelining, which imaplib has not. A stream
or a writer that has answers outstanding registers in `unfinished`; any other command first lets it come to its end.

Two things spare round trips. A command may be sent *ahead*, behind the one that it depends on (UID FETCH behind
EXAMINE); its answers are read when it is begun, and read over when it never is: a server that refuses the first one
refuses the second or answers it for another mailbox (RFC 3501 section 6.3.1). And a command may be *owed*: it travels
with the next one, and what it answers does not matter.
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

MAX_COLLECTED = 1_000_000
"""Values of them, where they are collected: some 100 MB at most."""


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
        self._untagged = 0  # responses since the last that answered a command
        self._owed: tuple[bytes, ...] = ()
        self._indifferent: set[bytes] = set()  # tags of owed commands that are sent and not answered
        self._ahead: tuple[bytes, tuple[bytes, ...]] | None = None  # tag and command

    @property
    def peer(self) -> Peer:
        """Whom we talk to."""
        return self.wire.peer

    @property
    def commands(self) -> int:
        """How many were sent."""
        return self._tags

    def tag(self) -> bytes:
        """A tag that was not used before; imaplib's have four letters."""
        self._tags += 1
        return b"x%d" % self._tags

    def marker(self, size: int) -> bytes:
        """Announces a literal, non-synchronising where the server takes that."""
        return b"{%d+}\r\n" % size if size <= self.literals else b"{%d}\r\n" % size

    def execute(self, *parts: bytes, ahead: Sequence[bytes] = ()) -> Reply:
        """Send one command and read its answer, whatever it says. What is sent `ahead` is begun by `start`."""
        self.finish_others()
        tag = self.tag()
        if not ahead or self._waits(parts) or self._waits(ahead):
            refused = self._send(tag, parts)
            return refused or self._reply(tag)
        following = self.tag()
        self.wire.send(self.settle() + self._line(tag, parts) + self._line(following, ahead))
        reply = self._reply(tag)
        self._ahead = following, tuple(ahead)
        self.unfinished = self._skip_ahead
        return reply

    def owe(self, *parts: bytes) -> None:
        """Send this command, which has no literals, with the next one, and do not care for its answer."""
        self._owed = parts

    def forgive(self) -> None:
        """The command that is owed need not be sent any more."""
        self._owed = ()

    def settle(self) -> bytes:
        """The line of the command that is owed, or nothing; whoever takes it sends it at once."""
        owed, self._owed = self._owed, ()
        if not owed:
            return b""
        tag = self.tag()
        self._indifferent.add(tag)
        return self._line(tag, owed)

    def is_indifferent(self, answer: Response) -> bool:
        """Whether this answers a command whose answer does not matter."""
        if not isinstance(answer, Status) or answer.tag not in self._indifferent:
            return False
        self._indifferent.remove(answer.tag)
        return True

    def execute_many(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """Send several commands that do not depend on each other, without a round trip for each."""
        replies: list[Reply] = []
        for start in range(0, len(commands), PIPELINE):
            batch = commands[start : start + PIPELINE]
            if any(map(self._waits, batch)):
                replies += [self.execute(*parts) for parts in batch]
                continue
            self.finish_others()
            tags = [self.tag() for _ in batch]
            lines = [self._line(tag, parts) for tag, parts in zip(tags, batch, strict=True)]
            self.wire.send(self.settle() + b"".join(lines))
            replies += [self._reply(tag) for tag in tags]
        return replies

    def start(self, *parts: bytes) -> bytes:
        """Send a command whose answers the caller reads, unless it was sent ahead; returns its tag."""
        if self._ahead is not None and self._ahead[1] == parts:
            tag, self._ahead, self.unfinished = self._ahead[0], None, None
            return tag
        self.finish_others()
        tag = self.tag()
        self.wire.send(self.settle() + self._line(tag, parts))
        return tag

    def finish_others(self) -> None:
        """Let whoever has answers outstanding take them."""
        finish, self.unfinished = self.unfinished, None
        if finish is not None:
            finish()

    def receive(self) -> Response:
        """The next whole response that matters. A BYE raises the error that it means."""
        while self.is_indifferent(response := self.interpret(self.wire.line())):
            pass
        return response

    def interpret(self, line: bytes) -> Response:
        """The response that begins with this line."""
        try:
            response = tokens.response(line, self._more)
        except Malformed as error:
            raise self.malformed(error) from error
        if isinstance(response, Status) and response.kind == "BYE" and not response.tag:
            self.wire.close()
            raise self.peer.farewell(response.words, response.code)
        self._count(response)
        return response

    def _count(self, response: Response) -> None:
        """Nobody waits for ever for a server that talks without answering."""
        self._untagged = 0 if isinstance(response, Status) and response.tag else self._untagged + 1
        if self._untagged > MAX_UNTAGGED:
            raise self.wire.broken("talks without end")

    def skip_to(self, tag: bytes) -> None:
        """Read over everything up to this command's answer, bodies included."""
        for _ in range(MAX_UNTAGGED):
            line = self.wire.line()
            if line.startswith(tag + b" "):
                return
            self.skip_rest(line)
        raise self.wire.broken("answers without end")

    def skip_rest(self, line: bytes) -> None:
        """Read over the literals of the response that `line` belongs to."""
        for _ in range(tokens.MAX_VALUES):
            size = tokens.literal_size(line)
            if size is None:
                return
            if size > tokens.MAX_BODY:
                raise self.malformed(Malformed("a literal is too long"))
            self.wire.literal(size).skip()
            line = self.wire.line()
        raise self.malformed(Malformed("a response has too many values"))

    def malformed(self, error: Malformed) -> XdmigrateError:
        """Drop the connection for a response that cannot be right; returns the error to raise."""
        return self.wire.broken(f"sent what IMAP does not allow: {error}")

    def _skip_ahead(self) -> None:
        if self._ahead is not None:
            tag, self._ahead = self._ahead[0], None
            self.skip_to(tag)

    def _waits(self, parts: Sequence[bytes]) -> bool:
        """Whether a command has a literal that needs consent."""
        return any(isinstance(part, Octets) and len(part) > self.literals for part in parts)

    def _more(self, size: int) -> tuple[bytes, bytes]:
        return self.wire.exactly(size), self.wire.line()

    def _line(self, tag: bytes, parts: Sequence[bytes]) -> bytes:
        """A whole command whose literals, if any, need no consent."""
        shown = [self.marker(len(part)) + part if isinstance(part, Octets) else part for part in parts]
        return b" ".join((tag, *shown)) + b"\r\n"

    def _send(self, tag: bytes, parts: Sequence[bytes]) -> Reply | None:
        """Send a command; the answer, when it was refused before one of its literals."""
        held = self.settle() + tag
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
        limit, left = self.wire.received + MAX_REPLY, MAX_COLLECTED
        while len(data) + len(notices) < MAX_UNTAGGED and self.wire.received < limit and left > 0:
            response = self.receive()
            if isinstance(response, Data):
                data.append(response)
                left -= response.count
            elif isinstance(response, Status):
                if response.tag:
                    self._must_be(tag, response)
                    return Reply(response, data, notices)
                notices.append(response)
        raise self.wire.broken("answers without end")

    def _must_be(self, tag: bytes, response: Status) -> None:
        if response.tag != tag:
            raise self.wire.broken("answered a command that was not asked")
