"""Flags as Maildir and mbox spell them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}
"""Maildir's flags, in the order in which they stand in a name; "P" (passed) is read as the keyword of RFC 9051."""

FORWARDED = "$Forwarded"
SYSTEM = {flag.lower(): flag for flag in LETTERS.values()}
KEYWORDS = 26
"""Dovecot's letters a to z: as many keywords can a Maildir keep in one folder."""

LONGEST = 100
"""Characters of a keyword."""

_KEYWORD = re.compile(r"[!#$&'+,./0-9:;<=>?@A-Z^_`a-z|}~-]+")  # RFC 3501 atom, without what begins a flag
_STATUS = {b"R": "\\Seen"}
_X_STATUS = {b"A": "\\Answered", b"F": "\\Flagged", b"T": "\\Draft", b"D": "\\Deleted"}
_TELLING = frozenset({b"status", b"x-status", b"x-keywords", b"x-mozilla-status", b"x-mozilla-keys"})
_MOZILLA = {0x1: "\\Seen", 0x2: "\\Answered", 0x4: "\\Flagged", 0x8: "\\Deleted", 0x1000: FORWARDED}


def kept(flags: Iterable[str]) -> frozenset[str]:
    r"""Those that are kept: system flags in one spelling, and keywords that IMAP's grammar allows; \Recent never."""
    spelled = (SYSTEM.get(flag.lower(), flag) for flag in flags)
    return frozenset(flag for flag in spelled if flag in SYSTEM.values() or is_keyword(flag))


def is_keyword(flag: str) -> bool:
    """Whether every server could have this keyword."""
    return len(flag) <= LONGEST and _KEYWORD.fullmatch(flag) is not None


def of_letters(letters: str, keywords: Mapping[str, str]) -> frozenset[str]:
    """The flags that a Maildir's name tells, with the folder's own letters for keywords."""
    known = {**LETTERS, "P": FORWARDED, **keywords}
    return frozenset(known[each] for each in letters if each in known)


def letters_of(flags: Iterable[str], keywords: Mapping[str, str]) -> str:
    """The letters for these flags, sorted as Maildir wants them; `keywords` by letter."""
    known = {flag: letter for letter, flag in {**LETTERS, **keywords}.items()}
    return "".join(sorted(known[flag] for flag in flags if flag in known))


def of_headers(headers: Mapping[bytes, bytes]) -> frozenset[str]:
    """What mail programs write into an mbox: Status, X-Status, X-Keywords, X-Mozilla-Status and X-Mozilla-Keys."""
    if _TELLING.isdisjoint(headers):
        return frozenset()
    found = {flag for letter, flag in _STATUS.items() if letter in headers.get(b"status", b"").upper()}
    found |= {flag for letter, flag in _X_STATUS.items() if letter in headers.get(b"x-status", b"").upper()}
    try:
        bits = int(headers.get(b"x-mozilla-status", b"0"), 16)
    except ValueError:
        bits = 0
    found |= {flag for bit, flag in _MOZILLA.items() if bits & bit}
    words = re.split(rb"[\s,]+", headers.get(b"x-keywords", b"") + b" " + headers.get(b"x-mozilla-keys", b""))
    return frozenset(found | {word.decode() for word in words[:100] if word.isascii() and is_keyword(word.decode())})
