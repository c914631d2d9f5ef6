"""Mailbox names: wire bytes <-> path of decoded levels (RFC 3501 section 5.1, RFC 2342). Pure.

A name is taken apart in wire form, before decoding, so no separator ever hides in a level. What does not survive
decoding and encoding (broken or non-canonical modified UTF-7, raw 8-bit bytes) is kept as it is behind a mark, so
that two names of one mailbox never get one path and every path leads back to its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from imapclient.imap_utf7 import decode, encode

from xdmigrate.model import Folder, Path

MARK = "\ufffd"
"""First character of a level that holds a name's wire bytes, with %XX for what cannot be shown."""

INBOX = "INBOX"


class BadName(ValueError):
    """A path that no mailbox of this server can have."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A prefix and its separator; an empty separator means that there are no levels."""

    prefix: bytes
    separator: bytes

    def split(self, name: bytes) -> list[bytes]:
        return name.split(self.separator) if self.separator else [name]

    def join(self, levels: Sequence[bytes]) -> bytes:
        return self.separator.join(levels)


@dataclass(frozen=True, slots=True)
class Names:
    """The account's own namespaces, the first of which new mailboxes go to, and the prefixes of others'."""

    personal: tuple[Namespace, ...] = (Namespace(b"", b"/"),)
    foreign: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, personal: Sequence[Namespace], foreign: Sequence[bytes]) -> Names:
        """The namespaces as a server tells them; one without a prefix holds all names and comes first."""
        return cls(tuple(sorted(personal, key=lambda space: space.prefix != b"")), tuple(foreign))

    @property
    def main(self) -> Namespace:
        """Where the user's mailboxes are."""
        return self.personal[0]

    def is_personal(self, name: bytes) -> bool:
        """Whether the mailbox belongs to the account and not to other users or to all (RFC 2342)."""
        if any(prefix and (name.startswith(prefix) or name == prefix[:-1]) for prefix in self.foreign):
            return False
        return name.upper() == b"INBOX" or any(_below(name, space) for space in self.personal)

    def path(self, name: bytes) -> Path:
        """The levels of a personal mailbox's name. `name(path(n))` is `n`, INBOX's case apart."""
        if name.upper() == b"INBOX":
            return (INBOX,)
        space = max((s for s in self.personal if _below(name, s)), key=lambda s: len(s.prefix), default=self.main)
        raw = space.split(name[len(space.prefix) :] if space is self.main else name)
        levels = tuple(map(show, raw))
        if not self.main.prefix and raw[0].upper() == b"INBOX":
            levels = (INBOX, *levels[1:])
        if not _same(self._encoded(levels), name):
            levels = (_marked(raw[0]), *levels[1:])
        return levels

    def name(self, path: Path) -> bytes:
        """The wire name of a path. Raises BadName."""
        if not path:
            raise BadName("a folder needs a name")
        if len(path) > 1 and not self.main.separator:
            raise BadName("this server has no folders within folders")
        for level in path:
            _check(level, self.main.separator)
        return self._encoded(path)

    def _encoded(self, path: Path) -> bytes:
        if path == (INBOX,):
            return b"INBOX"
        for space in self.personal[1:]:
            prefix = tuple(map(show, space.split(space.prefix.removesuffix(space.separator))))
            if path[: len(prefix)] == prefix:
                return space.join([hide(level) for level in path])
        return self.main.prefix + self.main.join([hide(level) for level in path])


def _below(name: bytes, space: Namespace) -> bool:
    """Whether the name is in the namespace; a prefix of INBOX has no case, as INBOX has none."""
    begin = name[: len(space.prefix)]
    return begin == space.prefix or (begin.upper() == space.prefix.upper() and begin[:5].upper() == b"INBOX")


def wire_name(folder: Folder) -> bytes:
    """The folder's name as the server spells it; `Folder.native` holds its bytes one to one."""
    return folder.native.encode("latin-1")


def shown(folder: Folder) -> str:
    """The folder in a message to people."""
    return "“" + " / ".join(folder.path) + "”"


def show(raw: bytes) -> str:
    """A level of a wire name as text."""
    try:
        text: str = decode(raw)
        if encode(text) == raw and not text.startswith(MARK):
            return text
    except ValueError:  # no modified UTF-7
        return _marked(raw)
    return _marked(raw)


def hide(level: str) -> bytes:
    """The wire form of a level."""
    return unquote_to_bytes(level[1:]) if level.startswith(MARK) else encode(level)


def _marked(raw: bytes) -> str:
    text = raw.decode("utf-8", "surrogateescape")
    return MARK + "".join(char if char.isprintable() and char != "%" else _percent(char) for char in text)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


def _same(one: bytes, other: bytes) -> bool:
    """Equal but for the case of INBOX in front."""
    return one == other or (one[:5].upper() == other[:5].upper() == b"INBOX" and one[5:] == other[5:])


def _check(level: str, separator: bytes) -> None:
    try:
        wire = hide(level)
    except UnicodeEncodeError as error:
        raise BadName("a folder's name holds half a character") from error
    if separator and separator in wire:
        raise BadName(f"a folder's name cannot hold the server's separator {separator.decode('latin-1')!r}")
    if "\0" in level or b"\0" in wire:
        raise BadName("a folder's name cannot hold NUL")
