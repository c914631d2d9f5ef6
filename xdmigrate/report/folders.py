"""The folders of one mailbox, as facts for machines and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from xdmigrate.model import Kind
from xdmigrate.report.facts import KindCounts
from xdmigrate.report.text import cell, count_cells, count_columns, table
from xdmigrate_state.rows import FolderRow


def folder_json(row: FolderRow) -> dict[str, object]:
    """One folder pair."""
    return {
        "id": row.id,
        "kind": row.kind,
        "path": list(row.path),
        "target": list(row.target_path) if row.target_path is not None else None,
        "vanished": row.vanished,
        **KindCounts.of(row.counts).to_json(),
    }


def folder_table(rows: Sequence[FolderRow]) -> Table:
    """One line a folder; what kind of data it holds, where it is not all mail."""
    counts = [KindCounts.of(row.counts) for row in rows]
    columns = count_columns(counts)
    several = any(row.kind != Kind.MAIL for row in rows)
    kinds = ("kind",) if several else ()
    made = table("id", *kinds, "folder", "to", *columns, numbers=len(columns), whole=("id", "kind"))
    for row, counted in zip(rows, counts, strict=True):
        target = "/".join(row.target_path) if row.target_path is not None else ""
        path = f"{'/'.join(row.path)}{' (gone)' if row.vanished else ''}"
        kind = (cell(row.kind),) if several else ()
        made.add_row(str(row.id), *kind, cell(path), cell(target), *count_cells(counted, columns))
    return made
