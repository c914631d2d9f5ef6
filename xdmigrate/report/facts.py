"""The facts that `status`, `sync` and `check` tell, with the JSON shapes that are promised as an interface.

Renderers are separate: `text` for people, `to_json` for machines. Times are seconds since the epoch, UTC; JSON tells
them as ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from xdmigrate.contract import Finding
from xdmigrate.errors import PlanInvalid, XdmigrateError
from xdmigrate.model import Kind, Path
from xdmigrate.report import pairs
from xdmigrate_state.rows import AlteredCounts, Counts

NONE_ALTERED = AlteredCounts()

SCHEMA = 1
"""Version of the JSON shapes: it changes when a field goes or changes its meaning, not when one is added."""


def moment(seconds: float | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


@dataclass(frozen=True, slots=True)
class ErrorFact:
    """One error as machines read it."""

    code: str
    message: str
    remedy: str = ""
    mailbox: str = ""
    endpoint: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def error_facts(error: XdmigrateError) -> list[ErrorFact]:
    """One fact per error; an invalid plan gives one for each of its problems."""
    if isinstance(error, PlanInvalid):
        return [
            ErrorFact(error.code, f"{problem.file}:{problem.line}: {problem.where}: {problem.message}", problem.remedy)
            for problem in error.problems
        ]
    return [ErrorFact(error.code, error.message, error.remedy, error.mailbox, error.endpoint)]


def envelope(exit_code: int, errors: Iterable[ErrorFact], facts: dict[str, object]) -> dict[str, object]:
    """The one object that `--json` prints."""
    return {"schema": SCHEMA, "exit": exit_code, "errors": [error.to_json() for error in errors], **facts}


@dataclass(frozen=True, slots=True)
class KindCounts:
    """What became of the items of one kind. `source` is the sum of the six outcomes; `bytes` is all of them."""

    source: int = 0
    copied: int = 0
    present: int = 0
    merged: int = 0
    filtered: int = 0
    failed: int = 0
    pending: int = 0
    gone: int = 0
    bytes: int = 0
    bytes_pending: int = 0  # not part of the JSON

    @classmethod
    def of(cls, counts: Counts) -> KindCounts:
        """The state's counters under the names of the interface."""
        return cls(
            source=counts.seen,
            copied=counts.copied,
            present=counts.present,
            merged=counts.merged,
            filtered=counts.filtered,
            failed=counts.failed,
            pending=counts.pending,
            gone=counts.gone,
            bytes=counts.octets,
            bytes_pending=counts.octets_pending,
        )

    @property
    def settled(self) -> int:
        """Items that have their outcome."""
        return self.source - self.pending

    def __add__(self, other: KindCounts) -> KindCounts:
        mine, theirs = asdict(self), asdict(other)
        return KindCounts(**{name: mine[name] + theirs[name] for name in mine})

    def to_json(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name != "bytes_pending"}


@dataclass(frozen=True, slots=True)
class Attention:
    """Why a mailbox needs a person."""

    code: str
    since: float
    text: str = ""
    remedy: str = ""

    def to_json(self) -> dict[str, object]:
        return {"code": self.code, "since": moment(self.since), "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class LeftFact:
    """What a folder carries at the source and the target did not get: to be done by hand."""

    folder: Path
    what: str  # "grant", "note", or "unreadable": a side did not tell
    name: str  # whose rights, or which entry
    detail: str

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "folder": list(self.folder)}


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """One mailbox. `stage` says paused, skipped or needs-attention where that is so."""

    id: int
    source: str
    target: str
    wave: str = ""
    stage: str = "planned"
    attention: Attention | None = None
    last_pass: float | None = None
    next: float | None = None
    eta: float | None = None
    kinds: dict[Kind, KindCounts] = field(default_factory=dict)
    left: tuple[LeftFact, ...] = ()
    altered: AlteredCounts = NONE_ALTERED  # copies that are known to have other bytes than their source

    @property
    def total(self) -> KindCounts:
        """All kinds together."""
        return sum(self.kinds.values(), KindCounts())

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "source": self.source,
            "target": self.target,
            "wave": self.wave,
            "stage": self.stage,
            "attention": self.attention.to_json() if self.attention else None,
            "last_pass": moment(self.last_pass),
            "next": moment(self.next),
            "eta": moment(self.eta),
            "kinds": {kind.value: counts.to_json() for kind, counts in self.kinds.items()},
            "left": [left.to_json() for left in self.left],
            "altered": asdict(self.altered),
        }


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """One plan, from counters only."""

    plan: str
    stage: str
    mailboxes: list[MailboxStatus] = field(default_factory=list)
    paused: bool = False

    @property
    def totals(self) -> dict[Kind, KindCounts]:
        """By kind, over all mailboxes."""
        totals: dict[Kind, KindCounts] = {}
        for mailbox in self.mailboxes:
            for kind, counts in mailbox.kinds.items():
                totals[kind] = totals.get(kind, KindCounts()) + counts
        return totals

    @property
    def altered(self) -> AlteredCounts:
        """Copies with other bytes than their source, in all mailboxes."""
        counts = [mailbox.altered for mailbox in self.mailboxes]
        return AlteredCounts(sum(each.items for each in counts), sum(each.accepted for each in counts))

    @property
    def total(self) -> KindCounts:
        """All kinds of all mailboxes."""
        return sum(self.totals.values(), KindCounts())

    def to_json(self) -> dict[str, object]:
        return {
            "plan": self.plan,
            "stage": self.stage,
            "mailboxes": [mailbox.to_json() for mailbox in self.mailboxes],
            "totals": {kind.value: counts.to_json() for kind, counts in self.totals.items()},
        }


