"""What `verify` found: counters per kind, one verdict per mailbox, one for the plan. Pure.

The ledger explains differences but never excuses them: only items that are known and accepted are an exception,
quarantined ones, and copies with other bytes (by a person, or by the plan's wish to repair); every other fault is a
failure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from xdmigrate.model import Kind, Path

KEPT_DETAILS = 1000
"""Details kept of each state in one mailbox; the rest is only counted."""


class ItemState(StrEnum):
    """What verification says about one item."""

    VERIFIED = "verified"  # equal on both sides
    MISSING = "missing"  # at the source, wanted by the plan, nowhere on the target
    MOVED = "moved"  # on the target in another folder, moved there by the user
    CHANGED = "changed"  # the bytes differ
    METADATA = "metadata"  # the bytes are equal; flags or date differ
    KEPT = "kept"  # gone at the source since it was copied
    OWN = "own"  # the target's own: baseline, or new there
    DEPARTED = "departed"  # removed by the user after the switch
    ARRIVED = "arrived"  # delivered to the target after the switch
    UNEXPLAINED = "unexplained"  # on the target, and neither copied nor the target's own
    FAILED = "failed"  # known not to be copied: quarantined


class Verdict(StrEnum):
    """The headline of a mailbox or a plan."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    EXCEPTIONS = "pass-with-exceptions"
    FAIL = "fail"


FAULTS = (ItemState.MISSING, ItemState.CHANGED, ItemState.METADATA, ItemState.UNEXPLAINED)
"""States that nothing excuses, but for changed items that were accepted one by one."""

_ACCEPTABLE = {ItemState.FAILED: "accepted", ItemState.CHANGED: "excused"}


@dataclass(frozen=True, slots=True)
class KindVerdict:
    """How many items of one kind are in each state; `source` is what the source holds now within the scope."""

    source: int = 0
    verified: int = 0
    missing: int = 0
    moved: int = 0
    changed: int = 0
    metadata: int = 0
    kept: int = 0
    own: int = 0
    departed: int = 0
    arrived: int = 0
    unexplained: int = 0
    failed: int = 0
    accepted: int = 0  # of the failed: those that a person accepted; not part of the JSON
    excused: int = 0  # of the changed: those that a person or the plan accepted; not part of the JSON

    @property
    def faults(self) -> int:
        """Items in a state that nothing excuses, without those that were accepted."""
        faults: int = sum(getattr(self, state.value) for state in FAULTS)
        return faults - self.excused

    def __add__(self, other: KindVerdict) -> KindVerdict:
        mine, theirs = asdict(self), asdict(other)
        return KindVerdict(**{name: mine[name] + theirs[name] for name in mine})

    def to_json(self) -> dict[str, int]:
        """The counters that the interface names."""
        return {name: value for name, value in asdict(self).items() if name not in {"accepted", "excused"}}


