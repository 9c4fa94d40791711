"""Jobs: a summary is a row before it is anything else, and every row comes to an end."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from service import bootstrap
from service.adapters.queue import Job
from service.adapters.store import Store, StoredSummary
from service.core.errors import InvalidRequest, NotFound, NothingToRead
from service.core.types import Document, Options
from service.jobs import Jobs
from service.settings import Settings

ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
DOCUMENT = Document(id="d1", text=ARTICLE)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONGEST_S = 20.0

Opened = Callable[..., AbstractAsyncContextManager[Jobs]]


class Gate:
    """A language detector that holds its callers until it is opened, and counts those it holds."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def __call__(self, _text: str) -> str:
        """Wait until the gate is open."""
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.entered.release()
        assert self.opened.wait(LONGEST_S)
        with self.lock:
            self.inside -= 1
        return "en"


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Give a function that opens jobs on `precis.db` in `tmp_path`, with a language detector of one's own."""

    @asynccontextmanager
    async def opening(detect: Callable[[str], str | None] | None = None, concurrency: int = 2) -> AsyncIterator[Jobs]:
        settings = Settings(database_url=f"sqlite:///{tmp_path}/precis.db", concurrency=concurrency)
        async with bootstrap.open_jobs(settings) as jobs:
            tools = jobs.tools if detect is None else replace(jobs.tools, detect_language=detect)
            made = Jobs(store=jobs.store, tools=tools, concurrency=concurrency, max_documents=3, now=lambda: NOON)
            async with made:
                yield made

    return opening


async def test_a_row_is_committed_before_anything_runs(opened: Opened, tmp_path: Path) -> None:
    """When `submit` returns, another connection reads the row and its documents, and nothing is done yet."""
    gate = Gate()
    async with opened(gate) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        assert (summary.status, summary.created_at, gate.most) == ("queued", NOON, 0)
        other = await Store.open(f"sqlite:///{tmp_path}/precis.db")
        stored = await other.get("local", summary.id)
        assert stored is not None
        assert stored.status in {"queued", "running"}
        assert await other.documents("local", summary.id) == (DOCUMENT,)
        await other.close()
        gate.opened.set()
        assert (await jobs.wait("local", summary.id, wait_s=LONGEST_S)).status == "succeeded"


async def test_unfinished_rows_are_taken_up_at_the_start(opened: Opened) -> None:
    """Queued or running when the process ended: they are run, and those finished are left alone."""
    async with opened() as jobs:
        done = await jobs.submit("local", [DOCUMENT], Options())
        finished = await jobs.wait("local", done.id, wait_s=LONGEST_S)
        for name in ("a", "b"):
            row = StoredSummary(tenant="local", id=name, status="queued", options=Options(), created_at=NOON)
            await jobs.store.add(row, [DOCUMENT])
        await jobs.store.start("local", "b", NOON)
    async with opened() as jobs:
        assert await jobs.resume() == 2
        results = [(await jobs.wait("local", name, wait_s=LONGEST_S)) for name in ("a", "b")]
        assert [summary.status for summary in results] == ["succeeded", "succeeded"]
        assert [summary.result for summary in results] == [finished.result, finished.result]
        assert await jobs.get("local", done.id) == finished
        assert await jobs.resume() == 0


async def test_a_fault_in_the_pipeline_fails_the_summary(opened: Opened) -> None:
    """The row says it is the service's fault, without the message of the exception; the next job runs."""

    def broken(text: str) -> str:
        if "Broken" in text:
            raise RuntimeError(f"secret {text}")
        return "en"

    async with opened(broken) as jobs:
        bad = await jobs.submit("local", [replace(DOCUMENT, text=f"Broken. {ARTICLE}")], Options())
        good = await jobs.submit("local", [DOCUMENT], Options())
        failed = await jobs.wait("local", bad.id, wait_s=LONGEST_S)
        assert (failed.status, failed.result, failed.finished_at) == ("failed", None, NOON)
        assert failed.error is not None
        assert (failed.error.code, failed.error.status) == ("internal_error", 500)
        assert "secret" not in failed.error.detail
        assert (await jobs.wait("local", good.id, wait_s=LONGEST_S)).status == "succeeded"


