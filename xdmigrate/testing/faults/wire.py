"""The state of one faulty session: alive, dead, or closed while the server still works for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from xdmigrate.errors import ConnectionLost, Throttled, XdmigrateError
from xdmigrate.model import Path
from xdmigrate.testing.faults.decide import Fault, Faults, Mode

T = TypeVar("T")

READING = frozenset({Mode.BEFORE})
LISTING = frozenset({Mode.BEFORE, Mode.HALF, Mode.AFTER})
MAKING = frozenset({Mode.BEFORE, Mode.AFTER, Mode.LATE})
WRITING = frozenset(Mode)


class Wire:
    """Carries out faults for one session. `close` is the inner session's, called when nothing is late any more."""

    def __init__(self, faults: Faults, close: Callable[[], None]) -> None:
        self._faults = faults
        self._close = close
        self._dead = False
        self._closed = False
        self._late = 0

    @property
    def batch(self) -> int:
        return self._faults.batch

    @property
    def dead(self) -> bool:
        return self._dead or self._closed

    def must_live(self) -> None:
        """Raise ConnectionLost when the connection has ended."""
        if self._dead or self._closed:
            raise ConnectionLost("the connection was lost before")

    def next(self, name: str, modes: frozenset[Mode], folder: Path = (), items: int = 0) -> Fault | None:
        """Decide about an operation on this session."""
        self.must_live()
        return self._faults.next(name, modes, folder, items)

    def broken(self, fault: Fault) -> BaseException:
        """The fault's error, to be raised; the connection is dead unless the error says that it goes on."""
        error = fault.error()
        goes_on = isinstance(error, XdmigrateError) and (isinstance(error, Throttled) or not error.retriable)
        self._dead = self._dead or not goes_on or fault.mode is Mode.LATE
        return error

    def delay(self, fault: Fault, perform: Callable[[], object]) -> None:
        """Leave a write to be done later, by a server that does not know yet that its client is gone."""
        self._late += 1
        self._faults.delay(fault, perform, self._one_done)

    def _one_done(self) -> None:
        self._late -= 1
        if self._closed and not self._late:
            self._close()

    def run(self, name: str, modes: frozenset[Mode], perform: Callable[[], T], folder: Path = ()) -> T:
        """Do an operation that is done wholly or not at all."""
        fault = self.next(name, modes, folder)
        if fault is None:
            return perform()
        if fault.mode is Mode.AFTER:
            perform()
        elif fault.mode is Mode.LATE:
            self.delay(fault, perform)
        raise self.broken(fault)

    def partly(self, fault: Fault, all_: Sequence[T], perform: Callable[[Sequence[T]], object]) -> None:
        """Do to many items what a failing operation leaves done: all, the first half, none, or all of it later."""
        if fault.mode is Mode.AFTER:
            perform(all_)
        elif fault.mode is Mode.HALF:
            perform(all_[: (len(all_) + 1) // 2])
        elif fault.mode is Mode.LATE:
            self.delay(fault, lambda: perform(all_))

    def close(self) -> None:
        """Close the session now, or when its late writes are done."""
        if not self._closed:
            self._closed = True
            if not self._late:
                self._close()
