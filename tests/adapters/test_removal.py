"""What is finished is removed after its time, all of it; what is not finished never is. On real files."""

import os
import random
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from service.adapters.store import (
    FOR_EVER,
    UNFINISHED,
    BatchStore,
    ComparisonStore,
    Failure,
    Keep,
    Key,
    Memo,
    Outcome,
    Removed,
    Retention,
    Status,
    Store,
    StoredComparison,
    StoredLine,
    StoredSummary,
    StoredTrial,
)
from service.adapters.store.retention import AT_ONCE, PIECE
from service.adapters.store.tables import UNUSED, completions
from service.core.comparison import DocumentSet, Experiment
from service.core.types import Completion, Document, Options
from service.jobs.retention import purge

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = Keep(texts=timedelta(0), results=timedelta(0))
WEEK = Keep(texts=7 * DAY, results=30 * DAY)
SENTINEL = "the-secret-sentence-of-a-document"
FAILURE = Failure(code="internal_error", status=500, title="Internal error", detail="It broke.")


async def at_once(_seconds: float) -> None:
    """Wait for nothing."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "precis.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """Open an empty store, as a process that works on its rows."""
    opened = await Store.open(f"sqlite:///{path}", working=True)
    yield opened
    await opened.close()


@pytest.fixture
async def beside(store: Store, path: Path) -> AsyncIterator[Store]:
    """Open the same store as a process that works on nothing, such as `precis purge`."""
    opened = await Store.open(f"sqlite:///{path}")
    yield opened
    await opened.close()


def rows(path: Path, table: str) -> int:
    """Count what is in a table."""
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
        return int(number)


def holds(path: Path, words: str) -> bool:
    """Search the bytes of the database, its log and what stands beside them."""
    return any(words.encode() in file.read_bytes() for file in path.parent.iterdir() if file.is_file())


def asked(name: str, *, tenant: str = "local", **fields: Any) -> StoredSummary:
    """A summary that waits."""
    row = StoredSummary(tenant=tenant, id=name, status="queued", options=Options(), created_at=NOON)
    return replace(row, **fields)


def said(name: str, text: str = SENTINEL) -> Document:
    """A document with all that is known of one."""
    return Document(id=name, text=text, title="A title", url="https://example.org/", name=f"{name}.txt", language="en")


def answer(key: str, text: str = SENTINEL) -> Completion:
    """A completion, which quotes the text."""
    return Completion(text=text, finish="stop", model="m", reported=None, key=key)


async def finished(
    store: Store,
    name: str,
    *,
    at: datetime = NOON,
    texts: Sequence[Document] = (said("d1"),),
    status: Outcome = "succeeded",
    keep: Keep = FOR_EVER,
    **fields: Any,
) -> None:
    """Store a summary that has ended."""
    await store.add(asked(name, **fields), texts)
    if status == "cancelled":
        await store.cancelling("local", name)
    assert await store.finish("local", name, status=status, at=at, keep=keep)


async def compared(
    store: Store,
    name: str,
    own: Sequence[str],
    *,
    others: Sequence[str] = (),
    since: datetime = NOON,
    at: datetime | None = NOON,
) -> None:
    """Store a comparison with summaries that were made for it and others that were there; unfinished without `at`."""
    comparisons = ComparisonStore(store)
    experiment = Experiment(sets=(DocumentSet(id="s1", name="one", digests=("0",)),), prompts=("news@1", "news@2"))
    row = StoredComparison(tenant="local", id=name, status="queued", experiment=experiment, created_at=since)
    run = [StoredTrial(set="s1", version="news@1", repetition=0, summary_id=one) for one in (*own, *others)]
    made = [(asked(one, comparison=name, created_at=since), (said("d1"),)) for one in own]
    await comparisons.add(row, run, made)
    for one in own:
        await store.finish("local", one, status="succeeded", at=at or NOON)
    if at is not None:
        assert await comparisons.finish("local", name, status="succeeded", at=at)


async def batched(
    store: Store, name: str, own: Sequence[str], *, since: datetime = NOON, at: datetime | None = NOON
) -> None:
    """Store a batch with its lines and one that did not fit; unfinished without `at`."""
    batches = BatchStore(store)
    await batches.begin("local", name, since)
    lines = [StoredLine(line=number, custom_id=f"c{number}", summary=one) for number, one in enumerate(own, 1)]
    lines.append(StoredLine(line=len(own) + 1, custom_id=None))
    await batches.extend(
        "local", name, lines, [(asked(one, batch=name, created_at=since), (said("d1"),)) for one in own]
    )
    await batches.accept("local", name, len(lines), since)
    if at is not None:
        for one in own:
            await store.finish("local", one, status="succeeded", at=at)
        await batches.settle(at)


# --- texts -----------------------------------------------------------------------------------------------------------


async def test_texts_go_after_their_days_and_what_is_known_of_the_documents_stays(store: Store, path: Path) -> None:
    """Ids, digests, titles and addresses are there; no text is, not in the bytes of the file or its log either."""
    await finished(store, "s", texts=(said("d1"), said("d2", "x" * 10_000)))
    assert holds(path, SENTINEL)
    assert await purge(store, WEEK, now=NOON + 7 * DAY, sleep=at_once) == Removed(texts=1)
    assert not holds(path, SENTINEL)
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute(
            "SELECT id, title, url, name, language, length(sha256), text FROM documents"
        ).fetchall()
    assert kept == [(name, "A title", "https://example.org/", f"{name}.txt", "en", 64, "") for name in ("d1", "d2")]
    found = await store.get("local", "s")
    assert found is not None
    assert (found.status, found.purged_at) == ("succeeded", NOON + 7 * DAY)


async def test_texts_that_are_gone_are_not_given_out_as_empty_ones(store: Store) -> None:
    """There is no such document to be had, though it is known that there was one."""
    await finished(store, "s")
    await purge(store, WEEK, now=NOON + 8 * DAY, sleep=at_once)
    assert await store.documents("local", "s") == ()
    assert await store.document("local", "s", "d1") is None
    assert await store.has_document("local", "s", "d1")
    assert not await store.has_document("local", "s", "d2")


async def test_texts_stay_until_their_time(store: Store) -> None:
    """A microsecond before, nothing is due; what is due goes once."""
    await finished(store, "s")
    early = NOON + 7 * DAY - timedelta(microseconds=1)
    assert await purge(store, WEEK, now=early, sleep=at_once) == Removed()
    assert await store.documents("local", "s") == (said("d1"),)
    assert await purge(store, WEEK, now=NOON + 7 * DAY, sleep=at_once) == Removed(texts=1)
    assert await purge(store, WEEK, now=NOON + 7 * DAY, sleep=at_once) == Removed()


@pytest.mark.parametrize("status", get_args(Outcome))
async def test_texts_go_whatever_became_of_the_summary(store: Store, status: Outcome) -> None:
    """Succeeded, partial, failed or cancelled: it is finished."""
    await finished(store, "s", status=status)
    assert (await purge(store, WEEK, now=NOON + 7 * DAY, sleep=at_once)).texts == 1


@pytest.mark.parametrize("status", UNFINISHED)
async def test_what_is_not_finished_is_never_removed(store: Store, beside: Store, status: Status) -> None:
    """However old it is, and whatever is set, as long as the process lives whose it is; by that one or by another."""
    await store.add(asked("s", status=status), [said("d1")])
    await compared(store, "cmp_1", ["t1", "t2"], at=None)
    await batched(store, "bat_1", ["l1", "l2"], at=None)
    await BatchStore(store).begin("local", "bat_2", NOON)
    for purged in (store, beside):
        assert await Retention(purged).due(NOTHING, NOON + 10_000 * DAY) == Removed()
        assert await purge(purged, NOTHING, now=NOON + 10_000 * DAY, sleep=at_once) == Removed()
    for name in ("s", "t1", "t2", "l1", "l2"):
        assert await store.documents("local", name) == (said("d1"),)


@pytest.mark.parametrize("status", UNFINISHED)
async def test_what_a_process_left_goes_after_the_same_days(store: Store, beside: Store, status: Status) -> None:
    """From when it was begun, or else accepted, as if it had ended then: its texts first, then the whole."""
    ends = "cancelled" if status == "cancelling" else "failed"
    await store.add(asked("queued", status=status), [said("d1")])
    await store.add(asked("begun", status=status, started_at=NOON + DAY), [said("d1")])
    await store.close()
    early = NOON + 7 * DAY - timedelta(microseconds=1)
    assert await purge(beside, WEEK, now=early, sleep=at_once) == Removed()
    assert await purge(beside, WEEK, now=NOON + 7 * DAY, sleep=at_once) == Removed(texts=1)
    found, begun = await beside.get("local", "queued"), await beside.get("local", "begun")
    assert found is not None
    assert begun is not None
    assert (found.status, found.finished_at, found.expires_at) == (ends, NOON, NOON + 30 * DAY)
    assert (found.error is None) == (status == "cancelling")
    assert (begun.status, await beside.documents("local", "begun")) == (status, (said("d1"),))
    assert await purge(beside, WEEK, now=NOON + 30 * DAY, sleep=at_once) == Removed(texts=1, summaries=1)
    assert await purge(beside, WEEK, now=NOON + 31 * DAY, sleep=at_once) == Removed(summaries=1)


async def test_what_was_left_stays_for_a_day_however_short_all_else_is_kept(store: Store, beside: Store) -> None:
    """A purge between the end of a server and the start of the next takes nothing from that."""
    await store.add(asked("s"), [said("d1")])
    await store.close()
    early = NOON + DAY - timedelta(microseconds=1)
    assert await purge(beside, NOTHING, now=early, sleep=at_once) == Removed()
    assert await beside.documents("local", "s") == (said("d1"),)
    assert await purge(beside, NOTHING, now=NOON + DAY, sleep=at_once) == Removed(summaries=1)


async def test_comparisons_and_batches_that_were_left_go_as_well(store: Store, beside: Store, path: Path) -> None:
    """With their trials and lines; what was half accepted or deleted, and is never seen, goes at once."""
    batches = BatchStore(store)
    await finished(store, "other", at=NOON)
    await compared(store, "cmp_1", ["t1"], others=["other"], at=None)
    for name in ("running", "cancelling", "deleting"):
        await batched(store, name, [f"{name}1", f"{name}2"], at=None)
        await store.finish("local", f"{name}1", status="succeeded", at=NOON + DAY)
    await batches.cancelling("local", "cancelling")
    await batches.deleting("local", "deleting")
    await batches.begin("local", "accepting", NOON)
    await store.close()
    removed = await purge(beside, WEEK, now=NOON + 8 * DAY, sleep=at_once)
    assert removed == Removed(texts=6, summaries=2, batches=2)
    seen = [await BatchStore(beside).get("local", name) for name in ("running", "cancelling")]
    assert [one and (one.status, one.finished_at) for one in seen] == [
        ("finished", NOON + DAY),
        ("cancelled", NOON + DAY),
    ]
    compared_to = await ComparisonStore(beside).get("local", "cmp_1")
    assert compared_to is not None
    assert compared_to.error is not None
    assert (compared_to.status, compared_to.error.code) == ("failed", "abandoned")
    await purge(beside, WEEK, now=NOON + 31 * DAY, sleep=at_once)
    assert [rows(path, table) for table in ("summaries", "documents", "comparisons", "trials", "batches")] == [0] * 5


async def test_who_takes_up_what_was_left_keeps_it(store: Store, path: Path, beside: Store) -> None:
    """All of it is that process's from then on, and what waits its turn there is not given up."""
    await store.add(asked("s"), [said("d1")])
    await compared(store, "cmp_1", ["t1"], at=None)
    await batched(store, "bat_1", ["l1"], at=None)
    await store.close()
    server = await Store.open(f"sqlite:///{path}", working=True)
    await server.adopt()
    await ComparisonStore(server).adopt()
    assert await purge(beside, NOTHING, now=NOON + 10_000 * DAY, sleep=at_once) == Removed()
    assert await server.start("local", "s", NOON)
    await server.close()


