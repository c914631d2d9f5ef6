"""What a connector's test file tells the suite about the system it tests against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from xdmigrate.contract import Connector
from xdmigrate.model import Endpoint, Kind, Login, Path
from xdmigrate.testing.objects import made


@dataclass(frozen=True, slots=True)
class Message:
    """One item of a case."""

    data: bytes
    flags: frozenset[str] = frozenset()
    date: datetime | None = datetime(2019, 7, 4, 21, 30, 5, tzinfo=UTC)


def as_given(data: bytes) -> bytes:
    """What a store that keeps every byte makes of an item."""
    return data


def none(value: object) -> bool:  # noqa: ARG001 -- has the signature of every rule
    """The rule that nothing falls under."""
    return False


@dataclass(frozen=True, slots=True)
class Profile:
    """A fresh, empty account and what its store is known to do differently.

    The hooks reach the account beside the connector, as its user or its administrator would; a case that needs a
    missing one is skipped, or does what it needs through the connector itself.
    """

    connector: Connector
    endpoint: Endpoint
    login: Login
    becomes: Callable[[bytes], bytes] = as_given  # the declared rewrites: what the store makes of an item
    refuses: Callable[[bytes], bool] = none  # items that this store never takes
    refuses_name: Callable[[Path], bool] = none  # folders that this store cannot have
    refused: bytes | None = None  # an item that is refused, for the case that the others are not lost by it
    kind: Kind = Kind.MAIL  # what `ObjectConformance` writes: events, tasks or contacts
    made: Callable[[Kind, str, str], bytes] = (
        made  # an object of that kind with a UID and a text, as the store takes it
    )
    colleague: str = ""  # whom rights on a folder can be given, and who is invited; empty: nobody is known
    sent: Callable[[], int] | None = None  # how many mails about events the store has sent so far
    deliver: Callable[[Path, Message], None] | None = None  # put an item into a folder that exists
    renumber: Callable[[Path], None] | None = None  # change the folder's validity and all its ids
    expire: Callable[[], None] | None = None  # forget every cursor given out
