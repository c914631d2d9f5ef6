"""The writer of the contract: bodies are held, gathered into commands, and each ticket gets its receipt."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from xdmigrate.contract import BUFFERED_BODY, Accepted, Receipt, Refused, Stored
from xdmigrate.errors import ItemRefused, XdmigrateError
from xdmigrate.model import Folder, Head, Item
from xdmigrate_imap import grammar, uids
from xdmigrate_imap.appending import Appender, Batch, Entry, Way
from xdmigrate_imap.bodies import IN_FLIGHT, hold
from xdmigrate_imap.naming import shown, wire_name
from xdmigrate_imap.peer import meaning
from xdmigrate_imap.session import Session
from xdmigrate_imap.tokens import Status

LARGE = 4
"""A body above its writer's share of memory divided by this is spooled."""

EAGER = 8
"""The first command of a pipeline is a full one divided by this."""

DETAIL = 200
"""Characters of the server's words in a receipt."""

_TOO_BIG = re.compile(
    r"too (?:big|large|long)|(?:size|length) (?:limit|exceed)|exceed\w* (?:\w+ ){0,4}size", re.IGNORECASE
)
_BAD_FLAG = re.compile(r"\b(?:flag|keyword)s?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a writer writes."""

    way: Way
    permitted: frozenset[str] | None  # PERMANENTFLAGS of the folder, lower-case; None: all
    size_limit: int | None
    tells_uids: bool  # UIDPLUS
    dropped: Counter[str]  # counts the flags that cannot be sent or that the folder does not keep
    alarm: Callable[[], None]  # called when a BAD ended a pipeline
    calm: Callable[[], None]  # called when a range went well


class ImapWriter:
    """A `Writer` for one range. After an error `poll` still gives the receipts that had come before it."""

    def __init__(self, session: Session, folder: Folder, terms: Terms) -> None:
        self._session = session
        self._folder = folder
        self._terms = terms
        self._flags: dict[frozenset[str], tuple[bytes, frozenset[str]]] = {}
        self._batch = Batch()
        self._again: deque[Batch] = deque()
        self._receipts: list[Receipt] = []
        self._refusal: XdmigrateError | None = None
        self._appender = Appender(
            session.conversation,
            wire_name(folder),
            way=terms.way,
            proven=session.proven,
            answered=self._on_answer,
            alarm=terms.alarm,
        )

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:  # noqa: ARG002 -- mail never changes
        self._raise_refusal()
        size, limit = item.body.size, self._terms.size_limit
        if limit is not None and size > limit:
            self._receipts.append(Refused(ticket, "too-big", f"the server takes up to {limit} bytes"))
            return
        self._make_room(size)
        entry = self._entry(ticket, item)
        if not self._has_room_for(entry):
            self._send_batch()
        self._batch.add(entry)
        if self._is_full():
            self._send_batch()
        self._appender.take_arrived()
        self._raise_refusal()

    def poll(self) -> list[Receipt]:
        if self._session.conversation.wire.is_open:
            self._appender.take_arrived()
        receipts, self._receipts = self._receipts, []
        return receipts

    def flush(self) -> list[Receipt]:
        self._raise_refusal()
        self._send_batch()
        self._appender.wait_for_all()
        while self._again and self._refusal is None:
            self._appender.send(self._again.popleft())
            self._appender.wait_for_all()
        self._raise_refusal()
        return self.poll()

    def __enter__(self) -> Self:
        IN_FLIGHT.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._receipts = self.flush()
        finally:
            IN_FLIGHT.leave()
            self._appender.abandon()
            self._batch = Batch()
            self._again.clear()
        if kind is None:
            self._terms.calm()

    def _entry(self, ticket: int, item: Item) -> Entry:
        head = item.head
        known = self._flags.get(head.flags)
        if known is None:
            known = self._flags[head.flags] = self._flags_of(head.flags)
        self._terms.dropped.update(known[1])
        date = grammar.format_date(head.date) if head.date else b""
        data = hold(item.body.chunks(), item.body.size, self._buffered())
        size = len(data) if isinstance(data, (bytes, bytearray)) else data.tell()
        if size != item.body.size:  # never store a part of a message as if it were the message
            raise ItemRefused(f"{size} of {item.body.size} bytes could be read", reason="unreadable")
        odd = head.date is not None and not grammar.is_ordinary(head.date)
        return Entry(ticket, known[0], date, odd, data, size)

    def _flags_of(self, flags: frozenset[str]) -> tuple[bytes, frozenset[str]]:
        """A flag list as it is sent, and what had to be left out of it."""
        sent = grammar.sendable(flags, self._terms.permitted)
        return grammar.flag_list(sent) if sent else b"", grammar.left_out(flags, sent)

    def _buffered(self) -> int:
        """Size of the largest body that is kept in memory."""
        return max(BUFFERED_BODY, IN_FLIGHT.share // LARGE)

    def _make_room(self, size: int) -> None:
        """Let the server take what is in memory until this body fits in as well."""
        if size > self._buffered():
            return
        while self._held() + size > IN_FLIGHT.share and self._refusal is None:
            if not self._appender.busy:
                self._send_batch()
            if not self._appender.busy:
                return
            self._appender.wait()

    def _has_room_for(self, entry: Entry) -> bool:
        """An empty message would cancel a MULTIAPPEND (RFC 3502 section 6.3.11), so it goes alone."""
        return not self._batch.entries or (entry.size > 0 and self._batch.octets + entry.size <= self._terms.way.octets)

    def _is_full(self) -> bool:
        """A server with nothing to do gets a small command at once; while it works the next one grows to full size."""
        batch, way = self._batch, self._terms.way
        part = 1 if self._appender.busy else EAGER
        items, octets = len(batch.entries) * part, batch.octets * part
        return items >= way.items or octets >= way.octets or not batch.entries[-1].size

    def _send_batch(self) -> None:
        batch, self._batch = self._batch, Batch()
        if batch.entries:
            self._appender.send(batch)
        while self._again and self._refusal is None:
            self._appender.send(self._again.popleft())

    def _held(self) -> int:
        return self._appender.held + self._batch.held + sum(batch.held for batch in self._again)

    def _on_answer(self, batch: Batch, status: Status) -> None:
        if status.kind == "OK":
            self._receipts += self._kept(batch.entries, status)
        elif meaning(status.code, status.words):
            doing = f"write to folder {shown(self._folder)}"
            self._refusal = self._session.peer.refusal(doing, status.code, status.words)
        elif len(batch.entries) == 1:
            detail = self._session.peer.clean(status.words, DETAIL)
            self._receipts.append(Refused(batch.entries[0].ticket, _reason(status), detail))
        else:  # MULTIAPPEND is atomic: nothing of it is stored, and halves of it find the message that is refused
            self._again += batch.halves()

    def _kept(self, batch: list[Entry], status: Status) -> list[Receipt]:
        """APPENDUID names the new UIDs in order (RFC 4315 section 3); without it the engine lists the folder."""
        validity, _, named = status.arguments.partition(b" ")
        expected = b"%d" % self._folder.validity if self._folder.validity else validity
        if status.code == "APPENDUID" and self._terms.tells_uids and validity == expected:
            found = uids.expand(named.strip(), len(batch))
            if found is not None:
                return [Stored(entry.ticket, uids.ref(uid)) for entry, uid in zip(batch, found, strict=True)]
        return [Accepted(entry.ticket) for entry in batch]

    def _raise_refusal(self) -> None:
        """The mailbox has to stop; first every answer that is still to come is heard."""
        if self._refusal is not None:
            with contextlib.suppress(XdmigrateError):
                self._appender.wait_for_all()
            raise self._refusal


def _reason(status: Status) -> str:
    if status.code == "TOOBIG" or _TOO_BIG.search(status.words):
        return "too-big"
    return "bad-flag" if _BAD_FLAG.search(status.words) else "refused"
