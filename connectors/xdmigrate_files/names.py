"""Folder names as names of directories and files that every system takes, and back. Pure.

What some system forbids is written as %XX of its UTF-8: the characters that Windows reserves, names of its devices, a
dot in front (hidden) or at the end, and the endings by which formats are recognised. `level` gives back exactly what
`file_name` was given; a name that `file_name` would not have written stands for itself.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote_from_bytes, unquote_to_bytes

from xdmigrate.model import Path

LONGEST = 200
"""Bytes of one name on the disk; 255 are allowed, and endings and numbers are added."""

LONGEST_MAILDIR = 250
"""The same for all levels of a folder in Maildir++, which are one name."""

UNREADABLE = "\ufffd"
"""In front of a name that is no UTF-8; what cannot be shown follows as %XX."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*%\x00-\x1f\x7f]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?=\.|\Z)", re.IGNORECASE)
_MAILDIRS = frozenset({"cur", "new", "tmp"})
_ENDING = re.compile(r"\.(?=(?:mbox|mbx|sbd|eml|ics|vcf|pst|msg|jsonl|appending)\Z)", re.IGNORECASE)


class BadName(ValueError):
    """No file can be called so; the message says why."""


def file_name(level: str) -> bytes:
    """The name on the disk of one folder level. Raises BadName."""
    if not level:
        raise BadName("a name is empty")
    name = _FORBIDDEN.sub(_escaped, level)
    name = _ENDING.sub(_escaped, name)
    if name.startswith("."):
        name = "%2E" + name[1:]
    if name[-1] in ". ":
        name = name[:-1] + f"%{ord(name[-1]):02X}"
    if _DEVICE.match(name) or name in _MAILDIRS:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return _short_enough(_octets(name), LONGEST)


def level(name: bytes) -> str:
    """What a directory or file of this name is called as a folder."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return UNREADABLE + quote_from_bytes(name, safe=" !#$&'()+,;=@[]^`{}~")
    try:
        plain = unquote_to_bytes(text).decode()
        return plain if file_name(plain) == name else _showable(text)
    except (UnicodeDecodeError, BadName):
        return _showable(text)


def maildir_name(path: Path) -> bytes:
    """The directory of a folder in Maildir++: ".A.B" in modified UTF-7. Raises BadName."""
    from imapclient import imap_utf7

    for each in path:
        if not each or "." in each or "/" in each:
            raise BadName("a name in a Maildir++ is empty or holds a dot or a slash")
        _octets(each)
        if any(unicodedata.category(char) == "Cc" for char in each):
            raise BadName("a name holds a control character")
    encoded = b"".join(b"." + bytes(imap_utf7.encode(each)) for each in path)
    return _short_enough(encoded, LONGEST_MAILDIR)


def maildir_level(name: bytes) -> str:
    """One level of a Maildir's directory name: modified UTF-7 (RFC 3501 section 5.1.3) where it is such, else UTF-8."""
    from imapclient import imap_utf7

    if b"&" in name:
        try:
            text = str(imap_utf7.decode(name))
            if bytes(imap_utf7.encode(text)) == name:
                return _showable(text)
        except (ValueError, IndexError):
            pass
    try:
        return _showable(name.decode())
    except UnicodeDecodeError:
        return UNREADABLE + quote_from_bytes(name, safe=" !#$&'()+,;=@[]^`{}~")


def native(rel: tuple[bytes, ...]) -> str:
    """A way below the root as text that any log and any state can hold."""
    return quote_from_bytes(b"/".join(rel), safe="/ !#$&'()+,;=@[]^`{}~.")


def rel_of(text: str) -> tuple[bytes, ...]:
    """The inverse of `native`."""
    return tuple(unquote_to_bytes(text).split(b"/")) if text else ()


def folded(name: str) -> str:
    """What is one name on systems that tell no case and one form of Unicode."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in found[0].encode())


def shown_level(text: str) -> str:
    """A level that another program told, never empty and without control characters."""
    return _showable(text.encode("utf-8", "replace").decode()) or "_"


def _showable(text: str) -> str:
    """Without the control characters that a name of a stranger's file may hold."""
    if text.isprintable() or not any(unicodedata.category(char) == "Cc" for char in text):
        return text
    return UNREADABLE + "".join(f"%{ord(c):02X}" if unicodedata.category(c) == "Cc" else c for c in text)


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadName("a name holds half a character") from None


def _short_enough(name: bytes, limit: int) -> bytes:
    if len(name) > limit:
        raise BadName(f"a name takes {len(name)} bytes on the disk, more than {limit}")
    return name
