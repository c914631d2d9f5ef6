"""What became what, for people and for us: one JSON object a line, only ever appended to.

Beside the messages of a folder it keeps what plain files cannot carry (flags of .eml and mbox). A line is on the disk
before its item is; one whose item is not there belongs to a write that was interrupted, and the last line wins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Kind, Path
from xdmigrate_files.flags import kept
from xdmigrate_files.onefile import moment
from xdmigrate_files.shelf import Draft
from xdmigrate_files.tree import Rel, Tree, told, write_whole

LONGEST_LINE = 1_000_000


class Manifest:
    """The manifest of one folder."""

    NAME = b"manifest.jsonl"

    def __init__(self, tree: Tree, rel: Rel) -> None:
        self._tree = tree
        self._rel = rel
        self._read = 0  # bytes that are known
        self._file = 0  # and of which file
        self._flags: dict[str, frozenset[str]] = {}

    def begin(self, path: Path, kind: Kind) -> None:
        """The first line of a new folder: what it is."""
        self._append([{"folder": list(path), "kind": kind.value}])

    def items(self, stored: Iterable[tuple[Draft, bytes, bytes]]) -> None:
        """Items with their ids and the names of their files."""
        self._append(_line(draft, ref, name) for draft, ref, name in stored)

    def flags(self, changes: Iterable[tuple[bytes, frozenset[str]]]) -> None:
        """Other flags of items that are there."""
        self._append({"id": ref.hex(), "flags": sorted(flags)} for ref, flags in changes)

    def renamed(self, changes: Iterable[tuple[bytes, bytes, frozenset[str]]]) -> None:
        """Items whose files tell their flags, with the names that they get."""
        self._append({"id": ref.hex(), "file": _text(name), "flags": sorted(flags)} for ref, name, flags in changes)

    def flags_of(self, ref: bytes) -> frozenset[str] | None:
        """The flags that were noted; None when nothing was. `refresh` reads what is new."""
        return self._flags.get(ref.hex())

    @property
    def mark(self) -> bytes:
        """Changes with every line."""
        look = self._tree.look(self._rel)
        return b"%d:%d" % (look.st_ino, look.st_size) if look else b""

    def refresh(self) -> None:
        """Take up what was appended since the last time; one that cannot be read is told with what is left out."""
        try:
            fd = self._tree.open(self._rel)
        except XdmigrateError:
            fd = None
        if fd is None:
            self._flags.clear()
            self._read = 0
            return
        with os.fdopen(fd, "rb") as file:
            look = os.fstat(file.fileno())
            if look.st_ino != self._file or look.st_size < self._read:
                self._flags.clear()
                self._read, self._file = 0, look.st_ino
            file.seek(self._read)
            for line in _whole_lines(file):
                self._read += len(line)
                self._learn(line)

    def _learn(self, line: bytes) -> None:
        try:
            told_ = json.loads(line)
            ref, flags = told_["id"], told_["flags"]
            if isinstance(ref, str) and isinstance(flags, list):
                self._flags[ref] = kept(str(flag) for flag in flags)
        except (ValueError, LookupError, TypeError, RecursionError):
            return

    def _append(self, lines: Iterable[dict[str, Any]]) -> None:
        """All lines at once, behind a torn one if a crash left it."""
        data = b"".join(json.dumps(line, ensure_ascii=True).encode() + b"\n" for line in lines)
        if not data:
            return
        with self._tree.appending(self._rel) as fd:
            try:
                end = os.fstat(fd).st_size
                torn = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
                os.lseek(fd, end, os.SEEK_SET)
                write_whole(fd, b"\n" + data if torn else data)
                os.fsync(fd)
            except OSError as error:
                raise told(error, self._rel) from error


def _whole_lines(file: Any) -> Iterator[bytes]:
    while (line := file.readline(LONGEST_LINE)).endswith(b"\n"):
        yield line


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _line(draft: Draft, ref: bytes, name: bytes) -> dict[str, Any]:
    date = draft.head.date or datetime.now(UTC)
    return {
        "id": ref.hex(),
        "file": _text(name),
        "size": draft.measure.size,
        "sha256": draft.digest.hex(),
        "date": (moment(draft.moment) if draft.head.date is None else date).isoformat(),
        "flags": sorted(kept(draft.head.flags)),
        "source": draft.head.ref.hex(),
    }
