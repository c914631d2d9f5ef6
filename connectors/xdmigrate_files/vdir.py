"""Calendars and address books: a directory with one file for each item, or one file with all of them.

A directory of files with one item each is a folder (vdir); a file with several is a folder of its own. As a target
every item is a file called by a digest of its UID, and what changes is written in its place.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from threading import Lock

from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Receipt, Refused, Stored
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import FlagChange, Folder, Head, HeldBody, Item, Kind, Path
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.names import native
from xdmigrate_files.objects import CALENDAR_ENDING, CARD_ENDING, Part, parts, uid_of
from xdmigrate_files.onefile import suffix_of, write_file
from xdmigrate_files.shelf import Draft, Lies, ref_of
from xdmigrate_files.tree import Rel, Tree, told

LARGEST = 100_000_000
"""Bytes of a file that is read whole; a larger one is no calendar."""

ENDINGS = {Kind.CALENDAR: CALENDAR_ENDING, Kind.TASKS: CALENDAR_ENDING, Kind.CONTACTS: CARD_ENDING}
_MAKING = b".xdmigrate-"
_REMEMBERED = 200_000


class Fact:
    """What is known of one item without its bytes."""

    __slots__ = ("kind", "ref", "size", "uid", "version")

    def __init__(self, part: Part, ref: bytes) -> None:
        self.kind = part.kind
        self.ref = ref
        self.size = len(part.data)
        self.uid = part.uid
        self.version = part.version

    @property
    def head(self) -> Head:
        """As it is listed."""
        return Head(self.ref, self.size, version=self.version)


class Facts:
    """What the files of this process hold, remembered by what a file is. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[int, int, int, int, bytes], tuple[Fact, ...]] = {}

    def of(self, tree: Tree, rel: Rel) -> tuple[Fact, ...]:
        """The items of a file; none when it is gone."""
        look = tree.look(rel)
        if look is None:
            return ()
        key = (look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns, rel[-1])
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = tuple(Fact(part, ref) for part, ref in items_of(tree, rel))
            with self._lock:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = known
        return known


def items_of(tree: Tree, rel: Rel) -> list[tuple[Part, bytes]]:
    """The items of a file with their ids: of its name where it holds one, of their UIDs where it holds several."""
    data = tree.content(rel, LARGEST)
    if data is None:
        return []
    found = parts(data, suffix_of(rel[-1]))
    if len(found) == 1:
        return [(found[0], ref_of(rel[-1]))]
    seen: Counter[bytes] = Counter()
    named = []
    for part in found:
        name = part.uid or part.version
        named.append((part, ref_of(name, b"%d" % seen[name])))
        seen[name] += 1
    return named


