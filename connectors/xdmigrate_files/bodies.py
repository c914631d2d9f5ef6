"""Bodies of items on their way from the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from xdmigrate.contract import BUFFERED_BODY
from xdmigrate.errors import ItemRefused
from xdmigrate.model import RefusedBody
from xdmigrate_files.lines import BLOCK


class FileBody:
    """A body that is read when it is asked for; `open_` gives the file, which is closed after the last block."""

    def __init__(self, size: int, read: Callable[[], Iterator[bytes]]) -> None:
        self.size = size
        self._read = read

    def chunks(self) -> Iterator[memoryview]:
        for block in self._read():
            if block:
                yield memoryview(block)

    def spool(self) -> BinaryIO:
        if self.size <= BUFFERED_BODY:
            return BytesIO(b"".join(self._read()))
        file = SpooledTemporaryFile(max_size=BUFFERED_BODY)  # noqa: SIM115  # the caller's
        for block in self._read():
            file.write(block)
        file.seek(0)
        return cast(BinaryIO, file)


def unreadable() -> RefusedBody:
    """The body of an item whose file is there and cannot be read."""
    remedy = "let the user who runs xdmigrate read it"
    return RefusedBody(ItemRefused("the file cannot be read", reason="unreadable", remedy=remedy))


def blocks_of(fd: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes of an open file from `start` to `end`, a block at a time; fewer when it has become shorter."""
    while start < end and (block := os.pread(fd, min(BLOCK, end - start), start)):
        yield block
        start += len(block)
