"""How large a message may be: for the whole account, or for one mailbox (RFC 7889)."""

from __future__ import annotations

from xdmigrate_imap import gmail, tokens
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.session import Session


def of_account(session: Session) -> int | None:
    """Octets, as far as they are told for all mailboxes at once, or known for the kind of server."""
    return session.append_limit or (gmail.SIZE_LIMIT if gmail.has_labels(session) else None)


def of_mailbox(session: Session, name: bytes) -> int | None:
    """Octets for one mailbox: a server that announces APPENDLIMIT without a number tells them by STATUS."""
    if not session.can("APPENDLIMIT"):
        return of_account(session)
    reply = session.conversation.execute(b"STATUS", astring(name), b"(APPENDLIMIT)")
    with session.parsing():
        for data in reply.named(b"STATUS"):
            told = tokens.pairs(data.values[-1]).get(b"APPENDLIMIT") if data.values else None
            return None if told is None else tokens.number(told)
    return None
