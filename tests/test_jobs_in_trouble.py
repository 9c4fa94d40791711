"""Jobs on a bad day of the store: they wait with their work in hand, lose nothing, and leave nothing behind."""

import asyncio
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from following import Scripted
from msgspec.structs import replace
from troubles import LONGEST_S, Mounted, Waits, beside, gone, impatient, locked, small_disk
from writing import PARTS, SHORT, stage

from service.adapters.store import Keep, Retention, Store, StoredSummary
from service.core.errors import NotFound, StoreFull
from service.core.types import CompletionRequest, Document, Message, Options
from service.experiment import Asked as Wanted
from service.experiment import Experiments
from service.jobs import AS_CONFIGURED, Jobs
from service.jobs.retention import purge
from service.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENT = Document(id="d1", text=SHORT)
QUESTION = CompletionRequest(
    prompt="news@1",
    stage="map",
    messages=(Message(role="user", content="<<<DOCUMENT 1\n[1] The council voted."),),
    schema_name="answer",
    schema={"type": "object"},
    max_output_tokens=1_000,
)


class Trouble(NamedTuple):
    """A bad day that a database may have."""

    path: Path
    """Of the database."""
    begins: Callable[[], AbstractContextManager[None]]


@pytest.fixture
def waits() -> Waits:
    """In place of the waits of the service."""
    return Waits()


@pytest.fixture(params=["full", "locked", "gone"])
def trouble(request: pytest.FixtureRequest, tmp_path: Path, require: Callable[[str, str], None]) -> Iterator[Trouble]:
    """A disk that is full, a database that another process keeps locked, and one that is gone."""
    path = tmp_path / "precis.db"
    match request.param:
        case "full":
            with small_disk(tmp_path / "disk", require) as disk:
                yield Trouble(disk.folder / "precis.db", lambda: full(disk))
        case "locked":
            yield Trouble(path, lambda: locked(path))
        case _:
            yield Trouble(path, lambda: gone(path))


@asynccontextmanager
async def asking(scripted: Scripted, path: Path, waits: Waits, *, hurried: bool = True) -> AsyncIterator[Jobs]:
    """Jobs that ask an endpoint in memory, on a store whose waits the test ends."""
    async with scripted.jobs(Settings(database_url=f"sqlite:///{path}")) as made:
        made.store._sleep = waits
        if hurried:
            impatient(made.store)
        yield made


@contextmanager
def full(disk: Mounted) -> Iterator[None]:
    """There is no space."""
    disk.fill()
    yield
    disk.free()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def asked(name: str, **fields: Any) -> StoredSummary:
    """A summary that waits."""
    row = StoredSummary(tenant="local", id=name, status="queued", options=Options(), created_at=NOON)
    return replace(row, **fields)


async def ended(jobs: Jobs, summary: str) -> StoredSummary:
    """The summary when it is not worked on any more."""
    return await jobs.wait("local", summary, wait_s=LONGEST_S)


# --- waiting ---------------------------------------------------------------------------------------------------------


async def test_a_job_that_cannot_be_begun_waits(waits: Waits, trouble: Trouble) -> None:
    """Nothing is failed for want of a store; it is begun once, when there is one."""
    async with asking(Scripted(), trouble.path, waits) as jobs:
        await jobs.store.add(asked("a"), [DOCUMENT])
        await jobs.resume()
        async with beside(trouble.begins()):
            await waits.until_begun()
        waits.over.set()
        summary = await ended(jobs, "a")
        assert (summary.status, summary.tries) == ("succeeded", 1)


async def test_a_job_that_cannot_be_finished_keeps_its_result(waits: Waits, trouble: Trouble) -> None:
    """It waits with it in hand; nothing is asked twice, and the row is what it would have been."""
    scripted = Scripted()
    scripted.holds = lambda _: True
    async with asking(scripted, trouble.path, waits) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        await scripted.held.wait()
        async with beside(trouble.begins()):
            scripted.opened.set()
            await waits.until_begun()
            assert len(scripted.asked) == 1
        waits.over.set()
        made = await ended(jobs, summary.id)
        assert (made.status, made.tries, len(scripted.asked)) == ("succeeded", 1, 1)
        assert rows(trouble.path, "SELECT state FROM attempts") == [("answered",)]
        assert len(rows(trouble.path, "SELECT * FROM completions")) == 1


async def test_no_call_is_made_that_cannot_be_journalled(waits: Waits, trouble: Trouble) -> None:
    """It would be one that nobody could explain; it is made when it can be written down."""
    scripted = Scripted()
    async with asking(scripted, trouble.path, waits) as jobs:
        assert jobs.asking is not None
        conditions = jobs.pinned(AS_CONFIGURED)
        await jobs.store.add(asked("a", status="running", conditions=conditions), [DOCUMENT])
        complete = await jobs.asking.for_summary(jobs.store, "local", "a", conditions)
        async with beside(trouble.begins()):
            answer = asyncio.create_task(complete(QUESTION, 100))
            await waits.until_begun()
            assert scripted.asked == []
        waits.over.set()
        await answer
        assert len(scripted.asked) == 1
        assert rows(trouble.path, "SELECT state FROM attempts") == [("answered",)]