async def test_an_error_of_the_service_is_kept_as_it_is(opened: Opened) -> None:
    """A row that cannot be summarised ends with the problem that says why."""
    async with opened() as jobs:
        row = StoredSummary(tenant="local", id="a", status="queued", options=Options(), created_at=NOON)
        await jobs.store.add(row, [replace(DOCUMENT, text=" ")])
        assert await jobs.resume() == 1
        failed = await jobs.wait("local", "a", wait_s=LONGEST_S)
        assert failed.error is not None
        assert (failed.status, failed.error.code, failed.error.status) == ("failed", "nothing_to_read", 422)


async def test_what_cannot_be_summarised_is_refused_before_it_is_stored(opened: Opened) -> None:
    """Blank text, no document, too many and two of one id: nothing is left behind."""
    async with opened() as jobs:
        for documents, error in (
            ([replace(DOCUMENT, text=" ")], NothingToRead),
            ([], InvalidRequest),
            ([replace(DOCUMENT, id=name) for name in "abcd"], InvalidRequest),
            ([DOCUMENT, DOCUMENT], InvalidRequest),
        ):
            with pytest.raises(error):
                await jobs.submit("local", documents, Options())
            with pytest.raises(error):
                await jobs.plan(documents, Options())
        assert (await jobs.page("local", limit=10, after=None, status=None)).data == ()


async def test_deleting_a_running_summary_ends_it(opened: Opened) -> None:
    """Who waits for it is told that it is gone, and it does not come back."""
    gate = Gate()
    async with opened(gate) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        waiting = asyncio.create_task(jobs.wait("local", summary.id, wait_s=LONGEST_S))
        assert await asyncio.to_thread(gate.entered.acquire, timeout=LONGEST_S)
        await jobs.delete("local", summary.id)
        with pytest.raises(NotFound):
            await waiting
        gate.opened.set()
        await jobs.close(drain_s=LONGEST_S)
        with pytest.raises(NotFound):
            await jobs.get("local", summary.id)
        with pytest.raises(NotFound):
            await jobs.delete("local", summary.id)
        assert not jobs._queue.has(Job(tenant="local", id=summary.id))


async def test_closing_lets_running_summaries_finish(opened: Opened) -> None:
    """Within the time to drain, what was begun is finished."""
    gate = Gate()
    async with opened(gate) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        closing = asyncio.create_task(jobs.close(drain_s=LONGEST_S))
        gate.opened.set()
        await closing
        assert (await jobs.get("local", summary.id)).status == "succeeded"


async def test_closing_without_time_leaves_the_rest_for_the_next_start(opened: Opened) -> None:
    """A summary that is cut off stays unfinished, and the next process finishes it."""
    gate = Gate()
    async with opened(gate) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        assert await asyncio.to_thread(gate.entered.acquire, timeout=LONGEST_S)
        await jobs.close(drain_s=0)
        assert (await jobs.get("local", summary.id)).status == "queued"
        gate.opened.set()
    async with opened() as jobs:
        assert await jobs.resume() == 1
        assert (await jobs.wait("local", summary.id, wait_s=LONGEST_S)).status == "succeeded"


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_no_more_run_at_once_than_are_allowed(opened: Opened, concurrency: int) -> None:
    """The others wait in the queue, and all of them are finished in the end."""
    gate = Gate()
    async with opened(gate, concurrency=concurrency) as jobs:
        made = [await jobs.submit("local", [DOCUMENT], Options()) for _ in range(6)]
        for _ in range(concurrency):
            assert await asyncio.to_thread(gate.entered.acquire, timeout=LONGEST_S)
        states = [(await jobs.get("local", summary.id)).status for summary in made]
        assert (states.count("running"), states.count("queued")) == (concurrency, 6 - concurrency)
        gate.opened.set()
        for summary in made:
            assert (await jobs.wait("local", summary.id, wait_s=LONGEST_S)).status == "succeeded"
        assert gate.most == concurrency


async def test_a_wait_that_runs_out_gives_the_summary_as_it_is(opened: Opened) -> None:
    """Neither an error nor the end of the work."""
    gate = Gate()
    async with opened(gate) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        assert (await jobs.wait("local", summary.id, wait_s=0.01)).status in {"queued", "running"}
        gate.opened.set()
        assert (await jobs.wait("local", summary.id, wait_s=LONGEST_S)).status == "succeeded"


