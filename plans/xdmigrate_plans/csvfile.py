"""Reads the rows of a mailbox CSV, each with its line. Rows may hold passwords and are never kept."""

from __future__ import annotations

import csv
import io
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from xdmigrate_plans import textfile
from xdmigrate_plans.diagnosis import shown
from xdmigrate_plans.faults import Faults, Spot, suggest

PASSWORDS: Final = {"source": "source_password", "target": "target_password"}
COLUMNS: Final = (
    "source",
    "target",
    "source_user",
    "source_password",
    "target_user",
    "target_password",
    "wave",
    "name",
    "type",
)
TYPES: Final = ("mailbox", "user", "shared", "resource")
OTHER_TYPES: Final = ("address", "alias", "contact", "forward", "group")
_EVERYBODY: Final = stat.S_IROTH | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Row:
    """One mailbox of a CSV; empty cells are left out."""

    line: int
    cells: dict[str, str]
    passwords: dict[str, str] = field(repr=False)  # by side


def read(path: Path, faults: Faults, asked: Spot, where: str) -> list[Row]:
    """The rows that can be used; every fault is noted. The plan names the file at `asked`, under the key `where`."""
    try:
        text, mode = textfile.read(path)
    except textfile.Unusable as error:
        spot = Spot(str(path), error.line) if error.line else asked
        remedy = "save it as CSV in UTF-8" if error.line else "a relative path starts at the plan's folder"
        faults.add(spot, where, f"'{path}' {error.message}", remedy)
        return []
    if "\0" in text:
        faults.add(Spot(str(path), _line_at(text, "\0")), where, "holds a NUL byte", "save it as CSV in UTF-8")
        return []
    rows = list(_rows(text, str(path), faults))
    if mode & _EVERYBODY and any(row.passwords for row in rows):
        message = f"holds passwords, and mode {mode:04o} lets everybody on this machine have them"
        faults.add(Spot(str(path)), where, message, f"chmod 600 {shlex.quote(str(path))}")
    return rows


def _line_at(text: str, mark: str) -> int:
    return text.count("\n", 0, text.index(mark)) + 1


def _rows(text: str, file: str, faults: Faults) -> Iterator[Row]:
    records = _records(text, file, faults)
    line, header = next(records, (1, []))
    columns = [cell.strip().lower() for cell in header]
    if not _usable(columns, Spot(file, line), faults):
        return
    for line, cells in records:
        spot = Spot(file, line)
        if len(cells) > len(columns):
            message = f"has {len(cells)} values, the header has {len(columns)}"
            faults.add(spot, "row", message, "quote values that hold the separator")
        elif row := _row(spot, dict(zip(columns, cells, strict=False)), faults):
            yield row


def _records(text: str, file: str, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Every record that is not blank, with the line where it begins."""
    first = text.lstrip().partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        faults.add(
            Spot(file, line), "row", f"is not valid CSV: {error}", "close the quotes of this row or the one before"
        )


def _usable(columns: list[str], spot: Spot, faults: Faults) -> bool:
    """Whether the first line names columns. A file without a header begins with an account, and maybe its password."""
    before = len(faults)
    for place, name in enumerate(columns):
        if name not in COLUMNS:
            quotable = ("source" in columns or get_close_matches(name, COLUMNS)) and name.isprintable() and name
            known = f"'{name[:60]}'" if quotable else f"number {place + 1}"
            remedy = "separate the cells by , or ;" if "\t" in name else suggest(name, COLUMNS)
            faults.add(spot, "header", f"unknown column {known}", remedy)
        elif name in columns[:place]:
            faults.add(spot, "header", f"column '{name}' stands twice", "remove one of them")
    if "source" not in columns:
        faults.add(spot, "header", "column 'source' is missing", f"name the columns: {','.join(COLUMNS)}")
    return len(faults) == before


def _row(spot: Spot, cells: dict[str, str], faults: Faults) -> Row | None:
    passwords = {side: cells.pop(column) for side, column in PASSWORDS.items() if cells.get(column)}
    filled = {name: text.strip() for name, text in cells.items() if name not in PASSWORDS.values() and text.strip()}
    kind = filled.pop("type", TYPES[0]).lower()
    if kind in TYPES:
        return Row(spot.line, filled, passwords)
    if kind in OTHER_TYPES:
        faults.add(
            spot, "type", f"type '{kind}' is not supported by this version", "remove the row; this version moves mail"
        )
    else:
        told = "this type" if passwords else f"type {shown(('type',), kind)}"
        faults.add(spot, "type", f"{told} is not known", suggest(kind, TYPES))
    return None
