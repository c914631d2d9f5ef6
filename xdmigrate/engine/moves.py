"""Which copies follow their source items to another folder, and which of them really came there. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from xdmigrate.engine.fingerprints import Print, known_print
from xdmigrate.engine.flags import difference
from xdmigrate.engine.match import Look, pair_alike, pair_equals
from xdmigrate.engine.proof import Proof, ReadPrints, Sent
from xdmigrate.model import FlagChange, Head, Kind
from xdmigrate_state.rows import ItemRow

ROUGHLY = 4096
"""Octets, beside a quarter, by which an estimated size may be wrong; what is further off is copied again."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy on the target whose source item vanished, as its row tells and as it stands there."""

    row: ItemRow
    date: datetime | None  # None: the target keeps no dates


@dataclass(frozen=True, slots=True)
class Arrival:
    """A source item that appeared, as it was read."""

    sent: Sent
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Move:
    """One copy that is to follow: `former` is the row it belonged to, `arrived` the same item's new place."""

    former: ItemRow
    arrived: Sent

    @property
    def old(self) -> bytes:
        """The copy's id in the folder that it leaves."""
        return self.former.target_id or b""


def content(former: ItemRow, kind: Kind | str) -> Print:
    """What the ledger knows of a copy of this kind. Only asked of rows with a fingerprint."""
    return known_print(kind, former.size, former.fingerprint or b"")


def candidates(gone: Iterable[ItemRow], to_place: int, doubtful: AbstractSet[tuple[int, bytes]]) -> list[ItemRow]:
    """Rows whose copies may follow to a place, those first that are there already.

    What is in doubt stays where it is, so that its late twin is recognised.
    """
    known = [row for row in gone if row.fingerprint is not None and row.place_id is not None]
    free = [row for row in known if (row.folder_id, row.source_id) not in doubtful]
    return sorted(free, key=lambda row: row.place_id != to_place)


def near(some: Iterable[int], others: Iterable[int]) -> set[int]:
    """Those of some sizes that another one may stand for, where sizes are only estimated."""
    ordered = sorted(others)

    def close(size: int) -> bool:
        off = size // 4 + ROUGHLY
        at = bisect_left(ordered, size - off)
        return at < len(ordered) and ordered[at] <= size + off

    return {size for size in some if close(size)}


def pair_moves(arrived: Collection[Arrival], copies: Sequence[Copy], kind: Kind | str = Kind.MAIL) -> list[Move]:
    """Items that appeared and copies whose items vanished, one to one by content and date; ten equal ones stay ten.

    A move keeps the date (RFC 6851 section 4.4): an equal item with another one was not moved but came anew.
    """
    rows = {b"%d" % at: copy.row for at, copy in enumerate(copies)}
    known = {arrival.sent.source_id: arrival.sent for arrival in arrived}
    wanted = [(arrival.sent.source_id, (arrival.sent.content, arrival.date)) for arrival in arrived]
    found = [(b"%d" % at, (content(copy.row, kind), copy.date)) for at, copy in enumerate(copies)]
    return [Move(rows[at], known[ref]) for ref, at in pair_equals(wanted, found)]


def by_origin(moves: Iterable[Move], at_most: int) -> list[list[Move]]:
    """Moves that one command can carry out: out of one folder of the ledger and one place, in the order of ids."""
    groups: dict[tuple[int, int], list[Move]] = {}
    for move in sorted(moves, key=lambda each: each.old):
        groups.setdefault((move.former.folder_id, move.former.place_id or 0), []).append(move)
    return [all_[start : start + at_most] for all_ in groups.values() for start in range(0, len(all_), at_most)]


def prove_moves(
    moves: Sequence[Move],
    told: Mapping[bytes, bytes],
    gained: Mapping[bytes, Head],
    read: ReadPrints,
    *,
    sized: bool = True,
) -> Proof:
    """Which moves arrived; tickets are positions in `moves`.

    `gained` is what the destination holds unclaimed since the range began. A told id counts only when it is listed
    there with the right size, where sizes prove anything, everything else by its content; the order of arrival proves
    nothing (RFC 6851 leaves it to the server).
    """
    proof = Proof()
    free = dict(gained)
    for ticket, move in enumerate(moves):
        head = free.get(told.get(move.old, b""))
        if head is not None and (not sized or head.size == move.former.size):
            proof.stored[ticket] = head.ref
            del free[head.ref]
    left = [(ticket, move.arrived.content) for ticket, move in enumerate(moves) if ticket not in proof.stored]
    sizes = {wanted.size for _ticket, wanted in left}
    alike = {ref: Look(head.flags) for ref, head in sorted(free.items()) if not sized or head.size in sizes}
    looks = {ticket: Look(moves[ticket].former.base_flags) for ticket, _wanted in left}
    proof.stored.update(pair_alike(left, read(list(alike)), looks, alike) if alike else [])
    proof.unkept += [ticket for ticket, _wanted in left if ticket not in proof.stored]
    return proof


def flag_changes(moved: Iterable[tuple[bytes, frozenset[str], frozenset[str]]]) -> list[FlagChange]:
    """What changed at the source since the base, for moved copies as (new id, base flags, source flags)."""
    changes = (difference(ref, base, source) for ref, base, source in moved)
    return [change for change in changes if change is not None]
