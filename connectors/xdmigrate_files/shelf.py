"""What one folder on the disk can do, whatever its format: the seam between sessions and formats."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, NamedTuple, Protocol

from xdmigrate.contract import Receipt
from xdmigrate.model import FlagChange, Folder, Head, Item, Path, Role
from xdmigrate_files.flags import SYSTEM
from xdmigrate_files.lines import BLOCK, Measure, as_lf

REF_BYTES = 16


@dataclass(frozen=True, slots=True)
class Draft:
    """An item that waits to be stored: held whole, so that nothing torn is ever written."""

    ticket: int
    head: Head
    file: BinaryIO
    measure: Measure
    digest: bytes  # SHA-256 of the item's bytes
    over: Head | None = None

    @classmethod
    def of(cls, ticket: int, item: Item, over: Head | None) -> Draft:
        """Take the item's body whole."""
        file, measure, digest = item.body.spool(), Measure(), sha256()
        while block := file.read(BLOCK):
            measure.add(block)
            digest.update(block)
        return cls(ticket, item.head, file, measure, digest.digest(), over)

    def blocks(self) -> Iterator[bytes]:
        """The bytes from the beginning."""
        self.file.seek(0)
        while block := self.file.read(BLOCK):
            yield block

    def beginning(self, limit: int) -> bytes:
        """The first bytes."""
        self.file.seek(0)
        return self.file.read(limit)

    def unix(self) -> Iterator[bytes]:
        """The bytes as a Unix disk has them, where reading gives back the same, else as they are."""
        return as_lf(self.blocks()) if self.measure.plain else self.blocks()

    @property
    def moment(self) -> float:
        """The item's date, or now, in seconds since 1970."""
        return self.head.date.timestamp() if self.head.date else time.time()


class Lies(NamedTuple):
    """Where the bytes of an item lie, and what reading makes of them."""

    rel: tuple[bytes, ...]
    start: int = 0
    end: int | None = None  # None: the end of the file
    signs: int = 0  # mbox: how long a run of ">" may be that has one too many; -1: of any length


class Shelf(Protocol):
    """One folder. Ids are digests, so that no name of a file, which may be a subject, gets into the state."""

    @property
    def folder(self) -> Folder:
        """As it is now, counted. Raises FolderUnusable when it is gone."""

    def heads(self) -> Iterator[Head]:
        """Every item, ascending by id."""

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        """These items; one that is gone is left out."""

    def lies(self, ref: bytes) -> Lies | None:
        """Where an item's bytes are, for the independent reader; None when it is gone."""


class Kept(Shelf, Protocol):
    """One folder that can be written."""

    def add(self, drafts: Sequence[Draft]) -> list[Receipt]:
        """Store them for good, or refuse some. Raises QuotaExceeded, AccessDenied and FolderUnusable."""

    def change_flags(self, changes: Sequence[FlagChange]) -> None:
        """Add and remove flags; unknown ids are ignored."""

    def remove(self, refs: Sequence[bytes]) -> None:
        """Remove these items; unknown ids are ignored."""


def ref_of(*parts: bytes) -> bytes:
    """An id that stays as long as these parts do."""
    return sha256(b"\0".join(parts)).digest()[:REF_BYTES]


def changed(flags: frozenset[str], change: FlagChange) -> frozenset[str]:
    """The flags after a change by difference; names are compared without case (RFC 9051 section 2.3.2)."""
    gone = {flag.lower() for flag in change.remove}
    left = {flag for flag in flags if flag.lower() not in gone}
    there = {flag.lower() for flag in left}
    return frozenset(left | {SYSTEM.get(f.lower(), f) for f in change.add if f.lower() not in there})


def mail_folder(path: Path, native: str, count: int, mark: bytes) -> Folder:
    """A folder of messages as it is listed; `mark` is the digest of what its state is made of."""
    role = Role.INBOX if is_inbox(path) else None
    return Folder(path, native=native, count=count, role=role, subscribed=True, state=mark[:REF_BYTES])


def is_inbox(path: Path) -> bool:
    """RFC 9051 section 5.1: one name in any case."""
    return len(path) == 1 and path[0].upper() == "INBOX"
