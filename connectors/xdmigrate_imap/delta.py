"""What changed in a folder since a cursor: CHANGEDSINCE and VANISHED (RFC 7162), ESEARCH for what is left (RFC 4731).

A server is believed only as far as its answers can be right. Whatever else it says ends in None, and the caller lists
the folder whole.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from xdmigrate.model import Folder
from xdmigrate_imap import tokens, uids
from xdmigrate_imap.conversation import Conversation
from xdmigrate_imap.fetch import Fetch, Message
from xdmigrate_imap.naming import shown
from xdmigrate_imap.peer import meaning
from xdmigrate_imap.session import Opened, Session
from xdmigrate_imap.tokens import Data, Malformed, Status, Value

MOST = 100_000
"""Changed messages held in memory, about 25 MB, and vanished ones that are named. Above, the folder is listed."""

SPAN = 150_000
"""UIDs that one command asks about: even if every other one has vanished, the answer fits into one line."""

FEW = 40_000
"""In a folder of so few messages the answer fits into one line however far its UIDs are apart."""

MOST_SPANS = 100

_CURSOR = struct.Struct(">IQQ")
_RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")

Range = tuple[int, int]
"""First and last UID."""


class Cursor(NamedTuple):
    """How far a folder has been seen: all below `next_uid`, with all changes up to `modseq`."""

    validity: int
    next_uid: int  # 0: not told
    modseq: int  # 0: the folder has no mod-sequences

    @classmethod
    def read(cls, stored: bytes) -> Self | None:
        """A cursor as it was stored; None for anything else."""
        return cls(*_CURSOR.unpack(stored)) if len(stored) == _CURSOR.size else None

    @classmethod
    def of(cls, opened: Opened) -> Self:
        """Where a folder stands that was just opened. Mod-sequences have 63 bits (RFC 7162 section 3.1)."""
        modseq = opened.modseq if opened.modseq < 2**63 else 0
        return cls(opened.validity, min(opened.next_uid, uids.MAX_UID + 1), modseq)

    def stored(self) -> bytes:
        """The cursor as opaque bytes."""
        return _CURSOR.pack(*self)

    def leads_to(self, now: Cursor) -> bool:
        """Whether `now` can have come after this: a server that went back was restored, and its ids mean others."""
        forward = now.next_uid >= self.next_uid > 0
        back = 0 < now.modseq < self.modseq
        return self.validity == now.validity > 0 and forward and not back


@dataclass(slots=True)
class Delta:
    """What a server told: messages in the order of their UIDs, and what has vanished."""

    messages: list[Message] = field(default_factory=list)
    vanished: list[Range] = field(default_factory=list)

    def named(self, below: int) -> tuple[int, ...] | None:
        """The vanished UIDs that can have been known, ascending; None when there are too many to name."""
        known = [(first, min(last, below - 1)) for first, last in self.vanished if first < below]
        if sum(last - first + 1 for first, last in known) > MOST:
            return None
        return tuple(sorted({uid for first, last in known for uid in range(first, last + 1)}))


class ChangedFetch(Fetch):
    """A FETCH whose VANISHED (EARLIER) is kept (RFC 7162 section 3.2.6)."""

    def __init__(self, conversation: Conversation, *command: bytes) -> None:
        self.vanished: list[Range] = []
        super().__init__(conversation, *command)

    def told(self, data: Data) -> None:
        if data.name == b"VANISHED" and len(data.values) == 2 and data.values[0] == [b"EARLIER"]:
            try:
                self.vanished += members(data.values[1])
            except Malformed as error:
                raise self._conversation.malformed(error) from error


class FlagsFetch(Fetch):
    """A FETCH of nothing but UIDs and flags."""

    def answers(self, message: Message) -> bool:
        return message.uid > 0 and message.flags is not None


def members(value: Value) -> list[Range]:
    """The ranges of a set, whatever their order. Raises Malformed."""
    found = []
    for part in tokens.text(value).split(b","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise Malformed("a set of UIDs is expected")
        ends = int(match[1]), int(match[2] or match[1])
        found.append((min(ends), max(ends)))
    return found


def spans(count: int, next_uid: int) -> list[Range] | None:
    """All UIDs below `next_uid` in pieces whose answers stay within bounds; None when there would be too many."""
    if count <= FEW:
        return [(1, next_uid - 1)] if next_uid > 1 else []
    if next_uid > MOST_SPANS * SPAN:
        return None
    return [(first, min(first + SPAN, next_uid) - 1) for first in range(1, next_uid, SPAN)]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be told of messages that changed after this mod-sequence."""

    modseq: int
    items: bytes
    vanished: bool  # with QRESYNC

    def about(self, span: Range) -> tuple[bytes, ...]:
        """The command."""
        since = b"(CHANGEDSINCE %d VANISHED)" if self.vanished else b"(CHANGEDSINCE %d)"
        return (b"UID", b"FETCH", b"%d:%d" % span, self.items, since % self.modseq)

    def at_once(self, folder: Folder) -> tuple[bytes, ...]:
        """The command that does for the whole folder as it was listed, to be sent ahead; nothing when one does not."""
        pieces = spans(folder.count, uids.floor_uid(folder.next_id)) if folder.next_id else None
        return self.about(pieces[0]) if pieces and len(pieces) == 1 else ()


def ask(session: Session, folder: Folder, question: Question, pieces: Sequence[Range]) -> Delta | None:
    """Ask the open folder; None when the server refuses, or when so much has changed that it is better listed."""
    delta = Delta()
    for first, last in pieces:
        fetch = ChangedFetch(session.conversation, *question.about((first, last)))
        found: dict[int, Message] = {}
        for message in fetch:
            if first <= message.uid <= last:
                found[message.uid] = message
            if len(delta.messages) + len(found) > MOST:
                return None
        if fetch.status is None or _refused(session, folder, fetch.status):
            return None
        delta.messages += (found[uid] for uid in sorted(found))
        delta.vanished += fetch.vanished
    return delta


def _refused(session: Session, folder: Folder, status: Status) -> bool:
    """Whether the server does not do this; raises where it is about something else, e.g. that it is overloaded."""
    if status.kind == "NO" and meaning(status.code, status.words):
        session.must(status, f"list the changes of folder {shown(folder)}")
    return status.kind != "OK"


def alive(session: Session, folder: Folder, pieces: Sequence[Range], count: int) -> Iterator[int]:
    """Every UID in the folder, ascending, by searches whose answers are ranges (RFC 4731).

    A server cannot have many more messages than it counts: ranges beyond that are nonsense.
    """
    left = 2 * count + MOST
    for first, last in pieces:
        session.open_folder(folder)
        criteria = (b"RETURN", b"(ALL)", b"UID", b"%d:%d" % (first, last))
        reply = session.command(f"search folder {shown(folder)}", b"UID", b"SEARCH", *criteria)
        with session.parsing():
            found = sorted(each for data in reply.named(b"ESEARCH") for each in _all(data))
            left -= sum(high - low + 1 for low, high in found)
            if left < 0:
                raise Malformed("a search finds more than there is")
        for low, high in found:
            yield from range(max(first, low), min(last, high) + 1)


def _all(data: Data) -> list[Range]:
    """The ALL of an ESEARCH response; there is none when nothing was found."""
    names = [each.upper() if isinstance(each, bytes) else each for each in data.values]
    at = names.index(b"ALL") if b"ALL" in names else len(names)
    return members(data.values[at + 1]) if at + 1 < len(names) else []
