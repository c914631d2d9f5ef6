"""What an account may hold, as the server tells it (RFC 9208)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from xdmigrate_imap import tokens
from xdmigrate_imap.session import Session
from xdmigrate_imap.tokens import Value

KIB = 1024
_UNITS = {"STORAGE": " KiB", "MESSAGE": " messages"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One limited resource; STORAGE counts in units of 1024 octets (section 5.1)."""

    name: str
    used: int
    limit: int

    @property
    def unit(self) -> str:
        """What is counted, with a blank in front."""
        return _UNITS.get(self.name, "")

    @property
    def octets(self) -> int | None:
        """The limit in bytes, where bytes are what is counted."""
        return self.limit * KIB if self.name == "STORAGE" else None


@dataclass(frozen=True, slots=True)
class Quota:
    """Every resource of every root that INBOX belongs to."""

    resources: tuple[Resource, ...] = ()

    @classmethod
    def of(cls, session: Session) -> Self:
        """Ask for it; nothing where the server knows no quota."""
        if not session.can("QUOTA"):
            return cls()
        reply = session.conversation.execute(b"GETQUOTAROOT", b"INBOX")
        with session.parsing():
            return cls(tuple(each for data in reply.named(b"QUOTA") for each in _resources(data.values)))

    @property
    def room(self) -> int | None:
        """Bytes that still fit; None where nothing limits them."""
        free = [each.limit - each.used for each in self.resources if each.name == "STORAGE" and each.limit]
        return max(0, min(free)) * KIB if free else None

    @property
    def used(self) -> int | None:
        """Bytes in use, where the server counts them."""
        used = [each.used for each in self.resources if each.name == "STORAGE"]
        return max(used) * KIB if used else None


def _resources(values: list[Value]) -> Iterator[Resource]:
    flat = tokens.items(values[1]) if len(values) > 1 else []
    for name, used, limit in zip(flat[::3], flat[1::3], flat[2::3], strict=False):
        yield Resource(tokens.text(name).decode("ascii", "replace").upper(), tokens.number(used), tokens.number(limit))
