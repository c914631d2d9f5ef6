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

Spot = tuple[Kind, Path]


class World:
    """What all accounts of one server share: powers, lock, clock and counters, all of them deterministic."""

    def __init__(self, powers: Powers) -> None:
        self.powers = powers
        self.lock = RLock()
        self._validities = count(1001)
        self._folder_ids = count(1)
        self._objects = count(1)
        self._now = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    def now(self) -> datetime:
        """A second later at every call."""
        self._now += timedelta(seconds=1)
        return self._now

    def new_validity(self) -> int:
        return next(self._validities)

    def new_identity(self) -> bytes:
        return b"O%d" % next(self._objects)

    def new_folder_id(self) -> bytes:
        return b"F%d" % next(self._folder_ids)


class Account:
    """An account and what its user does with another program. Paths that do not exist raise FolderUnusable.

    An id that does not exist raises KeyError: a user acts on what he sees. Paths are unique among the folders of one
    kind; where no kind is said, any folder of that path is meant, mail first.
    """

    def __init__(self, world: World, name: str, password: str) -> None:
        self.world = world
        self.name = name
        self.password = password
        self.cursor_epoch = 0
        self._boxes: dict[Spot, Box] = {}
        self.create_folder(INBOX, role=Role.INBOX)

    # --- folders ---------------------------------------------------------------------------------------------------

    def _key(self, path: Path, kind: Kind) -> Spot:
        """RFC 9051 section 5.1: INBOX is the same name in any case; others as the server's powers say."""
        first = "INBOX" if path[0].upper() == "INBOX" else path[0]
        path = (first, *path[1:])
        return kind, path if self.world.powers.case_sensitive else tuple(level.casefold() for level in path)

    def _find(self, path: Path, kind: Kind | None) -> Box | None:
        wanted = [kind] if kind else list(Kind)
        found = (self._boxes.get(self._key(path, each)) for each in wanted if path)
        return next((box for box in found if box is not None), None)

    def boxes(self) -> list[Box]:
        """Every folder, ordered by path."""
        with self.world.lock:
            return sorted(self._boxes.values(), key=lambda box: box.path)

    def box(self, path: Path, kind: Kind | None = None) -> Box:
        """The folder at this path; raises FolderUnusable when there is none that can be opened."""
        found = self._find(path, kind)
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

    def allows(self, path: Path) -> bool:
        """Whether a folder may have this path."""
        return bool(path) and all(map(self._allowed, path))

    def _allowed(self, level: str) -> bool:
        powers = self.world.powers
        fits = not powers.name_limit or len(level.encode()) <= powers.name_limit
        split = bool(powers.delimiter) and powers.delimiter in level
        return bool(level) and "\0" not in level and fits and not split and not powers.forbidden(level)

    def _allow(self, path: Path) -> None:
        if not self.allows(path):
            raise FolderUnusable(f"the server allows no folder called {'/'.join(path)!r}", mailbox=self.name)

    def _create_one(self, path: Path, kind: Kind, role: Role | None = None) -> Box:
        known = self._boxes.get(self._key(path, kind))
        if known is not None and known.selectable:
            return known
        taken = role in {box.role for box in self._boxes.values()}
        name = INBOX if self._key(path, Kind.MAIL) == self._key(INBOX, Kind.MAIL) else path
        box = Box(name, self.world.new_validity(), kind, self.world.new_folder_id(), None if taken else role)
        self._boxes[self._key(path, kind)] = box
        return box

    def rename_folder(self, path: Path, to: Path, kind: Kind | None = None) -> Box:
        """Rename with everything below; ids, validity and cursors stay (RFC 9051 section 6.3.6)."""
        with self.world.lock:
            self._allow(to)
            box = self.box(path, kind)
            if box.path == INBOX or self._key(to, box.kind) in self._boxes or to[: len(path)] == box.path:
                raise FolderUnusable(f"folder {'/'.join(path)!r} cannot be renamed so", mailbox=self.name)
            for depth in range(1, len(to)):
                self._create_one(to[:depth], box.kind)
            there = [each for each in self._boxes.values() if each.kind is box.kind]
            for below in [each for each in there if each.path[: len(box.path)] == box.path]:
                del self._boxes[self._key(below.path, box.kind)]
                below.path = to + below.path[len(path) :]
                self._boxes[self._key(below.path, box.kind)] = below
            return box

    def remove_folder(self, path: Path, kind: Kind | None = None) -> None:
        """Delete; a folder with others below stays as a name that cannot be opened (RFC 9051 section 6.3.5)."""
        with self.world.lock:
            box = self.box(path, kind)
            del self._boxes[self._key(path, box.kind)]
            left = [each.path for each in self._boxes.values() if each.kind is box.kind]
            if any(other[: len(box.path)] == box.path for other in left):
                self._boxes[self._key(path, box.kind)] = Box(box.path, 0, box.kind, selectable=False)

    def subscribe(self, path: Path, *, subscribed: bool = True, kind: Kind | None = None) -> None:
        """Show the folder to the user's programs, or hide it."""
        with self.world.lock:
            self.box(path, kind).subscribed = subscribed

    # --- items -----------------------------------------------------------------------------------------------------

    def deliver(
        self,
        path: Path,
        data: bytes,
        flags: Iterable[str] = (),
        date: datetime | None = None,
        *,
        kind: Kind | None = None,
    ) -> bytes:
        """A new item arrives, whatever the powers refuse or rewrite for others; its id."""
        with self.world.lock:
            powers = self.world.powers
            kept = listed_flags(flags, keywords=powers.keywords)
            name = self.world.new_identity() if powers.labels else b""
            moment = date or self.world.now()
            return self.box(path, kind).add(data, kept, moment, ordered=powers.ordered_ids, identity=name)

    def label(self, path: Path, ref: bytes, to: Path) -> bytes:
        """Show an item in another folder as well, as a server with labels does; its id there."""
        with self.world.lock:
            kept, ordered = self.box(path).items[ref], self.world.powers.ordered_ids
            return self.box(to).add(kept.data, kept.flags, kept.date, ordered=ordered, identity=kept.identity)

    def flag(self, path: Path, ref: bytes, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Set and clear flags of an item."""
        with self.world.lock:
            item, keywords = self.box(path).items[ref], self.world.powers.keywords
            drop = {flag.lower() for flag in remove}
            kept = {flag for flag in item.flags if flag.lower() not in drop}
            flags = listed_flags(kept | set(add), keywords=keywords)
            self.box(path).set_flags(item.ref, flags)
            for box in self._boxes.values() if item.identity else ():  # one object, wherever it is shown
                for ref_there in [one.ref for one in box.items.values() if one.identity == item.identity]:
                    box.set_flags(ref_there, flags)

    def edit(self, path: Path, ref: bytes, data: bytes, *, kind: Kind | None = None) -> None:
        """Write an item anew in its place."""
        with self.world.lock:
            self.box(path, kind).rewrite(ref, data)

    def delete(self, path: Path, ref: bytes) -> None:
        """Remove an item for good."""
        with self.world.lock:
            box = self.box(path)
            box.discard(box.items[ref].ref)

    def move(self, path: Path, ref: bytes, to: Path, *, kind: Kind | None = None) -> bytes:
        """Move an item to another folder, where it gets a new id (RFC 6851); that id."""
        with self.world.lock:
            kept, box = self.box(path, kind).items[ref], self.box(to, kind)
            ordered = self.world.powers.ordered_ids
            new = box.add(kept.data, kept.flags, kept.date, ordered=ordered, identity=kept.identity)
            self.box(path, kind).discard(ref)
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

    def contents(self, path: Path, kind: Kind | None = None) -> list[bytes]:
        """The bodies in a folder, ascending by id."""
        with self.world.lock:
            return [kept.data for kept in self.box(path, kind).ascending()]

    def octets(self) -> int:
        """Bytes held in all folders, which the quota counts."""
        with self.world.lock:
            return sum(box.octets() for box in self._boxes.values())
