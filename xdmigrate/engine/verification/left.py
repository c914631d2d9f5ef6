"""What is left on both sides: moved by the user, quarantined or missing; then what the target has beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.verification.audit import Audit, Half, claims, count, count_failed, inspect, listing
from xdmigrate.engine.verification.decide import Links, leftover_state
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Head, Outcome, Path
from xdmigrate.report.verdicts import Detail, ItemState


def look_elsewhere(audit: Audit) -> None:
    """Source items without an equal in their folder: moved by the user, quarantined, or missing; then the target's."""
    places_to_look = _where_it_could_be(audit)
    for mine, _theirs, links in audit.unpaired:
        moved = _moved(audit, mine, places_to_look)
        for ref, head in mine.items.items():
            if ref in moved:
                count(audit, mine.folder, ItemState.MOVED, head, f"now in {'/'.join(moved[ref])!r}")
            else:
                _judge_lost(audit, mine.folder, head, links)
    for mine, theirs, links in audit.unpaired:
        if theirs is not None:
            _judge_leftovers(audit, mine, theirs, links)


def _where_it_could_be(audit: Audit) -> list[tuple[Half, AbstractSet[bytes]]]:
    """What is left over of every target folder, with what is claimed of it; folders of the target's own included."""
    found: list[tuple[Half, AbstractSet[bytes]]] = [
        (theirs, links.claimed) for _mine, theirs, links in audit.unpaired if theirs is not None
    ]
    sizes = {head.size for mine, _theirs, _links in audit.unpaired for head in mine.items.values()}
    for folder in audit.others if sizes else ():
        sized = audit.sized(folder)
        with suppress(FolderUnusable):  # one that cannot be read shows nothing
            alike = {h.ref: h for h in listing(audit.target, folder) if not sized or h.size in sizes}
            found.append((Half(folder, alike), claims(audit, folder)))
    return found


def _moved(audit: Audit, mine: Half, places_to_look: Sequence[tuple[Half, AbstractSet[bytes]]]) -> dict[bytes, Path]:
    """Items found with equal bytes in another folder; what is found there is no longer free."""
    found: dict[bytes, Path] = {}
    lost = {ref: head.size for ref, head in mine.items.items()}
    left: dict[bytes, Print] | None = None
    for theirs, claimed in places_to_look:
        if theirs.folder.kind is not mine.folder.kind:
            continue
        sizes, sized = set(lost.values()), audit.sized(mine.folder)
        alike = (ref for ref, head in theirs.items.items() if not sized or head.size in sizes)
        free = [ref for ref in alike if ref not in claimed]
        if not free or not lost:
            continue
        left = left if left is not None else inspect(audit.source, mine.folder, list(lost))
        right = inspect(audit.target, theirs.folder, free)
        for source, target in pair_equals(((ref, left[ref]) for ref in lost if ref in left), sorted(right.items())):
            found[source] = theirs.folder.path
            del theirs.items[target], lost[source]
    return found


def _judge_lost(audit: Audit, folder: Folder, head: Head, links: Links) -> None:
    if head.ref in links.reasons:
        count_failed(audit, folder, head, links)
        return
    row_outcome = links.outcomes.get(head.ref)
    known = row_outcome in (Outcome.COPIED, Outcome.PRESENT, Outcome.MERGED)
    text = "copied, but no longer on the target" if known else "not copied yet: run sync"
    count(audit, folder, ItemState.MISSING, head, text)


def _judge_leftovers(audit: Audit, mine: Half, theirs: Half, links: Links) -> None:
    suspects = [ref for ref in theirs.items if leftover_state(ref, links) is None]
    # where one object shows in several folders, an equal one is the same and not a second copy
    twins = set() if audit.features.labels else _twins(audit, mine.folder, theirs, suspects)
    for ref, head in theirs.items.items():
        state = leftover_state(ref, links)
        if state is None:
            state = ItemState.UNEXPLAINED if ref in twins else ItemState.OWN
        audit.tally.count(mine.folder.kind, state)
        if state is ItemState.UNEXPLAINED:
            text = "equal to a source item that is already on the target"
            audit.tally.note(Detail(state, theirs.folder.path, ref.hex(), head.size, head.date, text))


def _twins(audit: Audit, folder: Folder, theirs: Half, suspects: Sequence[bytes]) -> set[bytes]:
    """Suspects whose bytes equal those of any item in the source folder: a second copy that nobody ordered."""
    sizes, sized = {theirs.items[ref].size for ref in suspects}, audit.sized(folder)
    alike = [h.ref for h in audit.source.heads(folder) if not sized or h.size in sizes] if sizes else []
    if not alike:
        return set()
    contents = set(inspect(audit.source, folder, alike).values())
    return {ref for ref, content in inspect(audit.target, theirs.folder, suspects).items() if content in contents}
