"""One job ends the process whenever it is worked on: it is given up, and none that was beside it goes down with it."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lives import LOOK_S, free_port, life, settings
from msgspec.structs import replace

from service.adapters.store import BatchStore, Store, StoredLine, StoredSummary
from service.core.types import Document, Options

INNOCENT = 20
CONCURRENCY = 4
MOST_LIVES = 9
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEFT = "SELECT id FROM summaries WHERE finished_at IS NULL"
POISON = "The mayor held a fatal speech."
# It ends the process as late as it can: when as many as there are places are under way. Those that began before it wait
# for it a moment, so that they are under way then.
FATAL = f"""
import os, signal, threading
from service.adapters import language
from service.cli import main

begun, inside, is_full = threading.Event(), [], threading.Event()

def detect_language(text):
    inside.append(text)
    if len(inside) >= {CONCURRENCY}:
        is_full.set()
    if {POISON!r} in text:
        begun.set()
        is_full.wait(1)
        os.kill(os.getpid(), signal.SIGKILL)
    if begun.wait(0.3):
        threading.Event().wait(60)
    return "en"

language.detect_language = detect_language
main()
"""

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]


def rows() -> list[tuple[StoredSummary, tuple[Document, ...]]]:
    """Summaries to be made, in order; the third is fatal."""
    texts = [f"The council of town {number} voted on Tuesday to close its old bridge." for number in range(INNOCENT)]
    texts.insert(2, f"The council of a town voted on Tuesday. {POISON}")
    return [
        (
            StoredSummary(tenant="local", id=f"sum_{number:02}", status="queued", options=Options(), created_at=NOON),
            (Document(id="d1", text=text),),
        )
        for number, text in enumerate(texts)
    ]


async def single(store: Store) -> None:
    """Each by itself."""
    for summary, documents in rows():
        await store.add(summary, documents)


async def batch(store: Store) -> None:
    """All as one batch."""
    batches, made = BatchStore(store), rows()
    await batches.begin("local", "bat", NOON)
    lines = [StoredLine(line=line, custom_id=None, summary=row.id) for line, (row, _) in enumerate(made, 1)]
    await batches.extend("local", "bat", lines, [(replace(row, batch="bat"), documents) for row, documents in made])
    await batches.accept("local", "bat", len(lines), NOON)


async def prepared(database: Path, fill: Callable[[Store], Awaitable[None]]) -> None:
    """Leave rows for a server to work on."""
    store = await Store.open(f"sqlite:///{database}")
    await fill(store)
    await store.close()


def stored(database: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("fill", [single, batch])
def test_a_job_that_ends_the_process_takes_no_other_with_it(
    tmp_path: Path, fill: Callable[[Store], Awaitable[None]]
) -> None:
    """It is given up after five tries, and each of the others has its result."""
    database, deaths = tmp_path / "precis.db", 0
    asyncio.run(prepared(database, fill))
    environ = settings(database, concurrency=CONCURRENCY)
    command = [sys.executable, "-c", FATAL, "serve", "--port"]
    for number in range(MOST_LIVES):
        with life([*command, str(free_port())], environ, tmp_path / f"life-{number}.log") as server:
            while not server.dead and stored(database, LEFT) != []:
                time.sleep(LOOK_S)
            deaths += server.dead
            if not server.dead:
                server.stop()
                break
    assert deaths == 5
    ended = stored(database, "SELECT id, status, json_extract(error, '$.code'), tries FROM summaries ORDER BY id")
    assert [one for one in ended if one[1] != "succeeded"] == [("sum_02", "failed", "abandoned", 6)]
    assert len(ended) == INNOCENT + 1
    assert max(tries for name, *_, tries in ended if name != "sum_02") <= 3
