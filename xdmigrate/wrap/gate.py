"""A process-wide gate per system: how many sessions may be open to it at once, over all plans."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition, Lock

from xdmigrate.errors import Stopped, Throttled
from xdmigrate.wrap.patience import STEP, never


class Gate:
    """Places for sessions. Refused logins shrink it; after each `grow_after` seconds of peace one place comes back.

    The ceiling is the lowest that any plan allows. All times are seconds of `clock`.
    """

    def __init__(self, *, grow_after: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = Condition()
        self._ceilings: dict[str, int] = {}
        self._open = 0
        self._waiting = 0
        self._shrunk_to: int | None = None
        self._shrunk_at = 0.0
        self._grow_after = grow_after
        self._clock = clock

    def allow(self, plan: str, connections: int) -> None:
        """What a plan's limit for this system is, from now on."""
        with self._changed:
            self._ceilings[plan] = max(1, connections)
            self._changed.notify_all()

    def forget(self, plan: str) -> None:
        """The plan is no longer run by this process; its limit counts no more."""
        with self._changed:
            self._ceilings.pop(plan, None)
            self._changed.notify_all()

    def places(self) -> int:
        """How many sessions may be open now."""
        with self._changed:
            return self._places()

    def _places(self) -> int:
        ceiling = min(self._ceilings.values(), default=1)
        if self._shrunk_to is None:
            return ceiling
        grown = self._shrunk_to + int((self._clock() - self._shrunk_at) / self._grow_after)
        if grown >= ceiling:
            self._shrunk_to = None
        return min(grown, ceiling)

    def open(self) -> int:
        """How many sessions are open now."""
        with self._changed:
            return self._open

    def free(self) -> int:
        """How many sessions may be opened now without making anybody wait."""
        with self._changed:
            return max(0, self._places() - self._open - self._waiting)

    def waiting(self) -> int:
        """How many wait for a place."""
        with self._changed:
            return self._waiting

    def take(self, stop: Callable[[], bool] = never, *, longest: float = 60.0) -> None:
        """Wait for a place and take it. Raises Stopped when `stop` says so, and Throttled after `longest` seconds.

        The bound matters where one mailbox needs two places at the same gate: two that hold one place each and wait
        for the other's would wait for ever.
        """
        deadline = self._clock() + longest
        with self._changed:
            self._waiting += 1
            try:
                self._wait_for_place(stop, deadline)
            finally:
                self._waiting -= 1
            self._open += 1

    def _wait_for_place(self, stop: Callable[[], bool], deadline: float) -> None:
        while self._open >= self._places():
            if stop():
                raise Stopped("stopped while waiting for a free connection")
            left = deadline - self._clock()
            if left <= 0:
                raise Throttled(f"all {self._open} connections that the limits allow are in use")
            self._changed.wait(min(STEP, left))

    def give_back(self) -> None:
        """Return a place."""
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def refused(self) -> None:
        """The server turned a login away; the place of that login is still taken when this is called.

        What was open beside it is what the server allows now; at least one place stays, to try again with.
        """
        with self._changed:
            self._shrunk_to = max(1, min(self._places(), self._open - 1))
            self._shrunk_at = self._clock()


class Gates:
    """The gates of a process, one per system."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._gates: dict[str, Gate] = {}

    def gate(self, identity: str, plan: str, connections: int) -> Gate:
        """The gate of the system with this `Connector.identity`, where `plan` allows so many connections."""
        with self._lock:
            gate = self._gates.setdefault(identity, Gate())
        gate.allow(plan, connections)
        return gate

    def forget(self, plan: str) -> None:
        """The plan is no longer run by this process."""
        with self._lock:
            gates = list(self._gates.values())
        for gate in gates:
            gate.forget(plan)
