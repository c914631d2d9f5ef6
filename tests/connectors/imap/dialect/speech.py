"""What a server of this kind can do, how it spells it, and what it does not take. All of it is data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PLAIN_FLAGS = rb"\Answered \Flagged \Deleted \Seen \Draft"


def _anything(_data: bytes) -> bytes:
    return b""


def _unchanged(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class Speech:
    """How a server speaks while it keeps to the grammar, or nearly."""

    lower: bool = False  # keywords in lower case
    spaces: bool = False  # two where one is enough
    shuffled: bool = False  # messages and their attributes in any order
    chatty: bool = False  # tells what nobody asked
    literal_names: bool = False  # mailbox names as literals


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server."""

    capabilities: tuple[str, ...]  # announced after login; what is not announced is refused
    greeting: bytes = b"* OK ready"
    speech: Speech = field(default_factory=Speech)

    # names
    separator: bytes = b"/"  # empty: NIL, no levels
    prefix: bytes = b""  # of the user's own namespace
    others: tuple[bytes, ...] = ()  # prefixes of other users' and public namespaces
    inbox: bytes = b"INBOX"  # as LIST spells it
    special: Mapping[bytes, bytes] = field(default_factory=dict)  # mailboxes there from the start, and their use
    parents: tuple[bytes, ...] = ()  # listed from the start, but not to be opened
    parent_attribute: bytes = rb"\Noselect"
    childless: tuple[bytes, ...] = ()  # mailboxes with \Noinferiors
    lists_uses: bool = True  # special uses are told by LIST; else by XLIST alone
    forbidden: re.Pattern[bytes] | None = None  # no mailbox may have a name in which this is found
    forbidden_answer: bytes = b"NO [CANNOT] Invalid mailbox name"
    tells_forbidden: bool = True  # STATUS of such a name answers so too; else as if it were missing
    folds_case: bool = False
    stored_as: Callable[[bytes], bytes] = _unchanged  # what becomes of a new mailbox's name

    # messages
    permanent: bytes = PLAIN_FLAGS + rb" \*"
    size_limit: int = 0
    refuse: Callable[[bytes], bytes] = _anything  # the answer to an APPEND of this message; empty: take it
    rewrite: Callable[[bytes], bytes] = _unchanged
    size_told: Callable[[bytes], int] = len  # RFC822.SIZE
    labels: bool = False  # one message, shown in several mailboxes
    untold: tuple[bytes, ...] = ()  # what neither SELECT nor STATUS tells, though RFC 3501 demands it

    # conduct
    errors_allowed: int = 0  # NO and BAD answers before the server hangs up; 0: no limit
    last_words: bytes = b"* BYE Connection closed. 14"

    def can(self, name: str) -> bool:
        """Whether it announces this."""
        return name in self.capabilities


def exchange_refuses(data: bytes) -> bytes:
    """Exchange takes no line above 9,900 octets, no NUL and no 8-bit header."""
    header = data.partition(b"\r\n\r\n")[0]
    long = any(len(line) > 9_900 for line in data.split(b"\r\n"))
    wrong = long or b"\0" in data or not header.isascii()
    return b"BAD Command Argument Error. 11" if wrong else b""


BASIC = Dialect(("IMAP4rev1",))
"""RFC 3501 and nothing else."""

