"""Much work at once: what is alike is paid for once, and what is cancelled ends its calls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from peers import Asked, Reply, Server, delta, listening, question
from timed import Holder, Net, Timeline, start, unless_cut, wired
from writing import SHORT, settings, written

from service.adapters.endpoint import Endpoint
from service.asking.alone import Alone
from service.core.errors import EndpointUnavailable
from service.core.types import Completion

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


# --- while the endpoint is down --------------------------------------------------------------------------------------


class Same:
    """Asks one question again and again, as summaries do that are alike."""

    def __init__(self, client: Endpoint) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._memo: Completion | None = None

    async def ask(self, held: Holder | None) -> Completion:
        """Ask once more."""
        async with Alone(self._lock, self._recall) as alone:
            if alone.found is None:
                self._memo = await self._client.complete(question(), held=held, alone=alone)
            return self._memo or await self.ask(held)

    async def _recall(self) -> Completion | None:
        await asyncio.sleep(0)
        return self._memo


async def test_who_asks_the_same_during_an_outage_waits_at_the_gate_and_no_longer_than_the_first() -> None:
    """Each is told that it waits, and all fail when the outage has lasted as long as anybody waits."""
    net = Net(Timeline(), down=[(0, 1_000)], mode="503")
    holders = [Holder(net.time) for _ in range(4)]
    async with wired(net, outage_s=25) as client:
        same = Same(client)
        tasks = [start(same.ask(held)) for held in holders]
        await net.time.to(24)
        assert [held.waiting for held in holders] == [1] * 4
        found = await net.time.all(tasks)
        assert {type(one) for one in found} == {EndpointUnavailable}
    assert net.time.at < 25 + 5
    assert [held.waiting for held in holders] == [0] * 4
    assert net.most_trying == 1


async def test_who_does_not_wait_for_the_endpoint_does_not_wait_for_who_does() -> None:
    """A summary with a fallback has it at once, though the same is asked by one without."""
    net = Net(Timeline(), down=[(0, 10_000)], mode="503")
    async with wired(net, attempts=1) as client:
        same = Same(client)
        first = start(same.ask(Holder(net.time)))
        await net.time.to(100)
        (quick,) = await net.time.all([start(same.ask(None))])
        assert isinstance(quick, EndpointUnavailable)
        assert net.time.at == 100
        assert not first.done()
        await net.time.all([first])


@given(
    outages=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 200)), max_size=3),
    asked=st.lists(
        st.tuples(st.integers(0, 200), st.booleans(), st.none() | st.integers(0, 400)), min_size=1, max_size=8
    ),
)
@tried(max_examples=100, deadline=None)
def test_whenever_the_same_is_asked_around_an_outage_it_is_answered_once(
    outages: list[tuple[int, int]], asked: list[tuple[int, bool, int | None]]
) -> None:
    """Whoever waits, does not wait, or is cancelled meanwhile; one that is cancelled in flight is asked anew."""

    async def live() -> None:
        net = Net(Timeline(), down=[(at, at + long) for at, long in outages], mode="503")
        async with wired(net, attempts=2) as client:
            same = Same(client)

            async def one(at: int, waits: bool, until: int | None) -> Completion | None:
                await net.time.sleep(at)
                work = start(same.ask(Holder(net.time) if waits else None))
                return await unless_cut(net.time, work, until)

            found = await net.time.all([start(one(*each)) for each in asked])
            for outcome, (_, waits, until) in zip(found, asked, strict=True):
                assert isinstance(outcome, Completion) or not waits or until is not None
            assert sum(request.answered for request in net.asked) <= 1
            assert net.most_trying <= 1
            assert client._gate._waiting == []
            assert client._gate._trying is None

    asyncio.run(live())
