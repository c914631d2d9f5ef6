"""Items that need no copy of their own, because one that is on the target stands for them: they become `merged`.

Two reasons there are. The source proves it (`Features.labels`: one object in several folders), or the plan wishes it
(`merge: dedupe`: mailboxes that go to one place share equal items). Within one mailbox matching stays one to one, so
of n equal items here and m from others there, min(n, m) are merged: the place ends up with the maximum, where
`merge: keep` ends up with the sum. A reference (`merges`) names the target item that stands for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine import labels
from xdmigrate.engine.adopt import DEDUPE, gain, in_order, send_gains
from xdmigrate.engine.fingerprints import Print, known_print, prints
from xdmigrate.engine.flags import difference
from xdmigrate.engine.listing import PAGE
from xdmigrate.engine.match import by_size, pair_equals
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import FlagChange, Folder, Outcome
from xdmigrate_state import folders, identities, ledger, merges, places
from xdmigrate_state.rows import Claimed, FolderRow, ItemRow, NewItem, PlaceRow, Settled, Standing

IN_MEMORY = 50_000
"""Pending items whose rows are held at once while equals are looked for."""


def copied_together(work: Work, pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
    """Folders in the order of copying; those of one group may be copied at the same time.

    The best folder of an object is copied first, so that the others find its copy; All Mail comes last.
    """
    if not work.source.features.labels:
        return [pairs]
    return [[pair] for pair in sorted(pairs, key=lambda pair: labels.rank(pair.folder))]


def may_be_relied_on(work: Work) -> bool:
    """Whether a copy of this mailbox may stand for other items than its own."""
    return work.source.features.labels or work.mailbox.merge == DEDUPE


def merge(work: Work, pair: Pair) -> Iterator[None]:
    """Settle the pending items of this folder for which a target item stands already. Yields after each step."""
    shared = work.source.features.labels and labels.shares(pair.folder, work.policy.labels)
    if pair.place is None or pair.target is None or not (shared or work.mailbox.merge == DEDUPE):
        return
    if not work.read(partial(folders.get, folder_id=pair.row.id)).counts.pending:
        return
    if shared:
        yield from _merge_objects(work, pair)
    if work.mailbox.merge == DEDUPE:
        yield from _merge_equals(work, pair, pair.place, pair.target)


# --- one object under several labels ----------------------------------------------------------------------------


def remember(work: Work, c: Connection, row: FolderRow, new: Iterable[NewItem]) -> None:
    """Keep what the source calls these objects, inside the checkpoint that adds them to the ledger."""
    if work.source.features.identities:
        identities.remember(c, row, work.mailbox.id, new)


def _merge_objects(work: Work, pair: Pair) -> Iterator[None]:
    known = work.read(partial(folders.of_mailbox, mailbox_id=work.mailbox.id))
    others = labels.others(pair.row, known)
    after = b""
    while rows := work.read(partial(ledger.pending, folder=pair.row, newest=False, limit=PAGE, after=after)):
        after = rows[-1].source_id
        refs = [row.source_id for row in rows]
        found = work.read(lambda c: identities.copies(c, work.mailbox.id, pair.row, refs, others))  # noqa: B023 - at once
        _settle(work, pair, _once_each(work, pair.row, found), {})
        yield


def _once_each(work: Work, row: FolderRow, found: Mapping[bytes, Standing]) -> dict[bytes, Standing]:
    """A folder that shows an object twice gets a copy of the second."""
    taken = set(work.read(lambda c: merges.of_folder(c, row)).values()) if found else set()
    chosen: dict[bytes, Standing] = {}
    for ref, standing in found.items():
        if standing not in taken:
            taken.add(standing)
            chosen[ref] = standing
    return chosen


# --- equal items of several mailboxes ---------------------------------------------------------------------------


def _merge_equals(work: Work, pair: Pair, place: PlaceRow, folder: Folder) -> Iterator[None]:
    claimed = partial(merges.candidates, account_id=place.account_id, place_id=place.id, mailbox_id=work.mailbox.id)
    if not work.sized(pair.folder.kind):
        every = work.read(partial(claimed, sizes=None))
        waiting = work.read(partial(ledger.uncopied, folder=pair.row)) if every else []
        if waiting:
            _merge_alike(work, pair, place, folder, waiting, every)
            yield
        return
    for sizes in _groups(work.read(partial(ledger.pending_sizes, folder=pair.row))):
        held = work.read(partial(claimed, sizes=sizes))
        alike = {one.size for one in held}
        wanted = work.read(partial(ledger.uncopied, folder=pair.row, sizes=alike))
        for rows, candidates in by_size(wanted, held):
            _merge_alike(work, pair, place, folder, rows, candidates)
            yield


def _groups(counts: Mapping[int, int]) -> Iterator[set[int]]:
    """Sizes, so many together that about IN_MEMORY items have them."""
    sizes: set[int] = set()
    items = 0
    for size, count in sorted(counts.items()):
        sizes.add(size)
        items += count
        if items >= IN_MEMORY:
            yield sizes
            sizes, items = set(), 0
    if sizes:
        yield sizes


def _merge_alike(  # noqa: PLR0917 - what both sides hold, and where
    work: Work, pair: Pair, place: PlaceRow, folder: Folder, rows: Sequence[ItemRow], claimed: Sequence[Claimed]
) -> None:
    there = {head.ref: head for head in work.target.look_up(folder, [one.target_id for one in claimed])}
    known = {row.source_id: row for row in rows}
    mine = dict(prints(work.source, pair.folder, list(known)))
    theirs = _contents(work, folder, [one for one in claimed if one.target_id in there])
    found = dict(pair_equals(in_order(mine, known), theirs))
    send_gains(work, folder, [gain(known[ref], there[target]) for ref, target in found.items()])
    _settle(work, pair, {ref: Standing(place.id, target) for ref, target in found.items()}, mine)


def _contents(work: Work, folder: Folder, claimed: Sequence[Claimed]) -> list[tuple[bytes, Print]]:
    """What the claimed target items hold; read where the ledger does not know it."""
    unknown = dict(prints(work.target, folder, [one.target_id for one in claimed if one.fingerprint is None]))
    told = ((one, one.fingerprint) for one in claimed if one.fingerprint is not None)
    known = {one.target_id: known_print(folder.kind, one.size, fingerprint) for one, fingerprint in told}
    return in_order(known | unknown, {one.target_id: one for one in claimed})


def _settle(work: Work, pair: Pair, found: Mapping[bytes, Standing], contents: Mapping[bytes, Print]) -> None:
    if not found:
        return
    settled = [_merged(ref, contents.get(ref)) for ref in found]
    now = work.context.clock.now()

    def commit(c: Connection) -> None:
        ledger.settle(c, pair.row, settled, now)
        merges.add(c, pair.row, found)
        work.note(c, "merged", folder=pair.row.id, items=len(settled))
        work.progressed(c)

    work.checkpoint(commit)
    work.tell("merge", "/".join(pair.folder.path), len(settled))


def _merged(ref: bytes, content: Print | None) -> Settled:
    size, fingerprint = (content.size or None, content.fingerprint) if content else (None, None)
    return Settled(source_id=ref, outcome=Outcome.MERGED, size=size, fingerprint=fingerprint)


# --- flags ------------------------------------------------------------------------------------------------------


def carry_flags(work: Work, row: FolderRow, changed: Sequence[tuple[ItemRow, frozenset[str]]]) -> None:
    """Bring flags that changed at the source to the target items that stand for these merged ones.

    A copy of this mailbox's own follows the item that it was made from, as long as that is there; what belongs to
    another mailbox only gains flags.
    """
    if not changed:
        return
    refs = [item.source_id for item, _flags in changed]
    standings = work.read(lambda c: merges.of_folder(c, row, refs))
    owners = work.read(lambda c: merges.owners(c, row.account_id, set(standings.values())))
    by_place: dict[int, list[FlagChange]] = {}
    for item, flags in changed:
        standing = standings.get(item.source_id)
        owner = owners.get(standing) if standing else None
        if standing is None or owner == (work.mailbox.id, False):
            continue
        shared = owner is None or owner.mailbox_id != work.mailbox.id
        change = difference(standing.target_id, item.base_flags, flags, only_gain=shared)
        if change is not None:
            by_place.setdefault(standing.place_id, []).append(change)
    for place_id, changes in by_place.items():
        _send(work, place_id, changes)


def _send(work: Work, place_id: int, changes: Sequence[FlagChange]) -> None:
    place = work.read(partial(places.get, place_id=place_id))
    folder = next((each for each in work.there() if each.path == place.path), None)
    if folder is not None and folder.validity == place.validity:
        work.hold()
        work.target.change_flags(folder, changes)
