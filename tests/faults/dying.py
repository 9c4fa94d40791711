"""`precis` in a process that dies at a fail point, as by kill -9: `python dying.py POINT AT ARGUMENTS...`.

A point is named by what is written to the database, and by whether the process dies before or after that is committed;
`AT` counts how often it is passed, the last time being the end. The service knows nothing of this: SQLAlchemy tells of
statements and commits (its core events), whatever code they come from.
"""

import os
import re
import signal
import sys
from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import Pool

from service.cli import main


class Point(NamedTuple):
    """Where a process may die."""

    statement: str
    """Pattern of a statement."""
    when: Literal["within", "before", "after"]
    """Within its transaction, straight after it; before the commit; or after the commit."""
    value: str | None = None
    """One of its parameters."""


POINTS = {
    "after_accept": Point("INSERT INTO summaries", "after"),
    "before_accept": Point("INSERT INTO summaries", "before"),
    "after_claim": Point("UPDATE summaries SET .*tries", "after", "running"),
    "after_sent": Point("INSERT INTO attempts", "after"),
    "before_answer": Point("INSERT INTO completions", "before"),
    "after_answer": Point("INSERT INTO completions", "after"),
    "before_end": Point("UPDATE summaries SET ", "before", "succeeded"),
    "after_end": Point("UPDATE summaries SET ", "after", "succeeded"),
    "after_try_to_draw": Point("UPDATE comparisons SET tries", "after"),
    "within_migration": Point("^\\s*(CREATE|ALTER|DROP) ", "within"),
    "before_migrated": Point("UPDATE alembic_version ", "before"),
    "after_migrated": Point("UPDATE alembic_version ", "after"),
    "after_cancelling": Point("UPDATE summaries SET status", "after", "cancelling"),
    "within_purge": Point("UPDATE documents SET text", "within"),
    "before_purge": Point("UPDATE documents SET text", "before"),
    "after_purge": Point("UPDATE documents SET text", "after"),
    "within_delete": Point("DELETE FROM summaries", "within"),
    "before_delete": Point("DELETE FROM summaries", "before"),
    "after_delete": Point("DELETE FROM summaries", "after"),
}


DUE, DONE = "point_due", "point_done"
"""Kept with the connection to the database, which a transaction has to itself."""


class Death:
    """Makes this process die when it passes a point for the `at`-th time."""

    def __init__(self, point: Point, at: int) -> None:
        self._point = point
        self._pattern = re.compile(point.statement)
        self._left = at

    def arm(self) -> None:
        """Listen to every connection that there will be."""
        event.listen(Engine, "after_cursor_execute", self._executed)
        event.listen(Engine, "commit", self._committing)
        event.listen(Engine, "rollback", self._rolled_back)
        event.listen(Pool, "checkin", self._returned)

    def _executed(
        self, connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, many: bool
    ) -> None:
        given: Sequence[object] = tuple(chain.from_iterable(parameters)) if many else tuple(parameters)
        if self._pattern.search(statement) and (self._point.value is None or self._point.value in given):
            connection.info[DUE] = True
            self._pass("within")

    def _committing(self, connection: Connection) -> None:
        if connection.info.pop(DUE, False):
            connection.info[DONE] = True
            self._pass("before")

    def _rolled_back(self, connection: Connection) -> None:
        connection.info.pop(DUE, None)

    def _returned(self, _connection: object, record: Any) -> None:
        if record.info.pop(DONE, False):
            self._pass("after")

    def _pass(self, when: str) -> None:
        self._left -= when == self._point.when
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    name, at, *arguments = sys.argv[1:]
    Death(POINTS[name], int(at)).arm()
    main(arguments)
