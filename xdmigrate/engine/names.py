"""Where a source folder goes on the target: a deterministic, injective map. Pure.

INBOX goes to INBOX, a folder with a special use to the target's folder of that use, everything else keeps its path,
altered only as far as the target's rules demand. A name that two folders would share gets a number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from xdmigrate.contract import Features
from xdmigrate.model import Folder, Path, Role

STAND_IN = "_"
"""Replaces a character that the target cannot have in a name."""

NEVER_BY_ROLE = {Role.INBOX, Role.ALL, Role.FLAGGED}
"""INBOX is matched by its name; \\All and \\Flagged are views, not places to copy into."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the target allows, and what the plan wishes."""

    delimiter: str = ""
    name_limit: int = 0
    rename: Mapping[str, str] | None = None  # plan: "Old/Path" -> "New/Path"
    into: Path = ()  # everything goes below this folder

    @classmethod
    def of(cls, features: Features, rename: Mapping[str, str], into: Path) -> Rules:
        """The rules of a target with these features."""
        return cls(features.delimiter, features.name_limit, rename, into)


def place_folders(
    folders: Sequence[Folder], rules: Rules, *, frozen: Mapping[Path, Path], target: Iterable[Folder]
) -> dict[Path, Path]:
    """Target path of each of `folders`. `frozen` holds what was decided before and is never decided again.

    Folders are placed parents first and in path order, so the result does not depend on the server's listing order.
    """
    roles = {} if rules.into else {f.role: f.path for f in target if f.role and f.role not in NEVER_BY_ROLE}
    used = {folded(path) for path in frozen.values()}
    placed = dict(frozen)
    for folder in sorted(folders, key=lambda f: (f.role is None, len(f.path), f.path)):
        wanted = _by_role(folder, roles, used) or _below_parent(folder.path, placed, rules)
        free = _free(wanted, used)
        used.add(folded(free))
        placed[folder.path] = free
    return {folder.path: placed[folder.path] for folder in folders}


def folded(path: Path) -> Path:
    """Two paths that some server would hold for one: compared without case and in one Unicode normal form."""
    return tuple(unicodedata.normalize("NFC", level).casefold() for level in path)


def _by_role(folder: Folder, roles: Mapping[Role, Path], used: set[Path]) -> Path | None:
    path = roles.get(folder.role) if folder.role else None
    return path if path and folded(path) not in used else None


def _below_parent(path: Path, placed: Mapping[Path, Path], rules: Rules) -> Path:
    """Below wherever the nearest placed parent went, unless the plan names a path for it."""
    renamed = (rules.rename or {}).get("/".join(path))
    if renamed is not None:
        return rules.into + tuple(_level(level, rules) for level in renamed.split("/"))
    for depth in range(len(path) - 1, 0, -1):
        parent = placed.get(path[:depth])
        if parent is not None and path[:depth] != ("INBOX",):
            return parent + tuple(_level(level, rules) for level in path[depth:])
    return rules.into + tuple(_level(level, rules) for level in path)


def _level(level: str, rules: Rules) -> str:
    """One hierarchy level as the target can have it."""
    clean = "".join(STAND_IN if _forbidden(char, rules) else char for char in level) or STAND_IN
    raw = clean.encode()
    if not rules.name_limit or len(raw) <= rules.name_limit:
        return clean
    tail = "~" + sha256(raw).hexdigest()[:8]
    return raw[: max(rules.name_limit - len(tail), 1)].decode(errors="ignore") + tail


def _forbidden(char: str, rules: Rules) -> bool:
    return char == rules.delimiter or unicodedata.category(char) in ("Cc", "Cs")


def _free(path: Path, used: set[Path]) -> Path:
    if folded(path) not in used:
        return path
    number = 2
    while folded(numbered := (*path[:-1], f"{path[-1]} ({number})")) in used:
        number += 1
    return numbered
