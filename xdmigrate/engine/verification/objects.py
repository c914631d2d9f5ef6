"""Linked events, tasks and contacts: judged by what they say, and what differs is told field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile

from xdmigrate.engine.verification.audit import Audit, Half, count, count_failed
from xdmigrate.engine.verification.bodies import different_bodies, judge_changed
from xdmigrate.engine.verification.decide import Links, excuse, found_altered
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Folder, Head, Outcome
from xdmigrate.report.verdicts import Detail, ItemState
from xdmigrate_state.rows import Altered

UNTOLD = "what it says"
"""What differs in the items that are not read once more."""

AS_IT_IS = "it holds what cannot be interpreted, and is the same line by line"

HELD = 4 << 20
"""Bytes of the source's items that are held in memory while they are explained; the rest is on disk."""


@dataclass(frozen=True, slots=True)
class Differing:
    """A pair that says different things, and what is known of exactly this copy."""

    head: Head
    target: bytes
    told: Altered | None
    found: Altered


def judge_objects(audit: Audit, mine: Half, theirs: Half, pairs: Sequence[tuple[bytes, bytes]], links: Links) -> None:
    """Judge linked events, tasks or contacts by what they say; then unlist them."""
    opaque: set[bytes] = set()
    differ = different_bodies(audit, mine, theirs, pairs, opaque)
    differing: list[Differing] = []
    for source, target in pairs:
        head, copy = mine.items.pop(source), theirs.items.pop(target)
        if source not in differ:
            audit.tally.count(mine.folder.kind, ItemState.VERIFIED)
            if source in opaque:
                audit.tally.note(
                    Detail(ItemState.VERIFIED, mine.folder.path, source.hex(), head.size, head.date, AS_IT_IS)
                )
        elif links.outcomes.get(source) is Outcome.PENDING:
            count(audit, mine.folder, ItemState.CHANGED, head, "changed at the source since: run sync")
        elif source in links.reasons:
            count_failed(audit, mine.folder, head, links)
        else:
            found = replace(found_altered(head, copy, differ[source]), detail=UNTOLD)
            differing.append(Differing(head, target, excuse(links.altered.get(source), found, copy.size), found))
    _judge_differing(audit, mine.folder, theirs.folder, differing, links)


def _judge_differing(audit: Audit, mine: Folder, theirs: Folder, differing: list[Differing], links: Links) -> None:
    """Each is explained; what nobody knew, or could not say, is put on record."""
    pairs = [(each.head.ref, each.target) for each in differing[: audit.explain(len(differing))]]
    words = _differences(audit, mine, theirs, pairs)
    news: list[Altered] = []
    for each in differing:
        told, said = each.told, words.get(each.head.ref) or UNTOLD
        found = replace(each.found, detail=said)
        if told is None:
            news.append(found)
        elif said != UNTOLD:
            if told.detail == UNTOLD:
                news.append(replace(told, detail=said))
            told = replace(told, detail=_together(told.detail, said))
        judge_changed(audit, mine, each.head, told, found)
    if news:
        audit.altered(links.folder_id, news)


def _together(known: str, said: str) -> str:
    """What was on record, which may be the same in short, and what differs."""
    return said if known == UNTOLD or said.startswith(known) else f"{known}; {said}"


def _differences(audit: Audit, mine: Folder, theirs: Folder, pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """What differs, field by field, in words that tell no content, by source id. One item a side is held at once."""
    told: dict[bytes, str] = {}
    with SpooledTemporaryFile(max_size=HELD) as file:
        places: dict[bytes, tuple[int, int]] = {}
        for ref, data in audit.source.whole(mine, [source for source, _ in pairs]) if pairs else ():
            places[ref] = file.tell(), len(data)
            file.write(data)
        sources = {target: source for source, target in pairs if source in places}
        for ref, data in audit.target.whole(theirs, list(sources)) if sources else ():
            start, size = places[sources[ref]]
            file.seek(start)
            told[sources[ref]] = "; ".join(semantics(mine.kind).differences(file.read(size), data))
    return told
