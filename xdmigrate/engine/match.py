"""Matching is one to one: each target item is claimed by at most one source item. Pure.

k equal items on the target and n on the source make min(k, n) pairs: ten exact copies stay ten.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

Key = TypeVar("Key")
Content = TypeVar("Content", bound=Hashable)

AT_ONCE = 1000
"""Candidates compared in one step; all items of one size are always in the same step."""


class Sized(Protocol):
    """Something whose size in bytes is known."""

    @property
    def size(self) -> int: ...


Wanted = TypeVar("Wanted", bound=Sized)
Found = TypeVar("Found", bound=Sized)


def by_size(wanted: Iterable[Wanted], found: Iterable[Found]) -> Iterator[tuple[list[Wanted], list[Found]]]:
    """Candidates of both sides, cut between sizes into steps of about AT_ONCE; sizes of one side alone are left out."""
    mine: defaultdict[int, list[Wanted]] = defaultdict(list)
    theirs: defaultdict[int, list[Found]] = defaultdict(list)
    for each in wanted:
        mine[each.size].append(each)
    for other in found:
        theirs[other.size].append(other)
    step: tuple[list[Wanted], list[Found]] = [], []
    for size in sorted(mine.keys() & theirs.keys()):
        step[0].extend(mine[size])
        step[1].extend(theirs[size])
        if len(step[0]) + len(step[1]) >= AT_ONCE:
            yield step
            step = [], []
    if step[0]:
        yield step


def by_content(
    mine: Iterable[bytes], theirs: Iterable[bytes], length: int
) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Entries of both sides whose first `length` bytes, the content, are equal, in steps of about AT_ONCE.

    An entry is a content and an id in one: that many can be held at once, whatever the size of the folders.
    """
    left, right = deque(sorted(mine)), deque(sorted(theirs))
    step: tuple[list[bytes], list[bytes]] = [], []
    while left and right:
        content = max(left[0][:length], right[0][:length])
        for side in (left, right):
            while side and side[0][:length] < content:
                side.popleft()
        if not (left and right and left[0][:length] == right[0][:length]):
            continue
        for side, into in zip((left, right), step, strict=True):
            while side and side[0][:length] == content:
                into.append(side.popleft())
        if len(step[0]) + len(step[1]) >= AT_ONCE:
            yield step
            step = [], []
    if step[0]:
        yield step


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


class Look(NamedTuple):
    """What tells equal items apart: they are exchangeable only as far as it is the same."""

    flags: frozenset[str]
    date: datetime | None = None  # None: not known


UNKNOWN = Look(frozenset())

Likeness = Callable[[Look], Hashable]

LIKENESS: Sequence[Likeness] = (
    lambda look: look,
    lambda look: look.flags,
    lambda look: (frozenset(flag for flag in look.flags if flag.startswith("\\")), look.date),  # no keywords there
    lambda look: look.date,
    lambda _look: None,
)
"""In how much two equal items can look alike, from all to nothing."""

SAME_LOOK = LIKENESS[:1]


def pair_alike(
    wanted: Iterable[tuple[Key, Content]],
    found: Iterable[tuple[bytes, Content]],
    mine: Mapping[Key, Look],
    theirs: Mapping[bytes, Look],
    likeness: Sequence[Likeness] = LIKENESS,
) -> list[tuple[Key, bytes]]:
    """As many pairs as `pair_equals` makes; among equal items those that look most alike.

    Equal messages of which one is read and the other is not would else be linked crosswise, and each of them would
    show the other one's flags.
    """
    left, free = dict(wanted), dict(found)
    pairs: list[tuple[Key, bytes]] = []
    for seen in likeness:
        some = pair_equals(
            [(ref, (content, seen(mine.get(ref, UNKNOWN)))) for ref, content in left.items()],
            [(ref, (content, seen(theirs.get(ref, UNKNOWN)))) for ref, content in free.items()],
        )
        pairs += some
        for ref, to in some:
            del left[ref], free[to]
    return pairs


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


def gap_pairs(sent: Sequence[bytes], paired: Mapping[bytes, bytes], free: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Candidates for copies that the store altered: unpaired items, and the free ids in their place.

    Between two found neighbours of a range stand as many ids, none absent, as there are unpaired items: they were given
    to those items, in their order. That a stranger came between and an item was dropped must be ruled out otherwise.
    """
    known = [(position, paired[ref]) for position, ref in enumerate(sent) if ref in paired]
    if any(len(ref) != 4 for _, ref in known) or known != sorted(known, key=lambda pair: pair[1]):
        return []
    pairs: list[tuple[bytes, bytes]] = []
    present = sorted(free)
    for (left, low), (right, high) in itertools.pairwise(known):
        between, inside = sent[left + 1 : right], present[bisect_right(present, low) : bisect_left(present, high)]
        if len(between) == len(inside) == int.from_bytes(high) - int.from_bytes(low) - 1:
            pairs += zip(between, inside, strict=True)
    return pairs
