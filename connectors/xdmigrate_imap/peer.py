"""The other side of a connection: turns what it says, and how it fails, into the errors that people are told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeVar

from xdmigrate.errors import (
    AccessDenied,
    ConnectionLost,
    FolderUnusable,
    LoginRejected,
    MailboxError,
    ProtocolError,
    QuotaExceeded,
    Retriable,
    Throttled,
    XdmigrateError,
)

Kind = TypeVar("Kind", bound=XdmigrateError)

SHOWN = 200
"""Characters of a server's words that are repeated in an error."""

_BACKOFF = re.compile(r"suggested backoff time: (\d{1,9}) milliseconds", re.IGNORECASE)
_SLOW = re.compile(
    r"too many (?:simultaneous |concurrent |open )?(?:connections|requests|commands|logins)|bandwidth limit"
    r"|maximum (?:number of )?(?:connections|sessions)|connection limit|rate.?limit|throttl|try again later",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"over ?quota|quota (?:has been |is |was )?exceeded|exceed\w* (?:\w+ ){0,3}quota|mailbox (?:is |size )?full"
    r"|not enough (?:disk |free )?space|no space left|server unavailable\. 15\b",
    re.IGNORECASE,
)
_CODES: dict[str, type[XdmigrateError]] = {
    "OVERQUOTA": QuotaExceeded,  # RFC 5530, as are the others unless noted
    "UNAVAILABLE": Throttled,
    "LIMIT": Throttled,
    "INUSE": Throttled,
    "THROTTLED": Throttled,  # Gmail, Yahoo
    "NOPERM": AccessDenied,
    "READ-ONLY": AccessDenied,
    "TRYCREATE": FolderUnusable,  # RFC 3501
    "NONEXISTENT": FolderUnusable,
}
_REMEDIES: dict[type[XdmigrateError], str] = {
    QuotaExceeded: "raise the mailbox's quota or make room, then run again",
    Throttled: "it is tried again later; if this goes on, lower the endpoint's `limits`",
    AccessDenied: "grant the account the right to do this",
    FolderUnusable: "look at the folder in a mail client, rename it or exclude it in `scope.folders`",
    LoginRejected: "correct the user or the password; it is not tried again before the secret changes",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Names the server and the account in every message, and keeps secrets out of them."""

    endpoint: str
    host: str  # with the port
    mailbox: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def error(self, kind: type[Kind], cause: str, remedy: str = "") -> Kind:
        """An error of this kind about this server: one line, with a remedy."""
        return kind(
            self.clean(f"{self.host}: {cause}", SHOWN * 2),
            remedy=remedy or _REMEDIES.get(kind, ""),
            endpoint=self.endpoint,
            mailbox=self.mailbox,
        )

    def clean(self, text: str, longest: int = SHOWN) -> str:
        """The server's words in one printable line, without what is secret."""
        for secret in self.secrets:
            text = text.replace(secret, "…")
        line = "".join(char if char.isprintable() else " " for char in text)
        return line if len(line) <= longest else line[: longest - 1] + "…"

    def protocol(self, cause: str) -> ProtocolError:
        """The server sent what IMAP does not allow."""
        return self.error(ProtocolError, cause, "it is tried again; if it stays, the server needs a look")

    def lost(self, cause: str) -> ConnectionLost:
        """The connection ended."""
        return self.error(ConnectionLost, cause, "it is opened again")

    def farewell(self, words: str) -> Retriable:
        """The error for a connection that the server ended with BYE."""
        limited = limit(words)
        return (
            self._throttled("closed the connection", words) if limited else self.lost(f"closed the connection: {words}")
        )

    def refusal(
        self, doing: str, code: str, words: str, otherwise: type[XdmigrateError] = FolderUnusable
    ) -> XdmigrateError:
        """The error for a NO or BAD to a command; `otherwise` is what it means when nothing tells more."""
        kind = meaning(code, words) or otherwise
        if kind is Throttled:
            return self._throttled(f"cannot {doing} now", words)
        said = f"[{code}] {words}" if code else words
        return self.error(kind, f"cannot {doing}: {said}")

    def _throttled(self, cause: str, words: str) -> Throttled:
        error = self.error(Throttled, f"{cause}: {words}")
        error.delay = backoff(words)
        return error


def meaning(code: str, words: str) -> type[XdmigrateError] | None:
    """What a response code (RFC 5530) or well-known words tell about a refusal; None: nothing in particular.

    Gmail answers [OVERQUOTA] when its bandwidth limit is used up, so words about limits win over codes.
    """
    if limit(words):
        return Throttled
    return _CODES.get(code) or (QuotaExceeded if _FULL.search(words) else None)


def limit(words: str) -> bool:
    """Whether these words ask to slow down."""
    return bool(_BACKOFF.search(words) or _SLOW.search(words))


def backoff(words: str) -> float | None:
    """Seconds that Exchange asks to wait, in words."""
    found = _BACKOFF.search(words)
    return int(found[1]) / 1000 if found else None


def rejected_login(peer: Peer, code: str, words: str) -> XdmigrateError:
    """The error for a NO to LOGIN or AUTHENTICATE: a rejection only when it is about the account.

    RFC 5530 gives [UNAVAILABLE] for a failing authentication backend, and servers give [LIMIT] or [INUSE] when the
    user has too many connections; none of them is the account's fault.
    """
    kind = meaning(code, words)
    if kind is not None and not issubclass(kind, MailboxError):
        return peer.refusal("log in", code, words)
    if code == "PRIVACYREQUIRED":
        return peer.error(LoginRejected, f"login rejected: {words}", "set `tls: implicit` or `tls: starttls`")
    return peer.error(LoginRejected, f"login rejected: [{code}] {words}" if code else f"login rejected: {words}")
