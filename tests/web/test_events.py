"""A summary followed over HTTP while a model writes it: what is told, to whom, and what it costs the others."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from following import LONGEST_S, NEVER, Following, Scripted, Serve, Told, comments, parsed, posted
from peers import Asked, Reply, Server, delta
from writing import PARTS, SHORT, beside, by_parts, is_numbered, stage

from service.adapters.store import StoredSummary
from service.cli.serve import listen
from service.core.types import Conditions, Document, Options
from service.rendering.resource import Problem
from service.settings import Settings
from service.web.app import create_app
from service.web.events import Pace, _written

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUICK = Pace(heartbeat_s=0.01, poll_s=0.01)
CROWD = 1_000


def is_merge(asked: Asked) -> bool:
    """Whether a request is the last."""
    return stage(asked) == "merge"


def everything(_: Asked) -> bool:
    """Whatever is asked."""
    return True


@pytest.fixture
def scripted() -> Scripted:
    """An endpoint in memory that holds nothing."""
    return Scripted()


def ids_of_points(told: list[Told]) -> list[str]:
    """The points that were told, in order."""
    return [point["id"] for one in told if one.kind == "points" for point in one.data["points"]]


def has_points(follower: Following) -> bool:
    """Whether a follower was told points."""
    return "points" in follower.kinds()


async def finished(client: httpx.AsyncClient, summary: str) -> dict[str, object]:
    """A summary when it is finished."""
    async with Following(client, summary) as follower:
        await follower.end()
    found: dict[str, object] = (await client.get(f"/v1/summaries/{summary}")).json()
    return found


# --- what is told ----------------------------------------------------------------------------------------------------


async def test_the_first_byte_comes_at_once(serve: Serve, scripted: Scripted) -> None:
    """While the endpoint has not said a word: that it is connected, when to come back, and how things stand."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        async with Following(client, summary) as follower:
            (first,) = await follower.until(lambda one: len(one.told) == 1)
            assert follower.status == 200
            assert follower.headers["content-type"].startswith("text/event-stream")
            assert follower.headers["cache-control"] == "no-store"
            assert follower.headers["x-accel-buffering"] == "no"
            assert "content-length" not in follower.headers
            assert follower.raw.startswith(b"retry: 2000\n\n")
            assert (first.kind, first.data["status"]) == ("progress", "running")
            assert first.data["progress"]["total"] == 1


async def test_progress_counts_every_part(serve: Serve, scripted: Scripted) -> None:
    """Its numbers never fall, each part is counted once, and at the end all of them are."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        async with Following(client, summary) as follower:
            await scripted.held.wait()
            scripted.opened.set()
            told = await follower.end()
    progress = [one.data["progress"] for one in told if one.kind == "progress"]
    parts = sum(stage(asked) == "map" for asked in scripted.asked)
    assert parts >= 3
    done = [one["completed"] for one in progress if one["phase"] == "drafting"]
    assert sorted(set(done)) == list(range(parts + 1))
    for name in ("total", "completed", "failed", "tokens"):
        assert [one[name] for one in progress] == sorted(one[name] for one in progress)
    assert list(dict.fromkeys(one["phase"] for one in progress)) in (
        ["reading", "drafting", "merging", "finishing"],
        ["queued", "reading", "drafting", "merging", "finishing"],
    )
    last = progress[-1]
    assert (last["total"], last["completed"], last["failed"]) == (parts, parts, 0)
    usage = told[-1].data["result"]["usage"]
    assert last["tokens"] == usage["estimated_prompt_tokens"] + usage["estimated_completion_tokens"]
    assert last["cost"] == usage["cost"] == told[-1].data["progress"]["cost"]


async def test_a_part_that_failed_is_counted_as_such(serve: Serve, scripted: Scripted) -> None:
    """The others are completed, and the summary is partial."""
    scripted.answer = lambda asked: "no JSON" if is_numbered(2, asked) else Scripted().answer(asked)
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        async with Following(client, summary) as follower:
            told = await follower.end()
    last = [one for one in told if one.kind == "progress"][-1].data["progress"]
    assert (told[-1].data["status"], last["failed"]) == ("partial", 1)
    assert last["completed"] + last["failed"] == last["total"]


async def test_points_come_before_the_summary_is_finished(serve: Serve, scripted: Scripted) -> None:
    """They are the source's own words at their offsets, marked as provisional, while the merge is not answered yet."""
    scripted.holds = is_merge
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        async with Following(client, summary) as follower:
            await scripted.held.wait()
            told = await follower.until(has_points)
            assert (await client.get(f"/v1/summaries/{summary}")).json()["status"] == "running"
            assert "summary" not in follower.kinds()
            scripted.opened.set()
            final = (await follower.end())[-1]
    points = [one for one in told if one.kind == "points"]
    assert all(one.data["provisional"] is True for one in points)
    for one in points:
        for point in one.data["points"]:
            assert point["evidence"]
            for place in point["evidence"]:
                assert PARTS[place["start"] : place["end"]] == place["quote"]
    assert len(set(ids_of_points(told))) == len(ids_of_points(told)) > 3
    assert final.data["status"] == "succeeded"


