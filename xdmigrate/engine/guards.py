"""When a finding is too strange to be believed at night: thresholds, and the checksum that accepts it. Pure."""

from __future__ import annotations

from hashlib import sha256

from xdmigrate.errors import GuardRefused

FEW = 20
"""Below this many known items a side may lose any number of them."""

SHRUNKEN = 0.5
"""A side that shows less than this part of what it is known to hold is refused."""


def checksum(*facts: object) -> str:
    """Names a finding: accepting it accepts exactly these facts."""
    return sha256(repr(facts).encode()).hexdigest()[:12]


def believe_count(mailbox: str, side: str, *, known: int, shown: int, accepted: frozenset[str]) -> bool:
    """Refuse a side that suddenly looks empty or shrunken; True when a person accepted it. Raises GuardRefused."""
    if known < FEW or shown >= known * SHRUNKEN:
        return False
    finding = checksum("shrunken", mailbox, side, known, shown)
    if finding in accepted:
        return True
    raise GuardRefused(
        f"{mailbox}: the {side} shows {shown} items where {known} are known; nothing was changed",
        checksum=finding,
        remedy=f"look at the {side}; if it is right, run again with --accept-change {finding}",
        mailbox=mailbox,
    )


def believe_gone(mailbox: str, folder: str, *, known: int, accepted: frozenset[str]) -> None:
    """Refuse to take a target folder that is no longer there for one that its owner deleted. Raises GuardRefused."""
    if known < FEW:
        return
    finding = checksum("gone", mailbox, folder, known)
    if finding in accepted:
        return
    raise GuardRefused(
        f"{mailbox}: {folder!r} is no longer on the target; {known} items are known to be in it",
        checksum=finding,
        remedy="if the target was set up anew, `xdmigrate mailbox PLAN reset MAILBOX` has everything sent again;"
        f" if its owner deleted the folder, run again with --accept-change {finding}",
        mailbox=mailbox,
    )


def believe_rematch(
    mailbox: str, folder: str, side: str, *, known: int, matched: int, accepted: frozenset[str]
) -> None:
    """Refuse to go on when ids changed and most items can no longer be found. Raises GuardRefused."""
    if known < FEW or matched >= known * SHRUNKEN:
        return
    finding = checksum("rematch", mailbox, folder, side, known, matched)
    if finding in accepted:
        return
    raise GuardRefused(
        f"{mailbox}: {folder!r} changed its ids on the {side} and only {matched} of {known} items were found again",
        checksum=finding,
        mailbox=mailbox,
    )
