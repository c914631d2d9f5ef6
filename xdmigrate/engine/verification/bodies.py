"""The bodies of pairs, read from both sides, and copies that are not what their source is."""

from __future__ import annotations

from collections.abc import Sequence

from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.verification.audit import Audit, Half, inspect
from xdmigrate.model import Folder, Head, Kind
from xdmigrate.report.verdicts import Detail, ItemState
from xdmigrate_state.rows import Altered

INSPECTED_AT_ONCE = 500


def different_bodies(
    audit: Audit,
    mine: Half,
    theirs: Half,
    pairs: Sequence[tuple[bytes, bytes]],
    opaque: set[bytes] | None = None,
) -> dict[bytes, Print | None]:
    """Pairs whose bodies, read from both sides, are not equal: what was read on the target, by source id.

    `opaque` learns which of the source's items hold what cannot be interpreted.
    """
    differ: dict[bytes, Print | None] = {}
    for start in range(0, len(pairs), INSPECTED_AT_ONCE):
        some = pairs[start : start + INSPECTED_AT_ONCE]
        left = inspect(audit.source, mine.folder, [source for source, _ in some], opaque)
        right = inspect(audit.target, theirs.folder, [target for _, target in some])
        found = {source: right.get(target) for source, target in some if source in left}
        differ |= {source: read for source, read in found.items() if left[source] != read}
    return differ


def judge_changed(audit: Audit, folder: Folder, head: Head, told: Altered | None, found: Altered) -> None:
    """Other bytes than the source's are never verified; a person, or the plan, may have accepted exactly these."""
    accepted = told.accepted_why if told else ""
    audit.tally.count(folder.kind, ItemState.CHANGED, accepted=bool(accepted))
    what = "the bytes differ" if folder.kind is Kind.MAIL else "differs"
    text = f"{told.reason}: {told.detail}" if told else f"{what}: {found.detail}"
    text += f" (accepted: {accepted})" if accepted else ""
    audit.tally.note(Detail(ItemState.CHANGED, folder.path, head.ref.hex(), head.size, head.date, text))
