"""Fills `{address}`, `{local}` and `{domain}` into a text, once: what was filled in is never looked at again."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

_FIELD = re.compile(r"\{(address|local|domain)\}")
_WORD = re.compile(r"\{([A-Za-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Fields:
    """What a template may ask for: an address on the endpoint's side, and its two halves."""

    address: str
    local: str
    domain: str

    @classmethod
    def of(cls, address: str) -> Fields:
        """An account name without "@" is all local part."""
        local, at, domain = address.rpartition("@")
        return cls(address, local, domain) if at else cls(address, address, "")


def expand(template: str, fields: Fields) -> str:
    """The text with every field filled in; all other braces stay as they are."""
    values: dict[str, str] = asdict(fields)
    return _FIELD.sub(lambda match: values[match[1]], template)


def has_fields(template: str) -> bool:
    """Whether the text differs from mailbox to mailbox."""
    return _FIELD.search(template) is not None


def unknown_fields(template: str) -> list[str]:
    """Words in braces that are no field, e.g. a misspelled one."""
    return [word for word in _WORD.findall(template) if word not in Fields.__slots__]
