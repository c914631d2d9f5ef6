"""APPEND commands on the wire: single or MULTIAPPEND (RFC 3502), pipelined as far as the server's literals allow.

A server that answers BAD to what stands before a non-synchronising literal does not consume that literal, and the
message behind it runs as commands (measured: a DELETE inside a body was executed). Therefore everything before a
literal is proven well-formed (`grammar.py`), what the server has not yet accepted on this connection waits for its
consent, and after a BAD in a pipeline nothing more is sent: the connection is dropped at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from xdmigrate.errors import ConnectionLost, XdmigrateError
from xdmigrate_imap.bodies import pieces
from xdmigrate_imap.conversation import Conversation
from xdmigrate_imap.grammar import Octets, astring
from xdmigrate_imap.tokens import Continuation, Status

TRUSTED_SIZE = 1 << 20
"""A larger body always waits for the server's consent, so that it can refuse before it is sent."""

_MAX_PROVEN = 4096
_GATHER = 256 * 1024


@dataclass(frozen=True, slots=True)
class Way:
    """How messages are sent."""

    items: int  # messages in one command
    octets: int  # message bytes in one command
    window: int  # commands unanswered
    careful: bool = False  # wait for consent before every literal and for every answer


MULTI = Way(items=200, octets=8_000_000, window=4)
SINGLE = Way(items=1, octets=0, window=32)
CAREFUL = Way(items=1, octets=0, window=1, careful=True)


@dataclass(slots=True)
class Entry:
    """One message ready to be sent."""

    ticket: int
    flags: bytes  # "(…)" or empty
    date: bytes  # quoted, or empty
    odd_date: bool
    data: bytes | BinaryIO
    size: int

    @property
    def held(self) -> int:
        """Bytes of it in memory."""
        return self.size if isinstance(self.data, bytes) else 0

    def octets(self) -> Iterator[bytes | memoryview]:
        if isinstance(self.data, bytes):
            yield self.data
        else:
            yield from pieces(self.data)


@dataclass(slots=True)
class Batch:
    """The messages of one command, with their size and how much of it is in memory, in bytes."""

    entries: list[Entry] = field(default_factory=list)
    octets: int = 0
    held: int = 0

    @classmethod
    def of(cls, entries: list[Entry]) -> Batch:
        """A batch of these messages."""
        return cls(entries, sum(entry.size for entry in entries), sum(entry.held for entry in entries))

    def add(self, entry: Entry) -> None:
        """Put one more message at its end."""
        self.entries.append(entry)
        self.octets += entry.size
        self.held += entry.held

    def halves(self) -> tuple[Batch, Batch]:
        """The same messages in two batches."""
        middle = len(self.entries) // 2
        return Batch.of(self.entries[:middle]), Batch.of(self.entries[middle:])