DOVECOT = Dialect(
    (
        *("IMAP4rev1", "SASL-IR", "ID", "ENABLE", "MULTIAPPEND", "UNSELECT", "CHILDREN", "NAMESPACE", "UIDPLUS"),
        *("LIST-EXTENDED", "LIST-STATUS", "CONDSTORE", "ESEARCH", "MOVE", "LITERAL+", "SPECIAL-USE"),
    ),
    forbidden=re.compile(rb"^~|(^|/)\.\.?(/|$)|//|[\x00-\x1f\x80-\xff]|^$"),
)
CYRUS = Dialect(
    (
        *("IMAP4rev1", "LITERAL+", "UIDPLUS", "NAMESPACE", "UNSELECT", "CHILDREN", "MULTIAPPEND", "ID", "ACL"),
        *("CONDSTORE", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "MOVE", "ESEARCH"),
    ),
    separator=b".",
    prefix=b"INBOX.",
    others=(b"user.", b"shared."),
    forbidden=re.compile(rb"[\x00-\x1f\x7f-\xff/]|\.\.|\.$"),
    forbidden_answer=b"NO Invalid mailbox name",
    tells_forbidden=False,
)
COURIER = Dialect(
    ("IMAP4rev1", "UIDPLUS", "CHILDREN", "NAMESPACE", "ACL"),
    separator=b".",
    prefix=b"INBOX.",
    others=(b"shared.",),
    forbidden=re.compile(rb"^(?!INBOX\.).|/|\.\.|\.$"),
    forbidden_answer=b"NO Invalid mailbox name.",
    tells_forbidden=False,
)
HMAIL = Dialect(("IMAP4rev1", "CHILDREN", "IDLE", "SORT", "ACL", "NAMESPACE"), separator=b".", permanent=PLAIN_FLAGS)
EXCHANGE = Dialect(
    ("IMAP4", "IMAP4rev1", "SASL-IR", "UIDPLUS", "MOVE", "ID", "UNSELECT", "CHILDREN", "IDLE", "NAMESPACE", "LITERAL+"),
    greeting=b"* OK The Microsoft Exchange IMAP4 service is ready.",
    permanent=PLAIN_FLAGS + rb" $MDNSent",
    refuse=exchange_refuses,
    size_told=lambda data: len(data) + 37,
    folds_case=True,
    stored_as=bytes.strip,
    forbidden=re.compile(rb"^$|[\x00-\x1f\x7f-\xff]"),
    forbidden_answer=b"BAD Command Argument Error. 11",
    tells_forbidden=False,
    errors_allowed=10,
)
GMAIL = Dialect(
    (
        *("IMAP4rev1", "UNSELECT", "IDLE", "NAMESPACE", "QUOTA", "ID", "XLIST", "CHILDREN", "X-GM-EXT-1", "UIDPLUS"),
        *("ENABLE", "MOVE", "CONDSTORE", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS", "LITERAL-", "SPECIAL-USE"),
        "APPENDLIMIT=35651584",
    ),
    greeting=b"* OK Gimap ready for requests",
    special={
        b"[Gmail]/Alle Nachrichten": rb"\All",
        b"[Gmail]/Entw&APw-rfe": rb"\Drafts",
        b"[Gmail]/Wichtig": rb"\Important",
        b"[Gmail]/Gesendet": rb"\Sent",
        b"[Gmail]/Spam": rb"\Junk",
        b"[Gmail]/Markiert": rb"\Flagged",
        b"[Gmail]/Papierkorb": rb"\Trash",
    },
    parents=(b"[Gmail]",),
    parent_attribute=rb"\NonExistent",
    folds_case=True,
    size_limit=35_651_584,
    labels=True,
)
YAHOO = Dialect(
    (
        *("IMAP4rev1", "ID", "MOVE", "NAMESPACE", "UIDPLUS", "LITERAL+", "CHILDREN", "XAPPLEPUSHSERVICE"),
        *("UNSELECT", "OBJECTID"),
    ),
    greeting=b"* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN] IMAP4rev1 imapgate",
    inbox=b"Inbox",
    special={b"Bulk": rb"\Junk", b"Draft": rb"\Drafts", b"Sent": rb"\Sent", b"Trash": rb"\Trash"},
    permanent=PLAIN_FLAGS + rb" $Forwarded $Junk $NotJunk",
)
YANDEX = Dialect(
    ("IMAP4rev1", "CHILDREN", "UNSELECT", "LITERAL+", "NAMESPACE", "XLIST", "UIDPLUS", "ENABLE", "ID", "MOVE"),
    separator=b"|",
    childless=(b"INBOX",),
    special={b"Drafts": rb"\Drafts", b"Sent": rb"\Sent", b"Spam": rb"\Spam", b"Trash": rb"\Trash"},
    lists_uses=False,
)
PROTON = Dialect(("IMAP4rev1", "ID", "IDLE", "MOVE", "STARTTLS", "UIDPLUS", "UNSELECT"), greeting=b"* OK Proton Mail")
EVERY = {
    "basic": BASIC, "dovecot": DOVECOT, "cyrus": CYRUS, "courier": COURIER, "hmail": HMAIL, "exchange": EXCHANGE,
    "gmail": GMAIL, "yahoo": YAHOO, "yandex": YANDEX, "proton": PROTON,
}  # fmt: skip
