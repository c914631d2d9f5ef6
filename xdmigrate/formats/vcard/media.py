"""Pictures, sounds and keys: ENCODING=b in vCard 3 (RFC 2426 section 2.4.1), a `data:` URI in vCard 4 (RFC 6350)."""

from __future__ import annotations

import re
from dataclasses import replace

from xdmigrate.formats.vcard.lines import Line, Parameter
from xdmigrate.formats.vcard.text import base64, data_uri, encoding

BINARY = frozenset({"PHOTO", "LOGO", "SOUND", "KEY"})
"""The properties that hold octets, or a URI of them."""

_FAMILY = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}
_MEDIA = {"PGP": "application/pgp-keys", "X509": "application/pkix-cert", "JPG": "image/jpeg"}
_TYPES = {"application/pgp-keys": "PGP", "application/pkix-cert": "X509"}
_BEGINNINGS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif"}
_UNTOLD = "application/octet-stream"
_NO_MEDIA = frozenset({"home", "work", "pref", "internet", "voice", "inline"})
_STRICT = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_URI = re.compile(rb"\s*[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.IGNORECASE)


def inline_in_3(line: Line, found: bytes) -> Line:
    """The octets in base64 as servers check it, whatever form they had."""
    strict = encoding(line) == "base64" and _STRICT.fullmatch(line.value)
    if strict and {each.lower() for each in line.values("ENCODING")} == {"b"}:
        return line
    params = (*_without(line, "ENCODING", "VALUE", "MEDIATYPE"), Parameter("ENCODING", ("b",)))
    uri = data_uri(line)
    media = (uri[0] if uri else "") or next(iter(line.values("MEDIATYPE")), "")
    kind = _kind(media) if uri and not _kinds(line) else ""
    typed = (*params, Parameter("TYPE", (kind,))) if kind else params
    return replace(line, params=typed, value=base64(found))


def inline_in_4(line: Line, found: bytes) -> Line:
    """The octets as a URI that says what they are; one that is a `data:` URI stays as it is."""
    if data_uri(line) and encoding(line) != "base64":
        return line
    kept = [each for each in line.values("TYPE") if each not in _kinds(line)]
    params = _without(line, "ENCODING", "VALUE", "TYPE", "MEDIATYPE")
    value = b"data:" + _media(line, found).encode("ascii", "replace") + b";base64," + base64(found)
    return replace(line, params=(*params, *_types(kept)), value=value)


def link_in_3(line: Line) -> Line:
    """A URI must say that it is one: octets are what vCard 3 expects."""
    value = next(iter(line.values("VALUE")), "").lower()
    named = value in ("uri", "url", "cid", "content-id")
    if not named and (value or not _URI.match(line.value)):
        return line
    kind = next((_kind(each) for each in line.values("MEDIATYPE")), "")
    params = (*_without(line, "VALUE", "MEDIATYPE"), Parameter("VALUE", ("uri",)))
    said = value == "uri" and not kind
    return line if said else replace(line, params=(*params, *_types([kind] if kind else [])))


def link_in_4(line: Line) -> Line:
    """What a URI leads to is a media type."""
    kinds = _kinds(line)
    if not kinds or not _URI.match(line.value):
        return line
    kept = [each for each in line.values("TYPE") if each not in kinds]
    told = Parameter("MEDIATYPE", (_media(line, b""),))
    return replace(line, params=(*_without(line, "TYPE", "MEDIATYPE"), *_types(kept), told))


def _without(line: Line, *names: str) -> tuple[Parameter, ...]:
    return tuple(param for param in line.params if param.name not in names)


def _types(values: list[str]) -> tuple[Parameter, ...]:
    return (Parameter("TYPE", tuple(values)),) if values else ()


def _kinds(line: Line) -> list[str]:
    """The types that name a format, not a place."""
    return [each for each in line.values("TYPE") if each and each.lower() not in _NO_MEDIA]


def _kind(media: str) -> str:
    known = _TYPES.get(media.lower())
    return known or (media.partition("/")[2].upper() if media.lower() != _UNTOLD else "")


def _media(line: Line, found: bytes) -> str:
    for kind in (*line.values("MEDIATYPE"), *_kinds(line)):
        media = _MEDIA.get(kind.upper()) or (kind if "/" in kind else f"{_FAMILY.get(line.key, 'application')}/{kind}")
        if _MEDIA_TYPE.fullmatch(media):
            return media.lower()
    return next((media for start, media in _BEGINNINGS.items() if found.startswith(start)), _UNTOLD)
