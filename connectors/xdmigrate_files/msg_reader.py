"""The process that reads Outlook's .msg (MS-OXMSG): one after the other, each given on standard input.

A line with a length, then so many bytes; the answer is a JSON line, then the message as RFC 5322, the iCalendar object
or the vCard. What is none of them, and what cannot be read, is told instead.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any

from xdmigrate.formats.refusal import Unstorable
from xdmigrate.model import Kind
from xdmigrate_files import mapi
from xdmigrate_files.limits import limit_ourselves
from xdmigrate_files.mapi import BODY, CLASS, HTML, SUBJECT, Attached, Found, Key, Properties
from xdmigrate_files.outlook import converted, kind_of
from xdmigrate_files.rebuilding import Enclosed, Parts, plain_text, rebuilt

DEEPEST = 20
MOST_ENCLOSED = 1000
MOST_PEOPLE = 5_000
MOST_VALUES = 1000
PROPERTIES = "__properties_version1.0"
NAMES = "__nameid_version1.0"
TOP_HEADER, INNER_HEADER, PART_HEADER = 32, 24, 8
"""Bytes before the fixed properties (MS-OXMSG 2.4.1)."""

TABLES, SECTOR = (0x2C, 0x40, 0x48), 512
"""Where a file tells how many sectors its tables have, and what a sector has at least (MS-CFB 2.2)."""

HEADERS, FLAGS = 0x007D, 0x0E07
SENDER_NAME, SENDER_ADDRESS, SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
DISPLAY_TO, DISPLAY_CC, SUBMITTED, DELIVERED = 0x0E04, 0x0E03, 0x0039, 0x0E06
CODE_PAGE, INTERNET_CODE_PAGE, LOCALE = 0x3FFD, 0x3FDE, 0x3FF1
PAGES = {0x0419: 1251, 0x0411: 932, 0x0804: 936, 0x0412: 949, 0x0404: 950, 0x0408: 1253, 0x041F: 1254, 0x0415: 1250}
"""Code pages of locales whose old messages tell nothing else (MS-LCID)."""

DATA, LONG_NAME, SHORT_NAME, MIME_TYPE, CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x370E, 0x3712
PHOTO, ATTACHMENT_FLAGS, HIDDEN = 0x7FFF, 0x7FFD, 0x7FFE
_EXCEPTION = 0x2
_STREAM = "__substg1.0_"
_INNER = "__substg1.0_3701000D"
_MANY_STRINGS = 0x101F


class Compound:
    """An open file: its streams by storage, and the names of its properties."""

    def __init__(self, ole: Any, size: int) -> None:
        """`size`: the whole file's, in bytes."""
        self._ole = ole
        self._size = size
        self._fits(ole.root.size)
        self._inside: dict[tuple[str, ...], dict[str, None]] = {}
        for path in ole.listdir(streams=True, storages=True):
            self._inside.setdefault(tuple(path[:-1]), {})[path[-1]] = None
        streams = (self.stream((NAMES, f"{_STREAM}{number:04X}0102")) for number in (2, 3, 4))
        self._names = mapi.names(*streams)

    def names(self, storage: tuple[str, ...], begin: str) -> list[str]:
        """What lies in a storage and is called so, sorted."""
        return sorted(name for name in self._inside.get(storage, ()) if name.startswith(begin))

    def stream(self, path: tuple[str, ...]) -> bytes:
        """The bytes of a stream; none when there is no such. Raises ValueError."""
        if path[-1] not in self._inside.get(path[:-1], ()):
            return b""
        self._fits(self._ole.get_size(list(path)))
        return bytes(self._ole.openstream(list(path)).read())

    def _fits(self, octets: int) -> None:
        if octets > self._size:
            raise ValueError("a stream that is larger than its file goes round in circles")

    def properties(self, storage: tuple[str, ...], header: int) -> Properties:
        """Everything that a storage tells."""
        found = self._fixed(storage, header)
        page = found.get(CODE_PAGE) or found.get(INTERNET_CODE_PAGE) or PAGES.get(_number(found.get(LOCALE)))
        for name in self.names(storage, _STREAM):
            number, kind = _marked(name)
            if kind in {mapi.ANSI, mapi.UNICODE, mapi.BINARY}:
                raw = self.stream((*storage, name))
                found[self._key(number)] = _ansi(raw, page) if kind == mapi.ANSI else mapi.value(kind, raw)
            elif kind == _MANY_STRINGS and len(name) == len(_STREAM) + 8:
                values = self.names(storage, f"{name}-")[:MOST_VALUES]
                found[self._key(number)] = [mapi.value(mapi.UNICODE, self.stream((*storage, each))) for each in values]
        return Properties(found)

    def _key(self, number: int) -> Key:
        return self._names.get(number, number)

    def _fixed(self, storage: tuple[str, ...], header: int) -> dict[Key, object]:
        """Properties of fixed length: type, number, flags, and eight bytes of value each."""
        raw = self.stream((*storage, PROPERTIES))
        found: dict[Key, object] = {}
        for start in range(header, len(raw) - 15, 16):
            kind, number = struct.unpack_from("<HH", raw, start)
            if kind not in {mapi.UNICODE, mapi.BINARY}:
                found[self._key(number)] = mapi.value(kind, raw[start + 8 : start + 16])
        return found


