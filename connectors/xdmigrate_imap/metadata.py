"""Comments and colours of folders: METADATA (RFC 5464)."""

from __future__ import annotations

from collections.abc import Mapping

from xdmigrate.contract import Declined
from xdmigrate.errors import AccessDenied
from xdmigrate.model import Folder
from xdmigrate_imap import tokens
from xdmigrate_imap.conversation import Conversation
from xdmigrate_imap.grammar import Octets, astring
from xdmigrate_imap.naming import shown, wire_name
from xdmigrate_imap.session import Session

MAX_VALUE = 4096
"""Octets of a value that is asked for; longer ones are no comments (RFC 5464 section 4.2.1)."""

COMMENTS = ("/private/comment", "/shared/comment")
COLOURS = frozenset(("color", "colour"))
"""How vendors end the names of their entries for a folder's colour."""

_OPTIONS = b"(MAXSIZE %d DEPTH infinity)" % MAX_VALUE
_ASKED = b"(/private/comment /shared/comment /private/vendor /shared/vendor)"


def read(session: Session, folder: Folder) -> dict[str, bytes]:
    """Entry to value of the comments and colours that are set."""
    reply = session.conversation.execute(b"GETMETADATA", _OPTIONS, astring(wire_name(folder)), _ASKED)
    status = reply.status
    if status.kind != "OK":  # a BAD, too, is no reason to drop the connection
        doing = f"ask for the comments on folder {shown(folder)}"
        raise session.peer.refusal(doing, status.code, status.words, AccessDenied)
    found: dict[str, bytes] = {}
    with session.parsing():
        for each in reply.named(b"METADATA"):
            flat = tokens.items(each.values[1]) if len(each.values) > 1 else []
            told = zip(flat[::2], flat[1::2], strict=False)
            found |= {_entry(entry): tokens.text(value) for entry, value in told if value is not None}
    return {entry: value for entry, value in found.items() if value and is_note(entry)}


def _entry(value: tokens.Value) -> str:
    """Entry names have no case (RFC 5464 section 3.2)."""
    return tokens.text(value).decode("ascii", "replace").lower()


def is_note(entry: str) -> bool:
    """Whether an entry is a comment or a colour; all others describe the server, not the folder."""
    return entry in COMMENTS or entry.rpartition("/")[2] in COLOURS


def add(session: Session, folder: Folder, notes: Mapping[str, bytes]) -> list[Declined]:
    """Set these entries, each by itself: servers allow few vendors' entries, and refuse a command as a whole."""
    declined = []
    for entry, value in notes.items():
        pair = _pair(session.conversation, entry, value)
        if pair is None:
            declined.append(Declined(entry, "the server takes such a text only in a way that is not offered"))
            continue
        status = session.conversation.execute(b"SETMETADATA", astring(wire_name(folder)), pair).status
        if status.kind != "OK":
            declined.append(Declined(entry, status.words or status.kind))
    return declined


def _pair(conversation: Conversation, entry: str, value: bytes) -> bytes | None:
    """The list of one entry and its value; a literal in it must need no consent, because the list ends behind it."""
    sent = astring(value)
    if isinstance(sent, Octets):
        if len(value) > conversation.literals or b"\0" in value:
            return None
        sent = conversation.marker(len(value)) + value
    return b"(" + astring(entry.encode("ascii", "replace")) + b" " + sent + b")"
