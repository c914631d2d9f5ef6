"""The reading session."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from xdmigrate.contract import Features
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Changes, Folder, Head, Item, Sharing
from xdmigrate_files.layout import Layout
from xdmigrate_files.shelf import Shelf

_log = logging.getLogger(__name__)


class FilesSource:
    """A `Source` over the files below one root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._closed = False
        self._shelf: tuple[str, Shelf] | None = None  # the last one used, with what it has listed

    @cached_property
    def features(self) -> Features:
        return self._features()

    def _features(self) -> Features:
        labels = self._layout.has_labels()
        return Features(
            change_test=True,
            ids_returned=True,
            keywords=True,
            dates=True,
            subscriptions=True,
            rename=True,
            identities=labels,
            labels=labels,
            updates=True,
        )

    def folders(self) -> list[Folder]:
        return self._layout.folders()

    def status(self, folder: Folder) -> Folder:
        if not folder.selectable:
            return folder
        return replace(self._open(folder).folder, path=folder.path)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:  # noqa: ARG002 -- ids have no order
        return self._open(folder).heads()

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:  # noqa: ARG002 -- everything is listed
        shelf = self._open(folder)
        return Changes(shelf.folder.state, complete=True, heads=shelf.heads())

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        return self._open(folder).read(refs)

    def sharing(self, folder: Folder) -> Sharing:  # noqa: ARG002 -- files are shared in other ways
        return Sharing()

    def close(self) -> None:
        """What was left out is told once for each session."""
        self._layout.memory.msgs.rest()
        left_out = self._layout.tree.left_out() if not self._closed else {}
        self._closed = True
        for what, count in left_out.items():
            _log.warning("%d %s were left out below the path", count, what)

    def _open(self, folder: Folder) -> Shelf:
        if not folder.selectable:
            raise FolderUnusable(f"{'/'.join(folder.path)!r} only holds other folders")
        if self._shelf is None or self._shelf[0] != folder.native:
            self._shelf = folder.native, self._layout.shelf(folder)
        return self._shelf[1]