@dataclass(frozen=True, slots=True)
class Detail:
    """One item that is not simply verified. `ref` is its id in hexadecimal: the source's, else the target's."""

    state: ItemState
    folder: Path
    ref: str
    size: int = 0
    date: datetime | None = None
    text: str = ""  # which fields differ, where it went, why it failed; never a subject or content

    def to_json(self) -> dict[str, object]:
        return {
            "state": self.state.value,
            "folder": list(self.folder),
            "ref": self.ref,
            "size": self.size,
            "date": self.date.isoformat() if self.date else None,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class MailboxVerdict:
    """One mailbox: counters by kind, and the first details of each state."""

    id: int
    source: str
    target: str
    verdict: Verdict
    kinds: dict[Kind, KindVerdict]
    details: list[Detail] = field(default_factory=list)
    left_out: dict[ItemState, int] = field(default_factory=dict)  # details counted but not kept

    def to_json(self) -> dict[str, object]:
        """Details are additional to the shape that the interface promises."""
        return {
            "id": self.id,
            "source": self.source,
            "target": self.target,
            "verdict": self.verdict.value,
            "kinds": {kind.value: counts.to_json() for kind, counts in self.kinds.items()},
            "details": [detail.to_json() for detail in self.details],
            "details_left_out": {state.value: count for state, count in self.left_out.items()},
        }


@dataclass(frozen=True, slots=True)
class PlanVerdict:
    """All mailboxes that were verified."""

    verdict: Verdict
    mailboxes: list[MailboxVerdict]

    @property
    def changed(self) -> tuple[int, int]:
        """Copies with other bytes than the source, and how many of them are accepted."""
        counts = [counts for mailbox in self.mailboxes for counts in mailbox.kinds.values()]
        return sum(each.changed for each in counts), sum(each.excused for each in counts)

    @property
    def not_copied(self) -> int:
        """Items that are known not to be on the target, for the headline."""
        return sum(counts.failed for mailbox in self.mailboxes for counts in mailbox.kinds.values())

    def to_json(self) -> dict[str, object]:
        return {"verdict": self.verdict.value, "mailboxes": [mailbox.to_json() for mailbox in self.mailboxes]}


class Tally:
    """Counts one mailbox while it is being verified; memory stays bounded however many items differ."""

    def __init__(self) -> None:
        self._counts: defaultdict[Kind, Counter[str]] = defaultdict(Counter)
        self._details: list[Detail] = []
        self._noted: Counter[ItemState] = Counter()

    def source(self, kind: Kind, items: int = 1) -> None:
        """The source holds this many wanted items more."""
        self._counts[kind]["source"] += items

    def count(self, kind: Kind, state: ItemState, items: int = 1, *, accepted: bool = False) -> None:
        """This many items are in that state; `accepted` says that these failed or changed ones are accepted."""
        self._counts[kind][state.value] += items
        if accepted and state in _ACCEPTABLE:
            self._counts[kind][_ACCEPTABLE[state]] += items

    def note(self, detail: Detail) -> None:
        """Remember what is special about an item that `count` has counted."""
        self._noted[detail.state] += 1
        if self._noted[detail.state] <= KEPT_DETAILS:
            self._details.append(detail)

    def verdict(self, mailbox_id: int, source: str, target: str) -> MailboxVerdict:
        """The counts so far as a verdict."""
        kinds = {kind: KindVerdict(**counts) for kind, counts in self._counts.items()}
        left_out = {state: count - KEPT_DETAILS for state, count in self._noted.items() if count > KEPT_DETAILS}
        return MailboxVerdict(mailbox_id, source, target, judge(kinds.values()), kinds, list(self._details), left_out)


def judge(kinds: Iterable[KindVerdict]) -> Verdict:
    """The verdict of a mailbox; one without any item passes."""
    total = sum(kinds, KindVerdict())
    if total.faults or total.failed > total.accepted:
        return Verdict.FAIL
    return Verdict.EXCEPTIONS if total.failed or total.excused else Verdict.PASS


def combined(parts: Sequence[MailboxVerdict]) -> MailboxVerdict:
    """One mailbox of which several parts were verified, each of other kinds; there is one at least."""
    kinds = {kind: counts for part in parts for kind, counts in part.kinds.items()}
    left_out: Counter[ItemState] = Counter()
    for part in parts:
        left_out.update(part.left_out)
    details = [detail for part in parts for detail in part.details]
    return replace(parts[0], verdict=judge(kinds.values()), kinds=kinds, details=details, left_out=dict(left_out))


def judge_plan(mailboxes: list[MailboxVerdict]) -> PlanVerdict:
    """The worst verdict of the mailboxes; a plan of which nothing was verified fails."""
    found = {mailbox.verdict for mailbox in mailboxes}
    if Verdict.FAIL in found or not found:
        return PlanVerdict(Verdict.FAIL, mailboxes)
    return PlanVerdict(Verdict.EXCEPTIONS if Verdict.EXCEPTIONS in found else Verdict.PASS, mailboxes)
