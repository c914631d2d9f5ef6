"""What canaries told about the invitations of the systems of a plan: the last word on each."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, select

from xdmigrate_state import dialects
from xdmigrate_state.packing import one_line
from xdmigrate_state.rows import CanaryRow
from xdmigrate_state.tables import canary

SERVER_LENGTH = 200


def record(c: Connection, plan_id: int, told: CanaryRow) -> None:
    """This is the last word on the system from now on."""
    values = {**asdict(told), "server": one_line(told.server, SERVER_LENGTH), "plan_id": plan_id}
    new = dialects.insert(c.dialect.name, canary).values(values)
    again = {name: new.excluded[name] for name in values if name not in ("plan_id", "system")}
    c.execute(new.on_conflict_do_update(index_elements=[canary.c.plan_id, canary.c.system], set_=again))


def of_plan(c: Connection, plan_id: int) -> dict[str, CanaryRow]:
    """The last word on each system, by its identity."""
    columns = [column for column in canary.c if column.name != "plan_id"]
    found = c.execute(select(*columns).where(canary.c.plan_id == plan_id))
    return {row.system: CanaryRow(**row._mapping) for row in found}
