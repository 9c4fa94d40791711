"""A bad day of the store over HTTP: what is refused, what is still given, and that it goes on afterwards."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from troubles import Disk, Pages, Waits, beside, gone, impatient, locked, opening, small_disk

from service.adapters.store import BatchStore
from service.pipeline import Tools

ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday. "
PLAIN = {"Content-Type": "text/plain"}

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def waits() -> Waits:
    """In place of the waits of the service."""
    return Waits()


@pytest.fixture(params=["pages", "disk"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, require: Callable[[str, str], None]) -> Iterator[Disk]:
    """A disk that can be filled: by a bound on the pages of the database, and a real one."""
    if request.param == "pages":
        yield Pages(tmp_path)
    else:
        with small_disk(tmp_path / "disk", require) as mounted:
            yield mounted


async def post(client: httpx.AsyncClient, text: str = ARTICLE) -> httpx.Response:
    """Ask for a summary."""
    return await client.post("/v1/summaries", content=text.encode(), headers=PLAIN)


async def state(client: httpx.AsyncClient) -> tuple[int, int]:
    """Whether the process answers, and whether it is ready."""
    return (await client.get("/health")).status_code, (await client.get("/ready")).status_code


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a response is a problem; gives it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert (found["status"], found["code"]) == (status, code)
    return found


async def test_a_full_disk_is_507_and_what_is_there_can_be_read(
    serve: Serve, disk: Disk, waits: Waits, tools: Tools
) -> None:
    """New work is refused with what to do; summaries, texts and listings are given; with space again, all goes on."""
    open_jobs = opening(tools, watch=disk.watch, waits=waits)
    url = f"sqlite:///{disk.folder}/precis.db"
    async with serve(open_jobs, database_url=url) as client:
        made = (await post(client)).json()
        assert await state(client) == (200, 200)
        disk.fill()
        refused = await post(client, ARTICLE * 1000)
        said = problem(refused, 507, "store_full")
        assert "Free space on its disk" in said["detail"]
        assert ARTICLE[:20] not in refused.text
        assert await state(client) == (200, 507)
        assert "full" in problem(await client.get("/ready"), 507, "store_full")["detail"]
        shown = await client.get(f"/v1/summaries/{made['id']}")
        assert (shown.status_code, shown.json()) == (200, made)
        assert (await client.get(f"/v1/summaries/{made['id']}/documents/d1")).text == ARTICLE
        assert [one["id"] for one in (await client.get("/v1/summaries")).json()["data"]] == [made["id"]]
        disk.free()
        assert await state(client) == (200, 200)
        assert (await post(client, ARTICLE * 100)).status_code == 201
        assert (await client.delete(f"/v1/summaries/{made['id']}")).status_code == 204


async def test_a_full_disk_is_noticed_to_be_free_again_without_a_request(
    serve: Serve, disk: Disk, waits: Waits, tools: Tools
) -> None:
    """Being asked whether it is ready is enough; what it tries leaves no trace."""
    open_jobs = opening(tools, watch=disk.watch, waits=waits)
    async with serve(open_jobs, database_url=f"sqlite:///{disk.folder}/precis.db") as client:
        disk.fill()
        assert (await post(client, ARTICLE * 1000)).status_code == 507
        assert [await state(client) for _ in range(2)] == [(200, 507)] * 2
        disk.free()
        assert [await state(client) for _ in range(2)] == [(200, 200)] * 2


async def test_a_locked_database_is_503_and_what_is_there_can_be_read(
    serve: Serve, tmp_path: Path, waits: Waits, tools: Tools
) -> None:
    """With Retry-After; the process is alive and not ready, and is again when the lock is gone."""
    async with serve(opening(tools, watch=impatient, waits=waits)) as client:
        made = (await post(client)).json()
        async with beside(locked(tmp_path / "precis.db")):
            refused = await post(client)
            assert "locked" in problem(refused, 503, "store_unavailable")["detail"]
            assert int(refused.headers["retry-after"]) > 0
            assert await state(client) == (200, 503)
            assert (await client.get(f"/v1/summaries/{made['id']}")).json() == made
        assert await state(client) == (200, 200)
        assert (await post(client)).status_code == 201


async def test_a_batch_whose_deletion_a_lock_breaks_off_is_503_once_and_then_gone(
    serve: Serve, tmp_path: Path, waits: Waits, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not found from then on; once the lock is gone it is removed by itself, and its key is free."""
    lock, mark = locked(tmp_path / "precis.db"), BatchStore.deleting

    async def marked(store: BatchStore, tenant: str, batch: str) -> bool:
        done = await mark(store, tenant, batch)
        await asyncio.to_thread(lock.__enter__)
        return done

    async def send() -> httpx.Response:
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "k"}
        return await client.post(
            "/v1/batches", content=json.dumps({"documents": [{"text": ARTICLE}]}).encode(), headers=headers
        )

    async with serve(opening(tools, watch=impatient, waits=waits)) as client:
        made = (await send()).json()
        url = f"/v1/batches/{made['id']}"
        await client.get(f"{url}/results")
        with monkeypatch.context() as patched:
            patched.setattr(BatchStore, "deleting", marked)
            problem(await client.delete(url), 503, "store_unavailable")
        await waits.until_begun()
        problem(await client.get(url), 404, "not_found")
        await asyncio.to_thread(lock.__exit__, None, None, None)
        problem(await client.delete(url), 404, "not_found")
        clearing = [task for task in asyncio.all_tasks() if task.get_name() == "half-done batches"]
        waits.over.set()
        await asyncio.gather(*clearing)
        again = await send()
        assert (again.status_code, again.json()["id"] != made["id"]) == (201, True)


async def test_a_database_that_is_gone_is_503_until_it_is_back(
    serve: Serve, tmp_path: Path, waits: Waits, tools: Tools
) -> None:
    """Nothing is read from or written to a file that nobody will find; the one that comes back has all it had."""
    async with serve(opening(tools, watch=impatient, waits=waits)) as client:
        made = (await post(client)).json()
        with gone(tmp_path / "precis.db"):
            for response in (await post(client), await client.get(f"/v1/summaries/{made['id']}")):
                problem(response, 503, "store_unavailable")
                assert int(response.headers["retry-after"]) > 0
            assert await state(client) == (200, 503)
        assert await state(client) == (200, 200)
        assert (await client.get(f"/v1/summaries/{made['id']}")).json() == made
        assert (await post(client)).status_code == 201


async def test_another_file_in_its_place_is_503_and_is_left_alone(
    serve: Serve, tmp_path: Path, waits: Waits, tools: Tools
) -> None:
    """SQLite would go on writing into the file that it had opened, which nobody sees any more."""
    path = tmp_path / "precis.db"
    async with serve(opening(tools, watch=impatient, waits=waits)) as client:
        await post(client)
        with _replaced(path):
            assert "Restart" in problem(await post(client), 503, "store_unavailable")["detail"]
            assert await state(client) == (200, 503)
            assert path.read_bytes() == b""
        assert (await post(client)).status_code == 201


@contextmanager
def _replaced(path: Path) -> Iterator[None]:
    with gone(path):
        path.touch()
        yield
        path.unlink()
