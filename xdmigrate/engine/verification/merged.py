"""Items that needed no copy of their own, against what stands for them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import partial

from xdmigrate.engine.verification.audit import Audit, Half, listing
from xdmigrate.engine.verification.pairs import judge_pairs
from xdmigrate.model import Folder, Path
from xdmigrate_state import places


def judge_merged(audit: Audit, shown: dict[Path, Folder]) -> None:
    """Merged items against what stands for them; where that is gone, they are looked for like any others."""
    for mine, aside, links in audit.merged:
        by_place: dict[int, list[bytes]] = {}
        for ref in aside.items:
            by_place.setdefault(links.standings[ref].place_id, []).append(ref)
        for place_id, refs in by_place.items():
            theirs = _standing(audit, place_id, {links.standings[ref].target_id for ref in refs}, shown)
            pairs = [
                (ref, links.standings[ref].target_id) for ref in refs if links.standings[ref].target_id in theirs.items
            ]
            _explained(audit, theirs)
            judge_pairs(audit, aside, theirs, pairs, links)
        mine.items.update(aside.items)  # what is left of them


def _standing(audit: Audit, place_id: int, targets: AbstractSet[bytes], shown: dict[Path, Folder]) -> Half:
    """Those of these items that the target shows."""
    place = audit.db.read(partial(places.get, place_id=place_id))
    folder = shown.get(place.path)
    if folder is None or folder.validity != place.validity:
        return Half(Folder(place.path), {})
    return Half(folder, {head.ref: head for head in listing(audit.target, folder) if head.ref in targets})


def _explained(audit: Audit, stood: Half) -> None:
    """What stands for an item is no leftover, even when the item that it was copied from is gone."""
    for _mine, theirs, _links in audit.unpaired:
        if theirs is not None and theirs.folder.path == stood.folder.path:
            for ref in stood.items:
                theirs.items.pop(ref, None)
