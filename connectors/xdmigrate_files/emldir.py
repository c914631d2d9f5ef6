"""A directory of .eml files: a folder with one file for each message. Flags stand in the manifest, dates are mtime.

Outlook's .msg may lie among them (`msg`).

As a target a file is called "DATE-TIME SUBJECT DIGEST.eml". An id is a digest of the file's name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from hashlib import sha256
from threading import Lock

from xdmigrate.contract import Receipt, Stored
from xdmigrate.model import FlagChange, Folder, Head, Item, Kind, Path
from xdmigrate_files import flags as spelling
from xdmigrate_files import msg
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.msg import MsgFiles, is_msg
from xdmigrate_files.names import native
from xdmigrate_files.onefile import New, Sizes, mail_of, moment, suffix_of, taken_back, write_files
from xdmigrate_files.outlook import OTHERS
from xdmigrate_files.shelf import Draft, Lies, changed, mail_folder, ref_of
from xdmigrate_files.titles import BEGINNING, title_of
from xdmigrate_files.tree import Rel, Tree, told

EML = "eml"
ENDING = ".eml"
MAKING = b".xdmigrate-"
"""How a file is called until it is whole."""

_naming = Lock()
"""Two sessions may give equal messages their names at the same time."""


class EmlFolder:
    """One folder: the .eml files of a directory."""

    def __init__(self, tree: Tree, rel: Rel, path: Path, sizes: Sizes, msgs: MsgFiles) -> None:
        self._tree = tree
        self._rel = rel
        self._path = path
        self._sizes = sizes
        self._msgs = msgs
        self._names: dict[bytes, bytes] = {}  # id -> name, as last listed
        self._manifest = Manifest(tree, (*rel, Manifest.NAME))

    @property
    def folder(self) -> Folder:
        names = self._list()
        digest = sha256(self._manifest.mark)
        for name, look in self._tree.looks(self._rel, names):
            digest.update(b"%s\0%d:%d:%d\0" % (name, look.st_ino, look.st_size, look.st_mtime_ns))
        return mail_folder(self._path, f"{EML}:{native(self._rel)}", len(names), digest.digest())

    def heads(self) -> Iterator[Head]:
        self._list()
        self._manifest.refresh()
        refs = {self._names[ref]: ref for ref in sorted(self._names)}
        for name, look in self._tree.looks(self._rel, refs):
            head = self._known_head(refs[name], name, look)
            if head is None and (item := self._item(refs[name])) is not None:
                head = item.head
            if head is not None:
                yield head

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        if not all(ref in self._names for ref in refs):
            self._list()
        self._manifest.refresh()
        for ref in dict.fromkeys(refs):
            item = self._item(ref)
            if item is not None:
                yield item

    def lies(self, ref: bytes) -> Lies | None:
        if ref not in self._names:
            self._list()
        name = self._names.get(ref)
        return Lies((*self._rel, name)) if name is not None and is_eml(name) else None

    def add(self, drafts: Sequence[Draft]) -> list[Receipt]:
        stored: list[tuple[Draft, bytes, bytes]] = []
        with self._tree.directory(self._rel) as fd:
            try:
                made = [MAKING + os.urandom(8).hex().encode() for _ in drafts]
                wanted = zip(made, drafts, strict=True)
                write_files(fd, self._tree, (New(hidden, draft.blocks(), draft.moment) for hidden, draft in wanted))
                with taken_back(fd, made), _naming:
                    for draft, hidden in zip(drafts, made, strict=True):
                        stored.append((draft, hidden, _free_name(fd, draft, {name for _, _, name in stored})))
                    self._manifest.items((draft, ref_of(name), name) for draft, _, name in stored)
                    for _, hidden, name in stored:
                        os.rename(hidden, name, src_dir_fd=fd, dst_dir_fd=fd)
                os.fsync(fd)
            except OSError as error:
                raise told(error, self._rel) from error
        self._names |= {ref_of(name): name for _, _, name in stored}
        return [Stored(draft.ticket, ref_of(name)) for draft, _, name in stored]

    def change_flags(self, changes: Sequence[FlagChange]) -> None:
        known = {change.ref: change for change in changes}
        items = {head.ref: head.flags for head in self.heads() if head.ref in known}
        self._manifest.flags((ref, spelling.kept(changed(flags, known[ref]))) for ref, flags in items.items())

    def remove(self, refs: Sequence[bytes]) -> None:
        if refs:
            self._list()
        for ref in refs:
            if ref in self._names:
                self._tree.unlink((*self._rel, self._names.pop(ref)))

    def _list(self) -> list[bytes]:
        entries = self._tree.entries(self._rel)
        names = [each.name for each in entries if not each.is_dir and self._is_mail(each.name)]
        self._names = {ref_of(name): name for name in names}
        return names

    def _is_mail(self, name: bytes) -> bool:
        if is_eml(name) or not (is_msg(name) and msg.available()):
            return is_eml(name)
        fact = self._msgs.fact(self._tree, (*self._rel, name))
        if fact is not None and fact.kind is None:
            self._tree.leave_out(OTHERS, (*self._rel, name))
        return fact is not None and fact.kind is Kind.MAIL

    def _known_head(self, ref: bytes, name: bytes, look: os.stat_result) -> Head | None:
        """Without opening a file that is what it was when it was read: each range is followed by a whole listing."""
        measured = None if is_msg(name) or not stat.S_ISREG(look.st_mode) else self._sizes.known(look)
        if measured is None:
            return None
        return Head(ref, measured.size, self._manifest.flags_of(ref) or frozenset(), moment(look.st_mtime))

    def _item(self, ref: bytes) -> Item | None:
        name, noted = self._names.get(ref), self._manifest.flags_of(ref)
        if name is None:
            return None
        if is_msg(name):
            return self._msgs.item(self._tree, (*self._rel, name), ref, noted)
        return mail_of(self._tree, self._sizes, (*self._rel, name), ref, noted or frozenset())


def is_eml(name: bytes) -> bool:
    """Whether a file of this name is a message."""
    return suffix_of(name) == ENDING and not name.startswith(b".")


def _free_name(fd: int, draft: Draft, taken: set[bytes]) -> bytes:
    """Date, time, subject and the beginning of the digest; something of chance where there is such a file already."""
    title = title_of(draft.beginning(BEGINNING), Kind.MAIL)
    stem = " ".join(filter(None, (f"{moment(draft.moment):%Y%m%d-%H%M%S}", title, draft.digest.hex()[:12])))
    name = f"{stem}{ENDING}".encode()
    while name in taken or _exists(fd, name):
        name = f"{stem}-{os.urandom(4).hex()}{ENDING}".encode()
    return name


def _exists(fd: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
