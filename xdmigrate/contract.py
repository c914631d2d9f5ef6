"""What a connector is: the small required interface of a source and of a target, and the declared features.

Bodies stream: one system never knows the other, and there is one copy loop for all pairs. `Source.read` yields items
with forward-only bodies; `Target.writer` takes them and tells what became of them *later*, correlated by ticket.
A connector announces a body to its server only when the body is buffered (`BUFFERED_BODY`) or spooled, so that a
stalled source never leaves a target inside a literal.

Sessions are used by one thread at a time and are not shared. Every method may raise the errors of
`xdmigrate.errors`; anything else that escapes a connector is a bug of that connector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from xdmigrate.errors import Problem
from xdmigrate.model import (
    Changes,
    Endpoint,
    FlagChange,
    Folder,
    Head,
    Item,
    Kind,
    Login,
    Path,
    Role,
    Sharing,
)

LARGEST_OBJECT = 64_000_000
"""Bytes of an event, task or contact: they are compared by what they say, so they are held whole."""

BUFFERED_BODY = 256 * 1024
"""Bodies up to this many bytes are buffered in memory before a target hears of them; larger ones are too where a bound
on all memory in the process allows it, and else spooled."""


@dataclass(frozen=True, slots=True)
class Features:
    """Optional powers of a store. Beside each: what happens without it."""

    change_test: bool = False  # Folder.state is given; else every pass lists every folder
    deltas: bool = False  # changes() tells only what changed; else complete listings are compared
    ids_returned: bool = False  # a write tells the new id; else the folder is listed after the write and matched
    ordered_ids: bool = False  # new ids are higher than all before (next_id); else the folder is listed whole
    keywords: bool = False  # custom flags are kept; else they are dropped and counted as lost
    dates: bool = False  # the given date is kept; else verify reports it as metadata
    subscriptions: bool = False  # folders can be subscribed; else ignored
    rename: bool = False  # folders can be renamed; else a rename at the source makes a new folder
    move: bool = False  # items can be moved between folders; else they are copied again
    identities: bool = False  # Head.identity is given; else moved items are recognised by their content
    labels: bool = False  # items of equal identity are one object shown in several folders; else they are copies
    grants: bool = False  # who else may use a folder is told, and can be set; else it is listed for doing by hand
    notes: bool = False  # comments and colours of folders are told, and can be set; else they are listed
    updates: bool = False  # an item that changed can be written in the place of its copy; else changes are not followed
    exact_sizes: bool = True  # Head.size is the length of the body; else (0: not told) nothing is decided by it
    idempotency: bool = False  # a second write with the same key is the same item; else reconciled by content
    size_limit: int | None = None  # bytes; None: unknown, found out by refusals
    rewrites: str = ""  # what the store alters in the bytes it is given; empty: it keeps every byte
    strict: bool = (
        False  # of events, tasks and contacts only what the standards allow; else a dry run foresees no refusal
    )
    delimiter: str = ""  # character that no folder name level may hold; empty: none
    name_limit: int = 0  # longest name level in bytes of UTF-8; 0: unknown


@dataclass(frozen=True, slots=True)
class Intent:
    """A range about to be written: its id in the state, and how many items and bytes it holds.

    `key` is the same whenever the same item is written again; a store with idempotency keys uses it.
    """

    id: int
    items: int
    octets: int

    def key(self, ref: bytes) -> bytes:
        """Idempotency key of one item of this range."""
        return b"%d:%s" % (self.id, ref)


@dataclass(frozen=True, slots=True)
class Stored:
    """The target kept the item and gave it this id.

    `version`, of items that change: the one that came with the answer. Where it is told and the item is listed with
    another one afterwards, the copy is read: the store altered it, or somebody else did.
    """

    ticket: int
    ref: bytes
    version: bytes = b""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The target said yes but told no id; the engine proves it by listing."""

    ticket: int


