"""The file as this process has it open: who reads, who writes, whose work a row is, and what to do on a bad day."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import exc
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.adapters.store.driver import Connections
from service.adapters.store.serving import Worker, living
from service.adapters.store.sqlite import (
    BEGIN,
    BUSY,
    PRAGMAS,
    TRIAL,
    WAL_LIMIT_BYTES,
    database_path,
    identity,
    listen,
    log_bytes,
    prepare,
    see,
    store_errors,
    take_lock,
)
from service.core.errors import StoreFull, StoreUnavailable

FIRST_S = 0.5
LONGEST_S = 10.0
"""Between two tries of what is not given up, doubling."""
HURRIED_TURN_S, HURRIED_BUSY_S = 3.0, 1.0
"""Longest that a writer waits for the others of this process, and for other ones, once this one is about to end."""

log = structlog.stdlib.get_logger(__name__)

Done = TypeVar("Done")
Sleep = Callable[[float], Awaitable[None]]


class Database:
    """A database that is open. Every method raises StoreUnavailable when it fails, StoreFull when its disk is full.

    Args:
        path: of the file.
        engine: that has its connections.
        connections: that it has opened.
        worker: this process, where it works on rows.
        sleep: waits for so many seconds.
    """

    turn_s = 15.0
    """Longest that a writer waits for the others of this process."""

    def __init__(
        self,
        path: Path,
        engine: AsyncEngine,
        connections: Connections,
        *,
        worker: Worker | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.path = path
        self._engine = engine
        self._connections = connections
        self._worker = worker
        self._sleep = sleep
        self._opened = identity(path)
        self._writer = engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
        self._outside = engine.execution_options(**{BEGIN: ""})
        # waiting in turn is fairer than SQLite's polling, and does not hold a connection each
        self._writing = asyncio.Lock()
        self._was_full = False
        self._in_a_hurry = asyncio.Event()

    @classmethod
    async def open(cls, url: str, *, working: bool = False, sleep: Sleep = asyncio.sleep) -> Self:
        """Open the file, new or older; it is made or migrated first, and copied aside before it is migrated.

        Args:
            url: `sqlite:///path` or `sqlite+aiosqlite:///path`.
            working: whether this process is to work on rows: other processes then leave its rows to it while it lives.
            sleep: waits for so many seconds.

        Raises:
            BadSettings: the URL is another one.
            StoreUnavailable: the file cannot be used, or a newer version wrote it.
        """
        path = database_path(url)
        # at debug, aiosqlite logs every statement with its parameters: the text of documents
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        with store_errors(f"The database {path}"):
            await asyncio.to_thread(prepare, path)
            worker = Worker.enter(path) if working else None
            connections = Connections()
            engine = create_async_engine(
                URL.create("sqlite+aiosqlite", database=str(path)),
                hide_parameters=True,
                connect_args={"async_creator_fn": connections},
            )
            listen(engine.sync_engine, *PRAGMAS, "foreign_keys = ON")
            return cls(path, engine, connections, worker=worker, sleep=sleep)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()
        await self._connections.ended()
        if self._worker is not None:
            self._worker.leave()
            self._worker = None

    async def ping(self) -> None:
        """See that the database can be read and written.

        Raises:
            StoreUnavailable: it is gone, or another process keeps it locked.
            StoreFull: its disk was full when something was last written, and still is.
        """
        with store_errors("The database"):
            see(self.path, self._opened)
            await asyncio.to_thread(take_lock, self.path)
        if self._was_full:
            async with self.writes() as connection:
                for statement in TRIAL:
                    await connection.exec_driver_sql(statement)

    # --- transactions ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with."""
        with store_errors("The database"):
            see(self.path, self._opened)
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writes(self, *, empty_log: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection in a write transaction, committed at the end; the log is emptied when it is long, or asked."""
        async with self._turn():
            try:
                with store_errors("The database"):
                    see(self.path, self._opened)
                    async with self._writer.begin() as connection:
                        yield connection
            except StoreFull:
                self._was_full = True
                # the log may hold what has its place in the file already
                await self._try_to_empty_log()
                raise
            self._was_full = False
            # what was written is committed and safe already; should this fail, the next write tries again
            with suppress(OSError):
                if empty_log or log_bytes(self.path) > WAL_LIMIT_BYTES:
                    await self._try_to_empty_log()

    async def empty_log(self) -> None:
        """Empty the log, so that what was deleted is not in it either."""
        async with self._turn():
            await self._try_to_empty_log()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """The right of this process to write, one at a time."""
        try:
            async with asyncio.timeout(self.turn_s):
                await self._writing.acquire()
        except TimeoutError:
            raise StoreUnavailable(
                f"The database is busy: others of this process have been writing for over {self.turn_s:g} s. Try again "
                "later."
            ) from None
        try:
            yield
        finally:
            self._writing.release()

    async def _try_to_empty_log(self) -> None:
        with suppress(exc.DBAPIError, exc.TimeoutError, OSError):
            async with self._outside.connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def patiently(self, act: Callable[[], Awaitable[Done]]) -> Done:
        """What `act` gives, done again and again while the database is full, locked or gone.

        For work that nobody waits for: what was paid for is not lost for want of a disk. There is no end to it but
        that the task is cancelled, or the process is about to end.

        Raises:
            StoreUnavailable: it fails, and is to be waited for no longer.
        """
        wait_s = FIRST_S
        while True:
            try:
                return await act()
            except StoreUnavailable as error:
                if self._in_a_hurry.is_set():
                    raise
                log.warning("store_waited_for", code=error.code, wait_s=wait_s, reason=error.detail)
            await self._pause(wait_s)
            wait_s = min(2 * wait_s, LONGEST_S)

    def wait_no_longer(self) -> None:
        """Have `patiently` raise from now on, and nobody wait for a lock for long.

        The process is about to end, and what is in its memory with it. One job after the other that waits for a lock
        which somebody keeps would make that minutes.
        """
        self._in_a_hurry.set()
        self.turn_s = HURRIED_TURN_S
        self._writer = self._writer.execution_options(**{BUSY: HURRIED_BUSY_S})

    async def _pause(self, wait_s: float) -> None:
        both = [asyncio.ensure_future(wait) for wait in (self._sleep(wait_s), self._in_a_hurry.wait())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()

    # --- owners ------------------------------------------------------------------------------------------------------

    @property
    def owner(self) -> str | None:
        """Under which this process is known to others that work on the rows; None where it does not."""
        return self._worker.name if self._worker else None

    def left(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """Of rows that no living process works on or is about to, this one neither."""
        return of_none_of(table, sorted(self._living()))

    def free(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Of rows that no other living process works on or is about to."""
        return of_none_of(table, self.others())

    def others(self) -> list[str]:
        """The names of the other living processes that work on rows."""
        return sorted(self._living() - {self.owner})

    def _living(self) -> frozenset[str]:
        with store_errors("The folder of those who work on the database"):
            return living(self.path)


def of_none_of(table: sa.FromClause, owners: list[str] | sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    """Of rows that are nobody's, or of processes that are not among some."""
    return sa.or_(table.c.owner.is_(None), table.c.owner.not_in(owners))
