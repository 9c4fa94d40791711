"""Comparisons are kept beside the summaries that are their trials, and go with them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from service.adapters.store import (
    ComparisonStore,
    Failure,
    Memo,
    Store,
    StoredComparison,
    StoredSummary,
    StoredTrial,
)
from service.core.comparison import DocumentSet, Experiment
from service.core.errors import InvalidRequest
from service.core.types import Completion, Document, Options

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILURE = Failure(code="endpoint_unavailable", status=502, title="The endpoint is unavailable", detail="It is down.")
TEXT = "The council voted on Tuesday to close the old bridge."


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open store in a folder of its own."""
    opened = await Store.open(f"sqlite:///{tmp_path / 'precis.sqlite3'}")
    yield opened
    await opened.close()


@pytest.fixture
def comparisons(store: Store) -> ComparisonStore:
    """Its comparisons."""
    return ComparisonStore(store)


def comparison(name: str = "cmp_1", tenant: str = "local", **fields: object) -> StoredComparison:
    """A comparison that was accepted."""
    made = StoredComparison(
        tenant=tenant,
        id=name,
        status="queued",
        experiment=Experiment(
            sets=(DocumentSet(id="s1", name="one.txt", digests=("00",)),), prompts=("news@1", "news@2")
        ),
        created_at=NOON,
    )
    return replace(made, **fields)


def summary(name: str, *, of: str | None = "cmp_1", tenant: str = "local") -> StoredSummary:
    """A summary that is a trial of a comparison."""
    return StoredSummary(tenant=tenant, id=name, status="queued", options=Options(), comparison=of, created_at=NOON)


def trial(name: str, version: str = "news@1") -> StoredTrial:
    """Which summary a trial is."""
    return StoredTrial(set="s1", version=version, repetition=0, summary_id=name)


async def add(comparisons: ComparisonStore, name: str = "cmp_1", tenant: str = "local") -> None:
    """Add a comparison with two trials, `<name>a` and `<name>b`."""
    own = [(summary(f"{name}{part}", of=name, tenant=tenant), [Document(id="d1", text=TEXT)]) for part in "ab"]
    run = [trial(f"{name}a"), trial(f"{name}b", "news@2")]
    await comparisons.add(comparison(name, tenant), run, own)


async def test_a_comparison_is_read_as_it_was_added(store: Store, comparisons: ComparisonStore) -> None:
    """With its trials in order, and the summaries that were made for it with their documents."""
    await add(comparisons)
    assert await comparisons.get("local", "cmp_1") == comparison()
    assert [one.summary_id for one in await comparisons.trials("local", "cmp_1")] == ["cmp_1a", "cmp_1b"]
    assert (await store.documents("local", "cmp_1b"))[0].text == TEXT


async def test_a_comparison_is_added_whole_or_not_at_all(store: Store, comparisons: ComparisonStore) -> None:
    """A summary whose id is taken takes the comparison back with it."""
    await store.add(summary("cmp_1b", of=None), [])
    with pytest.raises(Exception, match="id is taken"):
        await add(comparisons)
    assert await comparisons.get("local", "cmp_1") is None
    assert await store.get("local", "cmp_1a") is None


async def test_trials_are_in_no_listing_of_summaries(store: Store, comparisons: ComparisonStore) -> None:
    """Nor are they taken up as summaries of their own at a start: they go with their comparison."""
    await add(comparisons)
    await store.add(summary("sum_1", of=None), [])
    assert [one.id for one in (await store.page("local", limit=10)).data] == ["sum_1"]
    assert await store.unfinished() == (("local", "sum_1", 0),)
    assert await comparisons.unfinished() == (("local", "cmp_1"),)


async def test_the_tally_counts_trials_by_what_became_of_them(store: Store, comparisons: ComparisonStore) -> None:
    """From the rows of their summaries."""
    await add(comparisons)
    await store.start("local", "cmp_1a", NOON)
    await store.finish("local", "cmp_1a", status="failed", error=FAILURE, at=NOON)
    assert await comparisons.tally("local", "cmp_1") == {"failed": 1, "queued": 1}


async def test_a_finished_comparison_stays_as_it_is(comparisons: ComparisonStore) -> None:
    """A late writer changes nothing."""
    await add(comparisons)
    assert await comparisons.start("local", "cmp_1", NOON)
    assert await comparisons.finish("local", "cmp_1", status="failed", error=FAILURE, at=NOON + timedelta(seconds=5))
    assert not await comparisons.finish("local", "cmp_1", status="succeeded", at=NOON)
    assert not await comparisons.start("local", "cmp_1", NOON)
    found = await comparisons.get("local", "cmp_1")
    assert found is not None
    assert (found.status, found.error, found.started_at) == ("failed", FAILURE, NOON)
    assert await comparisons.unfinished() == ()


async def test_a_deleted_comparison_takes_its_summaries_texts_and_completions(
    store: Store, comparisons: ComparisonStore, tmp_path: Path
) -> None:
    """Nothing of it is left in the file, and what another summary uses stays."""
    await add(comparisons)
    await store.add(summary("sum_1", of=None), [Document(id="d1", text="Another text.")])
    answer = Completion(text="SECRET ANSWER", finish="stop", model="m", reported=None, key="k1")
    await Memo(store, "local", "cmp_1a").remember(answer, 0, NOON)
    shared = replace(answer, text="shared", key="k2")
    await Memo(store, "local", "cmp_1b").remember(shared, 0, NOON)
    await Memo(store, "local", "sum_1").remember(shared, 0, NOON)
    assert await comparisons.delete("local", "cmp_1")
    assert not await comparisons.delete("local", "cmp_1")
    assert await comparisons.trials("local", "cmp_1") == ()
    assert await store.get("local", "cmp_1a") is None
    assert await Memo(store, "local", "sum_1").recall("k1", 0) is None
    assert await Memo(store, "local", "sum_1").recall("k2", 0) == shared
    left = b"".join(path.read_bytes() for path in tmp_path.glob("precis.sqlite3*"))  # noqa: ASYNC240 - a test may wait
    assert TEXT.encode() not in left
    assert b"SECRET ANSWER" not in left


async def test_comparisons_of_another_tenant_are_not_there(store: Store, comparisons: ComparisonStore) -> None:
    """Neither to read nor to delete, and deleting one's own leaves the other's summaries."""
    await add(comparisons, "cmp_1", "local")
    await add(comparisons, "cmp_2", "other")
    assert await comparisons.get("local", "cmp_2") is None
    assert not await comparisons.delete("local", "cmp_2")
    assert await comparisons.trials("local", "cmp_2") == ()
    assert [one.id for one in (await comparisons.page("local", limit=9)).data] == ["cmp_1"]
    await comparisons.delete("local", "cmp_1")
    assert await store.get("other", "cmp_2a") is not None


async def test_pages_go_on_where_the_one_before_ended(comparisons: ComparisonStore) -> None:
    """Newest first, each once, by status where one is asked for."""
    for number in range(5):
        await comparisons.add(
            comparison(
                f"cmp_{number}",
                created_at=NOON + timedelta(minutes=number),
                status="failed" if number == 2 else "queued",
            ),
            [],
        )
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await comparisons.page("local", limit=2, after=cursor)
        seen += [one.id for one in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["cmp_4", "cmp_3", "cmp_2", "cmp_1", "cmp_0"]
    assert [one.id for one in (await comparisons.page("local", limit=9, status="failed")).data] == ["cmp_2"]
    with pytest.raises(InvalidRequest):
        await comparisons.page("local", limit=2, after="nonsense")