@dataclass(frozen=True, slots=True)
class EndpointCost:
    """What a run cost one endpoint.

    Seconds are its own, over all its connections; commands and bytes on the wire are counted where the connector can.
    """

    name: str
    seconds: float = 0.0
    calls: int = 0
    items: int = 0
    octets: int = 0
    retries: int = 0
    commands: int = 0
    sent: int = 0
    received: int = 0

    def to_json(self) -> dict[str, object]:
        told = {name: value for name, value in asdict(self).items() if name != "name"}
        return {**told, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """The end of a run: where the plan stands, how long it took, and what it cost the endpoints."""

    status: PlanStatus
    seconds: float
    costs: tuple[EndpointCost, ...] = ()
    dry_run: bool = False

    @property
    def limit(self) -> str:
        """The endpoint that took most of the time; empty when none took any."""
        slowest = max(self.costs, key=lambda cost: cost.seconds, default=EndpointCost(""))
        return slowest.name if slowest.seconds else ""

    def to_json(self) -> dict[str, object]:
        told = {
            **self.status.to_json(),
            "seconds": round(self.seconds, 3),
            "requests": sum(cost.calls for cost in self.costs),
            "endpoints": {cost.name: cost.to_json() for cost in self.costs},
            "limit": self.limit,
        }
        return {**told, "dry_run": True} if self.dry_run else told


@dataclass(frozen=True, slots=True)
class SideCheck:
    """What `check` learnt about one mailbox on one endpoint."""

    side: str  # "source" or "target"
    endpoint: str
    findings: list[Finding] = field(default_factory=list)
    error: ErrorFact | None = None
    tried: bool = True  # False: left out after too many rejections in a row
    kinds: tuple[Kind, ...] = ()  # what the endpoint serves on this side

    @property
    def ok(self) -> bool:
        """Tried, and nothing is wrong."""
        return self.tried and self.error is None and all(finding.ok for finding in self.findings)

    def to_json(self) -> dict[str, object]:
        return {
            "side": self.side,
            "endpoint": self.endpoint,
            "kinds": [kind.value for kind in self.kinds],
            "ok": self.ok,
            "tried": self.tried,
            "error": self.error.to_json() if self.error else None,
            "findings": [asdict(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class MailboxCheck:
    """Both sides of one mailbox, each of one endpoint or of several."""

    source: str
    target: str
    sides: list[SideCheck]
    ways: tuple[tuple[str, str], ...]  # from which endpoint to which

    @property
    def of_ways(self) -> list[tuple[tuple[str, str], Finding]]:
        """What follows from both ends of each way; nothing as long as one of them could not be looked at."""
        known = {(side.side, side.endpoint): side.findings for side in self.sides if side.tried and side.error is None}
        found: list[tuple[tuple[str, str], Finding]] = []
        for way in self.ways:
            source, target = known.get(("source", way[0])), known.get(("target", way[1]))
            if source is not None and target is not None:
                found += [(way, finding) for finding in pairs.together(source, target)]
        return found

    @property
    def together(self) -> list[Finding]:
        """The same without the endpoints' names."""
        return [finding for _way, finding in self.of_ways]

    @property
    def ok(self) -> bool:
        """Whether all sides are ready."""
        return all(side.ok for side in self.sides) and all(finding.ok for finding in self.together)

    def to_json(self) -> dict[str, object]:
        sides = [side.to_json() for side in self.sides]
        together = [asdict(finding) for finding in self.together]
        return {"source": self.source, "target": self.target, "ok": self.ok, "sides": sides, "together": together}


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """What `check` found; it changed nothing."""

    plan: str
    mailboxes: list[MailboxCheck]

    def to_json(self) -> dict[str, object]:
        return {"plan": self.plan, "mailboxes": [mailbox.to_json() for mailbox in self.mailboxes]}
