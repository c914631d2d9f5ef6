"""Outlook's PST, read by libpff in a process of its own (`pst_reader`): what crashes it is one item, not the run.

Messages are rebuilt as RFC 5322 from their headers, bodies and attachments (`rebuilding`); appointments, contacts and
tasks become iCalendar and vCard (`outlook`), each kind a folder of its own. Needs the extra `pst`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from threading import Lock
from typing import Any, Never

from xdmigrate.errors import FolderUnusable, ItemRefused
from xdmigrate.model import Folder, Head, Item, Kind, Path, Role
from xdmigrate_files.bodies import FileBody
from xdmigrate_files.contained import Ended, Process
from xdmigrate_files.names import native
from xdmigrate_files.onefile import moment
from xdmigrate_files.shelf import Lies, is_inbox, ref_of
from xdmigrate_files.tree import Rel, Tree, shown

PST = "pst"
READER = (sys.executable, "-I", "-m", "xdmigrate_files.pst_reader")
"""What opens a PST; the number of its open descriptor follows."""

ENDINGS = frozenset({".pst", ".ost"})
MOST_CRASHES = 100
"""Items that may kill the process before the file is given up."""

MOST_HANGS = 4
"""Items of these that may keep it waiting to the end: each costs minutes."""


Place = tuple[Path, Kind]
"""A folder of a PST, and the kind of its items that is meant."""

_NO_MAIL = ("IPF.APPOINTMENT", "IPF.CONTACT", "IPF.TASK", "IPF.STICKYNOTE", "IPF.JOURNAL")
"""Folders that are for something else: as mail they are only listed when there is some in them."""


@dataclass(slots=True)
class Listing:
    """What a PST holds, as its process told."""

    folders: dict[Place, list[Head]] = field(default_factory=dict)
    roles: dict[Path, Role] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)  # id -> Outlook's number
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)  # items that became nothing: reason and why
    killers: set[int] = field(default_factory=set)  # items that ended a process
    others: int = 0  # notes, journals, distribution lists
    deleted: int = 0  # appointments, contacts and tasks in the trash
    broken: bool = False  # it cannot be opened, or crashes without end


class Listings:
    """The listings of all PSTs of this process, by what the files are. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[int, int, int, int], Listing] = {}

    def of(self, tree: Tree, rel: Rel) -> Listing:
        """The listing of a file. Raises FolderUnusable when it is gone."""
        fd = tree.open(rel)
        if fd is None:
            raise FolderUnusable(f"{shown(rel)} is gone")
        try:
            look = os.fstat(fd)
            key = (look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns)
            with self._lock:
                if key not in self._known:
                    self._known[key] = _listing(fd)
                return self._known[key]
        finally:
            os.close(fd)


def available() -> bool:
    """Whether the library is installed."""
    return find_spec("pypff") is not None


class PstFolder:
    """The items of one kind in one folder of a PST."""

    def __init__(self, tree: Tree, rel: Rel, inner: Place, path: Path, listings: Listings) -> None:
        self._tree = tree
        self._rel = rel
        self._inner, self._kind = inner
        self._path = path
        self._listings = listings

    @property
    def folder(self) -> Folder:
        heads = self._heads()
        digest = sha256(b"".join(head.ref + head.version + bytes(sorted(map(len, head.flags))) for head in heads))
        look = self._tree.look(self._rel)
        digest.update(b"%d:%d" % (look.st_size, look.st_mtime_ns) if look else b"")
        ways = (*self._rel, b"", *(level.encode("utf-8", "replace").replace(b"/", b"\0") for level in self._inner))
        mail = self._kind is Kind.MAIL
        return Folder(
            self._path,
            self._kind,
            native=f"{PST if mail else f'{PST}-{self._kind.value}'}:{native(ways)}",
            count=len(heads),
            role=self._role() if mail else None,
            subscribed=True,
            state=digest.digest()[:16],
        )

    def heads(self) -> Iterator[Head]:
        return iter(self._heads())

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        """By one process for all of them; another one where a message killed it."""
        listing = self._listings.of(self._tree, self._rel)
        mine = {head.ref: head for head in self._heads()}
        reading = _Reading(self._tree, self._rel, listing)
        try:
            for ref in dict.fromkeys(refs):
                if ref in mine:
                    body = FileBody(mine[ref].size, partial(reading.blocks, listing.numbers[ref]))
                    yield Item(mine[ref], body, self._kind)
        finally:
            reading.end()

    def lies(self, ref: bytes) -> Lies | None:  # noqa: ARG002 -- the bytes lie nowhere: they are made
        return None

    def _role(self) -> Role | None:
        if is_inbox(self._path):
            return Role.INBOX
        return self._listings.of(self._tree, self._rel).roles.get(self._inner)

    def _heads(self) -> list[Head]:
        listing = self._listings.of(self._tree, self._rel)
        if (self._inner, self._kind) not in listing.folders:
            raise FolderUnusable(f"folder {'/'.join(self._path)!r} is gone")
        return listing.folders[self._inner, self._kind]


