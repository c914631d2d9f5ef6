"""SOGo's lists of contacts (VLIST), which no other program knows, as groups (RFC 6350 section 6.1.4). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdmigrate.formats.vcard.lines import Line, logical_lines, parsed, written

_BEGIN = b"BEGIN:VLIST"
_KEPT = {"UID": "UID", "FN": "FN", "NICKNAME": "NICKNAME", "DESCRIPTION": "NOTE"}


def is_list(data: bytes) -> bool:
    """Whether it is one, and no card."""
    return data[: len(_BEGIN)].upper() == _BEGIN


def cards(data: bytes) -> list[bytes]:
    """The ids of the cards in a list: their names in the same address book, in its order. Raises Unreadable."""
    return [line.value.strip() for line in _lines(data) if line.key == "CARD"]


def as_group(data: bytes, uids: Mapping[bytes, str]) -> bytes:
    """The group that it is, with its cards by their UIDs; one that is gone is named by the e-mail that the list knows.

    Raises Unreadable.
    """
    lines = [Line("BEGIN", b"VCARD"), Line("VERSION", b"4.0"), Line("KIND", b"group")]
    for line in _lines(data):
        if line.key == "CARD":
            lines += [Line("MEMBER", each.encode()) for each in _member(line, uids)]
        elif line.key in _KEPT:
            lines.append(Line(_KEPT[line.key], line.value))
    return written([*lines, Line("END", b"VCARD")])


def _member(line: Line, uids: Mapping[bytes, str]) -> list[str]:
    uid = uids.get(line.value.strip(), "")
    return [f"urn:uuid:{uid}"] if uid else [f"mailto:{each}" for each in line.values("EMAIL")[:1] if each]


def _lines(data: bytes) -> Iterator[Line]:
    return (parsed(data[start:stop]) for start, stop in logical_lines(data))
