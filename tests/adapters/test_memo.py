"""Completions that were paid for, who uses them, and the journal of attempts; on real files."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import AsyncConnection

from service.adapters.store import Memo, Outcome, Store, StoredSummary
from service.adapters.store.migrations import configured
from service.core.errors import NotFound
from service.core.types import Completion, Document, Options, TokenCounts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = TokenCounts(prompt=10, completion=2, cached=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "precis.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """A store with two summaries of one tenant, and one of another."""
    opened = await Store.open(f"sqlite:///{path}")
    for tenant, name in (("local", "a"), ("local", "b"), ("other", "a")):
        await opened.add(queued(name, tenant=tenant), ())
    yield opened
    await opened.close()


def queued(name: str, *, tenant: str = "local") -> StoredSummary:
    """A summary that waits."""
    return StoredSummary(tenant=tenant, id=name, status="queued", options=Options(), created_at=NOON)


def answer(key: str = "k", text: str = '{"naïve": "“x”"}') -> Completion:
    """A completion."""
    return Completion(text=text, finish="stop", model="m", reported=COUNTS, key=key)


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """Everything in a table."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()  # noqa: S608 - our own names


# --- the memo --------------------------------------------------------------------------------------------------------


async def test_what_was_paid_for_is_recalled_as_it_was(store: Store) -> None:
    """Every field; and nothing for what was not asked."""
    memo = Memo(store, "local", "a")
    assert await memo.recall("k", 0) is None
    await memo.remember(answer(), 0, NOON)
    assert await memo.recall("k", 0) == answer()
    assert await memo.recall("k", 1) is None
    assert await memo.recall("l", 0) is None


async def test_the_first_completion_of_a_request_stays(store: Store) -> None:
    """Whoever asks later gets what was paid for first; a repetition is another request."""
    memo = Memo(store, "local", "a")
    await memo.remember(answer(text="first"), 0, NOON)
    await memo.remember(answer(text="second"), 0, NOON)
    await memo.remember(answer(text="again"), 1, NOON)
    first, again = await memo.recall("k", 0), await memo.recall("k", 1)
    assert first is not None
    assert again is not None
    assert (first.text, again.text) == ("first", "again")


async def test_a_user_is_counted_once_however_often_it_asks(store: Store, path: Path) -> None:
    """The one who paid, and the one who recalls."""
    one, other = Memo(store, "local", "a"), Memo(store, "local", "b")
    await one.remember(answer(), 0, NOON)
    for memo in (one, other, other):
        await memo.recall("k", 0)
    assert [row[1] for row in rows(path, "completion_uses")] == ["a", "b"]


async def test_deleting_a_summary_deletes_what_nobody_else_uses(store: Store, path: Path) -> None:
    """A shared completion stays until its last user goes."""
    one, other = Memo(store, "local", "a"), Memo(store, "local", "b")
    await one.remember(answer("own", "secret-answer"), 0, NOON)
    await one.remember(answer("shared"), 0, NOON)
    await other.recall("shared", 0)
    await store.delete("local", "a")
    assert await other.recall("own", 0) is None
    assert await other.recall("shared", 0) == answer("shared")
    assert not any(b"secret-answer" in file.read_bytes() for file in path.parent.iterdir())
    await store.delete("local", "b")
    assert rows(path, "completions") == rows(path, "completion_uses") == []


async def test_tenants_share_nothing(store: Store, path: Path) -> None:
    """The same request of another tenant is paid for anew, and deleting touches one's own only."""
    mine, theirs = Memo(store, "local", "a"), Memo(store, "other", "a")
    await mine.remember(answer(text="mine"), 0, NOON)
    assert await theirs.recall("k", 0) is None
    await theirs.remember(answer(text="theirs"), 0, NOON)
    await mine.sent("k", 0, NOON)
    assert await theirs.attempts() == ()
    await store.delete("local", "a")
    found = await theirs.recall("k", 0)
    assert found is not None
    assert found.text == "theirs"
    assert [row[0] for row in rows(path, "completions")] == ["other"]


async def test_a_summary_that_is_gone_remembers_nothing(store: Store, path: Path) -> None:
    """Deleted while a call was in flight: its answer is not kept behind its back, and no other call is made."""
    memo = Memo(store, "local", "a")
    number = await memo.sent("k", 0, NOON)
    await store.delete("local", "a")
    await memo.ended("k", 0, number, state="failed", status=None, at=NOON)
    await memo.answered(answer(), 0, number, asked="k", status=200, at=NOON)
    await memo.remember(answer("l"), 0, NOON)
    assert rows(path, "completions") == rows(path, "completion_uses") == rows(path, "attempts") == []
    with pytest.raises(NotFound, match="no more calls"):
        await memo.sent("k", 0, NOON)


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "cancelling"])
async def test_what_comes_late_is_remembered_and_nothing_more_is_sent(
    store: Store, path: Path, status: Outcome | Literal["cancelling"]
) -> None:
    """A summary that ended elsewhere is there still: what was paid for is kept, without a word of it in the result."""
    memo = Memo(store, "local", "a")
    number = await memo.sent("k", 0, NOON)
    if status in ("cancelled", "cancelling"):
        await store.cancelling("local", "a")
    if status != "cancelling":
        await store.finish("local", "a", status=status, at=NOON)
    before = await store.get("local", "a")
    await memo.answered(answer(), 0, number, asked="k", status=200, at=NOON)
    assert await store.get("local", "a") == before
    assert await Memo(store, "local", "b").recall("k", 0) == answer()
    with pytest.raises(NotFound):
        await memo.sent("l", 0, NOON)


