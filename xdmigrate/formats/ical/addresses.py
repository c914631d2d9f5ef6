"""Calendar users (RFC 5545 section 3.3.3): mostly `mailto:` addresses, in values and in parameters."""

from __future__ import annotations

import re

PEOPLE = frozenset({"ORGANIZER", "ATTENDEE"})
"""The properties whose value is a calendar user."""

_MAILTO = re.compile(r"\s*mailto:\s*", re.IGNORECASE)
_BLANKS = ' \t"'  # quotes belong around parameters, but some write them here


def address(value: str) -> str:
    """The address in lower case, without its scheme if that is `mailto:`."""
    return _MAILTO.sub("", value.strip(_BLANKS), count=1).strip().lower()
