"""What Maildir, trees of .eml and vdir have in common: an item is a file of its own, and its name is its id."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import PurePath
from threading import Lock
from typing import NamedTuple

from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Head, Item, RefusedBody
from xdmigrate_files.bodies import FileBody, blocks_of, unreadable
from xdmigrate_files.lines import Measure, as_crlf
from xdmigrate_files.tree import Rel, Tree, write_whole

FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

TOGETHER = 32
"""Files that are open for writing at once."""

_MEASURED_AT_MOST = 500_000
_forcing = ThreadPoolExecutor(8, thread_name_prefix="fsync")


class Measured(NamedTuple):
    """What reading a file once told."""

    size: int  # as it is read, in bytes
    unix: bool  # its lines end with LF alone


class Sizes:
    """The lengths of files as they are read, remembered by what a file is. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[int, int, int, int], Measured] = {}

    def known(self, look: os.stat_result) -> Measured | None:
        """What is known of this file without reading it."""
        with self._lock:
            return self._known.get((look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns))

    def of(self, fd: int, look: os.stat_result) -> Measured:
        """Read the file unless that was done before."""
        found = self.known(look)
        if found is None:
            measure = Measure()
            for block in blocks_of(fd, 0, look.st_size):
                measure.add(block)
            found = Measured(measure.as_read, measure.unix)
            with self._lock:
                if len(self._known) >= _MEASURED_AT_MOST:
                    self._known.clear()
                self._known[look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns] = found
        return found


def moment(seconds: float) -> datetime:
    """A file's time in whole seconds, as servers keep it; one that no date can name is the nearest that can."""
    try:
        return datetime.fromtimestamp(int(seconds // 1), UTC)
    except (ValueError, OverflowError, OSError):
        return LAST if seconds > 0 else FIRST


Way = Callable[[], Rel | None]
"""Finds a file once more that has another name by now."""


def mail_of(  # noqa: PLR0917 -- what is known of the message
    tree: Tree, sizes: Sizes, rel: Rel, ref: bytes, flags: frozenset[str], moved: Way | None = None
) -> Item | None:
    """The message in a file; None when it is gone. One that cannot be read says so when its body is asked for."""
    fd = -1
    try:
        opened = tree.open(rel)
        if opened is None:
            return None
        fd = opened
        look = os.fstat(fd)
        measured = sizes.of(fd, look)
    except (XdmigrateError, OSError):
        return Item(Head(ref, 0, flags), RefusedBody(unreadable()))
    finally:
        if fd >= 0:
            os.close(fd)
    head = Head(ref, measured.size, flags, moment(look.st_mtime))
    return Item(head, FileBody(measured.size, partial(_mail_blocks, tree, rel, moved, measured)))


def _mail_blocks(tree: Tree, rel: Rel, moved: Way | None, measured: Measured) -> Iterator[bytes]:
    fd = None
    try:
        fd = tree.open(rel)
        if fd is None and moved is not None and (now := moved()) is not None:
            fd = tree.open(now)
        if fd is not None:
            blocks = blocks_of(fd, 0, os.fstat(fd).st_size)
            yield from as_crlf(blocks) if measured.unix else blocks
    except (XdmigrateError, OSError):
        raise unreadable() from None
    finally:
        if fd is not None:
            os.close(fd)


class New(NamedTuple):
    """A file to be made."""

    name: bytes
    blocks: Iterable[bytes]
    seconds: float  # the time that it gets


def write_files(above: int, tree: Tree, wanted: Iterable[New]) -> None:
    """New files with these bytes and times, on the disk for good once their directory is; all or none."""
    files, made = iter(wanted), list[bytes]()
    with taken_back(above, made):
        while group := list(islice(files, TOGETHER)):
            _write_group(above, tree, group, made)


def _write_group(above: int, tree: Tree, group: Iterable[New], made: list[bytes]) -> None:
    """Forced to the disk by several threads at once: a journalling file system commits for all of them."""
    opened: list[int] = []
    try:
        for new in group:
            opened.append(tree.create(above, new.name))
            made.append(new.name)
            _fill(opened[-1], new)
        list(_forcing.map(os.fsync, opened))
    finally:
        for fd in opened:
            os.close(fd)


@contextmanager
def taken_back(above: int, made: Iterable[bytes]) -> Iterator[None]:
    """Where the block fails, none of these files stays; what has got another name by then is another file."""
    try:
        yield
    except BaseException:
        for name in made:
            with suppress(OSError):
                os.unlink(name, dir_fd=above)
        raise


def write_file(above: int, tree: Tree, name: bytes, blocks: Iterable[bytes], seconds: float) -> None:
    """The same for one."""
    write_files(above, tree, [New(name, blocks, seconds)])


def _fill(fd: int, new: New) -> None:
    for block in new.blocks:
        write_whole(fd, block)
    os.utime(fd, ns=(_nanoseconds(new.seconds), _nanoseconds(new.seconds)))


def _nanoseconds(seconds: float) -> int:
    """Microseconds are what a date has; a float of nanoseconds would not be exact."""
    return round(seconds * 1_000_000) * 1000


def suffix_of(name: bytes) -> str:
    """The ending of a file's name, with its dot, in small letters."""
    return PurePath(os.fsdecode(name)).suffix.lower()
