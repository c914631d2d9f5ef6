"""Calendars and address books: a directory with one file for each item, or one file with all of them.

A directory of files with one item each is a folder (vdir); a file with several is a folder of its own. As a target
every item is a file called by its title and a digest of its UID, and what changes is written in its place.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from threading import Lock

from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied, FolderUnusable, ItemRefused
from xdmigrate.model import Body, FlagChange, Folder, Head, HeldBody, Item, Kind, Path, RefusedBody
from xdmigrate_files import msg
from xdmigrate_files.bodies import UNREADABLE, unreadable
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.msg import MsgFiles, is_msg
from xdmigrate_files.names import native
from xdmigrate_files.objects import CALENDAR_ENDING, CARD_ENDING, Part, parts, uid_of
from xdmigrate_files.onefile import suffix_of, taken_back, write_file
from xdmigrate_files.shelf import Draft, Lies, ref_of
from xdmigrate_files.titles import title_of
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

    def __init__(self, msgs: MsgFiles) -> None:
        self._lock = Lock()
        self._known: dict[tuple[int, int, int, int, bytes], tuple[Fact, ...]] = {}
        self.msgs = msgs

    def of(self, tree: Tree, rel: Rel, look: os.stat_result | None = None) -> tuple[Fact, ...]:
        """The items of a file; none when it is gone. `look`: what it is, where that is known."""
        look = look or tree.look(rel)
        if look is None:
            return ()
        key = (look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns, rel[-1])
        with self._lock:
            known = self._known.get(key)
        if known is None:
            try:
                known = tuple(Fact(part, ref) for part, ref in _items_of(tree, rel, self.msgs))
            except (AccessDenied, FolderUnusable):  # that may change while the file does not
                return (Fact(*_closed(rel)),)
            with self._lock:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = known
        return known


def items_of(tree: Tree, rel: Rel, msgs: MsgFiles) -> list[tuple[Part, bytes]]:
    """The items of a file with their ids: of its name where it holds one, of their UIDs where it holds several.

    A file that cannot be read counts as one item, which is refused.
    """
    try:
        return _items_of(tree, rel, msgs)
    except (AccessDenied, FolderUnusable):
        return [_closed(rel)]


def _closed(rel: Rel) -> tuple[Part, bytes]:
    kind = Kind.CONTACTS if suffix_of(rel[-1]) == CARD_ENDING else Kind.CALENDAR
    return Part(kind, b"", b"", (UNREADABLE, unreadable().message)), ref_of(rel[-1])


def _items_of(tree: Tree, rel: Rel, msgs: MsgFiles) -> list[tuple[Part, bytes]]:
    if is_msg(rel[-1]):
        kind = kind_of_msg(tree, rel, msgs)
        return [(_of_outlook(tree, rel, kind, msgs), ref_of(rel[-1]))] if kind else []
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


def kind_of_msg(tree: Tree, rel: Rel, msgs: MsgFiles) -> Kind | None:
    """What an Outlook file holds that is no mail; None where it holds mail, or what is left out."""
    fact = msgs.fact(tree, rel)
    return fact.kind if fact is not None and fact.kind in ENDINGS else None


def _of_outlook(tree: Tree, rel: Rel, kind: Kind, msgs: MsgFiles) -> Part:
    """What is made of such a file; an item that becomes nothing has no bytes, and the reason for a version."""
    fact, data = msgs.object(tree, rel)
    return Part(kind, uid_of(data), data, fact.refused)


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
        self._apart: tuple[tuple[int, int, int], list[tuple[Part, bytes]]] | None = None  # the one file, taken apart

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
        by_file: dict[Rel, set[bytes]] = {}
        for ref in dict.fromkeys(refs):
            if ref in self._files:
                by_file.setdefault(self._files[ref], set()).add(ref)
        for rel, wanted in by_file.items():
            for part, ref in self._items_of(rel):
                if ref in wanted and part.kind is self._kind:
                    yield Item(Fact(part, ref).head, _body(part), self._kind)

    def _items_of(self, rel: Rel) -> list[tuple[Part, bytes]]:
        """A file of many items is asked for a few at a time: it is taken apart once, as long as it is what it was."""
        if not self._one_file:
            return items_of(self._tree, rel, self._facts.msgs)
        look = self._tree.look(rel)
        key = (look.st_ino, look.st_size, look.st_mtime_ns) if look else (0, 0, 0)
        if self._apart is None or self._apart[0] != key:
            self._apart = key, items_of(self._tree, rel, self._facts.msgs)
        return self._apart[1]

    def lies(self, ref: bytes) -> Lies | None:
        self._list()
        rel = self._files.get(ref)
        return Lies(rel) if rel and not self._one_file and not is_msg(rel[-1]) else None

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
        found, self._files = [], {}
        for rel, look in [(self._rel, None)] if self._one_file else self._single_files():
            facts = self._facts.of(self._tree, rel, look)
            for fact in facts if self._one_file or len(facts) == 1 else ():
                if fact.kind is self._kind and fact.ref not in self._files:
                    self._files[fact.ref] = rel
                    found.append(fact)
        return found

    def _single_files(self) -> Iterator[tuple[Rel, os.stat_result | None]]:
        ending = ENDINGS[self._kind]
        names = [entry.name for entry in self._tree.entries(self._rel) if not entry.is_dir]
        wanted = (name for name in names if _may_hold(name, ending))
        return (((*self._rel, name), look) for name, look in self._tree.looks(self._rel, wanted))

    def _add(self, draft: Draft, known: dict[bytes, Fact], uids: dict[bytes, bytes]) -> Receipt:
        data = b"".join(draft.blocks())
        if unfit := _unfit(data, self._kind):
            return Refused(draft.ticket, *unfit)
        uid, over = uid_of(data), draft.over
        if over is not None:
            now = known.get(over.ref)
            if now is None or now.version != over.version:
                return Refused(draft.ticket, CHANGED_THERE, "the file is not what was written")
            name = self._files[over.ref][-1]
            if is_msg(name):
                return Refused(
                    draft.ticket, CHANGED_THERE, "the item is a file of Outlook's, and those are not written"
                )
        else:
            name = self._name(data, uid)
        other = uids.get(uid)
        if (other is not None and (over is None or other != over.ref)) or (over is None and self._is_there(name)):
            return Refused(draft.ticket, UID_TAKEN, "there is an item of this UID in the folder")
        self._write(draft, name, data)
        fact = Fact(Part(self._kind, uid, data), ref_of(name))
        known[fact.ref], self._files[fact.ref] = fact, (*self._rel, name)
        if uid:
            uids[uid] = fact.ref
        return Stored(draft.ticket, fact.ref)

    def _name(self, data: bytes, uid: bytes) -> bytes:
        """The title that it has now, and a digest of its UID."""
        digest = sha256(uid or os.urandom(16)).hexdigest()[:32]
        return (" ".join(filter(None, (title_of(data, self._kind), digest))) + ENDINGS[self._kind]).encode()

    def _is_there(self, name: bytes) -> bool:
        return self._tree.look((*self._rel, name)) is not None

    def _write(self, draft: Draft, name: bytes, data: bytes) -> None:
        hidden = _MAKING + os.urandom(8).hex().encode()
        Manifest(self._tree, (*self._rel, Manifest.NAME)).items([(draft, ref_of(name), name)])
        try:
            with self._tree.directory(self._rel) as fd:
                write_file(fd, self._tree, hidden, [data], time.time())
                with taken_back(fd, [hidden]):
                    os.rename(hidden, name, src_dir_fd=fd, dst_dir_fd=fd)
                os.fsync(fd)
        except OSError as error:
            raise told(error, self._rel) from error


def _unfit(data: bytes, kind: Kind) -> tuple[str, str] | None:
    """Why an item would not be found in its folder again: a file that holds several is a folder of its own."""
    if len(data) > LARGEST:
        return "too-big", f"files take items of up to {LARGEST} bytes"
    part, *others = parts(data, ENDINGS[kind])
    if others:
        return "several-objects", "there are several objects in it"
    return None if part.kind is kind else ("no-component", f"there is nothing of the kind {kind.value} in it")


def _body(part: Part) -> Body:
    reason, why = part.refused
    if reason in {"", UNREADABLE}:
        return HeldBody(part.data) if part.data else RefusedBody(unreadable())
    remedy = "change it in Outlook, or make it anew on the target"
    return RefusedBody(ItemRefused(why, reason=reason, remedy=remedy))


def _may_hold(name: bytes, ending: str) -> bool:
    return (is_item(name) and suffix_of(name) == ending) or (is_msg(name) and msg.available())


def is_item(name: bytes) -> bool:
    """Whether a file of this name may hold events, tasks or cards."""
    return not name.startswith(b".") and suffix_of(name) in {CALENDAR_ENDING, CARD_ENDING}
