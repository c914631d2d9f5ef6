"""What `check` tells about an account: login, what the server can do, rights, room. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from xdmigrate.contract import Finding
from xdmigrate.errors import MailboxError
from xdmigrate.model import Folder, Login
from xdmigrate_imap import gmail, inventory, limits, listing, naming, tokens
from xdmigrate_imap.conversation import Literals
from xdmigrate_imap.quota import Quota
from xdmigrate_imap.session import Session

FULL = 0.9
"""Share of the quota from which it is worth knowing."""

READ_RIGHTS = "lr"
WRITE_RIGHTS = "lrswitk"
"""RFC 4314: list, read, seen, other flags, insert, delete messages, create mailboxes."""


@dataclass(frozen=True, slots=True)
class Power:
    """A capability, by any of its names, and what is done where it is missing."""

    names: tuple[str, ...]
    instead: str

    def found(self, session: Session) -> str:
        """The name by which the server announces it, or nothing."""
        return next((name for name in self.names if session.can(name)), "")


READING = (
    Power(("LIST-STATUS",), "a STATUS command for each folder"),
    Power(("QRESYNC", "CONDSTORE"), "every pass lists every folder"),
    Power(("SPECIAL-USE", "XLIST"), "folders are matched by name, not by use"),
)
WRITING = (
    Power(("MULTIAPPEND",), "one command for each message (slower)"),
    Power(("UIDPLUS",), "new messages are found by listing after each range"),
    Power(("LITERAL+",), "the server's consent before each message (a round trip each)"),
    Power(("MOVE",), "what was moved at the source is copied again"),
)
_CONSENT_ABOVE = "the server's consent before each message above 4096 bytes (LITERAL-)"


def findings(session: Session, login: Login, *, writable: bool) -> list[Finding]:
    """Everything at once. Raises as the commands do when the connection fails."""
    inbox = listing.find(session, b"INBOX")
    quota = Quota.of(session)
    return [
        Finding("login", ok=True, text=f"{login.user} can log in"),
        *_capabilities(session, writable=writable),
        *_rights(session, inbox, writable=writable),
        *_room(quota, writable=writable),
        *_daily(session, quota, writable=writable),
        *(_size_limit(session) if writable else ()),
        *_left_out(session),
        *(() if writable else inventory.of_source(session, quota)),
    ]


def _capabilities(session: Session, *, writable: bool) -> Iterator[Finding]:
    powers = WRITING if writable else READING
    found = {power: power.found(session) for power in powers}
    have = tuple(filter(None, found.values()))
    told = ", ".join(have) or "none of the optional powers"
    yield Finding("capabilities", ok=True, text=f"the server offers {told}", names=have)
    for power in powers:
        if not found[power]:
            name, instead = power.names[0], power.instead
            if name == "LITERAL+" and session.conversation.literals is Literals.MINUS:
                instead = _CONSENT_ABOVE
            yield Finding("fallback", ok=True, text=f"without {name}: {instead}", names=(name,))


def _rights(session: Session, inbox: Folder | None, *, writable: bool) -> Iterator[Finding]:
    if inbox is None:
        yield Finding("rights", ok=not writable, text="there is no INBOX", remedy="let the mailbox be created first")
        return
    needed = WRITE_RIGHTS if writable else READ_RIGHTS
    have = _my_rights(session)
    if have is not None:
        lacking = inventory.lacking(needed, have)
        text = f"rights on INBOX: {have}" if not lacking else f"rights on INBOX: {have}, lacking {lacking}"
        yield Finding("rights", not lacking, text, f"grant the account {needed} on its folders" if lacking else "")
    if writable:
        yield from _can_write(session, inbox)


def _can_write(session: Session, inbox: Folder) -> Iterator[Finding]:
    """SELECT changes nothing but what is recent; it says whether the folder can be written and which keywords stay."""
    try:
        session.open_folder(inbox, writable=True)
        kept = session.permanent_flags(inbox)
        session.close_folder()
    except MailboxError as error:
        yield Finding("rights", ok=False, text=error.message, remedy=error.remedy)
        return
    yield Finding("rights", ok=True, text="INBOX can be written")
    every = kept is None or "\\*" in kept
    names = ("*",) if every else tuple(sorted(each for each in kept or () if not each.startswith("\\")))
    told = "keeps any keyword" if every else f"keeps {len(names)} keywords and no new ones"
    yield Finding("keywords", ok=True, text=told, names=names)


def _my_rights(session: Session) -> str | None:
    if not session.can("ACL"):
        return None
    reply = session.conversation.execute(b"MYRIGHTS", b"INBOX")
    with session.parsing():
        found = [tokens.text(each.values[1]) for each in reply.named(b"MYRIGHTS") if len(each.values) == 2]
    return found[0].decode("ascii", "replace") if found else None


def _room(quota: Quota, *, writable: bool) -> Iterator[Finding]:
    for resource in quota.resources:
        full = writable and 0 < resource.limit <= resource.used
        close = writable and resource.used >= resource.limit * FULL > 0
        remedy = "raise the quota, or make room, before the migration" if full or close else ""
        text = f"{resource.name.lower()}: {resource.used} of {resource.limit}{resource.unit} used"
        yield Finding("quota", not full, text, remedy, amount=resource.octets)
    if quota.room is not None:
        yield Finding("room", ok=True, text=f"{quota.room} bytes free", amount=quota.room)


def _daily(session: Session, quota: Quota, *, writable: bool) -> Iterator[Finding]:
    """Gmail never tells of this limit before it is used up."""
    if not gmail.has_labels(session):
        return
    if writable:
        yield Finding("quota", ok=True, text=f"Gmail takes about {gmail.DAILY_IN} bytes a day")
        return
    days = ceil((quota.used or 0) / gmail.DAILY_OUT)
    remedy = f"begin {days} days before the mailbox is needed; what is left goes on by itself" if days > 1 else ""
    yield Finding("quota", ok=True, text=f"Gmail gives about {gmail.DAILY_OUT} bytes a day", remedy=remedy)


def _size_limit(session: Session) -> Iterator[Finding]:
    limit = limits.of_mailbox(session, b"INBOX")
    text = f"messages up to {limit} bytes" if limit is not None else "not told; found out when a message is refused"
    yield Finding("size-limit", ok=True, text=text, amount=limit)


def _left_out(session: Session) -> Iterator[Finding]:
    """Shared folders and other users' are no part of the account."""
    names = [session.peer.clean(naming.show(name)) for name in listing.foreign(session)]
    if names:
        told = ", ".join(names[: inventory.NAMED]) + (", …" if len(names) > inventory.NAMED else "")
        yield Finding(
            "rights", ok=True, text=f"{len(names)} folders of other users or shared ones are left out: {told}"
        )
