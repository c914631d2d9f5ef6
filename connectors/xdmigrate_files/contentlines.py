"""Content lines of iCalendar and vCard, written: escaped, folded, without control characters. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime

LONGEST_LINE = 75
"""Bytes of a line before it is folded (RFC 5545 section 3.1)."""

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPED = re.compile(r"([\\;,])")
_QUOTED = re.compile(r"[,;:^\"\n]")
_CARETS = {"^": "^^", "\n": "^n", '"': "^'"}  # RFC 6868


def text(value: str) -> str:
    """A value of type TEXT."""
    lines = (_CONTROLS.sub("", each) for each in _LINE_ENDS.split(_whole(value)))
    return "\\n".join(_ESCAPED.sub(r"\\\1", line) for line in lines)


def one_line(value: str) -> str:
    """A text that has no line ends."""
    return " ".join(_CONTROLS.sub(" ", _whole(value)).split())


def line(name: str, value: str, params: Mapping[str, str] | None = None) -> bytes:
    """One property, its value written already; nothing where it has no value."""
    if not value:
        return b""
    told = "".join(f";{key}={_param(each)}" for key, each in (params or {}).items() if each)
    return _folded(f"{name}{told}:{value}".encode())


def binary(name: str, data: bytes, params: Mapping[str, str]) -> bytes:
    """One property with bytes as its value."""
    return line(name, b64encode(data).decode(), params) if data else b""


def day(value: date) -> str:
    """A DATE."""
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def moment(value: datetime) -> str:
    """A DATE-TIME without zone."""
    return f"{day(value)}T{value.hour:02d}{value.minute:02d}{value.second:02d}"


def _whole(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _param(value: str) -> str:
    plain = one_line(value)
    if not _QUOTED.search(plain):
        return plain
    return '"' + "".join(_CARETS.get(char, char) for char in plain) + '"'


def _folded(raw: bytes) -> bytes:
    """Cut between characters, never inside one."""
    parts, start = [], 0
    while start < len(raw):
        end = min(start + LONGEST_LINE - (start > 0), len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(raw[start:end])
        start = end
    return b"\r\n ".join(parts) + b"\r\n"
