"""Sessions that hand every call on to another one: what a wrapper inherits when it changes only a few calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdmigrate.contract import Auditor, Declined, Features, Inspected, Intent, Source, Target, Writer
from xdmigrate.model import Changes, FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing


class ForwardingSource:
    """A `Source` that forwards everything to `inner`."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner

    @property
    def features(self) -> Features:
        return self.inner.features

    def folders(self) -> list[Folder]:
        return self.inner.folders()

    def status(self, folder: Folder) -> Folder:
        return self.inner.status(folder)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        return self.inner.heads(folder, floor)

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        return self.inner.changes(folder, cursor)

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        return self.inner.read(folder, refs)

    def sharing(self, folder: Folder) -> Sharing:
        return self.inner.sharing(folder)

    def close(self) -> None:
        self.inner.close()


class ForwardingTarget(ForwardingSource):
    """A `Target` that forwards everything to `inner`."""

    inner: Target

    def __init__(self, inner: Target) -> None:
        super().__init__(inner)

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        return self.inner.refuses(paths)

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        return self.inner.create_folder(path, kind, role=role)

    def subscribe(self, folder: Folder) -> None:
        self.inner.subscribe(folder)

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        return self.inner.rename_folder(folder, path)

    def writer(self, folder: Folder, intent: Intent) -> Writer:
        return self.inner.writer(folder, intent)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        self.inner.change_flags(folder, changes)

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        return self.inner.look_up(folder, refs)

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        return self.inner.move(folder, refs, to)

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        self.inner.remove(folder, refs)

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        return self.inner.share(folder, more)


class ForwardingAuditor:
    """An `Auditor` that forwards everything to `inner`."""

    def __init__(self, inner: Auditor) -> None:
        self.inner = inner

    def folders(self) -> list[Folder]:
        return self.inner.folders()

    def heads(self, folder: Folder) -> Iterator[Head]:
        return self.inner.heads(folder)

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        return self.inner.inspect(folder, refs)

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        return self.inner.chunks(folder, ref)

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        return self.inner.whole(folder, refs)

    def close(self) -> None:
        self.inner.close()
