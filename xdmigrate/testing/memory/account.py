"""One account of a memory server: its folders, and everything its user can do to it beside a migration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from itertools import count
from threading import RLock

from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Kind, Path, Role
from xdmigrate.testing.memory.box import Box, listed_flags
from xdmigrate.testing.memory.powers import Powers

INBOX: Path = ("INBOX",)


class World:
    """What all accounts of one server share: powers, lock, clock and counters, all of them deterministic."""

    def __init__(self, powers: Powers) -> None:
        self.powers = powers
        self.lock = RLock()
        self._validities = count(1001)
        self._folder_ids = count(1)
        self._now = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    def now(self) -> datetime:
        """A second later at every call."""
        self._now += timedelta(seconds=1)
        return self._now

    def new_validity(self) -> int:
        return next(self._validities)

    def new_folder_id(self) -> bytes:
        return b"F%d" % next(self._folder_ids)


class Account:
    """An account and what its user does with another program. Paths that do not exist raise FolderUnusable.

    An id that does not exist raises KeyError: a user acts on what he sees.
    """

    def __init__(self, world: World, name: str, password: str) -> None:
        self.world = world
        self.name = name
        self.password = password
        self.cursor_epoch = 0
        self._boxes: dict[Path, Box] = {}
        self.create_folder(INBOX, role=Role.INBOX)

    # --- folders ---------------------------------------------------------------------------------------------------

    def _key(self, path: Path) -> Path:
        """RFC 9051 section 5.1: INBOX is the same name in any case; others as the server's powers say."""
        first = "INBOX" if path[0].upper() == "INBOX" else path[0]
        path = (first, *path[1:])
        return path if self.world.powers.case_sensitive else tuple(level.casefold() for level in path)

    def boxes(self) -> list[Box]:
        """Every folder, ordered by path."""
        with self.world.lock:
            return sorted(self._boxes.values(), key=lambda box: box.path)

    def box(self, path: Path) -> Box:
        """The folder at this path; raises FolderUnusable when there is none that can be opened."""
        found = self._boxes.get(self._key(path)) if path else None
        if found is None or not found.selectable:
            raise FolderUnusable(f"folder {'/'.join(path)!r} does not exist", mailbox=self.name)
        return found

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Box:
        """Create the folder and its parents; one that exists is returned as it is."""
        with self.world.lock:
            self._allow(path)
            for depth in range(1, len(path)):
                self._create_one(path[:depth], kind)
            return self._create_one(path, kind, role)

    def _allow(self, path: Path) -> None:
        powers = self.world.powers
        for level in path or ("",):
            fits = not powers.name_limit or len(level.encode()) <= powers.name_limit
            split = powers.delimiter and powers.delimiter in level
            if not level or "\0" in level or split or not fits or powers.forbidden(level):
                raise FolderUnusable(f"the server allows no folder called {level!r}", mailbox=self.name)

    def _create_one(self, path: Path, kind: Kind, role: Role | None = None) -> Box:
        known = self._boxes.get(self._key(path))
        if known is not None and known.selectable:
            return known
        taken = role in {box.role for box in self._boxes.values()}
        name = INBOX if self._key(path) == self._key(INBOX) else path
        box = Box(name, self.world.new_validity(), kind, self.world.new_folder_id(), None if taken else role)
        self._boxes[self._key(path)] = box
        return box

    def rename_folder(self, path: Path, to: Path) -> Box:
        """Rename with everything below; ids, validity and cursors stay (RFC 9051 section 6.3.6)."""
        with self.world.lock:
            self._allow(to)
            box = self.box(path)
            if box.path == INBOX or self._key(to) in self._boxes or to[: len(path)] == box.path:
                raise FolderUnusable(f"folder {'/'.join(path)!r} cannot be renamed so", mailbox=self.name)
            for depth in range(1, len(to)):
                self._create_one(to[:depth], box.kind)
            for below in [b for b in self._boxes.values() if b.path[: len(box.path)] == box.path]:
                del self._boxes[self._key(below.path)]
                below.path = to + below.path[len(path) :]
                self._boxes[self._key(below.path)] = below
            return box

    def remove_folder(self, path: Path) -> None:
        """Delete; a folder with others below stays as a name that cannot be opened (RFC 9051 section 6.3.5)."""
        with self.world.lock:
            box = self.box(path)
            del self._boxes[self._key(path)]
            if any(other.path[: len(box.path)] == box.path for other in self._boxes.values()):
                self._boxes[self._key(path)] = Box(box.path, 0, box.kind, selectable=False)

    def subscribe(self, path: Path, *, subscribed: bool = True) -> None:
        """Show the folder to the user's programs, or hide it."""
        with self.world.lock:
            self.box(path).subscribed = subscribed

    # --- items -----------------------------------------------------------------------------------------------------

    def deliver(self, path: Path, data: bytes, flags: Iterable[str] = (), date: datetime | None = None) -> bytes:
        """A new item arrives, whatever the powers refuse or rewrite for others; its id."""
        with self.world.lock:
            powers = self.world.powers
            kept = listed_flags(flags, keywords=powers.keywords)
            return self.box(path).add(data, kept, date or self.world.now(), ordered=powers.ordered_ids)

    def flag(self, path: Path, ref: bytes, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Set and clear flags of an item."""
        with self.world.lock:
            box, keywords = self.box(path), self.world.powers.keywords
            drop = {flag.lower() for flag in remove}
            kept = {flag for flag in box.items[ref].flags if flag.lower() not in drop}
            box.set_flags(ref, listed_flags(kept | set(add), keywords=keywords))

    def delete(self, path: Path, ref: bytes) -> None:
        """Remove an item for good."""
        with self.world.lock:
            box = self.box(path)
            box.discard(box.items[ref].ref)

    def move(self, path: Path, ref: bytes, to: Path) -> bytes:
        """Move an item to another folder, where it gets a new id (RFC 6851); that id."""
        with self.world.lock:
            kept, box = self.box(path).items[ref], self.box(to)
            new = box.add(kept.data, kept.flags, kept.date, ordered=self.world.powers.ordered_ids)
            self.box(path).discard(ref)
            return new

    def change_validity(self, path: Path) -> None:
        """Renumber all items under a new validity, as a restored or rebuilt server does."""
        with self.world.lock:
            self.box(path).renumber(self.world.new_validity(), ordered=self.world.powers.ordered_ids)

    def expire_cursors(self) -> None:
        """No cursor given out so far is known any more."""
        with self.world.lock:
            self.cursor_epoch += 1

    # --- looking ---------------------------------------------------------------------------------------------------

    def contents(self, path: Path) -> list[bytes]:
        """The bodies in a folder, ascending by id."""
        with self.world.lock:
            return [kept.data for kept in self.box(path).ascending()]

    def octets(self) -> int:
        """Bytes held in all folders, which the quota counts."""
        with self.world.lock:
            return sum(box.octets() for box in self._boxes.values())
