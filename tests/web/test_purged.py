"""What becomes of texts and summaries after their time, as a caller sees it."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from following import Scripted
from troubles import LONGEST_S

from service.core.types import Document, Options
from service.jobs import AS_CONFIGURED, Jobs
from service.jobs.retention import purge
from service.rendering.comparison.phrases import NO_TEXT

ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday. "
UNQUOTED = " It is a-secret-word-that-nobody-quotes. "
MANY = "".join(f"On day {n} the council of town {n} voted to close bridge {n * 7}. " for n in range(1, 13)) + UNQUOTED
"""More than a model makes points of."""
PLAIN = {"Content-Type": "text/plain"}
WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
FORMS = ("application/json", "text/html", "text/markdown", "text/csv", "application/xml")

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


async def at_once(_seconds: float) -> None:
    """Wait for nothing."""


def jobs_of(client: httpx.AsyncClient) -> Jobs:
    """The jobs of the application that a client is of."""
    jobs: Jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
    return jobs


async def later(client: httpx.AsyncClient, by: timedelta) -> None:
    """Remove what is due after so much time."""
    jobs = jobs_of(client)
    await purge(jobs.store, jobs.keep, now=datetime.now(UTC) + by, sleep=at_once)


async def made(client: httpx.AsyncClient, text: str = ARTICLE) -> dict[str, Any]:
    """A summary that is finished."""
    response = await client.post("/v1/summaries", content=text.encode(), headers=PLAIN)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def holds(folder: Path, words: str) -> bool:
    """Search the bytes of the database, its log and what stands beside them."""
    return any(words.encode() in file.read_bytes() for file in folder.iterdir() if file.is_file())


async def gone(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The problem that says that a text is gone."""
    response = await client.get(path)
    assert response.status_code == 410, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert (found["code"], found["status"]) == ("documents_purged", 410)
    return found


async def test_a_text_after_its_time_is_410_and_says_since_when(serve: Serve) -> None:
    """And what to do; a document that never was is 404, as before."""
    async with serve() as client:
        summary = await made(client)
        at = f"/v1/summaries/{summary['id']}"
        assert (await client.get(f"{at}/documents/d1")).text == ARTICLE
        await later(client, WEEK)
        detail = (await gone(client, f"{at}/documents/d1"))["detail"]
        assert f"deleted at {datetime.now(UTC) + WEEK:%Y-%m-%dT%H:}" in detail
        for part in ("'d1'", "PRECIS_DOCUMENTS_DAYS", "keeps its quotes", "send the document again"):
            assert part in detail
        assert (await client.get(f"{at}/documents/d2")).status_code == 404
        assert (await client.get("/v1/summaries/sum_none/documents/d1")).status_code == 404


async def test_a_summary_whose_text_is_gone_keeps_its_quotes_in_every_form(serve: Serve) -> None:
    """The resource is what it was; page and Markdown show the quotes, and the page says that the text is gone."""
    async with serve() as client:
        summary = await made(client)
        at = f"/v1/summaries/{summary['id']}"
        quotes = [evidence["quote"] for point in summary["result"]["key_points"] for evidence in point["evidence"]]
        assert quotes
        await later(client, WEEK)
        assert (await client.get(at)).json() == summary
        for accept in ("text/html", "text/markdown"):
            shown = await client.get(at, headers={"Accept": accept})
            assert shown.status_code == 200
            assert all(quote in shown.text for quote in quotes)
        assert "it is gone or too long" in (await client.get(at, headers={"Accept": "text/html"})).text
        assert (await client.delete(at)).status_code == 204


async def test_a_summary_says_when_it_expires_and_is_gone_then(serve: Serve) -> None:
    """From the moment in which it is finished."""
    async with serve() as client:
        summary = await made(client)
        finished = datetime.fromisoformat(summary["finished_at"])
        assert datetime.fromisoformat(summary["expires_at"]) == finished + MONTH
        await later(client, MONTH)
        assert (await client.get(f"/v1/summaries/{summary['id']}")).status_code == 404
        assert (await client.get("/v1/summaries")).json()["data"] == []


async def test_a_text_that_is_not_kept_is_gone_when_the_answer_is_there(serve: Serve, tmp_path: Path) -> None:
    """Not a word of it is in the files beside what the summary quotes."""
    async with serve(documents_days=0) as client:
        summary = await made(client, ARTICLE * 3 + UNQUOTED)
        await gone(client, f"/v1/summaries/{summary['id']}/documents/d1")
        assert UNQUOTED.strip() not in str(summary)
        assert not holds(tmp_path, UNQUOTED.strip())


async def test_texts_and_summaries_may_be_kept_for_ever(serve: Serve) -> None:
    """Nothing expires then, and the resource says so."""
    async with serve(documents_days="never", results_days="never") as client:
        summary = await made(client)
        assert summary["expires_at"] is None
        await later(client, timedelta(days=100_000))
        assert (await client.get(f"/v1/summaries/{summary['id']}/documents/d1")).text == ARTICLE


async def test_deleting_leaves_no_byte_of_a_text(serve: Serve, tmp_path: Path) -> None:
    """Of a summary by a model: its answers quote the text, and are in no table and no log any more."""
    scripted = Scripted()
    async with serve(scripted.jobs) as client:
        summary = await made(client, ARTICLE + UNQUOTED)
        words = (ARTICLE[:30], UNQUOTED.strip())
        assert [holds(tmp_path, one) for one in words] == [True, True]
        assert (await client.delete(f"/v1/summaries/{summary['id']}")).status_code == 204
        assert [holds(tmp_path, one) for one in words] == [False, False]


