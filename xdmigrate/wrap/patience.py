"""When a failed call is tried again: a decision over the error and the attempts so far, made with tenacity."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from xdmigrate.errors import Retriable, Stopped, XdmigrateError

STEP = 0.5
"""Seconds after which a waiting thread looks again whether it is to stop."""


def never() -> bool:
    """The stop check of a run that nobody stops."""
    return False


def pause(seconds: float, stop: Callable[[], bool], sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait; raises Stopped as soon as `stop` says so."""
    while seconds > 0:
        if stop():
            raise Stopped("stopped while waiting to try again")
        sleep(min(STEP, seconds))
        seconds -= STEP


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long. Waits grow exponentially with full jitter and never undercut what the server asks.

    A server that asks for more than `longest` seconds gets them from the runner, not from a sleeping thread: the
    error is raised at once with its `delay`.
    """

    attempts: int = 5
    first: float = 0.5  # upper bound of the first wait, in seconds
    longest: float = 60.0  # upper bound of each wait, in seconds
    stop: Callable[[], bool] = never
    sleep: Callable[[float], None] = time.sleep

    def retrying(self) -> Retrying:
        """A caller that repeats what fails with a retriable error, and raises the last one when it gives up."""
        attempts = stop_after_attempt(self.attempts)
        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, XdmigrateError) and error.retriable),
            stop=lambda state: attempts(state) or _asked(state) > self.longest,
            wait=self._wait,
            sleep=lambda seconds: pause(seconds, self.stop, self.sleep),
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        backoff = wait_random_exponential(multiplier=self.first, max=self.longest)
        return max(backoff(state), _asked(state))


def _asked(state: RetryCallState) -> float:
    """The seconds that the server asked for; 0 when it named none."""
    error = state.outcome.exception() if state.outcome else None
    return (error.delay or 0.0) if isinstance(error, Retriable) else 0.0
