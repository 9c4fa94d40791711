"""A database of an older version is copied, then migrated; every row that was in it is there as it was."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from service.adapters.store import ComparisonStore, Keep, Memo, Removed, Retention, Store
from service.adapters.store.migrations import configured
from service.core.types import Document
from service.jobs.retention import purge

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = "2026-03-01T12:00:00.000000Z"
COMPLETION = '{"text":"an answer","finish":"stop","model":"m","reported":null,"key":"k"}'
HEAD = "0004"


def document(of: str) -> tuple[str, dict[str, object]]:
    """A document of a summary."""
    row = {"summary_id": of, "id": "d1", "position": 0, "sha256": "0", "media_type": "text/plain", "text": "Text."}
    return "documents", row


ROWS: dict[str, list[tuple[str, dict[str, object]]]] = {
    "0001": [
        ("summaries", {"id": "done", "status": "failed", "created_at": MOMENT, "finished_at": MOMENT, "options": "{}"}),
        ("summaries", {"id": "left", "status": "running", "created_at": MOMENT, "options": "{}"}),
        document("done"),
        document("left"),
    ],
    "0002": [
        ("completions", {"key": "k", "repetition": 0, "created_at": MOMENT, "completion": COMPLETION}),
        ("completion_uses", {"summary_id": "done", "key": "k", "repetition": 0}),
        (
            "attempts",
            {"summary_id": "done", "key": "k", "repetition": 0, "number": 1, "state": "answered", "sent_at": MOMENT},
        ),
    ],
    "0003": [
        (
            "comparisons",
            {
                "id": "cmp_1",
                "status": "running",
                "created_at": MOMENT,
                "experiment": '{"sets":[{"id":"s1","name":"one","digests":["0"]}],"prompts":["news@1","news@2"]}',
            },
        ),
        (
            "trials",
            {
                "comparison_id": "cmp_1",
                "position": 0,
                "set": "s1",
                "version": "news@1",
                "repetition": 0,
                "summary_id": "done",
            },
        ),
    ],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "precis.sqlite3"


def made(path: Path, revision: str) -> None:
    """Make a database of an older version, with rows in each of its tables."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(configured(connection), revision)
        for since, rows in ROWS.items():
            for table, row in rows if since <= revision else ():
                names = ", ".join(f'"{name}"' for name in row)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # noqa: S608
    engine.dispose()


def content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3")]  # noqa: S608
            for table in tables
            if table != "alembic_version"
        }


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_an_older_database_is_copied_and_keeps_its_rows(path: Path, revision: str) -> None:
    """The copy is what was there; the migrated one has all of it, with defaults for what is new, and no broken keys."""
    made(path, revision)
    before = content(path)
    store = await Store.open(f"sqlite:///{path}")
    await store.close()
    copy = path.with_name(f"{path.name}.before-{HEAD}.bak")
    assert content(copy) == before
    after = content(path)
    for table, rows in before.items():
        assert [row.items() <= now.items() for row, now in zip(rows, after[table], strict=True)] == [True] * len(rows)
    new = {name: after["summaries"][0][name] for name in ("batch", "owner", "tries", "expires_at", "purged_at")}
    assert new == {"batch": None, "owner": None, "tries": 0, "expires_at": None, "purged_at": None}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_what_an_older_version_left_is_worked_on_and_removed_like_any_other(path: Path, revision: str) -> None:
    """Unfinished rows are taken up, finished ones expire, and nothing of them is left."""
    made(path, revision)
    store = await Store.open(f"sqlite:///{path}", working=True)
    assert await store.documents("local", "left") == (Document(id="d1", text="Text."),)
    assert await store.unfinished() == (("local", "left", 0),)
    assert await store.start("local", "left", NOON)
    if revision >= "0002":
        assert await Memo(store, "local", "left").recall("k", 0) is not None
    if revision >= "0003":
        comparisons = ComparisonStore(store)
        assert await comparisons.unfinished() == (("local", "cmp_1"),)
        assert await comparisons.finish("local", "cmp_1", status="failed", at=NOON)
    keep = Keep(texts=timedelta(days=7), results=timedelta(days=30))
    await Retention(store).date(keep)
    done = await store.get("local", "done")
    assert done is not None
    assert done.expires_at == NOON + timedelta(days=30)
    removed = await purge(store, keep, now=NOON + timedelta(days=30))
    assert removed == Removed(summaries=1, comparisons=int(revision >= "0003"))
    assert await store.documents("local", "left") == (Document(id="d1", text="Text."),)
    await store.close()