class _Reading:
    """A process that is started when the first message is asked for."""

    def __init__(self, tree: Tree, rel: Rel, listing: Listing) -> None:
        self._tree = tree
        self._rel = rel
        self._listing = listing
        self._process: Process | None = None

    def blocks(self, number: int) -> Iterator[bytes]:
        if number in self._listing.refused:
            reason, why = self._listing.refused[number]
            raise ItemRefused(why, reason=reason, remedy="change it in Outlook, or make it anew on the target")
        if number in self._listing.killers:
            self._refuse()
        try:
            process = self._started()
            process.say(b"read %d\n" % number)
            yield from process.octets(int(process.line()["size"]))
        except (Ended, LookupError, ValueError, TypeError):
            self.end()
            self._refuse()

    def end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _started(self) -> Process:
        if self._process is None:
            fd = self._tree.open(self._rel)
            if fd is None:
                raise Ended
            try:
                self._process = Process(READER, fd)
            finally:
                os.close(fd)
        return self._process

    def _refuse(self) -> Never:
        raise ItemRefused("Outlook's file cannot give this item", reason="unreadable", remedy="export it by Outlook")


def _listing(fd: int) -> Listing:
    listing, hung = Listing(), 0
    for _ in range(MOST_CRASHES):
        fresh = Listing(killers=listing.killers)
        try:
            _ask(fd, fresh)
        except Ended as ended:
            hung += ended.hung
            if ended.number is None or ended.number in listing.killers or hung > MOST_HANGS:
                break
            listing.killers.add(ended.number)
        else:
            return fresh
    return Listing(broken=True)


def _ask(fd: int, listing: Listing) -> None:
    """One whole listing. Raises Ended with the item that the process was at."""
    process, trying = Process(READER, fd), None
    inside = _Inside(listing)
    try:
        for number in sorted(listing.killers):
            process.say(b"skip %d\n" % number)
        process.say(b"list\n")
        while "end" not in (told := process.line()):
            trying = told.get("trying")
            inside.take(told)
    except (Ended, ValueError, TypeError) as error:
        hung = isinstance(error, Ended) and error.hung
        raise Ended(trying if isinstance(trying, int) else None, hung=hung) from None
    finally:
        process.end()
    for each in listing.folders.values():
        each.sort(key=lambda head: head.ref)


class _Inside:
    """Takes up what a process tells, folder by folder."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._path: Path = ()
        self._deleted = False

    def take(self, told: dict[str, Any]) -> None:
        """One line. Raises ValueError and TypeError where it is none."""
        if "folder" in told:
            self._folder(told)
        elif "other" in told:
            self._listing.others += 1
        elif "id" in told or "unreadable" in told:
            self._item(int(told["id"] if "id" in told else told["unreadable"]), told)

    def _folder(self, told: dict[str, Any]) -> None:
        self._path, self._deleted = tuple(str(name) for name in told["folder"]), bool(told.get("deleted"))
        for role, key in ((Role.TRASH, "trash"), (Role.SENT, "sent")):
            if told.get(key):
                self._listing.roles[self._path] = role
        if not str(told.get("holds", "")).upper().startswith(_NO_MAIL):
            self._listing.folders.setdefault((self._path, Kind.MAIL), [])

    def _item(self, number: int, told: dict[str, Any]) -> None:
        kind = Kind(told.get("kind", Kind.MAIL))
        if kind is not Kind.MAIL and self._deleted:
            self._listing.deleted += 1
            return
        head = _head(number, told) if kind is Kind.MAIL else _object_head(number, told)
        self._listing.numbers[head.ref] = number
        self._listing.folders.setdefault((self._path, kind), []).append(head)
        if "refused" in told:
            self._listing.refused[number] = str(told["refused"])[:100], str(told.get("why", ""))[:300]


def _object_head(number: int, told: dict[str, Any]) -> Head:
    """Of an event, a task or a card: it changes with its bytes, or with what is wrong with it."""
    version = sha256(str(told.get("digest") or told.get("refused")).encode()).digest()[:16]
    return Head(ref_of(number.to_bytes(8)), int(told.get("size", 0)), version=version)


def _head(number: int, told: dict[str, Any]) -> Head:
    flags = {"\\Seen"} if told.get("seen") else set()
    flags |= {"\\Draft"} if told.get("draft") else set()
    seconds = told.get("date")
    date = moment(seconds) if isinstance(seconds, (int, float)) else moment(0)
    return Head(ref_of(number.to_bytes(8)), int(told.get("size", 0)), frozenset(flags), date)
