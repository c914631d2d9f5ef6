"""The colour and the description of a calendar or an address book, in the words in which IMAP tells them (RFC 5464)."""

from __future__ import annotations

import re

from xdmigrate.contract import Declined
from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Folder, Kind, Sharing
from xdmigrate_dav import documents, names
from xdmigrate_dav.session import Session, shown
from xdmigrate_dav.wire import XML

COMMENT = "/shared/comment"
COLOUR = "/shared/vendor/apple/color"
LONGEST = 4096
"""Bytes of a note."""

_COLOUR = re.compile(r"#[0-9A-Fa-f]{3,8}")
_OPAQUE = re.compile(r"(#[0-9A-Fa-f]{6})[Ff]{2}")
"""Some write red, green, blue and how opaque it is; SOGo takes nothing else."""


def read(session: Session, folder: Folder) -> Sharing:
    """What is set. Raises FolderUnusable when the folder is gone."""
    found = session.find(folder).collection
    colour = _OPAQUE.sub(r"\1", found.colour) if _COLOUR.fullmatch(found.colour) else ""
    told = {COMMENT: found.comment.encode(), COLOUR: colour.encode()}
    return Sharing(notes={entry: value for entry, value in told.items() if 0 < len(value) <= LONGEST})


def add(session: Session, folder: Folder, more: Sharing) -> list[Declined]:
    """Set each note by itself; what the server does not take is told."""
    refused = [Declined(name, "access is not set by this connector") for name in more.grants]
    for entry, value in more.notes.items():
        property_name = _property(entry, folder.kind)
        if property_name is None:
            refused.append(Declined(entry, "a calendar or an address book has no such note"))
        elif not any(put(session, folder.native, property_name, each) for each in _ways(property_name, value)):
            refused.append(Declined(entry, f"the server does not set it on {shown(folder)}"))
    return refused


def put(session: Session, path: str, name: str, value: str) -> bool:
    """PROPPATCH of one property; whether the server says that it was set."""
    try:
        body = documents.proppatch({name: documents.element(name, text=value)})
    except ValueError:  # a control character, which XML cannot hold
        return False
    reply = session.client.request("PROPPATCH", path, body=body, headers=XML)
    if reply.status != 207:
        if reply.status in (401, 429, 503):
            raise session.client.refusal("set a property", reply)
        return False
    try:
        return any(name in answer.found for answer in documents.Multistatus().read(reply.body))
    except (documents.BadXml, XdmigrateError):
        return False


def _ways(property_name: str, value: bytes) -> list[str]:
    """The spellings of a value, the usual one first."""
    text = value.decode("utf-8", "replace")
    opaque = property_name == names.COLOUR and _OPAQUE.fullmatch(f"{text}FF") is not None
    return [text, f"{text}FF"] if opaque else [text]


def _property(entry: str, kind: Kind) -> str | None:
    if entry.rpartition("/")[2] in ("comment",):
        return names.CONTACTS_COMMENT if kind is Kind.CONTACTS else names.CALENDAR_COMMENT
    if entry.rpartition("/")[2] in ("color", "colour") and kind is not Kind.CONTACTS:
        return names.COLOUR
    return None