async def test_what_is_kept_for_ever_is_not_removed(store: Store) -> None:
    """Neither texts nor results, unless a time is set for them."""
    await finished(store, "s")
    assert await purge(store, FOR_EVER, now=NOON + 10_000 * DAY, sleep=at_once) == Removed()
    assert await purge(store, Keep(texts=DAY), now=NOON + 10_000 * DAY, sleep=at_once) == Removed(texts=1)
    assert await store.get("local", "s") is not None


async def test_texts_that_a_comparison_is_drawn_from_wait_for_it(store: Store) -> None:
    """Those of its trials, and of summaries that were there before; they go once it is finished."""
    await finished(store, "before")
    await compared(store, "cmp_1", ["t1", "t2"], others=["before"], at=None)
    assert await purge(store, WEEK, now=NOON + 9 * DAY, sleep=at_once) == Removed()
    assert await ComparisonStore(store).finish("local", "cmp_1", status="succeeded", at=NOON + 9 * DAY)
    assert await purge(store, WEEK, now=NOON + 9 * DAY, sleep=at_once) == Removed(texts=3)


async def test_texts_of_lines_go_one_by_one(store: Store, path: Path) -> None:
    """A line that is finished is not kept for those that are not."""
    await batched(store, "bat_1", ["l1", "l2"], at=None)
    await store.finish("local", "l1", status="succeeded", at=NOON)
    assert await purge(store, WEEK, now=NOON + 7 * DAY, sleep=at_once) == Removed(texts=1)
    assert await store.documents("local", "l2") == (said("d1"),)


