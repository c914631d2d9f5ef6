"""Flags, three-way: what changed at the source since the base goes to the target as a difference. Pure."""

from __future__ import annotations

from xdmigrate.model import FlagChange


def difference(
    ref: bytes, base: frozenset[str], source: frozenset[str], *, only_gain: bool = False
) -> FlagChange | None:
    """The change for the target's item, or None. `only_gain`: the item was there before us and never loses a flag.

    The target's own changes survive: only flags that the source changed since `base` are named.
    """
    change = FlagChange(ref, source - base, frozenset() if only_gain else base - source)
    return change if change.add or change.remove else None