async def test_a_comparison_whose_texts_are_gone_says_so(serve: Serve) -> None:
    """Its page is drawn without them, its other forms are as they were, and its trials are as any summary."""
    scripted = Scripted()
    async with serve(scripted.jobs) as client:
        body = {"documents": [{"text": MANY}], "prompts": ["news@1", "news@2"]}
        response = await client.post("/v1/comparisons", json=body)
        assert response.status_code == 201, response.text
        at = response.headers["location"]
        before = {accept: (await client.get(at, headers={"Accept": accept})).text for accept in FORMS}
        assert UNQUOTED.strip() in before["text/html"]
        await later(client, WEEK)
        after = {accept: (await client.get(at, headers={"Accept": accept})).text for accept in FORMS}
        assert UNQUOTED.strip() not in after["text/html"]
        assert NO_TEXT in after["text/html"]
        assert {accept for accept in FORMS if after[accept] != before[accept]} == {"text/html"}
        trial = response.json()["result"]["trials"][0]["summary"]
        await gone(client, f"/v1/summaries/{trial}/documents/d1")
        await later(client, MONTH)
        for path in (at, f"/v1/summaries/{trial}"):
            assert (await client.get(path)).status_code == 404


async def test_summaries_whose_texts_are_gone_can_still_be_compared(serve: Serve) -> None:
    """By what they quote; what needs the text is left out."""
    scripted = Scripted()
    async with serve(scripted.jobs) as client:
        ids = []
        for prompt in ("news@1", "news@2"):
            body = {"documents": [{"text": MANY}], "prompt": prompt}
            response = await client.post("/v1/summaries", json=body)
            ids.append(response.json()["id"])
        await later(client, WEEK)
        response = await client.post("/v1/comparisons", json={"summaries": ids})
        assert (response.status_code, response.json()["status"]) == (201, "succeeded"), response.text
        assert '"strips":[{"document"' not in response.text
        page = await client.get(response.headers["location"], headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert NO_TEXT in page.text


async def test_a_comparison_whose_texts_are_not_kept_is_drawn_from_them_first(serve: Serve, tmp_path: Path) -> None:
    """They stay until it is finished, and not longer."""
    scripted = Scripted()
    async with serve(scripted.jobs, documents_days=0) as client:
        body = {"documents": [{"text": MANY}], "prompts": ["news@1", "news@2"]}
        response = await client.post("/v1/comparisons", json=body)
        assert response.json()["status"] == "succeeded"
        assert '"strips":[{"document"' in response.text
        page = await client.get(response.headers["location"], headers={"Accept": "text/html"})
        assert NO_TEXT in page.text
        assert not holds(tmp_path, UNQUOTED.strip())


class Clockwork:
    """In place of sleeps: those of seconds and more go on when the test says so, and shorter ones at once."""

    def __init__(self) -> None:
        self._begun: dict[float, asyncio.Event] = defaultdict(asyncio.Event)
        self._over: dict[float, asyncio.Event] = defaultdict(asyncio.Event)

    async def __call__(self, wait_s: float) -> None:
        """Wait until the test goes on."""
        if wait_s >= 1:
            self._begun[wait_s].set()
            await self._over[wait_s].wait()

    async def until(self, wait_s: float) -> None:
        """Return when somebody waits for so long."""
        async with asyncio.timeout(LONGEST_S):
            await self._begun[wait_s].wait()

    def over(self, wait_s: float) -> None:
        """Let those go on who wait for so long."""
        del self._begun[wait_s]
        self._over.pop(wait_s).set()


async def test_a_server_removes_what_is_due_a_minute_after_its_start_and_then_every_hour(serve: Serve) -> None:
    """By itself: a text that was due is gone after the first look, another after the next."""
    clockwork = Clockwork()
    async with serve(sleep=clockwork, documents_days=1e-9) as client:
        for wait_s in (60, 3600):
            await clockwork.until(wait_s)
            summary = await made(client)
            path = f"/v1/summaries/{summary['id']}/documents/d1"
            assert (await client.get(path)).status_code == 200
            clockwork.over(wait_s)
            await clockwork.until(3600)
            await gone(client, path)


async def test_what_a_command_left_beside_the_server_is_taken_up(serve: Serve, tmp_path: Path) -> None:
    """Its row is nobody's when its process is gone, and the server looks for such every minute."""
    clockwork = Clockwork()
    async with serve(sleep=clockwork) as client:
        jobs = jobs_of(client)
        row = jobs.accepted("local", Options(), AS_CONFIGURED)
        await jobs.store.add(row, [Document(id="d1", text=ARTICLE)])
        with closing(sqlite3.connect(tmp_path / "precis.db")) as connection:
            connection.execute("UPDATE summaries SET owner = '1-dead'")
            connection.commit()
        bell = jobs.bell
        await clockwork.until(60)
        clockwork.over(60)
        async with asyncio.timeout(LONGEST_S):
            while not (found := await jobs.get("local", row.id)).finished_at:
                await bell.wait()
                bell = jobs.bell
        assert found.status == "succeeded"
