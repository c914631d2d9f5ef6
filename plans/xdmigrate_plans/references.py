"""What a reference to a secret looks like: `env:`, `file:`, `keyring:`, `store:`, `command:`. Nothing is read here."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches

from xdmigrate_plans.templates import Fields, has_fields, unknown_fields

SCHEMES = ("env", "file", "keyring", "store", "command")
REMEDY = (
    "refer to it: env:NAME, file:PATH (mode 0600), keyring:SERVICE/NAME, command:PROGRAM, "
    "or store:NAME after `xdmigrate secret PLAN set NAME`"
)

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_.{}@-]*")


class NotAReference(ValueError):
    """The text is no reference. The message never quotes it: it may be the secret itself."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept; `place` may hold template fields."""

    scheme: str
    place: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.place}"

    @property
    def arguments(self) -> list[str]:
        """A command's words, split as a shell would; fields are filled in only after the split."""
        return shlex.split(self.place)


def parse(text: str) -> Reference:
    """Read a reference and check its form. Raises NotAReference."""
    scheme, colon, place = text.partition(":")
    if not colon or scheme not in SCHEMES:
        raise NotAReference("is a plain secret, which a plan never holds")
    reference = Reference(scheme, place)
    if not place.strip():
        raise NotAReference(f"'{scheme}:' names nothing")
    _check_place(reference)
    _check_fields(reference)
    return reference


def _check_place(reference: Reference) -> None:
    match reference:
        case Reference("env", place) if not _ENV.fullmatch(place):
            raise NotAReference("'env:' is not followed by the name of an environment variable")
        case Reference("keyring", place) if not all(place.partition("/")):
            raise NotAReference("'keyring:' is not followed by SERVICE/NAME")
        case Reference("command", _):
            _check_command(reference)


def _check_command(reference: Reference) -> None:
    try:
        arguments = reference.arguments
    except ValueError:
        raise NotAReference("'command:' has an unclosed quote") from None
    if not arguments or has_fields(arguments[0]):
        raise NotAReference("'command:' does not begin with the name of a program")


def _check_fields(reference: Reference) -> None:
    for word in unknown_fields(reference.place):
        # Braces are ordinary in commands (awk '{print}'); only what looks like a misspelled field is refused there.
        if reference.scheme != "command" or get_close_matches(word, Fields.__slots__, cutoff=0.7):
            raise NotAReference("holds an unknown field in braces; fields are {address}, {local}, {domain}")
