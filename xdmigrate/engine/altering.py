"""Copies that are not what was sent: noticed by the closing listing, known by what they are from then on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from xdmigrate.contract import Source
from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.reading import read_each
from xdmigrate.engine.work import Work
from xdmigrate.formats.meaning import meaning
from xdmigrate.model import Folder, Head, Item
from xdmigrate_state import alterations
from xdmigrate_state.rows import Altered, ItemRow

READ_BACK = 20
"""Copies of one range that are read because they are listed with another size; they speak for the rest."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of both sides, by id."""

    mine: Mapping[bytes, Print]
    theirs: Mapping[bytes, Print]


def altered(
    work: Work, target: Folder, sent: Mapping[int, Sent], stored: Mapping[int, bytes], gained: Mapping[bytes, Head]
) -> list[Altered]:
    """The stored items of a range whose copy is listed with another size than was sent.

    Some servers only estimate sizes: where a copy that was read is equal all the same, the others that were not read
    are taken for equal, too. What differs after all is found by verify, which reads every such copy.
    """
    differ = other_sizes(sent, stored, gained)
    some = sorted(stored[ticket] for ticket in differ)[:READ_BACK]
    read = dict(prints(work.target, target, some)) if some else {}
    equal = {ticket for ticket, head in differ.items() if read.get(head.ref) == sent[ticket].content}
    return [
        _altered(sent[ticket], head, read.get(head.ref), work.target.features.rewrites)
        for ticket, head in differ.items()
        if ticket not in equal and (head.ref in read or not equal)
    ]


def other_sizes(sent: Mapping[int, Sent], stored: Mapping[int, bytes], gained: Mapping[bytes, Head]) -> dict[int, Head]:
    """Pure: the copies with another size than was sent, by ticket."""
    shown = {ticket: gained[ref] for ticket, ref in stored.items() if ref in gained}
    return {ticket: head for ticket, head in shown.items() if head.size != sent[ticket].content.size}


def found_altered(
    work: Work, source: Folder | None, target: Folder, pairs: Iterable[tuple[bytes, bytes]], read: Reading
) -> dict[bytes, tuple[bytes, Altered]]:
    """After a crash: which of the candidates are copies that the target altered; target id and alteration by source id.

    The size is what was sent, or the message says the same; anything else came from somebody else.
    """
    found = {}
    for ref, to in pairs:
        mine, theirs = read.mine.get(ref), read.theirs[to]
        if mine is None or source is None:
            continue
        if mine.size == theirs.size or _says(work.source, source, ref) == _says(work.target, target, to):
            told = f"{mine.size:,} bytes sent, {theirs.size:,} kept; found after an interruption, by its place"
            found[ref] = to, Altered(ref, alterations.ALTERED, told, theirs.size, theirs.fingerprint)
    return found


def _says(store: Source, folder: Folder, ref: bytes) -> bytes | None:
    for item in read_each(store, folder, [ref]):
        if isinstance(item, Item):
            with item.body.spool() as file:
                return meaning(file).digest
    return None


def as_copied(work: Work, rows: Iterable[ItemRow]) -> Iterator[ItemRow]:
    """Ledger rows with the size and fingerprint of the copy, where that is another than the source's."""
    by_folder: dict[int, list[ItemRow]] = {}
    for row in rows:
        by_folder.setdefault(row.folder_id, []).append(row)
    for folder_id, some in by_folder.items():
        refs = [row.source_id for row in some]
        copies = work.read(partial(alterations.of_items, folder_id=folder_id, refs=refs))
        for row in some:
            copy = copies.get(row.source_id)
            yield replace(row, size=copy.size, fingerprint=copy.fingerprint) if copy else row


def _altered(sent: Sent, copy: Head, read: Print | None, rewrites: str) -> Altered:
    size = read.size if read else copy.size
    told = f"{sent.content.size:,} bytes sent, {size:,} kept"
    return Altered(
        source_id=sent.source_id,
        reason=alterations.ALTERED,
        detail=f"{told}: {rewrites}" if rewrites else told,
        size=size,
        fingerprint=read.fingerprint if read else None,
    )
