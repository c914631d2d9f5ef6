"""Runs that go deep, for mutation, and the words of the protocol."""

from __future__ import annotations

from tests.fuzz.liar import BETWEEN, CAPABILITIES
from tests.fuzz.responses import DEEDS

WORDS = (
    b"* ", b"+ ", b"\r\n", b"x1 OK ", b"x2 OK ", b"x3 NO ", b"x4 BAD ", b"x5 OK ", b"* BYE ", b"* OK [", b"] ",
    b"* 1 FETCH (", b"UID 1 ", b"FLAGS ()", b"FLAGS (\\Seen work)", b"INTERNALDATE \" 5-Jan-2001 03:04:05 +0000\"",
    b"INTERNALDATE NIL", b"RFC822.SIZE 5", b"BODY[] {5}\r\nhello", b"BODY[] NIL", b"BODY[] \"x\"", b"{5}\r\n",
    b"{4294967296}\r\n", b"{99999999999999999999}\r\n", b"* LIST (\\Sent) \"/\" ", b"* LSUB () \"/\" ", b"* STATUS ",
    b"(MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 77)", b"* 3 EXISTS", b"* 2 EXPUNGE", b"* SEARCH 1 2 3",
    b"* ESEARCH (TAG \"x1\") UID ALL 1:3", b"* VANISHED (EARLIER) 1:2", b"[UIDVALIDITY 7]", b"[UIDNEXT 9]",
    b"[HIGHESTMODSEQ 77]", b"[PERMANENTFLAGS (\\Seen \\*)]", b"[READ-ONLY]", b"[APPENDUID 7 1:3]",
    b"[COPYUID 8 1:2 5:6]", b"[TRYCREATE]", b"[OVERQUOTA]", b"[UNAVAILABLE]",
    b"* NAMESPACE ((\"\" \"/\")) NIL NIL", b"* ENABLED QRESYNC",
    b"EMAILID (M1)", b"MODSEQ (5)", b"X-GM-LABELS (", b"* FLAGS (", b"NIL", BETWEEN,
)  # fmt: skip

_OPENING = (
    b"* 3 EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] kept\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 9] next\r\n"
    b"* OK [HIGHESTMODSEQ 77] highest\r\n"
)
_HEADS = b"".join(
    b'* %d FETCH (UID %d FLAGS (\\Seen work) INTERNALDATE " 5-Jan-2001 03:04:05 +0000" RFC822.SIZE 5)\r\n' % (uid, uid)
    for uid in (1, 2, 3)
)
_WHOLE = b"".join(
    b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE " 5-Jan-2001 03:04:05 +0000" BODY[] {5}\r\nhello)\r\n' % (uid, uid)
    for uid in (1, 2, 3)
)
_LISTS = (
    b'* LIST (\\Subscribed \\Sent) "/" Box\r\n* STATUS Box (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 77)\r\n'
    b'* LIST () "/" {3}\r\nB\xfcx\r\n* NAMESPACE (("" "/")) NIL NIL\r\n* SEARCH 1 2 3\r\n* ENABLED QRESYNC\r\n'
    b'* ESEARCH (TAG "x1") UID ALL 1:3\r\n* VANISHED (EARLIER) 1:2\r\n'
    b'* LIST () "/" Box/In\r\n* STATUS Box/In (UIDVALIDITY 7)\r\n* LIST () "/" Elsewhere\r\n* STATUS Elsewhere ()\r\n'
)
_ALL = _OPENING + _LISTS + _HEADS + _WHOLE

_NAMES = b'* LIST () "/" \x9d\x9d\r\n* LIST () "/" \x9e\x9e\r\n'
"""Names that are sent as literals, which wait for consent; one is refused."""

SEEDS = (
    *(
        bytes([2 * deed, can, cut]) + BETWEEN.join([_ALL] * 12)
        for deed in range(len(DEEDS))
        for can in range(len(CAPABILITIES))
        for cut in (3, 255)
    ),
    b"\x00\x04\xff" + _NAMES,
)
