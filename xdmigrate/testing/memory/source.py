"""The reading session of the memory connector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Never

from xdmigrate.contract import Features
from xdmigrate.errors import ConnectionLost, FolderUnusable, ItemRefused
from xdmigrate.model import Body, Changes, Folder, Head, Item, Sharing
from xdmigrate.testing.bodies import BytesBody
from xdmigrate.testing.memory.account import Account
from xdmigrate.testing.memory.box import Box, Kept
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.server import Session

STEP = 1000
"""Heads taken at a time, so that a listing sees what happens while it is read, as on a real server."""


class MemorySource:
    """A `Source` over an account of a memory server."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stream = 0  # the running number of the stream whose current body may be read

    @property
    def features(self) -> Features:
        return self._powers.features()

    @property
    def _powers(self) -> Powers:
        return self._session.account.world.powers

    @contextmanager
    def _account(self) -> Iterator[Account]:
        """The account, held still for one operation. Raises ConnectionLost when the session has ended."""
        with self._session.account.world.lock:
            if not self._session.open:
                raise ConnectionLost("the session to the memory server has ended")
            yield self._session.account

    @staticmethod
    def _box(account: Account, folder: Folder) -> Box:
        """The folder as it is now; ids of another validity would name other items, so they are refused."""
        box = account.box(folder.path, folder.kind)
        if folder.validity not in {0, box.validity}:
            raise FolderUnusable(f"the ids in folder {'/'.join(folder.path)!r} have expired", mailbox=account.name)
        return box

    def folders(self) -> list[Folder]:
        with self._account() as account:
            return [box.listed(self._powers) for box in account.boxes()]

    def status(self, folder: Folder) -> Folder:
        with self._account() as account:
            return account.box(folder.path, folder.kind).listed(self._powers)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        listed = self._listed(folder, floor if self._powers.ordered_ids else b"")
        return (kept.head(self._powers, folder.kind) for kept in listed)

    def _listed(self, folder: Folder, floor: bytes = b"", changed_after: int = 0) -> Iterator[Kept]:
        while True:
            with self._account() as account:
                kept = self._box(account, folder).ascending(floor)
                found = list(islice((one for one in kept if one.changed > changed_after), STEP))
            yield from found
            if len(found) < STEP:
                return
            floor = found[-1].ref + b"\0"  # the least ref above it

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        powers = self._powers
        with self._account() as account:
            box = self._box(account, folder)
            stamp = b"%d:%d:" % (box.validity, account.cursor_epoch)
            now = stamp + b"%d" % box.changes
            if not cursor.startswith(stamp):
                return Changes(now, complete=True, heads=self.heads(folder))
            since = int(cursor[len(stamp) :])
            gone = tuple(ref for changed, ref in box.gone if changed > since)
            count = len(box.items)
        listed = self._listed(folder, changed_after=since if powers.deltas else 0)
        heads = (
            kept.head(powers, folder.kind)
            if powers.known_sizes or kept.added > since or powers.versioned(folder.kind)
            else kept.bare_head()
            for kept in listed
        )
        if not powers.deltas:
            return Changes(now, complete=True, heads=heads)
        if powers.names_vanished:
            return Changes(now, complete=False, heads=heads, vanished=gone, count=count)
        alive = (kept.ref for kept in self._listed(folder))
        return Changes(now, complete=False, heads=heads, alive=alive, count=count)

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        with self._account() as account:
            self._box(account, folder)
        return self._items(folder, list(dict.fromkeys(refs)))

    def _items(self, folder: Folder, refs: list[bytes]) -> Iterator[Item]:
        for ref in refs:
            self._stream += 1
            with self._account() as account:
                kept = self._box(account, folder).items.get(ref)
                if kept is None:
                    continue
                head, data = kept.head(self._powers, folder.kind), kept.data
            yield Item(head, self._body(data), folder.kind)

    def _body(self, data: bytes) -> Body:
        number = self._stream
        if self._powers.unreadable(data):
            return _UnreadableBody(len(data))
        return BytesBody(data, alive=lambda: self._stream == number)

    def sharing(self, folder: Folder) -> Sharing:
        powers = self._powers
        with self._account() as account:
            box = account.box(folder.path, folder.kind)
            return Sharing(dict(box.grants) if powers.grants else {}, dict(box.notes) if powers.notes else {})

    def close(self) -> None:
        self._stream += 1
        self._session.open = False


class _UnreadableBody:
    """The body of an item that is listed but cannot be fetched; the stream goes on behind it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self) -> Iterator[memoryview]:
        raise ItemRefused("the server cannot give the item's bytes", reason="unreadable")

    def spool(self) -> Never:
        raise ItemRefused("the server cannot give the item's bytes", reason="unreadable")
