"""Who organises an appointment of Outlook's and who is invited, as iCalendar says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xdmigrate_files.contentlines import line
from xdmigrate_files.mapi import ADDRESS_TYPE, DISPLAY_NAME, EMAIL, SMTP, Found, Properties

MOST_PEOPLE = 5_000

STATE = ("00062002-0000-0000-c000-000000000046", 0x8217)
MEETING, CANCELLED = 0x1, 0x4

_TYPE, _FLAGS, _ANSWER = 0x0C15, 0x5FFD, 0x5FFF
_ORGANISES = 0x2  # recipOrganizer
_OPTIONAL, _RESOURCE = 2, 3
_ANSWERS = {2: "TENTATIVE", 3: "ACCEPTED", 4: "DECLINED"}
_SENDER_SMTP, _SENDER_TYPE, _SENDER, _SENDER_NAME = 0x5D02, 0x0064, 0x0065, 0x0042
_ADDRESS = re.compile(r"[^\s@<>\",;:\\]{1,200}@[^\s@<>\",;:\\]{1,250}")


def people(found: Found) -> Iterator[bytes]:
    """ORGANIZER and ATTENDEE of a meeting; nothing of an appointment of one's own."""
    if not found.properties.number(STATE) & MEETING:
        return
    organizer, name = _organizer(found)
    yield line("ORGANIZER", _uri(organizer), {"CN": name})
    for each in found.people[:MOST_PEOPLE]:
        address = address_of(each)
        if not each.number(_FLAGS) & _ORGANISES and each.number(_TYPE, 1) in {1, _OPTIONAL, _RESOURCE}:
            yield line("ATTENDEE", _uri(address), _told(each))


def address_of(person: Properties) -> str:
    """The SMTP address; empty where only Exchange knew it."""
    typed = person.text(EMAIL) if person.text(ADDRESS_TYPE).upper() in {"", "SMTP"} else ""
    return next((each for each in (person.text(SMTP), typed) if is_address(each)), "")


def is_address(text: str) -> bool:
    """Whether it is an e-mail address that every program takes."""
    return _ADDRESS.fullmatch(text) is not None


def _organizer(found: Found) -> tuple[str, str]:
    for each in found.people[:MOST_PEOPLE]:
        if each.number(_FLAGS) & _ORGANISES and (address := address_of(each)):
            return address, each.text(DISPLAY_NAME)
    told = found.properties
    sender = told.text(_SENDER) if told.text(_SENDER_TYPE).upper() == "SMTP" else ""
    address = next((each for each in (told.text(_SENDER_SMTP), sender) if is_address(each)), "")
    return address, told.text(_SENDER_NAME)


def _told(person: Properties) -> dict[str, str]:
    kind = person.number(_TYPE, 1)
    return {
        "CN": person.text(DISPLAY_NAME),
        "CUTYPE": "RESOURCE" if kind == _RESOURCE else "",
        "ROLE": {_OPTIONAL: "OPT-PARTICIPANT", _RESOURCE: "NON-PARTICIPANT"}.get(kind, ""),
        "PARTSTAT": _ANSWERS.get(person.number(_ANSWER), ""),
    }


def _uri(address: str) -> str:
    return f"mailto:{address}" if address else ""
