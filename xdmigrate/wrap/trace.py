"""Debug events of every call: which operation, how long, how much. Never a subject, a body, a flag or a secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import structlog

from xdmigrate.contract import Declined, Features, Intent, Receipt, Refused, Source, Target, Writer
from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Body, Changes, FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing

T = TypeVar("T")


@dataclass(slots=True)
class Count:
    """What a call moved so far."""

    items: int = 0
    octets: int = 0
    refused: int = 0


class Trace:
    """Writes one event per call to a structlog logger; `context` (endpoint, mailbox) stands in each of them."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter, **context: str) -> None:
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("xdmigrate.calls").bind(**context)
        self._clock = clock
        self.enter: Callable[[], None] = _unheard  # from here to `leave` the endpoint works, and not its caller
        self.leave: Callable[[], None] = _unheard  # the caller works again; both are called for each item

    @contextmanager
    def call(self, operation: str, folder: Path = ()) -> Iterator[Count]:
        """One call, which is the endpoint's from its beginning to its end."""
        with self.told(operation, folder) as count, self.step():
            yield count

    @contextmanager
    def step(self) -> Iterator[None]:
        """What happens inside is the endpoint's work."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def told(self, operation: str, folder: Path = ()) -> Iterator[Count]:
        """Time what happens inside. A failure is told by its code alone: messages may quote the server."""
        count, start = Count(), self._clock()
        code = ""
        try:
            yield count
        except XdmigrateError as error:
            code = error.code
            raise
        finally:
            self._tell(operation, folder, code, count, self._clock() - start)

    def _tell(self, operation: str, folder: Path, code: str, count: Count, seconds: float) -> None:
        facts: dict[str, object] = {"operation": operation, "seconds": round(seconds, 6)}
        if folder:
            facts["folder"] = list(folder)
        if code:
            facts["error"] = code
        facts |= {name: value for name in Count.__slots__ if (value := getattr(count, name))}
        self._log.debug("call", **facts)

    def stream(self, operation: str, folder: Folder, values: Iterator[T], size: Callable[[T], int]) -> Iterator[T]:
        """Count and time a stream until its end, or until its reader leaves it."""
        with self.told(operation, folder.path) as count:
            for value in self.steps(values):
                count.items += 1
                count.octets += size(value)
                yield value

    def steps(self, values: Iterator[T]) -> Iterator[T]:
        """The same values; only the way to each of them is the endpoint's."""
        enter, leave = self.enter, self.leave
        while True:
            enter()
            try:
                value = next(values)
            except StopIteration:
                return
            finally:
                leave()
            yield value


class TracedSource:
    """A `Source` whose calls are told to a `Trace`."""

    inner: Source

    def __init__(self, inner: Source, trace: Trace) -> None:
        self.inner = inner
        self.trace = trace

    @property
    def features(self) -> Features:
        return self.inner.features

    def folders(self) -> list[Folder]:
        with self.trace.call("folders") as count:
            found = self.inner.folders()
            count.items = len(found)
            return found

    def status(self, folder: Folder) -> Folder:
        with self.trace.call("status", folder.path):
            return self.inner.status(folder)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        return self.trace.stream("heads", folder, self.inner.heads(folder, floor), _nothing)

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        with self.trace.call("changes", folder.path):
            told = self.inner.changes(folder, cursor)
        alive = None if told.alive is None else self.trace.stream("alive", folder, told.alive, _nothing)
        return replace(told, heads=self.trace.stream("changed-heads", folder, told.heads, _nothing), alive=alive)

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        items = self.trace.stream("read", folder, self.inner.read(folder, refs), _size)
        return (Item(item.head, _TracedBody(item.body, self.trace), item.kind) for item in items)

    def sharing(self, folder: Folder) -> Sharing:
        with self.trace.call("sharing", folder.path):
            return self.inner.sharing(folder)

    def close(self) -> None:
        with self.trace.call("close"):
            self.inner.close()


class _TracedBody:
    """A body whose bytes are the endpoint's work, wherever they are taken."""

    def __init__(self, inner: Body, trace: Trace) -> None:
        self._inner = inner
        self._trace = trace
        self.size = inner.size

    def chunks(self) -> Iterator[memoryview]:
        return self._trace.steps(self._inner.chunks())

    def spool(self) -> BinaryIO:
        with self._trace.step():
            return self._inner.spool()


class TracedTarget(TracedSource):
    """A `Target` whose calls are told to a `Trace`."""

    inner: Target

    def __init__(self, inner: Target, trace: Trace) -> None:
        super().__init__(inner, trace)

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        with self.trace.call("refuses") as count:
            count.items = len(paths)
            return self.inner.refuses(paths)

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        with self.trace.call("create-folder", path):
            return self.inner.create_folder(path, kind, role=role)

    def subscribe(self, folder: Folder) -> None:
        with self.trace.call("subscribe", folder.path):
            self.inner.subscribe(folder)

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        with self.trace.call("rename-folder", folder.path):
            return self.inner.rename_folder(folder, path)

    def writer(self, folder: Folder, intent: Intent) -> Writer:
        with self.trace.call("writer", folder.path):
            return _TracedWriter(self.inner.writer(folder, intent), self.trace, folder)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        with self.trace.call("change-flags", folder.path) as count:
            count.items = len(changes)
            self.inner.change_flags(folder, changes)

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        return self.trace.stream("look-up", folder, self.inner.look_up(folder, refs), _nothing)

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        with self.trace.call("move", folder.path) as count:
            count.items = len(refs)
            return self.inner.move(folder, refs, to)

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        with self.trace.call("remove", folder.path) as count:
            count.items = len(refs)
            self.inner.remove(folder, refs)

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        with self.trace.call("share", folder.path):
            return self.inner.share(folder, more)


class _TracedWriter:
    """Tells of every flush, with what was put since the last one; single puts would drown the log."""

    def __init__(self, inner: Writer, trace: Trace, folder: Folder) -> None:
        self._inner = inner
        self._trace = trace
        self._folder = folder
        self._put = Count()

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        self._trace.enter()
        try:
            self._inner.put(ticket, item, over)
        finally:
            self._trace.leave()
        self._put.items += 1
        self._put.octets += item.body.size

    def poll(self) -> list[Receipt]:
        return self._seen(self._inner.poll())

    def flush(self) -> list[Receipt]:
        with self._telling("flush"):
            return self._seen(self._inner.flush())

    def _seen(self, receipts: list[Receipt]) -> list[Receipt]:
        self._put.refused += sum(isinstance(receipt, Refused) for receipt in receipts)
        return receipts

    @contextmanager
    def _telling(self, operation: str) -> Iterator[None]:
        with self._trace.call(operation, self._folder.path) as count:
            try:
                yield
            finally:
                count.items, count.octets, count.refused = self._put.items, self._put.octets, self._put.refused
                self._put = Count()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._telling("leave" if kind is None else "abandon"):
            self._inner.__exit__(kind, error, trace)


def _unheard() -> None:
    """Nobody counts."""


def _nothing(listed: Head | bytes) -> int:  # noqa: ARG001 -- a listing moves no bodies
    return 0


def _size(item: Item) -> int:
    return item.body.size
