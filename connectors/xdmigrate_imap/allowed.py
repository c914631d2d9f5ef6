"""Which mailbox names a server takes, found out without making any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from xdmigrate.model import Path
from xdmigrate_imap.conversation import Reply
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.listing import Listed
from xdmigrate_imap.naming import INBOX, BadName, Names, hide
from xdmigrate_imap.session import Session

MAX_LEVEL = 255
"""Octets of one level on the wire: most servers keep a mailbox in a file or directory of that name."""

_ORDINARY = re.compile(rb"(?!(?:cur|new|tmp)$)[A-Za-z0-9&](?:[A-Za-z0-9&+,_ -]*[A-Za-z0-9&+,_-])?")
"""Levels that no server refuses; `cur`, `new` and `tmp` are directories of a Maildir."""

_REFUSED = re.compile(r"not valid|invalid|not allowed|illegal|bad (?:mailbox )?name", re.IGNORECASE)


def refused(session: Session, paths: Sequence[Path]) -> set[Path]:
    """Those of `paths` that no mailbox can have here."""
    named = {path: name for path in paths if (name := _name(session.names, path)) is not None}
    childless = _childless(session) if any(len(path) > 1 for path in named) else set()
    possible = {path: name for path, name in named.items() if not _below(path, childless)}
    return (set(paths) - possible.keys()) | _told(session, possible)


def _name(names: Names, path: Path) -> bytes | None:
    """The wire name; None where none can be."""
    try:
        name = names.name(path)
    except BadName:
        return None
    nested = len(path) > 1 and path[0] == INBOX and names.main.prefix[:5].upper() == b"INBOX"
    too_long = any(len(hide(level)) > MAX_LEVEL for level in path)
    return None if nested or too_long else name


def _childless(session: Session) -> set[Path]:
    """Mailboxes that cannot have any below them (RFC 3501 section 7.2.2)."""
    reply = session.command("list the folders", b"LIST", b'""', b'"*"')
    with session.parsing():
        listed = [each for each in map(Listed.of, reply.named(b"LIST")) if b"\\noinferiors" in each.attributes]
    return {session.names.path(each.name) for each in listed if each.name and session.names.is_personal(each.name)}


def _below(path: Path, childless: set[Path]) -> bool:
    return any(path[:depth] in childless for depth in range(1, len(path)))


def _told(session: Session, named: Mapping[Path, bytes]) -> set[Path]:
    """What STATUS calls impossible rather than missing, on servers that tell the two apart.

    Whether a server does is asked with a name that cannot be, because some hang up after a few errors.
    """
    odd = {path: name for path, name in named.items() if not all(_ORDINARY.fullmatch(hide(each)) for each in path)}
    if not odd or not _is_refusal(session.conversation.execute(*_status(b""))):
        return set()
    replies = session.conversation.execute_many([_status(name) for name in odd.values()])
    return {path for path, reply in zip(odd, replies, strict=True) if _is_refusal(reply)}


def _status(name: bytes) -> tuple[bytes, ...]:
    return (b"STATUS", astring(name), b"(UIDNEXT)")


def _is_refusal(reply: Reply) -> bool:
    """RFC 5530 section 3: [CANNOT] "can never succeed"; Dovecot says some of it in words only."""
    status = reply.status
    return status.kind == "NO" and (
        status.code == "CANNOT" or (not status.code and bool(_REFUSED.search(status.words)))
    )
