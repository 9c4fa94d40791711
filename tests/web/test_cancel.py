"""Cancelling a summary over HTTP: at every moment of its life, and what becomes of what was paid for."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from following import LONGEST_S, NEVER, Following, Scripted, Serve, posted
from peers import Asked, Reply, Server, delta, failing, listening
from writing import PARTS, SHORT, by_parts, stage, written

from service.adapters.store import StoredSummary
from service.core.types import Document, Options
from service.jobs import Jobs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def scripted() -> Scripted:
    """An endpoint in memory that holds whatever it is asked."""
    made = Scripted()
    made.holds = lambda _: True
    return made


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An endpoint on loopback."""
    peer = Server()
    async with listening(peer):
        yield peer


async def cancelled(client: httpx.AsyncClient, summary: str) -> dict[str, Any]:
    """The resource after it was cancelled."""
    response = await client.post(f"/v1/summaries/{summary}/cancel")
    assert response.status_code == 200, response.text
    assert "retry-after" not in response.headers
    found: dict[str, Any] = response.json()
    assert found == (await client.get(f"/v1/summaries/{summary}")).json()
    return found


def jobs_of(client: httpx.AsyncClient) -> Jobs:
    """The jobs of the application that a client is of."""
    jobs: Jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
    return jobs


def remembered(folder: Path) -> int:
    """How many completions are in the memo."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        (found,) = connection.execute("SELECT count(*) FROM completions").fetchone()
    return int(found)


# --- at every moment -------------------------------------------------------------------------------------------------


async def test_one_that_waits_for_its_turn_never_begins(serve: Serve, scripted: Scripted) -> None:
    """It is cancelled without a call, and the one before it goes on."""
    async with serve(scripted.jobs, NEVER, concurrency=1) as client:
        running = await posted(client, SHORT)
        await scripted.held.wait()
        queued = await posted(client, f"{SHORT} Again.")
        found = await cancelled(client, queued)
        assert (found["status"], found["started_at"], found["result"], found["error"]) == (
            "cancelled",
            None,
            None,
            None,
        )
        assert found["finished_at"] is not None
        scripted.opened.set()
        async with Following(client, running) as follower:
            assert (await follower.end())[-1].data["status"] == "succeeded"
        assert len(scripted.asked) == 1


async def test_one_that_runs_ends_its_calls(serve: Serve, scripted: Scripted) -> None:
    """When the answer comes, no call is under way any more."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        found = await cancelled(client, summary)
        assert scripted.ended.is_set()
        assert (found["status"], found["result"], found["error"]) == ("cancelled", None, None)
        assert found["progress"]["phase"] == "done"


@pytest.mark.enable_socket
async def test_one_that_waits_for_the_endpoint_is_cancelled(serve: Serve, server: Server) -> None:
    """It does not wait for the next attempt first, and has none ahead afterwards; its followers were told of both."""
    server.script = lambda _: failing(429, headers={"retry-after": "3000"})
    async with serve(pace=NEVER, **by_parts(server, outage_s=3600)) as client:
        summary = await posted(client, SHORT)
        async with Following(client, summary) as follower:
            told = await follower.until(lambda one: one.told[-1:] != [] and one.told[-1].data["status"] == "waiting")
            waiting = await client.get(f"/v1/summaries/{summary}")
            assert (waiting.json()["status"], waiting.headers["retry-after"]) == ("waiting", "60")
            assert waiting.json()["progress"] == told[-1].data["progress"]
            assert told[-1].data["progress"]["next_attempt_at"] is not None
            found = await cancelled(client, summary)
            last = (await follower.end())[-1]
        assert (found["status"], found["progress"]["next_attempt_at"]) == ("cancelled", None)
        assert last.data == found
        assert len(server.bodies) == 1


async def test_one_that_is_finished_stays_as_it_is(serve: Serve, scripted: Scripted) -> None:
    """Succeeded or failed: the answer is the resource, with its result or its error."""
    scripted.opened.set()
    async with serve(scripted.jobs, NEVER) as client:
        good = await posted(client, SHORT)
        async with Following(client, good) as follower:
            before = (await follower.end())[-1].data
        assert await cancelled(client, good) == before
        scripted.answer = lambda _: "no JSON"
        bad = await posted(client, f"{SHORT} Again.")
        async with Following(client, bad) as follower:
            await follower.end()
        found = await cancelled(client, bad)
        assert (found["status"], found["error"]["code"]) == ("failed", "malformed_completion")


