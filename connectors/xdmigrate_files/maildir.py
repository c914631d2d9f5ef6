"""Maildir and Maildir++: one message is one file in `cur` or `new`, its flags stand behind ":2," in its name.

An item's id is a digest of the part of its name that never changes, so that it stays whatever flags it gets and
whether it has moved from `new` to `cur`. Keywords are Dovecot's: the letters a to z, named in `dovecot-keywords`.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import count
from threading import Lock

from xdmigrate.contract import Receipt, Stored
from xdmigrate.errors import FolderUnusable, XdmigrateError
from xdmigrate.model import FlagChange, Folder, Head, Item, Path
from xdmigrate_files import flags as spelling
from xdmigrate_files.manifest import Manifest
from xdmigrate_files.names import native
from xdmigrate_files.onefile import New, Sizes, mail_of, moment, taken_back, write_file, write_files
from xdmigrate_files.shelf import Draft, Lies, changed, mail_folder, ref_of
from xdmigrate_files.tree import Rel, Tree, told

MAILDIR = "maildir"
KEYWORDS_FILE = b"dovecot-keywords"
MOST_KEYWORD_OCTETS = 100_000
PLACES = (b"cur", b"new")

_INFO = re.compile(rb"[:;!]2,([^/]*)\Z")
_VIRTUAL_SIZE = re.compile(rb",W=(\d{1,15})(?=,|\Z)")
_HOST = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname() or "localhost")[:60]
_numbers = count(1)
_naming = Lock()
"""Two sessions may name new keywords of a folder at the same time."""


class Maildir:
    """One folder: a directory with `cur`, `new` and `tmp`."""

    def __init__(self, tree: Tree, rel: Rel, path: Path, sizes: Sizes) -> None:
        self._tree = tree
        self._rel = rel
        self._path = path
        self._sizes = sizes
        self._manifest = Manifest(tree, (*rel, Manifest.NAME))
        self._files: dict[bytes, Rel] = {}  # id -> way of the file, as last listed
        self._measured: dict[bytes, tuple[int, datetime | None]] = {}  # id -> what never changes of a message

    @property
    def folder(self) -> Folder:
        if self._tree.look((*self._rel, b"cur")) is None and self._tree.look((*self._rel, b"new")) is None:
            raise FolderUnusable(f"folder {'/'.join(self._path)!r} is gone")
        digest = sha256(self._keyword_lines())
        names = sorted((place, name) for place in PLACES for name in self._names(place))
        for place, name in names:
            digest.update(b"%s/%s\0" % (place, name))
        return mail_folder(self._path, f"{MAILDIR}:{native(self._rel)}", len(names), digest.digest())

    def heads(self) -> Iterator[Head]:
        self._list()
        letters, known, self._measured = self._keywords(), self._measured, {}
        with ExitStack() as held:
            places: dict[bytes, int] = {}
            for place in PLACES:
                with suppress(FolderUnusable):
                    places[place] = held.enter_context(self._tree.directory((*self._rel, place)))
            for ref in sorted(self._files):
                head = self._as_known(ref, letters, known) or self._head(ref, letters, places)
                if head is not None:
                    if head.size:
                        self._measured[ref] = head.size, head.date
                    yield head

    def read(self, refs: Sequence[bytes]) -> Iterator[Item]:
        if not all(ref in self._files for ref in refs):
            self._list()
        letters = self._keywords()
        for ref in dict.fromkeys(refs):
            item = self._item(ref, letters)
            if item is not None:
                yield item

    def lies(self, ref: bytes) -> Lies | None:
        if ref not in self._files or self._tree.look(self._files[ref]) is None:
            self._list()
        rel = self._files.get(ref)
        return Lies(rel) if rel else None

    # --- writing --------------------------------------------------------------------------------------------------

    def add(self, drafts: Sequence[Draft]) -> list[Receipt]:
        letters = self._keywords()
        letters = self._with_keywords(letters, {flag for each in drafts for flag in spelling.kept(each.head.flags)})
        unique = [_unique_name(draft) for draft in drafts]
        flags = [spelling.letters_of(spelling.kept(draft.head.flags), letters) for draft in drafts]
        names = [b"%s:2,%s" % (mark, told_flags.encode()) for mark, told_flags in zip(unique, flags, strict=True)]
        stored = list(zip(drafts, map(ref_of, unique), names, strict=True))
        with self._tree.directory((*self._rel, b"tmp")) as tmp, self._tree.directory((*self._rel, b"cur")) as cur:
            try:
                wanted = zip(unique, drafts, strict=True)
                write_files(tmp, self._tree, (New(mark, draft.unix(), draft.moment) for mark, draft in wanted))
                with taken_back(tmp, unique):
                    self._manifest.items(stored)
                    for mark, name in zip(unique, names, strict=True):
                        os.rename(mark, name, src_dir_fd=tmp, dst_dir_fd=cur)
                os.fsync(cur)
            except OSError as error:
                raise told(error, (*self._rel, b"cur")) from error
        self._files |= {ref: (*self._rel, b"cur", name) for _, ref, name in stored}
        return [Stored(draft.ticket, ref) for draft, ref, _ in stored]

    def change_flags(self, changes: Sequence[FlagChange]) -> None:
        self._list()
        known = [change for change in changes if change.ref in self._files]
        wanted = {flag for change in known for flag in spelling.kept(change.add)}
        letters = self._with_keywords(self._keywords(), wanted)
        renamed = [(change.ref, *_with_flags(self._files[change.ref][-1], change, letters)) for change in known]
        self._manifest.renamed(renamed)
        for ref, name, _ in renamed:
            rel, to = self._files[ref], (*self._rel, b"cur", name)
            if to != rel:
                self._tree.replace(rel, to)
                self._files[ref] = to

    def remove(self, refs: Sequence[bytes]) -> None:
        if refs:
            self._list()
        for ref in refs:
            if ref in self._files:
                self._tree.unlink(self._files.pop(ref))

    # --- names ----------------------------------------------------------------------------------------------------

    def _names(self, place: bytes) -> list[bytes]:
        try:
            entries = self._tree.entries((*self._rel, place))
        except FolderUnusable:
            look = self._tree.look((*self._rel, place))
            if look is not None and stat.S_ISDIR(look.st_mode):
                raise  # its disk cannot read it, which is not to say that it is empty
            return []
        return [entry.name for entry in entries if not entry.is_dir and not entry.name.startswith(b".")]

    def _list(self) -> None:
        """Learn the names. A name that stands in `new` and in `cur` (a broken move) is two items."""
        found: dict[bytes, Rel] = {}
        for place in PLACES:
            for name in self._names(place):
                ref = ref_of(_parts(name)[0])
                found[ref_of(place, name) if ref in found else ref] = (*self._rel, place, name)
        self._files = found

    def _as_known(
        self, ref: bytes, letters: dict[str, str], known: dict[bytes, tuple[int, datetime | None]]
    ) -> Head | None:
        """A message that was listed before: its bytes never change, and its flags stand in its name."""
        if ref not in known or ref not in self._files:
            return None
        size, date = known[ref]
        return Head(ref, size, spelling.of_letters(_parts(self._files[ref][-1])[1], letters), date)

    def _head(self, ref: bytes, letters: dict[str, str], places: dict[bytes, int]) -> Head | None:
        """Without opening the file where its name tells the size (",W=": with CRLF, as Dovecot writes it)."""
        rel = self._files.get(ref, ())
        unique, flags = _parts(rel[-1]) if rel else (b"", "")
        told_size = _VIRTUAL_SIZE.search(unique)
        if told_size is not None and rel[-2] in places:
            with suppress(OSError):
                look = os.stat(rel[-1], dir_fd=places[rel[-2]], follow_symlinks=False)
                return Head(ref, int(told_size[1]), spelling.of_letters(flags, letters), moment(look.st_mtime))
        item = self._item(ref, letters)
        return item.head if item else None

    def _item(self, ref: bytes, letters: dict[str, str]) -> Item | None:
        """The message; looked for once more where another program has just given it another name."""
        for again in (False, True):
            if again:
                self._list()
            rel = self._files.get(ref)
            if rel is None:
                return None
            flags = spelling.of_letters(_parts(rel[-1])[1], letters)
            item = mail_of(self._tree, self._sizes, rel, ref, flags, partial(self._moved, ref))
            if item is not None:
                return item
        return None

    def _moved(self, ref: bytes) -> Rel | None:
        """The file of a message that got other flags since it was listed."""
        self._list()
        return self._files.get(ref)

    # --- keywords -------------------------------------------------------------------------------------------------

    def _keywords(self) -> dict[str, str]:
        """Keyword by letter: lines of a number, from 0 for "a", and a name."""
        found: dict[str, str] = {}
        for line in self._keyword_lines().decode("utf-8", "replace").splitlines():
            number, _, name = line.partition(" ")
            if number.isascii() and number.isdigit() and int(number) < spelling.KEYWORDS and spelling.is_keyword(name):
                found[chr(ord("a") + int(number))] = name
        return found

    def _keyword_lines(self) -> bytes:
        """Where they cannot be read, the messages can all the same; told with what is left out."""
        try:
            return self._tree.content((*self._rel, KEYWORDS_FILE), MOST_KEYWORD_OCTETS) or b""
        except XdmigrateError:
            self._tree.leave_out("unreadable files", (*self._rel, KEYWORDS_FILE))
            return b""

    def _with_keywords(self, letters: dict[str, str], wanted: set[str]) -> dict[str, str]:
        """Letters for these keywords, too, as long as there are any; written before any name uses them."""
        if all(flag in letters.values() for flag in wanted if spelling.is_keyword(flag)):
            return letters
        with _naming:
            letters = self._keywords()
            new = sorted(flag for flag in wanted if flag not in letters.values() and spelling.is_keyword(flag))
            free = [chr(ord("a") + n) for n in range(spelling.KEYWORDS) if chr(ord("a") + n) not in letters]
            added = dict(zip(free, new, strict=False))
            if added:
                letters = letters | added
                self._write_keywords(letters)
        return letters

    def _write_keywords(self, letters: dict[str, str]) -> None:
        lines = "".join(f"{ord(letter) - ord('a')} {name}\n" for letter, name in sorted(letters.items()))
        made = b"%s.%d.%d" % (KEYWORDS_FILE, os.getpid(), next(_numbers))
        with self._tree.directory(self._rel) as fd:
            write_file(fd, self._tree, made, [lines.encode()], time.time())
        self._tree.replace((*self._rel, made), (*self._rel, KEYWORDS_FILE))


def _parts(name: bytes) -> tuple[bytes, str]:
    """What never changes of a name, and its flags."""
    found = _INFO.search(name)
    return (name[: found.start()], found[1].decode("latin-1")) if found else (name, "")


def _with_flags(name: bytes, change: FlagChange, letters: dict[str, str]) -> tuple[bytes, frozenset[str]]:
    """The name after a change of flags, and the flags."""
    unique, found = _parts(name)
    now = spelling.kept(changed(spelling.of_letters(found, letters), change))
    other = "".join(each for each in found if each not in spelling.LETTERS and each not in letters)
    return unique + b":2," + "".join(sorted(spelling.letters_of(now, letters) + other)).encode("latin-1"), now


def _unique_name(draft: Draft) -> bytes:
    """Time, process, number and host, then the sizes with LF (S) and with CRLF (W), as Dovecot writes them."""
    measure = draft.measure
    on_disk = measure.size - (measure.feeds if measure.plain else 0)
    mark = f"{int(time.time())}.M{time.time_ns() % 1_000_000_000}P{os.getpid()}Q{next(_numbers)}R{os.urandom(4).hex()}"
    return f"{mark}.{_HOST},S={on_disk},W={measure.as_read}".encode()
