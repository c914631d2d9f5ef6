"""The calendar objects and contacts of the corpus, each by itself as one program would hand it to another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.data import corpus
from xdmigrate.formats import ical, vcard
from xdmigrate.formats.refusal import Unreadable

_UID = re.compile(
    rb"^((?:UID|MEMBER|RELATED-TO)(?:;[^:\r\n]*)?(?:\r?\n[ \t])?:[ \t]*(?:urn:uuid:)?)([^\r\n]+)",
    re.MULTILINE | re.IGNORECASE,
)


def calendars() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every object of every calendar file; skips the test where the corpus is absent."""
    return _objects("ics", ical.split)


def contacts() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every card; skips the test where the corpus is absent."""
    return _objects("vcf", vcard.cards)


def _objects(part: str, split: Callable[[bytes], list[bytes]]) -> Iterator[tuple[str, bytes]]:
    """An account holds a UID once: one that an earlier file or object has used gets a number in front."""
    used: set[bytes] = set()
    for number, path in enumerate(_files(part)):
        with suppress(Unreadable):
            again = {uid for _, uid in _UID.findall(path.read_bytes())} & used
            for at, data in enumerate(split(path.read_bytes())):
                renamed = _renamed(data, again, b"%d-" % number)
                own = {uid for name, uid in _UID.findall(renamed) if name[:3].upper() == b"UID"}
                found = _renamed(renamed, own & used, b"%d-%d-" % (number, at))
                yield f"{part}/{path.parent.name}/{path.name}#{at}", found
                used |= own


def _renamed(data: bytes, uids: set[bytes], mark: bytes) -> bytes:
    return _UID.sub(lambda found: b"%s%s%s" % (found[1], mark * (found[2] in uids), found[2]), data)


def _files(part: str) -> list[Path]:
    return sorted(path for path in (corpus.require() / part).glob("**/*") if path.is_file())
