"""What .ics and .vcf files hold: events, tasks and cards, each as an item of its own. Pure.

Only a file that seems to hold several is taken apart by the parsers; what they cannot read stays one item, as it is.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

from xdmigrate.errors import ExtraMissing
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.model import Kind

CALENDAR_ENDING = ".ics"
CARD_ENDING = ".vcf"

_UID = re.compile(rb"^UID(?:;[^:\r\n]*)?:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE | re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")
_COMPONENT = re.compile(rb"^BEGIN:V(EVENT|TODO|JOURNAL|FREEBUSY)\b", re.MULTILINE | re.IGNORECASE)
_CARD = re.compile(rb"^BEGIN:VCARD\b", re.MULTILINE | re.IGNORECASE)


class Part(NamedTuple):
    """One item of a file."""

    kind: Kind
    uid: bytes  # empty: it has none
    data: bytes
    refused: tuple[str, str] = ("", "")  # of an item of Outlook's that becomes nothing: the reason, and in words

    @property
    def version(self) -> bytes:
        """Another one whenever the bytes are others."""
        return sha256(self.data or self.refused[0].encode()).digest()[:16]


def parts(data: bytes, ending: str) -> list[Part]:
    """The items of a file, in its order."""
    try:
        found = _cards(data) if ending == CARD_ENDING else _objects(data)
    except Unreadable:
        found = [data]
    return [Part(_kind(each, ending), uid_of(each), each) for each in found]


def uid_of(data: bytes) -> bytes:
    """The first UID, unfolded; empty when there is none."""
    found = _UID.search(data)
    return _FOLD.sub(b"", found[1]).strip() if found else b""


def _kind(data: bytes, ending: str) -> Kind:
    if ending == CARD_ENDING:
        return Kind.CONTACTS
    components = {found[1].upper() for found in _COMPONENT.finditer(data)}
    return Kind.TASKS if b"TODO" in components and b"EVENT" not in components else Kind.CALENDAR


def _objects(data: bytes) -> list[bytes]:
    components = len(_COMPONENT.findall(data))
    uids = [_FOLD.sub(b"", found[1]).strip() for found in _UID.finditer(data)]
    if components <= 1 or (len(uids) == components and len(set(uids)) == 1):
        return [data]
    try:
        from xdmigrate.formats.ical import split
    except ImportError as error:
        message = f"calendars need {error.name}, which is not installed"
        raise ExtraMissing(message, remedy="install xdmigrate[dav]") from error
    return split(data)


def _cards(data: bytes) -> list[bytes]:
    if len(_CARD.findall(data)) == 1 and b"\0" not in data:
        return [data]
    from xdmigrate.formats.vcard.cards import cards

    return cards(data) or [data]
