"""Bad days of a database: a disk that is full, a lock that is kept, a file that is gone; and waits that a test ends."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from service.adapters.store import Store
from service.jobs import Jobs
from service.pipeline import Tools
from service.settings import Settings
from service.web.app import OpenJobs

LONGEST_S = 30.0
"""After which a test has failed."""
SMALL_BYTES = 2 * 1024 * 1024


class Waits:
    """In place of a sleep: whoever waits is noted, and goes on when the test says so."""

    def __init__(self) -> None:
        self.lengths_s: list[float] = []
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, wait_s: float) -> None:
        """Wait until the test goes on."""
        self.lengths_s.append(wait_s)
        self.begun.set()
        await self.over.wait()

    async def until_begun(self) -> None:
        """Return when somebody waits."""
        async with asyncio.timeout(LONGEST_S):
            await self.begun.wait()


class Disk(Protocol):
    """A disk that can be filled."""

    folder: Path

    def watch(self, store: Store) -> None:
        """Have a store on it."""

    def fill(self) -> None:
        """Leave no space."""

    def free(self) -> None:
        """Give it back."""


class Pages:
    """A database that may have no more pages: what SQLite says then is what it says of a full disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._most = 1_000_000

    def watch(self, store: Store) -> None:
        """Bound every connection whenever it is used."""

        def bound(connection: sqlite3.Connection, *_: object) -> None:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA max_page_count = {self._most}")
            cursor.close()

        sa.event.listen(store._engine.sync_engine, "checkout", bound)

    def fill(self) -> None:
        """Allow no more pages than there are."""
        self._most = 1

    def free(self) -> None:
        """Allow as many as ever."""
        self._most = 1_000_000


class Mounted:
    """A small disk of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def watch(self, store: Store) -> None:
        """A real disk is full by itself."""

    def fill(self) -> None:
        """Write until there is no space left."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def free(self) -> None:
        """Remove what was written."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, missing: Callable[[str, str], None]) -> Iterator[Mounted]:
    """Mount a disk of two megabytes; `missing` is told where that is not to be had."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if made.returncode:
            missing("tmpfs", f"a small disk cannot be mounted: {made.stderr.strip()}")
    except FileNotFoundError:
        missing("tmpfs", "there is no mount command")
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - our own command


@asynccontextmanager
async def beside(trouble: AbstractContextManager[None]) -> AsyncIterator[None]:
    """Have a trouble begin beside the loop: a transaction that is under way there could not end while it waits."""
    await asyncio.to_thread(trouble.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(trouble.__exit__, None, None, None)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process keeps the database locked."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def impatient(store: Store) -> None:
    """Have a store give up at once where the database is locked, not after seconds."""

    def set_timeout(connection: sqlite3.Connection, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 1")
        cursor.close()

    sa.event.listen(store._engine.sync_engine, "checkout", set_timeout)


@contextmanager
def gone(path: Path) -> Iterator[None]:
    """The file is elsewhere."""
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    yield
    elsewhere.rename(path)


def opening(tools: Tools, *, watch: Callable[[Store], None], waits: Waits) -> OpenJobs:
    """What opens jobs without an endpoint on a store that is watched, and whose waits the test ends."""

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Jobs]:
        store = await Store.open(settings.database_url, working=True, sleep=waits)
        watch(store)
        try:
            async with Jobs(store=store, tools=tools, concurrency=2, max_documents=10) as jobs:
                yield jobs
        finally:
            await store.close()

    return opened
