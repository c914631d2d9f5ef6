"""Matching is one to one: each target item is claimed by at most one source item. Pure.

k equal items on the target and n on the source make min(k, n) pairs: ten exact copies stay ten.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")
Content = TypeVar("Content", bound=Hashable)


def pair_equals(
    wanted: Iterable[tuple[Key, Content]], found: Iterable[tuple[bytes, Content]]
) -> list[tuple[Key, bytes]]:
    """Pairs (source key, target id) of equal content, in the order given on both sides."""
    shelf: defaultdict[Content, list[bytes]] = defaultdict(list)
    for ref, content in found:
        shelf[content].append(ref)
    for refs in shelf.values():
        refs.reverse()
    return [(ref, shelf[content].pop()) for ref, content in wanted if shelf.get(content)]


def pair_by_order(sent: Sequence[tuple[bytes, int]], gained: Sequence[tuple[bytes, int]]) -> list[tuple[bytes, bytes]]:
    """Pairs by order of sending and of ids, when counts and all sizes agree; else none.

    This proves ids on stores that tell none (no UIDPLUS): one writer, nobody else delivered meanwhile.
    """
    if [size for _ref, size in sent] != [size for _ref, size in gained]:
        return []
    return [(source, target) for (source, _), (target, _) in zip(sent, gained, strict=True)]


def fill_gaps(sent: Sequence[bytes], paired: Mapping[bytes, bytes], gained: Sequence[bytes]) -> dict[bytes, bytes]:
    """Items that were written and are already gone again: {source id: the id it had}.

    `sent` is in the order of sending, `paired` what was found of it, `gained` every id present from the intent's
    lower bound, ascending. Ids are given in order, so between two found neighbours a gap of exactly as many absent
    ids as there are unpaired items was filled by those items: somebody moved or deleted them since. Only four-byte
    ids (IMAP UIDs, consecutive by RFC 3501 section 2.3.1.1) can be counted.
    """
    known = [(position, paired[ref]) for position, ref in enumerate(sent) if ref in paired]
    if any(len(ref) != 4 for _, ref in known) or known != sorted(known, key=lambda pair: pair[1]):
        return {}
    present = sorted(gained)
    filled: dict[bytes, bytes] = {}
    for (left, low), (right, high) in itertools.pairwise(known):
        absent = _absent(low, high, present)
        between = sent[left + 1 : right]
        if between and len(absent) == len(between):
            filled.update(zip(between, absent, strict=True))
    return filled


def _absent(low: bytes, high: bytes, present: Sequence[bytes]) -> list[bytes]:
    first, last = int.from_bytes(low), int.from_bytes(high)
    if last - first > 100_000:  # a jump of ids is no gap that one range could have filled
        return []
    inside = set(present[bisect_left(present, low) : bisect_left(present, high)])
    return [ref for ref in (number.to_bytes(4) for number in range(first + 1, last)) if ref not in inside]
