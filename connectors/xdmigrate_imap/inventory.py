"""What a source holds, as far as `check` has to know: how much, what cannot be read, which keywords are in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdmigrate.contract import Finding
from xdmigrate.model import Folder
from xdmigrate_imap import listing, tokens
from xdmigrate_imap.conversation import Reply
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.naming import shown, wire_name
from xdmigrate_imap.quota import Quota
from xdmigrate_imap.session import Session

OPENED = 500
"""Folders that are opened to see that they can be; the others are taken on trust."""

NAMED = 5
"""Folders that are named where several are meant."""

_OLDER = {"k": "c", "t": "d"}
"""What servers of RFC 2086 say for rights of RFC 4314."""


def of_source(session: Session, quota: Quota) -> Iterator[Finding]:
    """Size, folders that cannot be read, keywords. Leaves the session in any folder."""
    folders = [folder for folder in listing.folders(session) if folder.selectable]
    yield _size(session, folders, quota)
    yield from _unreadable_by_rights(session, folders)
    yield from _opened(session, folders[:OPENED])


def lacking(needed: str, have: str) -> str:
    """The needed rights that are not there, in either RFC's letters."""
    return "".join(right for right in needed if right not in have and _OLDER.get(right, right) not in have)


def _size(session: Session, folders: Sequence[Folder], quota: Quota) -> Finding:
    """STATUS SIZE (RFC 8438) sums up what the messages are; a quota counts about the same."""
    messages = sum(folder.count for folder in folders)
    octets = _summed(session, folders) if session.can("STATUS=SIZE") else quota.used
    told = f"{messages} messages in {len(folders)} folders"
    return Finding("size", ok=True, text=f"{told}, {octets} bytes" if octets is not None else told, amount=octets)


def _summed(session: Session, folders: Sequence[Folder]) -> int:
    commands = [(b"STATUS", astring(wire_name(folder)), b"(SIZE)") for folder in folders]
    total = 0
    for reply in session.conversation.execute_many(commands):
        with session.parsing():
            for data in reply.named(b"STATUS"):
                total += tokens.number(tokens.pairs(data.values[-1]).get(b"SIZE", b"0")) if data.values else 0
    return total


def _unreadable_by_rights(session: Session, folders: Sequence[Folder]) -> Iterator[Finding]:
    if not session.can("ACL"):
        return
    replies = session.conversation.execute_many([(b"MYRIGHTS", astring(wire_name(folder))) for folder in folders])
    denied: list[Folder] = []
    for folder, reply in zip(folders, replies, strict=True):
        with session.parsing():
            rights = [tokens.text(each.values[1]) for each in reply.named(b"MYRIGHTS") if len(each.values) == 2]
        if rights and lacking("r", rights[0].decode("ascii", "replace")):
            denied.append(folder)
    if denied:
        yield Finding(
            "rights", ok=False, text=f"no right to read {_named(denied)}", remedy="grant the account lr there"
        )


def _opened(session: Session, folders: Sequence[Folder]) -> Iterator[Finding]:
    replies = session.conversation.execute_many([(b"EXAMINE", astring(wire_name(folder))) for folder in folders])
    closed = [folder for folder, reply in zip(folders, replies, strict=True) if not reply.ok]
    if closed:
        remedy = "look at them in a mail client; what cannot be opened can only be left out (`scope.folders.exclude`)"
        yield Finding("rights", ok=False, text=f"cannot open {_named(closed)}", remedy=remedy)
    with session.parsing():
        names = sorted({name for reply in replies for name in _keywords(reply)})
    yield Finding("keywords", ok=True, text=f"{len(names)} keywords in use", names=tuple(names))


def _keywords(reply: Reply) -> Iterator[str]:
    """Lower-case, as servers compare them (RFC 9051 section 2.3.2)."""
    for data in reply.named(b"FLAGS"):
        for flag in tokens.items(data.values[0]) if data.values else []:
            name = tokens.text(flag).decode("utf-8", "replace").lower()
            if not name.startswith("\\"):
                yield name


def _named(folders: Sequence[Folder]) -> str:
    more = f" and {len(folders) - NAMED} more" if len(folders) > NAMED else ""
    return ", ".join(shown(folder) for folder in folders[:NAMED]) + more
