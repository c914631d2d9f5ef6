"""What appointments and tasks of Outlook's have in common when they become iCalendar objects. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

from xdmigrate.formats.refusal import Unstorable
from xdmigrate_files.contentlines import binary, line, moment, one_line, text
from xdmigrate_files.mapi import (
    CATEGORIES,
    CHANGED,
    CREATED,
    IMPORTANCE,
    MEETING,
    SEARCH_KEY,
    SENSITIVITY,
    SUBJECT,
    Found,
    Properties,
)

LARGEST = 40_000_000
"""Bytes of texts and attachments of one object."""

_PRODUCT = b"PRODID:-//xdmigrate//xdmigrate//EN\r\n"
_CLEAN_ID, _ID = (MEETING, 0x0023), (MEETING, 0x0003)
_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"
_BEFORE_DATA = 40  # MS-OXOCAL 2.2.1.27: 16 that are always the same, 4 of a date, 8 of a time, 8 empty, 4 of a length

_CLASSES = {1: "PRIVATE", 2: "PRIVATE", 3: "CONFIDENTIAL"}
_PRIORITIES = {0: "9", 2: "1"}
_LONGEST_UID = 1000


def calendar(zones: bytes, components: bytes) -> bytes:
    """The whole object."""
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n%s%s%sEND:VCALENDAR\r\n" % (_PRODUCT, zones, components)


def stamped(told: Properties, uid: str) -> Iterator[bytes]:
    """What it is known by, and when it was touched."""
    changed = told.moment(CHANGED) or datetime(1970, 1, 1, tzinfo=UTC)
    yield line("UID", text(uid))
    yield line("DTSTAMP", f"{moment(changed)}Z")
    yield line("LAST-MODIFIED", f"{moment(changed)}Z" if told.moment(CHANGED) else "")
    created = told.moment(CREATED)
    yield line("CREATED", f"{moment(created)}Z" if created else "")


def common(found: Found, subject: str | None = None) -> Iterator[bytes]:
    """Title, texts, class, priority, categories and attachments. Raises Unstorable for what is too large."""
    told = found.properties
    if sum(len(each.data) for each in found.attached) + len(found.plain) + len(found.html) > LARGEST:
        raise Unstorable("too-big", f"its texts and attachments have more than {LARGEST} bytes")
    yield line("SUMMARY", text(one_line(told.text(SUBJECT) if subject is None else subject)))
    yield line("DESCRIPTION", text(found.plain.strip("\0\r\n ")))
    if found.html:
        yield line("X-ALT-DESC", text(found.html.decode("utf-8", "replace")), {"FMTTYPE": "text/html"})
    elif found.rtf and not found.plain.strip():
        yield _attachment(found.rtf, "application/rtf", "body.rtf")
    yield line("CLASS", _CLASSES.get(told.number(SENSITIVITY), ""))
    yield line("PRIORITY", _PRIORITIES.get(told.number(IMPORTANCE, 1), ""))
    yield line("CATEGORIES", ",".join(text(one_line(each)) for each in told.texts(CATEGORIES)))
    for each in found.attached:
        yield _attachment(each.data, each.type, each.name)


def uid_of(found: Found) -> str:
    """The one that its organizer gave it (MS-OXCICAL 2.1.3.1.1.20.26), else what names it in its file."""
    whole = found.properties.octets(_CLEAN_ID) or found.properties.octets(_ID)
    data = whole[_BEFORE_DATA:]
    if data.startswith(_FOREIGN):
        foreign = data[len(_FOREIGN) :].partition(b"\0")[0].decode("utf-8", "replace").strip()
        if foreign and len(foreign) <= _LONGEST_UID:
            return foreign
    if len(whole) > _BEFORE_DATA and len(whole) <= _LONGEST_UID:
        return (whole[:16] + bytes(4) + whole[20:]).hex().upper()
    return uid_made(found)


def uid_made(found: Found) -> str:
    """One that is the same in every run."""
    return sha256(b"outlook\0" + (found.properties.octets(SEARCH_KEY) or found.seed)).hexdigest()[:32].upper()


def _attachment(data: bytes, kind: str, name: str) -> bytes:
    told = {"FMTTYPE": kind, "ENCODING": "BASE64", "VALUE": "BINARY", "FILENAME": name}
    return binary("ATTACH", data, told)
