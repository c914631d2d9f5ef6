"""Bodies of items on their way from the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from xdmigrate.contract import BUFFERED_BODY
from xdmigrate.errors import ItemRefused
from xdmigrate_files.lines import BLOCK

UNREADABLE = "unreadable"
"""Quarantine code: the file is there, and its bytes are not to be had."""


class FileBody:
    """A body that is read when it is asked for. What is not there any more, or not as it was, is refused, not torn."""

    def __init__(self, size: int, read: Callable[[], Iterator[bytes]]) -> None:
        self.size = size
        self._read = read

    def chunks(self) -> Iterator[memoryview]:
        for block in self._whole():
            yield memoryview(block)

    def spool(self) -> BinaryIO:
        if self.size <= BUFFERED_BODY:
            return BytesIO(b"".join(self._whole()))
        file = SpooledTemporaryFile(max_size=BUFFERED_BODY)  # noqa: SIM115  # the caller's
        for block in self._whole():
            file.write(block)
        file.seek(0)
        return cast(BinaryIO, file)

    def _whole(self) -> Iterator[bytes]:
        """The blocks that are not empty. Raises ItemRefused unless they are as long as was told."""
        left = self.size
        for block in self._read():
            left -= len(block)
            if block:
                yield block
        if left:
            remedy = "run again with `quarantine retry`, when nobody writes to it"
            raise ItemRefused("the file was changed while it was read", reason=UNREADABLE, remedy=remedy)


def unreadable() -> ItemRefused:
    """Of an item whose file is there and cannot be read."""
    remedy = "mend the file, or let the user who runs xdmigrate read it"
    return ItemRefused("the file cannot be read", reason=UNREADABLE, remedy=remedy)


def blocks_of(fd: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes of an open file from `start` to `end`, a block at a time; fewer when it has become shorter."""
    while start < end and (block := os.pread(fd, min(BLOCK, end - start), start)):
        yield block
        start += len(block)
