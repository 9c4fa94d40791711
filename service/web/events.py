"""What happens to a summary while it is made, as server-sent events (HTML Living Standard, 9.2)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Stream

from service.adapters.store import StoredSummary
from service.core.errors import NotFound, StoreUnavailable
from service.core.types import Value
from service.jobs import FINISHED, TENANT, Jobs
from service.jobs.events import Event, Follower
from service.rendering import resource
from service.web import negotiation

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2000
"""After which a client that was cut off comes back."""
ALIVE = b": alive\n\n"

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RETRY = b"retry: %d\n\n" % RETRY_MS

AnyRequest = Request[Any, Any, State]


class Pace(Value, frozen=True, kw_only=True):
    """How often a follower hears something."""

    heartbeat_s: float = 15.0
    """Longest silence: proxies and clients take a longer one for a broken connection."""
    poll_s: float = 1.0
    """Between two looks at the row of a summary that another process works on."""


PACE = Pace()


class _Looked(Value, frozen=True, kw_only=True):
    """What a look at a row has found."""

    stored: StoredSummary
    """As it was last."""
    last: bytes | None = None
    """The frame that ends the stream, once there is one."""


class Feed:
    """The streams of all followers; however many follow a summary, its row is read and written out once.

    Args:
        jobs: that are followed.
        pace: of the streams.
    """

    def __init__(self, jobs: Jobs, pace: Pace) -> None:
        self._jobs = jobs
        self._pace = pace
        self._looking: dict[tuple[str, str, float], asyncio.Task[_Looked]] = {}

    async def frames(self, stored: StoredSummary, *, after: str | None) -> AsyncIterator[bytes]:
        """What happens to a summary from now on, or after the event of that id, until it is finished or deleted.

        It ends before that where the process does: whoever comes back is told the rest by the next one.
        """
        # the first byte at once: a client knows that it is connected
        yield _RETRY
        looked = _looked(stored)
        pause_s, told, loop = 0.0, b"", asyncio.get_running_loop()
        heard_at = loop.time()
        while looked.last is None:
            follower = self._jobs.events.follow(stored.tenant, stored.id, after=after)
            if follower is not None:
                async for frame in self._followed(follower):
                    yield frame
                pause_s, heard_at = 0.0, loop.time()
            looked = await self._look(looked.stored, pause_s)
            pause_s = self._pace.poll_s
            if looked.last is None and self._jobs.events.is_closed:
                return
            frame = _standing(looked.stored)
            if looked.last is None and frame != told:
                told, heard_at = frame, loop.time()
                yield frame
            elif looked.last is None and loop.time() - heard_at >= self._pace.heartbeat_s:
                heard_at = loop.time()
                yield ALIVE
        yield looked.last

    async def _followed(self, follower: Follower) -> AsyncIterator[bytes]:
        """What happens to a summary that this process works on."""
        while True:
            for event in follower.take():
                yield _frame(event)
            if follower.is_done:
                return
            try:
                async with asyncio.timeout(self._pace.heartbeat_s):
                    await follower.wait()
            except TimeoutError:
                yield ALIVE

    async def _look(self, stored: StoredSummary, pause_s: float) -> _Looked:
        """Look at the row after a pause, together with all who wait for the same."""
        key = (stored.tenant, stored.id, pause_s)
        if key not in self._looking:
            self._looking[key] = task = asyncio.create_task(self._read(stored, pause_s))
            task.add_done_callback(lambda done: self._forget(key, done))
        # who hangs up leaves the look to the others
        return await asyncio.shield(self._looking[key])

    def _forget(self, key: tuple[str, str, float], done: asyncio.Task[_Looked]) -> None:
        del self._looking[key]
        # nobody may be left to hear of an error
        _ = done.cancelled() or done.exception()

    async def _read(self, stored: StoredSummary, pause_s: float) -> _Looked:
        await asyncio.sleep(pause_s)
        try:
            return _looked(await self._jobs.get(stored.tenant, stored.id))
        except NotFound as gone:
            return _Looked(stored=stored, last=_written(f"{stored.id}.gone", "gone", resource.problem(gone)))
        except StoreUnavailable:
            # it may come back, and what is told then is still true
            return _Looked(stored=stored)


def _looked(stored: StoredSummary) -> _Looked:
    if stored.status not in FINISHED:
        return _Looked(stored=stored)
    body = resource.summary(stored, resource.progress(stored, None))
    return _Looked(stored=stored, last=_written(last_id(stored.id), "summary", body))


def last_id(summary: str) -> str:
    """The id of the event that a finished summary is told with."""
    return f"{summary}.end"


def _frame(event: Event) -> bytes:
    if event.kind == "points":
        return _written(event.id, "points", resource.Provisional(points=event.points))
    progress = resource.seen_progress(event.progress, event.next_attempt_at)
    return _written(event.id, "progress", resource.Progressed(status=event.status, progress=progress))


def _standing(stored: StoredSummary) -> bytes:
    """How a summary stands that is not worked on here, as far as its row says."""
    progress = resource.progress(stored, None)
    return _written(
        f"{stored.id}.{stored.status}", "progress", resource.Progressed(status=stored.status, progress=progress)
    )


def _written(name: str, kind: str, data: msgspec.Struct) -> bytes:
    # JSON holds no line ends, so that one line of data is all of it
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (name.encode(), kind.encode(), msgspec.json.encode(data))


@get("/summaries/{summary_id:str}/events")
async def follow(request: AnyRequest, summary_id: FromPath[str]) -> Response[Any]:
    """What happens to a summary from now on, or from `Last-Event-ID` on; 204 where all of it was told."""
    feed: Feed = request.app.state.feed
    jobs: Jobs = request.app.state.jobs
    negotiation.accepted(request.headers.get("accept", ""), (MEDIA_TYPE,), "What happens to a summary")
    stored = await jobs.get(TENANT, summary_id)
    after = request.headers.get("last-event-id")
    if stored.status in FINISHED and after == last_id(stored.id):
        # a browser comes back after the end of a stream, unless it is told that there is no more
        return Response(None, status_code=204, headers=_HEADERS)
    # of a HEAD nothing is sent, and nothing must be waited for
    frames = iter(()) if request.scope.get("is_head") else feed.frames(stored, after=after)
    return Stream(frames, media_type=MEDIA_TYPE, headers=_HEADERS)


router = Router("/v1", route_handlers=[follow])
