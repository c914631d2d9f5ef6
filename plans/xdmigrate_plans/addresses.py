"""The plan's `addresses`: domains and single addresses that are called something else on the target. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def mapped(address: str, addresses: Mapping[str, str]) -> str:
    """The address after the migration: by its own entry, else by its domain's, else unchanged.

    Compared without case; what an entry leads to is not mapped again.
    """
    wanted = {old.casefold(): new for old, new in addresses.items()}
    if address.casefold() in wanted and "@" in address:
        return wanted[address.casefold()]
    local, at, domain = address.rpartition("@")
    return f"{local}@{wanted[domain.casefold()]}" if at and domain.casefold() in wanted else address


def same_account(one: str, other: str) -> bool:
    """Whether two spellings name one mailbox. Local parts may differ by case (RFC 5321 §2.4), but nobody uses that."""
    return one.casefold() == other.casefold()