# --- no time at all --------------------------------------------------------------------------------------------------


async def test_texts_that_are_not_kept_go_with_the_end(store: Store, path: Path) -> None:
    """In the moment in which the summary is finished, from the log too; until then they are there."""
    await store.add(asked("s"), [said("d1")])
    await store.start("local", "s", NOON)
    assert await store.documents("local", "s") == (said("d1"),)
    none = Keep(texts=timedelta(0), results=DAY)
    assert await store.finish("local", "s", status="failed", error=FAILURE, at=NOON, keep=none)
    found = await store.get("local", "s")
    assert found is not None
    assert (found.purged_at, found.expires_at) == (NOON, NOON + DAY)
    assert await store.documents("local", "s") == ()
    assert not holds(path, SENTINEL)


async def test_texts_that_are_not_kept_stay_while_the_summary_is_to_be_tried_again(store: Store) -> None:
    """Put back or left by a process that ended, it is not finished."""
    await store.add(asked("s"), [said("d1")])
    await store.start("local", "s", NOON)
    await store.put_back("local", "s")
    await store.start("local", "s", NOON)
    assert not await store.finish("local", "s", status="cancelled", at=NOON, keep=Keep(texts=timedelta(0)))
    assert await store.documents("local", "s") == (said("d1"),)


async def test_texts_of_trials_that_are_not_kept_go_with_the_end_of_the_comparison(store: Store, path: Path) -> None:
    """It is drawn from them when they are all finished."""
    none = Keep(texts=timedelta(0))
    await compared(store, "cmp_1", [], at=None)
    await store.add(asked("t1", comparison="cmp_1"), [said("d1")])
    await store.finish("local", "t1", status="succeeded", at=NOON, keep=none)
    assert await store.documents("local", "t1") == (said("d1"),)
    assert await ComparisonStore(store).finish("local", "cmp_1", status="succeeded", at=NOON, keep=none)
    assert await store.documents("local", "t1") == ()
    assert not holds(path, SENTINEL)


