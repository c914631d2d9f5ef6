"""Moves at the source become moves at the target.

What vanished from one folder and appeared in another, byte for byte the same, is not sent again: its copy is moved.
A move is a write like any other: an intent is committed before it, and only a closing listing proves it. A copy that
somebody touched stays where it is, and so does one that the target does not let go; the item is then copied as usual.
What was moved away and back finds its copy in place and needs no write at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.arrivals import arrived_in, date_of
from xdmigrate.engine.closing import DOUBTFUL_PASSES, next_id, unclaimed
from xdmigrate.engine.copying import RANGE_ITEMS
from xdmigrate.engine.elsewhere import Unkept, moved_on
from xdmigrate.engine.fingerprints import prints
from xdmigrate.engine.moves import (
    Copy,
    Move,
    by_origin,
    candidates,
    flag_changes,
    near,
    pair_moves,
    prove_moves,
)
from xdmigrate.engine.ours import as_sized, as_written, estimated, untouched
from xdmigrate.engine.proof import Proof
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import AccessDenied, FolderUnusable
from xdmigrate.model import Folder, Head, Kind, Outcome, Path
from xdmigrate_state import doubts, intents, ledger, merges, places
from xdmigrate_state.rows import FolderIds, FolderRow, ItemRow, PlaceRow, Settled


@dataclass(slots=True)
class Left:
    """What vanished at the source and has a copy on the target: its sizes, by folder of the ledger."""

    sizes: dict[FolderIds, set[int]]
    doubtful: frozenset[tuple[int, bytes]]
    shown: list[Folder] = field(default_factory=list)  # the target's folders, listed when a copy is looked for
    origins: dict[int, Folder] = field(default_factory=dict)  # the target folders looked into, by place
    estimates: bool | None = None  # whether the source only estimates sizes, once somebody asked
    guessed: set[int] = field(default_factory=set)  # places of which the target only estimates sizes


@dataclass(frozen=True, slots=True)
class MoveRange:
    """Copies that go from one target folder to another by one command, in the order of their ids."""

    pair: Pair
    place: PlaceRow
    target: Folder
    origin: Folder
    moves: list[Move]
    sized: bool  # sizes prove something on the target


Moved = tuple[Move, bytes]
"""A move that is proved, and the id that the copy has now."""


def follow_moves(work: Work, pairs: Sequence[Pair]) -> Iterator[None]:
    """Move the copies of what was moved at the source since. Comes after all surveys; yields after each range."""
    if not any(pair.surveyed for pair in pairs) or not (work.target.features.move or _in_place(work)):
        return
    known = {row.id: row for row in work.known(live=False)}
    left = _what_left(work, known.values())
    for pair in pairs if left.sizes else ():
        if pair.place is not None and pair.target is not None and known[pair.row.id].counts.pending:
            yield from _follow_into(work, pair, left)


def _in_place(work: Work) -> bool:
    """Whether items may come back under another id where their copies are: clients write events anew to move them."""
    return Kind.MAIL not in work.kinds


def _what_left(work: Work, known: Iterable[FolderRow]) -> Left:
    keys = [FolderIds(row.id, row.account_id) for row in known if row.counts.gone]
    sizes = {key: found for key in keys if (found := work.read(partial(ledger.gone_sizes, folder=key)))}
    in_doubt = work.read(lambda c: doubts.of_mailbox(c, work.mailbox.id)) if sizes else []
    fresh = work.mailbox.passes + DOUBTFUL_PASSES  # what an earlier pass doubted was looked for at that one's end
    return Left(sizes, frozenset((each.folder_id, each.source_id) for each in in_doubt if each.until_pass >= fresh))


def _follow_into(work: Work, pair: Pair, left: Left) -> Iterator[None]:
    """One destination: nothing is read unless sizes agree and the target holds copies that nobody touched."""
    free = _movable(work, pair, left)
    sizes = {copy.row.size for copy in free} if work.sized(pair.folder.kind) or not free else None
    if sizes and left.estimates:
        sizes = near(work.read(partial(ledger.pending_sizes, folder=pair.row)), sizes)
    rows = work.read(lambda c: ledger.uncopied(c, pair.row, sizes))
    for start in range(0, len(rows), RANGE_ITEMS):
        arrived = list(arrived_in(work, pair, rows[start : start + RANGE_ITEMS], free))
        moves = pair_moves(arrived, free, pair.folder.kind)
        taken = {(move.former.folder_id, move.former.source_id) for move in moves}
        free = [copy for copy in free if (copy.row.folder_id, copy.row.source_id) not in taken]
        yield
        for some in by_origin(moves, RANGE_ITEMS):
            if pair.place is not None and pair.target is not None:
                place_id = some[0].former.place_id or 0
                sized = work.sized(pair.folder.kind) and place_id not in left.guessed
                _follow(work, MoveRange(pair, pair.place, pair.target, left.origins[place_id], some, sized))
            yield


# --- what could be moved ----------------------------------------------------------------------------------------


def _movable(work: Work, pair: Pair, left: Left) -> list[Copy]:
    """Copies of the sizes that are pending here, wherever they are on the target, if nobody touched them."""
    pending = set(work.read(partial(ledger.pending_sizes, folder=pair.row)))
    sized = work.sized(pair.folder.kind)
    gone: list[ItemRow] = []
    if sized and pending and left.estimates is None:
        left.estimates = _estimates(work, pair, min(pending))
    for key, sizes in left.sizes.items():
        alike = _alike(sizes, pending, left) if sized else pending
        if alike:
            gone += work.read(partial(ledger.gone_by_size, folder=key, sizes=alike if sized else None))
    by_place: dict[int, list[ItemRow]] = {}
    here = pair.place.id if pair.place else 0
    for row in candidates(gone, here, left.doubtful):
        if row.place_id != here and not work.target.features.move:
            continue
        by_place.setdefault(row.place_id or 0, []).append(row)
    return [copy for place_id, rows in by_place.items() for copy in _as_we_left_them(work, pair, place_id, rows, left)]


def _alike(sizes: set[int], pending: set[int], left: Left) -> set[int]:
    return near(sizes, pending) if left.estimates else sizes & pending


def _estimates(work: Work, pair: Pair, size: int) -> bool:
    """Whether a body has another size than was listed. A source with mod-sequences knows its messages well enough."""
    if work.source.features.deltas:
        return False
    rows = work.read(lambda c: ledger.uncopied(c, pair.row, {size}))[:1]
    return any(held.size != size for _, held in prints(work.source, pair.folder, [row.source_id for row in rows]))


def _as_we_left_them(work: Work, pair: Pair, place_id: int, rows: Sequence[ItemRow], left: Left) -> list[Copy]:
    """With the flags that we gave them; those need not be asked for where the copy stays in its folder."""
    left.shown = left.shown or work.there()
    folder = left.origins.get(place_id) or _origin(work, place_id, left.shown)
    if folder is None:
        return []
    left.origins[place_id] = folder
    there: dict[bytes, Head] = {}
    with suppress(FolderUnusable):  # one that cannot be opened gives nothing away
        there = {head.ref: head for head in work.target.look_up(folder, _copies(rows))}
    kind = pair.folder.kind
    sized = work.sized(kind)
    if sized and estimated(work, folder, rows, there):
        left.guessed.add(place_id)
        sized = False
    if pair.place is not None and pair.place.id == place_id and kind is Kind.MAIL:
        kept = {*as_sized(rows, there, sized=sized)}
    else:
        mine = untouched(rows, there, sized=sized) if kind is Kind.MAIL else as_written(rows, there)
        kept = {*mine} - work.read(lambda c: merges.relied_on(c, place_id, there))
    found = [(row, there[row.target_id]) for row in rows if row.target_id in kept]
    return [Copy(row, date_of(work, head)) for row, head in found]


def _origin(work: Work, place_id: int, shown: Iterable[Folder]) -> Folder | None:
    """The target folder of a place, under the ids that the ledger knows."""
    place = work.read(partial(places.get, place_id=place_id))
    alike = (folder for folder in shown if folder.path == place.path and folder.validity == place.validity)
    return next((folder for folder in alike if folder.selectable), None)


def _copies(rows: Iterable[ItemRow]) -> list[bytes]:
    return [row.target_id for row in rows if row.target_id is not None]


def still_there(work: Work, formers: Iterable[ItemRow], shown: Mapping[Path, Folder]) -> set[tuple[int, bytes]]:
    """Which of these rows' copies are where they were, as (place, id). A folder that is gone holds none."""
    by_place: dict[int, list[ItemRow]] = {}
    for row in formers:
        by_place.setdefault(row.place_id or 0, []).append(row)
    found: set[tuple[int, bytes]] = set()
    for place_id, rows in by_place.items():
        folder = _origin(work, place_id, shown.values())
        if folder is not None:
            found |= {(place_id, head.ref) for head in work.target.look_up(folder, _copies(rows))}
    return found


