"""Linked events, tasks and contacts: judged by what they say, and what differs is told field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdmigrate.engine.verification.audit import Audit, Half, count, count_failed
from xdmigrate.engine.verification.bodies import EXPLAINED, different_bodies, judge_changed
from xdmigrate.engine.verification.decide import Links, excuse, found_altered
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Folder, Outcome
from xdmigrate.report.verdicts import ItemState
from xdmigrate_state.rows import Altered

UNTOLD = "what it says"
"""What differs in the items that are not read once more."""


def judge_objects(audit: Audit, mine: Half, theirs: Half, pairs: Sequence[tuple[bytes, bytes]], links: Links) -> None:
    """Judge linked events, tasks or contacts by what they say; then unlist them."""
    differ = different_bodies(audit, mine, theirs, pairs)
    news: list[Altered] = []
    for source, target in pairs:
        head, copy = mine.items.pop(source), theirs.items.pop(target)
        if source not in differ:
            audit.tally.count(mine.folder.kind, ItemState.VERIFIED)
        elif links.outcomes.get(source) is Outcome.PENDING:
            count(audit, mine.folder, ItemState.CHANGED, head, "changed at the source since: run sync")
        elif source in links.reasons:
            count_failed(audit, mine.folder, head, links)
        else:
            found = replace(found_altered(head, copy, differ[source]), detail=UNTOLD)
            told = excuse(links.altered.get(source), found, copy.size)
            if told is None:
                found = replace(found, detail=_differences(audit, mine.folder, theirs.folder, source, target))
                news.append(found)
            judge_changed(audit, mine.folder, head, told, found)
    if news:
        audit.altered(links.folder_id, news)


def _differences(audit: Audit, mine: Folder, theirs: Folder, source: bytes, target: bytes) -> str:
    """What differs, field by field, in words that tell no content. For the first few."""
    if audit.explained >= EXPLAINED:
        return UNTOLD
    audit.explained += 1
    left, right = dict(audit.source.whole(mine, [source])), dict(audit.target.whole(theirs, [target]))
    if source not in left or target not in right:
        return UNTOLD
    return "; ".join(semantics(mine.kind).differences(left[source], right[target])) or UNTOLD
