"""Batches and keys in the store, on real files."""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from service.adapters.store import (
    BatchPlace,
    BatchStore,
    ComparisonStore,
    Keep,
    Key,
    Memo,
    Refusal,
    Status,
    Store,
    StoredComparison,
    StoredLine,
    StoredSummary,
)
from service.core.comparison import Experiment
from service.core.errors import FieldError, InvalidRequest, KeyReused
from service.core.types import Completion, Document, Options

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)
SENTINEL = "the-secret-sentence-of-a-line"
KEY = Key(key="k", digest="d")
REFUSED = Refusal(code="c", status=422, title="T", detail="D", errors=(FieldError("/a", "b"),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the store."""
    return tmp_path / "precis.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    opened = await Store.open(f"sqlite:///{path}")
    yield opened
    await opened.close()


@pytest.fixture
def batches(store: Store) -> BatchStore:
    """Its batches."""
    return BatchStore(store)


def queued(name: str, *, batch: str | None = None, tenant: str = "local", status: Status = "queued") -> StoredSummary:
    """A summary that waits."""
    return StoredSummary(tenant=tenant, id=name, status=status, options=Options(), batch=batch, created_at=NOON)


async def made(
    batches: BatchStore, name: str, lines: int, *, tenant: str = "local", at: datetime = NOON, accept: bool = True
) -> list[str]:
    """A batch with so many lines, each with a text; returns the ids of their summaries."""
    ids = [f"{name}-{number:05}" for number in range(1, lines + 1)]
    await batches.begin(tenant, name, at)
    rows = [StoredLine(line=number, custom_id=f"c{number}", summary=one) for number, one in enumerate(ids, 1)]
    texts = [Document(id="d1", text=f"{SENTINEL} {one}") for one in ids]
    own = [(queued(one, batch=name, tenant=tenant), (text,)) for one, text in zip(ids, texts, strict=True)]
    for start in range(0, lines, 500):
        await batches.extend(tenant, name, rows[start : start + 500], own[start : start + 500])
    if accept:
        await batches.accept(tenant, name, lines, at)
    return ids


async def finished(store: Store, *names: str, status: Any = "succeeded") -> None:
    """End summaries."""
    for name in names:
        await store.start("local", name, NOON)
        await store.finish("local", name, status=status, at=NOON)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


# --- accepting and reading -------------------------------------------------------------------------------------------


async def test_a_batch_is_seen_once_all_of_it_is_accepted(store: Store, batches: BatchStore) -> None:
    """Until then nobody finds it, lists it or works on it."""
    await made(batches, "b", 2, accept=False)
    assert await batches.get("local", "b") is None
    assert (await batches.page("local", limit=10)).data == ()
    assert (await batches.queued(10)).lines == ()
    assert await batches.accept("local", "b", 2, NOON) == "b"
    found = await batches.get("local", "b")
    assert found is not None
    assert (found.status, found.created_at, found.finished_at) == ("running", NOON, None)
    assert (found.counts.total, found.counts.queued, found.counts.invalid) == (2, 2, 0)
    assert (await store.page("local", limit=10)).data == ()
    assert await store.unfinished() == ()


async def test_lines_are_counted_by_what_has_become_of_them(store: Store, batches: BatchStore) -> None:
    """One that is being cancelled still runs; one whose summary was deleted is in the total only."""
    ids = await made(batches, "b", 9, accept=False)
    await batches.extend("local", "b", [StoredLine(line=10, custom_id=None, refusal=REFUSED)], ())
    await batches.accept("local", "b", 10, NOON)
    await finished(store, ids[0])
    await finished(store, ids[1], status="partial")
    await finished(store, ids[2], status="failed")
    for name in ids[3:7]:
        await store.start("local", name, NOON)
    await store.hold("local", ids[4], LATER)
    for name in ids[5:7]:
        await store.cancelling("local", name)
    await store.finish("local", ids[6], status="cancelled", at=NOON)
    await store.delete("local", ids[7])
    found = await batches.get("local", "b")
    assert found is not None
    counts = found.counts
    assert (counts.total, counts.queued, counts.running, counts.waiting, counts.invalid) == (10, 1, 2, 1, 1)
    assert (counts.succeeded, counts.partial, counts.failed, counts.cancelled) == (1, 1, 1, 1)


async def test_lines_are_read_in_the_order_of_the_body(store: Store, batches: BatchStore) -> None:
    """With their names, their refusals and what their summaries have come to; in pieces as well."""
    ids = await made(batches, "b", 3, accept=False)
    await batches.extend("local", "b", [StoredLine(line=7, custom_id="ü", refusal=REFUSED)], ())
    assert await batches.lines("local", "b", after=0, most=10) == ()
    await batches.accept("local", "b", 4, NOON)
    await finished(store, ids[1])
    await store.delete("local", ids[2])
    found = await batches.lines("local", "b", after=0, most=10)
    assert [(line.line, line.custom_id, line.summary, line.status) for line in found] == [
        (1, "c1", ids[0], "queued"),
        (2, "c2", ids[1], "succeeded"),
        (3, "c3", ids[2], None),
        (7, "ü", None, None),
    ]
    assert found[3].refusal == REFUSED
    assert await batches.lines("local", "b", after=1, most=2) == found[1:3]
    assert await batches.lines("local", "b", after=7, most=2) == ()
    await batches.deleting("local", "b")
    assert await batches.lines("local", "b", after=0, most=10) == ()


async def test_batches_are_listed_newest_first_in_pages(batches: BatchStore) -> None:
    """Each with its own counts, of one status where that is asked for."""
    for number in range(5):
        await made(batches, f"b{number}", number, at=NOON + timedelta(seconds=number))
    await batches.cancelling("local", "b3")
    first = await batches.page("local", limit=3)
    rest = await batches.page("local", limit=3, after=first.next_cursor)
    assert [(one.id, one.counts.queued) for one in (*first.data, *rest.data)] == [
        (f"b{number}", number) for number in (4, 3, 2, 1, 0)
    ]
    assert rest.next_cursor is None
    assert [one.id for one in (await batches.page("local", limit=3, status="cancelling")).data] == ["b3"]
    with pytest.raises(InvalidRequest, match="cursor"):
        await batches.page("local", limit=3, after="x")


async def test_batches_belong_to_their_tenant(store: Store, batches: BatchStore) -> None:
    """No method of another tenant reads or changes one; they all have their turn, though."""
    ids = await made(batches, "b", 2, tenant="one")
    assert await batches.get("two", "b") is None
    assert (await batches.page("two", limit=10)).data == ()
    assert await batches.lines("two", "b", after=0, most=10) == ()
    assert not await batches.cancelling("two", "b")
    assert not await batches.deleting("two", "b")
    assert await batches.cancel_queued("two", "b", NOON) == 0
    assert await batches.working_on("two", "b") == ()
    await batches.remove("two", "b")
    found = await batches.get("one", "b")
    assert found is not None
    assert found.counts.queued == 2
    assert await store.get("one", ids[0]) is not None
    assert (await batches.queued(10)).lines == (("one", ids[0]), ("one", ids[1]))


# --- taking turns ----------------------------------------------------------------------------------------------------


async def test_batches_take_turns(batches: BatchStore) -> None:
    """A small batch is not behind the many lines of one that was there before."""
    await made(batches, "a", 1200)
    await made(batches, "b", 2, at=NOON + timedelta(seconds=1))
    await made(batches, "c", 3, at=NOON + timedelta(seconds=2))
    drawn = await batches.queued(8)
    assert [name for _, name in drawn.lines] == [
        *("a-00001", "b-00001", "c-00001"),
        *("a-00002", "b-00002", "c-00002"),
        *("a-00003", "c-00003"),
    ]


async def test_where_there_are_more_batches_than_lines_to_draw_the_next_draw_goes_on(batches: BatchStore) -> None:
    """From the batch behind the last one that had its turn, and round again."""
    for number in range(5):
        await made(batches, f"b{number}", 3, at=NOON + timedelta(seconds=number))
    place: BatchPlace | None = None
    seen: list[str] = []
    for _ in range(5):
        drawn = await batches.queued(2, after=place)
        place = drawn.place
        seen += [name[:2] for _, name in drawn.lines]
    assert seen == ["b0", "b1", "b2", "b3", "b4", "b0", "b1", "b2", "b3", "b4"]


async def test_only_running_batches_have_a_turn(store: Store, batches: BatchStore) -> None:
    """Neither one that is being cancelled or deleted, nor one whose lines have all begun."""
    for number in range(4):
        await made(batches, f"b{number}", 1, at=NOON + timedelta(seconds=number))
    await batches.cancelling("local", "b0")
    await batches.deleting("local", "b1")
    await store.start("local", "b2-00001", NOON)
    drawn = await batches.queued(10)
    assert drawn.lines == (("local", "b3-00001"),)
    assert drawn.place == BatchPlace(created_at=NOON + timedelta(seconds=3), id="b3")
    await store.start("local", "b3-00001", NOON)
    assert await batches.queued(10) == replace(drawn, lines=(), place=None)


async def explained(store: Store, act: Callable[[], Awaitable[object]]) -> list[str]:
    """How SQLite goes about the queries of an action."""
    seen: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        seen.append((call[2], call[3]))

    engine = store._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    await act()
    sa.event.remove(engine, "before_cursor_execute", note)
    steps: list[str] = []
    async with store._engine.connect() as connection:
        for query, parameters in seen:
            if query.split()[0] in {"SELECT", "UPDATE", "DELETE"}:
                found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)
                steps += [row.detail for row in found]
    return steps


async def test_no_query_of_batches_reads_a_table_row_by_row(store: Store, batches: BatchStore) -> None:
    """Nor sorts one: what is drawn costs the same from ten lines as from ten thousand."""
    await made(batches, "a", 2)
    await made(batches, "b", 2)
    await made(batches, "c", 2)
    place = BatchPlace(created_at=NOON, id="a")
    drawing = await explained(store, lambda: batches.queued(4, after=place))
    assert not any("TEMP B-TREE" in step for step in drawing), drawing
    others: list[Callable[[], Awaitable[object]]] = [
        lambda: batches.lines("local", "a", after=0, most=10),
        lambda: batches.get("local", "a"),
        batches.put_back,
        batches.half_cancelled,
        lambda: batches.settle(NOON),
        lambda: batches.cancelling("local", "b"),
        lambda: batches.cancel_queued("local", "b", NOON),
        lambda: batches.working_on("local", "b"),
        batches.left,
        lambda: batches.is_taken("local", "k"),
        lambda: batches.remove("local", "c"),
    ]
    for act in others:
        for step in (*drawing, *await explained(store, act)):
            # but for lists of values in the query itself
            assert not re.match(r"SCAN (?!CONSTANT ROW|\(subquery)", step) or "INDEX" in step, step


# --- from start to start ---------------------------------------------------------------------------------------------


async def test_lines_that_ran_when_the_process_ended_are_queued_again(store: Store, batches: BatchStore) -> None:
    """With the tries that they have had; what is no line of a batch, or has ended, stays as it is."""
    ids = await made(batches, "b", 4)
    await store.add(queued("single"), ())
    for name in (*ids[:3], "single"):
        await store.start("local", name, NOON)
    await store.hold("local", ids[1], LATER)
    await store.finish("local", ids[2], status="failed", at=NOON)
    assert await batches.put_back() == 2
    found = [await store.get("local", name) for name in (*ids, "single")]
    assert [one and (one.status, one.tries, one.next_attempt_at) for one in found] == [
        ("queued", 1, None),
        ("queued", 1, None),
        ("failed", 1, None),
        ("queued", 0, None),
        ("running", 1, None),
    ]
    assert await batches.put_back() == 0


async def test_lines_that_are_being_cancelled_are_named(store: Store, batches: BatchStore) -> None:
    """Whether they had been begun or not; what is no line of a batch, or is cancelled, is not among them."""
    ids = await made(batches, "b", 4)
    await store.add(queued("single"), ())
    await store.start("local", ids[1], NOON)
    for name in (*ids[:3], "single"):
        await store.cancelling("local", name)
    await store.finish("local", ids[2], status="cancelled", at=NOON)
    assert await batches.half_cancelled() == (("local", ids[0]), ("local", ids[1]))


async def test_a_batch_is_finished_when_its_last_line_is(store: Store, batches: BatchStore) -> None:
    """Whatever became of its lines; it then has the time at which it will be deleted."""
    ids = await made(batches, "b", 2)
    await made(batches, "empty", 0)
    await finished(store, ids[0])
    assert await batches.settle(NOON, Keep(results=LATER - NOON)) == 1
    one, empty = await batches.get("local", "b"), await batches.get("local", "empty")
    assert one is not None
    assert empty is not None
    assert (one.status, empty.status, empty.finished_at, empty.expires_at) == ("running", "finished", NOON, LATER)
    await finished(store, ids[1], status="failed")
    assert await batches.settle(LATER) == 1
    assert await batches.settle(LATER) == 0
    one = await batches.get("local", "b")
    assert one is not None
    assert (one.status, one.finished_at, one.expires_at) == ("finished", NOON, None)


async def test_what_is_left_half_done_is_named(batches: BatchStore) -> None:
    """Batches that were being accepted, cancelled or deleted."""
    for name in ("accepting", "running", "cancelling", "deleting"):
        await made(batches, name, 1, accept=name != "accepting")
    await batches.cancelling("local", "cancelling")
    await batches.deleting("local", "deleting")
    assert {(name, status) for _, name, status in await batches.left()} == {
        (name, name) for name in ("accepting", "cancelling", "deleting")
    }


# --- ending ----------------------------------------------------------------------------------------------------------


async def test_queued_lines_are_cancelled_some_hundred_at_a_time(path: Path, store: Store, batches: BatchStore) -> None:
    """The next ones first; texts go with it where they are not kept."""
    ids = await made(batches, "b", 450)
    await finished(store, ids[3])
    assert [await batches.cancel_queued("local", "b", NOON, Keep(texts=timedelta(0))) for _ in range(4)] == [
        *(200, 200, 49),
        0,
    ]
    first = await store.get("local", ids[0])
    assert first is not None
    assert (first.status, first.finished_at, first.purged_at) == ("cancelled", NOON, NOON)
    assert await store.documents("local", ids[0]) == ()
    assert await store.documents("local", ids[3]) != ()
    assert rows(path, "SELECT status, count(*) FROM summaries GROUP BY status ORDER BY 1") == [
        ("cancelled", 449),
        ("succeeded", 1),
    ]


async def test_a_deleted_batch_leaves_nothing(path: Path, store: Store, batches: BatchStore) -> None:
    """No line, no text in the file or its log, no completion that nobody else uses; what others use stays."""
    ids = await made(batches, "b", 450)
    await store.add(queued("single"), ())
    for name, keys in ((ids[0], ("shared", "own")), ("single", ("shared",))):
        for key in keys:
            completion = Completion(key=key, text=f"{SENTINEL} {key}", model="m", finish="stop", reported=None)
            await Memo(store, "local", name).remember(completion, 0, NOON)
    assert await batches.deleting("local", "b")
    assert not await batches.deleting("local", "b")
    assert await batches.get("local", "b") is None
    await batches.remove("local", "b")
    for table in ("batches", "batch_lines", "documents"):
        assert rows(path, f"SELECT * FROM {table}") == []  # noqa: S608 - our own tables
    assert rows(path, "SELECT id FROM summaries") == [("single",)]
    assert rows(path, "SELECT key FROM completions") == [("shared",)]
    for file in path.parent.glob(f"{path.name}*"):
        assert file.is_dir() or f"{SENTINEL} b-".encode() not in file.read_bytes(), file


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_a_key_stands_for_what_was_made_under_it(store: Store) -> None:
    """The second summary under it is not stored, the first is named; another request is refused."""
    assert await store.made_under("local", KEY) is None
    assert await store.add(queued("s"), (), key=KEY) == "s"
    assert await store.add(queued("t"), (), key=KEY) == "s"
    assert await store.get("local", "t") is None
    assert await store.made_under("local", KEY) == "s"
    other = Key(key="k", digest="other")
    with pytest.raises(KeyReused, match="made s"):
        await store.add(queued("t"), (), key=other)
    with pytest.raises(KeyReused):
        await store.made_under("local", other)
    assert await store.add(queued("t", tenant="two"), (), key=other) == "t"


async def test_a_key_holds_for_summaries_comparisons_and_batches_alike(store: Store, batches: BatchStore) -> None:
    """What is under it is named, whatever it is."""
    comparison = StoredComparison(
        tenant="local", id="c", status="queued", experiment=Experiment(sets=()), created_at=NOON
    )
    compared = ComparisonStore(store)
    assert await compared.add(comparison, (), key=KEY) == "c"
    assert await compared.add(replace(comparison, id="d"), (), key=KEY) == "c"
    assert await compared.get("local", "d") is None
    assert await store.add(queued("s"), (), key=KEY) == "c"
    await made(batches, "b", 1, accept=False)
    assert await batches.accept("local", "b", 1, NOON, key=KEY) == "c"
    assert await batches.get("local", "b") is None
    assert await batches.is_taken("local", "k")
    assert not await batches.is_taken("two", "k")
    assert await compared.delete("local", "c")
    assert await batches.accept("local", "b", 1, NOON, key=KEY) == "b"
    assert await store.made_under("local", KEY) == "b"


async def test_a_key_goes_with_what_was_made_under_it(path: Path, store: Store, batches: BatchStore) -> None:
    """Its digest is of the texts; afterwards it is free, for another request too."""
    await store.add(queued("s"), (), key=KEY)
    await store.delete("local", "s")
    assert rows(path, "SELECT * FROM idempotency") == []
    await made(batches, "b", 1, accept=False)
    await batches.accept("local", "b", 1, NOON, key=Key(key="k", digest="other"))
    await batches.deleting("local", "b")
    await batches.remove("local", "b")
    assert rows(path, "SELECT * FROM idempotency") == []
    assert await store.add(queued("s"), (), key=KEY) == "s"


async def test_a_key_without_its_resource_is_free_and_is_forgotten(path: Path, store: Store) -> None:
    """However the resource went; a key whose resource is there is kept, however old it is."""
    for name in ("old", "gone", "young"):
        at = LATER if name == "young" else NOON
        summary = StoredSummary(tenant="local", id=name, status="queued", options=Options(), created_at=at)
        await store.add(summary, (), key=Key(key=name, digest="d"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM summaries WHERE id != 'old'")
    assert await store.made_under("local", Key(key="gone", digest="d")) is None
    assert await store.made_under("local", Key(key="gone", digest="other")) is None
    assert await store.forget_keys(NOON) == 0
    assert await store.forget_keys(LATER) == 1
    assert rows(path, "SELECT key FROM idempotency ORDER BY key") == [("old",), ("young",)]
    assert await store.add(queued("again"), (), key=Key(key="young", digest="other")) == "again"
