"""When something that fails is given up. Pure.

A wrong host name fails within seconds; an outage at night is outlasted. An endpoint in trouble is tried by one
mailbox at a time: the others wait with it instead of hammering it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xdmigrate.engine.advance import BACKOFF_SECONDS
from xdmigrate.errors import Throttled, XdmigrateError

QUICK_ATTEMPTS = 3
"""Attempts at an endpoint that has never answered in this run: probably its name, port or firewall is wrong."""

PATIENCE_SECONDS = 1800.0
"""How long one that has answered may go without any progress."""


@dataclass(slots=True)
class _Trouble:
    since: float  # when it began
    last: float = -1.0  # when the last counted attempt failed
    attempts: int = 0  # in a row without progress; those of one burst count as one
    not_before: float = 0.0


class Reaching:
    """What one run has learnt about its endpoints, or about its mailboxes. For one thread."""

    def __init__(self, *, answered: bool = False) -> None:
        self._all_answered = answered  # mailboxes: they are tried only where their endpoints answer
        self._answered: set[str] = set()
        self._troubled: dict[str, _Trouble] = {}
        self._given_up: dict[str, XdmigrateError] = {}

    def reached(self, name: str) -> None:
        """It has let somebody in: what goes wrong from now on is no wrong name, port or firewall."""
        self._answered.add(name)

    def progressed(self, name: str) -> None:
        """Something was done on it; its trouble is over."""
        self.reached(name)
        self._troubled.pop(name, None)

    def failed(self, name: str, error: XdmigrateError, began: float, now: float, retry_at: float = 0.0) -> None:
        """An attempt that began at `began` failed now; it is not tried again before `retry_at`, or later.

        An error that trying again cannot help gives it up at once, unless it is to be tried again all the same.
        """
        if isinstance(error, Throttled):
            self.reached(name)  # it knows itself why it lets nobody in
        trouble = self._troubled.setdefault(name, _Trouble(since=now))
        if began >= trouble.last:
            trouble.last = now
            backoff = BACKOFF_SECONDS[min(trouble.attempts, len(BACKOFF_SECONDS) - 1)]
            trouble.attempts += 1
            trouble.not_before = max(retry_at, now + backoff)
        if not (error.retriable or retry_at) or self._hopeless(name, trouble, now):
            self._given_up[name] = error

    def _hopeless(self, name: str, trouble: _Trouble, now: float) -> bool:
        if self._all_answered or name in self._answered:
            return now - trouble.since >= PATIENCE_SECONDS
        return trouble.attempts >= QUICK_ATTEMPTS

    def given_up(self, name: str) -> bool:
        """Whether this run no longer tries it."""
        return name in self._given_up

    def why(self, name: str) -> XdmigrateError | None:
        """What it was given up for; None while it is tried."""
        return self._given_up.get(name)

    def not_before(self, name: str) -> float:
        """When it may be tried again, in seconds since the epoch; 0.0: at any time."""
        trouble = self._troubled.get(name)
        return trouble.not_before if trouble else 0.0

    def probed(self, name: str, starts: Iterable[float]) -> bool:
        """Whether one of the attempts that are under way, begun at `starts`, is the probe of something in trouble."""
        trouble = self._troubled.get(name)
        return trouble is not None and any(start >= trouble.last for start in starts)
