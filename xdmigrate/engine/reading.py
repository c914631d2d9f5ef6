"""Reads items so that one unreadable item does not take the others with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdmigrate.contract import Source
from xdmigrate.errors import ItemRefused
from xdmigrate.model import Folder, Item


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that the source itself cannot hand out."""

    ref: bytes
    reason: str
    detail: str


def read_each(source: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item | Unreadable]:
    """Every item that is still there, in any order; after a refusal the rest is asked for one by one."""
    left = dict.fromkeys(refs)
    try:
        for item in source.read(folder, refs):
            left.pop(item.head.ref, None)
            yield item
    except ItemRefused:
        for ref in left:
            yield from _read_one(source, folder, ref)


def _read_one(source: Source, folder: Folder, ref: bytes) -> Iterator[Item | Unreadable]:
    try:
        yield from source.read(folder, [ref])
    except ItemRefused as refused:
        yield Unreadable(ref, refused.reason, refused.message)
