"""Items of a PST as libpff tells them, with the names of their properties; runs in the process that opens the PST."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xdmigrate_files import mapi
from xdmigrate_files.mapi import Attached, Found, Key, Properties
from xdmigrate_files.rebuilding import plain_text

DEEPEST = 30
MOST_ENCLOSED = 1000
MOST_PEOPLE = 5_000
LARGEST = 300_000_000
"""Bytes of one attachment that is read."""

NAME_SETS, NAME_ENTRIES, NAME_STRINGS = 2, 3, 4  # MS-PST 2.4.7.1
LONG_NAME, SHORT_NAME, MIME_TYPE = 0x3707, 0x3704, 0x370E
ATTACHMENT_FLAGS, HIDDEN, PHOTO = 0x7FFD, 0x7FFE, 0x7FFF
_EXCEPTION = 0x2  # afException: the message of one date of a series

Built = Callable[[Any, int], bytes]


class Items:
    """Reads whole items; `names` is the map of the file's named properties."""

    def __init__(self, names: Mapping[int, Key], built: Built) -> None:
        self._names = names
        self._built = built

    def found(self, item: Any, depth: int = 0) -> Found:
        """What is kept of an item that is no mail."""
        own = self.properties(item)
        attached: list[Attached] = []
        exceptions: list[Found] = []
        for number, one in enumerate(each(item, "attachment")):
            if number >= MOST_ENCLOSED:
                break
            told = self.properties(one)
            if quietly(one, "number_of_sub_items") and depth < DEEPEST:
                if told.number(ATTACHMENT_FLAGS) & _EXCEPTION or told.truth(HIDDEN):
                    exceptions.append(self.found(one.get_sub_item(0), depth + 1))
                    continue
                attached.append(_message(told, self._built(one.get_sub_item(0), depth + 1)))
            else:
                attached.append(_attached(told, octets_of(one)))
        return Found(
            own,
            plain=plain_text(quietly(item, "plain_text_body") or own.body(mapi.BODY) or b""),
            html=quietly(item, "html_body") or own.octets(mapi.HTML),
            rtf=quietly(item, "rtf_body") or b"",
            people=tuple(self._people(item)),
            attached=tuple(attached),
            exceptions=tuple(exceptions),
            seed=b"%d" % (quietly(item, "identifier") or 0),
        )

    def properties(self, holder: Any) -> Properties:
        """The properties of an item or an attachment, by number and by name."""
        found: dict[Key, object] = {}
        for number in range(quietly(holder, "number_of_record_sets") or 0):
            for key, value in self._record(holder.get_record_set(number)).items():
                found.setdefault(key, value)
        return Properties(found)

    def _people(self, item: Any) -> Iterator[Properties]:
        """One record for each recipient."""
        listed = quietly(item, "recipients")
        for number in range(min(quietly(listed, "number_of_record_sets") or 0, MOST_PEOPLE) if listed else 0):
            yield Properties(self._record(listed.get_record_set(number)))

    def _record(self, record: Any) -> dict[Key, object]:
        found: dict[Key, object] = {}
        for entry in record.entries:
            key = self._names.get(entry.entry_type, entry.entry_type)
            found.setdefault(key, _value(entry))
        return found


def names_of(pst: Any) -> dict[int, Key]:
    """The named properties of a file; none where it has no map that can be read."""
    listed = quietly(pst, "name_to_id_map")
    found: dict[int, bytes] = {}
    for number in range(quietly(listed, "number_of_record_sets") or 0 if listed else 0):
        for entry in listed.get_record_set(number).entries:
            if entry.entry_type in {NAME_SETS, NAME_ENTRIES, NAME_STRINGS}:
                found.setdefault(entry.entry_type, quietly(entry, "data") or b"")
    sets, entries, strings = (found.get(each, b"") for each in (NAME_SETS, NAME_ENTRIES, NAME_STRINGS))
    return mapi.names(sets, entries, strings)


def each(holder: Any, what: str) -> Iterator[Any]:
    """All that libpff counts and numbers."""
    for number in range(quietly(holder, f"number_of_{what}s") or 0):
        yield getattr(holder, f"get_{what}")(number)


def quietly(holder: Any, name: str) -> Any:
    """A property, or None where the library cannot read it."""
    try:
        return getattr(holder, name)
    except (OSError, ValueError, RuntimeError, AttributeError):
        return None


def octets_of(attachment: Any) -> bytes:
    """The bytes of an attachment, bounded."""
    size = quietly(attachment, "size") or 0
    return bytes(attachment.read_buffer(min(size, LARGEST))) if size else b""


def _value(entry: Any) -> object:
    if entry.value_type == mapi.ANSI:
        return quietly(entry, "data_as_string")
    raw = quietly(entry, "data") or b""
    return mapi.several(raw) if entry.value_type == mapi.STRINGS_UNICODE else mapi.value(entry.value_type, raw)


def _attached(told: Properties, data: bytes) -> Attached:
    name = told.text(LONG_NAME) or told.text(SHORT_NAME)
    return Attached(name or "attachment", data, told.text(MIME_TYPE), told.truth(PHOTO))


def _message(told: Properties, data: bytes) -> Attached:
    return Attached(f"{told.text(LONG_NAME) or told.text(mapi.DISPLAY_NAME) or 'message'}.eml", data, "message/rfc822")
