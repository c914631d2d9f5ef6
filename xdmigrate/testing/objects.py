"""Small events, tasks and contacts for tests, and what servers do to their bytes."""

from __future__ import annotations

import re

from xdmigrate.model import Kind

_UID = re.compile(rb"^UID:(.*?)\r?$", re.MULTILINE)
_STAMP = re.compile(rb"^(DTSTAMP|X-SEEN-BY|REV):.*?\r?\n", re.MULTILINE)


def made(kind: Kind, uid: str, text: str) -> bytes:
    """An object of this kind (RFC 5545, RFC 6350) that says `text`; strict servers take it."""
    if kind is Kind.CONTACTS:
        lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"N:{text};Ann;;;", f"FN:Ann {text}", "END:VCARD"]
        return _lines(lines)
    name = "VTODO" if kind is Kind.TASKS else "VEVENT"
    times = ["DTSTART:20240105T090000Z", f"{'DUE' if kind is Kind.TASKS else 'DTEND'}:20240105T100000Z"]
    inner = [f"BEGIN:{name}", f"UID:{uid}", "DTSTAMP:20240101T000000Z", *times, f"SUMMARY:{text}", f"END:{name}"]
    return _lines(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//xdmigrate//test//EN", *inner, "END:VCALENDAR"])


def uid(data: bytes) -> bytes:
    """The UID in the bytes; empty when there is none."""
    found = _UID.search(data)
    return found[1] if found else b""


def rewritten(data: bytes) -> bytes:
    """What servers make of an object: another stamp at another place, their own name for it, nothing that it says."""
    kept = _STAMP.sub(b"", data)
    name = re.search(rb"^BEGIN:(VEVENT|VTODO)\r\n", kept, re.MULTILINE)
    if name is None:
        return kept.replace(b"END:VCARD\r\n", b"REV:20240202T020202Z\r\nEND:VCARD\r\n")
    end = b"END:" + name[1] + b"\r\n"
    return kept.replace(end, b"DTSTAMP:20240202T020202Z\r\nX-SEEN-BY:store\r\n" + end)


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
