"""What the state's functions give and take: frozen plain values, fields named as the columns of `tables`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from xdmigrate.model import Outcome, Path


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the items of a folder, mailbox or plan. `gone` counts rows of any outcome; octets are bytes."""

    seen: int = 0
    pending: int = 0
    copied: int = 0
    present: int = 0
    merged: int = 0
    filtered: int = 0
    failed: int = 0
    gone: int = 0
    octets: int = 0
    octets_pending: int = 0

    @property
    def closed(self) -> bool:
        """Whether every item seen has exactly one outcome."""
        outcomes = self.pending + self.copied + self.present + self.merged + self.filtered + self.failed
        return self.seen == outcomes

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.seen + other.seen,
            self.pending + other.pending,
            self.copied + other.copied,
            self.present + other.present,
            self.merged + other.merged,
            self.filtered + other.filtered,
            self.failed + other.failed,
            self.gone + other.gone,
            self.octets + other.octets,
            self.octets_pending + other.octets_pending,
        )


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as last applied."""

    id: int
    name: str
    path: str
    checksum: str
    snapshot: dict[str, object]
    stage: str
    paused: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class MailboxSpec:
    """A mailbox as the plan lists it. `system` is the target endpoint's identity; `into` a folder below its root.

    `merge`, where several mailboxes go to one place: "keep" all items of each, or "dedupe" them. Else empty.
    """

    source: str
    target: str
    into: Path = ()
    name: str = ""
    wave: str = ""
    system: str = ""
    merge: str = ""


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """One pair source → target, with its permanent id. `system` is that of its target account."""

    id: int
    plan_id: int
    account_id: int
    source: str
    target: str
    into_path: Path
    name: str
    wave: str
    stage: str
    paused: bool
    skipped: str
    listed: bool
    passes: int
    last_pass_at: float | None
    retry_at: float
    retries: int
    attention_code: str
    attention_text: str
    attention_remedy: str
    attention_at: float | None
    rejected_mark: bytes | None
    system: str
    merge: str = ""


class FolderKey(Protocol):
    """What names the ledger rows of a folder; a `FolderRow` is one."""

    @property
    def id(self) -> int: ...

    @property
    def account_id(self) -> int: ...


class FolderIds(NamedTuple):
    """The smallest `FolderKey`."""

    id: int
    account_id: int


@dataclass(frozen=True, slots=True)
class FolderRow:
    """One incarnation of a source folder and where it goes."""

    id: int
    mailbox_id: int
    account_id: int
    kind: str
    path: Path
    role: str
    ref: bytes
    validity: int
    next_id: bytes
    state: bytes
    cursor: bytes
    target_path: Path | None
    place_id: int | None
    adopted: bool
    vanished: bool
    superseded: bool
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One incarnation of a target folder; the ids of its baseline are read by `places.baseline`."""

    id: int
    account_id: int
    kind: str
    path: Path
    ref: bytes
    validity: int
    baseline_next: bytes
    baseline_count: int
    next_id: bytes
    unproved_from: bytes | None
    created: bool
    superseded: bool


@dataclass(frozen=True, slots=True)
class NewItem:
    """A source item seen for the first time; `outcome` is PENDING, or FILTERED with the scope's hash as `note`."""

    source_id: bytes
    size: int
    outcome: Outcome = Outcome.PENDING
    note: str = ""
    flags: frozenset[str] = frozenset()
    version: bytes = b""
    identity: bytes = b""  # the source's own name for the content; remembered by `identities`, not by the ledger


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a source item. None keeps the value that the ledger has."""

    source_id: bytes
    outcome: Outcome
    size: int | None = None
    fingerprint: bytes | None = None
    place_id: int | None = None
    target_id: bytes | None = None
    flags: frozenset[str] | None = None
    reason: str = ""
    detail: str = ""
    version: bytes | None = None  # of the source item whose bytes were written
    target_version: bytes | None = None  # of the copy; None, unlike the others: not known


class Renewal(NamedTuple):
    """A source item that changed: its size and version now."""

    source_id: bytes
    size: int
    version: bytes


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One row of the ledger. A pending or failed one with a target id is an update: it has a copy that is outdated."""

    account_id: int
    folder_id: int
    source_id: bytes
    outcome: Outcome
    gone: bool
    size: int
    fingerprint: bytes | None
    place_id: int | None
    target_id: bytes | None
    base_flags: frozenset[str]
    base_version: bytes
    note: str
    target_version: bytes = b""  # of the copy as we wrote it; empty: unknown, as that of an adopted item is


class Claimed(NamedTuple):
    """A target item that belongs to a row of the ledger, and its content as far as it is known."""

    target_id: bytes
    size: int
    fingerprint: bytes | None


class Owner(NamedTuple):
    """The mailbox to whose row a target item belongs, and whether that row's source item is gone."""

    mailbox_id: int
    gone: bool


class Standing(NamedTuple):
    """The target item that stands for a merged source item."""

    place_id: int
    target_id: bytes


@dataclass(frozen=True, slots=True)
class IntentRow:
    """An open range: `refs` in the order of sending, `floor` a lower bound of the ids they can have got."""

    id: int
    folder_id: int
    place_id: int
    epoch: int
    floor: bytes
    refs: list[bytes]
    octets: int
    opened_at: float
    former_folder_id: int | None = None  # a move: the folder whose rows the copies belonged to
    former_refs: list[bytes] = field(default_factory=list)  # a move: the source ids there, in the order of `refs`
    contents: list[bytes] = field(default_factory=list)  # fingerprints of what is written, in the order of `refs`


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """An item sent a second time; a twin with an id >= `floor` may yet appear until the mailbox's pass `until_pass`."""

    folder_id: int
    source_id: bytes
    place_id: int
    floor: bytes
    until_pass: int
    fingerprint: bytes | None = None  # of an update: what was sent the first time


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """What the last canary on a system told, whose identity `system` is; `at` is when."""

    system: str
    endpoint: str
    verdict: str
    mailed: bool  # the server sent a mail about either event
    at: float
    server: str
    organizer: str
    attendee: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """An item in quarantine. `id` is the short text that people type."""

    id: str
    folder_id: int
    source_id: bytes
    reason: str
    detail: str
    attempts: int
    at: float
    accepted_at: float | None
    accepted_why: str
    path: Path
    kind: str
    mailbox_id: int
    source: str
    target: str
    size: int
    mended_at: float | None = None  # the repaired attempt was made, or found impossible


@dataclass(frozen=True, slots=True)
class Altered:
    """A copy with other bytes than its source: why, in words what was altered, and what the copy is now."""

    source_id: bytes
    reason: str
    detail: str
    size: int
    fingerprint: bytes | None = None  # None: nobody has read the copy
    accepted_why: str = ""  # empty: nobody has accepted it


@dataclass(frozen=True, slots=True)
class AlteredCounts:
    """How many copies of a mailbox are altered, and how many of them are accepted."""

    items: int = 0
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class AlterationRow:
    """An altered copy with the names that people know it by. `size` is the source's."""

    id: str
    folder_id: int
    source_id: bytes
    reason: str
    detail: str
    at: float
    accepted_at: float | None
    accepted_why: str
    path: Path
    kind: str
    mailbox_id: int
    source: str
    target: str
    size: int


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One entry of a journal chain."""

    chain: int
    seq: int
    at: float
    event: str
    facts: dict[str, object]
    hash: bytes


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Something a person asked of the running process."""

    id: int
    plan_id: int
    verb: str
    facts: dict[str, object]
    posted_at: float