async def test_the_last_event_is_the_resource(serve: Serve, scripted: Scripted) -> None:
    """The same JSON as GET gives, letter for letter, once; then the stream ends."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        async with Following(client, summary) as follower:
            await follower.end()
        shown = await client.get(f"/v1/summaries/{summary}")
    assert follower.raw.endswith(b"event: summary\ndata: " + shown.content + b"\n\n")
    assert Counter(follower.kinds())["summary"] == 1
    assert shown.json()["progress"]["phase"] == "done"


async def test_every_event_has_an_id_of_its_own(serve: Serve, scripted: Scripted) -> None:
    """So that wherever a client is cut off, there is a place to go on from."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        async with Following(client, summary) as follower:
            told = await follower.end()
    assert len({one.id for one in told}) == len(told)
    assert all(one.id for one in told)


async def test_a_failure_is_the_last_event_too(serve: Serve, scripted: Scripted) -> None:
    """A summary that failed is a summary, with its error."""
    scripted.answer = lambda _: "no JSON"
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        async with Following(client, summary) as follower:
            final = (await follower.end())[-1]
    assert (final.kind, final.data["status"]) == ("summary", "failed")
    assert final.data["error"]["code"] == "malformed_completion"


async def test_an_extractive_summary_can_be_followed(serve: Serve) -> None:
    """With nothing configured there is little to tell, and it ends with the summary."""
    async with serve() as client:
        summary = await posted(client, SHORT)
        async with Following(client, summary) as follower:
            told = await follower.end()
    assert told[-1].data["result"]["engine"] == "extractive"


# --- going on --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2, 5])
async def test_last_event_id_goes_on_without_loss_or_repetition(serve: Serve, scripted: Scripted, every: int) -> None:
    """Cut off again and again, a client has in the end what one has who was never cut off."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        await scripted.held.wait()
        async with Following(client, summary) as whole:
            got = (await whole.until(lambda one: len(one.told) >= 1))[:1]
            scripted.opened.set()
            while got[-1].kind != "summary":
                async with Following(client, summary, after=got[-1].id) as follower:
                    got += (await follower.until(lambda one: len(one.told) >= every or one.ended))[:every]
            told = await whole.end()
    assert got == told


async def test_an_unknown_id_is_told_how_things_stand(serve: Serve, scripted: Scripted) -> None:
    """Of another summary, another process or nonsense: the progress first, every point so far, and then it goes on."""
    scripted.holds = is_merge
    async with serve(scripted.jobs, NEVER) as client:
        first = await posted(client, PARTS)
        second = await posted(client, PARTS[:9_000])
        async with Following(client, first) as whole, Following(client, second) as other:
            await whole.until(has_points)
            foreign = (await other.until(has_points))[-1].id
            for after in (foreign, "00000000.5", "nonsense", "", "x" * 10_000):
                async with Following(client, first, after=after) as follower:
                    told = await follower.until(has_points)
                    assert told[0].kind == "progress"
                    assert ids_of_points(told)[0] == "p1"
            scripted.opened.set()
            assert ids_of_points(await whole.end())[0] == "p1"


async def test_a_finished_summary_is_told_once(serve: Serve, scripted: Scripted) -> None:
    """Just its last event, whatever was seen before; and with the id of that, 204: a browser comes no more."""
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        async with Following(client, summary) as follower:
            seen = (await follower.end())[-1]
        for after in (None, "00000000.5", "nonsense"):
            async with Following(client, summary, after=after) as follower:
                assert await follower.end() == [seen]
        again = await client.get(f"/v1/summaries/{summary}/events", headers={"Last-Event-ID": seen.id})
        assert (again.status_code, again.content) == (204, b"")


# --- silence, and hanging up -----------------------------------------------------------------------------------------


async def test_silence_is_broken_by_heartbeats(serve: Serve, scripted: Scripted) -> None:
    """Comments, which are no events, as long as nothing happens."""
    scripted.holds = everything
    async with serve(scripted.jobs, QUICK) as client:
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        async with Following(client, summary) as follower:
            told = await follower.until(lambda one: comments(one.raw) >= 3)
            assert len(told) == 1
            scripted.opened.set()
            assert (await follower.end())[-1].kind == "summary"


async def test_who_hangs_up_is_forgotten_and_the_job_goes_on(serve: Serve, scripted: Scripted) -> None:
    """The application is done with them at once, in silence and while it waits for them to read."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        async with Following(client, summary) as silent, Following(client, summary) as slow:
            await silent.until(lambda one: len(one.told) == 1)
            await slow.until(lambda one: len(one.told) == 1)
            slow.reads.clear()
            await silent.hang_up()
            await slow.hang_up()
            assert silent.task is not None
            assert silent.task.done()
        scripted.opened.set()
        assert (await finished(client, summary))["status"] == "succeeded"


