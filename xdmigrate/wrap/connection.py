"""A session that is opened anew when it was lost, and streams that go on where they broke off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from xdmigrate.errors import Stopped, Throttled, XdmigrateError
from xdmigrate.wrap.patience import Patience


class Closable(Protocol):
    """Any session of the contract."""

    def close(self) -> None: ...


S = TypeVar("S", bound=Closable)
T = TypeVar("T")


class Connection(Generic[S]):
    """Holds one session at a time and replaces it after a loss.

    A session is lost by every retriable error but Throttled: a server that asks for slowness has not hung up.
    """

    def __init__(self, connect: Callable[[], S], patience: Patience, *, insist: bool = True) -> None:
        """Opens the first session; one that need not be had is tried for once (`insist` is false)."""
        self._connect = connect
        self._again = patience.retrying()
        self._session: S | None = None
        self._closed = False
        (self.call if insist else self._try)(_nothing)

    def _open(self) -> S:
        if self._closed:
            raise Stopped("the session was closed")
        if self._session is None:
            self._session = self._connect()
        return self._session

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Notice when what happens inside loses the session."""
        try:
            yield
        except XdmigrateError as error:
            self.notice(error)
            raise

    def notice(self, error: XdmigrateError) -> None:
        """Give up the session when this error of it means that it is lost."""
        if error.retriable and not isinstance(error, Throttled):
            self._drop()

    def _drop(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.close()

    def _try(self, operation: Callable[[S], T]) -> T:
        session = self._open()
        with self.watch():
            return operation(session)

    def call(self, operation: Callable[[S], T]) -> T:
        """Do something that may be repeated, until it succeeds or patience ends."""
        result: T = self._again(self._try, operation)
        return result

    def once(self, operation: Callable[[S], T]) -> T:
        """Do something that must not be repeated; only the session it needs is opened with patience."""
        self.call(_nothing)
        return self._try(operation)

    def stream(self, rest: Callable[[S], Iterator[T]]) -> Iterator[T]:
        """Yield from `rest`, which opens what was not yielded yet, and open it anew after every loss.

        Patience starts afresh with each value: it bounds attempts without progress, not losses in a long stream.
        """
        failed: list[XdmigrateError] = []

        def begin(session: S) -> Iterator[T]:
            if failed:
                raise failed.pop()
            return _begun(rest(session))

        while True:
            running = self.call(begin)
            try:
                yield from running
            except XdmigrateError as error:
                failed.append(error)
            else:
                return

    def close(self) -> None:
        """End the session for good."""
        self._closed = True
        self._drop()


def _nothing(session: object) -> None:
    """What is done with a session that only has to be open."""


def _begun(values: Iterator[T]) -> Iterator[T]:
    """The same values, the first of them (or the end) fetched already, so that opening is known to have worked."""
    for first in values:
        return _behind(first, values)
    return iter(())


def _behind(first: T, values: Iterator[T]) -> Iterator[T]:
    yield first
    yield from values
