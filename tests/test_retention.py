"""How long what is finished is kept: whoever ends it, and whatever fails meanwhile."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from following import Scripted
from troubles import LONGEST_S, Waits, gone
from writing import SHORT

from service import bootstrap
from service.adapters.store import BatchStore, Keep, Removed, Store, StoredSummary
from service.core.errors import StoreUnavailable
from service.core.types import Conditions, Document, Options
from service.experiment import Asked, Experiments
from service.jobs import AS_CONFIGURED, Jobs
from service.jobs.batches import Batches, Wanted
from service.jobs.minding import beside, every
from service.jobs.retention import hourly, purge
from service.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENT = Document(id="d1", text=SHORT)
DAY = timedelta(days=1)


@pytest.fixture
def scripted() -> Scripted:
    """An endpoint in memory."""
    return Scripted()


@pytest.fixture
async def jobs(scripted: Scripted, tmp_path: Path) -> AsyncIterator[Jobs]:
    """Jobs that keep no texts, and results for a day."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/precis.db", documents_days=0, results_days=1)
    async with scripted.jobs(settings) as made:
        yield made


def texts(jobs: Jobs) -> list[str]:
    """Every text in the database."""
    with closing(sqlite3.connect(jobs.store.path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM documents")]


def check_ended(summary: StoredSummary) -> None:
    """Check that a summary has ended without its texts, and says when it expires."""
    assert summary.finished_at is not None
    assert summary.purged_at == summary.finished_at
    assert summary.expires_at == summary.finished_at + DAY


def test_what_is_set_in_days_is_kept_so_long() -> None:
    """A week and thirty days, unless it is said; fractions count, and `never` is never."""
    assert bootstrap.keep(Settings()) == Keep(texts=7 * DAY, results=30 * DAY)
    assert bootstrap.keep(Settings(documents_days=0.5, results_days="never")) == Keep(texts=DAY / 2, results=None)


async def test_a_summary_that_is_finished_has_no_texts(jobs: Jobs) -> None:
    """By the one who worked on it."""
    made = await jobs.submit("local", [DOCUMENT], Options())
    check_ended(await jobs.wait("local", made.id, wait_s=LONGEST_S))
    assert texts(jobs) == [""]


async def test_a_summary_that_fails_has_no_texts(jobs: Jobs, scripted: Scripted) -> None:
    """It is not tried again: who wants it sends it anew."""
    scripted.answer = lambda _: "This is no JSON."
    made = await jobs.submit("local", [DOCUMENT], Options())
    failed = await jobs.wait("local", made.id, wait_s=LONGEST_S)
    assert failed.status == "failed"
    check_ended(failed)
    assert texts(jobs) == [""]


async def test_a_summary_that_is_cancelled_has_no_texts(jobs: Jobs, scripted: Scripted) -> None:
    """While it is worked on, and before it is."""
    scripted.holds = lambda _: True
    made = await jobs.submit("local", [DOCUMENT], Options())
    await scripted.held.wait()
    check_ended(await jobs.cancel("local", made.id))
    waiting = jobs.accepted("local", Options(), AS_CONFIGURED)
    await jobs.store.add(waiting, [DOCUMENT])
    check_ended(await jobs.cancel("local", waiting.id))
    assert texts(jobs) == ["", ""]


async def test_lines_that_are_cancelled_have_no_texts(jobs: Jobs, scripted: Scripted) -> None:
    """Those that were worked on, and those that had not been begun."""
    scripted.holds = lambda _: True

    async def lines() -> AsyncIterator[Wanted]:
        for number in range(1, 31):
            document = Document(id="d1", text=f"{SHORT} It was day {number}.")
            yield Wanted(line=number, custom_id=None, documents=(document,), options=Options(), conditions=Conditions())

    async with Batches(jobs, most_lines=100) as batches:
        batch = await batches.submit("local", lines())
        await scripted.held.wait()
        await batches.cancel("local", batch.id)
    assert texts(jobs) == [""] * 30
    found = await BatchStore(jobs.store).get("local", batch.id)
    assert found is not None
    assert found.finished_at is not None
    assert found.expires_at is not None
    assert abs(found.expires_at - found.finished_at - DAY) < timedelta(seconds=1)


async def test_a_comparison_that_fails_has_no_texts_and_expires(jobs: Jobs, scripted: Scripted) -> None:
    """Nor have its trials."""
    scripted.answer = lambda _: "This is no JSON."
    async with Experiments(jobs) as experiments:
        made = await experiments.submit("local", [("one", [DOCUMENT])], Asked(prompts=("news@1", "news@2")))
        failed = await experiments.wait("local", made.id, wait_s=LONGEST_S)
    assert failed.status == "failed"
    assert failed.finished_at is not None
    assert failed.expires_at == failed.finished_at + DAY
    assert texts(jobs) == ["", ""]


async def test_a_text_stays_while_its_summary_is_to_be_begun_anew(jobs: Jobs, scripted: Scripted) -> None:
    """A process that ends leaves the text to the next one, which needs it."""
    scripted.holds = lambda _: True
    made = await jobs.submit("local", [DOCUMENT], Options())
    await scripted.held.wait()
    await jobs.close(drain_s=0)
    left = await jobs.get("local", made.id)
    assert (left.status, left.tries, left.expires_at, left.purged_at) == ("queued", 0, None, None)
    assert texts(jobs) == [SHORT]


async def test_what_a_server_has_taken_up_is_not_given_up_while_it_waits_its_turn(
    jobs: Jobs, scripted: Scripted, tmp_path: Path
) -> None:
    """However old it is; and neither by that server nor by another process."""
    beside = await Store.open(f"sqlite:///{tmp_path}/precis.db")
    rows = [jobs.accepted("local", Options(), jobs.pinned(AS_CONFIGURED)) for _ in range(3 * jobs.concurrency)]
    for row in rows:
        # as a process leaves it that dies
        await beside.add(row, [DOCUMENT])
    scripted.holds = lambda _: True
    assert await jobs.resume() == len(rows)
    await scripted.held.wait()
    for store in (jobs.store, beside):
        assert await purge(store, jobs.keep, now=jobs.now() + 100 * DAY) == Removed()
    scripted.opened.set()
    for row in rows:
        assert (await jobs.wait("local", row.id, wait_s=LONGEST_S)).status == "succeeded"
    await beside.close()


# --- again and again -------------------------------------------------------------------------------------------------


async def test_what_fails_once_is_done_the_next_time() -> None:
    """A store that is down and a fault are logged; the hour after, it is tried again."""
    faults: list[Exception] = [StoreUnavailable("It is down."), RuntimeError("A fault.")]
    waited: list[float] = []
    done = asyncio.Event()

    async def act() -> None:
        if faults:
            raise faults.pop()
        done.set()
        await asyncio.Event().wait()

    async def sleep(wait_s: float) -> None:
        waited.append(wait_s)

    async with beside(every("test", act, first_s=1, then_s=2, sleep=sleep)), asyncio.timeout(LONGEST_S):
        await done.wait()
    assert waited == [1, 2, 2]


async def test_chores_end_with_what_they_are_beside() -> None:
    """Whether they sleep or work."""
    waits = Waits()
    with suppress(KeyError):
        async with beside(every("test", waits.until_begun, first_s=1, then_s=1, sleep=waits)):
            await waits.until_begun()
            raise KeyError
    assert len(asyncio.all_tasks()) == 1


async def test_a_database_that_is_gone_for_an_hour_is_purged_in_the_next(tmp_path: Path) -> None:
    """And what expires is dated by what is set now, once."""
    store = await Store.open(f"sqlite:///{tmp_path}/precis.db")
    for name in ("old", "new"):
        row = StoredSummary(tenant="local", id=name, status="queued", options=Options(), created_at=NOON)
        await store.add(row, ())
    await store.finish("local", "old", status="failed", at=NOON - 2 * DAY)
    await store.finish("local", "new", status="failed", at=NOON)
    turns, hours = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def sleep(wait_s: float) -> None:
        if wait_s >= 1:
            hours.release()
            await turns.acquire()

    async with beside(hourly(store, Keep(results=DAY), now=lambda: NOON, sleep=sleep)), asyncio.timeout(LONGEST_S):
        await hours.acquire()
        with gone(tmp_path / "precis.db"):
            turns.release()
            await hours.acquire()
        assert await store.get("local", "old") is not None
        turns.release()
        await hours.acquire()
    assert await store.get("local", "old") is None
    new = await store.get("local", "new")
    assert new is not None
    assert new.expires_at == NOON + DAY
    await store.close()
