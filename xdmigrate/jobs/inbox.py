"""Takes what people ask of the running process from the state and applies it."""

from __future__ import annotations

from collections.abc import Set

import structlog
from sqlalchemy import Connection

from xdmigrate.errors import XdmigrateError
from xdmigrate.jobs.requests import AT_REST, Ask, apply
from xdmigrate_state import requests
from xdmigrate_state.database import Database
from xdmigrate_state.rows import RequestRow


class Inbox:
    """The requests of one plan. For one thread."""

    def __init__(self, db: Database, plan_id: int) -> None:
        self._db = db
        self._plan_id = plan_id
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("xdmigrate.run")

    def waiting(self) -> bool:
        """Whether anything waits to be taken."""
        return self._db.read(lambda c: requests.waiting(c, self._plan_id))

    def take(self, busy: Set[int], now: float) -> list[Ask]:
        """Apply what waits and return it. What needs a mailbox at rest is put back while it is `busy`.

        Taking, applying and putting back are one transaction: a process that dies here loses no request.
        """
        return self._db.write(lambda c: self._take(c, busy, now))

    def _take(self, c: Connection, busy: Set[int], now: float) -> list[Ask]:
        return [ask for row in requests.take(c, self._plan_id, now) if (ask := self._apply(c, row, busy, now))]

    def _apply(self, c: Connection, row: RequestRow, busy: Set[int], now: float) -> Ask | None:
        try:
            ask = Ask.of(row.verb, row.facts)
            if ask.verb in AT_REST and not busy.isdisjoint(ask.mailboxes):
                requests.post(c, self._plan_id, row.verb, row.facts, now)
                return None
            apply(c, self._plan_id, ask, now)
        except (XdmigrateError, ValueError, TypeError) as error:
            self._log.warning("request-refused", verb=row.verb, reason=str(error))
            return None
        self._log.info("request", verb=row.verb, mailboxes=list(ask.mailboxes))
        return ask
