"""The independent reader for `verify`: every item is asked for by itself, with GET, and no report is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdmigrate.contract import Inspected
from xdmigrate.model import Folder, Head, Kind, fingerprint
from xdmigrate_dav.reading import Reader
from xdmigrate_dav.session import Session


class DavAuditor:
    """An `Auditor` over a connection of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._versions: dict[str, frozenset[str]] | None = None

    def folders(self) -> list[Folder]:
        return self._session.folders()

    def heads(self, folder: Folder) -> Iterator[Head]:
        return iter(self._session.listing(folder).heads.values())

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        return (Inspected(ref, len(data), fingerprint(data)) for ref, data in self.whole(folder, refs))

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        return (data for _, data in self.whole(folder, [ref]))

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        reader = Reader(self._session.client, folder, self._told(folder))
        for ref in dict.fromkeys(refs):
            found = reader.one(ref)
            if found is not None:
                if found.refused is not None:
                    raise found.refused
                yield ref, found.data

    def close(self) -> None:
        self._session.client.close()

    def _told(self, folder: Folder) -> frozenset[str]:
        """The versions of vCards that the address book gives."""
        if folder.kind is not Kind.CONTACTS:
            return frozenset()
        if self._versions is None:
            self._versions = {each.path: each.versions for each in self._session.collections()}
        return self._versions.get(folder.native, frozenset())
