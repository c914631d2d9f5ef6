"""The files below one root, reached a name at a time and never by a link: nothing outside is read or written.

Every directory is opened by its name in the one above (openat) with O_NOFOLLOW, so that a link that somebody puts in
the way while we work leads nowhere. Links, devices, pipes and sockets are left out and counted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from xdmigrate.errors import AccessDenied, FolderUnusable, QuotaExceeded, XdmigrateError

Rel = tuple[bytes, ...]
"""A way below the root: one name a level."""

DEEPEST = 64
"""Levels below the root; what lies deeper is told and left out."""

MOST_REMEMBERED = 100_000
"""Names of one sort that are counted."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ITEMS = {b".eml", b".ics", b".vcf", b".msg"}
_LINK = {errno.ELOOP, errno.EMLINK}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


class Entry(NamedTuple):
    """One name in a directory: a directory or a regular file."""

    name: bytes
    is_dir: bool


class Tree:
    """A root directory, or one file in it when `only` names one, for one account."""

    def __init__(self, root: str, *, only: bytes = b"") -> None:
        self.root = root
        self.only = only
        self._left_out: dict[str, set[Rel]] = {}

    @classmethod
    def at(cls, path: str) -> Tree:
        """The directory at this path, or the file. Raises AccessDenied when there is neither."""
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            cause = f"cannot look at {path!r}: {error.strerror}"
            raise AccessDenied(cause, remedy="mend `path`, or put the files there") from error
        if stat.S_ISDIR(mode):
            return cls(path)
        if not stat.S_ISREG(mode):
            raise AccessDenied(f"{path!r} is neither a directory nor a file", remedy="mend `path`")
        above, name = os.path.split(path)
        return cls(above, only=os.fsencode(name))

    def leave_out(self, what: str, rel: Rel) -> None:
        """Remember that something is left out, once however often it is met."""
        known = self._left_out.setdefault(what, set())
        if len(known) < MOST_REMEMBERED:
            known.add(rel)

    def left_out(self) -> dict[str, int]:
        """What was left out so far, and how much of it."""
        return {what: len(known) for what, known in sorted(self._left_out.items())}

    # --- reading --------------------------------------------------------------------------------------------------

    @contextmanager
    def directory(self, rel: Rel) -> Iterator[int]:
        """The directory open. Raises FolderUnusable, or AccessDenied where we may not."""
        fd = -1
        try:
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for name in map(_one_name, rel):
                below = os.open(name, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise told(error, rel) from error
        try:
            yield fd
        finally:
            os.close(fd)

    def entries(self, rel: Rel) -> list[Entry]:
        """What is in a directory, by name; what is neither file nor directory is counted and left out."""
        found: list[Entry] = []
        with self.directory(rel) as fd, os.scandir(fd) as listed:
            for each in listed:
                name = os.fsencode(each.name)
                if self.only and not rel and name != self.only:
                    continue
                kind = self._kind(each, (*rel, name))
                if kind is not None:
                    found.append(Entry(name, kind))
        return sorted(found)

    def _kind(self, each: os.DirEntry[str], rel: Rel) -> bool | None:
        with suppress(OSError):
            if each.is_dir(follow_symlinks=False):
                return True
            if each.is_file(follow_symlinks=False):
                return False
            self.leave_out("links" if each.is_symlink() else "devices, pipes and sockets", rel)
        return None

    def names(self, rel: Rel) -> list[bytes]:
        """The names in a directory as they come, without a look at what they are; none when it is not there."""
        try:
            with self.directory(rel) as fd:
                return [os.fsencode(name) for name in os.listdir(fd)]
        except FolderUnusable:
            return []

    def open(self, rel: Rel) -> int | None:
        """A regular file open for reading; None when it is gone, or is none."""
        try:
            with self.directory(rel[:-1]) as above:
                fd = os.open(_one_name(rel[-1]), _FILE, dir_fd=above)
        except FolderUnusable:
            return None
        except OSError as error:
            if error.errno in {*_GONE, errno.ENXIO, *_LINK}:
                return None
            raise told(error, rel) from error
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return None

    def content(self, rel: Rel, limit: int) -> bytes | None:
        """A small file whole; None when it is gone, no file, or larger than `limit`."""
        data = self.beginning(rel, limit + 1)
        return data if data is not None and len(data) <= limit else None

    def beginning(self, rel: Rel, limit: int) -> bytes | None:
        """The first bytes of a file; None when it is gone, or no file."""
        fd = self.open(rel)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as file:
            try:
                return file.read(limit)
            except OSError as error:
                raise told(error, rel) from error

    def look(self, rel: Rel) -> os.stat_result | None:
        """What a file or a directory is, without following; None when it is gone."""
        try:
            with self.directory(rel[:-1]) as above:
                return os.stat(_one_name(rel[-1]) if rel else b".", dir_fd=above, follow_symlinks=False)
        except FolderUnusable:
            return None
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise told(error, rel) from error

    def looks(self, rel: Rel, names: Iterable[bytes]) -> Iterator[tuple[bytes, os.stat_result]]:
        """What these files of one directory are, by one question to the system for each; what is gone is left out."""
        with self.directory(rel) as fd:
            for name in names:
                try:
                    look = os.stat(_one_name(name), dir_fd=fd, follow_symlinks=False)
                except OSError:
                    continue
                yield name, look

    # --- writing --------------------------------------------------------------------------------------------------

    def make(self, rel: Rel) -> None:
        """The directory with all above it; what is there stays. Raises FolderUnusable, AccessDenied, QuotaExceeded."""
        for depth in range(1, len(rel) + 1):
            with self.directory(rel[: depth - 1]) as above:
                try:
                    os.mkdir(_one_name(rel[depth - 1]), 0o700, dir_fd=above)
                    os.fsync(above)
                except FileExistsError:
                    pass
                except OSError as error:
                    raise told(error, rel) from error

    def create(self, above: int, name: bytes) -> int:
        """A new file open for writing, in an open directory. Raises FileExistsError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=above)

    @contextmanager
    def appending(self, rel: Rel) -> Iterator[int]:
        """A file open for reading and appending, made when it is not there, and locked against other processes."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with self.directory(rel[:-1]) as above:
                fd = os.open(_one_name(rel[-1]), flags, 0o600, dir_fd=above)
        except OSError as error:
            raise told(error, rel) from error
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise FolderUnusable(f"{shown(rel)} is not a file")
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        except OSError as error:
            raise told(error, rel) from error
        finally:
            os.close(fd)

    def sync(self, rel: Rel) -> None:
        """What was made and removed in a directory is on the disk for good."""
        with self.directory(rel) as fd:
            os.fsync(fd)

    def replace(self, rel: Rel, to: Rel) -> None:
        """Give a file or directory another place, in one step."""
        try:
            with self.directory(rel[:-1]) as above, self.directory(to[:-1]) as there:
                os.rename(_one_name(rel[-1]), _one_name(to[-1]), src_dir_fd=above, dst_dir_fd=there)
                os.fsync(there)
        except OSError as error:
            raise told(error, rel) from error

    def unlink(self, rel: Rel) -> None:
        """Remove a file; one that is gone is no matter."""
        try:
            with self.directory(rel[:-1]) as above, suppress(FileNotFoundError):
                os.unlink(_one_name(rel[-1]), dir_fd=above)
        except OSError as error:
            raise told(error, rel) from error


def _one_name(name: bytes) -> bytes:
    """A name that stays in its directory. Raises FolderUnusable."""
    if name in {b"", b".", b".."} or b"/" in name or b"\0" in name:
        raise FolderUnusable(f"{shown((name,))} is no name of a file")
    return name


def write_whole(fd: int, data: bytes | memoryview) -> None:
    """All of the bytes, however many the system takes at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def shown(rel: Rel) -> str:
    """A way for people, cut where it is long. The name of an item's own file may be a subject, and is not told."""
    ending = os.path.splitext(rel[-1])[1].lower() if rel else b""
    text = b"/".join((*rel[:-1], b"*" + ending) if ending in _ITEMS else rel).decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 200 else text[:199] + "…")


def told(error: OSError, rel: Rel) -> XdmigrateError:
    """What the system said, as an error of ours."""
    cause = f"{shown(rel)}: {error.strerror}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return QuotaExceeded(cause, remedy="make room on the disk, then run again")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return AccessDenied(cause, remedy="let the user who runs xdmigrate read and write there")
    if error.errno in _LINK:
        return FolderUnusable(f"{shown(rel)} is a link, and none is followed")
    return FolderUnusable(cause)
