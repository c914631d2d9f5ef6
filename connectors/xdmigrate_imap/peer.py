"""The other side of a connection: turns what it says, and how it fails, into the errors that people are told."""

from __future__ import annotations

import binascii
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

LONGEST_DELAY = 3600.0
"""Seconds that a server may ask to wait before it is looked at again all the same."""

_BACKOFF = re.compile(r"suggested backoff time: (\d{1,12}) milliseconds", re.IGNORECASE)
_DAILY = re.compile(r"bandwidth limit|daily (?:\w+ )?(?:limit|quota)", re.IGNORECASE)
_CODED = re.compile(r"\[([A-Za-z][A-Za-z0-9-]*)(?: [^\]]*)?\] ?(.*)", re.DOTALL)
_SLOW = re.compile(
    r"too many (?:simultaneous |concurrent |open )?(?:connections|requests|commands|logins)"
    r"|bandwidth limit|daily (?:\w+ )?(?:limit|quota)"
    r"|maximum (?:number of )?(?:connections|sessions)|connection limit|rate.?limit|throttl|try again later"
    r"|request is throttled|server (?:is )?(?:too )?busy",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"over ?quota|quota (?:has been |is |was )?exceeded|exceed\w* (?:\w+ ){0,3}quota|mailbox (?:is |size )?full"
    r"|not enough (?:disk |free )?space|no space left|server unavailable\. 15\b",
    re.IGNORECASE,
)
_NO_MAILBOX = re.compile(r"authenticated but not connected", re.IGNORECASE)
_WITHOUT_MAILBOX = (
    "the login is right, but opens no mailbox: switch IMAP on for it (Set-CASMailbox -ImapEnabled), "
    "or give the application FullAccess (Add-MailboxPermission)"
)
_CODES: dict[str, type[XdmigrateError]] = {
    "OVERQUOTA": QuotaExceeded,  # RFC 5530, as are the others unless noted
    "UNAVAILABLE": Throttled,
    "LIMIT": Throttled,
    "INUSE": Throttled,
    "THROTTLED": Throttled,  # Gmail, Yahoo
    "EXPIRED": ConnectionLost,  # after a login that went well: its token or ticket has ended meanwhile
    "AUTHENTICATIONFAILED": ConnectionLost,
    "NOPERM": AccessDenied,
    "READ-ONLY": AccessDenied,
    "AUTHORIZATIONFAILED": AccessDenied,
    "PRIVACYREQUIRED": AccessDenied,
    "CONTACTADMIN": AccessDenied,
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
_WITHOUT_RIGHT = (
    "see that the application may open this mailbox by IMAP and that `scope` is right; it is tried once in each run"
)
_LOGIN_REMEDIES = {  # RFC 5530 section 3
    "AUTHORIZATIONFAILED": "the login itself is right: let it act for this mailbox, or correct `auth.authorize_as`",
    "EXPIRED": "renew what has expired at the provider, then change the secret here",
    "PRIVACYREQUIRED": "set `tls: implicit` or `tls: starttls`",
    "CONTACTADMIN": "ask the provider why it blocks this account; it is not tried again before the secret changes",
}
_NO_ORDINARY_PASSWORD = re.compile(
    r"application-specific password|app password|log in via your web browser", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Names the server and the account in every message, and keeps secrets out of them."""

    endpoint: str
    host: str  # with the port
    mailbox: str = ""
    _secrets: set[str] = field(default_factory=set, repr=False, compare=False)

    def hide(self, *secrets: str) -> None:
        """Never repeat these from now on, nor as a SASL exchange spells them."""
        for secret in filter(None, secrets):
            self._secrets.add(secret)
            self._secrets.add(binascii.b2a_base64(secret.encode("utf-8", "surrogatepass"), newline=False).decode())

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
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        line = "".join(char if char.isprintable() else " " for char in text)
        return line if len(line) <= longest else line[: longest - 1] + "…"

    def protocol(self, cause: str) -> ProtocolError:
        """The server sent what IMAP does not allow."""
        return self.error(ProtocolError, cause, "it is tried again; if it stays, the server needs a look")

    def lost(self, cause: str) -> ConnectionLost:
        """The connection ended."""
        return self.error(ConnectionLost, cause, "it is opened again")

    def farewell(self, words: str, code: str = "") -> Retriable:
        """The error for a connection that the server ended with BYE; a code may still stand in front of the words."""
        coded = None if code else _CODED.fullmatch(words)
        if coded:
            code, words = coded[1].upper(), coded[2]
        if meaning(code, words) is Throttled:
            return self._throttled("closed the connection", words)
        return self.lost(f"closed the connection: {words}")

    def refusal(
        self, doing: str, code: str, words: str, otherwise: type[XdmigrateError] = FolderUnusable
    ) -> XdmigrateError:
        """The error for a NO or BAD to a command; `otherwise` is what it means when nothing tells more."""
        kind = meaning(code, words) or otherwise
        if kind is Throttled:
            return self._throttled(f"cannot {doing} now", words)
        if kind is ConnectionLost:
            return self.lost(f"the login has ended: [{code}] {words}")
        if _NO_MAILBOX.search(words):
            return self.error(AccessDenied, f"cannot {doing}: {words}", _WITHOUT_MAILBOX)
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
    if _NO_MAILBOX.search(words):  # Exchange, for an account without a mailbox that IMAP may open
        return AccessDenied
    return _CODES.get(code) or (QuotaExceeded if _FULL.search(words) else None)


def limit(words: str) -> bool:
    """Whether these words ask to slow down."""
    return bool(_BACKOFF.search(words) or _SLOW.search(words))


def backoff(words: str) -> float | None:
    """Seconds that Exchange asks to wait, in words; a server that asks for more than an hour gets an hour.

    So does Gmail, whose bandwidth limits count by the day and do not say when they end.
    """
    found = _BACKOFF.search(words)
    if found:
        return min(int(found[1]) / 1000, LONGEST_DELAY)
    return LONGEST_DELAY if _DAILY.search(words) else None


def rejected_login(peer: Peer, code: str, words: str, *, by_token: bool = False) -> XdmigrateError:
    """The error for a NO to LOGIN or AUTHENTICATE: a rejection only when it is about the account.

    RFC 5530 gives [UNAVAILABLE] for a failing authentication backend, and servers give [LIMIT] or [INUSE] when the
    user has too many connections; none of them is the account's fault.
    """
    kind = meaning(code, words)
    if kind not in (None, ConnectionLost) and not issubclass(kind, MailboxError):
        return peer.refusal("log in", code, words)
    remedy = _LOGIN_REMEDIES.get(code, _WITHOUT_RIGHT if by_token else "")
    if kind is AccessDenied and _NO_MAILBOX.search(words):
        remedy = _WITHOUT_MAILBOX
    elif _NO_ORDINARY_PASSWORD.search(words) and not by_token:
        remedy = "the provider takes no ordinary password: make an app password, or log in by `auth.oauth`"
    said = f"[{code}] {words}" if code else words
    return peer.error(LoginRejected, f"login rejected: {said or 'without a word'}", remedy)
