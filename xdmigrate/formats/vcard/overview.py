"""What a card is: its UID, version and kind, and the members of a group."""

from __future__ import annotations

from dataclasses import dataclass

from xdmigrate.formats.vcard.cards import Card, read
from xdmigrate.formats.vcard.fields import fields, name_of
from xdmigrate.formats.vcard.naming import bare_uid
from xdmigrate.formats.vcard.text import decoded, unescaped


@dataclass(frozen=True, slots=True)
class Outline:
    """A card in short. `members` are UIDs without `urn:uuid:`, or URIs such as `mailto:`, in the card's order."""

    uid: str  # without "urn:uuid:"; empty where the card has none
    version: str  # "2.1", "3.0", "4.0", or as the card says it; empty where it does not
    kind: str  # lower-case; "individual" where the card does not say
    formatted_name: str  # content: for names of files and folders, never for logs; made where the card has none
    members: tuple[str, ...] = ()


def outline(data: bytes) -> Outline:
    """Raises Unreadable."""
    card = read(data)
    return Outline(
        next((bare_uid(uid) for uid in _texts(card, "UID") if bare_uid(uid)), ""),
        card.version,
        next((kind.lower() for kind in _texts(card, "KIND")), "individual"),
        next((name for name in _texts(card, "FN") if name), "") or _made_name(card),
        tuple(bare_uid(member) for member in _texts(card, "MEMBER") if member),
    )


def _made_name(card: Card) -> str:
    return next((field.value[0] for field in fields(card) if field.name == "FN"), "")


def _texts(card: Card, name: str) -> list[str]:
    return [unescaped(decoded(line, card.charset)).strip() for line in card.lines if name_of(line) == name]
