"""Where a source folder goes on the target: a deterministic, injective map. Pure.

INBOX goes to INBOX, a folder with a special use to the target's folder of that use, everything else keeps its path,
altered only as far as the target's rules demand. What the target refuses takes another shape, each plainer than the
one before. A name that two folders would share gets a number; of two, the one that keeps its name goes first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import sha256

from xdmigrate.contract import Features
from xdmigrate.model import Folder, Path, Role

STAND_IN, SECOND = "_", "-"
"""Replaces a character that the target cannot have in a name; the second one where the first is the separator."""

NEVER_BY_ROLE = {Role.INBOX, Role.ALL, Role.FLAGGED, Role.IMPORTANT}
"""INBOX is matched by its name; the others are views, not places to copy into."""

SHORT = 80
"""Bytes of a name that was too long for the target as it was."""

_INBOX: Path = ("INBOX",)
_UNREADABLE = "\ufffd"  # a connector's mark for a name that its source spells wrongly
_HARMLESS = frozenset(" -_'(),+=@!")
_RESERVED = frozenset({"inbox", "cur", "new", "tmp", "dbox-mails"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What the target allows, and what the plan wishes."""

    delimiter: str = ""
    name_limit: int = 0
    rename: Mapping[str, str] | None = None  # plan: "Old/Path" -> "New/Path"
    into: Path = ()  # everything goes below this folder

    @property
    def stand_in(self) -> str:
        return SECOND if STAND_IN in self.delimiter else STAND_IN

    @classmethod
    def of(cls, features: Features, rename: Mapping[str, str], into: Path) -> Rules:
        """The rules of a target with these features."""
        return cls(features.delimiter, features.name_limit, rename, into)


def place_folders(
    folders: Sequence[Folder],
    rules: Rules,
    *,
    frozen: Mapping[Path, Path],
    target: Iterable[Folder],
    refused: AbstractSet[Path] = frozenset(),
) -> dict[Path, Path]:
    """Target path of each of `folders`. `frozen` holds what was decided before and is never decided again.

    `refused` are paths that the target does not take. Folders are placed parents first and in path order, so the
    result does not depend on the server's listing order.
    """
    there = list(target)
    roles = {} if rules.into else {f.role: f.path for f in there if f.role and f.role not in NEVER_BY_ROLE}
    spelt = {folded(f.path): f.path for f in there} | {f.path: f.path for f in there}
    used = {folded(path) for path in frozen.values()}
    placed = dict(frozen)
    for folder in sorted(folders, key=lambda f: _order(f, rules)):
        chosen = _by_role(folder, roles, used)
        if chosen is None:
            taken = used if folder.path == _INBOX else used | {folded(_INBOX)}
            chosen = _first_allowed(_shapes(folder.path, placed, rules), taken, refused, rules.name_limit)
            chosen = spelt.get(chosen) or spelt.get(folded(chosen), chosen)  # the target's spelling of what it has
        used.add(folded(chosen))
        placed[folder.path] = chosen
    return {folder.path: placed[folder.path] for folder in folders}


def folded(path: Path) -> Path:
    """Two paths that some server would hold for one: compared without case and in one Unicode normal form."""
    return tuple(unicodedata.normalize("NFC", unicodedata.normalize("NFC", level).casefold()) for level in path)


def _order(folder: Folder, rules: Rules) -> tuple[bool, int, bool, Path]:
    altered = any(_level(level, rules) != level for level in folder.path)
    return (folder.role is None, len(folder.path), altered, folder.path)


def _by_role(folder: Folder, roles: Mapping[Role, Path], used: set[Path]) -> Path | None:
    path = roles.get(folder.role) if folder.role else None
    return path if path and folded(path) not in used else None


# --- shapes, from the folder's own name to one that every server takes ------------------------------------------


