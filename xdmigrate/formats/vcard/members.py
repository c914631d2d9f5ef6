"""The members of groups: their addresses renamed. Every other byte of the card stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xdmigrate.formats.vcard.cards import read
from xdmigrate.formats.vcard.fields import name_of
from xdmigrate.formats.vcard.lines import Line, rendered, written

_MAILTO = "mailto:"


def readdressed(data: bytes, rename: Callable[[str], str]) -> bytes:
    """With the addresses of members (`MEMBER:mailto:`) renamed; a contact's own EMAIL stays. Raises Unreadable."""

    def renamed(uri: str) -> str:
        scheme, address = uri[: len(_MAILTO)], uri[len(_MAILTO) :]
        return scheme + rename(address) if scheme.lower() == _MAILTO and address else uri

    card = read(data)
    lines = [_changed(line, renamed) if name_of(line) == "MEMBER" else line for line in card.lines]
    return data if lines == list(card.lines) else written(lines)


def _changed(line: Line, change: Callable[[str], str]) -> Line:
    before = line.value.decode("utf-8", "surrogateescape").strip()
    after = change(before)
    if after == before:
        return line
    new = replace(line, value=after.encode("utf-8", "surrogateescape"), raw=b"")
    return replace(new, raw=rendered(new))
