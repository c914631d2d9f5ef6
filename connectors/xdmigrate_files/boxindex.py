"""What is in an mbox, as arrays: about 80 bytes for each message, whatever its length.

Ids have to outlive that a message before them is removed, and that a mail program notes in place what was read. So an
id is a digest of the message without the header fields in which such notes stand, and the number of its twin: the
second of two equal messages has number 1. When the first is removed the second becomes number 0: equal content, equal
copy, and what counts as vanished is one of two that were the same.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, pairwise
from threading import Lock, RLock
from typing import NamedTuple

from xdmigrate_files.scan import OURS, Quoting, Span, scan
from xdmigrate_files.settings import Variant

DIGEST_BYTES = 16
REF_BYTES = DIGEST_BYTES + 4

State = tuple[int, int, int, int]
"""Device, inode, length and time of change: what a file was when it was read."""


class Place(NamedTuple):
    """One message of the file."""

    ref: bytes
    start: int
    body: int
    end: int
    size: int
    unix: bool
    quoting: Quoting
    flags: frozenset[str]
    date: datetime | None
    labels: bytes


class BoxIndex:
    """The messages of one file, in the file's order and by id."""

    def __init__(self) -> None:
        self.state: State = (0, 0, 0, 0)  # nothing is known yet
        self._starts, self._bodies, self._ends, self._sizes = (array("Q") for _ in range(4))
        self._dates = array("q")
        self._hows = bytearray()
        self._words = array("I")  # flags and labels, by number
        self._known: dict[tuple[frozenset[str], bytes], int] = {}
        self._said: list[tuple[frozenset[str], bytes]] = []
        self._labelled = 0
        self._counted: tuple[int, Counter[bytes]] = 0, Counter()
        self._digests = bytearray()
        self._order = array("I")  # numbers of messages, ascending by digest, then as they lie in the file
        self._twins = array("I")  # by number: how many equal ones lie before it

    def __len__(self) -> int:
        return len(self._starts)

    def extend(self, fd: int, variant: Variant | None, limit: int | None = None) -> None:
        """Take up what the file has behind what is known, up to `limit`."""
        state = state_of(fd, limit)
        for span in scan(fd, self.state[2], state[2], variant):
            self._add(span)
        self.state = state
        self._sort()

    def last_is_ours(self, fd: int) -> bool:
        """Whether the last message is one that we wrote."""
        return bool(self._starts) and os.pread(fd, len(OURS), self._starts[-1]) == OURS

    def _add(self, span: Span) -> None:
        self._starts.append(span.start)
        self._bodies.append(span.body)
        self._ends.append(span.end)
        self._sizes.append(span.size)
        self._dates.append(_stored(span.date))
        self._hows.append(span.quoting << 1 | span.unix)
        self._words.append(self._number(span.flags, span.labels))
        self._labelled += bool(span.labels)
        self._digests += span.digest

    def _number(self, flags: frozenset[str], labels: bytes) -> int:
        key = (flags, labels)
        if key not in self._known:
            self._known[key] = len(self._said)
            self._said.append(key)
        return self._known[key]

    def labels(self) -> set[bytes]:
        """Every different X-Gmail-Labels field of a Takeout, in which most messages have one; else none."""
        if self._labelled * 2 <= len(self):
            return set()
        return {labels for _, labels in self._said}

    def label_counts(self) -> Mapping[bytes, int]:
        """How many messages have each X-Gmail-Labels field, counted once: a Takeout has hundreds of labels."""
        if self._counted[0] != len(self):
            counts: Counter[bytes] = Counter()
            for word, number in Counter(self._words).items():
                counts[self._said[word][1]] += number
            self._counted = len(self), counts
        return self._counted[1]

    def places(self) -> Iterator[Place]:
        """All messages, ascending by id."""
        for number in self._order:
            yield self._place(number)

    def in_file(self, first: int = 0) -> Iterator[Place]:
        """The messages from this number on, as they lie in the file."""
        return map(self._place, range(first, len(self)))

    def find(self, ref: bytes) -> Place | None:
        """The message of this id."""
        order, digest = self._order, ref[:DIGEST_BYTES]
        at = bisect_left(order, digest, key=self._digest) + int.from_bytes(ref[DIGEST_BYTES:])
        return self._place(order[at]) if at < len(order) and self._ref(order[at]) == ref else None

    def _sort(self) -> None:
        """The old order stays valid for whoever goes through it: messages are only ever added."""
        numbers = chain(self._order, range(len(self._order), len(self)))
        order = array("I", sorted(numbers, key=self._digest))
        twins = array("I", bytes(4 * len(order)))
        for before, number in pairwise(order):
            if self._digest(before) == self._digest(number):
                twins[number] = twins[before] + 1
        self._twins, self._order = twins, order

    def _digest(self, number: int) -> bytes:
        return bytes(self._digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES])

    def _ref(self, number: int) -> bytes:
        return self._digest(number) + self._twins[number].to_bytes(4)

    def _place(self, number: int) -> Place:
        flags, labels = self._said[self._words[number]]
        return Place(
            self._ref(number),
            self._starts[number],
            self._bodies[number],
            self._ends[number],
            self._sizes[number],
            bool(self._hows[number] & 1),
            Quoting(self._hows[number] >> 1),
            flags,
            _told(self._dates[number]),
            labels,
        )


class Shared:
    """The index of one file, for all sessions of this process. What changes the file holds the lock."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._index: BoxIndex | None = None

    def of(self, fd: int, variant: Variant | None, limit: int | None) -> BoxIndex:
        """The index of the open file up to `limit`; read whole unless it is what it was."""
        with self.lock:
            if self._index is None or self._index.state != state_of(fd, limit):
                self._index = BoxIndex()
                self._index.extend(fd, variant, limit)
            return self._index


class Indexes:
    """The indexes of all files that this process has read, kept as long as the files stay what they were."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[str, bytes], Shared] = {}

    def of(self, key: tuple[str, bytes]) -> Shared:
        """The one of this file."""
        with self._lock:
            return self._known.setdefault(key, Shared())


def state_of(fd: int, limit: int | None) -> State:
    """What the open file is now, as if it ended at `limit`."""
    look = os.fstat(fd)
    size = look.st_size if limit is None else min(limit, look.st_size)
    return look.st_dev, look.st_ino, size, look.st_mtime_ns


_NO_DATE = -(1 << 63)


def _stored(date: datetime | None) -> int:
    return _NO_DATE if date is None else int(date.timestamp())


def _told(seconds: int) -> datetime | None:
    return None if seconds == _NO_DATE else datetime.fromtimestamp(seconds, UTC)