# --- whole summaries, comparisons and batches ------------------------------------------------------------------------


async def test_a_summary_goes_with_all_that_belongs_to_it(store: Store, path: Path) -> None:
    """Documents, attempts, completions that nobody else uses, and the key that it was made under."""
    await store.add(asked("s"), [said("d1")], key=Key(key="k", digest="d"))
    await store.add(asked("t"), [said("d1", "another text")], key=Key(key="l", digest="d"))
    memo, other = Memo(store, "local", "s"), Memo(store, "local", "t")
    await memo.sent("own", 0, NOON)
    await memo.remember(answer("own"), 0, NOON)
    await memo.remember(answer("shared", "of both"), 0, NOON)
    await other.recall("shared", 0)
    await store.finish("local", "s", status="succeeded", at=NOON)
    assert await purge(store, WEEK, now=NOON + 30 * DAY, sleep=at_once) == Removed(summaries=1)
    assert await store.get("local", "s") is None
    counted = {name: rows(path, name) for name in ("summaries", "documents", "attempts", "completions", "idempotency")}
    assert counted == {"summaries": 1, "documents": 1, "attempts": 0, "completions": 1, "idempotency": 1}
    assert await other.recall("shared", 0) == answer("shared", "of both")
    assert not holds(path, SENTINEL)