CHANGED_THERE = "changed-there"
"""Quarantine code: somebody changed the copy on the target, and the item changed at the source as well."""

UID_TAKEN = "uid-taken"
"""Quarantine code: the target holds another item of this UID, and it is not ours to replace."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The target said no to this very item; `reason` is a quarantine code, `detail` the server's words."""

    ticket: int
    reason: str
    detail: str = ""


Receipt = Stored | Accepted | Refused


@dataclass(frozen=True, slots=True)
class Declined:
    """A grant (by its identifier) or a note (by its entry) that the store does not take, in the server's words."""

    name: str
    detail: str


class Writer(Protocol):
    """Writes items to one folder of a target. Receipts come when they come; each ticket gets exactly one.

    Leaving the `with` block without an error flushes; leaving it with one abandons what is under way, whose fate is
    then unknown (the engine reconciles it).
    """

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        """Take one item; its body is consumed when this returns. May block while too much is under way.

        `over` (only with `Features.updates`): the copy that it replaces, as long as that still has this version; else
        the item is refused with `CHANGED_THERE`. The receipt tells the id that the copy has from then on.
        """

    def poll(self) -> list[Receipt]:
        """Receipts that have arrived since the last call; never blocks."""

    def flush(self) -> list[Receipt]:
        """Send everything, wait for every answer, return the remaining receipts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Source(Protocol):
    """A mailbox that can be read."""

    @property
    def features(self) -> Features: ...

    def folders(self) -> list[Folder]:
        """All folders of the account, unselectable ones included, with current validity, next id and count."""

    def status(self, folder: Folder) -> Folder:
        """The folder as it is now. Raises FolderUnusable when it is gone."""

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        """Every item with ref >= `floor`, ascending by ref; on stores without ordered ids, every item."""

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        """What happened since `cursor`; everything, sizes and dates included, when it is empty, unknown or expired."""

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        """The items, in any order; one that is gone is simply not among them. Reading leaves no mark (BODY.PEEK)."""

    def sharing(self, folder: Folder) -> Sharing:
        """Who may use the folder, and its comments and colours, as far as `Features.grants` and `.notes` say.

        Raises AccessDenied or FolderUnusable.
        """

    def close(self) -> None:
        """End the session. Never raises."""


@runtime_checkable
class Target(Source, Protocol):
    """A mailbox that can be read and written."""

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        """Those of `paths` that no folder of the store can have, as far as it tells without changing anything."""

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        """Create the folder and its parents, open it to prove that it works, and return it as listed.

        A folder that exists already is returned. Raises FolderUnusable, AccessDenied or QuotaExceeded.
        """

    def subscribe(self, folder: Folder) -> None:
        """Subscribe the user to the folder; without `Features.subscriptions` does nothing."""

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        """Rename; only called with `Features.rename`."""

    def writer(self, folder: Folder, intent: Intent) -> Writer:
        """Open a writer for one range."""

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        """Add and remove flags, as differences and never as absolute sets. Unknown ids are ignored."""

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        """The heads of exactly these items, in any order; one that is gone is simply not among them."""

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        """Move exactly these items to another folder of the account; only called with `Features.move`.

        Returns the new ids that the store told, by old id. Unknown ids are ignored; what became of an item whose new
        id is not told is found out by listing.
        """

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        """Remove exactly these items for good. Unknown ids are ignored."""

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        """Add these rights to those that are there, and set these notes; returns what the store does not take.

        Only called for what `Features.grants` and `Features.notes` say.
        """


@dataclass(frozen=True, slots=True)
class Inspected:
    """What an auditor read of one item: its length as counted, and its fingerprint."""

    ref: bytes
    size: int
    fingerprint: bytes


class Auditor(Protocol):
    """An independent, read-only view for `verify`: through a plain client library, not through the copy path."""

    def folders(self) -> list[Folder]: ...

    def heads(self, folder: Folder) -> Iterator[Head]:
        """Every item, ascending by ref."""

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        """Read the bodies of these items and fingerprint them; memory stays bounded. Gone items are left out."""

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        """The bytes of one item in order, a piece at a time; nothing when it is gone. For explaining a difference."""

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """These items whole, by id, in any order, several in one request where the store can; for all but mail."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact that `check` learnt about an account on an endpoint; ok, yet with a remedy: worth knowing.

    Some topics carry values by which the two sides of a mailbox are judged together (`xdmigrate.report.pairs`):

    - "capabilities": `names` of the powers that will be used
    - "fallback": what happens instead of the power in `names`
    - "size": the `amount` of bytes in the account; "quota" and "room": what it may hold, and what still fits
    - "keywords": the `names` in use at a source, and those that a target keeps ("*": all)
    """

    topic: str  # also "login", "rights", "size-limit"
    ok: bool
    text: str
    remedy: str = ""
    amount: int | None = None
    names: tuple[str, ...] = ()


class Connector(Protocol):
    """What a connector registers in the entry-point group `xdmigrate.connectors` (an instance, not a class)."""

    @property
    def name(self) -> str:
        """The word that plans use, e.g. "imap"."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """What it can move."""

    def problems(self, endpoint: Endpoint) -> list[Problem]:
        """Faults of the endpoint's settings, found without connecting; file and line may be left empty (0)."""

    def identity(self, endpoint: Endpoint) -> str:
        """Names the system behind the endpoint, e.g. "imap://imap.old.example:993"; two equal ones are one system."""

    def source(self, endpoint: Endpoint, login: Login) -> Source:
        """Log in and return a session. Raises Unreachable, CertificateRejected, LoginRejected, Throttled."""

    def target(self, endpoint: Endpoint, login: Login) -> Target:
        """Log in for writing. Raises as `source`."""

    def auditor(self, endpoint: Endpoint, login: Login) -> Auditor:
        """Log in through the independent client. Raises as `source`."""

    def check(self, endpoint: Endpoint, login: Login, *, writable: bool) -> list[Finding]:
        """Log in once and tell what this account can do; changes nothing. Raises as `source`."""


