"""The driver of SQLite, with fewer ways to its thread and back.

aiosqlite goes there four times for one statement (for a cursor, to execute, for the rows, to close the cursor) and once
more to end a transaction that is over. A way takes more CPU than most of our statements, so here a statement takes one.
"""

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NamedTuple, Self
from weakref import WeakSet

import aiosqlite

_LONGEST_S = 5.0
"""That a thread is waited for: about as long as a statement waits for a lock."""


def existing(path: Path) -> str:
    """The URI of a file, with which SQLite opens it and makes none.

    One that was made where another had been taken away a moment before would be given the log of that one.

    Args:
        path: absolute.
    """
    return f"{path.as_uri()}?mode=rw"


class Done(NamedTuple):
    """What a statement came to, as a DB-API cursor has it."""

    rows: list[Any]
    description: tuple[Any, ...] | None = None
    rowcount: int = -1
    lastrowid: int | None = None


class Connection(aiosqlite.Connection):
    """A connection of aiosqlite with the methods that SQLAlchemy calls; open once it is awaited.

    Args:
        path: of a file that is there.
        options: as `sqlite3.connect` has them.
    """

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(lambda: sqlite3.connect(existing(Path(path)), uri=True, **options), iter_chunk_size=1)
        self.thread = self._thread
        # one that nobody closed does not keep the process
        self.thread.daemon = True

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """A cursor; the database has one for as long as a statement takes."""
        return Cursor(self)

    async def rollback(self) -> None:
        """End the transaction, if there is one: a connection mostly goes back to its pool without."""
        if self.in_transaction:
            await super().rollback()

    async def run(self, method: Literal["execute", "executemany"], statement: str, values: Iterable[Any]) -> Done:
        """Execute a statement and read all its rows; raises as sqlite3 does."""
        done: Done = await self._execute(self._run, method, statement, values)  # type: ignore[no-untyped-call]
        return done

    def _run(self, method: str, statement: str, values: Iterable[Any]) -> Done:
        cursor = self._conn.cursor()
        try:
            getattr(cursor, method)(statement, values)
            rows = cursor.fetchall() if cursor.description else []
            return Done(rows, cursor.description, cursor.rowcount, cursor.lastrowid)
        finally:
            cursor.close()


class Connections:
    """Opens connections, and knows of their threads; called as a function with what a connection takes."""

    def __init__(self) -> None:
        self._threads: WeakSet[Thread] = WeakSet()

    def __call__(self, path: str, **options: Any) -> Connection:
        """A connection, open once it is awaited."""
        connection = Connection(path, **options)
        self._threads.add(connection.thread)
        return connection

    async def ended(self) -> None:
        """Return when no thread is at work any more.

        SQLAlchemy does not wait for a connection whose user was cancelled amid a statement. Its thread would find the
        event loop closed, and end with a traceback.
        """
        for thread in [thread for thread in self._threads if thread.is_alive()]:
            await asyncio.to_thread(thread.join, _LONGEST_S)


class Cursor:
    """The last statement that was executed with it, and its rows."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done = Done([])

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> tuple[Any, ...] | None:
        """Of the columns; None where a statement gives no rows."""
        return self._done.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._done.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Of the row that was inserted last."""
        return self._done.lastrowid

    async def execute(self, statement: str, values: Iterable[Any] = ()) -> None:
        """Execute a statement; raises as sqlite3 does."""
        self._done = await self._connection.run("execute", statement, values)

    async def executemany(self, statement: str, values: Iterable[Iterable[Any]]) -> None:
        """Execute a statement for each of some values; raises as sqlite3 does."""
        self._done = await self._connection.run("executemany", statement, values)

    async def fetchall(self) -> list[Any]:
        """The rows, once."""
        rows = self._done.rows
        self._done = self._done._replace(rows=[])
        return rows

    async def close(self) -> None:
        """Let the rows go."""
        self._done = self._done._replace(rows=[])
