"""What `check` tells about a directory: what is in it, what is left out, whether it can be written. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from xdmigrate.contract import Finding
from xdmigrate.model import Folder, Kind
from xdmigrate_files.layout import Layout, Memory
from xdmigrate_files.pst import PST
from xdmigrate_files.settings import Settings, Variant
from xdmigrate_files.tree import Tree


def findings(settings: Settings, *, writable: bool) -> list[Finding]:
    """Everything at once. Raises AccessDenied where a source is not there."""
    if writable and not os.path.lexists(settings.root):
        return [
            Finding("login", ok=True, text=f"{settings.root} will be made; files ask for no login"),
            *_can_be_made(settings.root),
        ]
    layout = Layout(Tree.at(settings.root), settings, Memory())
    folders = layout.folders()
    layout.memory.msgs.rest()
    return [
        Finding("login", ok=True, text=f"{settings.root} is there; files ask for no login"),
        *(_rights(settings) if writable else _what_is_there(folders, layout.memory.msgs.rebuilt())),
        *_left_out(layout.tree),
    ]


def _what_is_there(folders: Sequence[Folder], outlook: int) -> Iterator[Finding]:
    for kind in Kind:
        mine = [folder for folder in folders if folder.kind is kind and folder.selectable]
        if mine:
            count = sum(folder.count for folder in mine)
            yield Finding("collections", ok=True, text=f"{kind.value}: {count} items in {len(mine)} folders")
    rebuilt = outlook + sum(folder.count for folder in folders if folder.native.startswith(f"{PST}:"))
    if rebuilt:
        text = f"{rebuilt} messages are rebuilt from the parts that Outlook keeps"
        yield Finding("rights", ok=True, text=text, remedy="where signed mail matters, get it from the server instead")
    if not folders:
        yield Finding(
            "rights",
            ok=True,
            text="no mail, calendar or address book was recognised",
            remedy="mend `path`, or say what lies there by `format`",
        )


def _rights(settings: Settings) -> Iterator[Finding]:
    can = os.access(settings.root, os.W_OK | os.X_OK)
    remedy = "" if can else "let the user who runs xdmigrate write there"
    yield Finding("rights", can, f"{settings.root} can{'' if can else 'not'} be written", remedy)
    if settings.variant not in {None, Variant.MBOXRD}:
        text = f"{settings.variant} cannot keep every byte, and is not written"
        yield Finding("rights", ok=False, text=text, remedy="leave `mbox` out, or write `mbox: mboxrd`")
    yield from _room(settings.root)
    yield Finding("keywords", ok=True, text="keeps any keyword; a Maildir 26 in a folder", names=("*",))


def _can_be_made(root: str) -> Iterator[Finding]:
    above = os.path.dirname(root)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    can = os.path.isdir(above) and os.access(above, os.W_OK | os.X_OK)
    remedy = "" if can else "let the user who runs xdmigrate write there, or mend `path`"
    yield Finding("rights", can, f"{above} can{'' if can else 'not'} be written", remedy)
    yield from _room(above)


def _room(path: str) -> Iterator[Finding]:
    try:
        told = os.statvfs(path)
    except OSError:
        return
    room = told.f_bavail * told.f_frsize
    yield Finding("room", ok=True, text=f"{room} bytes free on the disk", amount=room)


def _left_out(tree: Tree) -> Iterator[Finding]:
    for what, count in tree.left_out().items():
        yield Finding("rights", ok=True, text=f"{count} {what} are left out", remedy="look at what lies below the path")
