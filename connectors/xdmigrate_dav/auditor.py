"""The independent reader for `verify`.

Items are asked for by GET, each by itself; many, by reports of fifty, of which one item is asked for by GET, too. Where
GET says something else, no report about that folder is believed any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdmigrate.contract import Inspected
from xdmigrate.model import Folder, Head, Kind, fingerprint
from xdmigrate_dav.preparing import is_same
from xdmigrate_dav.reading import TOGETHER, Read, Reader
from xdmigrate_dav.session import Session


class DavAuditor:
    """An `Auditor` over a connection of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._versions: dict[str, frozenset[str]] | None = None
        self._doubted: set[str] = set()  # folders of which reports say something else than GET

    def folders(self) -> list[Folder]:
        return self._session.folders()

    def heads(self, folder: Folder) -> Iterator[Head]:
        return iter(self._session.listing(folder).heads.values())

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        read = self._one_by_one(self._reader(folder), refs)
        return (Inspected(ref, len(data), fingerprint(data)) for ref, data in map(_told, read))

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        return (_told(read)[1] for read in self._one_by_one(self._reader(folder), [ref]))

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        reader, wanted = self._reader(folder), list(dict.fromkeys(refs))
        for start in range(0, len(wanted), TOGETHER):
            yield from map(_told, self._some(reader, folder, wanted[start : start + TOGETHER]))

    def close(self) -> None:
        self._session.client.close()

    def _some(self, reader: Reader, folder: Folder, refs: Sequence[bytes]) -> Iterator[Read]:
        """The first item of a report is compared before any of the others is told."""
        if len(refs) > 1 and folder.native not in self._doubted:
            proof, reported = reader.one(refs[0]), reader.read(refs)
            first = next(reported, None)
            if proof is not None and first is not None and _agree(proof, first, folder.kind):
                yield proof
                yield from reported
                return
            if proof is not None:
                self._doubted.add(folder.native)
        yield from self._one_by_one(reader, refs)

    def _one_by_one(self, reader: Reader, refs: Sequence[bytes]) -> Iterator[Read]:
        return (read for read in map(reader.one, dict.fromkeys(refs)) if read is not None)

    def _reader(self, folder: Folder) -> Reader:
        """In an address book, knows in which version cards are to be had."""
        if folder.kind is not Kind.CONTACTS:
            return Reader(self._session.client, folder)
        if self._versions is None:
            self._versions = {each.path: each.versions for each in self._session.collections()}
        return Reader(self._session.client, folder, self._versions.get(folder.native, frozenset()))


def _agree(one: Read, other: Read, kind: Kind) -> bool:
    return one.ref == other.ref and one.refused is other.refused is None and is_same(one.data, other.data, kind)


def _told(read: Read) -> tuple[bytes, bytes]:
    if read.refused is not None:
        raise read.refused
    return read.ref, read.data
