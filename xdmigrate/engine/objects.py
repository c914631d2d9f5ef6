"""Events, tasks and contacts on their way: read before the intent, so that what is about to be written is known.

They change, and stores rewrite them. After a crash the copy may be of a version that the source has no more; the
fingerprints that were committed with the intent tell whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from xdmigrate.contract import Source
from xdmigrate.engine.fingerprints import Print, whole
from xdmigrate.engine.reading import Unreadable, read_each
from xdmigrate.errors import ItemRefused
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Folder, HeldBody, Item

HELD_ITEMS = 500
HELD_OCTETS = 16_000_000
"""So much is held at once, unless one item alone is larger."""


@dataclass(frozen=True, slots=True)
class Held:
    """One item that was read and not yet sent."""

    item: Item
    content: Print


@dataclass(slots=True)
class Load:
    """Items that are intended, written and checkpointed together."""

    items: list[Held] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    octets: int = 0

    def names(self) -> Iterator[tuple[bytes, str]]:
        """The UIDs of the items that have one, by id."""
        for held in self.items:
            if name := semantics(held.item.kind).name(whole(held.item.body)):
                yield held.item.head.ref, name

    @property
    def full(self) -> bool:
        """Whether nothing more is to be added."""
        return self.octets >= HELD_OCTETS or len(self.items) + len(self.unreadable) >= HELD_ITEMS


class Shelf:
    """Items that an earlier step of the pass has read, so that the next one need not read them again.

    Bounded like a load: what does not fit is read twice.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[int, bytes], Held] = {}
        self._octets = 0

    def keep(self, folder_id: int, load: Load) -> None:
        """Keep the items of a load, of a source folder by its id in the state, if there is room."""
        if self._octets + load.octets <= HELD_OCTETS:
            self._held |= {(folder_id, held.item.head.ref): held for held in load.items}
            self._octets += load.octets

    def take(self, folder_id: int, refs: Iterable[bytes]) -> Load:
        """Those of these items that are kept; they are kept no longer."""
        found = [held for ref in refs if (held := self._held.pop((folder_id, ref), None))]
        octets = sum(held.item.body.size for held in found)
        self._octets -= octets
        return Load(found, octets=octets)


def loads(source: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[Load]:
    """The items, those left out that are gone; a load at a time, so that memory stays bounded."""
    load = Load()
    for item in read_each(source, folder, refs):
        _take(load, item, folder)
        if load.full:
            yield load
            load = Load()
    if load.items or load.unreadable:
        yield load


def _take(load: Load, item: Item | Unreadable, folder: Folder) -> None:
    if isinstance(item, Unreadable):
        load.unreadable.append(item)
        return
    try:
        data = whole(item.body)
    except ItemRefused as refused:
        load.unreadable.append(Unreadable(item.head.ref, refused.reason, refused.message))
        return
    load.octets += len(data)
    held = Item(item.head, HeldBody(data), folder.kind)
    load.items.append(Held(held, Print(0, semantics(folder.kind).digest(data))))
