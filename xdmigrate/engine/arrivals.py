"""What items that appeared at the source hold: by the name that the source gives to contents, else by reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from xdmigrate.engine.fingerprints import Print, print_of
from xdmigrate.engine.moves import Arrival, Copy, content
from xdmigrate.engine.objects import loads
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.reading import read_each
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import ItemRefused
from xdmigrate.model import Folder, Head, Item, Kind
from xdmigrate_state import identities
from xdmigrate_state.rows import FolderIds, ItemRow


def arrived_in(work: Work, pair: Pair, rows: Sequence[ItemRow], free: Sequence[Copy]) -> Iterator[Arrival]:
    """What these pending items hold, and their flags now; those that are gone or unreadable are left out."""
    if pair.folder.kind is not Kind.MAIL:
        yield from _arrived_objects(work, pair, [row.source_id for row in rows])
        return
    named = _named(work, pair, rows, free)
    found = [_under_its_name(work, head, named[head.ref]) for head in _heads(work, pair.folder, named)]
    known = {arrival.sent.source_id for arrival in found}
    yield from found
    for item in read_each(work.source, pair.folder, [row.source_id for row in rows if row.source_id not in known]):
        if isinstance(item, Item):
            with suppress(ItemRefused):
                sent = Sent(item.head.ref, print_of(item.body), item.head.flags)
                yield Arrival(sent, date_of(work, item.head))


def _named(work: Work, pair: Pair, rows: Sequence[ItemRow], free: Sequence[Copy]) -> dict[bytes, Print]:
    """What those hold that the source calls by the name of something that left, by id, so that they need not be read.

    A source that gave one name to several contents is not believed at all.
    """
    if not work.source.features.identities:
        return {}
    gone = {(copy.row.folder_id, copy.row.source_id): content(copy.row, pair.folder.kind) for copy in free}
    folders = {FolderIds(folder_id, pair.row.account_id) for folder_id, _ in gone}

    def names(c: Connection) -> dict[tuple[int, bytes], bytes]:
        left = {key: [ref for folder_id, ref in gone if folder_id == key.id] for key in folders}
        return {
            (key.id, ref): name for key, refs in left.items() for ref, name in identities.digests(c, key, refs).items()
        }

    held = {name: gone[key] for key, name in work.read(names).items()}
    if not held or work.read(lambda c: identities.ambiguous(c, pair.row.account_id, work.mailbox.id, held)):
        return {}
    mine = work.read(lambda c: identities.digests(c, pair.row, [row.source_id for row in rows]))
    sizes = {row.source_id: row.size for row in rows}
    return {ref: held[name] for ref, name in mine.items() if name in held and held[name].size == sizes[ref]}


def _heads(work: Work, folder: Folder, named: Mapping[bytes, Print]) -> Iterator[Head]:
    last = max(named, default=b"")
    for head in work.source.heads(folder, min(named)) if named else ():
        if head.ref > last:
            break
        if head.ref in named:
            yield head


def _under_its_name(work: Work, head: Head, held: Print) -> Arrival:
    return Arrival(Sent(head.ref, held, head.flags), date_of(work, head))


def _arrived_objects(work: Work, pair: Pair, refs: Sequence[bytes]) -> Iterator[Arrival]:
    for load in loads(work.source, pair.folder, refs):
        work.shelf.keep(pair.row.id, load)
        for held in load.items:
            head = held.item.head
            yield Arrival(Sent(head.ref, held.content, head.flags, version=head.version), None)


def date_of(work: Work, head: Head) -> datetime | None:
    """Only messages have a date of their own."""
    return head.date if work.target.features.dates and Kind.MAIL in work.kinds else None
