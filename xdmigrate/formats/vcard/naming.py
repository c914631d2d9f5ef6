"""Names for cards that have none: a UID and a formatted name, the same for the same card on every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import RFC_4122, UUID, uuid5

NAMESPACE = UUID("6f1d3c1a-6a0e-5c8b-9a7e-2f0f7c0d9b44")
"""Of the UIDs that are made here."""

UNNAMED = "Unnamed"
"""The formatted name of a card that has nothing to be named after."""

_PREFIX = "urn:uuid:"


def made_uid(seed: bytes) -> str:
    """A UUIDv5 of the seed (RFC 9562 section 5.5) whose last 48 bits are a check over the others.

    The check tells later that a UID was made here, so that a card compares equal to its original, which has none.
    """
    first = uuid5(NAMESPACE, seed.hex()).bytes[:10]
    return str(UUID(bytes=first + _check(first)))


def is_made(uid: str) -> bool:
    """Whether `made_uid` made it; by chance once in 2^48."""
    try:
        value = UUID(bare_uid(uid))
    except ValueError:
        return False
    return value.variant == RFC_4122 and value.version == 5 and value.bytes[10:] == _check(value.bytes[:10])


def bare_uid(uid: str) -> str:
    """Without `urn:uuid:`, which vCard 4 puts before it and vCard 3 does not."""
    stripped = uid.strip()
    return stripped[len(_PREFIX) :].strip() if stripped[: len(_PREFIX)].lower() == _PREFIX else stripped


def made_name(parts: Mapping[str, Sequence[tuple[str, ...]]]) -> str:
    """A formatted name of what the card has: name, organisation, nickname, address, number; by property.

    Of several the first by order of letters, so that the order of the lines does not matter.
    """
    for name in ("N", "ORG", "NICKNAME", "EMAIL", "TEL", "TITLE", "URL"):
        found = sorted(value for value in parts.get(name, ()) if any(value))
        if found:
            family, given, additional, prefix, suffix = (*found[0], "", "", "", "")[:5]
            words = (prefix, given, additional, family, suffix) if name == "N" else [*filter(None, found[0])][:1]
            return " ".join(" ".join(words).split()) or UNNAMED
    return UNNAMED


def _check(first: bytes) -> bytes:
    return sha256(NAMESPACE.bytes + first).digest()[:6]
