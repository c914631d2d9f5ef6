"""Looks for words in what arrives in a mailbox, whichever folder it is put into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from xdmigrate.contract import Source
from xdmigrate.engine.canary.events import mentions
from xdmigrate.errors import FolderUnusable, ItemRefused
from xdmigrate.model import Folder, Head, Item, Kind, Role, successor

LARGEST = 1 << 20
"""Bytes of a mail that is looked into: an invitation is a hundredth of that."""


class MailWatch:
    """What has arrived since it was made, or since the last look; bodies are looked into and forgotten."""

    def __init__(self, session: Source, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session = session
        self._ordered = session.features.ordered_ids
        self._folders = {folder.path: folder for folder in self._listed()}
        self._found: set[str] = set()
        self._known = {} if self._ordered else {path: self._refs(folder) for path, folder in self._folders.items()}

    def look(self, marks: Mapping[str, Sequence[str]]) -> set[str]:
        """The names under which at least one mark stands in a mail that is new.

        What was found before an error is told by the next look.
        """
        for folder in self._listed():
            for data in self._new(folder):
                self._found |= {name for name, words in marks.items() if any(mentions(data, word) for word in words)}
        found, self._found = self._found, set()
        return found

    def close(self) -> None:
        """End the session. Never raises."""
        self._session.close()

    def _listed(self) -> list[Folder]:
        return [each for each in self._session.folders() if each.kind is Kind.MAIL and each.selectable]

    def _refs(self, folder: Folder) -> set[bytes]:
        return {head.ref for head in self._session.heads(folder)}

    def _new(self, folder: Folder) -> Iterator[bytes]:
        """The mails of a folder that were not there at the last look. One that is gone meanwhile has none."""
        before = self._folders.get(folder.path)
        if before == folder and folder.role is not Role.INBOX:  # servers tell of an open folder what was, not what is
            return
        try:
            heads = self._heads(folder, before)
            yield from self._bodies(self._session.read(folder, [head.ref for head in heads]) if heads else ())
        except FolderUnusable:
            return
        self._folders[folder.path] = self._remembered(folder, heads)
        self._known.setdefault(folder.path, set()).update(head.ref for head in heads if not self._ordered)

    def _heads(self, folder: Folder, before: Folder | None) -> list[Head]:
        if self._ordered:
            same = before is not None and before.validity == folder.validity
            floor = before.next_id if before is not None and same else b""
            return [head for head in self._session.heads(folder, floor) if head.ref >= floor]
        known = self._known.get(folder.path, set())
        return [head for head in self._session.heads(folder) if head.ref not in known]

    def _bodies(self, items: Iterable[Item]) -> Iterator[bytes]:
        for item in items:
            if item.body.size <= LARGEST:
                try:
                    yield b"".join(bytes(chunk) for chunk in item.body.chunks())
                except ItemRefused:
                    continue

    def _remembered(self, folder: Folder, heads: Sequence[Head]) -> Folder:
        """With the next id behind all that was looked at, whatever the server told of a folder that is open."""
        if not self._ordered:
            return folder
        return replace(folder, next_id=max([folder.next_id, *(successor(head.ref) for head in heads)]))
