"""Which folders and items the plan wants: pure decisions, taken the same way by the copy path and by verify."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256

from xdmigrate.model import Folder, Head, Kind, Path, Role

ALL = ("*",)


@dataclass(frozen=True)
class Scope:
    r"""The plan's `scope`. Patterns match the whole path joined by "/", case-insensitively, or a role like "\Junk"."""

    include: tuple[str, ...] = ALL
    exclude: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)
    mail_since: date | None = None
    max_size: int | None = None
    newest_first: bool = True

    @cached_property
    def mark(self) -> str:
        """Names this scope: rows filtered under another mark are judged again. Order and renames filter nothing."""
        told = repr((self.include, self.exclude, self.mail_since, self.max_size))
        return sha256(told.encode()).hexdigest()[:12]

    def wants_folder(self, folder: Folder) -> bool:
        """Whether any item of the folder can be wanted."""
        return _any(self.include, folder) and not _any(self.exclude, folder)

    def wants(self, folder: Folder, head: Head) -> bool:
        """Whether the item is wanted; `mail_since` counts from midnight UTC of that day."""
        return self.wants_folder(folder) and not self._too_old(folder, head) and not self._too_big(folder, head)

    def _too_old(self, folder: Folder, head: Head) -> bool:
        if self.mail_since is None or head.date is None or folder.kind is not Kind.MAIL:
            return False  # series and contacts are never cut by date
        return head.date.astimezone(UTC) < datetime.combine(self.mail_since, time.min, UTC)

    def _too_big(self, folder: Folder, head: Head) -> bool:
        return self.max_size is not None and head.size > self.max_size and folder.kind is Kind.MAIL


def _any(patterns: tuple[str, ...], folder: Folder) -> bool:
    return any(_matches(pattern, folder.path, folder.role) for pattern in patterns)


def _matches(pattern: str, path: Path, role: Role | None) -> bool:
    if pattern.startswith("\\"):
        return role is not None and role.lower() == pattern.lower()
    return fnmatchcase("/".join(path).lower(), pattern.lower())
