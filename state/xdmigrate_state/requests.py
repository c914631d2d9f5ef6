"""What people ask of a running process: pause, resume, retry, … posted by one command, taken up by another."""

from __future__ import annotations

import json

from sqlalchemy import Connection, insert, select, update

from xdmigrate_state.rows import RequestRow
from xdmigrate_state.tables import request


def post(c: Connection, plan_id: int, verb: str, facts: dict[str, object], now: float) -> int:
    """Ask; returns the request's id."""
    values = {"plan_id": plan_id, "verb": verb, "facts": json.dumps(facts), "posted_at": now}
    return int(c.execute(insert(request).values(values).returning(request.c.id)).scalar_one())


def take(c: Connection, plan_id: int, now: float) -> list[RequestRow]:
    """Take up what nobody has taken, oldest first. Each request is taken once, by one process."""
    waiting = (request.c.plan_id == plan_id) & request.c.taken_at.is_(None)
    taken = c.execute(update(request).where(waiting).values(taken_at=now).returning(request)).mappings()
    rows = [
        RequestRow(row["id"], row["plan_id"], row["verb"], json.loads(row["facts"]), row["posted_at"]) for row in taken
    ]
    return sorted(rows, key=lambda row: row.id)


def waiting(c: Connection, plan_id: int) -> bool:
    """Whether anything waits to be taken: a read, so that looking every few seconds takes no write lock."""
    wanted = select(request.c.id).where(request.c.plan_id == plan_id, request.c.taken_at.is_(None)).limit(1)
    return c.execute(wanted).first() is not None


def is_taken(c: Connection, request_id: int) -> bool:
    """Whether a running process has taken the request up."""
    return c.execute(select(request.c.taken_at).where(request.c.id == request_id)).scalar() is not None