async def test_a_slow_follower_holds_up_nobody(serve: Serve, scripted: Scripted) -> None:
    """While they read nothing the summary is finished and others are told; later they get all that was said."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        await scripted.held.wait()
        async with Following(client, summary) as slow, Following(client, summary) as quick:
            await slow.until(lambda one: len(one.told) == 1)
            await quick.until(lambda one: len(one.told) == 1)
            slow.reads.clear()
            scripted.opened.set()
            told = await quick.end()
            assert len(slow.told) == 1
            slow.reads.set()
            assert ids_of_points(await slow.end()) == ids_of_points(told)
            assert slow.told[-1] == told[-1]


async def test_a_thousand_followers_of_one_job(serve: Serve, scripted: Scripted) -> None:
    """Every one of them gets the points and the summary, and its row is read once for all of them."""
    scripted.holds = is_merge
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        await scripted.held.wait()
        async with AsyncExitStack() as stack:
            followers = [await stack.enter_async_context(Following(client, summary)) for _ in range(CROWD)]
            for follower in followers:
                await follower.until(has_points)
            jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
            reads, get = [], jobs.get

            async def counted(tenant: str, name: str) -> StoredSummary:
                reads.append(name)
                found: StoredSummary = await get(tenant, name)
                return found

            jobs.get = counted
            scripted.opened.set()
            ends = {(await follower.end())[-1].id for follower in followers}
            points = {tuple(ids_of_points(follower.told)) for follower in followers}
    assert (len(ends), len(points)) == (1, 1)
    assert reads == [summary]


# --- deleted, unknown, elsewhere -------------------------------------------------------------------------------------


async def test_a_summary_that_is_deleted_meanwhile_is_gone(serve: Serve, scripted: Scripted) -> None:
    """While it is worked on and while it waits for its turn: the last event says so, as a problem."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER, concurrency=1) as client:
        running = await posted(client, SHORT)
        await scripted.held.wait()
        queued = await posted(client, f"{SHORT} Again.")
        for summary in (queued, running):
            async with Following(client, summary) as follower:
                await follower.until(lambda one: len(one.told) == 1)
                assert (await client.delete(f"/v1/summaries/{summary}")).status_code == 204
                last = (await follower.end())[-1]
            assert (last.kind, last.data["code"], last.data["status"]) == ("gone", "not_found", 404)
            assert (await client.get(f"/v1/summaries/{summary}/events")).status_code == 404


