"""Many jobs, a flaky endpoint, and a server that is killed again and again: what became of each job in the end."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from calling import FINISHED, Caller
from journals import Call, Coming, calls_in
from judging import After, Kill, Report, Restart, judge
from lives import QUEUES, Fail, Life, endpoint, free_port, life, settings

from service.adapters.store import SUSPECT_TRIES

CONCURRENCY = 8
SLOTS = 12
CHUNK_TOKENS = 256
_TAKEN_UP = "SELECT status FROM summaries WHERE batch IS NULL OR tries >= ?"
QUIET_S = 120.0
"""A server that finishes nothing for so long is stuck."""


async def ordeal(
    folder: Path, *, queue: str, jobs: int, kills: Sequence[Kill], seed: int, lines: int = 0, faults: float = 0.05
) -> Report:
    """Have jobs done by servers that are killed, the last one aside, and hold the outcome against both journals.

    Args:
        folder: empty, for the database, the journal and the logs.
        queue: name in `QUEUES`.
        jobs: to be accepted, spread over the lives of the servers.
        kills: how each life ends.
        seed: of everything that is drawn.
        lines: so many more jobs come as one batch, to the first server.
        faults: share of the calls that have one.
    """
    began = monotonic()
    report = Report(jobs=jobs + lines, kills=list(kills), most_in_flight=SLOTS * len(kills))
    database, journal, port = folder / "precis.db", folder / "calls.jsonl", free_port()
    lives = [*kills, None]
    with endpoint(journal, seed=seed, faults=faults) as at:
        coming = Coming(journal)
        environ = settings(database, **configured(at))
        caller = Caller(port, name=str(seed), lines=range(jobs, jobs + lines))
        for number, kill in enumerate(lives):
            posts = range(number * jobs // len(lives), (number + 1) * jobs // len(lives))
            unfinished = _unfinished(database)
            command = QUEUES[queue](["serve", "--port", str(port)], kill if isinstance(kill, Fail) else None)
            with life(command, environ, folder / f"life-{number}.log") as one:
                before = coming.calls()
                await _lived(caller, one, posts, kill, coming)
                if number:
                    report.restarts.append(_restart(one, unfinished, calls_in(journal)[before:]))
                if kill is None:
                    finals = await caller.finals()
                    one.stop()
        await caller.close()
    judge(report, caller, finals, calls_in(journal), database)
    report.took_s = monotonic() - began
    return report


def configured(port: int) -> dict[str, object]:
    """How the service is set up with an endpoint."""
    return {
        "base_url": f"http://127.0.0.1:{port}/v1",
        "model": "m",
        "context_window": 16_000,
        "chunk_tokens": CHUNK_TOKENS,
        "concurrency": CONCURRENCY,
        "slots": SLOTS,
    }


async def _lived(caller: Caller, one: Life, posts: Sequence[int], kill: Kill | None, coming: Coming) -> None:
    """Use a server until it dies, is killed, or has done everything; fails where it should have died and did not."""
    if await asyncio.to_thread(one.wait_for, "listening") is None:
        raise AssertionError(f"the server ended before it listened: {one.said()}")
    before = coming.calls()
    async with _busy(caller, posts) as posting:
        done, quiet_since = -1, monotonic()
        while not one.dead:
            if isinstance(kill, After) and coming.calls() - before >= kill.calls:
                one.kill()
            if posting.done() and caller.all_seen:
                break
            if len(caller.seen) != done:
                done, quiet_since = len(caller.seen), monotonic()
            if monotonic() - quiet_since > QUIET_S:
                break
            await asyncio.sleep(0.02)
        if isinstance(kill, Fail) and not one.dead:
            raise AssertionError(f"{kill.point} was not passed {kill.at} times: {one.said()}")
        if isinstance(kill, After):
            one.kill()
        if kill is None and one.dead:
            raise AssertionError(f"the server ended by itself: {one.said()}")


@asynccontextmanager
async def _busy(caller: Caller, posts: Sequence[int]) -> AsyncIterator[asyncio.Task[None]]:
    """Have the caller ask and look meanwhile; gives the task that asks."""
    posting, watching = asyncio.create_task(caller.post(posts)), asyncio.create_task(caller.watch())
    try:
        yield posting
        watching.cancel()
        await posting
    finally:
        for task in (posting, watching):
            task.cancel()
        await asyncio.gather(posting, watching, return_exceptions=True)


def _unfinished(database: Path) -> int:
    """Count the rows that are not finished, lines of batches aside that are not suspect.

    In a copy: a connection of ours would repair what the kill has left.
    """
    if not database.exists():
        return 0
    with TemporaryDirectory() as folder:
        for path in (database, database.with_name(f"{database.name}-wal")):
            if path.exists():
                shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / database.name)) as connection:
            rows = connection.execute(_TAKEN_UP, (SUSPECT_TRIES,)).fetchall()
            return sum(status not in FINISHED for (status,) in rows)


def _restart(one: Life, unfinished: int, calls: Sequence[Call]) -> Restart:
    started = one.logged("service_started")
    return Restart(
        unfinished=unfinished,
        resumed=started["resumed"] if started else None,
        resumed_s=datetime.fromisoformat(started["at"]).timestamp() - one.born_at if started else None,
        called_s=calls[0].at - one.born_at if calls else None,
    )
