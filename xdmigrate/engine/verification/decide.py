"""Verification's decisions: what a link, a difference or a leftover means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xdmigrate.contract import Features
from xdmigrate.engine.fingerprints import Print
from xdmigrate.model import Head, Outcome
from xdmigrate.report.verdicts import ItemState
from xdmigrate_state import alterations
from xdmigrate_state.rows import Altered, ItemRow, Standing

SYSTEM_FLAGS = frozenset({"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"})
"""RFC 3501 section 2.3.2, without \\Recent, which belongs to the session."""


@dataclass(slots=True)
class Links:
    """What the ledger knows of one folder pair."""

    targets: dict[bytes, bytes] = field(default_factory=dict)  # source id -> target id, present at the source
    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)  # target ids whose source item is gone or no longer wanted
    reasons: dict[bytes, tuple[str, bool]] = field(default_factory=dict)  # quarantined: code, accepted
    baseline: frozenset[bytes] = frozenset()  # target ids from before our first write
    claimed: frozenset[bytes] = frozenset()  # target ids claimed by any mailbox of this account
    standings: dict[bytes, Standing] = field(default_factory=dict)  # of merged items: what stands for them
    folder_id: int = 0  # 0: the state does not know the source folder
    altered: dict[bytes, Altered] = field(default_factory=dict)  # copies known to have other bytes
    shared: frozenset[bytes] = frozenset()  # target ids that stand for items of other mailboxes, too

    def learn(self, rows: Iterable[ItemRow]) -> None:
        """Take in ledger rows."""
        for row in rows:
            self.outcomes[row.source_id] = row.outcome
            if row.target_id is not None:
                self.targets[row.source_id] = row.target_id
                if row.gone:
                    self.gone.add(row.target_id)

    def adopted(self, source_id: bytes) -> bool:
        """Whether the item's counterpart was not made from it alone: then it may have gained flags."""
        known = self.outcomes.get(source_id) in {Outcome.PRESENT, Outcome.MERGED}
        return known or self.targets.get(source_id) in self.shared


def pair_by_links(
    source: Mapping[bytes, Head], target: Mapping[bytes, Head], links: Links
) -> list[tuple[bytes, bytes]]:
    """Linked pairs of which both sides are there."""
    return [(ref, links.targets[ref]) for ref in source if ref in links.targets and links.targets[ref] in target]


def metadata_faults(head: Head, copy: Head, features: Features, *, adopted: bool) -> str:
    """Which of flags and date differ, as text; empty when none does.

    An adopted item only ever gains flags and keeps its own date. Keywords and dates that the target cannot keep are
    not held against it here; `check` tells of them before the migration.
    """
    missing = {flag for flag in head.flags - copy.flags if features.keywords or flag in SYSTEM_FLAGS}
    extra = set() if adopted else {flag for flag in copy.flags - head.flags if flag in SYSTEM_FLAGS}
    faults = [f"without {flag}" for flag in sorted(missing)] + [f"with {flag}" for flag in sorted(extra)]
    if features.dates and not adopted and head.date != copy.date:
        faults.append(f"date {copy.date} instead of {head.date}")
    return ", ".join(faults)


def found_altered(head: Head, copy: Head, read: Print | None) -> Altered:
    """A copy with other bytes, as verification found it; `read` is what was read of it."""
    size = read.size if read else copy.size
    sizes = f"{head.size:,} bytes at the source, {size:,} on the target"
    told = sizes if head.size != size else f"{size:,} bytes on both sides, not the same ones"
    return Altered(head.ref, alterations.ALTERED, told, size, read.fingerprint if read else None)


def excuse(known: Altered | None, found: Altered, listed: int) -> Altered | None:
    """What is known of exactly this copy; None for a copy of which nothing is known, or another thing.

    A copy that nobody had read was known by its `listed` size.
    """
    if known is None:
        return None
    same = alterations.same_copy(known, found.size, found.fingerprint)
    return known if same or (known.fingerprint is None and known.size == listed) else None


def leftover_state(ref: bytes, links: Links) -> ItemState | None:
    """What an unpaired target item is: the target's own, kept, or (None) to be compared with the source."""
    if ref in links.baseline:
        return ItemState.OWN
    if ref in links.gone:
        return ItemState.KEPT
    if ref in links.claimed:
        return ItemState.KEPT  # copied under an earlier scope, or by another mailbox of the same target
    return None
