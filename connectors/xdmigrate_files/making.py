"""Where new folders go: by the format of the export, which is the plan's, else what lies there, else Maildir."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Kind, Path
from xdmigrate_files import emldir, maildir, mbox
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.names import BadName, file_name, folded, maildir_name, native, rel_of
from xdmigrate_files.settings import Format
from xdmigrate_files.shelf import is_inbox
from xdmigrate_files.tree import Rel, Tree

DEEPEST = 40
"""Levels of a folder that is made."""


def mail_format(wished: Format | None, there: Iterable[Folder]) -> Format:
    """What new mail folders are: as the plan says, else as the folders that are there, else Maildir."""
    formats = {maildir.MAILDIR: Format.MAILDIR, mbox.MBOX: Format.MBOX, emldir.EML: Format.EML}
    found = [formats[kind] for each in there if (kind := each.native.partition(":")[0]) in formats]
    return wished or (found[0] if found else Format.MAILDIR)


class Making:
    """Makes and renames folders below one root."""

    def __init__(self, tree: Tree, mail: Format) -> None:
        self._tree = tree
        self._mail = mail

    @property
    def delimiter(self) -> str:
        """The sign that no name of a mail folder may hold."""
        return "." if self._mail is Format.MAILDIR else ""

    def refusal(self, path: Path, kind: Kind, there: Sequence[Folder]) -> str:
        """Why no folder can have this path; empty when one can."""
        if len(path) > DEEPEST:
            return f"it is deeper than {DEEPEST} levels"
        try:
            self.place(path, kind)
        except BadName as error:
            return str(error)
        for other in there:
            same = tuple(map(folded, other.path)) == tuple(map(folded, path))
            if same and other.path != path and not (is_inbox(path) and is_inbox(other.path)):
                return "a folder is there whose name differs in case alone"
            if other.path == path and other.selectable and other.kind is not kind:
                return f"a folder of kind {other.kind.value} is there"
        return self._in_the_way(path, kind, there)

    def _in_the_way(self, path: Path, kind: Kind, there: Sequence[Folder]) -> str:
        """An mbox is known by how it begins: what we append to a file of another kind would be nobody's folder."""
        name, _, way = self.place(path, kind).partition(":")
        listed = any(other.path == path and other.selectable for other in there)
        if name != mbox.MBOX or listed or self._tree.look(rel_of(way)) is None:
            return ""
        return "a file of its name is there that is no mbox"

    def place(self, path: Path, kind: Kind) -> str:
        """What a folder at this path is called here. Raises BadName."""
        if kind is not Kind.MAIL:
            return f"{kind.value}:{native(tuple(map(file_name, path)))}"
        if self._mail is Format.VDIR:
            raise BadName("`format: vdir` keeps no mail")
        if self._mail is Format.MAILDIR:
            rel = () if is_inbox(path) else (maildir_name(path),)
            return f"{maildir.MAILDIR}:{native(rel)}"
        if is_inbox(path):
            path = ("INBOX",)
        names = tuple(map(file_name, path))
        if self._mail is Format.MBOX:
            return f"{mbox.MBOX}:{native((*names[:-1], names[-1] + mbox.ENDING))}"
        return f"{emldir.EML}:{native(names)}"

    def make(self, path: Path, kind: Kind, there: Sequence[Folder]) -> str:
        """Make it with all above it; what it is called here. Raises FolderUnusable, AccessDenied, QuotaExceeded."""
        if refused := self.refusal(path, kind, there):
            raise FolderUnusable(f"{'/'.join(path)!r}: {refused}", remedy="rename it in `scope.folders.rename`")
        known = {each.path for each in there if each.selectable}
        for depth in range(1, len(path) + 1):
            if path[:depth] not in known and (depth == len(path) or kind is Kind.MAIL):
                self._make_one(path[:depth], kind)
        return self.place(path, kind)

    def _make_one(self, path: Path, kind: Kind) -> None:
        name, _, way = self.place(path, kind).partition(":")
        rel = rel_of(way)
        if name == maildir.MAILDIR:
            self._make_maildir(rel)
        elif name == mbox.MBOX:
            self._tree.make(rel[:-1])
            Manifest(self._tree, mbox.beside(rel, mbox.MANIFEST)).begin(path, kind)
            with self._tree.appending(rel):
                pass
        else:
            self._tree.make(rel)
            Manifest(self._tree, (*rel, Manifest.NAME)).begin(path, kind)

    def _make_maildir(self, rel: Rel) -> None:
        for name in (b"tmp", b"new", b"cur"):
            self._tree.make((*rel, name))
        if rel:
            with self._tree.appending((*rel, b"maildirfolder")):
                pass

    def rename(self, folder: Folder, path: Path) -> str:
        """Give a folder and all below it another path; what it is called then."""
        was, _, way = folder.native.partition(":")
        new, _, to_way = self.place(path, folder.kind).partition(":")
        rel, to = rel_of(way), rel_of(to_way)
        if is_inbox(folder.path) or was != new or self._tree.look(to) is not None or not rel:
            raise FolderUnusable(f"folder {'/'.join(folder.path)!r} cannot be renamed so")
        self._tree.make(to[:-1])
        if was == maildir.MAILDIR:
            self._rename_maildirs(rel[-1], to[-1])
        elif was == mbox.MBOX:
            self._rename_box(rel, to)
        else:
            self._tree.replace(rel, to)
        return f"{new}:{to_way}"

    def _rename_maildirs(self, old: bytes, new: bytes) -> None:
        for name in sorted(self._tree.names(())):
            if name == old or name.startswith(old + b"."):
                self._tree.replace((name,), (new + name[len(old) :],))

    def _rename_box(self, rel: Rel, to: Rel) -> None:
        """What is below first: until the file itself goes, the folder has its old name."""
        below, below_to = ((*way[:-1], way[-1].removesuffix(mbox.ENDING)) for way in (rel, to))
        for old, new in (
            (below, below_to),
            (mbox.beside(rel, mbox.MANIFEST), mbox.beside(to, mbox.MANIFEST)),
            (rel, to),
        ):
            if self._tree.look(old) is not None:
                self._tree.replace(old, new)
