"""Sessions that fail as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, TypeVar

from xdmigrate.contract import Declined, Features, Intent, Source, Target
from xdmigrate.model import Changes, FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.faults.decide import Fault, Faults, Mode
from xdmigrate.testing.faults.wire import LISTING, MAKING, READING, WRITING, Wire
from xdmigrate.testing.faults.writer import FaultyWriter

T = TypeVar("T")
S = TypeVar("S", bound=Source)


def _connected(faults: Faults, connect: Callable[[], S]) -> S:
    fault = faults.next("connect", READING)
    if fault is not None:
        raise fault.error()
    return connect()


class FaultySource:
    """A `Source` that goes wrong as `faults` decides."""

    inner: Source

    def __init__(self, faults: Faults, connect: Callable[[], Source]) -> None:
        self.inner = _connected(faults, connect)
        self._wire = Wire(faults, self.inner.close)

    @property
    def features(self) -> Features:
        return self.inner.features

    def folders(self) -> list[Folder]:
        return self._wire.run("folders", READING, self.inner.folders)

    def status(self, folder: Folder) -> Folder:
        return self._wire.run("status", READING, lambda: self.inner.status(folder), folder.path)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        fault = self._begin("heads", folder)
        return self._listing(fault, self.inner.heads(folder, floor))

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        fault = self._begin("changes", folder)
        told = self.inner.changes(folder, cursor)
        alive = None if told.alive is None else self._listing(fault, told.alive)
        return replace(told, heads=self._listing(fault, told.heads), alive=alive)

    def _begin(self, name: str, folder: Folder, items: int = 0) -> Fault | None:
        fault = self._wire.next(name, LISTING, folder.path, items)
        if fault is not None and fault.mode is Mode.BEFORE:
            raise self._wire.broken(fault)
        return fault

    def _listing(self, fault: Fault | None, values: Iterator[T]) -> Iterator[T]:
        if fault is not None and fault.mode is Mode.HALF:
            listed = list(values)
            values = iter(listed[: len(listed) // 2])
        for value in values:
            self._wire.must_live()
            yield value
        if fault is not None:
            raise self._wire.broken(fault)

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        fault = self._begin("read", folder, len(refs))
        half = len(refs) // 2 if fault is not None and fault.mode is Mode.HALF else len(refs)
        return self._items(fault, half, self.inner.read(folder, refs))

    def _items(self, fault: Fault | None, half: int, items: Iterator[Item]) -> Iterator[Item]:
        """With HALF the item in the middle is torn: its body ends in an error."""
        for number, item in enumerate(items):
            self._wire.must_live()
            if fault is not None and number == half:
                yield replace(item, body=_TornBody(whole(item), lambda: self._wire.broken(fault)))
                break
            yield item
        if fault is not None:
            self._wire.must_live()
            raise self._wire.broken(fault)

    def sharing(self, folder: Folder) -> Sharing:
        return self._wire.run("sharing", READING, lambda: self.inner.sharing(folder), folder.path)

    def close(self) -> None:
        self._wire.close()


class FaultyTarget(FaultySource):
    """A `Target` that goes wrong as `faults` decides."""

    inner: Target

    def __init__(self, faults: Faults, connect: Callable[[], Target]) -> None:
        self.inner = _connected(faults, connect)
        self._wire = Wire(faults, self.inner.close)

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        return self._wire.run("refuses", READING, lambda: self.inner.refuses(paths))

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        return self._wire.run("create-folder", MAKING, lambda: self.inner.create_folder(path, kind, role=role), path)

    def subscribe(self, folder: Folder) -> None:
        self._wire.run("subscribe", MAKING, lambda: self.inner.subscribe(folder), folder.path)

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        return self._wire.run("rename-folder", MAKING, lambda: self.inner.rename_folder(folder, path), folder.path)

    def writer(self, folder: Folder, intent: Intent) -> FaultyWriter:
        self._wire.must_live()
        return FaultyWriter(self._wire, self.inner, folder, intent)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        self._each("change-flags", folder, changes, lambda some: self.inner.change_flags(folder, some))

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        fault = self._begin("look-up", folder, len(refs))
        return self._listing(fault, self.inner.look_up(folder, refs))

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        """A lie: everything was moved, and half of it is not kept where its new ids say; see FaultyWriter._lie."""
        told: dict[bytes, bytes] = {}
        fault = self._each("move", folder, refs, lambda some: told.update(self.inner.move(folder, some, to)))
        if fault is not None and self.features.ids_returned:
            rest = self.inner.move(folder, refs[len(refs) // 2 :], to)
            self.inner.remove(to, list(rest.values()))
            told.update(rest)
        return told

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        self._each("remove", folder, refs, lambda some: self.inner.remove(folder, some))

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        return self._wire.run("share", MAKING, lambda: self.inner.share(folder, more), folder.path)

    def _each(
        self, name: str, folder: Folder, all_: Sequence[T], perform: Callable[[Sequence[T]], None]
    ) -> Fault | None:
        """Do something to many items, of which HALF and LYING leave the later half undone; returns the lie."""
        fault = self._wire.next(name, WRITING, folder.path, len(all_))
        if fault is None:
            perform(all_)
        elif fault.mode is Mode.LYING:
            perform(all_[: len(all_) // 2])
        else:
            self._wire.partly(fault, all_, perform)
            raise self._wire.broken(fault)
        return fault


class _TornBody:
    """A body that breaks off in the middle."""

    def __init__(self, data: bytes, error: Callable[[], BaseException]) -> None:
        self._data = data
        self._error = error

    @property
    def size(self) -> int:
        return len(self._data)

    def chunks(self) -> Iterator[memoryview]:
        yield memoryview(self._data)[: len(self._data) // 2]
        raise self._error()

    def spool(self) -> BinaryIO:
        raise self._error()
