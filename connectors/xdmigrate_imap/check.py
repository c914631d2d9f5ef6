"""What `check` tells about an account: login, what the server can do, rights, room. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from xdmigrate.contract import Finding
from xdmigrate.errors import MailboxError
from xdmigrate.model import Folder, Login
from xdmigrate_imap import listing, tokens
from xdmigrate_imap.conversation import Literals
from xdmigrate_imap.session import Session
from xdmigrate_imap.tokens import Value

FULL = 0.9
"""Share of the quota from which there is a warning."""

READ_RIGHTS = "lr"
WRITE_RIGHTS = "lrswitk"
"""RFC 4314: list, read, seen, other flags, insert, delete messages, create mailboxes."""

_FALLBACKS = {
    "LIST-STATUS": "a STATUS command for each folder",
    "SPECIAL-USE": "folders are matched by name, not by use",
    "CONDSTORE": "every pass lists every folder",
}
_WRITE_FALLBACKS = {
    "MULTIAPPEND": "one command for each message (slower)",
    "UIDPLUS": "new messages are found by listing after each range",
    "LITERAL+": "the server's consent before each message (a round trip each)",
}


def findings(session: Session, login: Login, *, writable: bool) -> list[Finding]:
    """Everything at once. Raises as the commands do when the connection fails."""
    inbox = listing.find(session, b"INBOX")
    return [
        Finding("login", ok=True, text=f"{login.user} can log in"),
        *_capabilities(session, writable=writable),
        *_rights(session, inbox, writable=writable),
        *_quota(session, writable=writable),
        *_size_limit(session, writable=writable),
        *_left_out(session),
    ]


def _capabilities(session: Session, *, writable: bool) -> Iterator[Finding]:
    wanted = _FALLBACKS | _WRITE_FALLBACKS if writable else _FALLBACKS
    missing = {name: instead for name, instead in wanted.items() if not session.can(name)}
    if session.has_modseq:
        missing.pop("CONDSTORE", None)
    if "LITERAL+" in missing and session.conversation.literals is Literals.MINUS:
        missing["LITERAL+"] = "the server's consent before each message above 4096 bytes (LITERAL-)"
    have = ", ".join(sorted(wanted.keys() - missing.keys())) or "none of the optional powers"
    yield Finding("capabilities", ok=True, text=f"the server offers {have}")
    for name, instead in missing.items():
        yield Finding("capabilities", ok=True, text=f"without {name}: {instead}")


def _rights(session: Session, inbox: Folder | None, *, writable: bool) -> Iterator[Finding]:
    if inbox is None:
        yield Finding("rights", ok=not writable, text="there is no INBOX", remedy="let the mailbox be created first")
        return
    needed = WRITE_RIGHTS if writable else READ_RIGHTS
    have = _my_rights(session)
    if have is not None:
        # RFC 2086 servers say c for k and d for t
        lacking = [
            right for right in needed if right not in have and {"k": "c", "t": "d"}.get(right, right) not in have
        ]
        text = f"rights on INBOX: {have}" if not lacking else f"rights on INBOX: {have}, lacking {''.join(lacking)}"
        yield Finding("rights", not lacking, text, f"grant the account {needed} on its folders" if lacking else "")
    if writable:
        yield _can_write(session, inbox)


def _can_write(session: Session, inbox: Folder) -> Finding:
    """SELECT changes nothing but what is recent, and says whether the folder can be written."""
    try:
        session.open_folder(inbox, writable=True)
        session.close_folder()
    except MailboxError as error:
        return Finding("rights", ok=False, text=error.message, remedy=error.remedy)
    return Finding("rights", ok=True, text="INBOX can be written")


def _my_rights(session: Session) -> str | None:
    if not session.can("ACL"):
        return None
    reply = session.conversation.execute(b"MYRIGHTS", b"INBOX")
    with session.parsing():
        found = [tokens.text(each.values[1]) for each in reply.named(b"MYRIGHTS") if len(each.values) == 2]
    return found[0].decode("ascii", "replace") if found else None


def _quota(session: Session, *, writable: bool) -> Iterator[Finding]:
    if not session.can("QUOTA"):
        return
    reply = session.conversation.execute(b"GETQUOTAROOT", b"INBOX")
    with session.parsing():
        triples = [each for data in reply.named(b"QUOTA") for each in _triples(data.values)]
    for resource, used, limit in triples:
        unit = {"STORAGE": " KiB", "MESSAGE": " messages"}.get(resource, "")
        room = not writable or limit == 0 or used < limit * FULL
        remedy = "" if room else "raise the quota, or make room, before the migration"
        yield Finding("quota", room, f"{resource.lower()}: {used} of {limit}{unit} used", remedy)


def _triples(values: list[Value]) -> Iterator[tuple[str, int, int]]:
    """Resources of a QUOTA response: name, usage, limit (RFC 9208)."""
    flat = tokens.items(values[1]) if len(values) > 1 else []
    for name, used, limit in zip(flat[::3], flat[1::3], flat[2::3], strict=False):
        yield tokens.text(name).decode("ascii", "replace").upper(), tokens.number(used), tokens.number(limit)


def _size_limit(session: Session, *, writable: bool) -> Iterator[Finding]:
    if not writable:
        return
    limit = session.append_limit
    text = f"messages up to {limit} bytes" if limit is not None else "not told; found out when a message is refused"
    yield Finding("size-limit", ok=True, text=text)


def _left_out(session: Session) -> Iterator[Finding]:
    """Shared folders and other users' are no part of the account."""
    count = listing.foreign_names(session)
    if count:
        yield Finding("rights", ok=True, text=f"{count} folders of other users or shared ones are left out")
