"""Endpoints of the tests' own: plain servers on loopback that answer by a script and remember what they were asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from service.adapters.endpoint import Endpoint, EndpointSettings
from service.core.types import CompletionRequest, Message

CANARY = "sk-canary-7f3a9b2c41d8e650"
"""A key that nothing but the request's own header may hold."""
Body = dict[str, object]


@dataclass
class Asked:
    """A request as a server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: Body


@dataclass
class Reply:
    """What a server does about a request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    end: Literal["whole", "cut", "drop", "reset", "hang", "drip"] = "whole"
    """`cut` closes before the end, `drop` closes without a word, `hang` says nothing more, `drip` never stops."""


def event(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def delta(text: str | None = None, finish: str | None = None, **more: object) -> bytes:
    """A chunk of a stream."""
    return event({"model": "m", "choices": [{"delta": {"content": text}, "finish_reason": finish}], **more})


def streamed(text: str = '{"a": 1}', *, finish: str = "stop", prompt_tokens: int | None = None) -> Reply:
    """A good stream."""
    chunks = [delta(piece) for piece in (text[:3], text[3:])] + [delta(finish=finish)]
    if prompt_tokens is not None:
        chunks.append(event({"choices": [], "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 5}}))
    return Reply(headers={"content-type": "text/event-stream"}, chunks=[*chunks, event(b"[DONE]")])


def failing(status: int, message: str = "no", *, headers: dict[str, str] | None = None, **more: object) -> Reply:
    """An error as OpenAI has it."""
    body = {"error": {"message": message, "type": None, "param": None, "code": None, **more}}
    return Reply(status=status, headers={"content-type": "application/json", **(headers or {})}, chunks=[dumped(body)])


def whole(body: object, *, status: int = 200) -> Reply:
    """A reply that is no stream."""
    return Reply(status=status, headers={"content-type": "application/json"}, chunks=[dumped(body)])


def dumped(value: object) -> bytes:
    """JSON as bytes."""
    return json.dumps(value).encode()


Script = list[Reply] | Callable[[Asked], Reply]


class Server:
    """Answers by a script: its replies in turn, and a good stream after the last."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: Script = []
        self.models: Reply = failing(404)
        self.gone = asyncio.Event()
        """Set when a client went away while it was answered."""
        self.arrived = asyncio.Event()
        self.in_flight = 0
        self.most_in_flight = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def bodies(self) -> list[Body]:
        """Of the completions that were asked for."""
        return [asked.body for asked in self.asked if asked.method == "POST"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._answer(await _read(head, reader), reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.asked.append(asked)
        self.arrived.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self._reply(asked)
            if reply.end == "drop":
                return False
            writer.write(f"HTTP/1.1 {reply.status} X\r\ntransfer-encoding: chunked\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in reply.headers.items()).encode() + b"\r\n")
            for chunk in reply.chunks:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
                await asyncio.sleep(0)
            if reply.end == "cut":
                return False
            if reply.end == "reset":
                writer.transport.abort()
                return False
            if reply.end in {"hang", "drip"}:
                await self._linger(reply, reader, writer)
                return False
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        finally:
            self.in_flight -= 1

    def _reply(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            return self.models
        if callable(self.script):
            return self.script(asked)
        return self.script.pop(0) if self.script else streamed()

    async def _linger(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = asyncio.ensure_future(reader.read(1))
        left.add_done_callback(lambda done: done.cancelled() or done.exception())
        while not left.done():
            await asyncio.wait([left], timeout=0.01)
            if reply.end == "drip" and not left.done():
                writer.write(b"1\r\n:\r\n")
        await asyncio.gather(left, return_exceptions=True)
        self.gone.set()


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[None]:
    """Runs a server on loopback, on its port or a free one, and ends the connections that are left."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", server.port)
    server.port = listener.sockets[0].getsockname()[1]
    yield
    listener.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _read(head: bytes, reader: asyncio.StreamReader) -> Asked:
    first, *lines = head.decode().strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, json.loads(content) if content else {})


class Time:
    """A clock that stands still but for sleeps, and remembers them."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """The time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


def endpoint(url: str, time: Time, **settings: object) -> Endpoint:
    """An endpoint whose waits take no time; backoff is always the longest."""
    given = {"base_url": url, "model": "m", "api_key": CANARY, **settings}
    return Endpoint(
        EndpointSettings(**given),  # type: ignore[arg-type]
        clock=time.clock,
        sleep=time.sleep,
        uniform=lambda _low, high: high,
    )


def question(text: str = "What?", **more: object) -> CompletionRequest:
    """A request."""
    given: dict[str, object] = {
        "prompt": "news@1",
        "stage": "map",
        "messages": (Message(role="system", content="Answer in JSON."), Message(role="user", content=text)),
        "schema_name": "answer",
        "schema": {"type": "object"},
        "max_output_tokens": 100,
        "temperature": 0.0,
        **more,
    }
    return CompletionRequest(**given)  # type: ignore[arg-type]
