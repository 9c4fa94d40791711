"""A process dies over a migration, a deletion, a purge or a cancellation: the next one finds all of it or nothing."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from articles import article
from journals import Coming, calls_in
from lives import Fail, Life, endpoint, free_port, life, local, settings

from service.adapters.store.migrations import configured

TEXT = article(1)
BEGINNING = TEXT[:40]
"""It may be quoted by a result as well, unlike the whole."""

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For a database and nothing else."""
    made = tmp_path / "data"
    made.mkdir()
    return made


@contextmanager
def serving(folder: Path, fail: Fail | None = None, **more: object) -> Iterator[tuple[Life, httpx.Client]]:
    """A server that has started or died over it, and a client to it; without an endpoint, unless one is set."""
    port = free_port()
    environ = settings(folder / "precis.db", **more)
    log = folder.with_name(f"{folder.name}.log")
    with life(local(["serve", "--port", str(port)], fail), environ, log) as one:
        one.wait_for("service_started")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            yield one, client


def stored(folder: Path, query: str) -> list[tuple[object, ...]]:
    """What is committed, read from a copy, so that what a death has left stays as it is."""
    copy = folder.with_name(f"{folder.name}.copy")
    shutil.copytree(folder, copy)
    try:
        with closing(sqlite3.connect(copy / "precis.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return connection.execute(query).fetchall()
    finally:
        shutil.rmtree(copy)


def on_disk(folder: Path, words: str) -> list[str]:
    """The files that hold these words, in whatever part of them."""
    return [path.name for path in folder.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]


# --- migrations ------------------------------------------------------------------------------------------------------


@pytest.fixture
def older(folder: Path) -> str:
    """The revision of the version before, of which there is a database, in which a summary is queued."""
    engine = sa.create_engine(f"sqlite:///{folder / 'precis.db'}")
    with engine.begin() as connection:
        config = configured(connection)
        script = ScriptDirectory.from_config(config)
        head = script.get_revision("head")
        assert head is not None
        revision = str(head.down_revision)
        command.upgrade(config, revision)
        connection.exec_driver_sql(
            "INSERT INTO summaries (tenant, id, status, created_at, options) "
            "VALUES ('local', 'sum_old', 'queued', '2026-01-01T00:00:00.000000Z', '{}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO documents (tenant, summary_id, id, position, sha256, media_type, text) "
            "VALUES ('local', 'sum_old', 'd1', 0, '', 'text/plain', ?)",
            (TEXT,),
        )
    engine.dispose()
    return revision


@pytest.mark.parametrize(
    ("fail", "migrated"),
    [
        (Fail("within_migration", 6), False),
        (Fail("before_migrated", 1), False),
        (Fail("after_migrated", 1), True),
    ],
)
def test_a_migration_that_died_is_made_at_the_next_start(folder: Path, older: str, fail: Fail, migrated: bool) -> None:
    """What was queued before it is finished after it, and the copy that was made first is whole."""
    with serving(folder, fail) as (died, _):
        assert died.dead
    found = stored(folder, "SELECT version_num FROM alembic_version")
    assert (found == [(older,)]) is not migrated
    (copy,) = folder.glob("*.bak")
    shutil.copy(copy, copy.with_suffix(".part"))  # as of a copy that was not finished
    with serving(folder) as (_, client):
        assert client.get("/ready").status_code == 200
        summary = finished(client, "sum_old")
        assert summary["status"] == "succeeded"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(older,)]
        assert connection.execute("SELECT id, text FROM documents").fetchall() == [("d1", TEXT)]


def finished(client: httpx.Client, summary: str) -> dict[str, object]:
    """A summary once it is finished; its server works on it meanwhile, so that the looks are bounded."""
    for _ in range(2_000):
        found: dict[str, object] = client.get(f"/v1/summaries/{summary}").json()
        if found["finished_at"]:
            return found
    raise AssertionError(found)


# --- deletions -------------------------------------------------------------------------------------------------------


def posted(client: httpx.Client, text: str = TEXT, *, wait_s: int = 30) -> str:
    """A summary, finished where that is waited for."""
    headers = {"Content-Type": "text/plain", "Prefer": f"wait={wait_s}"}
    answer = client.post("/v1/summaries", content=text.encode(), headers=headers)
    assert answer.status_code == (201 if wait_s else 202), answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("point", ["before_delete", "after_delete"])
def test_a_deletion_that_died_took_all_or_nothing(folder: Path, point: str) -> None:
    """Until it is committed everything is there, and can be deleted again; after it the text is in no file."""
    with serving(folder, Fail(point, 1)) as (died, client):
        summary = posted(client)
        assert on_disk(folder, BEGINNING) != []
        with pytest.raises(httpx.TransportError):
            client.delete(f"/v1/summaries/{summary}")
        assert died.process.wait(20) == -9
    left = stored(folder, "SELECT (SELECT count(*) FROM summaries), (SELECT count(*) FROM documents)")
    assert left == [(0, 0) if point == "after_delete" else (1, 1)]
    with serving(folder) as (_, client):
        if point == "after_delete":
            assert client.get(f"/v1/summaries/{summary}").status_code == 404
        else:
            assert client.get(f"/v1/summaries/{summary}/documents/d1").text == TEXT
            assert client.delete(f"/v1/summaries/{summary}").status_code == 204
            assert client.get(f"/v1/summaries/{summary}").status_code == 404
        assert on_disk(folder, BEGINNING) == []


# --- purges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fail", [Fail("within_purge", 1), Fail("after_purge", 1)])
def test_a_purge_that_died_is_finished_by_the_next(folder: Path, fail: Fail) -> None:
    """Then no text is in any file, and every summary has its quotes."""
    texts = [f"{TEXT} Copy {number}." for number in range(3)]
    with serving(folder) as (_, client):
        summaries = [posted(client, text) for text in texts]
    assert on_disk(folder, TEXT) != []
    with purging(folder, fail) as died:
        assert died.process.wait(60) == -9
    kept = stored(folder, "SELECT (SELECT count(*) FROM documents WHERE text != ''), count(purged_at) FROM summaries")
    assert kept in ([(3, 0)], [(0, 3)])
    with purging(folder) as done:
        assert done.process.wait(60) == 0, done.said()
    assert on_disk(folder, TEXT) == []
    for summary, text in zip(summaries, texts, strict=True):
        ((result,),) = stored(folder, f"SELECT result FROM summaries WHERE id = '{summary}'")  # noqa: S608 - our own id
        quotes = [quote for point in json.loads(str(result))["key_points"] for quote in point["evidence"]]
        assert quotes
        assert all(text[quote["start"] : quote["end"]] == quote["quote"] for quote in quotes)


@contextmanager
def purging(folder: Path, fail: Fail | None = None) -> Iterator[Life]:
    """`precis purge`, where texts go on completion."""
    environ = settings(folder / "precis.db", documents_days=0)
    with life(local(["purge"], fail), environ, folder.with_name(f"{folder.name}-purge.log")) as one:
        yield one


@pytest.mark.parametrize("point", ["before_end", "after_end"])
def test_a_text_that_goes_on_completion_is_gone_after_a_death_over_it(folder: Path, point: str) -> None:
    """Whether or not the end was committed: it is made up for, and then the text is in no file."""
    with serving(folder, Fail(point, 1), documents_days=0) as (died, client):
        with pytest.raises(httpx.TransportError):
            posted(client)
        assert died.process.wait(60) == -9
    ((summary,),) = stored(folder, "SELECT id FROM summaries")
    with serving(folder, documents_days=0) as (_, client):
        assert finished(client, str(summary))["status"] == "succeeded"
        assert client.get(f"/v1/summaries/{summary}/documents/d1").status_code == 410
        assert on_disk(folder, TEXT) == []


# --- cancellations ---------------------------------------------------------------------------------------------------


def test_a_cancellation_that_died_is_made_at_the_next_start(folder: Path) -> None:
    """What was to be cancelled is not worked on again, and a call that was under way is left at that."""
    journal = folder.with_name("calls")
    with endpoint(journal, seed=1, faults=0.0, delays_s=(30.0, 30.0)) as at:
        asking: dict[str, Any] = {"base_url": f"http://127.0.0.1:{at}/v1", "model": "m", "context_window": 16_000}
        with serving(folder, Fail("after_cancelling", 1), **asking) as (died, client):
            summary = posted(client, wait_s=0)
            coming = Coming(journal)
            while not coming.calls():
                assert client.get(f"/v1/summaries/{summary}").json()["status"] in ("queued", "running")
            with pytest.raises(httpx.TransportError):
                client.post(f"/v1/summaries/{summary}/cancel")
            assert died.process.wait(60) == -9
        assert stored(folder, "SELECT status FROM summaries") == [("cancelling",)]
        with serving(folder, **asking) as (_, client):
            found = finished(client, summary)
        assert (found["status"], found["result"]) == ("cancelled", None)
        assert coming.calls() == 1
    assert stored(folder, "SELECT state FROM attempts") == [("sent",)]


# --- comparisons -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fail", [Fail("after_claim", 2), Fail("after_answer", 2), Fail("before_end", 3), Fail("after_try_to_draw", 1)]
)
def test_a_comparison_that_died_midway_is_drawn_by_the_next(folder: Path, fail: Fail) -> None:
    """With all of its trials; what was answered is not asked again, and each call made twice is explained."""
    journal = folder.with_name("calls")
    asked = {"documents": [{"text": article(number)} for number in (1, 2)], "prompts": ["news@1", "news@3"]}
    with endpoint(journal, seed=1, faults=0.0) as at:
        asking: dict[str, Any] = {"base_url": f"http://127.0.0.1:{at}/v1", "model": "m", "context_window": 16_000}
        with serving(folder, fail, **asking) as (died, client):
            with pytest.raises(httpx.TransportError):
                client.post("/v1/comparisons", json=asked, headers={"Prefer": "wait=60"})
            assert died.process.wait(60) == -9
        ((made, status),) = stored(folder, "SELECT id, status FROM comparisons")
        assert status == "running"
        with serving(folder, **asking) as (_, client):
            while not (found := client.get(f"/v1/comparisons/{made}").json())["finished_at"]:
                assert found["status"] in ("queued", "running")
    assert found["status"] == "succeeded"
    assert stored(folder, "SELECT tries FROM comparisons") == [(1 + (fail.point == "after_try_to_draw"),)]
    assert [trial["failure"] for trial in found["result"]["trials"]] == [None] * 4
    calls = calls_in(journal)
    ((unanswered,),) = stored(folder, "SELECT count(*) FROM attempts WHERE state != 'answered'")
    assert len(calls) - len({call.key for call in calls}) <= int(str(unanswered))
