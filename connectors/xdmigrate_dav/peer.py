"""The other side: turns what it answers, and how it fails, into the errors that people are told."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from xdmigrate.errors import (
    AccessDenied,
    CertificateRejected,
    ConnectionLost,
    FolderUnusable,
    LoginRejected,
    ProtocolError,
    QuotaExceeded,
    Throttled,
    Unreachable,
    XdmigrateError,
)

Kind = TypeVar("Kind", bound=XdmigrateError)

SHOWN = 300
"""Characters of an error's cause, the server's words included."""


class GatewayFailed(Throttled):
    """A proxy answers that the server behind it does not: that has gone, or fails over what it was asked."""


LONGEST_DELAY = 3600.0
"""Seconds that a server may ask to wait before it is looked at again all the same."""

REMEDIES: Mapping[type[XdmigrateError], str] = {
    AccessDenied: "give the account the right to do this",
    CertificateRejected: "mend the certificate, or trust it in the plan with `ca` or `fingerprint` (SHA-256)",
    ConnectionLost: "it is opened again",
    FolderUnusable: "look at the calendar or address book in its web interface, or exclude it in `scope.folders`",
    LoginRejected: "correct the user or the password; it is not tried again before the secret changes",
    ProtocolError: "it is tried again; if it stays, look at `url` and at the server",
    QuotaExceeded: "raise the account's quota or make room, then run again",
    GatewayFailed: "it is tried again later; if this goes on, look at the server behind the proxy",
    Throttled: "it is tried again later; if this goes on, lower the endpoint's `limits`",
    Unreachable: "look at `url` and the firewall; it is tried again",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Names the server and the account in every message, and keeps secrets out of them."""

    endpoint: str
    host: str
    mailbox: str = ""
    secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def error(self, kind: type[Kind], cause: str, remedy: str = "") -> Kind:
        """An error of this kind about this server: one line, with a remedy."""
        told = remedy or REMEDIES.get(kind, "")
        return kind(self.clean(f"{self.host}: {cause}"), remedy=told, endpoint=self.endpoint, mailbox=self.mailbox)

    def clean(self, text: str) -> str:
        """One printable line, without what is secret."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        return "".join(each if each.isprintable() else " " for each in text)[:SHOWN]

    def refusal(self, doing: str, status: int, condition: str = "", delay: float | None = None) -> XdmigrateError:
        """The error for an answer that is no success; `condition`: the name of the precondition that failed."""
        kind = meaning(status, condition)
        error = self.error(kind, f"cannot {doing}: {_told(status, condition)}")
        if isinstance(error, Throttled):
            error.delay = delay
        return error


def secrets_of(*words: str) -> frozenset[str]:
    """The words, and as Basic authentication spells them (RFC 7617)."""
    plain = {word for word in words if word}
    return frozenset(plain | {base64.b64encode(word.encode("utf-8", "surrogatepass")).decode() for word in plain})


def meaning(status: int, condition: str = "") -> type[XdmigrateError]:
    """What kind of failure a status and a precondition (RFC 4918 section 16) tell about a request as a whole."""
    if condition in ("quota-not-exceeded", "sufficient-disk-space") or status == 507:
        return QuotaExceeded
    if status == 401:
        return LoginRejected
    if status in (402, 403, 405, 423):
        return AccessDenied
    if status in (404, 409, 410, 412):
        return FolderUnusable
    if status in (429, 502, 503, 504):
        return GatewayFailed if status == 502 else Throttled
    return ProtocolError


def delay_of(retry_after: str, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` asks for (RFC 9110 section 10.2.3), an hour at most; None: it does not say."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_DELAY)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - (now or datetime.now(UTC))).total_seconds()), LONGEST_DELAY)


def _told(status: int, condition: str) -> str:
    return f"{status} {condition}" if condition else f"the server answers {status}"
