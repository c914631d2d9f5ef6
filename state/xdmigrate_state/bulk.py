"""One statement for many rows. SQLAlchemy compiles it once for a dialect; the rows go to the driver as they are.

`Connection.execute` prepares every parameter of every row in Python, which takes three times as long as SQLite itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

from sqlalchemy import Connection, Insert, Update

from xdmigrate_state import dialects

Row = tuple[object, ...]


class Bulk:
    """A statement whose parameters are `names`; rows are tuples in that order, of types that the drivers know."""

    def __init__(self, statement: Insert | Update, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, Callable[[Row], Row]]] = {}

    def run(self, c: Connection, rows: Sequence[Row]) -> None:
        """Execute for every row."""
        sql, arrange = self._for(c.dialect.name)
        c.exec_driver_sql(sql, [arrange(row) for row in rows])

    def _for(self, dialect: str) -> tuple[str, Callable[[Row], Row]]:
        found = self._compiled.get(dialect)
        if found is None:
            keys = list(self._names) if isinstance(self._statement, Insert) else None
            compiled = self._statement.compile(dialect=dialects.positional(dialect), column_keys=keys)
            order = getattr(compiled, "positiontup", None) or ()
            found = str(compiled), itemgetter(*map(self._names.index, order))
            self._compiled[dialect] = found
        return found
