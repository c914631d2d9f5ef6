"""The writing session, and its writer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Self, cast

from xdmigrate.contract import Declined, Features, Intent, Receipt
from xdmigrate.errors import AccessDenied, FolderUnusable
from xdmigrate.model import FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing
from xdmigrate_files.layout import Layout, Memory
from xdmigrate_files.making import Making, mail_format
from xdmigrate_files.settings import Settings
from xdmigrate_files.shelf import Draft, Kept
from xdmigrate_files.source import FilesSource
from xdmigrate_files.tree import Tree

HELD_OCTETS = 4 << 20
HELD_ITEMS = 200
"""What a writer gathers before it stores it; then its receipts come."""


class FilesTarget(FilesSource):
    """A `Target` over the files below one root, which is made with its first folder."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        if os.path.lexists(settings.root):
            tree = Tree.at(settings.root)
            if tree.only:
                raise AccessDenied(f"{settings.root!r} is a file", remedy="name a directory in `path`")
        super().__init__(Layout(Tree(settings.root), settings, memory))
        self._known: list[Folder] | None = None  # as last listed, for finding names that are taken

    def _features(self) -> Features:
        return replace(super()._features(), delimiter=self._making.delimiter)

    @cached_property
    def _making(self) -> Making:
        tree, wished = self._layout.tree, self._layout.settings.format
        return Making(tree, mail_format(wished, self._there()))

    def folders(self) -> list[Folder]:
        self._known = super().folders()
        return list(self._known)

    def _there(self) -> list[Folder]:
        if self._known is None:
            self.folders()
        return self._known or []

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        there = self._there()
        return {path for path in paths if self._making.refusal(path, Kind.MAIL, there)}

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:  # noqa: ARG002
        there = self._there()
        for each in there:
            if (each.path, each.kind, each.selectable) == (path, kind, True):
                with suppress(FolderUnusable):  # somebody has removed it since
                    return self.status(each)
                there.remove(each)
                break
        _make_root(self._layout.tree.root)
        made = self._making.make(path, kind, there)
        return self._made(Folder(path, kind, native=made))

    def _made(self, folder: Folder) -> Folder:
        self._shelf = None
        found = self.status(folder)
        parents = [found.path[:depth] for depth in range(1, len(found.path))]
        if self._known is not None and {each.path for each in self._known} >= set(parents):
            self._known.append(found)
        else:
            self._known = None
        return found

    def subscribe(self, folder: Folder) -> None:
        """Every folder on the disk is shown to its user."""

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        for depth in range(1, len(path)):
            self.create_folder(path[:depth], folder.kind)
        made = self._making.rename(folder, path)
        self._known = None
        return self._made(Folder(path, folder.kind, native=made))

    def writer(self, folder: Folder, intent: Intent) -> FilesWriter:  # noqa: ARG002 -- files have no idempotency keys
        return FilesWriter(self._writable(folder))

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        if changes:
            self._writable(folder).change_flags(changes)

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        return (item.head for item in self._open(folder).read(refs))

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:  # noqa: ARG002
        raise FolderUnusable(f"nothing is moved from {'/'.join(folder.path)!r}: files are written anew")

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        if refs:
            self._writable(folder).remove(refs)

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:  # noqa: ARG002 -- files are shared in other ways
        return []

    def _writable(self, folder: Folder) -> Kept:
        shelf = self._open(folder)
        if not hasattr(shelf, "add"):
            raise AccessDenied(f"folder {'/'.join(folder.path)!r} is a view over a Takeout, and is not written")
        return cast(Kept, shelf)


class FilesWriter:
    """A `Writer` that stores many small items at a time."""

    def __init__(self, shelf: Kept) -> None:
        self._shelf = shelf
        self._held: list[Draft] = []
        self._octets = 0
        self._ready: list[Receipt] = []

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        draft = Draft.of(ticket, item, over)
        self._held.append(draft)
        self._octets += draft.measure.size
        if self._octets >= HELD_OCTETS or len(self._held) >= HELD_ITEMS:
            self._store()

    def poll(self) -> list[Receipt]:
        ready, self._ready = self._ready, []
        return ready

    def flush(self) -> list[Receipt]:
        self._store()
        return self.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._store()
        self._let_go()

    def _store(self) -> None:
        if self._held:
            self._ready += self._shelf.add(self._held)
            self._let_go()

    def _let_go(self) -> None:
        for draft in self._held:
            draft.file.close()
        self._held, self._octets = [], 0


def _make_root(root: str) -> None:
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
    except OSError as error:
        cause = f"cannot make the directory {root!r}: {error.strerror}"
        raise AccessDenied(cause, remedy="mend `path`, or let the user who runs xdmigrate write there") from error
