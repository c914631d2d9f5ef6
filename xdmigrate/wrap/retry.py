"""Repeats reads that failed for a passing reason, reconnecting where the session was lost. Writes are never repeated.

A write whose answer was lost may have happened: only the engine can tell, by reconciling. What this wrapper does for
writes is that the next one finds a working session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import BinaryIO, Generic, Self, TypeVar

from xdmigrate.contract import Auditor, Declined, Features, Inspected, Intent, Receipt, Source, Target, Writer
from xdmigrate.errors import FolderUnusable, XdmigrateError
from xdmigrate.model import Body, Changes, FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing
from xdmigrate.wrap.connection import Closable, Connection
from xdmigrate.wrap.patience import Patience

S = TypeVar("S", bound=Source)


class _Retrying(Generic[S]):
    """The reading half, over a source or a target."""

    def __init__(self, connect: Callable[[], S], patience: Patience | None = None, *, insist: bool = True) -> None:
        self._connection: Connection[S] = Connection(connect, patience or Patience(), insist=insist)

    @cached_property
    def features(self) -> Features:
        return self._connection.call(lambda session: session.features)

    def folders(self) -> list[Folder]:
        return self._connection.call(lambda session: session.folders())

    def status(self, folder: Folder) -> Folder:
        return self._connection.call(lambda session: session.status(folder))

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        def after(session: S, last: bytes) -> Iterator[Head]:
            if last:
                _same_ids(session, folder)
            return session.heads(folder, last or floor)

        return _ascending(self._connection, after, _ref)

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        told = self._connection.call(lambda session: session.changes(folder, cursor))
        opened = [told.heads]

        def after(session: S, last: bytes) -> Iterator[Head]:
            if opened:
                return opened.pop()
            _same_ids(session, folder)
            # A listing that was announced as complete stays so: what it left out would count as vanished.
            return session.heads(folder, last) if told.complete else session.changes(folder, cursor).heads

        return replace(told, heads=_ascending(self._connection, after, _ref), alive=self._alive(folder, told.alive))

    def _alive(self, folder: Folder, told: Iterator[bytes] | None) -> Iterator[bytes] | None:
        """Whatever a new session would tell of the changes: what exists is what it lists."""
        opened = [told]

        def after(session: S, last: bytes) -> Iterator[bytes]:
            first = opened.pop() if opened else None
            if first is not None:
                return first
            _same_ids(session, folder)
            return (head.ref for head in session.heads(folder, last))

        return None if told is None else _ascending(self._connection, after, bytes)

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        """An item whose body broke off was yielded already: whoever was reading it has seen the error."""
        left = dict.fromkeys(refs)
        known = len(left)

        def rest(session: S) -> Iterator[Item]:
            if left and len(left) < known:
                _same_ids(session, folder)
            for item in session.read(folder, list(left)) if left else ():
                left.pop(item.head.ref, None)
                yield item

        return self._connection.stream(rest)

    def sharing(self, folder: Folder) -> Sharing:
        return self._connection.call(lambda session: session.sharing(folder))

    def close(self) -> None:
        self._connection.close()


class RetryingSource(_Retrying[Source]):
    """A `Source` that survives lost connections; `connect` logs in anew."""


class RetryingTarget(_Retrying[Target]):
    """A `Target` that survives lost connections while reading; `connect` logs in anew."""

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        return self._connection.call(lambda session: session.refuses(paths))

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        return self._connection.once(lambda session: session.create_folder(path, kind, role=role))

    def subscribe(self, folder: Folder) -> None:
        self._connection.once(lambda session: session.subscribe(folder))

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        return self._connection.once(lambda session: session.rename_folder(folder, path))

    def writer(self, folder: Folder, intent: Intent) -> Writer:
        return _WatchedWriter(self._connection, self._connection.once(lambda session: session.writer(folder, intent)))

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        self._connection.once(lambda session: session.change_flags(folder, changes))

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        return iter(self._connection.call(lambda session: list(session.look_up(folder, refs))))

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        return self._connection.once(lambda session: session.move(folder, refs, to))

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        self._connection.once(lambda session: session.remove(folder, refs))

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        return self._connection.once(lambda session: session.share(folder, more))


class RetryingAuditor:
    """An `Auditor` that survives lost connections; `connect` logs in anew."""

    def __init__(self, connect: Callable[[], Auditor], patience: Patience | None = None) -> None:
        self._connection: Connection[Auditor] = Connection(connect, patience or Patience())

    def folders(self) -> list[Folder]:
        return self._connection.call(lambda session: session.folders())

    def heads(self, folder: Folder) -> Iterator[Head]:
        return _ascending(self._connection, lambda session, _last: session.heads(folder), _ref)

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        left = dict.fromkeys(refs)

        def rest(session: Auditor) -> Iterator[Inspected]:
            for seen in session.inspect(folder, list(left)) if left else ():
                left.pop(seen.ref, None)
                yield seen

        return self._connection.stream(rest)

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        passed = 0

        def rest(session: Auditor) -> Iterator[bytes]:
            nonlocal passed
            known = passed
            for chunk in session.chunks(folder, ref):
                new, known = chunk[known:], max(0, known - len(chunk))
                passed += len(new)
                yield new

        return self._connection.stream(rest)

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        left = dict.fromkeys(refs)

        def rest(session: Auditor) -> Iterator[tuple[bytes, bytes]]:
            for ref, data in session.whole(folder, list(left)) if left else ():
                left.pop(ref, None)
                yield ref, data

        return self._connection.stream(rest)

    def close(self) -> None:
        self._connection.close()


class _WatchedWriter:
    """A writer whose failure tells the connection that its session is lost."""

    def __init__(self, connection: Connection[Target], inner: Writer) -> None:
        self._connection = connection
        self._inner = inner

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        body = _WatchedBody(item.body)
        try:
            self._inner.put(ticket, Item(item.head, body, item.kind), over)
        except XdmigrateError as error:
            if error is not body.error:
                self._connection.notice(error)
            raise

    def poll(self) -> list[Receipt]:
        with self._connection.watch():
            return self._inner.poll()

    def flush(self) -> list[Receipt]:
        with self._connection.watch():
            return self._inner.flush()

    def __enter__(self) -> Self:
        with self._connection.watch():
            self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._connection.watch():
            self._inner.__exit__(kind, error, trace)


class _WatchedBody:
    """A body that remembers its own error, which is the source's: the target's session is none the worse for it."""

    def __init__(self, inner: Body) -> None:
        self._inner = inner
        self.size = inner.size
        self.error: XdmigrateError | None = None

    def chunks(self) -> Iterator[memoryview]:
        try:
            yield from self._inner.chunks()
        except XdmigrateError as error:
            self.error = error
            raise

    def spool(self) -> BinaryIO:
        try:
            return self._inner.spool()
        except XdmigrateError as error:
            self.error = error
            raise


C = TypeVar("C", bound=Closable)
V = TypeVar("V")


def _ascending(
    connection: Connection[C], after: Callable[[C, bytes], Iterator[V]], ref: Callable[[V], bytes]
) -> Iterator[V]:
    """Every value once, in order of its ref; `after` opens a listing that holds at least what lies behind the last."""
    last = b""

    def rest(session: C) -> Iterator[V]:
        nonlocal last
        for value in after(session, last):
            if ref(value) > last:
                last = ref(value)
                yield value

    return connection.stream(rest)


def _ref(head: Head) -> bytes:
    return head.ref


def _same_ids(session: Source, folder: Folder) -> None:
    """Ids of another validity are those of other items: a stream must not go on among them."""
    if folder.validity and session.status(folder).validity != folder.validity:
        raise FolderUnusable(f"the ids in folder {'/'.join(folder.path)!r} changed while it was read")
