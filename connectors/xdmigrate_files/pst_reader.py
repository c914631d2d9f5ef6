"""The process that opens a PST: hostile files crash it, not the migration. Told its limits before it reads a byte.

Asked on standard input, a line at a time: `skip NUMBER`, `list`, `read NUMBER`. Answers are JSON lines; the bytes of an
item follow its line. Before an item is touched its number is told, so that the parent knows what killed us.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC
from hashlib import sha256
from typing import Any, BinaryIO

from xdmigrate.formats.refusal import Unstorable
from xdmigrate.model import Kind
from xdmigrate_files.limits import limit_ourselves
from xdmigrate_files.mapi import BODY, CLASS, HTML, Properties
from xdmigrate_files.outlook import converted, kind_of
from xdmigrate_files.pstitems import DEEPEST, MOST_ENCLOSED, Items, each, names_of, octets_of, quietly
from xdmigrate_files.rebuilding import Enclosed, Parts, rebuilt

FLAGS, DISPLAY_TO, DISPLAY_CC = 0x0E07, 0x0E04, 0x0E03
SENDER_ADDRESS, SENDER_SMTP = 0x0C1F, 0x5D01
LONG_NAME, SHORT_NAME, MIME_TYPE, CONTENT_ID, CONTAINER = 0x3707, 0x3704, 0x370E, 0x3712, 0x3613
SUBTREE, TRASH, SENT = 0x35E0, 0x35E3, 0x35E4  # MS-OXCSTOR: entry ids of the folders for the user's top, trash, sent
_READ, _DRAFT = 0x1, 0x8


class Reader:
    """An open PST."""

    def __init__(self, file: BinaryIO, out: BinaryIO) -> None:
        import pypff

        self._out = out
        self._skipped: set[int] = set()
        self._pst = pypff.file()
        self._pst.open_file_object(file)
        self._items = Items(names_of(self._pst), self._built)
        self._store = self._items.properties(self._pst.get_message_store())
        self._places: dict[int, tuple[Any, int]] = {}  # number -> folder and place in it, once something was read

    def skip(self, number: int) -> None:
        """This item killed a process like this one."""
        self._skipped.add(number)

    def list(self) -> None:
        """Every folder with its items; then `end`."""
        trash, sent = self._named(TRASH), self._named(SENT)
        for path, folder, deleted in self._folders(self._top(), (), trash):
            holds = self._items.properties(folder).text(CONTAINER)
            told = {"folder": path, "holds": holds, "deleted": deleted}
            self._tell({**told, "trash": folder.identifier == trash, "sent": folder.identifier == sent})
            for item in each(folder, "sub_message"):
                self._list_one(item)
        self._tell({"end": True})

    def read(self, number: int) -> None:
        """One item whole, by the number that `list` told."""
        item = None if number in self._skipped else self._find(number)
        data = b"" if item is None else self._octets(item, self._kind(item) or Kind.MAIL)
        self._tell({"size": len(data), "there": item is not None})
        self._out.write(data)
        self._out.flush()

    def _list_one(self, item: Any) -> None:
        number = int(item.identifier)
        if number in self._skipped:
            self._tell({"unreadable": number})
            return
        self._tell({"trying": number})
        kind = self._kind(item)
        if kind is None:
            self._tell({"other": number})
        elif kind is Kind.MAIL:
            self._tell({"id": number, **self._mail(item)})
        else:
            self._tell({"id": number, "kind": kind.value, **self._object(item, kind)})

    def _mail(self, message: Any) -> dict[str, Any]:
        date = quietly(message, "delivery_time") or quietly(message, "client_submit_time")
        flags = self._items.properties(message).number(FLAGS, _READ)
        return {
            "size": len(self._built(message)),
            "seen": bool(flags & _READ),
            "draft": bool(flags & _DRAFT),
            "date": date.replace(tzinfo=UTC).timestamp() if date else None,
        }

    def _object(self, item: Any, kind: Kind) -> dict[str, Any]:
        """An event, task or card; or why there is none."""
        try:
            data = self._octets(item, kind)
        except Unstorable as refused:
            return {"refused": refused.reason, "why": str(refused)}
        except Exception:  # noqa: BLE001 -- one hostile item; after a hundred dead processes the whole file is given up
            return {"refused": "unreadable", "why": "Outlook's file cannot give this item"}
        return {"size": len(data), "digest": sha256(data).hexdigest()[:32]}

    def _kind(self, item: Any) -> Kind | None:
        return kind_of(self._items.properties(item).text(CLASS))

    def _octets(self, item: Any, kind: Kind) -> bytes:
        return self._built(item) if kind is Kind.MAIL else converted(kind, self._items.found(item))

    def _built(self, message: Any, depth: int = 0) -> bytes:
        told = self._items.properties(message)
        return rebuilt(Parts(
            number=int(message.identifier),
            headers=quietly(message, "transport_headers") or "",
            subject=_subject(quietly(message, "subject") or ""),
            sender=(quietly(message, "sender_name") or "", told.text(SENDER_SMTP) or told.text(SENDER_ADDRESS)),
            to=told.text(DISPLAY_TO),
            cc=told.text(DISPLAY_CC),
            date=quietly(message, "client_submit_time") or quietly(message, "delivery_time"),
            plain=quietly(message, "plain_text_body") or told.body(BODY),
            html=quietly(message, "html_body") or told.body(HTML),
            rtf=quietly(message, "rtf_body"),
            enclosed=list(self._enclosed(message, depth)),
        ))  # fmt: skip

    def _enclosed(self, message: Any, depth: int) -> Iterator[Enclosed]:
        for number, one in enumerate(each(message, "attachment")):
            if number >= MOST_ENCLOSED:
                return
            told = self._items.properties(one)
            name = told.text(LONG_NAME) or told.text(SHORT_NAME)
            if quietly(one, "number_of_sub_items") and depth < DEEPEST:
                yield Enclosed(name, self._built(one.get_sub_item(0), depth + 1), message=True)
            else:
                yield Enclosed(name, octets_of(one), told.text(MIME_TYPE), told.text(CONTENT_ID).strip("<>"))

    # --- folders --------------------------------------------------------------------------------------------------

    def _top(self) -> Any:
        root, wanted = self._pst.get_root_folder(), self._named(SUBTREE)
        return next((below for below in each(root, "sub_folder") if below.identifier == wanted), root)

    def _named(self, key: int) -> int | None:
        return _number_of(self._store, key)

    def _folders(self, folder: Any, path: tuple[str, ...], trash: int | None) -> Iterator[tuple[Any, Any, bool]]:
        """Way, folder, and whether it is in the trash."""
        todo = [(folder, path, False)]
        while todo:
            here, way, deleted = todo.pop()
            deleted = deleted or (trash is not None and here.identifier == trash)
            if way or here.number_of_sub_messages:
                yield way, here, deleted
            below = list(each(here, "sub_folder")) if len(way) < DEEPEST else []
            for one in reversed(below):
                todo.append((one, (*way, quietly(one, "name") or f"{one.identifier:x}"), deleted))

    def _find(self, number: int) -> Any:
        if not self._places:
            for _, folder, _ in self._folders(self._top(), (), None):
                for place, item in enumerate(each(folder, "sub_message")):
                    self._places.setdefault(int(item.identifier), (folder, place))
        found = self._places.get(number)
        return found[0].get_sub_message(found[1]) if found else None

    def _tell(self, told: dict[str, Any]) -> None:
        self._out.write(json.dumps(told).encode() + b"\n")
        self._out.flush()


def _number_of(store: Properties, key: int) -> int | None:
    """The folder that an entry id names (MS-PST 2.4.3.2): its last four bytes."""
    wanted = store.octets(key)
    return int.from_bytes(wanted[-4:], "little") if wanted else None


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