async def test_trials_go_with_their_comparison_and_summaries_that_were_there_do_not(store: Store, path: Path) -> None:
    """Trials that ended long before it stay for as long as it does."""
    await finished(store, "before", at=NOON + 20 * DAY)
    await compared(store, "cmp_1", ["t1", "t2"], others=["before"], at=None)
    await ComparisonStore(store).finish("local", "cmp_1", status="succeeded", at=NOON + 5 * DAY)
    results = Keep(results=30 * DAY)
    assert await purge(store, results, now=NOON + 34 * DAY, sleep=at_once) == Removed()
    assert await purge(store, results, now=NOON + 35 * DAY, sleep=at_once) == Removed(comparisons=1, summaries=2)
    assert (rows(path, "comparisons"), rows(path, "trials"), rows(path, "summaries")) == (0, 0, 1)


async def test_a_comparison_keeps_what_it_is_of_until_it_is_drawn(store: Store) -> None:
    """A summary that was there before, and whose time has come, waits for it."""
    await finished(store, "before")
    await compared(store, "cmp_1", [], others=["before"], at=None)
    assert await purge(store, WEEK, now=NOON + 90 * DAY, sleep=at_once) == Removed()
    await ComparisonStore(store).finish("local", "cmp_1", status="succeeded", at=NOON + 90 * DAY)
    assert await purge(store, WEEK, now=NOON + 90 * DAY, sleep=at_once) == Removed(summaries=1)


async def test_lines_go_with_their_batch(store: Store, path: Path) -> None:
    """The batch, its lines, those that did not fit, and their summaries; not before all of it was finished."""
    await batched(store, "bat_1", ["l1", "l2", "l3"], at=NOON + 5 * DAY)
    await batched(store, "bat_2", ["m1"], at=None)
    results = Keep(results=30 * DAY)
    assert await purge(store, results, now=NOON + 34 * DAY, sleep=at_once) == Removed()
    assert await purge(store, results, now=NOON + 35 * DAY, sleep=at_once) == Removed(batches=1, summaries=3)
    assert (rows(path, "batches"), rows(path, "batch_lines"), rows(path, "summaries")) == (1, 2, 1)


async def test_completions_that_nobody_uses_are_found(store: Store, path: Path) -> None:
    """Whatever left them behind: no summary names them, so nothing else would ever remove them."""
    await store.add(asked("s"), ())
    await Memo(store, "local", "s").remember(answer("used", "kept"), 0, NOON)
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO completions VALUES ('local', ?, 0, '2026-03-01T12:00:00.000000Z', ?)",
            [(f"k{number}", SENTINEL) for number in range(AT_ONCE + 1)],
        )
        connection.commit()
    await purge(store, FOR_EVER, now=NOON, sleep=at_once)
    assert rows(path, "completions") == 1
    assert not holds(path, SENTINEL)


async def test_tenants_are_told_apart(store: Store) -> None:
    """What is due goes for all tenants; what has the same id elsewhere stays, and so do its completions."""
    await finished(store, "s")
    await store.add(asked("s", tenant="other"), [said("d1")])
    for tenant in ("local", "other"):
        await Memo(store, tenant, "s").remember(answer("k", tenant), 0, NOON)
    assert await purge(store, WEEK, now=NOON + 30 * DAY, sleep=at_once) == Removed(summaries=1)
    assert await store.documents("other", "s") == (said("d1"),)
    assert await Memo(store, "other", "s").recall("k", 0) == answer("k", "other")


# --- a little at a time ----------------------------------------------------------------------------------------------


async def test_many_rows_go_in_several_transactions_with_pauses_for_others(store: Store, path: Path) -> None:
    """No transaction is about more than some hundred rows, and another process writes between any two."""
    other = await Store.open(f"sqlite:///{path}")
    for number in range(2 * AT_ONCE + 1):
        await finished(store, f"s{number}", texts=())
    names = count()

    async def write(_seconds: float) -> None:
        await other.add(asked(f"new{next(names)}"), ())

    assert await purge(store, WEEK, now=NOON + 30 * DAY, sleep=write) == Removed(summaries=2 * AT_ONCE + 1)
    assert next(names) >= 3
    await other.close()