class Message:
    """A message, or one inside another."""

    def __init__(self, file: Compound, storage: tuple[str, ...] = ()) -> None:
        self._file = file
        self._storage = storage
        self._told = file.properties(storage, INNER_HEADER if storage else TOP_HEADER)

    @property
    def kind(self) -> Kind | None:
        """What it becomes; None for notes and the like."""
        return kind_of(self._told.text(CLASS))

    @property
    def date(self) -> datetime | None:
        """When it came, else when it was sent."""
        return self._told.moment(DELIVERED) or self._told.moment(SUBMITTED)

    @property
    def flags(self) -> int:
        """Bit 0: read; bit 3: not sent (MS-OXCMSG 2.2.1.6)."""
        return self._told.number(FLAGS, 1)

    def rebuilt(self, depth: int = 0) -> bytes:
        """As RFC 5322."""
        told = self._told
        return rebuilt(Parts(
            number=depth,
            headers=(told.body(HEADERS) or b"").decode("utf-8", "replace"),
            subject=told.text(SUBJECT),
            sender=(told.text(SENDER_NAME), told.text(SENDER_SMTP) or told.text(SENDER_ADDRESS)),
            to=told.text(DISPLAY_TO),
            cc=told.text(DISPLAY_CC),
            date=self.date,
            plain=self._told.body(BODY),
            html=self._told.body(HTML),
            enclosed=list(self._enclosed(depth)),
        ))  # fmt: skip

    def found(self, depth: int = 0) -> Found:
        """What is kept of an item that is no mail."""
        parts = [*self._parts()]
        exceptions = [each for each in parts if each.is_exception and depth < DEEPEST]
        return Found(
            self._told,
            plain=plain_text(self._told.body(BODY) or b""),
            html=self._told.body(HTML) or b"",
            people=tuple(
                self._file.properties((*self._storage, name), PART_HEADER)
                for name in self._file.names(self._storage, "__recip_version1.0_")[:MOST_PEOPLE]
            ),
            attached=tuple(each.attached(depth) for each in parts if each not in exceptions),
            exceptions=tuple(each.message.found(depth + 1) for each in exceptions),
        )

    def _parts(self) -> Iterator[Part]:
        for name in self._file.names(self._storage, "__attach_version1.0_")[:MOST_ENCLOSED]:
            yield Part(self._file, (*self._storage, name))

    def _enclosed(self, depth: int) -> Iterator[Enclosed]:
        for part in self._parts():
            if part.holds_message and depth < DEEPEST:
                yield Enclosed(part.name, part.message.rebuilt(depth + 1), message=True)
            else:
                told = part.told
                yield Enclosed(part.name, part.data, told.text(MIME_TYPE), told.text(CONTENT_ID).strip("<>"))


class Part:
    """One attachment."""

    def __init__(self, file: Compound, storage: tuple[str, ...]) -> None:
        self._file = file
        self._storage = storage
        self.told = file.properties(storage, PART_HEADER)

    @property
    def name(self) -> str:
        """How its file was called."""
        return self.told.text(LONG_NAME) or self.told.text(SHORT_NAME)

    @property
    def data(self) -> bytes:
        """Its bytes; none of a message."""
        return self.told.octets(DATA)

    @property
    def holds_message(self) -> bool:
        """Whether it is a message of its own."""
        return bool(self._file.names((*self._storage, _INNER), PROPERTIES))

    @property
    def is_exception(self) -> bool:
        """Whether it tells one date of a series."""
        flagged = self.told.number(ATTACHMENT_FLAGS) & _EXCEPTION or self.told.truth(HIDDEN)
        return self.holds_message and bool(flagged)

    @property
    def message(self) -> Message:
        """The message in it."""
        return Message(self._file, (*self._storage, _INNER))

    def attached(self, depth: int) -> Attached:
        """As an attachment of an item that is no mail."""
        if self.holds_message and depth < DEEPEST:
            return Attached(f"{self.name or 'message'}.eml", self.message.rebuilt(depth + 1), "message/rfc822")
        return Attached(self.name or "attachment", self.data, self.told.text(MIME_TYPE), self.told.truth(PHOTO))


def _marked(name: str) -> tuple[int, int]:
    """Number and type of a stream that is called so; type 0 where it is no property."""
    mark = name[len(_STREAM) : len(_STREAM) + 8]
    try:
        return int(mark[:4], 16), int(mark[4:], 16)
    except ValueError:
        return 0, 0


def _ansi(raw: bytes, page: object) -> str:
    try:
        return raw.decode(f"cp{page}" if isinstance(page, int) and page != 65001 else "utf-8").rstrip("\0")
    except (LookupError, UnicodeDecodeError):
        return raw.decode("cp1252", "replace").rstrip("\0")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def answer(data: bytes) -> tuple[Mapping[str, Any], bytes]:
    """What is told of a file, and the item."""
    import olefile

    if sum(struct.unpack_from("<I", data, at)[0] for at in TABLES) * SECTOR > len(data):
        raise ValueError("tables that are larger than their file go round in circles")
    with olefile.OleFileIO(BytesIO(data)) as ole:
        message = Message(Compound(ole, len(data)))
        kind = message.kind
        if kind is None:
            return {"other": True}, b""
        if kind is not Kind.MAIL:
            return _object(message, kind)
        raw = message.rebuilt()
    date = message.date.timestamp() if message.date else None
    return {"size": len(raw), "seen": bool(message.flags & 1), "draft": bool(message.flags & 8), "date": date}, raw


def _object(message: Message, kind: Kind) -> tuple[Mapping[str, Any], bytes]:
    try:
        raw = converted(kind, message.found())
    except Unstorable as refused:
        return {"kind": kind.value, "refused": refused.reason, "why": str(refused)}, b""
    return {"kind": kind.value, "size": len(raw)}, raw


def main() -> None:
    """Serve until the input ends."""
    limit_ourselves()
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline(100):
        data = source.read(int(line))
        try:
            told, raw = answer(data)
        except Exception:  # noqa: BLE001 -- a hostile file may make the library raise anything
            told, raw = {"unreadable": True}, b""
        out.write(json.dumps(told).encode() + b"\n" + raw)
        out.flush()


if __name__ == "__main__":
    main()
