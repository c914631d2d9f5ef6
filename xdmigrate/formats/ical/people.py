"""Changes to who is invited and who is told. Whatever is not changed stays as it is, to the octet."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator

from xdmigrate.formats.ical.addresses import BLANKS, PEOPLE, address, plain
from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import Line, escaped, folded, line_end, lines, made, utf8

Rename = Callable[[str], str]

_VALUES = PEOPLE | {"CALENDAR-ADDRESS"}  # RFC 9073 section 6.4
_PARAMETERS = frozenset({"SENT-BY", "DELEGATED-FROM", "DELEGATED-TO", "MEMBER", "EMAIL", "X-CALENDARSERVER-EMAIL"})
_PARAMETER = re.compile(r'(;\s*)([A-Za-z0-9-]+)(\s*=)((?:"[^"]*"|[^";])*+)')
_ADDRESS = re.compile(r'(?<![^\s<>",;:])[^\s<>",;:@]+@[^\s<>",;:]+')
_SCHEME = re.compile(rf"[{BLANKS}]*(?:mailto:\s*)?", re.IGNORECASE)
_ASKED = ("SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND")
_SILENT = frozenset({"CLIENT", "NONE"})


def readdressed(data: bytes, rename: Rename) -> bytes:
    """The object with its organizer and attendees renamed, their delegates, senders and groups too.

    `rename` gets each address as it is written, without `mailto:`. Raises Unreadable.
    """

    def change(line: Line) -> str:
        if line.name not in _VALUES:
            return line.text
        head, value = line.text[: line.colon], line.text[line.colon + 1 :]
        return f"{_parameters(head, rename)}:{_user(value, rename)}"

    return _edited(data, change)


def _parameters(head: str, rename: Rename) -> str:
    def change(match: re.Match[str]) -> str:
        before, name, equals, values = match.groups()
        return before + name + equals + (_renamed(values, rename) if name.upper() in _PARAMETERS else values)

    return _PARAMETER.sub(change, head)


def _user(value: str, rename: Rename) -> str:
    """A value is one address, even with blanks in it."""
    start = _SCHEME.match(value).end()  # type: ignore[union-attr]  # it matches anything
    who = value[start:].rstrip(BLANKS)
    before, after = value[:start], value[start + len(who) :]
    known = plain(who) if before.strip(BLANKS) else who
    new = rename(known) if "@" in known else known
    return value if new == known else f"{before}{new}{after}"


def _renamed(text: str, rename: Rename) -> str:
    return _ADDRESS.sub(lambda match: rename(match[0]), text)


def unscheduled(data: bytes) -> bytes:
    """The object with SCHEDULE-AGENT=CLIENT (RFC 6638 section 7.1): the server is to send nothing about it.

    Raises Unreadable.
    """
    depth: list[str] = []

    def change(line: Line) -> str:
        if line.name == "BEGIN":
            depth.append(line.value.strip().upper())
        elif line.name == "END":
            del depth[-1:]
        elif line.name in PEOPLE and depth[-1:] != ["VALARM"]:
            return _silenced(line)
        return line.text

    return _edited(data, change)


def _silenced(line: Line) -> str:
    if line.parameter("SCHEDULE-AGENT").upper() in _SILENT and not line.parameter("SCHEDULE-FORCE-SEND"):
        return line.text
    head = _PARAMETER.sub(lambda match: "" if match[2].upper() in _ASKED else match[0], line.text[: line.colon])
    return f"{head};SCHEDULE-AGENT=CLIENT{line.text[line.colon :]}"


def _edited(data: bytes, change: Callable[[Line], str]) -> bytes:
    """The text with every line whose words change written anew."""
    text, codec = utf8(data)
    end = line_end(text)
    found = [(line, change(line)) for line in lines(text)]
    if all(line.text == words for line, words in found):
        return data
    return _as_it_was(
        b"".join(line.raw if line.text == words else folded(words, end) for line, words in found), data, codec
    )


def _as_it_was(text: bytes, data: bytes, codec: str) -> bytes:
    """UTF-8 in the encoding that the data came in."""
    if codec.startswith("utf-8"):
        return codecs.BOM_UTF8 + text if codec == "utf-8-sig" else text
    mark = data[:2] if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else b""
    return mark + text.decode("utf-8", "replace").encode(codec)


def without_people(data: bytes) -> bytes:
    """The object with organizer and attendees told in the description: nobody can be invited by it any more.

    In UTF-8. Alarms keep the addresses that they write to. Raises Unreadable.
    """
    root = parsed(data)
    if not [component for calendar in calendars(root) for component in objects(calendar) if _tell(component, data)]:
        return data
    return b"".join(root.raw())


def _tell(component: Component, data: bytes) -> bool:
    """Whether anybody was moved into the description."""
    people = [line for line in component.lines() if line.name in PEOPLE]
    if not people:
        return False
    told = escaped("\n".join(_told(people)))
    described = component.first("DESCRIPTION")
    before = described.text + "\\n\\n" if described and described.value.strip() else "DESCRIPTION:"
    description = made(before + told, folded(before + told, line_end(data)))
    kept = [each for each in component.entries if each is not described and each not in people]
    component.entries[:] = [description, *kept]
    return True


def _told(people: list[Line]) -> Iterator[str]:
    yield from (f"Organizer: {_person(line)}" for line in people if line.name == "ORGANIZER")
    attendees = [line for line in people if line.name == "ATTENDEE"]
    if attendees:
        yield "Attendees:"
    yield from (f"- {_person(line)}" for line in attendees)


def _person(line: Line) -> str:
    name, answer = line.parameter("CN"), line.parameter("PARTSTAT").lower()
    who = f"{name} <{address(line.value)}>" if name else address(line.value)
    return f"{who} ({answer})" if answer else who