@pytest.mark.parametrize("days", [7, 30])
async def test_a_transaction_that_takes_long_is_cut_short(store: Store, days: int) -> None:
    """Long texts are overwritten, which takes its time; then a few rows are enough."""
    ticks = count(step=10.0)
    retention = Retention(store, clock=lambda: next(ticks))
    for number in range(2 * PIECE + 1):
        await finished(store, f"s{number}")
    before = NOON + days * DAY
    times = [
        await (retention.delete_texts(before, NOON) if days == 7 else retention.delete_summaries(before))
        for _ in range(4)
    ]
    assert times == [PIECE, PIECE, 1, 0]


@pytest.mark.parametrize("keep", [WEEK, Keep(texts=7 * DAY), Keep(results=7 * DAY), Keep(texts=30 * DAY, results=DAY)])
async def test_what_is_due_is_said_and_not_removed(store: Store, beside: Store, path: Path, keep: Keep) -> None:
    """A dry run counts what the next purge removes, of what was finished and of what was left."""
    generator = random.Random(20260301)  # noqa: S311 - no secret
    old = [NOON - days * DAY for days in (0, 3, 8, 29, 31, 60)]
    for number in range(40):
        at, since = generator.choice([*old, None, None]), generator.choice(old)
        match generator.choice(["summary", "comparison", "batch"]):
            case "summary" if at is None:
                await store.add(asked(f"s{number}", created_at=since), [said("d1")])
            case "summary":
                await finished(store, f"s{number}", at=at or NOON)
            case "comparison":
                await compared(store, f"cmp_{number}", [f"t{number}a", f"t{number}b"], since=since, at=at)
            case "batch":
                await batched(store, f"bat_{number}", [f"l{number}a", f"l{number}b"], since=since, at=at)
    for left in (False, True):
        due = await Retention(beside).due(keep, NOON)
        assert due != Removed()
        before = rows(path, "summaries")
        assert await Retention(beside).due(keep, NOON) == due
        assert rows(path, "summaries") == before
        assert await purge(beside, keep, now=NOON, sleep=at_once) == due
        assert rows(path, "summaries") == before - due.summaries
        assert await Retention(beside).due(keep, NOON) == Removed()
        if not left:
            await store.close()


# --- when things expire ----------------------------------------------------------------------------------------------


async def test_a_finished_summary_says_when_it_expires(store: Store) -> None:
    """From its end on; never, where results are kept for ever."""
    for name, keep in (("a", WEEK), ("b", FOR_EVER)):
        await finished(store, name, keep=keep)
    found = [await store.get("local", name) for name in ("a", "b")]
    assert [one.expires_at for one in found if one] == [NOON + 30 * DAY, None]


async def test_another_setting_dates_what_was_finished_before(store: Store) -> None:
    """Of summaries, comparisons and batches, those of an older version included; what is not finished has no date."""
    for number in range(AT_ONCE + 5):
        await finished(store, f"s{number}", texts=(), keep=WEEK if number % 2 else FOR_EVER)
    await store.add(asked("unfinished"), ())
    await compared(store, "cmp_1", [])
    await batched(store, "bat_1", [])
    await Retention(store).date(Keep(results=3 * DAY))
    for number in range(AT_ONCE + 5):
        found = await store.get("local", f"s{number}")
        assert found is not None
        assert found.expires_at == NOON + 3 * DAY
    unfinished = await store.get("local", "unfinished")
    assert unfinished is not None
    assert unfinished.expires_at is None
    comparison, batch = (
        await ComparisonStore(store).get("local", "cmp_1"),
        await BatchStore(store).get("local", "bat_1"),
    )
    assert comparison is not None
    assert batch is not None
    assert comparison.expires_at == batch.expires_at == NOON + 3 * DAY


