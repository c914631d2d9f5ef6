"""Which items of a range the target really holds: its answers against a closing listing. Pure.

An OK is believed only when the listing shows the id. Items that the target accepted without telling an id are matched
by order when counts and sizes agree, else by content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from xdmigrate.contract import Receipt, Refused, Stored
from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.match import LIKENESS, Likeness, Look, pair_alike, pair_by_order
from xdmigrate.model import Head

ReadPrints = Callable[[Sequence[bytes]], Iterable[tuple[bytes, Print]]]
"""Reads bodies on the target; only asked when order proves nothing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One item that was handed to the writer under a ticket."""

    source_id: bytes
    content: Print
    flags: frozenset[str]
    date: datetime | None = None
    octets: int = 0  # of an item whose print tells no size
    version: bytes = b""  # of the source item whose bytes were sent

    @property
    def size(self) -> int:
        """Bytes that were sent."""
        return self.content.size or self.octets


@dataclass(slots=True)
class Proof:
    """The verdict on a range: every sent item is in exactly one of the three."""

    stored: dict[int, bytes] = field(default_factory=dict)  # ticket -> target id
    refused: dict[int, Refused] = field(default_factory=dict)
    unkept: list[int] = field(default_factory=list)  # answered yes (or not at all), yet not there


def prove(
    sent: Mapping[int, Sent],
    receipts: Iterable[Receipt],
    gained: Mapping[bytes, Head],
    read: ReadPrints,
    *,
    alone: bool = True,
    likeness: Sequence[Likeness] = LIKENESS,
    sized: bool = True,
) -> Proof:
    """`gained`: what the folder holds from the range's lower bound that nobody has claimed.

    `alone`: ids have an order and no other range of ours is open in the folder, so that order and sizes may prove ids.
    `likeness`: how much a copy must look like an item to be its own, when only its content tells. `sized`: listed sizes
    prove something.
    """
    proof = Proof()
    taken: set[bytes] = set()
    for receipt in receipts:
        if isinstance(receipt, Refused):
            proof.refused[receipt.ticket] = receipt
        elif isinstance(receipt, Stored) and receipt.ref in gained and receipt.ref not in taken:
            proof.stored[receipt.ticket] = receipt.ref
            taken.add(receipt.ref)
    unproved = [ticket for ticket in sorted(sent) if ticket not in proof.stored and ticket not in proof.refused]
    free = [head for ref, head in sorted(gained.items()) if ref not in taken]
    if unproved and not (alone and sized and _prove_by_order(proof, unproved, sent, free)):
        left = {ticket: sent[ticket] for ticket in unproved}
        sizes = {each.content.size for each in left.values()}
        _prove_by_content(proof, left, [head for head in free if not sized or head.size in sizes], read, likeness)
    return proof


def _prove_by_order(proof: Proof, unproved: Sequence[int], sent: Mapping[int, Sent], free: Sequence[Head]) -> bool:
    sizes = [(sent[ticket].source_id, sent[ticket].content.size) for ticket in unproved]
    paired = pair_by_order(sizes, [(head.ref, head.size) for head in free])
    proof.stored.update(zip(unproved, (ref for _source, ref in paired), strict=False))
    return bool(paired)


def _prove_by_content(
    proof: Proof,
    unproved: Mapping[int, Sent],
    free: Sequence[Head],
    read: ReadPrints,
    likeness: Sequence[Likeness],
) -> None:
    contents = read([head.ref for head in free])
    wanted = [(ticket, each.content) for ticket, each in unproved.items()]
    mine = {ticket: Look(each.flags, each.date) for ticket, each in unproved.items()}
    theirs = {head.ref: Look(head.flags, head.date) for head in free}
    found = dict(pair_alike(wanted, contents, mine, theirs, likeness))
    proof.stored.update(found)
    proof.unkept += [ticket for ticket in unproved if ticket not in found]
