"""The folders of one mailbox, as facts for machines and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from xdmigrate.report.facts import KindCounts
from xdmigrate.report.text import COUNT_COLUMNS, cell, count_cells, table
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
    """One line a folder."""
    made = table("id", "folder", "to", *COUNT_COLUMNS, numbers=len(COUNT_COLUMNS))
    for row in rows:
        target = "/".join(row.target_path) if row.target_path is not None else ""
        path = f"{'/'.join(row.path)}{' (gone)' if row.vanished else ''}"
        made.add_row(str(row.id), cell(path), cell(target), *count_cells(KindCounts.of(row.counts)))
    return made