async def test_waits_grow_and_stay_bounded(tmp_path: Path, waits: Waits) -> None:
    """From half a second to ten, so that a full disk is not hammered and a free one is noticed."""
    store = await Store.open(f"sqlite:///{tmp_path}/precis.db", sleep=waits)
    waits.over.set()
    tries = 0

    async def act() -> str:
        nonlocal tries
        tries += 1
        if tries <= 8:
            raise StoreFull("It is full.")
        return "done"

    assert await store.patiently(act) == "done"
    assert waits.lengths_s == [0.5, 1, 2, 4, 8, 10, 10, 10]
    await store.close()


async def test_a_comparison_does_not_fail_for_want_of_a_store(waits: Waits, trouble: Trouble) -> None:
    """It waits, as its trials do, and is drawn when they are there."""
    scripted = Scripted()
    scripted.holds = lambda _: True
    async with asking(scripted, trouble.path, waits) as jobs, Experiments(jobs) as experiments:
        wanted = Wanted(prompts=("news@1", "news@2"))
        comparison = await experiments.submit("local", [("one", [DOCUMENT])], wanted)
        await scripted.held.wait()
        async with beside(trouble.begins()):
            scripted.opened.set()
            await waits.until_begun()
        waits.over.set()
        drawn = await experiments.wait("local", comparison.id, wait_s=LONGEST_S)
        assert (drawn.status, len(scripted.asked)) == ("succeeded", 2)


async def test_who_stops_does_not_wait_for_the_store(waits: Waits, trouble: Trouble) -> None:
    """The process ends, an answer that could not be written with it; the next one explains that by the journal."""
    scripted = Scripted()
    scripted.holds = lambda _: True
    async with asking(scripted, trouble.path, waits) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        await scripted.held.wait()
        async with beside(trouble.begins()):
            scripted.opened.set()
            await waits.until_begun()
            async with asyncio.timeout(LONGEST_S):
                await jobs.close(drain_s=0)
    # a full disk may still have room for the little that is left to be written
    assert rows(trouble.path, "SELECT error FROM summaries WHERE status IN ('running', 'queued')") == [(None,)]
    ((left,),) = rows(trouble.path, "SELECT state FROM attempts")
    again = Scripted()
    async with asking(again, trouble.path, waits) as jobs:
        assert await jobs.resume() == 1
        assert (await ended(jobs, summary.id)).status == "succeeded"
    states = [state for (state,) in rows(trouble.path, "SELECT state FROM attempts ORDER BY number")]
    assert states == {"answered": ["answered"], "sent": ["sent", "answered"]}[str(left)]
    assert len(again.asked) == len(states) - 1


# --- fenced off ------------------------------------------------------------------------------------------------------

Elsewhere = Callable[[Store, str], Awaitable[object]]


async def _cancelled(store: Store, summary: str) -> None:
    assert await store.cancelling("local", summary)
    assert await store.finish("local", summary, status="cancelled", at=NOON)


async def _finished(store: Store, summary: str) -> None:
    # as somebody who took the row for one that was left: that cannot be while this process lives, and is withstood
    def change() -> None:
        with closing(sqlite3.connect(store.path)) as connection:
            query = "UPDATE summaries SET status = 'failed', finished_at = '2026-03-01T12:00:00.000000Z', error = ?"
            connection.execute(query, [b'{"code":"c","status":500,"title":"t","detail":"Of another."}'.decode()])
            connection.commit()

    # beside the loop: a store that is amid a transaction there could not end it while this waits for its turn
    await asyncio.to_thread(change)


async def _purged(store: Store, summary: str) -> None:
    await _cancelled(store, summary)
    removed = await purge(store, Keep(results=timedelta(0)), now=NOON + timedelta(days=1))
    assert removed.summaries == 1


@pytest.mark.parametrize(
    ("elsewhere", "kept"),
    [
        pytest.param(lambda store, summary: store.delete("local", summary), False, id="deleted"),
        pytest.param(_purged, False, id="purged"),
        pytest.param(_cancelled, True, id="cancelled"),
        pytest.param(_finished, True, id="finished"),
    ],
)
@pytest.mark.parametrize("text", [SHORT, PARTS], ids=["one call", "several calls"])
async def test_what_comes_late_changes_nothing_and_leaves_nothing_behind(
    tmp_path: Path, waits: Waits, logged: io.StringIO, elsewhere: Elsewhere, kept: bool, text: str
) -> None:
    """Whatever became of the row elsewhere: the job ends, makes no more calls, and leaves no completion without a user.

    What was paid for is kept where its summary is there still.
    """
    path = tmp_path / "precis.db"
    scripted = Scripted()
    scripted.holds = lambda _: True
    async with asking(scripted, path, waits, hurried=False) as jobs:
        summary = await jobs.submit("local", [Document(id="d1", text=text)], Options())
        await scripted.held.wait()
        other = await Store.open(f"sqlite:///{path}")
        await elsewhere(other, summary.id)
        before = rows(path, "SELECT * FROM summaries")
        scripted.opened.set()
        with suppress(NotFound):
            await ended(jobs, summary.id)
        assert rows(path, "SELECT * FROM summaries") == before
        assert {stage(one) for one in scripted.asked} == {"map"}
        assert bool(rows(path, "SELECT * FROM completions")) == kept
        unused = "SELECT * FROM completions WHERE key NOT IN (SELECT key FROM completion_uses)"
        assert rows(path, unused) == []
        assert await Retention(other).delete_unused() == 0
        await other.close()
    events = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [event for event in events if event["level"] in ("error", "critical")] == []