class Interrupted(Store):
    """A store in which a summary is deleted by somebody else before the first write."""

    other: Store | None

    @asynccontextmanager
    async def writes(self, *, empty_log: bool = False) -> AsyncIterator[AsyncConnection]:
        """Delete, then write."""
        if self.other is not None:
            other, self.other = self.other, None
            assert await other.delete("local", "a")
        async with super().writes(empty_log=empty_log) as connection:
            yield connection


async def test_what_is_recalled_while_its_last_user_goes_is_kept(store: Store, path: Path) -> None:
    """A completion that is deleted with the one who paid, after another has read it, belongs to that one."""
    await Memo(store, "local", "a").remember(answer(), 0, NOON)
    interrupted = await Interrupted.open(f"sqlite:///{path}")
    interrupted.other = store
    assert await Memo(interrupted, "local", "b").recall("k", 0) == answer()
    await interrupted.close()
    assert await store.get("local", "a") is None
    assert [row[1] for row in rows(path, "completion_uses")] == ["b"]
    assert len(rows(path, "completions")) == 1


async def test_remembering_at_once_is_remembering_once(store: Store, path: Path) -> None:
    """Two summaries that pay for the same request at the same time both count."""
    memos = [Memo(store, "local", name) for name in ("a", "b")] * 5
    await asyncio.gather(*(memo.remember(answer(), 0, NOON) for memo in memos))
    assert len(rows(path, "completions")) == 1
    assert len(rows(path, "completion_uses")) == 2


# --- the journal -----------------------------------------------------------------------------------------------------


async def test_an_attempt_is_journalled_before_its_answer(store: Store) -> None:
    """What is still `sent` was never answered here; numbers count within a request and repetition."""
    memo = Memo(store, "local", "a")
    assert [await memo.sent("k", 0, NOON), await memo.sent("k", 0, NOON)] == [1, 2]
    assert [await memo.sent("k", 1, NOON), await memo.sent("l", 0, NOON)] == [1, 1]
    later = NOON + timedelta(seconds=1)
    await memo.ended("k", 0, 1, state="failed", status=503, at=later)
    await memo.ended("k", 0, 2, state="answered", status=200, at=later)
    found = {(one.key, one.repetition, one.number): one for one in await memo.attempts()}
    assert (found["k", 0, 1].state, found["k", 0, 1].status, found["k", 0, 1].ended_at) == ("failed", 503, later)
    assert (found["k", 0, 2].state, found["k", 0, 2].status) == ("answered", 200)
    assert (found["k", 1, 1].state, found["k", 1, 1].status, found["k", 1, 1].ended_at) == ("sent", None, None)
    assert found["l", 0, 1].sent_at == NOON


async def test_attempts_stand_in_the_order_of_sending(store: Store) -> None:
    """Whatever their keys are."""
    memo = Memo(store, "local", "a")
    for second, key in enumerate("cab"):
        await memo.sent(key, 0, NOON + timedelta(seconds=second))
    assert [one.key for one in await memo.attempts()] == ["c", "a", "b"]


async def test_attempts_go_with_their_summary(store: Store, path: Path) -> None:
    """And only with theirs."""
    for name in ("a", "b"):
        await Memo(store, "local", name).sent("k", 0, NOON)
    await store.delete("local", "a")
    assert [row[1] for row in rows(path, "attempts")] == ["b"]


async def test_attempts_at_once_have_numbers_of_their_own(store: Store) -> None:
    """No attempt takes the place of another."""
    memo = Memo(store, "local", "a")
    numbers = await asyncio.gather(*(memo.sent("k", 0, NOON) for _ in range(10)))
    assert sorted(numbers) == list(range(1, 11))


# --- an older file ---------------------------------------------------------------------------------------------------


async def test_a_file_of_the_first_version_is_copied_migrated_and_keeps_its_rows(path: Path) -> None:
    """Summaries and documents are there as they were, and completions can be kept beside them."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(configured(connection), "0001")
        connection.execute(
            sa.text("INSERT INTO summaries (id, status, created_at, options) VALUES (:id, 'queued', :at, '{}')"),
            {"id": "old", "at": "2026-03-01T12:00:00.000000+00:00"},
        )
        connection.execute(
            sa.text(
                "INSERT INTO documents (summary_id, id, position, sha256, media_type, text) "
                "VALUES ('old', 'd1', 0, 'x', 'text/plain', :text)"
            ),
            {"text": "The text,\r\nas it was."},
        )
    engine.dispose()
    assert {"completions", "attempts"}.isdisjoint(_tables(path))

    store = await Store.open(f"sqlite:///{path}")
    found = await store.get("local", "old")
    assert found is not None
    assert (found.status, found.created_at) == ("queued", NOON)
    assert await store.documents("local", "old") == (Document(id="d1", text="The text,\r\nas it was."),)
    memo = Memo(store, "local", "old")
    await memo.remember(answer(), await memo.sent("k", 0, NOON) - 1, NOON)
    assert await memo.recall("k", 0) == answer()
    await store.close()

    (copy,) = path.parent.glob("*.bak")
    assert copy.name.startswith(f"{path.name}.before-")
    assert _tables(copy) == {"summaries", "documents", "alembic_version"}
    assert [row[1] for row in rows(copy, "summaries")] == ["old"]


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
