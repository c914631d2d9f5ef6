"""Calendar users (RFC 5545 section 3.3.3): mostly `mailto:` addresses, in values and in parameters."""

from __future__ import annotations

import re
from urllib.parse import unquote

PEOPLE = frozenset({"ORGANIZER", "ATTENDEE"})
"""The properties whose value is a calendar user."""

_MAILTO = re.compile(r"mailto:\s*", re.IGNORECASE)
BLANKS = ' \t"'
"""What says nothing around an address: quotes belong around parameters, but some write them here."""


def address(value: str) -> str:
    """The address in lower case, without its scheme if that is `mailto:`."""
    who = value.strip(BLANKS)
    scheme = _MAILTO.match(who)
    return (plain(who[scheme.end() :]) if scheme else who).strip().lower()


def plain(who: str) -> str:
    """What stands behind `mailto:`, also where somebody encoded even its @ (RFC 6068 section 2)."""
    return who if "@" in who else unquote(who)
