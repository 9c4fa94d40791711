"""Batches as jobs: accepted whole or not at all, worked on in turns, ended, and gone on with after a crash."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from troubles import Waits, gone, impatient, locked

from service.adapters.store import BatchStore, Key, Refusal, Store, StoredBatch, StoredLine, StoredSummary
from service.core.errors import InvalidRequest, MalformedBody, NotFound, StoreUnavailable, TooLarge
from service.core.types import Conditions, Document, Options
from service.jobs import _DRAWN, Jobs
from service.jobs.batches import GROUP_LINES, Batches, Ended, Unfit, Wanted
from service.pipeline import Tools

LONGEST_S = 30.0
UNFIT = Refusal(code="malformed_body", status=400, title="T", detail="D")


class Gate:
    """A language detector that notes what it is asked about, and holds some of it until it is opened."""

    def __init__(self, hold: str | None = None) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.seen: list[str] = []
        self._hold = hold

    def __call__(self, text: str) -> str:
        """Wait until the gate is open."""
        self.seen.append(text.partition(".")[0])
        if self._hold is not None and self._hold in text:
            self.entered.release()
            assert self.opened.wait(LONGEST_S)
        return "en"

    async def reached(self) -> None:
        """Return once somebody is held."""
        assert await asyncio.to_thread(self.entered.acquire, timeout=LONGEST_S)


class Both:
    """Jobs and batches over one store."""

    def __init__(self, jobs: Jobs, batches: Batches) -> None:
        self.jobs = jobs
        self.batches = batches


Opened = Callable[..., AbstractAsyncContextManager[Both]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the store."""
    return tmp_path / "precis.db"