class Promise(StrEnum):
    """What a plan says about the invitations that an endpoint's server sends."""

    NONE = "none"
    OFF = "off"  # its sending is switched off
    SILENT = "silent"  # a canary proved that it sends none for what we ask it to be silent about
    BY_HAND = "silent-by-hand"  # a person proved that, in another way


class Trial(Protocol):
    """An account on a server that may mail the people in events, opened to find out whether it can be kept silent.

    Whatever it does is about the events of the trial alone, which are named by their UIDs.
    """

    @property
    def server(self) -> str:
        """What the server calls itself, as one harmless line; empty: it does not say."""

    @property
    def schedules(self) -> bool:
        """Whether the server says that it sends invitations."""

    def invite(self, event: bytes, *, silent: bool) -> None:
        """Write an iCalendar object just as a `Writer` would: silenced, or as it would be with the sending off.

        Raises EndpointError when the server does not take it.
        """

    def held(self, uids: Sequence[str]) -> dict[str, bytes]:
        """Those of the UIDs that any calendar or inbox of the account holds, each with what changes when it does."""

    def withdraw(self, uids: Sequence[str]) -> int:
        """Remove these events wherever the account holds them, and then what was made for them; how many there were."""

    def close(self) -> None:
        """End the session. Never raises."""


@runtime_checkable
class Inviting(Protocol):
    """What a connector is beside a `Connector` when its servers may mail the people in what is written there."""

    def promise(self, endpoint: Endpoint) -> Promise:
        """What the plan says; nothing is connected."""

    def trial(self, endpoint: Endpoint, login: Login) -> Trial:
        """Log in for a canary. Raises as `Connector.source`."""


Connect = Callable[[Endpoint, Login], Source]
"""Opens a session; what the composition root hands to the engine, wrapped as the plan wishes."""
