"""The process that opens a PST: hostile files crash it, not the migration. Told its limits before it reads a byte.

Asked on standard input, a line at a time: `skip NUMBER`, `list`, `read NUMBER`. Answers are JSON lines; the bytes of a
message follow its line. Before a message is touched its number is told, so that the parent knows what killed us.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC
from typing import Any, BinaryIO

from xdmigrate_files.limits import limit_ourselves
from xdmigrate_files.rebuilding import MAIL_CLASSES, Enclosed, Parts, rebuilt

DEEPEST = 30
MOST_ENCLOSED = 1000
LARGEST = 300_000_000
"""Bytes of one attachment that is read."""

SUBJECT, CLASS, FLAGS = 0x0037, 0x001A, 0x0E07
DISPLAY_TO, DISPLAY_CC = 0x0E04, 0x0E03
SENDER_ADDRESS, SENDER_SMTP = 0x0C1F, 0x5D01
MIME_TYPE, CONTENT_ID = 0x370E, 0x3712
SUBTREE = 0x35E0  # MS-OXCSTOR: the entry id of the folder that the user sees as the top


class Reader:
    """An open PST."""

    def __init__(self, file: BinaryIO, out: BinaryIO) -> None:
        import pypff

        self._out = out
        self._skipped: set[int] = set()
        self._pst = pypff.file()
        self._pst.open_file_object(file)

    def skip(self, number: int) -> None:
        """This message killed a process like this one."""
        self._skipped.add(number)

    def list(self) -> None:
        """Every folder with its messages; then `end`."""
        for path, folder in self._folders(self._top(), ()):
            self._tell({"folder": path})
            for message in _each(folder, "sub_message"):
                self._list_one(message)
        self._tell({"end": True})

    def read(self, number: int) -> None:
        """One message whole, by the number that `list` told."""
        message = None if number in self._skipped else self._find(number)
        data = b"" if message is None else self._built(message)
        self._tell({"size": len(data), "there": message is not None})
        self._out.write(data)
        self._out.flush()

    def _list_one(self, message: Any) -> None:
        number = int(message.identifier)
        if number in self._skipped:
            self._tell({"unreadable": number})
            return
        self._tell({"trying": number})
        told = _properties(message)
        if not str(told.get(CLASS) or "IPM.NOTE").upper().startswith(MAIL_CLASSES):
            self._tell({"other": number})
            return
        date = message.delivery_time or message.client_submit_time
        flags = told.get(FLAGS, 1)
        self._tell({
            "id": number,
            "size": len(self._built(message)),
            "seen": bool(flags & 1) if isinstance(flags, int) else True,
            "draft": bool(flags & 8) if isinstance(flags, int) else False,
            "date": date.replace(tzinfo=UTC).timestamp() if date else None,
        })  # fmt: skip

    def _built(self, message: Any, depth: int = 0) -> bytes:
        told = _properties(message)
        address = str(told.get(SENDER_SMTP) or told.get(SENDER_ADDRESS) or "")
        return rebuilt(Parts(
            number=int(message.identifier),
            headers=_quietly(message, "transport_headers") or "",
            subject=_subject(_quietly(message, "subject") or ""),
            sender=(_quietly(message, "sender_name") or "", address),
            to=str(told.get(DISPLAY_TO) or ""),
            cc=str(told.get(DISPLAY_CC) or ""),
            date=message.client_submit_time or message.delivery_time,
            plain=_quietly(message, "plain_text_body"),
            html=_quietly(message, "html_body"),
            rtf=_quietly(message, "rtf_body"),
            enclosed=list(self._enclosed(message, depth)),
        ))  # fmt: skip

    def _enclosed(self, message: Any, depth: int) -> Iterator[Enclosed]:
        for number, one in enumerate(_each(message, "attachment")):
            if number >= MOST_ENCLOSED:
                return
            told = _properties(one)
            name = str(_quietly(one, "long_filename") or told.get(0x3704) or "")
            if _quietly(one, "number_of_sub_items") and depth < DEEPEST:
                yield Enclosed(name, self._built(one.get_sub_item(0), depth + 1), message=True)
                continue
            size = _quietly(one, "size") or 0
            data = one.read_buffer(min(size, LARGEST)) if size else b""
            yield Enclosed(name, data, str(told.get(MIME_TYPE) or ""), str(told.get(CONTENT_ID) or "").strip("<>"))

    def _top(self) -> Any:
        root = self._pst.get_root_folder()
        wanted = _properties(self._pst.get_message_store()).get(SUBTREE)
        number = int.from_bytes(wanted[-4:], "little") if isinstance(wanted, bytes) else None
        return next((each for each in _each(root, "sub_folder") if each.identifier == number), root)

    def _folders(self, folder: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if path or folder.number_of_sub_messages:
            yield path, folder
        for below in _each(folder, "sub_folder") if len(path) < DEEPEST else ():
            yield from self._folders(below, (*path, _quietly(below, "name") or f"{below.identifier:x}"))

    def _find(self, number: int) -> Any:
        for _, folder in self._folders(self._top(), ()):
            for message in _each(folder, "sub_message"):
                if message.identifier == number:
                    return message
        return None

    def _tell(self, told: dict[str, Any]) -> None:
        self._out.write(json.dumps(told).encode() + b"\n")
        self._out.flush()


def _each(holder: Any, what: str) -> Iterator[Any]:
    for number in range(getattr(holder, f"number_of_{what}s")):
        yield getattr(holder, f"get_{what}")(number)


def _quietly(holder: Any, name: str) -> Any:
    """A property, or None where the library cannot read it."""
    try:
        return getattr(holder, name)
    except (OSError, ValueError, RuntimeError):
        return None


def _properties(holder: Any) -> dict[int, Any]:
    """MAPI properties by number, as far as their types are known here."""
    found: dict[int, Any] = {}
    readers = {0x1F: "data_as_string", 0x1E: "data_as_string", 0x03: "data_as_integer", 0x102: "data"}
    for number in range(_quietly(holder, "number_of_record_sets") or 0):
        entries = holder.get_record_set(number).entries
        for entry in entries:
            if entry.value_type in readers and entry.entry_type not in found:
                found[entry.entry_type] = _quietly(entry, readers[entry.value_type])
    return found


def _subject(text: str) -> str:
    r"""Without the two signs that say how long its prefix is (MS-PST 2.5.3.1.1.1: "\x01" and a length)."""
    return text[2:] if text.startswith("\x01") else text


def _serve(reader: Reader) -> None:
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        if word == "skip":
            reader.skip(int(number))
        elif word == "list":
            reader.list()
        elif word == "read":
            reader.read(int(number))


def main() -> None:
    """Serve the file that is open as the descriptor in the first argument."""
    limit_ourselves()
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        _serve(Reader(file, sys.stdout.buffer))


if __name__ == "__main__":
    main()