@pytest.fixture
def opened(path: Path, tools: Tools) -> Opened:
    """Opens jobs and batches on the file as a server does, with a language detector of one's own."""

    @asynccontextmanager
    async def opening(
        detect: Callable[[str], str] = lambda _: "en",
        *,
        concurrency: int = 2,
        most_lines: int = 5_000,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> AsyncIterator[Both]:
        store = await Store.open(f"sqlite:///{path}", working=True, sleep=sleep)
        own = replace(tools, detect_language=detect)
        try:
            async with (
                Jobs(store=store, tools=own, concurrency=concurrency, max_documents=3) as jobs,
                Batches(jobs, most_lines=most_lines) as batches,
            ):
                yield Both(jobs, batches)
        finally:
            await store.close()

    return opening


def wanted(line: int, name: str, **conditions: Any) -> Wanted:
    """A line about something."""
    text = f"{name}. The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
    return Wanted(
        line=line,
        custom_id=name,
        documents=(Document(id="d1", text=text),),
        options=Options(),
        conditions=Conditions(**conditions),
    )


async def given(lines: Iterable[Wanted | Unfit]) -> AsyncIterator[Wanted | Unfit]:
    """Lines as they come from a body."""
    for line in lines:
        yield line


def many(name: str, number: int) -> AsyncIterator[Wanted | Unfit]:
    """So many lines."""
    return given(wanted(line, f"{name}{line}") for line in range(1, number + 1))


async def all_of(both: Both, batch: str, **how: Any) -> list[Ended]:
    """The results of a batch."""
    async with asyncio.timeout(LONGEST_S):
        return [ended async for ended in both.batches.results("local", batch, **how)]


def came_to(results: list[Ended]) -> list[str]:
    """What lines have come to."""
    return [one.summary.status if one.summary else one.refusal.code if one.refusal else "" for one in results]


async def until(both: Both, batch: str, fits: Callable[[StoredBatch], bool]) -> StoredBatch:
    """The batch once something holds of it."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            bell = both.jobs.bell
            if fits(found := await both.batches.get("local", batch)):
                return found
            await bell.wait()


def is_finished(batch: StoredBatch) -> bool:
    """All of its lines have ended."""
    return batch.status == "finished"


async def cleared(both: Both) -> None:
    """Return once nothing is half done any more."""
    async with asyncio.timeout(LONGEST_S):
        await asyncio.gather(*both.batches._clearing)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def nothing(path: Path) -> bool:
    """Whether the store is empty."""
    tables = ("batches", "batch_lines", "summaries", "documents")
    return not any(rows(path, f"SELECT * FROM {table}") for table in tables)  # noqa: S608 - our own tables


# --- accepting -------------------------------------------------------------------------------------------------------


async def test_a_batch_is_worked_on_to_its_end(opened: Opened) -> None:
    """More lines than are stored at once; every result is that of its own line, and the batch is finished."""
    number = GROUP_LINES + 30
    async with opened(concurrency=4) as both:
        made = await both.batches.submit("local", many("a", number))
        assert (made.status, made.counts.total) == ("running", number)
        results = await all_of(both, made.id)
        assert [(one.line, one.custom_id) for one in results] == [(line, f"a{line}") for line in range(1, number + 1)]
        for one in results:
            assert one.summary is not None
            (document,) = await both.jobs.documents("local", one.summary.id)
            assert document.text.startswith(f"{one.custom_id}. ")
            assert one.summary.batch == made.id
        found = await both.batches.get("local", made.id)
        assert (found.status, found.counts.succeeded) == ("finished", number)
        assert found.finished_at is not None


async def test_a_line_that_does_not_fit_leaves_the_others_alone(opened: Opened) -> None:
    """Whether it does not decode, has no text, too many texts, or names a prompt that is not to be had."""
    text = Document(id="d1", text="A text. It has two sentences, both of them short.")
    lines: list[Wanted | Unfit] = [
        wanted(1, "a"),
        Unfit(line=2, custom_id=None, refusal=UNFIT),
        replace(wanted(3, "blank"), documents=(replace(text, text=" "),)),
        replace(wanted(5, "twice"), documents=(text, text)),
        wanted(6, "prompt", prompt="news@1"),
        wanted(8, "z"),
    ]
    async with opened() as both:
        made = await both.batches.submit("local", given(lines))
        assert (made.counts.total, made.counts.invalid) == (6, 4)
        results = await all_of(both, made.id)
        assert [one.line for one in results] == [1, 2, 3, 5, 6, 8]
        assert came_to(results) == [
            *("succeeded", "malformed_body", "nothing_to_read", "invalid_request", "needs_model"),
            "succeeded",
        ]
        assert results[2].refusal is not None
        assert [error.pointer for error in results[2].refusal.errors] == ["/documents/0/text"]


async def test_a_batch_of_nothing_but_bad_lines_is_finished_at_once(opened: Opened) -> None:
    """It is there, and each result says why."""
    async with opened() as both:
        made = await both.batches.submit("local", given(Unfit(line=n, custom_id="x", refusal=UNFIT) for n in (1, 2)))
        assert (made.status, made.counts.invalid) == ("finished", 2)
        assert came_to(await all_of(both, made.id)) == ["malformed_body"] * 2


async def test_what_breaks_off_leaves_nothing(opened: Opened, path: Path) -> None:
    """However far it came: who got no answer has no id to ask with, and sends it again."""

    async def broken(lines: int) -> AsyncIterator[Wanted]:
        for line in range(1, lines + 1):
            yield wanted(line, "a")
        raise MalformedBody("The connection ended.")

    async with opened(most_lines=GROUP_LINES + 5) as both:
        for lines in (0, 3, GROUP_LINES, GROUP_LINES + 3):
            with pytest.raises(MalformedBody):
                await both.batches.submit("local", broken(lines))
            assert nothing(path)
        with pytest.raises(InvalidRequest, match="no lines"):
            await both.batches.submit("local", given(()))
        with pytest.raises(TooLarge, match="PRECIS_BATCH_MAX_LINES"):
            await both.batches.submit("local", many("a", GROUP_LINES + 6))
        assert nothing(path)
        assert (await both.batches.page("local", limit=10, after=None, status=None)).data == ()
        assert (await both.batches.submit("local", many("a", GROUP_LINES + 5))).counts.total == GROUP_LINES + 5


async def test_a_store_that_fails_in_the_middle_leaves_nothing_once_it_is_back(opened: Opened, path: Path) -> None:
    """The caller is told; what is there of the batch is not seen, and goes as soon as it can."""
    waits = Waits()
    missing = gone(path)
    async with opened(sleep=waits) as both:

        async def failing() -> AsyncIterator[Wanted]:
            for line in range(1, 2 * GROUP_LINES + 1):
                if line == GROUP_LINES + 1:
                    missing.__enter__()
                yield wanted(line, "a")

        with pytest.raises(StoreUnavailable):
            await both.batches.submit("local", failing())
        await waits.until_begun()
        missing.__exit__(None, None, None)
        assert rows(path, "SELECT status FROM batches") == [("accepting",)]
        waits.over.set()
        await cleared(both)
        assert nothing(path)


async def test_a_task_that_is_cancelled_while_it_accepts_leaves_nothing(opened: Opened, path: Path) -> None:
    """As at a stop of the server."""
    reached, never = asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[Wanted]:
        for line in range(GROUP_LINES + 1):
            yield wanted(line + 1, "a")
        reached.set()
        await never.wait()

    async with opened() as both:
        accepting = asyncio.create_task(both.batches.submit("local", hanging()))
        await reached.wait()
        assert rows(path, "SELECT count(*) FROM summaries") == [(GROUP_LINES,)]
        accepting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await accepting
        assert nothing(path)


# --- results ---------------------------------------------------------------------------------------------------------


async def test_a_result_waits_for_those_before_it(opened: Opened) -> None:
    """Line 1 is held; the others have ended, and come when it does. Without a wait, what is there comes."""
    gate = Gate("a1")
    async with opened(gate) as both:
        # as with a model
        both.jobs._queue._places = {"single": 2, "batch": 2}
        made = await both.batches.submit("local", many("a", 4))
        await gate.reached()
        await until(both, made.id, lambda batch: batch.counts.succeeded == 3)
        assert await all_of(both, made.id, wait_s=0) == []
        assert [one.line for one in await all_of(both, made.id, after=1, wait_s=0)] == [2, 3, 4]
        assert await all_of(both, made.id, wait_s=0.01) == []
        waiting = asyncio.create_task(all_of(both, made.id))
        gate.opened.set()
        assert [one.line for one in await waiting] == [1, 2, 3, 4]
        assert [one.line for one in await all_of(both, made.id, after=2)] == [3, 4]
        assert await all_of(both, made.id, after=4) == []


async def test_a_line_whose_summary_was_deleted_says_so(opened: Opened) -> None:
    """Its number and name are kept, and nothing waits for it."""
    async with opened() as both:
        made = await both.batches.submit("local", many("a", 3))
        results = await all_of(both, made.id)
        assert results[1].summary is not None
        await both.jobs.delete("local", results[1].summary.id)
        again = await all_of(both, made.id)
        assert came_to(again) == ["succeeded", "not_found", "succeeded"]
        assert [one.custom_id for one in again] == ["a1", "a2", "a3"]


# --- turns -----------------------------------------------------------------------------------------------------------


async def test_a_small_batch_is_not_behind_a_large_one(opened: Opened) -> None:
    """It has its turn as soon as lines are drawn again, and is finished long before the large one."""
    gate = Gate("large1.")
    async with opened(gate, concurrency=1) as both:
        large = await both.batches.submit("local", many("large", 300))
        await gate.reached()
        small = await both.batches.submit("local", many("small", 2))
        gate.opened.set()
        await until(both, small.id, is_finished)
        assert max(gate.seen.index(f"small{n}") for n in (1, 2)) < 2 * _DRAWN
        assert (await both.batches.get("local", large.id)).status == "running"


async def test_a_single_summary_is_not_behind_a_batch(opened: Opened) -> None:
    """It has places of its own."""
    gate = Gate("a")
    async with opened(gate, concurrency=1) as both:
        await both.batches.submit("local", many("a", 20))
        await gate.reached()
        single = wanted(1, "one")
        summary = await both.jobs.submit(
            "local", [replace(single.documents[0], text="Bridges close. Why not?")], Options()
        )
        assert (await both.jobs.wait("local", summary.id, wait_s=LONGEST_S)).status == "succeeded"
        gate.opened.set()


async def test_lines_of_a_batch_are_begun_in_their_order(opened: Opened) -> None:
    """However close together they were stored: those who read results wait for the first ones first."""
    gate = Gate()
    async with opened(gate, concurrency=1) as both:
        made = await both.batches.submit("local", many("a", 30))
        await until(both, made.id, is_finished)
        assert gate.seen == [f"a{line}" for line in range(1, 31)]


# --- ending ----------------------------------------------------------------------------------------------------------


async def test_a_cancelled_batch_keeps_what_has_ended(opened: Opened) -> None:
    """What runs is stopped, what waits is cancelled, and every line has its result."""
    gate = Gate("a3.")
    async with opened(gate, concurrency=1) as both:
        made = await both.batches.submit("local", many("a", 300))
        await gate.reached()
        cancelled = await both.batches.cancel("local", made.id)
        assert (cancelled.status, cancelled.counts.succeeded, cancelled.counts.cancelled) == ("cancelled", 2, 298)
        assert cancelled.finished_at is not None
        assert came_to(await all_of(both, made.id)) == ["succeeded"] * 2 + ["cancelled"] * 298
        assert await both.batches.cancel("local", made.id) == cancelled
        gate.opened.set()
        await both.jobs.close(drain_s=LONGEST_S)
        assert await both.batches.get("local", made.id) == cancelled


async def test_a_finished_batch_cannot_be_cancelled(opened: Opened) -> None:
    """It stays as it is; one that is not there is not found."""
    async with opened() as both:
        made = await both.batches.submit("local", many("a", 2))
        finished = await until(both, made.id, is_finished)
        assert await both.batches.cancel("local", made.id) == finished
        for forbidden in (both.batches.cancel("local", "bat_x"), both.batches.cancel("other", made.id)):
            with pytest.raises(NotFound):
                await forbidden


async def test_a_deleted_batch_is_gone_with_its_work(opened: Opened, path: Path) -> None:
    """While it runs: nothing of it is left, and who follows its results is sent away."""
    gate = Gate("a3.")
    async with opened(gate, concurrency=1) as both:
        made = await both.batches.submit("local", many("a", 300))
        await gate.reached()
        following = asyncio.create_task(all_of(both, made.id, after=2))
        await both.batches.delete("local", made.id)
        gate.opened.set()
        with pytest.raises(NotFound):
            await following
        assert nothing(path)
        for forbidden in (both.batches.get("local", made.id), both.batches.delete("local", made.id)):
            with pytest.raises(NotFound):
                await forbidden


# --- ended by a store that fails -------------------------------------------------------------------------------------


async def broken_off(both: Both, act: Callable[[], Any], of: object, mark: str, waits: Waits | None = None) -> None:
    """Another process locks the database as soon as something is marked, until somebody waits if anybody will."""
    lock, marking = locked(both.jobs.store.path), getattr(of, mark)

    async def marked(*given: Any) -> Any:
        done = await marking(*given)
        await asyncio.to_thread(lock.__enter__)
        return done

    impatient(both.jobs.store)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of, mark, marked)
        with pytest.raises(StoreUnavailable):
            await act()
    if waits is not None:
        await waits.until_begun()
    await asyncio.to_thread(lock.__exit__, None, None, None)


async def test_a_deletion_that_the_store_breaks_off_goes_on_once_it_is_back(opened: Opened, path: Path) -> None:
    """The caller is told; nobody sees the batch from then on, and its key is free when all of it is gone."""
    waits, gate, key = Waits(), Gate("a3."), Key(key="k", digest="d")
    async with opened(gate, sleep=waits) as both:
        made = await both.batches.submit("local", many("a", 300), key=lambda: key)
        await gate.reached()
        act = partial(both.batches.delete, "local", made.id)
        await broken_off(both, act, both.batches._store, "deleting", waits)
        for forbidden in (both.batches.get("local", made.id), both.batches.delete("local", made.id)):
            with pytest.raises(NotFound):
                await forbidden
        assert rows(path, "SELECT status FROM batches") == [("deleting",)]
        waits.over.set()
        await cleared(both)
        assert nothing(path)
        gate.opened.set()
        again = await both.batches.submit("local", many("a", 1), key=lambda: key)
        assert again.id != made.id


async def test_a_batch_whose_cancelling_the_store_breaks_off_is_cancelled_once_it_is_back(opened: Opened) -> None:
    """Lines that wait and one that is worked on, without another request."""
    waits, gate = Waits(), Gate("a3.")
    async with opened(gate, concurrency=1, sleep=waits) as both:
        made = await both.batches.submit("local", many("a", 300))
        await gate.reached()
        act = partial(both.batches.cancel, "local", made.id)
        await broken_off(both, act, both.batches._store, "cancelling", waits)
        assert (await both.batches.get("local", made.id)).status == "cancelling"
        waits.over.set()
        await cleared(both)
        found = await both.batches.get("local", made.id)
        assert (found.status, found.counts.succeeded, found.counts.cancelled) == ("cancelled", 2, 298)
        gate.opened.set()


async def test_a_summary_whose_cancelling_the_store_breaks_off_is_cancelled_when_taken_up(opened: Opened) -> None:
    """As a server does every minute: a line that is worked on, one that waits, and a summary by itself."""
    gate = Gate("held")
    async with opened(gate, concurrency=1) as both:
        made = await both.batches.submit("local", many("held", 3))
        await gate.reached()
        single = await both.jobs.submit("local", wanted(1, "held").documents, Options())
        await gate.reached()
        lines = await both.batches._store.lines("local", made.id, after=0, most=2)
        names = [single.id, *(line.summary for line in lines if line.summary)]
        for name in names:
            await broken_off(both, partial(both.jobs.cancel, "local", name), both.jobs.store, "cancelling")
            assert (await both.jobs.get("local", name)).status == "cancelling"
        gate.opened.set()
        await both.jobs.resume()
        assert came_to(await all_of(both, made.id)) == ["cancelled", "cancelled", "succeeded"]
        assert (await both.batches.get("local", made.id)).status == "finished"
        assert (await both.jobs.wait("local", single.id, wait_s=LONGEST_S)).status == "cancelled"


# --- from start to start ---------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_with_what_is_left(opened: Opened, path: Path) -> None:
    """What had ended stays; what ran when the process died is done again, and nothing twice over."""
    gate = Gate("a3.")
    async with opened(gate) as both:
        made = await both.batches.submit("local", many("a", 20))
        await gate.reached()
        done = await all_of(both, made.id, wait_s=0)
        await both.jobs.close(drain_s=0)
        gate.opened.set()
    with closing(sqlite3.connect(path)) as connection, connection:
        # as `kill -9` leaves them
        connection.execute("UPDATE summaries SET status = 'running', owner = '1-dead' WHERE status = 'queued'")
    again = Gate()
    async with opened(again) as both:
        await both.jobs.resume()
        results = await all_of(both, made.id)
        assert came_to(results) == ["succeeded"] * 20
        assert results[: len(done)] == done
        assert len(set(again.seen)) == len(again.seen)
        assert (await both.batches.get("local", made.id)).status == "finished"


async def test_what_a_crash_left_half_done_is_cleared(opened: Opened, path: Path) -> None:
    """What was being accepted or deleted goes; what was being cancelled is cancelled."""
    async with opened() as both:
        store = BatchStore(both.jobs.store)
        for name in ("accepting", "cancelling", "deleting"):
            await store.begin("local", name, both.jobs.now())
            row = StoredSummary(
                tenant="local", id=name, status="queued", options=Options(), batch=name, created_at=both.jobs.now()
            )
            texts = (Document(id="d1", text="A text."),)
            await store.extend("local", name, [StoredLine(line=1, custom_id=None, summary=name)], [(row, texts)])
            if name != "accepting":
                await store.accept("local", name, 1, both.jobs.now())
        await store.cancelling("local", "cancelling")
        await store.deleting("local", "deleting")
    async with opened() as both:
        await both.jobs.resume()
        assert await both.batches.resume() == 3
        cancelled = await until(both, "cancelling", lambda batch: batch.status == "cancelled")
        assert cancelled.counts.cancelled == 1
        await cleared(both)
        assert rows(path, "SELECT id FROM batches") == [("cancelling",)]
        assert rows(path, "SELECT summary_id FROM documents") == [("cancelling",)]
        assert await both.batches.resume() == 0


async def test_lines_that_were_being_cancelled_at_a_crash_are_cancelled(opened: Opened, path: Path) -> None:
    """However often they were begun; the batch ends by itself, and is listed as finished."""
    async with opened() as both:
        await both.jobs.close(drain_s=0)  # so that nothing of it is begun
        made = await both.batches.submit("local", many("a", 3))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE summaries SET status = 'cancelling', owner = '1-dead', tries = rowid - 1")
    async with opened() as both:
        await both.jobs.resume()
        drawing = both.jobs._queue._filling
        assert drawing is not None
        await drawing
        listed = await both.batches.page("local", limit=10, after=None, status="finished")
        assert [(batch.id, batch.counts.cancelled) for batch in listed.data] == [(made.id, 3)]
        assert came_to(await all_of(both, made.id)) == ["cancelled"] * 3


async def test_a_store_that_fails_while_lines_are_drawn_is_waited_for(opened: Opened, path: Path) -> None:
    """No batch stands still for that once the store is back."""
    waits, gate = Waits(), Gate("a1.")
    async with opened(gate, concurrency=1, sleep=waits) as both:
        made = await both.batches.submit("local", many("a", 30))
        await gate.reached()
        with gone(path):
            both.jobs.more()
            gate.opened.set()
            await waits.until_begun()
        waits.over.set()
        assert came_to(await all_of(both, made.id)) == ["succeeded"] * 30


async def test_a_line_that_may_have_ended_the_process_holds_up_no_other(opened: Opened, path: Path) -> None:
    """It is drawn by itself, and the batch ends with it."""
    gate = Gate("a2.")
    async with opened() as both:
        await both.jobs.close(drain_s=0)  # so that nothing of it is begun
        made = await both.batches.submit("local", many("a", 6))
    with closing(sqlite3.connect(path)) as connection, connection:
        # as deaths leave them: two lines were under way
        query = "UPDATE summaries SET status = 'running', tries = 2 WHERE id IN (SELECT summary_id FROM batch_lines "
        connection.execute(f"{query} WHERE position IN (2, 3))")
    async with opened(gate, concurrency=1) as both:
        assert await both.jobs.resume() == 2
        await gate.reached()
        batch = await until(both, made.id, lambda batch: batch.counts.succeeded == 4)
        assert (batch.counts.running, batch.counts.queued) == (1, 1)
        gate.opened.set()
        assert came_to(await all_of(both, made.id)) == ["succeeded"] * 6
        await until(both, made.id, is_finished)
    assert rows(path, "SELECT max(tries) FROM summaries") == [(3,)]
