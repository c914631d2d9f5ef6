"""The words of the product as plain values: folder, head, item, body, flags.

Nothing here does I/O. Ids of items and folders are opaque `bytes` that only their connector understands; the
engine compares and stores them. A connector must give ids whose byte order is the order in which it lists them
(IMAP: the UID as four big-endian bytes), so that a listing and the ledger merge without either being held whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from hashlib import sha256
from io import BytesIO
from threading import Lock
from typing import BinaryIO, Never, Protocol

from xdmigrate.errors import ItemRefused

FINGERPRINT_BYTES = 16
"""A fingerprint is the first 16 bytes of SHA-256 over the raw bytes; equality always compares the size too."""

UNTOLD = -1
"""The size of an item of which only id and flags were told: nothing is decided by it and it is recorded nowhere."""

HELD_CHUNK = 1 << 20
"""Bytes that a body in memory hands out at a time."""

Path = tuple[str, ...]
"""A folder's place as decoded hierarchy levels, e.g. ("Clients", "2024/25"): a separator is never part of the join."""


class Kind(StrEnum):
    """What a folder holds."""

    MAIL = "mail"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"


class Outcome(IntEnum):
    """What became of a source item. The arithmetic of every folder closes over exactly these."""

    PENDING = 0
    COPIED = 1  # the target gave it an id
    PRESENT = 2  # an equal item was already there
    MERGED = 3  # the source itself proved it the same as another item
    FILTERED = 4  # left out by the plan's scope
    FAILED = 5  # quarantined with a reason


class Role(StrEnum):
    """Special use of a folder, whatever its name (RFC 6154, RFC 8457, plus INBOX)."""

    INBOX = "\\Inbox"
    ALL = "\\All"
    ARCHIVE = "\\Archive"
    DRAFTS = "\\Drafts"
    FLAGGED = "\\Flagged"
    IMPORTANT = "\\Important"
    JUNK = "\\Junk"
    SENT = "\\Sent"
    TRASH = "\\Trash"


@dataclass(frozen=True, slots=True)
class Folder:
    """A mail folder, calendar, address book or task list as a store lists it."""

    path: Path
    kind: Kind = Kind.MAIL
    native: str = ""  # the store's own name for it, as sent on the wire
    ref: bytes = b""  # a permanent id that survives renames (RFC 8474 MAILBOXID); empty where there is none
    validity: int = 0  # ids are comparable only under equal validity (RFC 3501 UIDVALIDITY); 0: they never expire
    next_id: bytes = b""  # every later item gets an id >= this (UIDNEXT); empty where ids have no order
    count: int = 0
    role: Role | None = None
    selectable: bool = True
    subscribed: bool = False
    state: bytes = b""  # equal non-empty tokens prove that nothing changed, flags included; empty: not offered


@dataclass(frozen=True, slots=True)
class Head:
    """What a listing tells about an item without its body."""

    ref: bytes
    size: int  # as the server tells it, in bytes, or UNTOLD; the exact size may differ on stores that rewrite
    flags: frozenset[str] = frozenset()  # system flags and keywords, spelled as listed; never \\Recent
    date: datetime | None = None  # INTERNALDATE, zone kept
    version: bytes = b""  # ETag or change key; empty for items that never change
    identity: bytes = (
        b""  # the store's own name for the content, whatever its folder (EMAILID, X-GM-MSGID); empty: none
    )

    @property
    def measured(self) -> bool:
        """Whether size and date are told; else only its flags can be judged."""
        return self.size != UNTOLD


class Body(Protocol):
    """The raw bytes of an item, read once and forward."""

    @property
    def size(self) -> int:
        """Exact length in bytes."""

    def chunks(self) -> Iterator[memoryview]:
        """The bytes in order; each view is valid until the next one is asked for. May be asked for once."""

    def spool(self) -> BinaryIO:
        """The bytes as a seekable file at position 0, kept in memory when small and on disk when not."""


