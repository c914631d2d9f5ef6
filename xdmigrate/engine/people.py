"""Who at the source is who on the target, for access control lists. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SPECIAL = frozenset(("anyone", "anonymous", "authenticated", "owner"))
"""Identifiers that are no person (RFC 4314 section 2, and what servers add)."""

GROUP_MARKS = ("group:", "group=", "$", "!", "#", "@")
"""How servers begin the identifiers of groups."""


def is_person(identifier: str) -> bool:
    """Whether the identifier can be one account, and not a group, everybody, or rights that are taken away."""
    return (
        bool(identifier)
        and not identifier.startswith(("-", *GROUP_MARKS))
        and identifier.casefold() not in SPECIAL
        and identifier.isprintable()
    )


@dataclass(frozen=True, slots=True)
class People:
    """What the plan tells: its mailboxes by every name that they have at the source, and the addresses it renames."""

    known: Mapping[str, str]  # login name or address at the source, case-folded -> login name on the target
    elsewhere: Callable[[str], str]  # the target's name for an address of nobody in the plan

    def find(self, identifier: str) -> str | None:
        """The target's name for a person at the source; None when nothing proves who it is."""
        if not is_person(identifier):
            return None
        found = self.known.get(identifier.casefold())
        if found is not None:
            return found
        local, at, domain = identifier.partition("@")
        return self.elsewhere(identifier) if local and at and domain else None


NOBODY = People({}, str)
"""Addresses stay as they are."""
