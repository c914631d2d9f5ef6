"""mbox: all messages of a folder in one file. Read in every variant, written as mboxrd, which alone loses nothing.

A message is written as a line "From xdmigrate DATE" with the date in UTC, its bytes with LF for CRLF where reading
gives back the same, ">" more before every line of ">" and "From ", and one line end. Flags stand in the manifest
beside the file, so that no byte of a message is touched.

What is appended stands on the disk whole or not at all: before the first byte, a file beside the mbox names the length
that it had, and after the last one is on the disk that file goes. Where it is found, the mbox ends there for every
reader, and the next writer cuts it: nothing behind that point was ever acknowledged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from xdmigrate.contract import Receipt, Stored
from xdmigrate.errors import AccessDenied, FolderUnusable
from xdmigrate.model import FlagChange, Folder, Head, Item, Path
from xdmigrate_files import flags as spelling
from xdmigrate_files.bodies import FileBody, blocks_of, unreadable
from xdmigrate_files.boxindex import BoxIndex, Indexes, Place
from xdmigrate_files.lines import as_crlf, quoted
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.names import native
from xdmigrate_files.onefile import moment
from xdmigrate_files.scan import OURS, UNQUOTING, Quoting
from xdmigrate_files.settings import Variant
from xdmigrate_files.shelf import Draft, Lies, changed, mail_folder
from xdmigrate_files.tree import Rel, Tree, shown, told, write_whole

MBOX = "mbox"
ENDING = b".mbox"
MANIFEST = b".jsonl"
UNFINISHED = b".appending"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Mbox:
    """One folder: a file."""

    def __init__(self, tree: Tree, rel: Rel, path: Path, indexes: Indexes, variant: Variant | None) -> None:
        self._tree = tree
        self._rel = rel
        self._path = path
        self._shared = indexes.of((tree.root, b"/".join(rel)))
        self._variant = variant
        self._manifest = Manifest(tree, beside(rel, MANIFEST))

    @property
    def folder(self) -> Folder:
        with self._open() as fd:
            index = self._index(fd)
        mark = b"%d:%d:%d:%d:" % index.state + self._manifest.mark
        return mail_folder(self._path, f"{MBOX}:{native(self._rel)}", len(index), sha256(mark).digest())

    def labels(self) -> set[bytes]:
        """Every different X-Gmail-Labels field in it, where it is a Takeout.

        A manifest beside it says that it is an export of ours: what was one folder there stays one folder.
        """
        if self._manifest.mark:
            return set()
        with self._open() as fd:
            return self._index(fd).labels()

    def label_counts(self) -> Mapping[bytes, int]:
        """How many messages have each X-Gmail-Labels field."""
        with self._open() as fd:
            return self._index(fd).label_counts()

    def heads(self) -> Iterator[Head]:
        with self._open() as fd:
            found = self._index(fd).places()
            changed_at = os.fstat(fd).st_mtime
        self._manifest.refresh()
        return (self.head(place, changed_at) for place in found)

    def places(self) -> Iterator[Place]:
        """What `heads` tells, with labels."""
        with self._open() as fd:
            return self._index(fd).places()

    def find(self, ref: bytes) -> Place | None:
        """The message of this id."""
        with self._open() as fd:
            return self._index(fd).find(ref)

    def changed_at(self) -> float:
        """When the file was last written, in seconds since 1970."""
        with self._open() as fd:
            return os.fstat(fd).st_mtime

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        self._manifest.refresh()
        with self._open() as fd:
            changed_at = os.fstat(fd).st_mtime
            for ref in dict.fromkeys(refs):
                place = self._index(fd).find(ref)
                if place is not None:
                    head = self.head(place, changed_at)
                    yield Item(head, FileBody(place.size, partial(self._blocks, place)))

    def lies(self, ref: bytes) -> Lies | None:
        place = self.find(ref)
        signs = {Quoting.NONE: 0, Quoting.ONCE: 1, Quoting.EVERY: -1}
        return Lies(self._rel, place.body, place.end, signs[place.quoting]) if place else None

    def head(self, place: Place, changed_at: float) -> Head:
        """What is told of a message; where its "From " line has no date, it is as old as the file."""
        noted = self._manifest.flags_of(place.ref)
        flags = place.flags if noted is None else noted
        return Head(place.ref, place.size, flags, place.date or moment(changed_at))

    def _blocks(self, place: Place) -> Iterator[bytes]:
        with self._open() as fd:
            current = self._index(fd).find(place.ref)
            if current is None:
                return
            blocks = UNQUOTING[current.quoting](blocks_of(fd, current.body, current.end))
            try:
                yield from as_crlf(blocks) if current.unix else blocks
            except OSError:
                raise unreadable() from None

    def _index(self, fd: int) -> BoxIndex:
        with self._shared.lock:  # no other session of this process is appending
            return self._shared.of(fd, self._variant, self._unfinished())

    @contextmanager
    def _open(self) -> Iterator[int]:
        fd = self._tree.open(self._rel)
        if fd is None:
            raise FolderUnusable(f"folder {'/'.join(self._path)!r} is gone")
        try:
            yield fd
        except OSError as error:
            raise told(error, self._rel) from error
        finally:
            os.close(fd)

    # --- writing --------------------------------------------------------------------------------------------------

    def add(self, drafts: Sequence[Draft]) -> list[Receipt]:
        if self._variant not in {None, Variant.MBOXRD}:
            raise AccessDenied(
                f"{shown(self._rel)}: {self._variant} cannot keep every byte, and is not written",
                remedy="leave `mbox` out, or write `mbox: mboxrd`",
            )
        with self._shared.lock, self._locked() as fd:
            index = self._index(fd)
            first = len(index)
            begun = os.fstat(fd).st_size
            self._begin(begun)
            try:
                _append(fd, begun, drafts, after_ours=index.last_is_ours(fd))
            except BaseException:
                os.ftruncate(fd, begun)
                self._finish()
                raise
            index.extend(fd, self._variant)
            added = [place.ref for place in index.in_file(first)]
            name = self._rel[-1]
            self._manifest.items((draft, ref, name) for draft, ref in zip(drafts, added, strict=True))
            self._finish()
        return [Stored(draft.ticket, ref) for draft, ref in zip(drafts, added, strict=True)]

    def change_flags(self, changes: Sequence[FlagChange]) -> None:
        known = {change.ref: change for change in changes}
        items = {head.ref: head.flags for head in self.heads() if head.ref in known}
        self._manifest.flags((ref, spelling.kept(changed(flags, known[ref]))) for ref, flags in items.items())

    def remove(self, refs: Sequence[bytes]) -> None:
        """The file without these messages, in one step; its twins' flags go where their ids go."""
        with self._shared.lock, self._locked() as fd:
            index = self._index(fd)
            gone = {place.start for ref in set(refs) if (place := index.find(ref)) is not None}
            if not gone:
                return
            left = list(self._left(fd, index, gone))
            self._write_anew(fd, [(start, stop) for start, stop, _ in left])
        self._manifest.refresh()
        with self._open() as fd:
            places = list(self._index(fd).in_file())
        was = [(place.ref, self._manifest.flags_of(ref)) for place, (_, _, ref) in zip(places, left, strict=True)]
        self._manifest.flags((ref, now) for ref, now in was if now is not None and now != self._manifest.flags_of(ref))

    def _left(self, fd: int, index: BoxIndex, gone: set[int]) -> Iterator[tuple[int, int, bytes]]:
        places = list(index.in_file())
        starts = [place.start for place in places[1:]]
        for place, stop in zip(places, [*starts, os.fstat(fd).st_size], strict=True):
            if place.start not in gone:
                yield place.start, stop, place.ref

    def _write_anew(self, fd: int, parts: Iterable[tuple[int, int]]) -> None:
        made = beside(self._rel, b".new")
        self._tree.unlink(made)
        with self._tree.appending(made) as new:
            for start, stop in parts:
                for block in blocks_of(fd, start, stop):
                    write_whole(new, block)
            os.fsync(new)
        self._tree.replace(made, self._rel)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, locked and as its last whole append left it."""
        while True:
            with self._tree.appending(self._rel) as fd:
                look = self._tree.look(self._rel)
                if look is None or look.st_ino != os.fstat(fd).st_ino:
                    continue  # another process put a new file into its place while we waited
                self._mend(fd)
                yield fd
                return

    def _mend(self, fd: int) -> None:
        begun = self._unfinished()
        if begun is not None and begun < os.fstat(fd).st_size:
            os.ftruncate(fd, begun)
            os.fsync(fd)
        if begun is not None:
            self._finish()

    def _unfinished(self) -> int | None:
        """Where an append began that has not ended: what stands behind that is nobody's message yet."""
        noted = (self._tree.content(beside(self._rel, UNFINISHED), 100) or b"").strip()
        return int(noted) if noted.isdigit() else None

    def _begin(self, length: int) -> None:
        rel = beside(self._rel, UNFINISHED)
        with self._tree.appending(rel) as fd:
            write_whole(fd, b"%d\n" % length)
            os.fsync(fd)
        self._tree.sync(rel[:-1])

    def _finish(self) -> None:
        self._tree.unlink(beside(self._rel, UNFINISHED))
        self._tree.sync(self._rel[:-1])


def beside(rel: Rel, ending: bytes) -> Rel:
    """A file beside the mbox that belongs to it."""
    return (*rel[:-1], rel[-1] + ending)


def _append(fd: int, begun: int, drafts: Sequence[Draft], *, after_ours: bool) -> None:
    """At the end, behind an empty line where another program wrote the last message without one."""
    os.lseek(fd, begun, os.SEEK_SET)
    if begun and not after_ours:
        tail = os.pread(fd, 3, max(begun - 3, 0))
        blank = tail.endswith((b"\n\n", b"\n\r\n"))
        write_whole(fd, b"" if blank else b"\n" if tail.endswith(b"\n") else b"\n\n")
    for draft in drafts:
        write_whole(fd, _separator(draft))
        for block in quoted(draft.unix()):
            write_whole(fd, block)
        write_whole(fd, b"\n")
    os.fsync(fd)


def _separator(draft: Draft) -> bytes:
    date = (draft.head.date or datetime.now(UTC)).astimezone(UTC)
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return OURS + f"{day} {month} {date.day:2d} {date:%H:%M:%S} {date.year:04d}\n".encode()