async def test_listings_of_what_is_due_are_read_from_an_index(store: Store) -> None:
    """However many are kept, those that are not due are not looked at."""
    queries = {
        "SELECT id FROM summaries WHERE purged_at IS NULL AND finished_at <= '2026' ORDER BY finished_at": (
            "summaries_with_texts"
        ),
        "SELECT id FROM summaries WHERE finished_at <= '2026' ORDER BY finished_at": "summaries_by_end",
    }
    unused = str(sa.select(completions.c.key).where(UNUSED).compile(compile_kwargs={"literal_binds": True}))
    async with store.reading() as connection:
        plan = [row.detail for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {unused}")]
        assert plan[-1].endswith("completion_uses_by_key (tenant=? AND key=? AND repetition=?)")
        for query, index in queries.items():
            plan = [row.detail for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
            assert len(plan) == 1
            assert f"INDEX {index}" in plan[0]


# --- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "age", "stays"),
    [
        (7 * DAY, 6.9, True),
        (7 * DAY, 7.1, False),
        (timedelta(0), 0.9, True),
        (timedelta(0), 1.1, False),
        (None, 1000.0, True),
    ],
)
async def test_a_copy_from_before_a_migration_goes_when_its_texts_would_have(
    store: Store, path: Path, texts: timedelta | None, age: float, stays: bool
) -> None:
    """It holds the texts of that day; a day at least it stays, so that there is a way back."""
    copy, foreign = path.with_name(f"{path.name}.before-0004.bak"), path.with_name(f"{path.name}.mine.bak")
    for file in (copy, foreign):
        file.write_bytes(b"texts")
        moment = (NOON - age * DAY).timestamp()
        os.utime(file, (moment, moment))
    keep = Keep(texts=texts)
    assert (await Retention(store).due(keep, NOON)).copies == (not stays)
    assert (await purge(store, keep, now=NOON, sleep=at_once)).copies == (not stays)
    assert copy.exists() == stays
    assert foreign.exists()


# --- nothing is left in the bytes ------------------------------------------------------------------------------------

Kind = Literal["summary", "comparison", "batch"]


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("by", ["delete", "purge"])
async def test_no_byte_is_left_of_what_was_removed(store: Store, path: Path, kind: Kind, by: str) -> None:
    """Texts of any length, and answers that quote them: not in a table, not between rows, not in the log."""
    names = [f"n{number}" for number in range(6)]
    texts = [said(f"d{number}", f"{SENTINEL} " * 10**number) for number in range(5)]
    match kind:
        case "summary":
            for name in names:
                await finished(store, name, texts=texts)
        case "comparison":
            await compared(store, "cmp_1", names)
        case "batch":
            await batched(store, "bat_1", names)
    for name in names:
        for number in range(5):
            await Memo(store, "local", name).remember(answer(f"{name}-{number}", f"{SENTINEL} " * 10**number), 0, NOON)
    await finished(store, "kept", texts=[said("d1", "kept")], at=NOON + 90 * DAY)
    assert holds(path, SENTINEL)
    if by == "purge":
        await purge(store, WEEK, now=NOON + 30 * DAY, sleep=at_once)
    else:
        await _deleted(store, kind, names)
    assert not holds(path, SENTINEL)
    assert await store.documents("local", "kept") == (said("d1", "kept"),)
    assert rows(path, "completions") == 0


async def _deleted(store: Store, kind: Kind, names: Sequence[str]) -> None:
    match kind:
        case "summary":
            for name in names:
                assert await store.delete("local", name)
        case "comparison":
            assert await ComparisonStore(store).delete("local", "cmp_1")
        case "batch":
            await BatchStore(store).remove("local", "bat_1")


async def test_no_byte_is_left_after_a_long_life(store: Store, path: Path) -> None:
    """Rows that grow, shrink and move between pages leave nothing behind in those they were in."""
    generator = random.Random(20260302)  # noqa: S311 - no secret
    there: list[int] = []
    gone: list[int] = []
    for number in range(300):
        words = f"sentence-{number:05}-of-a-text " * generator.choice([1, 3, 10, 40, 120, 400])
        name = f"s{generator.getrandbits(60):015x}-{number}"
        await store.add(asked(name), [said("d1", words)])
        await Memo(store, "local", name).remember(answer(f"k{number}", words[: len(words) // 2]), 0, NOON)
        await store.finish("local", name, status="failed", at=NOON, error=replace(FAILURE, detail="x" * len(words)))
        there.append(number)
        if generator.random() < 0.6:
            which = there.pop(generator.randrange(len(there)))
            (victim,) = [row for row in await _ids(store) if row.endswith(f"-{which}")]
            if generator.random() < 0.5:
                await store.delete("local", victim)
                gone.append(which)
    await store.empty_log()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())
    assert gone
    assert [number for number in gone if f"sentence-{number:05}-".encode() in content] == []


async def _ids(store: Store) -> list[str]:
    async with store.reading() as connection:
        return list((await connection.exec_driver_sql("SELECT id FROM summaries")).scalars())
