"""The accounts of the scripted server: mailboxes, and messages that may be shown in several of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from tests.connectors.imap.dialect.speech import Dialect
from xdmigrate_imap.grammar import format_date

WHEN = format_date(datetime(2024, 3, 5, 6, 7, 8, tzinfo=UTC))
_VIEWS = {rb"\All", rb"\Flagged", rb"\Important"}
_ENDS = {rb"\Trash", rb"\Junk"}


class Refusal(Exception):
    """A command gets this answer, e.g. b"NO [TRYCREATE] no such mailbox"."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(slots=True)
class Message:
    """What a message is, wherever it is shown."""

    number: int  # X-GM-MSGID
    data: bytes
    date: bytes
    flags: set[bytes]


@dataclass(slots=True)
class Shown:
    """A message in one mailbox."""

    uid: int
    message: Message
    modseq: int
    deleted: bool = False

    @property
    def flags(self) -> set[bytes]:
        return self.message.flags | ({rb"\Deleted"} if self.deleted else set())


@dataclass(slots=True)
class Box:
    """One mailbox."""

    name: bytes
    validity: int
    use: bytes = b""
    selectable: bool = True
    subscribed: bool = False
    next_uid: int = 1
    modseq: int = 1
    shown: dict[int, Shown] = field(default_factory=dict)

    def show(self, message: Message) -> int:
        """Give the message a UID here."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.shown[uid] = Shown(uid, message, self.touch())
        return uid

    def uid_of(self, message: Message) -> int | None:
        """The UID of a message that is shown here already."""
        return next((uid for uid, shown in self.shown.items() if shown.message is message), None)

    def touch(self) -> int:
        """The next modification sequence."""
        self.modseq += 1
        return self.modseq


class Account:
    """One user's mailboxes, under the rules of the dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.boxes: dict[bytes, Box] = {}
        self._numbers = count(1_700_000_001)
        self._validities = count(1_400_000_001)
        self._open(dialect.inbox)
        for name in dialect.parents:
            self._open(name).selectable = False
        for name, use in dialect.special.items():
            self._open(name).use = use

    # --- mailboxes ------------------------------------------------------------------------------------------------

    def key(self, name: bytes) -> bytes:
        """INBOX has no case anywhere; other names where the dialect folds them."""
        if name.upper() == b"INBOX":
            return b"INBOX"
        return name.lower() if self.dialect.folds_case else name

    def find(self, name: bytes) -> Box | None:
        return self.boxes.get(self.key(name))

    def box(self, name: bytes, *, missing: bytes = b"NO [NONEXISTENT] no such mailbox") -> Box:
        """The mailbox. Raises Refusal with the answer for a name that is not there, or that cannot be."""
        found = self.find(name)
        if found is None or not found.selectable:
            self._allow(name, told=self.dialect.tells_forbidden)
            raise Refusal(missing)
        return found

    def create(self, name: bytes, use: bytes = b"") -> Box:
        """CREATE, with its parents."""
        separator = self.dialect.separator
        name = name.removesuffix(separator) if separator else name
        self._allow(name, told=True)
        found = self.find(name)
        if found is not None and found.selectable:
            raise Refusal(b"NO [ALREADYEXISTS] it is there already")
        name = self.dialect.stored_as(name)
        if (found := self.find(name)) is not None and found.selectable:
            raise Refusal(b"NO [ALREADYEXISTS] it is there already")
        for parent in self._above(name):
            if self.find(parent) is None:
                self._open(parent)
        box = self._open(name)
        box.selectable, box.use = True, use
        return box

    def rename(self, old: bytes, new: bytes) -> None:
        """RENAME, with everything below."""
        moved = self.box(old)
        self._allow(new, told=True)
        if self.find(new) is not None:
            raise Refusal(b"NO [ALREADYEXISTS] it is there already")
        below = moved.name + (self.dialect.separator or b"\0")
        for box in [each for each in self.boxes.values() if each is moved or each.name.startswith(below)]:
            del self.boxes[self.key(box.name)]
            box.name = new + box.name[len(old) :]
            self.boxes[self.key(box.name)] = box

    def remove(self, name: bytes) -> None:
        """DELETE, whatever is in it."""
        del self.boxes[self.key(self.box(name).name)]

    def renumber(self) -> None:
        """Every mailbox gets a new UIDVALIDITY and new UIDs, as a bridge does after a restart."""
        for box in self.boxes.values():
            box.validity = next(self._validities)
            box.next_uid += 17
            shown, box.shown = list(box.shown.values()), {}
            for each in shown:
                box.shown[box.show(each.message)].deleted = each.deleted

    def _open(self, name: bytes) -> Box:
        key = self.key(name)
        if key not in self.boxes:
            self.boxes[key] = Box(name, next(self._validities))
        return self.boxes[key]

    def _above(self, name: bytes) -> list[bytes]:
        separator = self.dialect.separator
        if not separator or not name.startswith(self.dialect.prefix):
            return []
        rest = name.removeprefix(self.dialect.prefix)
        levels = rest.split(separator)
        return [self.dialect.prefix + separator.join(levels[:depth]) for depth in range(1, len(levels))]

    def _allow(self, name: bytes, *, told: bool) -> None:
        dialect = self.dialect
        below = any(name.upper().startswith(each.upper() + dialect.separator) for each in dialect.childless)
        wrong = not name or below or (dialect.forbidden is not None and dialect.forbidden.search(name))
        if wrong and told and name.upper() != b"INBOX":
            raise Refusal(dialect.forbidden_answer)

    # --- messages -------------------------------------------------------------------------------------------------

    def add(self, box: Box, data: bytes, flags: Iterable[bytes] = (), date: bytes = WHEN) -> int:
        """Keep a message; returns its UID. With labels an equal one is the same one."""
        data, flags = self.dialect.rewrite(data), {flag for flag in flags if flag != rb"\Deleted"}
        message = self._known(data) if self.dialect.labels else None
        if message is None:
            message = Message(next(self._numbers), data, date, flags)
        self._view(message, box)
        return box.uid_of(message) or box.show(message)

    def label(self, message: Message, *names: bytes) -> None:
        """Show a message in more mailboxes."""
        for box in map(self.box, names):
            if box.uid_of(message) is None:
                box.show(message)

    def expunge(self, box: Box, uids: Iterable[int]) -> None:
        """Take messages out of a mailbox; with labels that takes only the label, but in Trash and Junk."""
        for uid in uids:
            if self.dialect.labels and box.use == rb"\All":
                continue
            shown = box.shown.pop(uid)
            box.touch()
            if self.dialect.labels and box.use in _ENDS:
                for other in self.boxes.values():
                    other.shown.pop(other.uid_of(shown.message) or 0, None)

    def contents(self, name: bytes) -> list[bytes]:
        """The messages of a mailbox in order."""
        return [shown.message.data for shown in self.box(name).shown.values()]

    def _known(self, data: bytes) -> Message | None:
        everything = (shown.message for box in self.boxes.values() for shown in box.shown.values())
        return next((message for message in everything if message.data == data), None)

    def _view(self, message: Message, box: Box) -> None:
        """Gmail shows everything but Trash and Junk in All Mail, and what is flagged in Starred."""
        if not self.dialect.labels or box.use in _ENDS:
            return
        for view in [each for each in self.boxes.values() if each.use in _VIEWS and each is not box]:
            belongs = view.use == rb"\All" or (view.use == rb"\Flagged" and rb"\Flagged" in message.flags)
            if belongs and view.uid_of(message) is None:
                view.show(message)


def matches(name: bytes, pattern: bytes, separator: bytes) -> bool:
    """Whether LIST's pattern names the mailbox (RFC 3501 section 6.3.8)."""
    level = b"[^" + re.escape(separator) + b"]*" if separator else b".*"
    wild = {b"*": b".*", b"%": level}
    whole = b"".join(wild.get(part) or re.escape(part) for part in re.split(rb"([*%])", pattern))
    return re.fullmatch(whole, name, re.DOTALL) is not None
