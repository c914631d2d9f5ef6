"""Which folders lie below a root: every Maildir, mbox, directory of .eml, calendar and address book there is.

One walk, a directory at a time, never by a link. What is hidden, too deep or no folder of any format is left out; what
a technician should know of that is counted by `Tree.leave_out`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from json import loads

from xdmigrate.errors import ExtraMissing, FolderUnusable, XdmigrateError
from xdmigrate.model import Folder, Kind, Path
from xdmigrate_files import emldir, labels, maildir, mbox, msg, pst, vdir
from xdmigrate_files.boxindex import Indexes
from xdmigrate_files.emldir import EmlFolder, is_eml
from xdmigrate_files.labels import Labelled, folders_of
from xdmigrate_files.maildir import Maildir
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.mbox import Mbox
from xdmigrate_files.msg import MsgFiles, is_msg
from xdmigrate_files.names import folded, level, maildir_level, native, rel_of, shown_level
from xdmigrate_files.onefile import Sizes, suffix_of
from xdmigrate_files.outlook import DELETED, OTHERS
from xdmigrate_files.pst import Listings, PstFolder
from xdmigrate_files.scan import BEGINNING, SEPARATOR
from xdmigrate_files.settings import Format, Settings
from xdmigrate_files.shelf import Shelf, is_inbox
from xdmigrate_files.tree import DEEPEST, Entry, Rel, Tree
from xdmigrate_files.vdir import Collection, Facts, is_item

INBOX: Path = ("INBOX",)
BOX_ENDINGS = frozenset({".mbox", ".mbx"})
NO_BOX = frozenset({
    ".eml", ".ics", ".vcf", ".pst", ".msg", ".msf", ".jsonl", ".appending", ".html", ".htm", ".json", ".csv", ".txt",
    ".pdf", ".zip", ".gz",
})  # fmt: skip
"""Endings of files that are not opened to see whether they are an mbox."""

THUNDERBIRD = b".sbd"
WRAPPED = b"mbox"
"""Apple Mail keeps a folder as a directory NAME.mbox with this file in it."""

DIRECTORY = "dir"


@dataclass(slots=True)
class Memory:
    """What the sessions of one process have learnt about files and share."""

    sizes: Sizes = field(default_factory=Sizes)
    indexes: Indexes = field(default_factory=Indexes)
    psts: Listings = field(default_factory=Listings)
    msgs: MsgFiles = field(default_factory=MsgFiles)
    facts: Facts = field(init=False)

    def __post_init__(self) -> None:
        self.facts = Facts(self.msgs)


@dataclass(slots=True)
class Found:
    """The folders of one walk: what can be opened, and directories that only hold others."""

    shelves: list[Shelf] = field(default_factory=list)
    boxes: list[Mbox] = field(default_factory=list)  # with labels
    above: list[tuple[Path, Rel]] = field(default_factory=list)


class Layout:
    """The folders below one root."""

    def __init__(self, tree: Tree, settings: Settings, memory: Memory) -> None:
        self.tree = tree
        self.settings = settings
        self.memory = memory

    def folders(self) -> list[Folder]:
        """All of them, sorted by path; of two with one path the later gets a number."""
        found = self._found()
        listed = [folder for shelf in self._with_labels(found) if (folder := self._of(shelf)) is not None]
        taken = {each.path for each in listed}
        listed += [
            Folder(path, native=f"{DIRECTORY}:{native(rel)}", selectable=False, subscribed=True)
            for path, rel in found.above
            if path not in taken
        ]
        return _apart(sorted(listed, key=lambda each: (each.path, each.kind is not Kind.MAIL, each.kind, each.native)))

    def shelf(self, folder: Folder) -> Shelf:
        """The folder itself, by what it is called here. Raises FolderUnusable."""
        kind, _, way = folder.native.partition(":")
        rel, path = rel_of(way), folder.path
        if kind == maildir.MAILDIR:
            return self._maildir(rel, path)
        if kind == mbox.MBOX:
            return self._mbox(rel, path)
        if kind == emldir.EML:
            return self._eml(rel, path)
        if kind.partition("-")[0] == pst.PST and b"" in rel:
            edge = rel.index(b"")
            inner = tuple(each.replace(b"\0", b"/").decode("utf-8", "replace") for each in rel[edge + 1 :])
            return PstFolder(self.tree, rel[:edge], (inner, folder.kind), path, self.memory.psts)
        if kind == labels.LABEL:
            levels = (name.replace(b"\0", b"/").decode("utf-8", "replace") for name in rel)
            return Labelled(self._found().boxes, tuple(levels))
        name, _, one_file = kind.partition("-")
        if name in vdir.ENDINGS:
            return self._collection(rel, path, Kind(name), one_file=bool(one_file))
        raise FolderUnusable(f"folder {'/'.join(path)!r} does not exist")

    def has_labels(self) -> bool:
        """Whether any mbox tells labels."""
        return bool(self._found().boxes)

    def _of(self, shelf: Shelf) -> Folder | None:
        """A folder that cannot be read is told and left out: the others are there all the same."""
        try:
            return shelf.folder
        except XdmigrateError as error:
            self.tree.leave_out("unreadable folders", (error.message.encode("utf-8", "replace"),))
            return None

    def _with_labels(self, found: Found) -> Iterator[Shelf]:
        yield from found.shelves
        fields = {each for box in found.boxes for each in box.labels()}
        for path in folders_of(fields):
            yield Labelled(found.boxes, path)

    # --- the walk -------------------------------------------------------------------------------------------------

    def _found(self) -> Found:
        found = Found()
        self._walk((), (), found)
        return found

    def _walk(self, rel: Rel, path: Path, found: Found) -> bool:
        """Take up a directory; whether there is any folder in it."""
        if len(rel) > DEEPEST:
            self.tree.leave_out("directories that are too deep", rel)
            return False
        try:
            entries = self.tree.entries(rel)
        except XdmigrateError:
            if rel:
                self.tree.leave_out("unreadable directories", rel)
            elif os.path.lexists(self.tree.root):
                raise
            return False  # without a root: a target that is not made yet
        before = len(found.shelves) + len(found.boxes)
        below = [each for each in entries if each.is_dir]
        is_maildir = self._is_maildir(rel)
        if is_maildir:
            found.shelves.append(self._maildir(rel, path or INBOX))
            below = [each for each in below if each.name not in {b"cur", b"new", b"tmp"}]
        self._files(rel, path, [each.name for each in entries if not each.is_dir], found)
        for each in below:
            self._below(rel, path, each, found, is_maildir=is_maildir)
        if len(found.shelves) + len(found.boxes) == before:
            return False
        if path and not is_maildir:
            found.above.append((path, rel))
        return True

    def _below(self, rel: Rel, path: Path, entry: Entry, found: Found, *, is_maildir: bool) -> None:
        inner = (*rel, entry.name)
        if entry.name.startswith(b"."):
            if self._is_maildir(inner):
                levels = tuple(maildir_level(each) for each in entry.name[1:].split(b".") if each)
                found.shelves.append(self._maildir(inner, path + levels if levels else INBOX))
            else:
                self.tree.leave_out("hidden directories", inner)
            return
        inner_name = entry.name.removesuffix(THUNDERBIRD)
        if self._wants(Format.MBOX) and self._is_apples(inner):
            inner_name = entry.name[: -len(mbox.ENDING)]
        holds_mail = is_maildir or self._is_maildir(inner)
        name = maildir_level(inner_name) if holds_mail else level(inner_name)
        self._walk(inner, INBOX if is_inbox((*path, name)) else (*path, name), found)

    def _files(self, rel: Rel, path: Path, names: list[bytes], found: Found) -> None:
        kind = self._marked(rel) if Manifest.NAME in names else None
        if self._wants(Format.EML) and (kind is Kind.MAIL or any(self._is_mail((*rel, name)) for name in names)):
            found.shelves.append(self._eml(rel, path or INBOX))
        for name in names if self._wants(Format.MBOX) else ():
            if self._is_box((*rel, name)):
                self._take_box((*rel, name), path, found)
        self._objects(rel, path, names, kind, found)
        for name in names:
            if suffix_of(name) in pst.ENDINGS:
                self._take_pst((*rel, name), path, found)
            elif is_msg(name) and not msg.available():
                self.tree.leave_out("files of Outlook's (.msg; they need xdmigrate[pst])", (*rel, name))

    def _objects(self, rel: Rel, path: Path, names: list[bytes], marked: Kind | None, found: Found) -> None:
        single = {marked} & set(vdir.ENDINGS)
        files = ((*rel, name) for name in names if is_msg(name) and msg.available())
        single |= {vdir.kind_of_msg(self.tree, each, self.memory.msgs) for each in files}
        for name in filter(is_item, names):
            try:
                facts = self.memory.facts.of(self.tree, (*rel, name))
            except ExtraMissing:
                raise
            except XdmigrateError:
                facts = ()
            if not facts:
                self.tree.leave_out("calendars and cards that are unreadable or too large", (*rel, name))
            kinds = {fact.kind for fact in facts}
            if len(facts) == 1:
                single |= kinds
                continue
            for kind in sorted(kinds):
                own = (*path, level(os.path.splitext(name)[0]))
                found.shelves.append(self._collection((*rel, name), own, kind, one_file=True))
        for kind in sorted(each for each in single if each is not None):
            found.shelves.append(self._collection(rel, path or (kind.value.capitalize(),), kind))

    def _take_box(self, rel: Rel, path: Path, found: Found) -> None:
        stem, ending = os.path.splitext(rel[-1])
        name = level(stem if ending.lower().decode("latin-1") in BOX_ENDINGS else rel[-1])
        own = path if rel[-1] == WRAPPED and path and rel[-2].endswith(mbox.ENDING) else (*path, name)
        box = self._mbox(rel, INBOX if is_inbox(own) else own)
        try:
            told = bool(box.labels())
        except XdmigrateError:
            self.tree.leave_out("unreadable folders", rel)
            return
        (found.boxes if told else found.shelves).append(box)

    def _take_pst(self, rel: Rel, path: Path, found: Found) -> None:
        if not pst.available():
            self.tree.leave_out("files of Outlook's (.pst; they need xdmigrate[pst])", rel)
            return
        try:
            listing = self.memory.psts.of(self.tree, rel)
        except XdmigrateError:
            self.tree.leave_out("unreadable files", rel)
            return
        if listing.broken:
            self.tree.leave_out("files of Outlook's (.pst) that crash their reader", rel)
        for what, count in ((OTHERS, listing.others), (DELETED, listing.deleted)):
            for number in range(count):
                self.tree.leave_out(what, (*rel, b"%d" % number))
        above = path if self.tree.only else (*path, level(os.path.splitext(rel[-1])[0]))
        for inner in listing.folders:
            own = (*above, *map(shown_level, inner[0])) or (INBOX if inner[1] is Kind.MAIL else (inner[1].value,))
            found.shelves.append(PstFolder(self.tree, rel, inner, INBOX if is_inbox(own) else own, self.memory.psts))

    # --- what is what ---------------------------------------------------------------------------------------------

    def _wants(self, wanted: Format) -> bool:
        return self.settings.format in {None, wanted}

    def _is_box(self, rel: Rel) -> bool:
        """A file that begins as an mbox does, or is called so and empty."""
        ending = suffix_of(rel[-1])
        if rel[-1].startswith(b".") or ending in NO_BOX:
            return False
        begins = self._beginning(rel, BEGINNING)
        if begins is None:
            return False
        return begins.lstrip(b"\r\n").startswith(SEPARATOR) or (not begins and ending in BOX_ENDINGS)

    def _beginning(self, rel: Rel, limit: int) -> bytes | None:
        """The first bytes of a file; None when it is none, or, which is told, cannot be read."""
        try:
            return self.tree.beginning(rel, limit)
        except XdmigrateError:
            self.tree.leave_out("unreadable files", rel)
            return None

    def _is_maildir(self, rel: Rel) -> bool:
        """`new` alone is a word like any other, unless the directory is called as Maildir++ calls its folders."""
        if not self._wants(Format.MAILDIR):
            return False
        dotted = bool(rel) and rel[-1].startswith(b".")
        try:
            cur, new, tmp = (self.tree.look((*rel, name)) for name in (b"cur", b"new", b"tmp"))
        except XdmigrateError:
            return False
        return bool(cur or (new and (tmp or dotted)))

    def _is_apples(self, rel: Rel) -> bool:
        return rel[-1].endswith(mbox.ENDING) and self._is_box((*rel, WRAPPED))

    def _marked(self, rel: Rel) -> Kind | None:
        """What the first line of our own manifest says of the directory."""
        line = (self._beginning((*rel, Manifest.NAME), 100_000) or b"").partition(b"\n")[0]
        try:
            return Kind(loads(line)["kind"])
        except (ValueError, LookupError, TypeError, RecursionError):
            return None

    def _is_mail(self, rel: Rel) -> bool:
        if not (is_msg(rel[-1]) and msg.available()):
            return is_eml(rel[-1])
        fact = self.memory.msgs.fact(self.tree, rel)
        return fact is not None and fact.kind is Kind.MAIL

    def _eml(self, rel: Rel, path: Path) -> EmlFolder:
        return EmlFolder(self.tree, rel, path, self.memory.sizes, self.memory.msgs)

    def _maildir(self, rel: Rel, path: Path) -> Maildir:
        return Maildir(self.tree, rel, path, self.memory.sizes)

    def _mbox(self, rel: Rel, path: Path) -> Mbox:
        return Mbox(self.tree, rel, path, self.memory.indexes, self.settings.variant)

    def _collection(self, rel: Rel, path: Path, kind: Kind, *, one_file: bool = False) -> Collection:
        return Collection(self.tree, rel, path, kind, self.memory.facts, one_file=one_file)


def _apart(listed: list[Folder]) -> list[Folder]:
    """Every path once: INBOX in one spelling; behind what was there already its kind, if it is no mail, or a number."""
    taken: set[tuple[str, ...]] = set()
    apart = []
    for folder in listed:
        path, number = folder.path, 1
        while tuple(map(folded, path)) in taken if number > 1 else path in taken:
            number += 1
            mark = folder.kind.value if number == 2 and folder.kind is not Kind.MAIL else number
            path = (*folder.path[:-1], f"{folder.path[-1]} ({mark})")
        taken |= {path, tuple(map(folded, path))}
        apart.append(folder if path == folder.path else replace(folder, path=path))
    return apart