class Collection:
    """One folder of one kind: the single items of a directory, or the items of one file."""

    def __init__(self, tree: Tree, rel: Rel, path: Path, kind: Kind, facts: Facts, *, one_file: bool) -> None:
        self._tree = tree
        self._rel = rel
        self._path = path
        self._kind = kind
        self._facts = facts
        self._one_file = one_file
        self._files: dict[bytes, Rel] = {}  # id -> file, as last listed

    @property
    def folder(self) -> Folder:
        if self._tree.look(self._rel) is None:
            raise FolderUnusable(f"folder {'/'.join(self._path)!r} is gone")
        heads = list(self.heads())
        digest = sha256(b"".join(head.ref + head.version for head in heads))
        return Folder(
            self._path,
            self._kind,
            native=f"{self._kind.value}{'-file' if self._one_file else ''}:{native(self._rel)}",
            count=len(heads),
            subscribed=True,
            state=digest.digest()[:16],
        )

    def heads(self) -> Iterator[Head]:
        return iter(sorted((fact.head for fact in self._list()), key=lambda head: head.ref))

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        self._list()
        by_file: dict[Rel, list[bytes]] = {}
        for ref in dict.fromkeys(refs):
            if ref in self._files:
                by_file.setdefault(self._files[ref], []).append(ref)
        for rel, wanted in by_file.items():
            for part, ref in items_of(self._tree, rel):
                if ref in wanted and part.kind is self._kind:
                    yield Item(Fact(part, ref).head, HeldBody(part.data), self._kind)

    def lies(self, ref: bytes) -> Lies | None:
        self._list()
        rel = self._files.get(ref)
        return Lies(rel) if rel and not self._one_file else None

    def add(self, drafts: Sequence[Draft]) -> list[Receipt]:
        if self._one_file:
            raise FolderUnusable(f"folder {'/'.join(self._path)!r} is one file, and files are not written into")
        known = {fact.ref: fact for fact in self._list()}
        uids = {fact.uid: fact.ref for fact in known.values() if fact.uid}
        return [self._add(draft, known, uids) for draft in drafts]

    def change_flags(self, changes: Sequence[FlagChange]) -> None:
        """Events, tasks and cards have none."""

    def remove(self, refs: Sequence[bytes]) -> None:
        if self._one_file:
            raise FolderUnusable(f"folder {'/'.join(self._path)!r} is one file, and files are not written into")
        self._list()
        for ref in refs:
            if ref in self._files:
                self._tree.unlink(self._files.pop(ref))

    def _list(self) -> list[Fact]:
        """The items of this kind; a file that holds several is another folder."""
        files = [self._rel] if self._one_file else self._single_files()
        found, self._files = [], {}
        for rel in files:
            facts = self._facts.of(self._tree, rel)
            for fact in facts if self._one_file or len(facts) == 1 else ():
                if fact.kind is self._kind and fact.ref not in self._files:
                    self._files[fact.ref] = rel
                    found.append(fact)
        return found

    def _single_files(self) -> list[Rel]:
        ending = ENDINGS[self._kind]
        names = [entry.name for entry in self._tree.entries(self._rel) if not entry.is_dir]
        return [(*self._rel, name) for name in names if is_item(name) and suffix_of(name) == ending]

    def _add(self, draft: Draft, known: dict[bytes, Fact], uids: dict[bytes, bytes]) -> Receipt:
        data = b"".join(draft.blocks())
        if len(data) > LARGEST:
            return Refused(draft.ticket, "too-big", f"files take items of up to {LARGEST} bytes")
        uid, over = uid_of(data), draft.over
        if over is not None:
            now = known.get(over.ref)
            if now is None or now.version != over.version:
                return Refused(draft.ticket, CHANGED_THERE, "the file is not what was written")
            name = self._files[over.ref][-1]
        else:
            name = sha256(uid or os.urandom(16)).digest()[:16].hex().encode() + ENDINGS[self._kind].encode()
        other = uids.get(uid)
        if (other is not None and (over is None or other != over.ref)) or (over is None and self._is_there(name)):
            return Refused(draft.ticket, UID_TAKEN, "there is an item of this UID in the folder")
        self._write(draft, name, data)
        part = Part(self._kind, uid, data)
        fact = Fact(part, ref_of(name))
        known[fact.ref], self._files[fact.ref] = fact, (*self._rel, name)
        if uid:
            uids[uid] = fact.ref
        return Stored(draft.ticket, fact.ref)

    def _is_there(self, name: bytes) -> bool:
        return self._tree.look((*self._rel, name)) is not None

    def _write(self, draft: Draft, name: bytes, data: bytes) -> None:
        hidden = _MAKING + os.urandom(8).hex().encode()
        Manifest(self._tree, (*self._rel, Manifest.NAME)).items([(draft, ref_of(name), name)])
        try:
            with self._tree.directory(self._rel) as fd:
                write_file(fd, self._tree, hidden, [data], time.time())
                os.rename(hidden, name, src_dir_fd=fd, dst_dir_fd=fd)
                os.fsync(fd)
        except OSError as error:
            raise told(error, self._rel) from error


def is_item(name: bytes) -> bool:
    """Whether a file of this name may hold events, tasks or cards."""
    return not name.startswith(b".") and suffix_of(name) in {CALENDAR_ENDING, CARD_ENDING}
