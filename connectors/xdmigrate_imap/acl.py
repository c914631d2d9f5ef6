"""Who else may use a folder: access control lists of RFC 4314, and of RFC 2086 before it."""

from __future__ import annotations

from collections.abc import Mapping

from xdmigrate.contract import Declined
from xdmigrate.errors import AccessDenied
from xdmigrate.model import Folder
from xdmigrate_imap import tokens
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.naming import shown, wire_name
from xdmigrate_imap.session import Session

STANDARD = frozenset("lrswipkxtea")
"""RFC 4314 section 2.1; c and d (section 2.1.1), digits and letters of one server's own are not compared."""

FORMER = {"c": frozenset("kx"), "d": frozenset("te")}
"""What the letters of RFC 2086 allow: create and delete mailboxes; delete messages and expunge."""


def read(session: Session, folder: Folder) -> dict[str, str]:
    """Identifier to rights, everybody's on the list. Raises AccessDenied where only administrators may ask."""
    reply = session.conversation.execute(b"GETACL", astring(wire_name(folder)))
    status = reply.status
    if status.kind != "OK":  # a BAD, too, is no reason to drop the connection
        raise session.peer.refusal(f"ask who may use folder {shown(folder)}", status.code, status.words, AccessDenied)
    modern = is_modern(session.capabilities)
    with session.parsing():
        words = [tokens.text(each) for found in reply.named(b"ACL") for each in found.values[1:]]
    named = zip(words[::2], words[1::2], strict=False)
    told = ((name.decode("utf-8", "replace"), rights.decode("ascii", "replace")) for name, rights in named)
    return {name: "".join(sorted(understood(rights, modern=modern))) for name, rights in told}


def add(session: Session, folder: Folder, grants: Mapping[str, str]) -> list[Declined]:
    """Give these rights beside those that are there (RFC 4314 section 3.1)."""
    declined = []
    modern = is_modern(session.capabilities)
    for name, rights in grants.items():
        letters = spelt(frozenset(rights), modern=modern)
        if not letters:
            declined.append(Declined(name, "the server has no right that allows only this"))
            continue
        parts = (b"SETACL", astring(wire_name(folder)), astring(name.encode()), astring(b"+" + letters.encode()))
        status = session.conversation.execute(*parts).status
        lost = "".join(sorted(frozenset(rights) - understood(letters, modern=modern)))
        if status.kind != "OK":
            declined.append(Declined(name, status.words or status.kind))
        elif lost:
            declined.append(Declined(name, f"the server has no right that allows only {lost}; the others were given"))
    return declined


def is_modern(capabilities: frozenset[str]) -> bool:
    """Whether the server distinguishes the rights of RFC 4314 (section 2.2: RIGHTS= names the new ones)."""
    return any(each.startswith("RIGHTS=") for each in capabilities)


def understood(letters: str, *, modern: bool) -> frozenset[str]:
    """RFC 4314 rights that a server's letters stand for."""
    told = frozenset(letters)
    if not modern:
        told |= {right for letter, rights in FORMER.items() if letter in told for right in rights}
    return told & STANDARD


def spelt(rights: frozenset[str], *, modern: bool) -> str:
    """The letters to send: never one that allows more than `rights`."""
    if modern:
        return "".join(sorted(rights & STANDARD))
    plain = rights & STANDARD - frozenset().union(*FORMER.values())
    return "".join(sorted(plain | {letter for letter, needed in FORMER.items() if needed <= rights}))
