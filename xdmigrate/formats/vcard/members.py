"""The members of groups: their addresses renamed, their UIDs remapped. Every other byte of the card stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from xdmigrate.formats.vcard.cards import read
from xdmigrate.formats.vcard.fields import name_of
from xdmigrate.formats.vcard.lines import Line, rendered, written
from xdmigrate.formats.vcard.naming import bare_uid

_MAILTO = "mailto:"


def readdressed(data: bytes, rename: Callable[[str], str]) -> bytes:
    """With the addresses of members (`MEMBER:mailto:`) renamed; a contact's own EMAIL stays. Raises Unreadable."""

    def renamed(uri: str) -> str:
        scheme, address = uri[: len(_MAILTO)], uri[len(_MAILTO) :]
        return scheme + rename(address) if scheme.lower() == _MAILTO and address else uri

    return _with(data, ("MEMBER",), renamed)


def remembered(data: bytes, uids: Mapping[str, str]) -> bytes:
    """With the UIDs of members and related contacts remapped; both without `urn:uuid:`. Raises Unreadable."""

    def moved(uri: str) -> str:
        bare = bare_uid(uri)
        return uri.removesuffix(bare) + uids[bare] if bare in uids else uri

    return _with(data, ("MEMBER", "RELATED"), moved)


def _with(data: bytes, names: tuple[str, ...], change: Callable[[str], str]) -> bytes:
    card = read(data)
    lines = [_changed(line, change) if name_of(line) in names else line for line in card.lines]
    return data if lines == list(card.lines) else written(lines)


def _changed(line: Line, change: Callable[[str], str]) -> Line:
    before = line.value.decode("utf-8", "surrogateescape").strip()
    after = change(before)
    if after == before:
        return line
    new = replace(line, value=after.encode("utf-8", "surrogateescape"), raw=b"")
    return replace(new, raw=rendered(new))