class HeldBody:
    """A `Body` over bytes in memory, as often as it is asked for."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def chunks(self) -> Iterator[memoryview]:
        view = memoryview(self._data)
        return (view[start : start + HELD_CHUNK] for start in range(0, len(view), HELD_CHUNK))

    def spool(self) -> BinaryIO:
        return BytesIO(self._data)


class RefusedBody:
    """The `Body` of an item that is listed and that its store cannot give: it says so when it is asked for."""

    __slots__ = ("_error",)

    size = 0

    def __init__(self, error: ItemRefused) -> None:
        self._error = error

    def chunks(self) -> Iterator[memoryview]:
        raise self._error

    def spool(self) -> Never:
        raise self._error


@dataclass(frozen=True, slots=True)
class Item:
    """One message, event, contact or task on its way."""

    head: Head
    body: Body
    kind: Kind = Kind.MAIL


@dataclass(frozen=True, slots=True)
class FlagChange:
    """Flags to add to and remove from one item; everything else on it stays as it is."""

    ref: bytes
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Changes:
    """What a folder tells since a cursor.

    `complete` listings hold every item of the folder, so that what is missing has vanished; the others hold what is
    new or changed, and what is gone is in `vanished` or, where the store cannot name it, is what `alive` leaves out.
    `cursor` was taken before the listing began: a change that happens meanwhile is seen again next time, never missed.
    Only heads of items that the cursor had seen may come without a size.
    """

    cursor: bytes
    complete: bool
    heads: Iterator[Head]  # ascending by ref
    vanished: tuple[bytes, ...] = ()  # may name items that nobody knew
    alive: Iterator[bytes] | None = None  # every id that exists, ascending; None: `vanished` tells what is gone
    count: int | None = None  # items there were when the cursor was taken: what is known then must come to this


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a folder carries beside its items."""

    grants: Mapping[str, str] = field(default_factory=dict)  # identifier -> RFC 4314 rights, sorted; also the owner's
    notes: Mapping[str, bytes] = field(default_factory=dict)  # comments and colours: RFC 5464 entry -> value

    def __bool__(self) -> bool:
        return bool(self.grants or self.notes)


class Meter:
    """What all sessions of an endpoint said and heard, counted by connectors that can. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.commands = 0
        self.sent = 0  # bytes on the wire, before encryption
        self.received = 0

    def count(self, *, commands: int = 0, sent: int = 0, received: int = 0) -> None:
        """Add what one session has counted since it last told."""
        with self._lock:
            self.commands += commands
            self.sent += sent
            self.received += received


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A system in a plan: which connector, and its settings as the plan file gives them (no secrets)."""

    name: str
    connector: str
    settings: dict[str, object] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter, repr=False, compare=False)


class Token(Protocol):
    """An access token that is asked for again when it ends (RFC 6749). Safe for several threads."""

    def current(self) -> str:
        """A token that holds for the next minute at least.

        Raises SecretUnreadable, LoginRejected, or a Retriable of the login service.
        """

    def reject(self, token: str) -> None:
        """The server did not take this one: `current` must give another."""


@dataclass(frozen=True, slots=True)
class Login:
    """How one account is reached on an endpoint: by password or by token. Secrets are never part of its repr."""

    address: str
    user: str
    password: str = field(repr=False, default="")
    authorize_as: str = ""  # act for this user (SASL authorisation identity)
    token: Token | None = field(repr=False, compare=False, default=None)


def fingerprint(data: bytes) -> bytes:
    """The fingerprint of bytes that are in memory anyway."""
    return sha256(data).digest()[:FINGERPRINT_BYTES]


def successor(ref: bytes) -> bytes:
    """The next id of the same length; the id itself when there is none. A lower bound of the ids given after it."""
    number = int.from_bytes(ref) + 1
    return ref if number >> (8 * len(ref)) else number.to_bytes(len(ref))
