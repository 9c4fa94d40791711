"""What is worked on next: jobs of one process, in lanes, each with so many places.

A job is a row that is committed already; a queue only says when it is its turn. This one keeps the order in memory and
is filled anew from the rows at a start. One over several machines would keep it elsewhere, behind the same methods.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Literal

from service.core.types import Value

Lane = Literal["single", "batch", "suspect"]
"""Where a job waits: by itself; as one of many, so that the many never make a single one wait; or, suspected of ending
the process, with others that are, so that no two of these are under way when it ends."""


class Job(Value, frozen=True, kw_only=True):
    """A row that is to be worked on."""

    tenant: str
    id: str


Work = Callable[[Job], Awaitable[None]]
"""Works on a job to its end; what it raises is its own affair, but for being cancelled."""
Refill = Callable[[int], Awaitable[list[Job]]]
"""Gives up to so many jobs of a lane that nobody has taken yet."""


class LocalQueue:
    """The jobs of one process.

    Args:
        work: what is done with a job.
        places: how many jobs of a lane are worked on at the same time.
        refill: asked for more jobs of the batch lane when it runs low, so that these never all lie in memory.
    """

    def __init__(self, work: Work, *, places: Mapping[Lane, int], refill: Refill | None = None) -> None:
        self._work = work
        self._places = places
        self._refill = refill
        self._waiting: dict[Lane, deque[Job]] = {lane: deque() for lane in places}
        self._lanes: dict[Job, Lane] = {}
        self._running: dict[Job, asyncio.Task[None]] = {}
        self._ended: dict[Job, asyncio.Event] = {}
        self._filling: asyncio.Task[None] | None = None
        self._wanted_more = False
        self._closed = False

    def put(self, job: Job, lane: Lane) -> None:
        """Line a job up; one that is there already stays where it is."""
        if self._closed or job in self._lanes:
            return
        self._lanes[job] = lane
        self._ended[job] = asyncio.Event()
        self._waiting[lane].append(job)
        self._admit()

    def more(self) -> None:
        """Say that there are new jobs for the batch lane."""
        self._wanted_more = True
        self._admit()

    def has(self, job: Job) -> bool:
        """Whether a job is here, waiting or worked on."""
        return job in self._lanes

    async def ended(self, job: Job) -> None:
        """Wait until a job is not here any more: worked on to its end, aborted, or never here."""
        if (event := self._ended.get(job)) is not None:
            await event.wait()

    async def abort(self, job: Job) -> bool:
        """Stop a job, and wait until it has stopped; False where it is not here."""
        if job not in self._lanes:
            return False
        task = self._running.get(job)
        if task is None:
            self._waiting[self._lanes[job]].remove(job)
            self._leave(job)
        else:
            task.cancel()
            await asyncio.wait({task})
        return True

    async def close(self, *, drain_s: float) -> None:
        """Begin nothing more, and wait up to `drain_s` seconds for what is worked on; the rest is cancelled."""
        self._closed = True
        for job in [job for job in self._lanes if job not in self._running]:
            self._leave(job)
        for waiting in self._waiting.values():
            waiting.clear()
        if self._filling is not None:
            self._filling.cancel()
            with suppress(asyncio.CancelledError):
                await self._filling
        tasks = set(self._running.values())
        if tasks and drain_s > 0:
            await asyncio.wait(tasks, timeout=drain_s)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _admit(self) -> None:
        """Begin as many jobs as there are places for."""
        if self._closed:
            return
        for lane, waiting in self._waiting.items():
            busy = sum(self._lanes[job] == lane for job in self._running)
            while waiting and busy < self._places[lane]:
                job = waiting.popleft()
                task = asyncio.create_task(self._worked(job), name=f"job {job.id}")
                self._running[job] = task
                task.add_done_callback(lambda _, job=job: self._done(job))  # type: ignore[misc]
                busy += 1
        low = len(self._waiting.get("batch", ())) < self._places.get("batch", 0)
        if self._refill is not None and self._wanted_more and low and self._filling is None:
            self._filling = asyncio.create_task(self._fill(self._refill))

    async def _worked(self, job: Job) -> None:
        await self._work(job)

    async def _fill(self, refill: Refill) -> None:
        try:
            self._wanted_more = False
            found = await refill(2 * self._places["batch"])
            for job in found:
                if job not in self._lanes:
                    self._lanes[job] = "batch"
                    self._ended[job] = asyncio.Event()
                    self._waiting["batch"].append(job)
                    self._wanted_more = True
        finally:
            self._filling = None
        self._admit()

    def _done(self, job: Job) -> None:
        self._running.pop(job, None)
        # one that is suspect may have been the last line of its batch
        if self._lanes.get(job) != "single":
            self._wanted_more = True
        self._leave(job)
        self._admit()

    def _leave(self, job: Job) -> None:
        self._lanes.pop(job, None)
        if (event := self._ended.pop(job, None)) is not None:
            event.set()
