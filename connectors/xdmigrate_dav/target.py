"""The writing session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from xdmigrate.contract import Declined, Features, Intent
from xdmigrate.errors import AccessDenied, FolderUnusable
from xdmigrate.model import FlagChange, Folder, Head, Kind, Path, Role, Sharing
from xdmigrate_dav import creating, hrefs, invitations, notes
from xdmigrate_dav.bodies import LARGEST_ITEM
from xdmigrate_dav.invitations import Step
from xdmigrate_dav.preparing import Rules
from xdmigrate_dav.session import shown
from xdmigrate_dav.source import DavSource
from xdmigrate_dav.writing import DavWriter

_REWRITES = {
    Step.STRIP: "attendees of events to come stand in the description, so that nobody is invited again",
    Step.STRIP_ALL: "attendees of events stand in the description, so that nothing is written into their calendars",
}


class DavTarget(DavSource):
    """A `Target` over one account."""

    def _features(self) -> Features:
        rewrites = _REWRITES.get(self._session.step, "")
        return replace(super()._features(), rewrites=rewrites, strict=True, size_limit=LARGEST_ITEM)

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        return {path for path in paths if not creating.is_possible(path, sogo=self._session.is_sogo)}

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:  # noqa: ARG002
        found = self._session.folder(creating.create(self._session, path, kind), empty=True, fresh=True)
        if found is None:
            raise self._session.gone(Folder(path, kind))
        return found

    def subscribe(self, folder: Folder) -> None:
        """There is nothing to subscribe to."""

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        if not creating.is_possible(path, sogo=self._session.is_sogo):
            cause = f"{shown(folder)} cannot be called '{'/'.join(path)}'"
            raise self._session.client.peer.error(FolderUnusable, cause)
        renamed = creating.rename(self._session, folder.native, folder.kind, path[0])
        return self._session.folder(renamed, empty=True) or folder

    def writer(self, folder: Folder, intent: Intent) -> DavWriter:  # noqa: ARG002 -- each item is sent by itself
        collection = self._session.known(folder)
        step = self._session.step if folder.kind is not Kind.CONTACTS else Step.NOTHING
        rules = Rules(
            folder.kind, step, collection.versions, gives_zones=collection.is_sogo, gives_starts=collection.is_sogo
        )
        return DavWriter(self._session.client, folder, collection, rules)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        """Items of these kinds have no flags."""

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        return iter(self._session.listing(folder).only(refs).heads.values() if refs else ())

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:  # noqa: ARG002
        """Never asked for: `Features.move` is not declared."""
        return {}

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        """A server that schedules would cancel an event with people in it: such a one is not removed."""
        self._see_that_it_is_silent(folder, refs)
        for ref in refs:
            self._session.client.delete(f"remove an item of {shown(folder)}", hrefs.path_to(ref, folder.native))

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        return notes.add(self._session, folder, more)

    def _see_that_it_is_silent(self, folder: Folder, refs: Sequence[bytes]) -> None:
        if not refs or folder.kind is Kind.CONTACTS or self._session.step.is_silent:
            return
        for read in self._reader(folder).read(sorted(set(refs))):
            if invitations.would_cancel(read.data, self._session.step, datetime.now(UTC)):
                cause = f"removing an item of {shown(folder)} would make the server send cancellations"
                remedy = "switch its sending off and write `scheduling: off`, or remove the item by hand"
                raise self._session.client.peer.error(AccessDenied, cause, remedy)
