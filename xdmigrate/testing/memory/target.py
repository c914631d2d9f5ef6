"""The writing session of the memory connector, and its writer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from xdmigrate.contract import CHANGED_THERE, Accepted, Declined, Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied, FolderUnusable, QuotaExceeded
from xdmigrate.model import FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.memory.account import Account
from xdmigrate.testing.memory.box import Box, listed_flags
from xdmigrate.testing.memory.source import MemorySource


class MemoryTarget(MemorySource):
    """A `Target` over an account of a memory server."""

    def _must_write(self) -> None:
        if not self._powers.writable:
            raise AccessDenied("the account may not write", mailbox=self._session.account.name)

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        powers = self._powers
        with self._account() as account:
            return {path for path in paths if powers.tells_names and not account.allows(path)}

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        with self._account() as account:
            try:
                box = account.box(path, kind)
            except FolderUnusable:
                self._must_write()
                box = account.create_folder(path, kind, role=role)
            return box.listed(self._powers)

    def subscribe(self, folder: Folder) -> None:
        with self._account() as account:
            if self._powers.subscriptions:
                account.subscribe(folder.path, kind=folder.kind)

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        with self._account() as account:
            self._must_write()
            return account.rename_folder(folder.path, path, folder.kind).listed(self._powers)

    def writer(self, folder: Folder, intent: Intent) -> MemoryWriter:
        with self._account() as account:
            self._must_write()
            self._box(account, folder)
        return MemoryWriter(self, folder, intent)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        with self._account() as account:
            self._must_write()
            box = self._box(account, folder)
            for change in changes:
                if change.ref in box.items:
                    account.flag(folder.path, change.ref, change.add, change.remove)

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        with self._account() as account:
            items = self._box(account, folder).items
            return iter([items[ref].head(self._powers, folder.kind) for ref in sorted(set(refs)) if ref in items])

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        with self._account() as account:
            self._must_write()
            box = self._box(account, folder)
            self._box(account, to)
            moved = {ref: account.move(folder.path, ref, to.path, kind=to.kind) for ref in refs if ref in box.items}
            return moved if self._powers.ids_returned else {}

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        with self._account() as account:
            self._must_write()
            box = self._box(account, folder)
            for ref in refs:
                box.discard(ref)

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        powers = self._powers
        with self._account() as account:
            self._must_write()
            box = account.box(folder.path, folder.kind)
            for name, rights in more.grants.items():
                if not powers.stranger(name):
                    box.grants[name] = "".join(sorted({*box.grants.get(name, ""), *rights}))
            box.notes.update(more.notes)
        return [Declined(name, "nobody is called so") for name in more.grants if powers.stranger(name)]

    def batch(self) -> int:
        """How many items a writer gathers before it sends them."""
        return self._powers.batch

    def store(  # noqa: PLR0917 - one item as it was put
        self, folder: Folder, ticket: int, key: bytes, head: Head, data: bytes, over: Head | None
    ) -> Receipt:
        """Keep one item as a server does with what a writer sends. Raises QuotaExceeded, FolderUnusable."""
        with self._account() as account:
            self._must_write()
            box = self._box(account, folder)
            limit = self._powers.size_limit
            reason = "too-big" if limit is not None and len(data) > limit else self._powers.refuse(data)
            if not reason:
                reason = self._conflict(box, data, over)
            if reason:
                return Refused(ticket, reason, "the memory server does not take it")
            if over is None:
                ref = self._keep(account, box, key, head, data)
            else:
                ref = over.ref
                box.rewrite(ref, self._powers.rewrite(data))
            version = box.items[ref].head(self._powers, box.kind).version
            return Stored(ticket, ref, version) if self._powers.ids_returned else Accepted(ticket)

    def _conflict(self, box: Box, data: bytes, over: Head | None) -> str:
        """Why the item cannot take its place: another one of its name, or a copy that is no longer what it was."""
        powers = self._powers
        if over is not None:
            kept = box.items.get(over.ref)
            same = kept is not None and kept.head(powers, box.kind).version == over.version
            if not (powers.updates and same):
                return CHANGED_THERE
        name = powers.name(data)
        others = (kept for ref, kept in box.items.items() if over is None or ref != over.ref)
        return "uid-taken" if name and any(powers.name(kept.data) == name for kept in others) else ""

    def _keep(self, account: Account, box: Box, key: bytes, head: Head, data: bytes) -> bytes:
        powers = self._powers
        known = box.keys.get(key) if powers.idempotency else None
        if known is not None and known in box.items:
            return known
        data = powers.rewrite(data)
        if powers.quota is not None and account.octets() + len(data) > powers.quota:
            raise QuotaExceeded("the mailbox is full", mailbox=account.name)
        flags = listed_flags(head.flags, keywords=powers.keywords)
        date = head.date if powers.dates and head.date else account.world.now()
        ref = box.add(data, flags, date, ordered=powers.ordered_ids)
        box.keys[key] = ref
        return ref


class MemoryWriter:
    """A `Writer` that stores `Powers.batch` items at a time."""

    def __init__(self, target: MemoryTarget, folder: Folder, intent: Intent) -> None:
        self._target = target
        self._folder = folder
        self._intent = intent
        self._held: deque[tuple[int, Head, bytes, Head | None]] = deque()
        self._ready: list[Receipt] = []

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        self._held.append((ticket, item.head, whole(item), over))
        if len(self._held) >= self._target.batch():
            self._send()

    def _send(self) -> None:
        while self._held:
            ticket, head, data, over = self._held.popleft()
            key = self._intent.key(head.ref)
            self._ready.append(self._target.store(self._folder, ticket, key, head, data, over))

    def poll(self) -> list[Receipt]:
        ready, self._ready = self._ready, []
        return ready

    def flush(self) -> list[Receipt]:
        self._send()
        return self.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._send()
        self._held.clear()
