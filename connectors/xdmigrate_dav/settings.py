"""A DAV endpoint's settings as the plan gives them. Pure: nothing is connected or read here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from urllib.parse import SplitResult, quote, urlsplit

from xdmigrate.errors import Problem
from xdmigrate.model import Endpoint, Meter


class Mechanism(StrEnum):
    """How the account logs in."""

    BASIC = "basic"  # RFC 7617
    DIGEST = "digest"  # RFC 7616
    BEARER = "bearer"  # a token (RFC 6750)


class Scheduling(StrEnum):
    """What is known about the server's sending of invitations."""

    UNKNOWN = ""
    OFF = "off"  # its switch is off: it sends nothing, whatever is written
    SILENT = "silent"  # a canary proved that SCHEDULE-AGENT=CLIENT keeps it silent
    BY_HAND = "silent-by-hand"  # a person proved it in another way, and says so


KNOWN = ("connector", "url", "domain", "principal", "ca", "fingerprint", "insecure", "scheduling", "auth")
KNOWN_AUTH = ("user", "password", "mechanism")
_PIN = re.compile(r"(?:sha256:)?([0-9a-f]{2}(?::?[0-9a-f]{2}){31})", re.IGNORECASE)
_DOMAIN = re.compile(r"[^\s/@:]+\.[^\s/@:]+")
_FIELD = re.compile(r"\{(address|local|domain)\}")
DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Settings:
    """A valid endpoint. `fingerprint` is the SHA-256 of the certificate, which then replaces its verification."""

    endpoint: str
    url: str = ""
    domain: str = ""  # whose DNS names the server (RFC 6764), where there is no `url`
    principal: str = ""  # path of the account's principal, with fields; empty: the server tells
    ca: str = ""  # file of PEM certificates to trust instead of the system's
    fingerprint: bytes = b""
    mechanism: Mechanism | None = None  # None: what the server asks for
    scheduling: Scheduling = Scheduling.UNKNOWN
    meter: Meter = field(default_factory=Meter, repr=False, compare=False)


def parse(endpoint: Endpoint) -> Settings:
    """Read settings that `problems` found to be in order."""
    given = endpoint.settings
    pin = _PIN.fullmatch(str(given.get("fingerprint") or ""))
    mechanism = _auth(given).get("mechanism")
    return Settings(
        endpoint=endpoint.name,
        url=str(given.get("url") or ""),
        domain=str(given.get("domain") or ""),
        principal=str(given.get("principal") or ""),
        ca=str(given.get("ca") or ""),
        fingerprint=bytes.fromhex(pin[1].replace(":", "")) if pin else b"",
        mechanism=Mechanism(str(mechanism)) if mechanism else None,
        scheduling=Scheduling(_scheduling(given.get("scheduling"))),
        meter=endpoint.meter,
    )


def principal_of(settings: Settings, address: str) -> str:
    """The path of one account's principal; fields are filled in so that they stay within one path segment."""
    local, at, domain = address.rpartition("@")
    values = {"address": address, "local": local if at else address, "domain": domain if at else ""}
    return _FIELD.sub(lambda found: quote(values[found[1]], safe="@"), settings.principal)


def problems(endpoint: Endpoint) -> list[Problem]:
    """Every fault of the settings at once."""
    faults = [*_faults(endpoint.settings), *_unknown(endpoint.settings)]
    return [Problem("", 0, f"endpoints.{endpoint.name}.{key}", what, remedy) for key, what, remedy in faults]


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on the machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


Fault = tuple[str, str, str]
"""Key, what is wrong with its value, and what would be right."""


def _faults(given: Mapping[str, object]) -> Iterator[Fault]:
    yield from _place_faults(given)
    pin, mechanism = given.get("fingerprint"), _auth(given).get("mechanism")
    if pin is not None and not _PIN.fullmatch(str(pin)):
        yield "fingerprint", f"{pin!r} is not a SHA-256 fingerprint", "write its 64 hexadecimal digits"
    if mechanism is not None and mechanism not in set(Mechanism):
        yield "auth.mechanism", f"{mechanism!r} is not offered for dav", f"write {', '.join(Mechanism)}"
    if _scheduling(given.get("scheduling")) not in set(Scheduling):
        yield (
            "scheduling",
            f"{given['scheduling']!r} is not known",
            "write off, silent or silent-by-hand, or leave it out",
        )
    principal = given.get("principal")
    if principal is not None and not str(principal).startswith("/"):
        yield "principal", f"{principal!r} is not a path", 'write for example "/principals/{address}/"'


def _place_faults(given: Mapping[str, object]) -> Iterator[Fault]:
    url, domain = given.get("url"), given.get("domain")
    if url is None:
        if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
            yield "url", "is missing", "write the server's address, e.g. https://dav.example.com/"
        return
    parts = _split(str(url))
    if parts is None or parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        yield (
            "url",
            f"{_plain(str(url))!r} is not the address of a server",
            "write for example https://dav.example.com/",
        )
    elif "@" in parts.netloc:
        yield "url", "holds a user or a password", "write them under `auth`, the password as a reference"
    elif parts.scheme == "http" and not given.get("insecure") and not is_loopback(parts.hostname):
        yield "url", "passwords and data would cross the network in plaintext", "use https, or add `insecure: true`"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        known = parts.port != 0
    except ValueError:
        return None
    return parts if known else None


def _plain(url: str) -> str:
    """The address without what may be a password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}…" if "@" in rest else url


def _unknown(given: Mapping[str, object]) -> Iterator[Fault]:
    for prefix, keys, known in (("", given, KNOWN), ("auth.", _auth(given), KNOWN_AUTH)):
        for key in (each for each in keys if each not in known):
            close = ["principal"] if key == "authorize_as" else get_close_matches(key, known, 1)
            yield prefix + key, "is not a setting of dav", f"did you mean {close[0]}?" if close else _all_of(known)


def _all_of(known: tuple[str, ...]) -> str:
    return f"known are {', '.join(known)}"


def _scheduling(value: object) -> str:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else str(value or "")


def _auth(given: Mapping[str, object]) -> Mapping[str, object]:
    auth = given.get("auth")
    return auth if isinstance(auth, dict) else {}
