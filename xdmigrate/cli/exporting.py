"""Writes quarantined items into files: fetched from the source, named by ids alone, readable by their owner only."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from xdmigrate.cli.call import Call
from xdmigrate.cli.compose import Systems
from xdmigrate.cli.opened import Known, find_mailboxes, load_plan, open_known
from xdmigrate.errors import MailboxError, UsageError, XdmigrateError
from xdmigrate.model import Kind
from xdmigrate.report.words import counted
from xdmigrate_state import failures, folders, mailboxes

if TYPE_CHECKING:
    from xdmigrate.contract import Source
    from xdmigrate.model import Item
    from xdmigrate_state.rows import FailureRow, MailboxRow

COLUMNS = ("item", "file", "mailbox", "folder", "size", "code", "detail", "accepted")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell instead of showing it."""


LONGEST_NAME = 100
ENDINGS = {Kind.MAIL: "eml", Kind.CALENDAR: "ics", Kind.TASKS: "ics", Kind.CONTACTS: "vcf"}


def export(call: Call, told: str, directory: Path, mailbox: str) -> int:
    """Write the plan's quarantined items, or one mailbox's. Those that cannot be fetched stand in the list alone."""
    with open_known(call, told) as known:
        rows = known.db.read(lambda c: failures.of_plan(c, known.row.id))
        boxes = known.db.read(lambda c: mailboxes.all(c, known.row.id))
        if mailbox:
            boxes = find_mailboxes(boxes, mailbox)
        chosen = [row for row in rows if row.mailbox_id in {box.id for box in boxes}]
        _prepare(directory)
        written = Export(call, known, directory).write(boxes, chosen) if chosen else {}
        _write_list(directory / "quarantine.csv", chosen, written)
    call.facts = {"plan": known.row.name, "items": len(chosen), "written": len(written), "directory": str(directory)}
    call.say(f"{len(written)} of {counted(len(chosen), 'item')} written to {directory}; the list is quarantine.csv")
    return call.code([MailboxError.exit_code] if len(written) < len(chosen) else [])


def _prepare(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{directory} cannot be made: {error.strerror}", remedy="name another folder") from error


def _write_list(path: Path, rows: Sequence[FailureRow], written: Mapping[str, str]) -> None:
    with _writing(path), open(_private(path), "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(_cells(row, written.get(row.id, "")) for row in rows)


class Export:
    """Fetches items of several mailboxes into one folder."""

    def __init__(self, call: Call, known: Known, directory: Path) -> None:
        log = call.open_log(known.home, known.row.name, "export")
        self._call = call
        self._db = known.db
        self._directory = directory
        self._systems = Systems(load_plan(Path(known.row.path)), known.home.folder, hide=log.redactor.add)

    def write(self, boxes: Sequence[MailboxRow], rows: Sequence[FailureRow]) -> dict[str, str]:
        """The names of the files by the ids of the items that could be fetched."""
        written: dict[str, str] = {}
        for box in boxes:
            if mine := [row for row in rows if row.mailbox_id == box.id]:
                written |= self._write_mailbox(box, mine)
        return written

    def _write_mailbox(self, box: MailboxRow, rows: Sequence[FailureRow]) -> dict[str, str]:
        written: dict[str, str] = {}
        for route in self._systems.routes:
            try:
                session = self._systems.source(route.source, box)
                try:
                    written |= self._fetch(session, route.kinds, rows)
                finally:
                    session.close()
            except XdmigrateError as error:
                self._call.add(error)
        return written

    def _fetch(self, session: Source, kinds: Sequence[Kind], rows: Sequence[FailureRow]) -> Iterator[tuple[str, str]]:
        """Write what is still there under its old id."""
        shown = {(folder.kind, folder.path): folder for folder in session.folders() if folder.kind in kinds}
        for folder_id in sorted({row.folder_id for row in rows}):
            stored = self._db.read(partial(folders.get, folder_id=folder_id))
            folder = shown.get((Kind(stored.kind), stored.path))
            if folder is None or folder.validity != stored.validity:
                continue
            wanted = {row.source_id: row for row in rows if row.folder_id == folder_id}
            for item in session.read(folder, list(wanted)):
                row = wanted[item.head.ref]
                yield row.id, self._write_item(row, item, ENDINGS[folder.kind])

    def _write_item(self, row: FailureRow, item: Item, ending: str) -> str:
        digest = sha256(row.source_id).hexdigest()
        name = f"{row.id if len(row.id) <= LONGEST_NAME else f'{row.folder_id}.{digest}'}.{ending}"
        path = self._directory / name
        with _writing(path), open(_private(path), "wb") as file:
            for chunk in item.body.chunks():
                file.write(chunk)
        return name


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", remedy="name a new folder") from error


def _private(path: Path) -> int:
    """A new or emptied file of mode 0600; never one that somebody put a link to in its place."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def _cells(row: FailureRow, name: str) -> list[str]:
    path, accepted = "/".join(row.path), row.accepted_why if row.accepted_at else ""
    return [
        harmless(text) for text in (row.id, name, row.source, path, str(row.size), row.reason, row.detail, accepted)
    ]


def harmless(text: str) -> str:
    """The text as a spreadsheet shows it and never runs it."""
    return f"'{text}" if text.startswith(FORMULA) else text
