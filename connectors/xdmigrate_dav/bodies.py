"""Items in memory on their way: they are small, and every target has to look into them whole."""

from __future__ import annotations

from xdmigrate.model import Item

LARGEST_ITEM = 32 << 20
"""Bytes of one item; more is refused, because it has to be held whole to be understood."""


def whole(item: Item) -> bytes | None:
    """The body in one piece; None when it is too large to be held."""
    if item.body.size > LARGEST_ITEM:
        return None
    return b"".join(bytes(chunk) for chunk in item.body.chunks())
