"""An IMAP endpoint's settings as the plan gives them. Pure: nothing is connected or read here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

from xdmigrate.errors import Problem
from xdmigrate.model import Endpoint, Meter


class Tls(StrEnum):
    """How the connection is protected."""

    IMPLICIT = "implicit"  # TLS from the first byte (RFC 8314)
    STARTTLS = "starttls"
    NONE = "none"  # plaintext


class Mechanism(StrEnum):
    """How the account logs in."""

    LOGIN = "login"  # the LOGIN command
    PLAIN = "plain"  # SASL PLAIN (RFC 4616), which can act for another user
    XOAUTH2 = "xoauth2"  # a token, as Google and Microsoft began it
    OAUTHBEARER = "oauthbearer"  # a token (RFC 7628)

    @property
    def takes_token(self) -> bool:
        """Whether it carries a token instead of a password."""
        return self in (Mechanism.XOAUTH2, Mechanism.OAUTHBEARER)


DEFAULT_PORTS = {Tls.IMPLICIT: 993, Tls.STARTTLS: 143, Tls.NONE: 143}
KNOWN = ("connector", "host", "port", "tls", "ca", "fingerprint", "insecure", "auth")
KNOWN_AUTH = ("user", "password", "mechanism", "authorize_as")
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{2}(?::?[0-9a-f]{2}){31})", re.IGNORECASE)
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """A valid endpoint. `fingerprint` is the SHA-256 of the certificate, which then replaces its verification."""

    endpoint: str
    host: str
    port: int = 993
    tls: Tls = Tls.IMPLICIT
    ca: str = ""  # file of PEM certificates to trust instead of the system's
    fingerprint: bytes = b""
    mechanism: Mechanism | None = None  # None: the best that the server offers
    meter: Meter = field(default_factory=Meter, repr=False, compare=False)


def parse(endpoint: Endpoint) -> Settings:
    """Read settings that `problems` found to be in order."""
    given = endpoint.settings
    tls = Tls(str(given.get("tls") or Tls.IMPLICIT))
    pinned = _FINGERPRINT.fullmatch(str(given.get("fingerprint", "")))
    mechanism = _auth(given).get("mechanism")
    return Settings(
        endpoint=endpoint.name,
        host=str(given.get("host", "")),
        port=int(str(given.get("port") or DEFAULT_PORTS[tls])),
        tls=tls,
        ca=str(given.get("ca") or ""),
        fingerprint=bytes.fromhex(pinned[1].replace(":", "")) if pinned else b"",
        mechanism=Mechanism(str(mechanism)) if mechanism else None,
        meter=endpoint.meter,
    )


def problems(endpoint: Endpoint) -> list[Problem]:
    """Every fault of the settings at once."""
    given, found = endpoint.settings, []
    for key, fault, remedy in [
        *_faults(given),
        *_unknown(given, KNOWN, ""),
        *_unknown(_auth(given), KNOWN_AUTH, "auth."),
    ]:
        found.append(Problem("", 0, f"endpoints.{endpoint.name}.{key}", fault, remedy))
    return found


Fault = tuple[str, str, str]
"""Key, what is wrong with its value, and what would be right."""


def _faults(given: Mapping[str, object]) -> list[Fault]:
    host, port, tls, pin = (
        given.get("host"),
        given.get("port"),
        given.get("tls") or "implicit",
        given.get("fingerprint"),
    )
    mechanism = _auth(given).get("mechanism")
    found: list[Fault] = []
    if not isinstance(host, str) or not re.fullmatch(r"[^\s/@]+", host):
        found.append(("host", f"{host!r} is not a host name", "write the server's name, e.g. imap.example.com"))
    if port is not None and not (isinstance(port, int) and 0 < port < 65536):
        found.append(("port", f"{port!r} is not a port", "write a number from 1 to 65535, or leave it out"))
    if tls not in set(Tls):
        found.append(("tls", f"{tls!r} is not known", "write implicit, starttls or none"))
    elif tls == Tls.NONE and not given.get("insecure") and not _LOOPBACK.fullmatch(str(host)):
        found.append(("tls", "passwords and mail would cross the network in plaintext", "or add `insecure: true`"))
    if pin is not None and not _FINGERPRINT.fullmatch(str(pin)):
        found.append(("fingerprint", f"{pin!r} is not a SHA-256 fingerprint", "write its 64 hexadecimal digits"))
    if mechanism is not None and mechanism not in set(Mechanism):
        found.append(("auth.mechanism", f"{mechanism!r} is not offered for imap", f"write {', '.join(Mechanism)}"))
    return found


def _unknown(given: Mapping[str, object], known: tuple[str, ...], prefix: str) -> list[Fault]:
    found: list[Fault] = []
    for key in given:
        if key not in known:
            close = get_close_matches(key, known, 1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            found.append((prefix + key, "is not a setting of imap", remedy))
    return found


def _auth(given: Mapping[str, object]) -> Mapping[str, object]:
    auth = given.get("auth")
    return auth if isinstance(auth, dict) else {}