def _shapes(path: Path, placed: Mapping[Path, Path], rules: Rules) -> Iterator[Path]:
    """What a folder may be called, the best name first. Folders go where the nearest placed parent went."""
    renamed = (rules.rename or {}).get("/".join(path))
    if renamed is not None:
        above, own = rules.into, tuple(renamed.split("/"))
    else:
        above, own = _parent(path, placed, rules)
    yield above + tuple(_level(level, rules) for level in own)
    if own[0] == _INBOX[0] and len(own) > 1:  # a server may have no folders below INBOX
        own = own[1:]
        yield above + tuple(_level(level, rules) for level in own)
    for shape in (_short, _tame, _plain):
        yield above + tuple(_level(shape(_level(level, rules)), rules) for level in own)
    yield (*rules.into, _level(_plain(STAND_IN.join(path)), rules))  # too deep
    plain = above + tuple(_level(_plain(_level(level, rules)), rules) for level in own)
    for number in (2, 3, 4):  # as many kinds may share a name where the target keeps all kinds in one place
        yield (*plain[:-1], _numbered(plain[-1], number, rules.name_limit))


def _parent(path: Path, placed: Mapping[Path, Path], rules: Rules) -> tuple[Path, Path]:
    for depth in range(len(path) - 1, 0, -1):
        parent = placed.get(path[:depth])
        if parent is not None and path[:depth] != _INBOX:
            return parent, path[depth:]
    return rules.into, path


def _first_allowed(shapes: Iterable[Path], used: AbstractSet[Path], refused: AbstractSet[Path], limit: int) -> Path:
    found: Path = ()
    for shape in shapes:
        found = _free(shape, used, limit)
        if found not in refused:
            break
    return found  # when all are refused, creating the last one will say why


def _free(path: Path, used: AbstractSet[Path], limit: int) -> Path:
    if folded(path) not in used:
        return path
    number = 2
    while folded(numbered := (*path[:-1], _numbered(path[-1], number, limit))) in used:
        number += 1
    return numbered


def _numbered(level: str, number: int, limit: int) -> str:
    tail = f" ({number})"
    return (_cut(level, limit - len(tail)) if limit else level) + tail


def _level(level: str, rules: Rules) -> str:
    """One hierarchy level as the target's declared features allow it; "." and ".." are nobody's folders."""
    level = level.removeprefix(_UNREADABLE)
    clean = _replaced(level, lambda char: _forbidden(char, rules), rules.stand_in)
    if clean in (".", ".."):
        clean = rules.stand_in * len(clean)
    return _cut(clean, rules.name_limit) if rules.name_limit else clean


def _forbidden(char: str, rules: Rules) -> bool:
    return char in rules.delimiter or char == _UNREADABLE or unicodedata.category(char) in ("Cc", "Cs")


def _short(level: str) -> str:
    return _cut(level, SHORT)


def _tame(level: str) -> str:
    """Letters, digits and harmless signs, composed, without spaces at the ends, and not a name that servers use."""
    composed = unicodedata.normalize("NFC", level)
    clean = _replaced(composed, _is_wild).strip() or STAND_IN
    return _cut(clean + STAND_IN * (clean.casefold() in _RESERVED), SHORT)


def _plain(level: str) -> str:
    """ASCII only; what that loses, a digest keeps apart."""
    letters = unicodedata.normalize("NFKD", _tame(level)).encode("ascii", "ignore").decode()
    clean = _replaced(letters, lambda char: not (char.isalnum() or char in " -_")).strip()
    return clean if clean == level else _cut(clean, SHORT // 2) + "-" + _digest(level)


def _is_wild(char: str) -> bool:
    return not (char.isalnum() or char in _HARMLESS or unicodedata.category(char) in ("Mn", "Mc"))


def _replaced(text: str, wild: Callable[[str], bool], stand_in: str = STAND_IN) -> str:
    return "".join(stand_in if wild(char) else char for char in text) or stand_in


def _cut(level: str, limit: int) -> str:
    """At most so many bytes of UTF-8; what is cut off, a digest keeps apart."""
    raw = level.encode()
    if len(raw) <= limit:
        return level
    tail = "~" + _digest(level)
    return raw[: max(limit - len(tail), 1)].decode(errors="ignore") + tail


def _digest(level: str) -> str:
    return sha256(level.encode("utf-8", "surrogatepass")).hexdigest()[:8]
