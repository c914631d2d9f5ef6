"""The independent reader for `verify`: what a message's bytes are is found out here once more, by other code.

Folders, ids, flags and dates come from a fresh look that shares no memory with the copy path. Bytes are read by the
lines of the file, where the copy path works on blocks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import BinaryIO

from xdmigrate.contract import Inspected
from xdmigrate.model import FINGERPRINT_BYTES, Folder, Head, Kind
from xdmigrate_files.layout import Layout, Memory
from xdmigrate_files.settings import Settings
from xdmigrate_files.shelf import Lies, Shelf
from xdmigrate_files.tree import Tree, told

PART = 1 << 20
"""Bytes of a line that are held at once."""

_SIGNS = re.compile(rb"(>+)From ")


class FilesAuditor:
    """An `Auditor` over the files below one root, which a target to which nothing went `may_lack`."""

    def __init__(self, settings: Settings, *, may_lack: bool = False) -> None:
        lacking = may_lack and not os.path.lexists(settings.root)
        self._tree = Tree(settings.root) if lacking else Tree.at(settings.root)
        self._layout = Layout(self._tree, settings, Memory())
        self._shelf: tuple[str, Shelf] | None = None

    def folders(self) -> list[Folder]:
        return self._layout.folders()

    def heads(self, folder: Folder) -> Iterator[Head]:
        return self._open(folder).heads()

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        for ref in dict.fromkeys(refs):
            digest, size, there = sha256(), 0, False
            for part in self._bytes(folder, ref):
                digest.update(part)
                size, there = size + len(part), True
            if there:
                yield Inspected(ref, size, digest.digest()[:FINGERPRINT_BYTES])

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        return self._bytes(folder, ref)

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for item in self._open(folder).read(refs):
            yield item.head.ref, b"".join(bytes(chunk) for chunk in item.body.chunks())

    def close(self) -> None:
        self._shelf = None
        self._layout.memory.msgs.rest()

    def _open(self, folder: Folder) -> Shelf:
        if self._shelf is None or self._shelf[0] != folder.native:
            self._shelf = folder.native, self._layout.shelf(folder)
        return self._shelf[1]

    def _bytes(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        """The item's bytes; at least one part, if only an empty one, of an item that is there."""
        if folder.kind is not Kind.MAIL:
            yield from (data for _, data in self.whole(folder, [ref]))
            return
        shelf = self._open(folder)
        lies = shelf.lies(ref)
        if lies is None:  # of a PST no bytes lie anywhere: they are made, here once more
            for item in shelf.read([ref]):
                yield b""
                yield from map(bytes, item.body.chunks())
        fd = self._tree.open(lies.rel) if lies else None
        if lies is None or fd is None:
            return
        with os.fdopen(fd, "rb") as file:
            try:
                yield b""
                yield from _by_lines(file, lies)
            except OSError as error:
                raise told(error, lies.rel) from error


def _by_lines(file: BinaryIO, lies: Lies) -> Iterator[bytes]:
    """Line by line: a sign less where one was added, and CRLF for LF where the first line ends so."""
    left = (os.fstat(file.fileno()).st_size if lies.end is None else lies.end) - lies.start
    file.seek(lies.start)
    begins, unix, before = True, None, b""
    while left > 0 and (line := file.readline(min(PART, left))):
        left -= len(line)
        found = _SIGNS.match(line) if begins else None
        if found is not None and lies.signs and (lies.signs < 0 or len(found[1]) <= lies.signs):
            line = line[1:]
        begins = line.endswith(b"\n")
        lone = begins and not (before + line).endswith(b"\r\n")
        unix = lone if unix is None and begins else unix
        before = line[-1:]
        yield line[:-1] + b"\r\n" if lone and unix else line