async def test_cancelling_twice_is_cancelling_once(serve: Serve, scripted: Scripted) -> None:
    """One after the other and ten at once: every answer is the same cancelled summary."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cancelled(client, summary)) for _ in range(10)]
        first = tasks[0].result()
        assert first["status"] == "cancelled"
        assert all(task.result() == first for task in tasks)
        assert await cancelled(client, summary) == first


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 8, 16, 32, 64, 128])
async def test_cancelling_while_it_finishes_gives_one_end(serve: Serve, scripted: Scripted, steps: int) -> None:
    """Whichever comes first: with a result where it succeeded, without one where not, the same for all and for good."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        async with Following(client, summary) as follower:
            scripted.opened.set()
            await follower.until(lambda one: one.told[-1:] != [] and '"finishing"' in one.raw.decode())
            for _ in range(steps):
                await asyncio.to_thread(int)
            found = await cancelled(client, summary)
            last = (await follower.end())[-1]
        assert found["status"] in ("succeeded", "cancelled")
        assert (found["result"] is None) == (found["status"] == "cancelled")
        assert (last.kind, last.data) == ("summary", found)
        async with asyncio.timeout(LONGEST_S):
            await jobs_of(client).close(drain_s=LONGEST_S)
        assert (await client.get(f"/v1/summaries/{summary}")).json() == found


@pytest.mark.parametrize("first", ["the end", "the cancelling"])
async def test_what_is_committed_first_counts(serve: Serve, scripted: Scripted, first: str) -> None:
    """A result that stands before it is cancelled stays; one that comes after that is not taken."""
    async with serve(scripted.jobs, NEVER) as client:
        jobs = jobs_of(client)
        store, finish, cancelling = jobs.store, jobs.store.finish, jobs.store.cancelling
        moved = asyncio.Event()

        async def finishing(tenant: str, summary: str, **given: Any) -> bool:
            if first == "the cancelling" and given["status"] == "succeeded":
                await asyncio.shield(moved.wait())
            taken: bool = await finish(tenant, summary, **given)
            if first == "the end":
                moved.set()
            return taken

        async def marking(tenant: str, summary: str) -> bool:
            if first == "the end":
                await moved.wait()
            marked: bool = await cancelling(tenant, summary)
            moved.set()
            return marked

        store.finish, store.cancelling = finishing, marking  # type: ignore[method-assign]
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        scripted.opened.set()
        found = await cancelled(client, summary)
        assert found["status"] == ("succeeded" if first == "the end" else "cancelled")
        assert (found["result"] is None) == (first == "the cancelling")


async def test_one_that_just_got_its_turn_is_cancelled(serve: Serve, scripted: Scripted) -> None:
    """Before its work has taken a single step."""
    async with serve(scripted.jobs, NEVER) as client:
        jobs = jobs_of(client)
        made = await jobs.submit("local", [Document(id="d1", text=SHORT)], Options())
        follower = jobs.events.follow("local", made.id)
        assert (await jobs.cancel("local", made.id)).status == "cancelled"
        assert scripted.asked == []
        assert follower is not None
        follower.take()
        assert follower.is_done


async def test_what_is_not_there_cannot_be_cancelled(client: httpx.AsyncClient) -> None:
    """404, as a problem; and a GET is no way to cancel."""
    response = await client.post("/v1/summaries/sum_nothing/cancel")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert (await client.get("/v1/summaries/sum_nothing/cancel")).status_code == 405


# --- who sees it -----------------------------------------------------------------------------------------------------


async def test_a_cancelled_summary_is_listed_as_such(serve: Serve, scripted: Scripted) -> None:
    """Among all, and by its status; the other new statuses are known to the filter too."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await cancelled(client, summary)
        for query, there in (
            ("", True),
            ("?status=cancelled", True),
            ("?status=waiting", False),
            ("?status=cancelling", False),
        ):
            listed = (await client.get(f"/v1/summaries{query}")).json()["data"]
            assert [one["id"] for one in listed] == [summary] * there
            assert all(one["progress"] is None for one in listed)


async def test_whoever_waits_or_follows_is_told(serve: Serve, scripted: Scripted) -> None:
    """The POST that waits is answered with 201, the follower gets the summary as the last event."""
    async with serve(scripted.jobs, NEVER) as client:
        body = {"documents": [{"text": SHORT}]}
        waiting = asyncio.create_task(client.post("/v1/summaries", json=body, headers={"Prefer": "wait=30"}))
        await scripted.held.wait()
        (listed,) = (await client.get("/v1/summaries?status=running")).json()["data"]
        async with Following(client, listed["id"]) as follower:
            await follower.until(lambda one: len(one.told) == 1)
            await cancelled(client, listed["id"])
            last = (await follower.end())[-1]
        answered = await waiting
        assert (answered.status_code, answered.json()["status"]) == (201, "cancelled")
        assert (last.kind, last.data) == ("summary", answered.json())


async def test_cancelling_gives_every_representation(serve: Serve, scripted: Scripted) -> None:
    """By Accept, as GET does; a form that is not there is refused before anything is cancelled."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        where = f"/v1/summaries/{summary}/cancel"
        assert (await client.post(where, headers={"Accept": "image/png"})).status_code == 406
        assert (await client.get(f"/v1/summaries/{summary}")).json()["status"] in ("queued", "running")
        assert (
            await client.post(where, headers={"Accept": "text/markdown"})
        ).text == f"Summary {summary} is cancelled\n"