# --- one range --------------------------------------------------------------------------------------------------


def _follow(work: Work, span: MoveRange) -> None:
    work.hold()
    if span.moves[0].former.place_id == span.place.id:
        _take_back(work, span)
    else:
        _move(work, span)


def _take_back(work: Work, span: MoveRange) -> None:
    """The items are back in the folder where their copies have stayed."""
    kept = [(move, move.old) for move in span.moves]
    versions = {move.old: move.former.target_version for move in span.moves}
    _carry_flags(work, span, kept)
    span.pair.place = work.checkpoint(lambda c: _record(work, c, span, kept, set(), "moved-back", versions))


def _move(work: Work, span: MoveRange) -> None:
    """From intent to outcome. What is not proved stays pending and is copied."""
    intent = _open(work, span)
    told: dict[bytes, bytes] = {}
    with suppress(AccessDenied):  # what nobody may move may still be written
        told = work.target.move(span.origin, [move.old for move in span.moves], span.target)
    gained = unclaimed(work, span.place, span.target, span.place.next_id)
    stayed = {head.ref for head in work.target.look_up(span.origin, [move.old for move in span.moves])}
    read = partial(prints, work.target, span.target)
    proof = prove_moves(span.moves, told, gained, read, sized=span.sized)
    _believe_moved_on(work, span, told, stayed, proof)
    moved = [(span.moves[ticket], ref) for ticket, ref in sorted(proof.stored.items())]
    _carry_flags(work, span, moved)
    beyond = next_id(work, span.place, gained)

    versions = {ref: gained[ref].version for _move, ref in moved if ref in gained}

    def commit(c: Connection) -> PlaceRow:
        intents.close(c, intent)
        places.advance(c, span.place.id, beyond)
        return _record(work, c, span, moved, stayed, "moved", versions)

    span.pair.place = work.checkpoint(commit)
    work.tell("move", "/".join(span.pair.folder.path), len(moved), sum(move.former.size for move, _ in moved))


