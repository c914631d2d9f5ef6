"""What a run costs each endpoint: time, calls, items, bytes, and calls that failed for a passing reason.

Time is counted once. Where one endpoint waits inside another (a target that takes a body out of the source's stream)
it is the inner one's, so that the sums tell which side limits. Seconds of several lanes add up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace


@dataclass(slots=True)
class Cost:
    """The cost of one endpoint so far."""

    seconds: float = 0.0  # waited for it, or worked at what it sent, over all its sessions
    calls: int = 0
    items: int = 0
    octets: int = 0
    retries: int = 0  # calls that failed for a passing reason

    def add(self, other: Cost) -> None:
        """Count what another thread has counted."""
        self.seconds += other.seconds
        self.calls += other.calls
        self.items += other.items
        self.octets += other.octets
        self.retries += other.retries


class _Clock(threading.local):
    """The endpoints that one thread is inside of, the innermost last."""

    inside: list[Cost] | None = None
    since: float = 0.0


@dataclass(slots=True)
class Costs:
    """Counts for all endpoints of a run. Safe for several threads."""

    clock: Callable[[], float] = time.perf_counter
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _costs: dict[str, Cost] = field(default_factory=dict)
    _here: _Clock = field(default_factory=_Clock)

    @contextmanager
    def at(self, endpoint: str) -> Iterator[None]:
        """The time inside is the endpoint's."""
        now, cost = self.clock(), Cost()
        inside = self._here.inside = self._here.inside or []
        if inside:
            inside[-1].seconds += now - self._here.since
        inside.append(cost)
        self._here.since = now
        try:
            yield
        finally:
            now = self.clock()
            cost.seconds += now - self._here.since
            inside.pop()
            self._here.since = now
            self._add(endpoint, cost)

    def called(self, endpoint: str, *, items: int, octets: int, retries: int) -> None:
        """One call has ended."""
        self._add(endpoint, Cost(calls=1, items=items, octets=octets, retries=retries))

    def _add(self, endpoint: str, cost: Cost) -> None:
        with self._lock:
            self._costs.setdefault(endpoint, Cost()).add(cost)

    def of(self, endpoint: str) -> Cost:
        """What it cost until now."""
        with self._lock:
            return replace(self._costs.get(endpoint, Cost()))