async def test_summaries_belong_to_their_tenant(opened: Opened) -> None:
    """Another tenant neither sees nor deletes them."""
    async with opened() as jobs:
        summary = await jobs.submit("one", [DOCUMENT], Options())
        await jobs.wait("one", summary.id, wait_s=LONGEST_S)
        for forbidden in (
            jobs.get("two", summary.id),
            jobs.documents("two", summary.id),
            jobs.document("two", summary.id, "d1"),
            jobs.delete("two", summary.id),
            jobs.wait("two", summary.id, wait_s=1),
        ):
            with pytest.raises(NotFound):
                await forbidden
        assert (await jobs.page("two", limit=10, after=None, status=None)).data == ()
        assert (await jobs.get("one", summary.id)).status == "succeeded"


async def test_who_waits_is_let_go_before_the_process_ends(opened: Opened) -> None:
    """They have the summary as it is, whoever comes later has it at once, and the work goes on."""
    gate = Gate()
    async with opened(gate) as jobs:
        summary = await jobs.submit("local", [DOCUMENT], Options())
        waiting = asyncio.create_task(jobs.wait("local", summary.id, wait_s=LONGEST_S))
        assert await asyncio.to_thread(gate.entered.acquire, timeout=LONGEST_S)
        assert not waiting.done()
        jobs.let_go()
        async with asyncio.timeout(LONGEST_S / 2):
            assert (await waiting).status == "running"
            assert (await jobs.wait("local", summary.id, wait_s=LONGEST_S)).status == "running"
        gate.opened.set()
        await jobs.close(drain_s=LONGEST_S)
        assert (await jobs.get("local", summary.id)).status == "succeeded"


# --- deaths ----------------------------------------------------------------------------------------------------------


async def left(jobs: Jobs, name: str, tries: int) -> None:
    """A summary that was under way at so many ends of a process, of which the last has just been."""
    row = StoredSummary(tenant="local", id=name, status="running", options=Options(), created_at=NOON, tries=tries)
    await jobs.store.add(row, [DOCUMENT])


async def test_of_those_that_may_have_ended_the_process_one_runs_at_a_time(opened: Opened) -> None:
    """So the next end is no try of the others. They take no place from those that are not suspect."""
    gate = Gate()
    async with opened(gate, concurrency=2) as jobs:
        for name in ("s1", "s2", "s3"):
            await left(jobs, name, tries=2)
        await left(jobs, "once", tries=1)
        await left(jobs, "never", tries=0)
        assert await jobs.resume() == 5
        for _ in range(3):
            assert await asyncio.to_thread(gate.entered.acquire, timeout=LONGEST_S)
        tries = {name: (await jobs.get("local", name)).tries for name in ("s1", "s2", "s3", "once", "never")}
        assert sorted(tries[name] for name in ("s1", "s2", "s3")) == [2, 2, 3]
        assert (tries["once"], tries["never"]) == (2, 1)
        gate.opened.set()
        for name in tries:
            assert (await jobs.wait("local", name, wait_s=LONGEST_S)).status == "succeeded"
        assert gate.most == 3


async def test_one_that_ended_the_process_five_times_is_abandoned(opened: Opened) -> None:
    """It is not worked on again, and says what to do."""
    gate = Gate()
    async with opened(gate) as jobs:
        await left(jobs, "fatal", tries=5)
        assert await jobs.resume() == 1
        ended = await jobs.wait("local", "fatal", wait_s=LONGEST_S)
        assert ended.error is not None
        assert (ended.status, ended.error.code, gate.most) == ("failed", "abandoned", 0)
        assert "See its log" in ended.error.detail


async def test_who_waits_for_their_turn_keeps_their_tries(opened: Opened) -> None:
    """A stop puts back what was begun; what another process had begun has been under way once more all the same."""
    gate = Gate()
    async with opened(gate) as jobs:
        for name in ("s1", "s2"):
            await left(jobs, name, tries=3)
        await jobs.resume()
        assert await asyncio.to_thread(gate.entered.acquire, timeout=LONGEST_S)
        await jobs.close(drain_s=0)
        assert [(await jobs.get("local", name)).tries for name in ("s1", "s2")] == [3, 3]
        gate.opened.set()