class Appender:
    """Sends batches to one mailbox; `answered` hears of each batch's answer, in the order in which they come."""

    def __init__(
        self,
        conversation: Conversation,
        name: bytes,
        *,
        way: Way,
        proven: set[tuple[bytes, bytes]],
        answered: Callable[[Batch, Status], None],
        alarm: Callable[[], None],
    ) -> None:
        self.way = way
        self._conversation = conversation
        self._wire = conversation.wire
        self._name = name
        self._proven = proven  # (mailbox, flags) that this server took on this connection
        self._answered = answered
        self._alarm = alarm  # told of a BAD in a pipeline
        self._unanswered: dict[bytes, Batch] = {}
        self.held = 0  # bytes of unanswered messages in memory
        self._sending = b""  # tag of the command that is not sent to its end
        self._out: list[bytes | memoryview] = []
        self._gathered = 0

    @property
    def busy(self) -> bool:
        """Whether answers are outstanding."""
        return bool(self._unanswered)

    def send(self, batch: Batch) -> None:
        """Send one command, after waiting for room in the window. Raises ConnectionLost, Throttled, ProtocolError."""
        while len(self._unanswered) >= self.way.window:
            self.wait()
        if self._conversation.unfinished != self.wait_for_all:
            self._conversation.finish_others()
            self._conversation.unfinished = self.wait_for_all
        tag = self._sending = self._conversation.tag()
        self._unanswered[tag] = batch
        self.held += batch.held
        if self._transmit(tag, batch):
            self._gather(b"\r\n")
            self._flush()
        self._sending = b""
        if self.way.careful:
            self.wait_for_all()

    def take_arrived(self) -> None:
        """Take the answers that are there; never waits."""
        while self._unanswered and self._wire.arrived():
            self._take()

    def wait(self) -> None:
        """Wait for one answer."""
        before = len(self._unanswered)
        while self._unanswered and len(self._unanswered) == before:
            self._take()

    def wait_for_all(self) -> None:
        """Wait for every answer."""
        while self._unanswered:
            self._take()
        if self._conversation.unfinished == self.wait_for_all:
            self._conversation.unfinished = None

    def abandon(self) -> None:
        """Forget what is under way. Inside a command the connection has to go; else its answers are read later."""
        if self._sending:
            self._wire.close()
        self._answered = _ignore

    def _transmit(self, tag: bytes, batch: Batch) -> bool:
        """Everything but the end of the line; False when the server refused before a literal."""
        name = astring(self._name)
        self._gather(tag + b" APPEND ")
        if isinstance(name, Octets) and not self._announce(len(name), consent=False):
            return False
        self._gather(bytes(name))
        for entry in batch.entries:
            self._gather(b" " + entry.flags + b" " * bool(entry.flags) + entry.date + b" " * bool(entry.date))
            if not self._announce(entry.size, consent=self._needs_consent(entry)):
                return False
            self._prove(entry)
            for chunk in entry.octets():
                self._gather(chunk)
        return True

    def _needs_consent(self, entry: Entry) -> bool:
        unproven = (self._name, entry.flags) not in self._proven
        return unproven or entry.odd_date or entry.size > TRUSTED_SIZE or self.way.careful

    def _prove(self, entry: Entry) -> None:
        if len(self._proven) >= _MAX_PROVEN:
            self._proven.clear()
        self._proven.add((self._name, entry.flags))

    def _announce(self, size: int, *, consent: bool) -> bool:
        """Announce a literal and, where it is a synchronising one, wait for the server's word."""
        if not consent and size <= self._conversation.literals:
            self._gather(b"{%d+}\r\n" % size)
            return True
        self._gather(b"{%d}\r\n" % size)
        self._flush()
        while self._sending in self._unanswered:
            if self._take():
                return True
        return False

    def _gather(self, data: bytes | memoryview) -> None:
        self._out.append(data)
        self._gathered += len(data)
        if self._gathered >= _GATHER:
            self._flush()
            self.take_arrived()
            if self._sending not in self._unanswered:
                raise self._untimely()

    def _flush(self) -> None:
        out, self._out, self._gathered = self._out, [], 0
        self._wire.send(b"".join(out))

    def _take(self) -> bool:
        """One response; whether it asks for the literal."""
        response = self._conversation.receive()
        if isinstance(response, Status) and response.tag:
            batch = self._unanswered.pop(response.tag, None)
            if batch is None:
                raise self._wire.broken("answered a command that was not asked")
            if response.kind == "BAD" and not self.way.careful:
                raise self._bad(response)
            self.held -= batch.held
            self._answered(batch, response)
        return isinstance(response, Continuation)

    def _bad(self, status: Status) -> XdmigrateError:
        self._wire.close()
        self._alarm()
        cause = f"answered BAD to an APPEND, so the connection was dropped: {status.words}"
        return self._conversation.peer.error(ConnectionLost, cause, "what was under way is looked up, then sent singly")

    def _untimely(self) -> XdmigrateError:
        """An answer before the command's end: the rest of it could be taken for commands."""
        return self._wire.lost("answered an APPEND before its end, so the connection was dropped")


def _ignore(_batch: Batch, _status: Status) -> None:
    """Nobody waits for this answer any more."""
