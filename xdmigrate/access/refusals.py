"""What a login service's answer means: the account's or application's fault, or a passing one."""

from __future__ import annotations

import re

from xdmigrate.errors import LoginRejected, Throttled, Unreachable, XdmigrateError

SHOWN = 200
"""Characters of the service's words that are repeated."""

_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down", "internal_failure"})
_NOISE = re.compile(r"\s*(?:Trace ID|Correlation ID|Timestamp):.*", re.DOTALL | re.IGNORECASE)
_PATIENCE = "it is tried again; look at the network and the service's status if it goes on"


def refused(service: str, error: str, words: str, remedy: str, *, secrets: tuple[str, ...] = ()) -> XdmigrateError:
    """The error for an OAuth error response (RFC 6749 section 5.2); `error` is its code."""
    said = _clean(f"{error}: {words}" if words else error, secrets)
    if error in _PASSING:
        return Throttled(f"{service} gives no token now: {said}", remedy=_PATIENCE)
    return LoginRejected(f"{service} gives no token: {said}", remedy=remedy)


def unreachable(service: str, error: Exception, *, words: str = "") -> Unreachable:
    """The error for a login service that gave no answer that can be read; `words` where the error has some."""
    return Unreachable(f"{service}: {_clean(words or _innermost(error), ())}", remedy=_PATIENCE)


def _innermost(error: BaseException) -> str:
    """Libraries wrap what the system said several times, with addresses of objects in between."""
    if words := getattr(error, "strerror", None):
        return str(words)
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(getattr(error, "strerror", None) or "") or f"no answer that can be read ({type(error).__name__})"


def _clean(text: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    line = "".join(char if char.isprintable() else " " for char in _NOISE.sub("", text)).strip()
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
