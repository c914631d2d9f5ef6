"""How slow a peer may be. A byte now and then is no life: a connection that drips would hold a mailbox for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST = 4096
"""Octets that have to pass in each span of `seconds`, once a line or a literal has begun."""


class Pace:
    """Watches one direction of a connection. Times are seconds of `clock`."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since = clock()
        self._octets = 0

    def begin(self) -> None:
        """Something new is waited for."""
        self._since, self._octets = self._clock(), 0

    def passed(self, octets: int) -> bool:
        """So many more have passed; False when that was too few for too long."""
        self._octets += octets
        now = self._clock()
        if now - self._since < self._seconds:
            return True
        enough = self._octets >= LEAST
        self._since, self._octets = now, 0
        return enough