def _open(work: Work, span: MoveRange) -> int:
    refs = [move.arrived.source_id for move in span.moves]
    former = (span.moves[0].former.folder_id, [move.former.source_id for move in span.moves])
    octets = sum(move.former.size for move in span.moves)
    floor, now = span.place.next_id, work.context.clock.now()
    return work.checkpoint(
        lambda c: intents.open(c, span.pair.row.id, span.place.id, work.epoch, floor, refs, octets, now, former)
    )


def _believe_moved_on(
    work: Work, span: MoveRange, told: Mapping[bytes, bytes], stayed: set[bytes], proof: Proof
) -> None:
    """Somebody's rule may have taken a copy on to yet another folder before we looked."""
    left = {ticket: span.moves[ticket] for ticket in proof.unkept if span.moves[ticket].old not in stayed}
    taken = set(proof.stored.values())
    unkept = {
        ticket: Unkept(span.pair, span.place, move.arrived, told[move.old])
        for ticket, move in left.items()
        if move.old in told and told[move.old] not in taken
    }
    found = moved_on(work, list(unkept.values()))
    proof.stored |= {t: told[span.moves[t].old] for t, item in unkept.items() if item.sent.source_id in found}


def _carry_flags(work: Work, span: MoveRange, moved: Sequence[Moved]) -> None:
    """What changed at the source at the same time; the target's own changes survive."""
    if changes := flag_changes((ref, move.former.base_flags, move.arrived.flags) for move, ref in moved):
        work.target.change_flags(span.target, changes)


def _record(  # noqa: PLR0917 - what is learnt about one range
    work: Work,
    c: Connection,
    span: MoveRange,
    moved: Sequence[Moved],
    stayed: AbstractSet[bytes],
    event: str,
    versions: Mapping[bytes, bytes],
) -> PlaceRow:
    """The copies belong to other rows now; one that stayed where it was still belongs to its old row, too."""
    former = FolderIds(span.moves[0].former.folder_id, span.pair.row.account_id)
    handed = [(move.former.source_id, move.arrived.source_id) for move, _ref in moved if move.old not in stayed]
    ledger.hand_over(c, former, span.pair.row, handed)
    settled = [_settled(span, move, ref, versions.get(ref, b"")) for move, ref in moved]
    ledger.settle(c, span.pair.row, settled, work.context.clock.now())
    work.note(c, event, **_facts(span, moved))
    if moved:
        work.progressed(c)
    return places.get(c, span.place.id)


def _settled(span: MoveRange, move: Move, ref: bytes, version: bytes) -> Settled:
    return Settled(
        source_id=move.arrived.source_id,
        outcome=Outcome.COPIED,
        size=move.former.size,
        fingerprint=move.former.fingerprint,
        place_id=span.place.id,
        target_id=ref,
        flags=move.arrived.flags,
        version=move.arrived.version or None,
        target_version=version,
    )


def _facts(span: MoveRange, moved: Sequence[Moved]) -> dict[str, object]:
    ids = sorted(ref for _move, ref in moved)
    return {
        "folder": span.pair.row.id,
        "from": span.moves[0].former.folder_id,
        "place": span.place.id,
        "moved": len(ids),
        "unmoved": len(span.moves) - len(ids),
        "first": ids[0].hex() if ids else "",
        "last": ids[-1].hex() if ids else "",
    }
