"""Google Takeout: one mbox holds everything, and X-Gmail-Labels tells in which folders a message is shown.

Each label is a folder; a message with several is one object in several folders (`Features.labels`), known by its id.
Labels that are states become flags. A message with no label that is a folder lies in the archive.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from email.errors import MessageError
from email.header import decode_header, make_header
from functools import lru_cache
from hashlib import sha256

from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Head, Item, Path, Role
from xdmigrate_files.mbox import Mbox
from xdmigrate_files.names import native
from xdmigrate_files.shelf import Lies

LABEL = "label"
MOST_LABELS = 1000
MOST_LEVELS = 20
"""Folders in each other; what a label has more is part of the last name."""

ROLES: dict[str, tuple[Path, Role]] = {
    "inbox": (("INBOX",), Role.INBOX),
    "sent": (("Sent",), Role.SENT),
    "draft": (("Drafts",), Role.DRAFTS),
    "drafts": (("Drafts",), Role.DRAFTS),
    "spam": (("Spam",), Role.JUNK),
    "trash": (("Trash",), Role.TRASH),
}
ARCHIVE: tuple[Path, Role] = (("Archive",), Role.ARCHIVE)
STATES = frozenset({"unread", "opened", "starred", "important", "archived"})
"""Labels that are no folders; "Category …" is none either."""


class Labelled:
    """One label over all mboxes that have labels."""

    def __init__(self, boxes: Sequence[Mbox], path: Path) -> None:
        self._boxes = boxes
        self._path = path

    @property
    def folder(self) -> Folder:
        digest, count = sha256(), 0
        for box in self._boxes:
            digest.update(box.folder.state)
            count += sum(number for field, number in box.label_counts().items() if self._path in paths_of(field))
        if not count:
            raise FolderUnusable(f"no message has the label {'/'.join(self._path)!r} any more")
        way = (level.encode("utf-8", "replace").replace(b"/", b"\0") for level in self._path)
        return Folder(
            self._path,
            native=f"{LABEL}:{native(tuple(way))}",
            count=count,
            role=role_of(self._path),
            subscribed=True,
            state=digest.digest()[:16],
        )

    def heads(self) -> Iterator[Head]:
        found: dict[bytes, Head] = {}
        for box in self._boxes:
            at = box.changed_at()
            for place in box.places():
                if self._path in paths_of(place.labels):
                    found.setdefault(place.ref, _shown(box.head(place, at), place.labels))
        return (found[ref] for ref in sorted(found))

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        left = list(dict.fromkeys(refs))
        for box in self._boxes:
            mine = {ref: place for ref in left if (place := box.find(ref)) is not None}
            left = [ref for ref in left if ref not in mine]
            for item in box.read(list(mine)):
                labels = mine[item.head.ref].labels
                if self._path in paths_of(labels):
                    yield replace(item, head=_shown(item.head, labels))

    def lies(self, ref: bytes) -> Lies | None:
        return next((lies for box in self._boxes if (lies := box.lies(ref)) is not None), None)


def folders_of(fields: Iterable[bytes]) -> list[Path]:
    """Every folder that these X-Gmail-Labels fields name, sorted."""
    return sorted({path for field in fields for path in paths_of(field)})


@lru_cache(maxsize=4096)
def labels_of(field: bytes) -> tuple[str, ...]:
    """The labels in one field: RFC 2047 words that hold comma-separated, quoted values."""
    try:
        text = str(make_header(decode_header(field.decode("utf-8", "replace"))))
        row = next(csv.reader([text], skipinitialspace=True), [])
    except (ValueError, LookupError, MessageError, csv.Error):
        return ()
    return tuple(label for each in row[:MOST_LABELS] if (label := " ".join(each.replace("\0", " ").split())))


@lru_cache(maxsize=4096)
def paths_of(field: bytes) -> frozenset[Path]:
    """The folders in which a message with this field is shown."""
    found = set()
    for label in labels_of(field):
        known = ROLES.get(label.lower())
        if known is not None:
            found.add(known[0])
        elif label.lower() not in STATES and not label.lower().startswith("category "):
            found.add(tuple(level for level in label.split("/", MOST_LEVELS - 1) if level) or (label,))
    return frozenset(found or {ARCHIVE[0]})


def flags_of(field: bytes) -> frozenset[str]:
    """What the labels say of a message's state: read unless it is unread."""
    said = {label.lower() for label in labels_of(field)}
    flags = set() if "unread" in said else {"\\Seen"}
    flags |= {"\\Flagged"} if "starred" in said else set()
    return frozenset(flags | ({"\\Draft"} if said & {"draft", "drafts"} else set()))


def role_of(path: Path) -> Role | None:
    """What a label's folder is for."""
    return next((role for known, role in (*ROLES.values(), ARCHIVE) if known == path), None)


def _shown(head: Head, labels: bytes) -> Head:
    return replace(head, flags=head.flags | flags_of(labels), identity=head.ref)
