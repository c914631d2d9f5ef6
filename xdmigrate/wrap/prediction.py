"""What a dry run would have done: counts for people, and an overlay that keeps later listings consistent."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from xdmigrate.model import FlagChange, Folder, Head, Path, Sharing

MADE_UP = b"\xff" * 16
"""How made-up ids begin: after every id that a store gives, so that they are listed last."""

NOTHING = FlagChange(b"")
"""The change that changes nothing."""


@dataclass(slots=True)
class FolderPrediction:
    """What would happen in one folder."""

    items: int = 0
    octets: int = 0
    too_big: int = 0  # items that the target would refuse for their size
    flags: int = 0  # items whose flags would change
    updated: int = 0  # copies that would be replaced, because their items changed
    moved: int = 0  # items that would come here from another folder of the target
    removed: int = 0


@dataclass(slots=True)
class Prediction:
    """What would happen to one target mailbox, in the order of first mention."""

    created: list[Path] = field(default_factory=list)
    renamed: list[tuple[Path, Path]] = field(default_factory=list)
    subscribed: list[Path] = field(default_factory=list)
    shared: list[tuple[Path, Sharing]] = field(default_factory=list)
    folders: dict[Path, FolderPrediction] = field(default_factory=dict)

    def folder(self, path: Path) -> FolderPrediction:
        """The folder's prediction, to be added to."""
        return self.folders.setdefault(path, FolderPrediction())


def made_up(ref: bytes) -> bool:
    """Whether this id was given by a dry run and not by a store."""
    return ref.startswith(MADE_UP)


def made_up_ref(number: int) -> bytes:
    """The id of the n-th item that a dry run "wrote" to a folder."""
    return MADE_UP + number.to_bytes(8, "big")


class Overlay:
    """One folder as the run would leave it. Items it would hold take about 80 bytes each; bodies are not kept."""

    def __init__(self, shown: Folder, real: Folder | None) -> None:
        self.shown = shown
        self.real = real  # the folder that is there; None: it would be created
        self._sizes = array("Q")
        self._flags: list[frozenset[str]] = []
        self._dates: list[datetime | None] = []
        self._flag_sets: dict[frozenset[str], frozenset[str]] = {}
        self._removed: set[bytes] = set()
        self._changed: dict[bytes, FlagChange] = {}
        self._replaced: set[bytes] = set()

    def add(self, size: int, flags: frozenset[str], date: datetime | None) -> bytes:
        """An item that would be written; its made-up id."""
        self._sizes.append(size)
        self._flags.append(self._flag_sets.setdefault(flags, flags))
        self._dates.append(date)
        return made_up_ref(len(self._sizes) - 1)

    def remove(self, ref: bytes) -> None:
        """An item that would be removed."""
        self._removed.add(ref)

    def replaced(self, ref: bytes) -> None:
        """An item that would have other bytes, and so another version."""
        self._replaced.add(ref)

    def change(self, change: FlagChange) -> None:
        """Flags that would change, on top of what would have changed already."""
        old = self._changed.get(change.ref, NOTHING)
        add = (old.add - change.remove) | change.add
        remove = (old.remove - change.add) | change.remove
        self._changed[change.ref] = FlagChange(change.ref, add, remove)

    def patched(self, heads: Iterator[Head]) -> Iterator[Head]:
        """Real heads as they would be."""
        for head in heads:
            if head.ref not in self._removed:
                yield self.patch(head)

    def patch(self, head: Head) -> Head:
        """A head with the flags that it would have."""
        change = self._changed.get(head.ref)
        if head.ref in self._replaced:
            head = replace(head, version=MADE_UP)
        return head if change is None else replace(head, flags=(head.flags | change.add) - change.remove)

    def removes(self, ref: bytes) -> bool:
        """Whether the item would be gone."""
        return ref in self._removed

    def added(self, floor: bytes = b"") -> Iterator[Head]:
        """The items that would have been written, with ref >= `floor`."""
        first = int.from_bytes(floor[len(MADE_UP) :], "big") if made_up(floor) else 0
        for number in range(first, len(self._sizes)):
            head = Head(made_up_ref(number), self._sizes[number], self._flags[number], self._dates[number])
            if head.ref not in self._removed:
                yield self.patch(head)

    def removed(self) -> tuple[bytes, ...]:
        """The ids that would be gone."""
        return tuple(sorted(self._removed))

    def alive(self, there: Iterator[bytes]) -> Iterator[bytes]:
        """The ids that would exist where these do; made-up ones come last."""
        yield from (ref for ref in there if ref not in self._removed)
        yield from (head.ref for head in self.added())

    def count(self, there: int) -> int:
        """How many items there would be where there are so many."""
        return max(0, there + len(self._sizes) - len(self._removed))

    def listed(self, now: Folder | None, *, ordered: bool) -> Folder:
        """The folder as it would be listed, when it is `now` on the target."""
        base = replace(now, path=self.shown.path, native=self.shown.native) if now else self.shown
        written = bool(self._sizes) or now is None
        return replace(
            base,
            subscribed=base.subscribed or self.shown.subscribed,
            count=self.count(base.count),
            next_id=made_up_ref(len(self._sizes)) if ordered and written else base.next_id,
            state=b"",  # a token of the real folder would prove something about another one
        )
