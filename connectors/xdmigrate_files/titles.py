"""What a person calls an item, for the name of its file: the subject, the title, the name on the card. Pure."""

from __future__ import annotations

import re
import unicodedata
from email.errors import MessageError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser

from xdmigrate.model import Kind

LONGEST = 60
"""Characters of a title in a name."""

LONGEST_OCTETS = 120
"""The same in bytes, of which a name has 255 and on some systems 143."""

BEGINNING = 64 * 1024
"""Bytes of an item in which its title is looked for."""

_LONGEST_VALUE = 2_000
_FOLD = re.compile(rb"\r?\n[ \t]")
_TITLES = {
    Kind.CONTACTS: re.compile(rb"^FN(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE | re.IGNORECASE),
    Kind.CALENDAR: re.compile(rb"^SUMMARY(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE | re.IGNORECASE),
}
_TITLES[Kind.TASKS] = _TITLES[Kind.CALENDAR]
_ESCAPED = re.compile(r"\\([\\;,nN])")
_PLAIN = frozenset("_-.,'()+=@&!")


def title_of(data: bytes, kind: Kind) -> str:
    """The title as every system takes it in a name; empty where there is none."""
    found = _subject(data[:BEGINNING]) if kind is Kind.MAIL else _property(data[:BEGINNING], _TITLES[kind])
    return in_a_name(found)


def in_a_name(title: str) -> str:
    """Letters, digits and what no system minds; cut where it is long."""
    composed = unicodedata.normalize("NFC", title[:_LONGEST_VALUE])
    plain = "".join(char if char.isalnum() or char in _PLAIN else " " for char in composed)
    short = " ".join(plain.split())[:LONGEST].encode()[:LONGEST_OCTETS]
    return short.decode("utf-8", "ignore").strip(" .")


def _subject(data: bytes) -> str:
    try:
        raw = str(BytesHeaderParser().parsebytes(data).get("Subject") or "")[:_LONGEST_VALUE]
        return str(make_header(decode_header(raw)))
    except (ValueError, LookupError, RecursionError, MessageError):
        return ""


def _property(data: bytes, wanted: re.Pattern[bytes]) -> str:
    found = wanted.search(_FOLD.sub(b"", data))
    text = found[1][:_LONGEST_VALUE].decode("utf-8", "replace") if found else ""
    return _ESCAPED.sub(lambda each: " " if each[1] in "nN" else each[1], text)
