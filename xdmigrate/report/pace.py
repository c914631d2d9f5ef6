"""How fast work goes and when it will be done: arithmetic over samples, nothing else."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
"""A rate is that of the last minute, so that it follows a server that slows down."""

STEP_SECONDS = 1.0
"""Samples nearer than this are merged: the window holds about a minute of them, whatever is copied."""


@dataclass(slots=True)
class _Sample:
    at: float
    items: int
    octets: int


class Pace:
    """Items and bytes per second over the last minute."""

    def __init__(self, started: float, window: float = WINDOW_SECONDS) -> None:
        self._started = started
        self._window = window
        self._samples: deque[_Sample] = deque()

    def note(self, now: float, items: int, octets: int) -> None:
        """So many more were done by now."""
        if self._samples and now - self._samples[-1].at < STEP_SECONDS:
            self._samples[-1].items += items
            self._samples[-1].octets += octets
        else:
            self._samples.append(_Sample(now, items, octets))
        self._forget(now)

    def rates(self, now: float) -> tuple[float, float]:
        """Items per second and bytes per second; 0.0 before anything was done."""
        self._forget(now)
        seconds = max(min(now - self._started, self._window), STEP_SECONDS)
        items = sum(sample.items for sample in self._samples)
        octets = sum(sample.octets for sample in self._samples)
        return items / seconds, octets / seconds

    def seconds_left(self, now: float, items: int, octets: int) -> float | None:
        """Until so many items and bytes are done at this pace; None while it stands still. Both must be through."""
        items_rate, octets_rate = self.rates(now)
        if items <= 0:
            return 0.0
        if items_rate <= 0:
            return None
        by_octets = octets / octets_rate if octets > 0 and octets_rate > 0 else 0.0
        return max(items / items_rate, by_octets)

    def _forget(self, now: float) -> None:
        while self._samples and self._samples[0].at < now - self._window:
            self._samples.popleft()
