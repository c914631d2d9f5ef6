"""One folder of a memory account: its items, its numbering, and what happened in it. Knows no session and no lock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import islice

from xdmigrate.model import UNTOLD, Folder, Head, Kind, Path, Role
from xdmigrate.testing.memory.powers import Powers

SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}
"""RFC 9051 section 2.3.2; flags are compared without regard to case, and listed in this spelling."""

ESTIMATED = 64
"""A server that only estimates sizes tells them in steps of so many bytes."""


def listed_flags(flags: Iterable[str], *, keywords: bool) -> frozenset[str]:
    r"""The flags as this store keeps them: system flags in one spelling, keywords if there are any; \Recent never."""
    spelled = (SYSTEM_FLAGS.get(flag.lower(), flag) for flag in flags)
    return frozenset(
        flag for flag in spelled if flag in SYSTEM_FLAGS.values() or (keywords and flag and flag[0] != "\\")
    )


@dataclass(slots=True)
class Kept:
    """One stored item."""

    ref: bytes
    data: bytes
    flags: frozenset[str]
    date: datetime
    added: int  # the box's change counter when it came
    changed: int  # the box's change counter when it last changed
    identity: bytes = b""  # of an object that may be shown in several folders
    written: int = 0  # the box's change counter when its bytes were last written

    def head(self, powers: Powers, kind: Kind) -> Head:
        """What a server with these powers lists."""
        step = powers.estimate or (1 if powers.exact_sizes else ESTIMATED)
        size = len(self.data) if step == 1 else step * (len(self.data) // step + 1)
        version = b'"%d"' % self.written if powers.versioned(kind) else b""
        return Head(self.ref, size, self.flags, self.date, version, self.identity)

    def bare_head(self) -> Head:
        """What a listing tells that leaves out what cannot have changed."""
        return Head(self.ref, UNTOLD, self.flags)


@dataclass(slots=True)
class Box:
    """A folder and everything in it. `changes` counts every change, like HIGHESTMODSEQ (RFC 7162)."""

    path: Path
    validity: int
    kind: Kind = Kind.MAIL
    ref: bytes = b""
    role: Role | None = None
    selectable: bool = True
    subscribed: bool = False
    items: dict[bytes, Kept] = field(default_factory=dict)
    keys: dict[bytes, bytes] = field(default_factory=dict)  # idempotency key -> ref
    gone: list[tuple[int, bytes]] = field(default_factory=list)  # (change counter, ref) of every removal
    grants: dict[str, str] = field(default_factory=dict)  # identifier -> RFC 4314 rights
    notes: dict[str, bytes] = field(default_factory=dict)  # RFC 5464 entry -> value
    next_number: int = 1
    changes: int = 1

    def _new_ref(self, *, ordered: bool) -> bytes:
        number = self.next_number
        self.next_number += 1
        if ordered:
            return number.to_bytes(4, "big")
        return sha256(b"%d:%d" % (self.validity, number)).digest()[:12]

    def add(self, data: bytes, flags: frozenset[str], date: datetime, *, ordered: bool, identity: bytes = b"") -> bytes:
        """Store an item; its new id."""
        self.changes += 1
        ref = self._new_ref(ordered=ordered)
        self.items[ref] = Kept(ref, data, flags, date, self.changes, self.changes, identity, self.changes)
        return ref

    def rewrite(self, ref: bytes, data: bytes) -> None:
        """Other bytes in the place of an item that exists, under a new version."""
        kept = self.items[ref]
        self.changes += 1
        kept.data, kept.changed, kept.written = data, self.changes, self.changes

    def set_flags(self, ref: bytes, flags: frozenset[str]) -> None:
        """Replace the flags of an item that exists."""
        kept = self.items[ref]
        if kept.flags != flags:
            self.changes += 1
            kept.flags, kept.changed = flags, self.changes

    def discard(self, ref: bytes) -> None:
        """Remove an item; nothing happens when it is gone already."""
        if self.items.pop(ref, None) is not None:
            self.changes += 1
            self.gone.append((self.changes, ref))

    def renumber(self, validity: int, *, ordered: bool) -> None:
        """Give every item a new id under a new validity, as after a restore; no old cursor is good any more."""
        kept = [self.items[ref] for ref in sorted(self.items)]
        self.validity, self.next_number = validity, 1
        self.items.clear()
        self.keys.clear()
        self.gone.clear()
        for item in kept:
            self.add(item.data, item.flags, item.date, ordered=ordered, identity=item.identity)

    def ascending(self, floor: bytes = b"") -> Iterator[Kept]:
        """The items there are now with ref >= `floor`, ascending by ref."""
        refs = sorted(self.items)
        return (self.items[ref] for ref in islice(refs, bisect_left(refs, floor), None))

    def octets(self) -> int:
        """Bytes held."""
        return sum(len(kept.data) for kept in self.items.values())

    def listed(self, powers: Powers) -> Folder:
        """The folder as a server with these powers lists it."""
        token = b"%d:%d" % (self.validity, self.changes)
        return Folder(
            path=self.path,
            kind=self.kind,
            native=(powers.delimiter or "\0").join(self.path),
            ref=self.ref if powers.folder_ids else b"",
            validity=self.validity,
            next_id=self.next_number.to_bytes(4, "big") if powers.ordered_ids else b"",
            count=len(self.items),
            role=self.role,
            selectable=self.selectable,
            subscribed=self.subscribed,
            state=token if powers.change_test else b"",
        )
