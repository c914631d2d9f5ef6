"""The plans that a state holds: one on SQLite, several on PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from xdmigrate.errors import GuardRefused
from xdmigrate_state.rows import PlanRow
from xdmigrate_state.tables import plan

DRAFT = "draft"
"""The stage of a plan that has just been saved for the first time."""

_PAUSED = select(plan.c.paused).where(plan.c.id == bindparam("plan"))


def find(c: Connection, name: str) -> PlanRow | None:
    """The plan of this name."""
    row = c.execute(select(plan).where(plan.c.name == name)).one_or_none()
    return None if row is None else _plan(row)


def every(c: Connection) -> list[PlanRow]:
    """All plans, by name."""
    return [_plan(row) for row in c.execute(select(plan).order_by(plan.c.name))]


def save(  # noqa: PLR0917 - a row's columns
    c: Connection, name: str, path: str | Path, checksum: str, snapshot: dict[str, object], now: float
) -> PlanRow:
    """Insert the plan or record it as applied now. `snapshot` must hold secret references only, never secrets.

    Raises GuardRefused when another plan file, which still exists, has this name.
    """
    old = find(c, name)
    values = {"path": str(path), "checksum": checksum, "snapshot": json.dumps(snapshot, sort_keys=True)}
    if old is None:
        c.execute(insert(plan), {"name": name, "stage": DRAFT, "created_at": now, **values})
    else:
        _refuse_second_file(old, str(path))
        c.execute(update(plan).where(plan.c.id == old.id).values(values))
    return _plan(c.execute(select(plan).where(plan.c.name == name)).one())


def set_stage(c: Connection, plan_id: int, stage: str) -> None:
    """Move the plan to a stage."""
    c.execute(update(plan).where(plan.c.id == plan_id).values(stage=stage))


def is_paused(c: Connection, plan_id: int) -> bool:
    """Whether a person has paused the whole plan."""
    return bool(c.execute(_PAUSED, {"plan": plan_id}).scalar_one())


def set_paused(c: Connection, plan_id: int, paused: bool) -> None:  # noqa: FBT001 - the value is the sentence
    """Pause or resume the whole plan."""
    c.execute(update(plan).where(plan.c.id == plan_id).values(paused=paused))


def _refuse_second_file(old: PlanRow, path: str) -> None:
    if path != old.path and Path(old.path).exists():
        raise GuardRefused(
            f"plan {old.name}: both {old.path} and {path} have this name",
            remedy="give one of them another name, or remove the old file if it was moved",
        )


def _plan(row: Row[*tuple[object, ...]]) -> PlanRow:
    values = dict(row._mapping)
    values["snapshot"] = json.loads(values["snapshot"])
    return PlanRow(**values)
