"""What goes wrong with which operation, and the writes that commit after their client is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from threading import RLock

from xdmigrate.errors import ConnectionLost, XdmigrateError
from xdmigrate.model import Path


class Mode(StrEnum):
    """How an operation goes wrong."""

    BEFORE = "before"  # it fails, nothing was done
    AFTER = "after"  # it fails, but everything was done
    HALF = "half"  # it fails, some was done
    LATE = "late"  # it fails and nothing was done yet, but will be, even when the session is closed
    LYING = "lying"  # it succeeds, but what it did (for a range of items: the later half) is not kept


class Killed(BaseException):
    """The process dies here: nothing above may catch it. A test does, and starts again with new sessions."""


def _lost() -> BaseException:
    return ConnectionLost("an injected fault ended the connection")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one operation; `error` makes what is raised, unless it is lying."""

    mode: Mode
    error: Callable[[], BaseException] = _lost
    later: int = 2  # LATE: how many further operations go by before it is done


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation about to happen.

    `name` is connect, folders, status, heads, changes, read, create-folder, subscribe, rename-folder, change-flags,
    look-up, move, remove, or of a writer: put, send (a batch goes out), abandon (left by an error with items gathered).
    """

    number: int  # among all operations, from 1
    name: str
    nth: int  # among those of its name, from 1
    modes: frozenset[Mode]  # what can go wrong with it
    folder: Path = ()
    items: int = 0


Decide = Callable[[Operation], Fault | None]
ALL = frozenset(Mode)


@dataclass(slots=True)
class _Late:
    """A write of a dead client that is still to be done."""

    left: int
    perform: Callable[[], object]
    done: Callable[[], None]


class Faults:
    """Asks `decide` about every operation and keeps what was decided in `log`."""

    def __init__(self, decide: Decide, *, batch: int = 4) -> None:
        self._decide = decide
        self._lock = RLock()
        self._names: Counter[str] = Counter()
        self._late: list[_Late] = []
        self.batch = batch  # items that a wrapped writer sends together
        self.log: list[tuple[Operation, Fault | None]] = []

    @classmethod
    def scripted(cls, script: Mapping[tuple[str, int], Fault], *, batch: int = 4) -> Faults:
        """Faults by name and count: `{("send", 2): Fault(Mode.LATE)}` hits the second batch of all writers."""
        return cls(lambda operation: script.get((operation.name, operation.nth)), batch=batch)

    @classmethod
    def seeded(
        cls, seed: int, *, rate: float = 0.1, most: int = 50, modes: frozenset[Mode] = ALL, batch: int = 4
    ) -> Faults:
        """Faults by chance, the same for the same seed: each operation with this `rate`, at `most` so many in all."""
        random = Random(seed)  # noqa: S311 -- chance that can be repeated is the point
        left = most

        def decide(operation: Operation) -> Fault | None:
            nonlocal left
            possible = sorted(operation.modes & modes)
            if left <= 0 or not possible or random.random() >= rate:
                return None
            left -= 1
            return Fault(random.choice(possible), later=random.randrange(6))

        return cls(decide, batch=batch)

    def next(self, name: str, modes: frozenset[Mode], folder: Path = (), items: int = 0) -> Fault | None:
        """Decide about an operation that starts now; late writes whose time has come are done before it."""
        with self._lock:
            self._pass_time()
            self._names[name] += 1
            operation = Operation(len(self.log) + 1, name, self._names[name], modes, folder, items)
            fault = self._decide(operation)
            if fault is not None and fault.mode not in modes:
                raise ValueError(f"{name} cannot go wrong in mode {fault.mode}")
            self.log.append((operation, fault))
            return fault

    def _pass_time(self) -> None:
        due = [late for late in self._late if late.left <= 0]
        self._late = [late for late in self._late if late.left > 0]
        for late in self._late:
            late.left -= 1
        _commit(due)

    def delay(self, fault: Fault, perform: Callable[[], object], done: Callable[[], None]) -> None:
        """Keep a write for later; `done` is called after it."""
        with self._lock:
            self._late.append(_Late(fault.later, perform, done))

    def late(self) -> int:
        """How many late writes are still to be done."""
        with self._lock:
            return len(self._late)

    def commit_late(self) -> None:
        """All late writes are done now."""
        with self._lock:
            due, self._late = self._late, []
            _commit(due)

    def drop_late(self) -> None:
        """The late writes are never done."""
        with self._lock:
            dropped, self._late = self._late, []
        for late in dropped:
            late.done()


def _commit(due: list[_Late]) -> None:
    for late in due:
        with suppress(XdmigrateError):  # nobody is left to hear of it
            late.perform()
        late.done()
