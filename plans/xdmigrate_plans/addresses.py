"""The plan's `addresses`: domains and single addresses that are called something else on the target. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdmigrate_plans.plan import PlannedMailbox


def mapped(address: str, addresses: Mapping[str, str]) -> str:
    """The address after the migration: by its own entry, else by its domain's, else unchanged.

    Compared without case; what an entry leads to is not mapped again.
    """
    wanted = {old.casefold(): new for old, new in addresses.items()}
    if address.casefold() in wanted and "@" in address:
        return wanted[address.casefold()]
    local, at, domain = address.rpartition("@")
    return f"{local}@{wanted[domain.casefold()]}" if at and domain.casefold() in wanted else address


def renaming(mailboxes: Iterable[PlannedMailbox], addresses: Mapping[str, str]) -> Callable[[str], str] | None:
    """What every address of the source is called on the target; None when nothing is renamed.

    A mailbox that goes into another one is still another person.
    """
    moved = {
        box.source.casefold(): box.target
        for box in mailboxes
        if not (box.into or box.merge) and "@" in box.source and not same_account(box.source, box.target)
    }
    if not (moved or addresses):
        return None
    return lambda address: moved.get(address.casefold()) or mapped(address, addresses)


def same_account(one: str, other: str) -> bool:
    """Whether two spellings name one mailbox. Local parts may differ by case (RFC 5321 §2.4), but nobody uses that."""
    return one.casefold() == other.casefold()
