"""Those who follow a summary, byte by byte, and an endpoint in memory that answers when a test lets it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
from peers import Asked, streamed
from writing import answer

from service import bootstrap
from service.adapters import library
from service.adapters.endpoint import Endpoint, EndpointSettings
from service.adapters.tokens import Tokens, load
from service.asking import Asking, Prices
from service.core.catalogue import Catalogue
from service.jobs import Jobs
from service.settings import Settings
from service.web.events import Pace

LONGEST_S = 30.0
"""After which a test has failed."""
WINDOW = 8_000
NEVER = Pace(heartbeat_s=LONGEST_S, poll_s=LONGEST_S)

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@cache
def _vocabulary() -> Tokens:
    return load("o200k_base")


@cache
def _catalogue() -> Catalogue:
    return library.load(Path(__file__).parents[2] / "prompts").catalogue


class Scripted(httpx.AsyncBaseTransport):
    """An endpoint in memory: it holds the requests that it is told to hold until it is opened."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.holds: Callable[[Asked], bool] = lambda _: False
        self.answer: Callable[[Asked], str] = answer
        self.opened = asyncio.Event()
        self.held = asyncio.Event()
        """Set when a request is held."""
        self.ended = asyncio.Event()
        """Set when a request that is held is given up."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.method == "GET":
            return httpx.Response(404, stream=httpx.ByteStream(b"{}"))
        asked = Asked("POST", str(request.url), {}, json.loads(await request.aread()))
        self.asked.append(asked)
        if self.holds(asked):
            self.held.set()
            try:
                await self.opened.wait()
            except asyncio.CancelledError:
                self.ended.set()
                raise
        reply = streamed(self.answer(asked))
        return httpx.Response(200, headers=reply.headers, stream=httpx.ByteStream(b"".join(reply.chunks)))

    @asynccontextmanager
    async def jobs(self, settings: Settings) -> AsyncIterator[Jobs]:
        """Jobs that ask this endpoint, over the configured database; nothing of it is resumed."""
        vocabulary, catalogue = _vocabulary(), _catalogue()
        configured = EndpointSettings(
            base_url="http://endpoint.test/v1", model="m", attempts=1, context_window=WINDOW, slots=8
        )
        async with Endpoint(configured, transport=self) as endpoint, bootstrap.open_jobs(settings) as opened:
            asking = Asking(
                endpoint=endpoint,
                url="http://endpoint.test/v1",
                model="m",
                models=(),
                catalogue=catalogue,
                prompt="news@1",
                count=vocabulary.count,
                token_ends=vocabulary.ends,
                chunk_tokens=6_000,
                margin=0.1,
                slots=8,
                prices=Prices(prompt=1.0, completion=10.0),
            )
            async with Jobs(
                store=opened.store,
                tools=opened.tools,
                asking=asking,
                catalogue=catalogue,
                concurrency=settings.concurrency,
                max_documents=settings.max_documents,
                keep=bootstrap.keep(settings),
            ) as jobs:
                yield jobs


@dataclass(frozen=True)
class Told:
    """An event as a client reads it."""

    id: str
    kind: str
    data: Any


class Following:
    """A client that follows a summary of an application in this process, and reads every byte as it is sent."""

    def __init__(
        self, client: httpx.AsyncClient, summary: str, *, after: str | None = None, method: str = "GET"
    ) -> None:
        self._app: Any = client._transport.app  # type: ignore[attr-defined]
        path = f"/v1/summaries/{summary}/events"
        headers = [(b"host", b"precis.test"), (b"accept", b"text/event-stream")]
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [*headers, *([] if after is None else [(b"last-event-id", after.encode())])],
            "server": ("precis.test", 80),
            "client": ("127.0.0.1", 1),
        }
        self._asked = False
        self._left = asyncio.Event()
        self._news = asyncio.Event()
        self.reads = asyncio.Event()
        """While it is not set, the client reads nothing, and whoever sends has to wait."""
        self.reads.set()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.ended = False
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._app(self._scope, self._receive, self._send))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    async def hang_up(self) -> None:
        """Go away, and wait until the application has noticed."""
        self._left.set()
        self.reads.set()
        assert self.task is not None
        async with asyncio.timeout(LONGEST_S):
            await self.task

    @property
    def told(self) -> list[Told]:
        """The events so far."""
        return list(parsed(self.raw))

    def kinds(self) -> list[str]:
        """The kinds of the events so far."""
        return [one.kind for one in self.told]

    async def until(self, enough: Callable[[Self], bool]) -> list[Told]:
        """The events, once there is enough."""
        async with asyncio.timeout(LONGEST_S):
            while not enough(self):
                assert not self.ended, f"the stream ended before there was enough: {self.raw!r}"
                self._news.clear()
                await self._news.wait()
        return self.told

    async def end(self) -> list[Told]:
        """All events, when the stream has ended."""
        return await self.until(lambda self: self.ended)

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.raw += message.get("body", b"")
            self.ended = not message.get("more_body", False)
            if self.ended:
                self._left.set()
        self._news.set()


def parsed(raw: bytes) -> Iterable[Told]:
    """The events of a stream, as the standard reads them; what is not at its end yet is left out."""
    *frames, _ = raw.decode().split("\n\n")
    for frame in frames:
        fields = dict(line.split(": ", 1) for line in frame.split("\n") if not line.startswith(":"))
        if "data" in fields:
            yield Told(fields["id"], fields["event"], json.loads(fields["data"]))


def comments(raw: bytes) -> int:
    """How often a stream said that it is alive."""
    return raw.count(b": alive\n\n")


async def posted(client: httpx.AsyncClient, text: str) -> str:
    """The id of a summary that was asked for and not waited for."""
    body = {"documents": [{"text": text}]}
    response = await client.post("/v1/summaries", json=body, headers={"Prefer": "wait=0"})
    assert response.status_code == 202, response.text
    return str(response.json()["id"])
