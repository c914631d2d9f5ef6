"""Folder pairs: each row is one incarnation of a source folder and where it goes. Counters live in `counters`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from xdmigrate.model import Path
from xdmigrate_state.packing import path_levels, path_text
from xdmigrate_state.rows import Counts, FolderRow
from xdmigrate_state.tables import COUNTERS, folder

_ONE = select(folder).where(folder.c.id == bindparam("folder"))
_ALL = select(folder).where(folder.c.mailbox_id == bindparam("mailbox")).order_by(folder.c.id)
_LIVE = _ALL.where(folder.c.superseded.is_(False))
_ADD = insert(folder).returning(folder.c.id)
_SET = update(folder).where(folder.c.id == bindparam("this"))


def of_mailbox(c: Connection, mailbox_id: int, *, live: bool = True) -> list[FolderRow]:
    """The folders of a mailbox, by id; with `live`, only those that are not superseded."""
    return [_folder(row) for row in c.execute(_LIVE if live else _ALL, {"mailbox": mailbox_id})]


def of_place(c: Connection, place_id: int) -> list[FolderRow]:
    """Every folder that goes to this place, of whichever mailbox."""
    return [
        _folder(row) for row in c.execute(select(folder).where(folder.c.place_id == place_id).order_by(folder.c.id))
    ]


def get(c: Connection, folder_id: int) -> FolderRow:
    """The folder. Raises NoResultFound when there is none."""
    return _folder(c.execute(_ONE, {"folder": folder_id}).one())


def add(  # noqa: PLR0917 - a row's columns
    c: Connection,
    mailbox_id: int,
    account_id: int,
    kind: str,
    path: Path,
    role: str,
    ref: bytes,
    validity: int,
    next_id: bytes,
) -> FolderRow:
    """A source folder met for the first time, or under a new validity."""
    values = {
        "mailbox_id": mailbox_id,
        "account_id": account_id,
        "kind": kind,
        "path": path_text(path),
        "role": role,
        "ref": ref,
        "validity": validity,
        "next_id": next_id,
    }
    return get(c, c.execute(_ADD, values).scalar_one())


def set_source(
    c: Connection,
    folder_id: int,
    *,
    path: Path | None = None,
    role: str | None = None,
    ref: bytes | None = None,
    next_id: bytes | None = None,
    vanished: bool | None = None,
) -> None:
    """Record what the source tells about its folder now; None keeps what is known."""
    told = {
        "path": None if path is None else path_text(path),
        "role": role,
        "ref": ref,
        "next_id": next_id,
        "vanished": vanished,
    }
    if values := {name: value for name, value in told.items() if value is not None}:
        _set(c, folder_id, **values)


def set_target(c: Connection, folder_id: int, target_path: Path, place_id: int | None) -> None:
    """Where the folder goes. Called once before the first write, and again when the target folder was renamed."""
    _set(c, folder_id, target_path=path_text(target_path), place_id=place_id)


def set_adopted(c: Connection, folder_id: int, adopted: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a sentence
    """What was on the target before our first write has been matched."""
    _set(c, folder_id, adopted=adopted)


def set_cursor(c: Connection, folder_id: int, cursor: bytes, state: bytes, next_id: bytes) -> None:
    """Everything up to here has a row in the ledger. Never called before those rows are written."""
    _set(c, folder_id, cursor=cursor, state=state, next_id=next_id)


def supersede(c: Connection, folder_id: int) -> None:
    """The source folder's validity changed: its rows have been handed to the next incarnation."""
    _set(c, folder_id, superseded=True)


def _set(c: Connection, folder_id: int, **values: Any) -> None:
    c.execute(_SET, {"this": folder_id, **values})


def _folder(row: Row[*tuple[Any, ...]]) -> FolderRow:
    values = dict(row._mapping)
    counts = Counts(**{name: values.pop(name) for name in COUNTERS})
    target = values["target_path"]
    values["path"] = path_levels(values["path"])
    values["target_path"] = None if target is None else path_levels(target)
    return FolderRow(**values, counts=counts)
