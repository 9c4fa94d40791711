"""Much work at once: what is alike is paid for once, and what is cancelled ends its calls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from peers import Asked, Reply, Server, delta, listening
from writing import SHORT, settings, written

pytestmark = pytest.mark.enable_socket

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class Gated(Server):
    """A server that answers completions once its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        self.script = written

    async def _answer(self, asked: Asked, *connection: Any) -> bool:
        if asked.method == "POST":
            self.reached.set()
            await self.gate.wait()
        return await super()._answer(asked, *connection)


@pytest.fixture
async def gated() -> AsyncIterator[Gated]:
    """Such a server, on loopback."""
    server = Gated()
    async with listening(server):
        yield server


async def test_identical_summaries_in_flight_are_two_whose_calls_are_made_once(gated: Gated, serve: Serve) -> None:
    """Without a key both are made; the second one waits for the answer to the first one's call, and shares it."""
    body = {"documents": [{"text": SHORT}]}
    async with serve(**settings(gated)) as client:
        asked = [await client.post("/v1/summaries", json=body, headers={"Prefer": "wait=0"}) for _ in range(2)]
        await gated.reached.wait()
        ids = [response.json()["id"] for response in asked]
        async with asyncio.timeout(20):
            statuses: set[str] = set()
            while statuses != {"running"}:
                statuses = {(await client.get(f"/v1/summaries/{name}")).json()["status"] for name in ids}
        assert len(gated.bodies) == 0
        gated.gate.set()
        waited = [client.get(f"/v1/summaries/{name}/events", timeout=30) for name in ids]
        assert all("event: summary" in response.text for response in await asyncio.gather(*waited))
        found = [(await client.get(f"/v1/summaries/{name}")).json() for name in ids]
        assert len(set(ids)) == 2
        assert [one["status"] for one in found] == ["succeeded", "succeeded"]
        assert found[0]["result"]["key_points"] == found[1]["result"]["key_points"]
        assert len(gated.bodies) == 1


async def test_lines_of_a_batch_that_are_alike_are_paid_for_once(gated: Gated, serve: Serve) -> None:
    """Every line has its summary; the calls for a text are made for the first one that comes to them."""
    line = '{"custom_id": "a", "documents": [{"text": "' + SHORT + '"}]}\n'
    async with serve(**settings(gated)) as client:
        gated.gate.set()
        headers = {"Content-Type": "application/x-ndjson"}
        made = await client.post("/v1/batches", content=line * 12, headers=headers)
        results = await client.get(f"{made.headers['location']}/results", timeout=30)
        assert results.text.count('"status":"succeeded"') == 12
        assert len(gated.bodies) == 1


async def test_cancelling_a_batch_closes_its_connections(server: Server, serve: Serve) -> None:
    """No line of it is sent any more, and none that was under way has a result."""
    server.script = lambda _: Reply(chunks=[delta("{")], end="hang")
    lines = "\n".join(f'{{"custom_id": "a", "documents": [{{"text": "{n}. {SHORT}"}}]}}' for n in range(40))
    async with serve(**settings(server, concurrency=3)) as client:
        made = await client.post("/v1/batches", content=lines, headers={"Content-Type": "application/jsonl"})
        async with asyncio.timeout(20):
            while len(server.bodies) < 3:
                server.arrived.clear()
                await server.arrived.wait()
        cancelled = await client.post(f"{made.headers['location']}/cancel")
        assert cancelled.json()["counts"]["cancelled"] == 40
        async with asyncio.timeout(20):
            await server.gone.wait()
        assert len(server.bodies) == 3