@pytest.mark.parametrize(("accept", "status"), [("*/*", 404), ("text/event-stream", 404), ("application/json", 406)])
async def test_what_cannot_be_followed_is_a_problem(client: httpx.AsyncClient, accept: str, status: int) -> None:
    """No such summary, or no such form of it: an object, and no stream."""
    response = await client.get("/v1/summaries/sum_nothing/events", headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


async def test_head_does_not_wait_for_the_end(serve: Serve, scripted: Scripted) -> None:
    """The headers of GET and nothing else, although the summary is under way."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, SHORT)
        async with Following(client, summary, method="HEAD") as follower:
            assert await follower.end() == []
            assert (follower.status, follower.raw) == (200, b"")
            assert follower.headers["content-type"].startswith("text/event-stream")


async def test_a_summary_that_another_process_works_on_is_followed_by_its_row(serve: Serve) -> None:
    """Every change of its status is told, also when it waits, and the last event is the same as ever."""
    async with serve(pace=QUICK) as client:
        jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
        row = StoredSummary(tenant="local", id="sum_there", status="queued", options=Options(), created_at=NOON)
        await jobs.store.add(row, [Document(id="d1", text=SHORT)])
        async with Following(client, row.id) as follower:
            await follower.until(lambda one: len(one.told) == 1)
            await jobs.store.start("local", row.id, NOON)
            await follower.until(lambda one: len(one.told) == 2)
            await jobs.store.hold("local", row.id, NOON + timedelta(minutes=5))
            await follower.until(lambda one: len(one.told) == 3 and comments(one.raw) > 0)
            await jobs.store.cancelling("local", row.id)
            await jobs.store.finish("local", row.id, status="cancelled", at=NOON)
            told = await follower.end()
    states = [one.data["status"] for one in told]
    assert [state for state in states if state != "cancelling"] == ["queued", "running", "waiting", "cancelled"]
    waiting = told[2].data["progress"]
    assert (waiting["phase"], waiting["total"]) == (None, None)
    assert waiting["next_attempt_at"] == "2026-03-01T12:05:00Z"
    assert told[-1].kind == "summary"


async def test_a_summary_that_is_taken_up_here_is_followed_here(serve: Serve, scripted: Scripted) -> None:
    """Polled at first, and then told as it happens."""
    scripted.holds = is_merge
    async with serve(scripted.jobs, QUICK) as client:
        jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
        row = jobs.accepted("local", Options(), jobs.pinned(Conditions()))
        await jobs.store.add(row, [Document(id="d1", text=PARTS)])
        async with Following(client, row.id) as follower:
            await follower.until(lambda one: len(one.told) == 1)
            await jobs.resume()
            await follower.until(has_points)
            scripted.opened.set()
            assert (await follower.end())[-1].data["status"] == "succeeded"


async def test_a_store_that_is_away_for_a_while_does_not_end_a_stream(serve: Serve, tmp_path: Path) -> None:
    """The stream goes on in silence, and ends with the summary when the store is back."""
    async with serve(pace=QUICK) as client:
        jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
        row = StoredSummary(tenant="local", id="sum_there", status="queued", options=Options(), created_at=NOON)
        await jobs.store.add(row, [Document(id="d1", text=SHORT)])
        async with Following(client, row.id) as follower:
            await follower.until(lambda one: len(one.told) == 1)
            (tmp_path / "precis.db").rename(tmp_path / "away.db")
            before = comments(follower.raw)
            await follower.until(lambda one: comments(one.raw) > before + 2)
            (tmp_path / "away.db").rename(tmp_path / "precis.db")
            await jobs.resume()
            assert (await follower.end())[-1].data["status"] == "succeeded"


async def test_a_process_that_stops_lets_its_followers_go(serve: Serve, scripted: Scripted) -> None:
    """The stream ends, and lies to nobody about the summary: it is left to the next process."""
    scripted.holds = everything
    async with serve(scripted.jobs, QUICK) as client:
        jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
        row = StoredSummary(tenant="local", id="sum_there", status="queued", options=Options(), created_at=NOON)
        await jobs.store.add(row, [Document(id="d1", text=SHORT)])
        summary = await posted(client, SHORT)
        await scripted.held.wait()
        async with Following(client, summary) as here, Following(client, row.id) as elsewhere:
            for follower in (here, elsewhere):
                await follower.until(lambda one: len(one.told) == 1)
            await jobs.close(drain_s=0)
            for follower in (here, elsewhere):
                assert {one.kind for one in await follower.end()} == {"progress"}
        assert (await client.get(f"/v1/summaries/{summary}")).json()["status"] == "queued"
        async with Following(client, summary) as late:
            assert await late.end() == []


async def test_nothing_is_kept_of_what_has_ended(serve: Serve, scripted: Scripted) -> None:
    """Finished, failed, cancelled or deleted, worked on or in the queue: the events go with the job."""
    scripted.holds = everything
    async with serve(scripted.jobs, NEVER, concurrency=1) as client:
        jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
        made = [await posted(client, f"{SHORT} {number}.") for number in range(6)]
        await scripted.held.wait()
        assert len(jobs.events._logs) == 6
        for summary in (made[0], made[3]):
            assert (await client.post(f"/v1/summaries/{summary}/cancel")).is_success
        for summary in (made[1], made[4]):
            assert (await client.delete(f"/v1/summaries/{summary}")).is_success
        assert jobs.events._logs.keys() == {("local", made[2]), ("local", made[5])}
        scripted.opened.set()
        for summary in (made[2], made[5]):
            await finished(client, summary)
        assert jobs.events._logs == {}


# --- over a real socket ----------------------------------------------------------------------------------------------


@pytest.mark.enable_socket
async def test_bytes_come_as_they_are_made(tmp_path: Path, scripted: Scripted) -> None:
    """Through uvicorn and a socket: points are read by the client while the endpoint still holds the last answer."""
    scripted.holds = is_merge
    settings = Settings(database_url=f"sqlite:///{tmp_path}/precis.db")
    with listen("127.0.0.1", 0) as listening:
        config = uvicorn.Config(
            create_app(settings, open_jobs=scripted.jobs, pace=Pace(heartbeat_s=0.01)), log_config=None, lifespan="on"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address, timeout=LONGEST_S) as client:
            summary = await posted(client, PARTS)
            raw = b""
            async with client.stream("GET", f"/v1/summaries/{summary}/events") as response:
                assert response.headers["transfer-encoding"] == "chunked"
                pieces = response.aiter_raw()
                raw = await read_until(pieces, raw, b"event: points")
                await scripted.held.wait()
                raw += await read_until(pieces, b"", b": alive")
                assert b"event: summary" not in raw
                scripted.opened.set()
                async for piece in pieces:
                    raw += piece
            told = list(parsed(raw))
            assert told[-1].data == (await client.get(f"/v1/summaries/{summary}")).json()
            # a client who leaves in mid-stream is not waited for when the service stops
            scripted.holds, scripted.opened = everything, asyncio.Event()
            other = await posted(client, f"{SHORT} Again.")
            async with client.stream("GET", f"/v1/summaries/{other}/events") as response:
                await read_until(response.aiter_raw(), b"", b"event: progress")
        server.should_exit = True
        async with asyncio.timeout(LONGEST_S):
            await serving
    assert not scripted.opened.is_set()


@pytest.mark.enable_socket
@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_server_that_stops_ends_its_streams_in_order(tmp_path: Path) -> None:
    """A client that follows a summary which will not be finished in time reads an end; the log holds no error."""
    streaming = {"content-type": "text/event-stream"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with beside(Server()) as endpoint:
        endpoint.script = lambda _: Reply(headers=streaming, chunks=[delta("{")], end="hang")
        given = by_parts(endpoint, drain_s=3, log_format="json", port=port)
        given["database_url"] = f"sqlite:///{tmp_path}/precis.db"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PRECIS_")}
        environ |= {f"PRECIS_{name.upper()}": str(value) for name, value in given.items()}
        command = [sys.executable, "-c", "from service.cli import main; main()", "serve"]
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
            try:
                assert server.stderr is not None
                next(line for line in server.stderr if "Application startup complete" in line)
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LONGEST_S) as client:
                    body = {"documents": [{"text": SHORT}]}
                    made = client.post("/v1/summaries", json=body, headers={"Prefer": "wait=0"}).json()["id"]
                    with client.stream("GET", f"/v1/summaries/{made}/events") as response:
                        pieces = response.iter_raw()
                        raw = next(pieces)
                        server.send_signal(signal.SIGTERM)
                        raw += b"".join(pieces)
                _, said = server.communicate(timeout=LONGEST_S)
            finally:
                server.kill()
    assert {one.kind for one in parsed(raw)} == {"progress"}
    assert server.returncode == 0
    assert {json.loads(line)["level"] for line in said.splitlines()} == {"info"}


async def read_until(pieces: AsyncIterator[bytes], raw: bytes, mark: bytes) -> bytes:
    """Read a stream until something stands in it."""
    async with asyncio.timeout(LONGEST_S):
        while mark not in raw:
            raw += await anext(pieces)
    return raw


def test_data_is_one_line_whatever_it_holds() -> None:
    """Line ends in a text are escaped, so that an event is never cut in two."""
    title = "a\r\nb\n\nc\u2028d"
    raw = _written("1", "gone", Problem(type="t", title=title, status=404, detail="e", code="f"))
    (told,) = parsed(raw)
    assert (told.data["title"], raw.count(b"\n"), raw.count(b"\r")) == (title, 4, 0)
