"""Which items of a range the target really holds: its answers against a closing listing. Pure.

An OK is believed only when the listing shows the id. Items that the target accepted without telling an id are matched
by order when counts and sizes agree, else by content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xdmigrate.contract import Receipt, Refused, Stored
from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.match import pair_by_order, pair_equals
from xdmigrate.model import Head

ReadPrints = Callable[[Sequence[bytes]], Iterable[tuple[bytes, Print]]]
"""Reads bodies on the target; only asked when order proves nothing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One item that was handed to the writer under a ticket."""

    source_id: bytes
    content: Print
    flags: frozenset[str]


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
    by_order: bool = True,
) -> Proof:
    """`gained`: what the folder holds from the range's lower bound that nobody has claimed.

    `by_order`: no other range of ours is open in the folder, so that order and sizes may prove ids.
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
    if unproved and not (by_order and _prove_by_order(proof, unproved, sent, free)):
        _prove_by_content(proof, unproved, sent, free, read)
    return proof


def _prove_by_order(proof: Proof, unproved: Sequence[int], sent: Mapping[int, Sent], free: Sequence[Head]) -> bool:
    sizes = [(sent[ticket].source_id, sent[ticket].content.size) for ticket in unproved]
    paired = pair_by_order(sizes, [(head.ref, head.size) for head in free])
    proof.stored.update(zip(unproved, (ref for _source, ref in paired), strict=False))
    return bool(paired)


def _prove_by_content(
    proof: Proof, unproved: Sequence[int], sent: Mapping[int, Sent], free: Sequence[Head], read: ReadPrints
) -> None:
    wanted = {sent[ticket].content.size for ticket in unproved}
    contents = read([head.ref for head in free if head.size in wanted])
    found = dict(pair_equals(((ticket, sent[ticket].content) for ticket in unproved), contents))
    proof.stored.update(found)
    proof.unkept += [ticket for ticket in unproved if ticket not in found]
