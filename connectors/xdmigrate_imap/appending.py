"""APPEND commands on the wire: single or MULTIAPPEND (RFC 3502), pipelined as far as the server's literals allow.

A server that answers BAD to what stands before a non-synchronising literal does not consume that literal, and the
message behind it runs as commands (measured: a DELETE inside a body was executed). Therefore everything before a
literal is proven well-formed (`grammar.py`); a mailbox, a flag or a size that the server has not yet accepted on this
connection, and a date out of the ordinary, wait for its consent; and after a BAD in a pipeline nothing more is sent:
the connection is dropped at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from xdmigrate.contract import BUFFERED_BODY
from xdmigrate.errors import ConnectionLost, XdmigrateError
from xdmigrate_imap.bodies import Octets as Held
from xdmigrate_imap.bodies import pieces
from xdmigrate_imap.conversation import Conversation
from xdmigrate_imap.grammar import Octets, astring
from xdmigrate_imap.tokens import Continuation, Status

TRUSTED_SIZE = 8_000_000
"""A body that is larger than this, and than all that this server took, waits for consent: it may refuse the size before
it is sent. No server of ours has a lower limit (Exchange's is 10 MB); one that tells APPENDLIMIT is never sent more.
"""

_MAX_PROVEN = 4096
"""Words that are remembered as accepted."""

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
    data: Held | BinaryIO
    size: int

    @property
    def held(self) -> int:
        """Bytes of it in memory."""
        return self.size if isinstance(self.data, (bytes, bytearray)) else 0


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


class Proven:
    """What a server has accepted in front of a literal on one connection.

    Each flag counts by itself: a list is parsed flag by flag, so one of accepted flags is accepted as well.
    """

    def __init__(self) -> None:
        self._size = TRUSTED_SIZE
        self._names: set[bytes] = set()
        self._lists: set[bytes] = set()
        self._flags: set[bytes] = set()

    def covers(self, name: bytes, entry: Entry) -> bool:
        """Whether it is as good as certain that the server takes this message's literal."""
        known = entry.flags in self._lists or self._flags.issuperset(_flags(entry))
        return known and name in self._names and entry.size <= self._size and not entry.odd_date

    def add(self, name: bytes, entry: Entry) -> None:
        """The server gave its consent to this message's literal."""
        for words in (self._names, self._lists, self._flags):
            if len(words) >= _MAX_PROVEN:
                words.clear()
        self._size = max(self._size, entry.size)
        self._names.add(name)
        self._lists.add(entry.flags)
        self._flags.update(_flags(entry))


def _flags(entry: Entry) -> list[bytes]:
    return entry.flags[1:-1].split()


class Appender:
    """Sends batches to one mailbox; `answered` hears of each batch's answer, in the order in which they come."""

    def __init__(
        self,
        conversation: Conversation,
        name: bytes,
        *,
        way: Way,
        proven: Proven,
        answered: Callable[[Batch, Status], None],
        alarm: Callable[[], None],
    ) -> None:
        self.way = way
        self._conversation = conversation
        self._wire = conversation.wire
        self._name = name
        self._proven = proven
        self._answered = answered
        self._alarm = alarm  # told of a BAD in a pipeline
        self._unanswered: dict[bytes, Batch] = {}
        self.held = 0  # bytes of unanswered messages in memory
        self._sending = b""  # tag of the command that is not sent to its end
        self._out: list[bytes | bytearray | memoryview] = []
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

    def take_arrived(self, *, urgent: bool = False) -> None:
        """Take the answers that are there, or that were there a moment ago unless it is `urgent`; never waits."""
        while self._unanswered and self._wire.arrived(urgent=urgent):
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
        self._gather(self._conversation.settle() + tag + b" APPEND ")
        if isinstance(name, Octets) and not self._announce(len(name), consent=False):
            return False
        self._gather(bytes(name))
        for entry in batch.entries:
            self._gather(b" " + entry.flags + b" " * bool(entry.flags) + entry.date + b" " * bool(entry.date))
            certain = self._proven.covers(self._name, entry)
            if not self._announce(entry.size, consent=self.way.careful or not certain):
                return False
            if not certain:
                self._proven.add(self._name, entry)
            self._gather_body(entry)
        return True

    def _gather_body(self, entry: Entry) -> None:
        """A large one in pieces: between them it is seen when the server answers before the command's end."""
        if entry.size <= BUFFERED_BODY and isinstance(entry.data, (bytes, bytearray)):
            self._gather(entry.data)
            return
        for piece in pieces(entry.data):
            self._gather(piece)

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

    def _gather(self, data: bytes | bytearray | memoryview) -> None:
        self._out.append(data)
        self._gathered += len(data)
        if self._gathered >= _GATHER:
            self._flush()
            self.take_arrived(urgent=True)
            if self._sending not in self._unanswered:
                raise self._untimely()

    def _flush(self) -> None:
        out, self._out, self._gathered = self._out, [], 0
        self._wire.send_all(out)

    def _take(self) -> bool:
        """One response, even one that does not matter: whoever knows of one line must not wait for the next.

        Tells whether it asks for the literal.
        """
        response = self._conversation.interpret(self._wire.line())
        if isinstance(response, Status) and response.tag and not self._conversation.is_indifferent(response):
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
