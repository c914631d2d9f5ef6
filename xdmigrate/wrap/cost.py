"""What a run costs each endpoint: time, calls, items, bytes, and calls that failed for a passing reason.

Time is counted once. Where one endpoint waits inside another (a target that takes a body out of the source's stream)
it is the inner one's, so that the sums tell which side limits. Seconds of several lanes add up.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


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


class _Thread(threading.local):
    """The endpoints that one thread is inside of, the innermost last, and what it has counted."""

    def __init__(self, begun: Callable[[defaultdict[str, Cost]], None]) -> None:
        self.inside: list[str] = []
        self.since = 0.0
        self.costs: defaultdict[str, Cost] = defaultdict(Cost)
        begun(self.costs)


class Costs:
    """Counts for all endpoints of a run. Each thread counts for itself: this is done for every item that passes."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._threads: list[defaultdict[str, Cost]] = []
        self._here = _Thread(self._threads.append)

    def enter(self, endpoint: str) -> None:
        """From here on time is the endpoint's; `leave` ends it."""
        here, now = self._here, self._clock()
        if here.inside:
            here.costs[here.inside[-1]].seconds += now - here.since
        here.inside.append(endpoint)
        here.since = now

    def leave(self) -> None:
        """Time is again of whom it was before."""
        here, now = self._here, self._clock()
        here.costs[here.inside.pop()].seconds += now - here.since
        here.since = now

    @contextmanager
    def at(self, endpoint: str) -> Iterator[None]:
        """The time inside is the endpoint's."""
        self.enter(endpoint)
        try:
            yield
        finally:
            self.leave()

    def called(self, endpoint: str, *, items: int, octets: int, retries: int) -> None:
        """One call has ended."""
        self._here.costs[endpoint].add(Cost(0.0, 1, items, octets, retries))

    def of(self, endpoint: str) -> Cost:
        """What it cost until now."""
        total = Cost()
        for costs in list(self._threads):
            if endpoint in costs:
                total.add(costs[endpoint])
        return total
