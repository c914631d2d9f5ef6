"""The process that reads Outlook's .msg (MS-OXMSG): one after the other, each given on standard input.

A line with a length, then so many bytes; the answer is a JSON line, then the message as RFC 5322. What is no mail, and
what cannot be read, is told instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from xdmigrate_files.limits import limit_ourselves
from xdmigrate_files.rebuilding import MAIL_CLASSES, Enclosed, Parts, rebuilt

DEEPEST = 20
MOST_ENCLOSED = 1000
PROPERTIES = "__properties_version1.0"
TOP_HEADER, INNER_HEADER, ATTACHMENT_HEADER = 32, 24, 8
"""Bytes before the fixed properties (MS-OXMSG 2.4.1)."""

CLASS, SUBJECT, HEADERS, FLAGS = 0x001A, 0x0037, 0x007D, 0x0E07
SENDER_NAME, SENDER_ADDRESS, SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
DISPLAY_TO, DISPLAY_CC, SUBMITTED, DELIVERED = 0x0E04, 0x0E03, 0x0039, 0x0E06
BODY, HTML, CODE_PAGE, INTERNET_CODE_PAGE, LOCALE = 0x1000, 0x1013, 0x3FFD, 0x3FDE, 0x3FF1
PAGES = {0x0419: 1251, 0x0411: 932, 0x0804: 936, 0x0412: 949, 0x0404: 950, 0x0408: 1253, 0x041F: 1254, 0x0415: 1250}
"""Code pages of locales whose old messages tell nothing else (MS-LCID)."""

DATA, LONG_NAME, SHORT_NAME, MIME_TYPE, CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x370E, 0x3712
INTEGER, TIME, ANSI, UNICODE, BINARY = 0x0003, 0x0040, 0x001E, 0x001F, 0x0102
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class Message:
    """A message, or one inside another."""

    def __init__(self, ole: Any, storage: tuple[str, ...] = ()) -> None:
        self._ole = ole
        self._storage = storage
        self._told = self._properties(storage, INNER_HEADER if storage else TOP_HEADER)

    @property
    def is_mail(self) -> bool:
        """Whether it is neither appointment nor contact, task or note."""
        return str(self._told.get(CLASS) or "IPM.NOTE").upper().startswith(MAIL_CLASSES)

    @property
    def date(self) -> datetime | None:
        """When it came, else when it was sent."""
        found = self._told.get(DELIVERED) or self._told.get(SUBMITTED)
        return found if isinstance(found, datetime) else None

    @property
    def flags(self) -> int:
        """Bit 0: read; bit 3: not sent (MS-OXCMSG 2.2.1.6)."""
        found = self._told.get(FLAGS)
        return found if isinstance(found, int) else 1

    def rebuilt(self, depth: int = 0) -> bytes:
        """As RFC 5322."""
        told = self._told
        address = str(told.get(SENDER_SMTP) or told.get(SENDER_ADDRESS) or "")
        return rebuilt(Parts(
            number=depth,
            headers=str(told.get(HEADERS) or ""),
            subject=str(told.get(SUBJECT) or ""),
            sender=(str(told.get(SENDER_NAME) or ""), address),
            to=str(told.get(DISPLAY_TO) or ""),
            cc=str(told.get(DISPLAY_CC) or ""),
            date=self.date,
            plain=_octets(told.get(BODY)),
            html=_octets(told.get(HTML)),
            enclosed=list(self._enclosed(depth)),
        ))  # fmt: skip

    def _enclosed(self, depth: int) -> Iterator[Enclosed]:
        own = len(self._storage)
        names = {
            path[own]
            for path in self._ole.listdir(streams=True, storages=True)
            if tuple(path[:own]) == self._storage and len(path) > own and path[own].startswith("__attach_version1.0_")
        }
        for name in sorted(names)[:MOST_ENCLOSED]:
            storage = (*self._storage, name)
            told = self._properties(storage, ATTACHMENT_HEADER)
            called = str(told.get(LONG_NAME) or told.get(SHORT_NAME) or "")
            inner = (*storage, "__substg1.0_3701000D")
            if self._ole.exists("/".join((*inner, PROPERTIES))) and depth < DEEPEST:
                yield Enclosed(called, Message(self._ole, inner).rebuilt(depth + 1), message=True)
                continue
            cid = str(told.get(CONTENT_ID) or "").strip("<>")
            yield Enclosed(called, _octets(told.get(DATA)) or b"", str(told.get(MIME_TYPE) or ""), cid)

    def _properties(self, storage: tuple[str, ...], header: int) -> dict[int, Any]:
        found = self._fixed(storage, header)
        page = found.get(CODE_PAGE) or found.get(INTERNET_CODE_PAGE) or PAGES.get(found.get(LOCALE, 0))
        for name in {path[-1] for path in self._ole.listdir() if tuple(path[:-1]) == storage}:
            mark = name.removeprefix("__substg1.0_")
            if mark != name and len(mark) == 8:
                number, kind = int(mark[:4], 16), int(mark[4:], 16)
                if kind in {ANSI, UNICODE, BINARY}:
                    raw = self._ole.openstream([*storage, name]).read()
                    found[number] = _value(raw, kind, page)
        return found

    def _fixed(self, storage: tuple[str, ...], header: int) -> dict[int, Any]:
        """Properties of fixed length: type, number, flags, and eight bytes of value each."""
        if not self._ole.exists("/".join((*storage, PROPERTIES))):
            return {}
        raw = self._ole.openstream([*storage, PROPERTIES]).read()
        found: dict[int, Any] = {}
        for start in range(header, len(raw) - 15, 16):
            kind, number = (
                int.from_bytes(raw[start : start + 2], "little"),
                int.from_bytes(raw[start + 2 : start + 4], "little"),
            )
            value = int.from_bytes(raw[start + 8 : start + 16], "little")
            if kind == INTEGER:
                found[number] = value & 0xFFFFFFFF
            elif kind == TIME and value < 1 << 60:
                found[number] = _EPOCH + timedelta(microseconds=value // 10)
        return found


def _value(raw: bytes, kind: int, page: object) -> str | bytes:
    if kind == UNICODE:
        return raw.decode("utf-16-le", "replace").rstrip("\0")
    if kind == ANSI:
        try:
            return raw.decode(f"cp{page}" if isinstance(page, int) and page != 65001 else "utf-8").rstrip("\0")
        except (LookupError, UnicodeDecodeError):
            return raw.decode("cp1252", "replace").rstrip("\0")
    return raw


def _octets(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) else None


def answer(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What is told of a file, and the message."""
    import olefile

    with olefile.OleFileIO(BytesIO(data)) as ole:
        message = Message(ole)
        if not message.is_mail:
            return {"other": True}, b""
        raw = message.rebuilt()
    date = message.date.timestamp() if message.date else None
    return {"size": len(raw), "seen": bool(message.flags & 1), "draft": bool(message.flags & 8), "date": date}, raw


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
