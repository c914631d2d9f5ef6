"""Gmail's dialect: one message under several labels (X-GM-EXT-1), and special uses by XLIST, which others took over.

Gmail shows a label as a mailbox. A message is one object with one X-GM-MSGID, whatever mailbox it is listed in; its
flags are the object's. EXPUNGE takes only the label away, and what has no label left stays in All Mail; only in Trash
and Spam it is the end of the message.
"""

from __future__ import annotations

from xdmigrate_imap.session import Session

EXTENSION = "X-GM-EXT-1"

SIZE_LIMIT = 35_651_584
"""Octets of the largest message that Gmail takes, where it does not say so itself (RFC 7889)."""

DAILY_OUT, DAILY_IN = 2_500_000_000, 500_000_000
"""Octets that an account may read and write in a day by IMAP, as Google tells administrators."""

USES = {
    b"\\allmail": b"\\all",
    b"\\spam": b"\\junk",
    b"\\starred": b"\\flagged",
}
"""What XLIST calls otherwise than RFC 6154, in lower case."""


def has_labels(session: Session) -> bool:
    """Whether mailboxes are labels here."""
    return session.can(EXTENSION)


def identity(session: Session) -> bytes:
    """The FETCH item that names a message whatever its mailbox: X-GM-MSGID, or EMAILID (RFC 8474); else nothing."""
    if has_labels(session):
        return b"X-GM-MSGID"
    return b"EMAILID" if session.can("OBJECTID") else b""


def tells_uses_by_xlist(session: Session) -> bool:
    """Whether special uses are told by XLIST only; CREATE-SPECIAL-USE includes SPECIAL-USE (RFC 6154 section 3)."""
    return session.can("XLIST") and not (session.can("SPECIAL-USE") or session.can("CREATE-SPECIAL-USE"))


def plainly(attributes: frozenset[bytes]) -> frozenset[bytes]:
    """XLIST's attributes as RFC 6154 calls them; INBOX is known by its name."""
    return frozenset(USES.get(each, each) for each in attributes if each != b"\\inbox")
