"""Addresses as servers spell them: absolute, relative, to a path, with other escapes. One spelling is ours.

A *path* here is absolute, begins with one "/", has every segment percent-encoded the same way, and holds no "." or
"..": it can be compared, and asked for. Nothing but the server that the plan names is ever asked.
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes, unquote_to_bytes, urljoin, urlsplit

PLAIN = "~!$&'()*+,=:@"
"""What stands in a segment unescaped (RFC 3986 section 3.3), beside letters, digits and "-._"; ";" is safer escaped."""

_ORDINARY = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+,=:@]*)+")
"""A path in our spelling already, as most are: nothing is escaped, and nothing would have to be."""

_ESCAPED = str.maketrans({";": "%3B", "?": "%3F", "#": "%23"})
"""What would end a path: addresses in answers have nothing behind it, but some servers leave it so in names."""

LONGEST = 16_000
"""Characters of an address that is believed; of one that is too long for its server an item is told as unreadable."""


class ForeignHost(ValueError):
    """The address is on another host, which never gets the account's credentials; `host` and `path` are of that one."""

    def __init__(self, host: str, path: str | None) -> None:
        super().__init__(host)
        self.host = host
        self.path = path


def path_of(href: str, base: str) -> str | None:
    """The path of an address that was found in an answer to a request to the URL `base`; None when it makes no sense.

    Scheme and port are not looked at: behind a proxy a server often does not know its own. Raises ForeignHost.
    """
    href = href.strip().translate(_ESCAPED)
    if not href or len(href) > LONGEST:
        return None
    if "//" not in href and _ORDINARY.fullmatch(href):
        return href
    try:
        ours = urlsplit(base)
        if href.startswith("//") and _host(href) != ours.hostname:  # an empty segment in front, of a sloppy server
            href = "/" + href.lstrip("/")
        parts = urlsplit(urljoin(base, href))
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    if host != ours.hostname:
        raise ForeignHost(host, canonical(parts.path))
    return canonical(parts.path)


def _host(href: str) -> str | None:
    return urlsplit("http:" + href).hostname


def canonical(path: str) -> str | None:
    """The one spelling of a path; None when it would lead elsewhere than it says."""
    if _ORDINARY.fullmatch(path):
        return path
    segments = [unquote_to_bytes(segment) for segment in path.split("/")[1:]]
    if not path.startswith("/") or any(segment in (b".", b"..") for segment in segments):
        return None
    return "/" + "/".join(quote_from_bytes(segment, safe=PLAIN) for segment in segments)


def collection(path: str) -> str:
    """The path with the "/" at its end that collections have (RFC 4918 section 5.2)."""
    return path if path.endswith("/") else path + "/"


def ref_of(path: str, inside: str) -> bytes | None:
    """An item's id: its name in the collection `inside`, decoded; None for the collection itself and what is deeper."""
    if not path.startswith(inside):
        return None
    name = path[len(inside) :]
    return unquote_to_bytes(name) if name and "/" not in name else None


def path_to(ref: bytes, inside: str) -> str:
    """The path of the item with this id in the collection `inside`."""
    return inside + quote_from_bytes(ref, safe=PLAIN)


def name_of(path: str) -> str:
    """The last segment of a path, readable."""
    return unquote_to_bytes(path.rstrip("/").rpartition("/")[2]).decode("utf-8", "replace")
