"""A time that passes when nothing else is left to do, and an endpoint in memory that is there or not by that time."""

import asyncio
import heapq
import itertools
import json
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import httpx

from service.adapters.endpoint import Attempt, Endpoint, EndpointSettings
from service.core.types import CompletionRequest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TURNS = 60
"""Of the event loop, after which nothing happens any more without time passing."""

Result = TypeVar("Result")


class Timeline:
    """Seconds from 0 on; they pass all at once to the next moment that somebody sleeps until."""

    def __init__(self) -> None:
        self.at = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        """The time."""
        return self.at

    def now(self) -> datetime:
        """The moment: noon at the beginning."""
        return NOON + timedelta(seconds=self.at)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.at + seconds, next(self._order), future))
        await future

    async def stand(self) -> None:
        """Let everybody come to a standstill."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def to(self, at: float) -> None:
        """Let time pass up to a moment."""
        await self.stand()
        while self._sleepers and self._sleepers[0][0] <= at:
            await self._step()
        self.at = max(self.at, at)
        await self.stand()

    async def all(self, tasks: Sequence["asyncio.Task[Result]"]) -> list[Result | BaseException]:
        """Let time pass until all is done."""
        await self.stand()
        while not all(task.done() for task in tasks):
            assert self._sleepers, "everybody waits, and nobody for the time"
            await self._step()
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def _step(self) -> None:
        at, _, future = heapq.heappop(self._sleepers)
        if not future.done():
            self.at = max(self.at, at)
            future.set_result(None)
            await self.stand()


Mode = Literal["refused", "503", "500", "lost"]


@dataclass
class Request:
    """A request as the network saw it."""

    at: float
    question: str
    trying: bool
    """Whether the gate was shut then."""
    answered: bool = False


@dataclass
class Net(httpx.AsyncBaseTransport):
    """An endpoint that answers after a while, but for the times when it is down."""

    time: Timeline
    takes_s: Callable[[int], float] = lambda _: 10.0
    """By the number of the request."""
    down: list[tuple[float, float]] = field(default_factory=list)
    mode: Mode = "refused"
    """How it is down; `lost`: refused, and what was under way is lost, where otherwise it is answered."""
    says: Callable[[str], httpx.Response | Exception | None] = lambda _: None
    """What is said to a question in place of an answer, when it is there."""
    fails_s: float = 0.0
    """How long it takes to be refused, or to be told something else."""
    asked: list[Request] = field(default_factory=list)
    in_flight: int = 0
    trying: int = 0
    """Of those in flight, the ones that were sent while the gate was shut."""
    most_trying: int = 0
    client: Endpoint | None = None

    def is_down(self) -> bool:
        """Whether it is down now."""
        return any(begin <= self.time.at < end for begin, end in self.down)

    @property
    def shut(self) -> bool:
        """Whether the gate of the client is."""
        return self.client is not None and self.client._gate.outage is not None

    @property
    def tries(self) -> list[float]:
        """When it was tried while the gate was shut."""
        return [request.at for request in self.asked if request.trying]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        body = json.loads(await request.aread())
        asked = Request(self.time.at, body["messages"][-1]["content"], self.shut)
        self.asked.append(asked)
        self.in_flight += 1
        self.trying += asked.trying
        self.most_trying = max(self.most_trying, self.trying)
        try:
            return await self._answer(asked)
        finally:
            self.in_flight -= 1
            self.trying -= asked.trying

    async def _answer(self, asked: Request) -> httpx.Response:
        said: httpx.Response | Exception | None
        if self.is_down():
            said = refusal(int(self.mode)) if self.mode in ("503", "500") else refused()
        else:
            said = self.says(asked.question)
        if said is not None and self.fails_s:
            await self.time.sleep(self.fails_s)
        if isinstance(said, Exception):
            raise said
        if said is not None:
            return said
        await self.time.sleep(self.takes_s(len(self.asked)))
        if self.is_down() and self.mode == "lost":
            raise httpx.ReadError("reset")
        asked.answered = True
        return replied(200, {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]})


def refused() -> httpx.ConnectError:
    """Nobody listens."""
    error = httpx.ConnectError("x")
    error.__cause__ = ConnectionRefusedError()
    return error


def replied(status: int, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
    """A reply that can be read once, as one from a network."""
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(json.dumps(body).encode()))


def refusal(status: int, *, after_s: float | None = None) -> httpx.Response:
    """An error, with how long to wait."""
    headers = {"retry-after": str(after_s)} if after_s is not None else None
    return replied(status, {"error": {"message": "no"}}, headers)


def wired(net: Net, **settings: Any) -> Endpoint:
    """A client of the endpoint; backoff is as long as it may be, unless `seed` draws it."""
    seed = settings.pop("seed", None)
    given = EndpointSettings(**{"base_url": "http://h/v1", "model": "m", "slots": 16, **settings})
    client = Endpoint(
        given,
        transport=net,
        clock=net.time.clock,
        now=net.time.now,
        sleep=net.time.sleep,
        uniform=(lambda _low, high: high) if seed is None else random.Random(seed).uniform,  # noqa: S311 - a test
    )
    net.client = client
    return client


@dataclass
class Holder:
    """Remembers what it was told, and holds it against what it may be told."""

    time: Timeline
    told: list[tuple[float, float]] = field(default_factory=list)
    """When, and until when."""
    ended: list[float] = field(default_factory=list)
    most: int = 0
    fails: dict[str, Exception] = field(default_factory=dict)
    takes_s: float = 0.0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.told) - len(self.ended)

    async def begin(self, until: datetime) -> None:
        """One more waits."""
        assert until.tzinfo is not None
        self.told.append((self.time.at, (until - NOON).total_seconds()))
        self.most = max(self.most, self.waiting)
        await self._take("begin")

    async def end(self) -> None:
        """One less waits."""
        self.ended.append(self.time.at)
        assert self.waiting >= 0
        await self._take("end")

    async def _take(self, what: str) -> None:
        if self.takes_s:
            await self.time.sleep(self.takes_s)
        if what in self.fails:
            raise self.fails[what]


@dataclass
class Book:
    """A journal."""

    rows: list[Attempt] = field(default_factory=list)

    async def __call__(self, attempt: Attempt) -> None:
        """Write down."""
        self.rows.append(attempt)

    @property
    def states(self) -> list[tuple[int, str]]:
        """Of every row."""
        return [(row.number, row.state) for row in self.rows]


def start(work: Coroutine[object, object, Result]) -> "asyncio.Task[Result]":
    """Begin something."""
    return asyncio.create_task(work)


async def unless_cut(time: Timeline, work: "asyncio.Task[Result]", after_s: int | None) -> Result | None:
    """What work comes to that is cancelled after some seconds, if it is; None where that came first."""
    if after_s is not None:
        await time.sleep(after_s)
        work.cancel()
    try:
        return await work
    except asyncio.CancelledError:
        return None


def numbered(make: Callable[[str], CompletionRequest], count: int) -> list[CompletionRequest]:
    """So many requests, each with a question of its own."""
    return [make(f"q{number}") for number in range(count)]
