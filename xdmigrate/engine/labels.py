"""Sources that show one object in several folders: in which of them its copy goes. Pure.

A label of the user's own says most about a message, the folder that shows everything says nothing. What is in Trash
or Junk is shown nowhere else, and stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from xdmigrate.model import Folder, Path, Role
from xdmigrate_state.rows import FolderRow

ALONE = frozenset({Role.TRASH, Role.JUNK})
VIEWS = frozenset({Role.FLAGGED, Role.IMPORTANT})
MAIN_FOLDERS = (Role.INBOX, Role.DRAFTS, Role.SENT, Role.ARCHIVE)


class Labels(StrEnum):
    """What the plan wishes for an object with several labels."""

    ONCE = "once"  # one copy, in the best of its folders
    FOLDERS = "folders"  # a copy in each of its folders, except the one that shows everything


def rank(folder: Folder) -> tuple[int, int, Path]:
    """The lower, the earlier: own labels from the deepest on, then main folders, views, and All Mail last."""
    if folder.role is None:
        return (0, -len(folder.path), folder.path)
    if folder.role is Role.ALL:
        return (3, 0, folder.path)
    if folder.role in VIEWS:
        return (2, 0, folder.path)
    order = MAIN_FOLDERS.index(folder.role) if folder.role in MAIN_FOLDERS else len(MAIN_FOLDERS)
    return (1, order, folder.path)


def shares(folder: Folder, wish: Labels) -> bool:
    """Whether items of this folder need no copy of their own where the object has one in another folder."""
    return folder.role is Role.ALL if wish is Labels.FOLDERS else folder.role not in ALONE


def others(row: FolderRow, known: Iterable[FolderRow]) -> Sequence[FolderRow]:
    """The folders in which an object of this folder may be shown, too."""
    return [each for each in known if each.id != row.id and each.role not in ALONE]
