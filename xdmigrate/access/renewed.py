"""A token that is kept for as long as it holds, and asked for again before it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from xdmigrate.errors import LoginRejected

MARGIN = 120.0
"""Seconds before its end from which a token is not used any more."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and for how many seconds it holds; None: until a server rejects it."""

    token: str = field(repr=False)
    seconds: float | None = None


class RenewedToken:
    """A `Token` that is asked for when it is needed. A refusal to give one is remembered: nobody is locked out."""

    def __init__(
        self,
        ask: Callable[[], Granted],
        *,
        hide: Callable[[str], None] = lambda _secret: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._hide = hide
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._ends = 0.0
        self._refusal: LoginRejected | None = None

    def current(self) -> str:
        with self._lock:
            if self._refusal is not None:
                raise LoginRejected(self._refusal.message, remedy=self._refusal.remedy)
            if not self._token or self._clock() >= self._ends:
                self._renew()
            return self._token

    def reject(self, token: str) -> None:
        with self._lock:
            if token == self._token:
                self._token = ""

    def forgive(self) -> None:
        """Forget that no token was given."""
        with self._lock:
            self._refusal = None

    def _renew(self) -> None:
        self._token = ""
        try:
            granted = self._ask()
        except LoginRejected as error:
            self._refusal = error
            raise
        self._hide(granted.token)
        self._token = granted.token
        self._ends = float("inf") if granted.seconds is None else self._clock() + granted.seconds - MARGIN
