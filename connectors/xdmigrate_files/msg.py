"""Outlook's .msg files, read in a process of its own (`msg_reader`).

They are messages among the .eml of a directory, and events, tasks and cards among its .ics and .vcf. Needs the extra
`pst`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from threading import Lock
from typing import Any

from xdmigrate.errors import ItemRefused, XdmigrateError
from xdmigrate.model import Head, Item, Kind, RefusedBody
from xdmigrate_files.bodies import UNREADABLE, FileBody, unreadable
from xdmigrate_files.contained import Ended, Process
from xdmigrate_files.onefile import moment, suffix_of
from xdmigrate_files.tree import Rel, Tree

ENDING = ".msg"
READER = (sys.executable, "-I", "-m", "xdmigrate_files.msg_reader")
LARGEST = 300_000_000
"""Bytes of a file that is read."""

LARGEST_MADE = 1_000_000_000
"""Bytes of an item that is made of one."""

_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a file."""

    size: int = 0
    flags: frozenset[str] = frozenset()
    seconds: float | None = None
    kind: Kind | None = Kind.MAIL  # None: notes and the like, which are left out
    readable: bool = True
    refused: tuple[str, str] = ("", "")  # why an item that is no mail becomes nothing: reason, and in words


class MsgFiles:
    """All .msg of this process, by one reader that is started when the first is looked at. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: Process | None = None
        self._known: dict[tuple[int, int, int, int], Fact] = {}

    def fact(self, tree: Tree, rel: Rel) -> Fact | None:
        """What is known of a file, read unless it is what it was; None when it is gone."""
        look = tree.look(rel)
        if look is None:
            return None
        key = (look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns)
        with self._lock:
            if key not in self._known:
                try:
                    self._known[key] = self._ask(tree, rel)[0]
                except XdmigrateError:  # we may not read it, or its disk cannot: that may change while it does not
                    return Fact(readable=False)
            return self._known[key]

    def item(self, tree: Tree, rel: Rel, ref: bytes, noted: frozenset[str] | None) -> Item | None:
        """The message in a file; None when it is gone, or no mail."""
        fact, look = self.fact(tree, rel), tree.look(rel)
        if fact is None or look is None or fact.kind is not Kind.MAIL:
            return None
        date = moment(look.st_mtime if fact.seconds is None else fact.seconds)
        head = Head(ref, fact.size, fact.flags if noted is None else noted, date)
        return Item(head, FileBody(fact.size, partial(self._blocks, tree, rel)) if fact.readable else _refused())

    def object(self, tree: Tree, rel: Rel) -> tuple[Fact, bytes]:
        """An event, a task or a card with what is known of it."""
        with self._lock:
            return self._ask(tree, rel)

    def rebuilt(self) -> int:
        """How many messages were made of files so far."""
        with self._lock:
            return sum(fact.readable and fact.kind is Kind.MAIL for fact in self._known.values())

    def rest(self) -> None:
        """End the reader; the next file starts another. What is known stays."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _blocks(self, tree: Tree, rel: Rel) -> Iterator[bytes]:
        try:
            with self._lock:
                data = self._ask(tree, rel)[1]
        except XdmigrateError:
            raise unreadable() from None
        for start in range(0, len(data), _BLOCK):
            yield data[start : start + _BLOCK]

    def _ask(self, tree: Tree, rel: Rel) -> tuple[Fact, bytes]:
        data = tree.content(rel, LARGEST)
        if data is None:
            return Fact(readable=False), b""
        try:
            if self._process is None:
                self._process = Process(READER)
            self._process.say(b"%d\n" % len(data) + data)
            told = self._process.line()
            raw = b"".join(self._process.octets(min(int(told.get("size", 0)), LARGEST_MADE)))
        except (Ended, ValueError, TypeError, OSError):
            self._end()
            return Fact(readable=False), b""
        if "size" not in told or told.get("kind"):
            return _no_mail(told), raw
        flags = {flag for key, flag in (("seen", "\\Seen"), ("draft", "\\Draft")) if told.get(key)}
        seconds = told.get("date")
        return Fact(len(raw), frozenset(flags), seconds if isinstance(seconds, (int, float)) else None), raw


def _refused() -> RefusedBody:
    remedy = "open and save it in Outlook"
    return RefusedBody(ItemRefused("Outlook's file cannot be read", reason=UNREADABLE, remedy=remedy))


def _no_mail(told: dict[str, Any]) -> Fact:
    """An event, a task or a card; what nobody can read counts as mail, so that it is told with the messages."""
    if "other" in told:
        return Fact(kind=None, readable=False)
    kind = Kind(told["kind"]) if told.get("kind") in set(Kind) else Kind.MAIL
    refused = (str(told["refused"])[:100], str(told.get("why", ""))[:300]) if "refused" in told else ("", "")
    return Fact(kind=kind, readable="size" in told, refused=refused)


def available() -> bool:
    """Whether the library is installed."""
    return find_spec("olefile") is not None


def is_msg(name: bytes) -> bool:
    """Whether a file of this name is one of Outlook's."""
    return suffix_of(name) == ENDING and not name.startswith(b".")
