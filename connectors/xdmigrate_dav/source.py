"""The reading session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from xdmigrate.contract import Features
from xdmigrate.model import Changes, Folder, Head, HeldBody, Item, Kind, RefusedBody, Sharing
from xdmigrate_dav import notes
from xdmigrate_dav.reading import Reader
from xdmigrate_dav.session import Session

CURSOR = b"1:"
"""In front of the state that a cursor holds."""


class DavSource:
    """A `Source` over one account."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._versions: dict[str, frozenset[str]] = {}

    @cached_property
    def features(self) -> Features:
        return self._features()

    def _features(self) -> Features:
        return Features(
            change_test=True,
            ids_returned=True,
            rename=True,
            notes=True,
            updates=True,
            exact_sizes=False,
        )

    def folders(self) -> list[Folder]:
        return self._session.folders()

    def status(self, folder: Folder) -> Folder:
        found = self._session.folder(self._session.find(folder), empty=True, fresh=True)
        if found is None:
            raise self._session.gone(folder)
        return found

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:  # noqa: ARG002 -- ids have no order
        return iter(self._session.listing(folder).heads.values())

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:  # noqa: ARG002 -- the list is always whole
        """The whole list with its ETags, whatever the cursor: it costs one request, and nothing escapes it."""
        found = self._session.listing(folder)
        return Changes(CURSOR + found.state, complete=True, heads=iter(found.heads.values()))

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        """What is listed, and then not to be had, is told: nobody would ever hear of it."""
        reader, missing = self._reader(folder), set(refs)
        for one in reader.read(sorted(missing)):
            missing.discard(one.ref)
            body = HeldBody(one.data) if one.refused is None else RefusedBody(one.refused)
            yield Item(Head(one.ref, len(one.data), version=one.version), body, folder.kind)
        for head in self._session.listing(folder).only(missing).heads.values() if missing else ():
            refused = reader.refusal("unreadable", "is listed, but the server does not give it")
            yield Item(head, RefusedBody(refused), folder.kind)

    def sharing(self, folder: Folder) -> Sharing:
        return notes.read(self._session, folder)

    def close(self) -> None:
        self._session.client.close()

    def _reader(self, folder: Folder) -> Reader:
        """In an address book, knows in which version cards are to be had."""
        if folder.kind is not Kind.CONTACTS:
            return Reader(self._session.client, folder)
        if folder.native not in self._versions:
            self._versions |= {each.path: each.versions for each in self._session.collections()}
        return Reader(self._session.client, folder, self._versions.get(folder.native, frozenset()))
