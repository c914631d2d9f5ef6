"""The semantic digest of contacts, and what differs between two, without a word of their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from xdmigrate.formats.vcard.cards import read
from xdmigrate.formats.vcard.fields import Field, digest_of, fields

DIGEST_BYTES = 16

_NAME_CHARS = 60


def digest(data: bytes) -> bytes:
    """16 bytes that are equal for two cards that say the same (see `fields` for what counts).

    It is the same before and after `storable` and `converted`. Raises Unreadable.
    """
    return digest_of(fields(read(data)))[:DIGEST_BYTES]


def differences(mine: bytes, theirs: bytes) -> list[str]:
    """What differs, one sentence a property: names, counts and kinds of number, never a value. Raises Unreadable."""
    here, there = fields(read(mine)), fields(read(theirs))
    missing, added = _by_name(here - there), _by_name(there - here)
    return [_told(name, missing[name], added[name]) for name in sorted({*missing, *added})]


def _by_name(found: Iterable[Field]) -> defaultdict[str, list[Field]]:
    named: defaultdict[str, list[Field]] = defaultdict(list)
    for field in sorted(found):
        named[field.name].append(field)
    return named


def _told(name: str, missing: list[Field], added: list[Field]) -> str:
    phrases = [*_changed(missing, added)]
    left = len(missing) - len(phrases)
    over = len(added) - len(phrases)
    both = min(left, over)
    phrases += [_counted(both, "differs", "differ")] * bool(both)
    phrases += [_counted(left - both, "missing", "missing")] * (left > both)
    phrases += [_counted(over - both, "added", "added")] * (over > both)
    return f"{name[:_NAME_CHARS]}: {', '.join(phrases)}"


def _changed(missing: list[Field], added: list[Field]) -> Iterator[str]:
    """Fields that are the same but for their type or label."""
    by_value = {field.value: field for field in added}
    for field in missing:
        other = by_value.pop(field.value, None)
        if other and other.types != field.types:
            yield f"type {_types(field)} became {_types(other)}"
        elif other:
            yield "label differs"


def _types(field: Field) -> str:
    return "+".join(field.types) or "none"


def _counted(count: int, one: str, several: str) -> str:
    return one if count == 1 else f"{count} {several}"