# --- what was paid for -----------------------------------------------------------------------------------------------


async def test_answers_before_the_end_are_kept_and_not_paid_again(
    serve: Serve, scripted: Scripted, tmp_path: Path
) -> None:
    """The parts that were read before it was cancelled are remembered: asked anew, only the rest is sent."""
    scripted.holds = lambda asked: stage(asked) == "merge"
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        await scripted.held.wait()
        await cancelled(client, summary)
        parts = len(scripted.asked) - 1
        assert remembered(tmp_path) == parts >= 3
        scripted.opened.set()
        again = await posted(client, PARTS)
        async with Following(client, again) as follower:
            assert (await follower.end())[-1].data["status"] == "succeeded"
        assert [stage(asked) for asked in scripted.asked[parts:]] == ["merge", "merge"]


async def test_a_late_answer_is_kept_in_the_memo_and_not_in_the_result(
    serve: Serve, scripted: Scripted, tmp_path: Path
) -> None:
    """Cancelled by another process, so that the call goes on: its answer is remembered, the summary is not made."""
    async with serve(scripted.jobs, NEVER) as client:
        jobs = jobs_of(client)
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        await jobs.store.cancelling("local", summary)
        await jobs.store.finish("local", summary, status="cancelled", at=NOON)
        scripted.opened.set()
        async with asyncio.timeout(LONGEST_S):
            await jobs.close(drain_s=LONGEST_S)
        found = (await client.get(f"/v1/summaries/{summary}")).json()
        assert (found["status"], found["result"]) == ("cancelled", None)
        assert remembered(tmp_path) == 1


@pytest.mark.enable_socket
@pytest.mark.parametrize("chunks", [[], [delta('{"headline": "')]], ids=["before a word", "in mid-stream"])
async def test_cancelling_closes_the_connection_to_the_endpoint(
    serve: Serve, server: Server, chunks: list[bytes]
) -> None:
    """While the endpoint has not answered yet, and while it streams: it sees its client go, and is not asked again."""
    streaming = {"content-type": "text/event-stream"}
    server.script = lambda _: Reply(headers=streaming, chunks=chunks, end="hang")
    async with serve(**by_parts(server, attempts=4)) as client:
        summary = await posted(client, SHORT)
        await server.arrived.wait()
        assert (await cancelled(client, summary))["status"] == "cancelled"
        async with asyncio.timeout(LONGEST_S):
            await server.gone.wait()
        assert len(server.bodies) == 1
        # the next one has a free slot, and a connection of its own
        server.script = written
        other = await posted(client, f"{SHORT} Again.")
        async with Following(client, other) as follower:
            assert (await follower.end())[-1].data["status"] == "succeeded"


@pytest.mark.enable_socket
async def test_cancelling_one_leaves_the_others_calls_alone(serve: Serve, server: Server) -> None:
    """Of two that ask the same at once, the other asks itself when the first is cancelled."""
    replies = [Reply(headers={"content-type": "text/event-stream"}, chunks=[delta("{")], end="hang")]

    def script(asked: Asked) -> Reply:
        return replies.pop() if replies else written(asked)

    server.script = script
    async with serve(**by_parts(server)) as client:
        first = await posted(client, SHORT)
        await server.arrived.wait()
        second = await posted(client, SHORT)
        await cancelled(client, first)
        async with Following(client, second) as follower:
            assert (await follower.end())[-1].data["status"] == "succeeded"
        assert len(server.bodies) == 2


async def test_a_cancelled_summary_can_be_deleted(serve: Serve, scripted: Scripted) -> None:
    """As any other."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await cancelled(client, summary)
        assert (await client.delete(f"/v1/summaries/{summary}")).status_code == 204
        assert (await client.post(f"/v1/summaries/{summary}/cancel")).status_code == 404


async def test_what_was_to_be_cancelled_at_a_crash_is_cancelled_at_the_next_start(
    serve: Serve, scripted: Scripted
) -> None:
    """It is not worked on again."""
    async with serve(scripted.jobs, NEVER) as client:
        jobs = jobs_of(client)
        row = StoredSummary(tenant="local", id="sum_left", status="cancelling", options=Options(), created_at=NOON)
        await jobs.store.add(row, [Document(id="d1", text=SHORT)])
        await jobs.resume()
        assert (await jobs.wait("local", row.id, wait_s=LONGEST_S)).status == "cancelled"
        assert scripted.asked == []
