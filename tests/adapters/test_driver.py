"""The driver of SQLite: a statement takes one way to its thread, and does what aiosqlite does."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.adapters.store.driver import Connection, Connections


class Counted(Connection):
    """A connection that counts the ways to its thread."""

    ways = 0

    async def _execute(self, *args: Any, **options: Any) -> Any:
        self.ways += 1
        return await super()._execute(*args, **options)  # type: ignore[no-untyped-call]


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Counted]:
    """A connection to a table of two rows, as SQLAlchemy opens one."""
    path = tmp_path / "a name?#.db"
    path.touch()
    opened = Counted(str(path), isolation_level=None)
    async with opened:
        cursor = opened.cursor()
        await cursor.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        await cursor.executemany("INSERT INTO t VALUES (?, ?)", [(1, "one"), (2, "two")])
        opened.ways = 0
        yield opened


async def test_a_statement_with_its_rows_takes_one_way(connection: Counted) -> None:
    """The cursor, the rows and the end of the cursor take none of their own."""
    cursor = await connection.cursor().__aenter__()
    await cursor.execute("SELECT a, b FROM t ORDER BY a")
    assert await cursor.fetchall() == [(1, "one"), (2, "two")]
    assert await cursor.fetchall() == []
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["a", "b"]
    await cursor.close()
    assert connection.ways == 1


async def test_what_was_changed_is_counted(connection: Counted) -> None:
    """By one statement and by one for many values; a changed row can be given back at once."""
    cursor = connection.cursor()
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (-1, None, None)
    await cursor.executemany("INSERT INTO t VALUES (?, ?)", [(3, "x"), (4, "x")])
    assert (cursor.rowcount, cursor.description) == (2, None)
    await cursor.execute("INSERT INTO t VALUES (?, ?)", (7, "seven"))
    assert cursor.lastrowid == 7
    await cursor.execute("UPDATE t SET b = 'y' WHERE b = ? RETURNING a", ("x",))
    assert (await cursor.fetchall(), cursor.rowcount) == ([(3,), (4,)], 2)


async def test_a_transaction_is_rolled_back_once(connection: Counted) -> None:
    """Where there is none, nothing is sent to the thread."""
    await connection.rollback()
    assert connection.ways == 0
    cursor = connection.cursor()
    await cursor.execute("BEGIN")
    await cursor.execute("DELETE FROM t")
    await connection.rollback()
    await connection.rollback()
    assert connection.ways == 3
    await cursor.execute("SELECT count(*) FROM t")
    assert await cursor.fetchall() == [(2,)]


async def test_an_error_of_a_statement_leaves_no_cursor_behind(connection: Counted) -> None:
    """The next transaction ends: one that is read to half would hold it."""
    cursor = connection.cursor()
    await cursor.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        await cursor.execute("INSERT INTO t SELECT 8, 'a' UNION ALL SELECT 1, 'b'")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await cursor.executemany("INSERT INTO u VALUES (?)", [(1,)])
    await connection.commit()
    await cursor.execute("SELECT count(*) FROM t")
    assert await cursor.fetchall() == [(2,)]


async def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """It would be given the log of the one that was there."""
    path = tmp_path / "gone.db"
    connection = Connection(str(path))
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await connection
    connection.thread.join()  # aiosqlite has told it to end
    assert not path.exists()


async def test_threads_are_waited_for(tmp_path: Path) -> None:
    """Those of connections that were told to close and not waited for, as SQLAlchemy does it for who is cancelled."""
    path = tmp_path / "a.db"
    path.touch()
    connections = Connections()
    first, second = connections(str(path)), connections(str(path))
    await first
    await second
    await second.close()
    first.stop()
    await connections.ended()
    assert not first.thread.is_alive()
    assert not second.thread.is_alive()
