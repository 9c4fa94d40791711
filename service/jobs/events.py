"""What happens to the jobs of this process, kept for those who follow one, a while and so far.

An event has an id by which a follower who was cut off goes on. It holds for this process: after a restart, or when too
much has happened since, a follower is told anew how things stand.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Literal

from service.core.types import KeyPoint, Value
from service.core.watching import Progress

MOST_KEPT = 500
"""Events of one job that are kept for followers who come late."""

Kind = Literal["progress", "points", "ended"]


class Event(Value, frozen=True, kw_only=True):
    """Something that happened to a job."""

    id: str
    kind: Kind
    progress: Progress | None = None
    points: tuple[KeyPoint, ...] = ()
    """Provisional: merging and the last checks may still take them away."""


class _Log:
    """The events of one job, and a bell for those who wait for the next."""

    def __init__(self) -> None:
        self.first = 0
        self.events: deque[Event] = deque()
        self.bell = asyncio.Event()
        self.ended = False
        self.progress = Progress()


class Events:
    """The events of the jobs that this process works on."""

    def __init__(self) -> None:
        self._process = token_hex(4)
        self._logs: dict[tuple[str, str], _Log] = {}

    def begin(self, tenant: str, job: str) -> None:
        """Keep the events of a job from now on."""
        self._logs.setdefault((tenant, job), _Log())

    def progress(self, tenant: str, job: str) -> Progress | None:
        """How far a job of this process is; None for one that is not here."""
        log = self._logs.get((tenant, job))
        return log.progress if log else None

    def tell(self, tenant: str, job: str, kind: Kind, *, progress: Progress, points: tuple[KeyPoint, ...] = ()) -> None:
        """Add an event and wake who follows; a job that has ended is forgotten by all but its followers."""
        log = self._logs.get((tenant, job))
        if log is None or log.ended:
            return
        number = log.first + len(log.events)
        log.progress = progress
        log.events.append(Event(id=f"{self._process}.{number}", kind=kind, progress=progress, points=points))
        if len(log.events) > MOST_KEPT:
            log.events.popleft()
            log.first += 1
        log.bell.set()
        log.bell = asyncio.Event()
        if kind == "ended":
            log.ended = True
            del self._logs[tenant, job]

    async def follow(self, tenant: str, job: str, *, after: str | None = None) -> AsyncIterator[Event]:
        """The events of a job after one of them, or all that are kept, until it has ended.

        Nothing where the job is not here: it has ended, or another process works on it.
        """
        log = self._logs.get((tenant, job))
        if log is None:
            return
        number = self._next(after, log)
        while True:
            bell = log.bell
            while number < log.first + len(log.events):
                number = max(number, log.first)
                yield log.events[number - log.first]
                number += 1
            if log.ended:
                return
            if number >= log.first + len(log.events):
                await bell.wait()

    def _next(self, after: str | None, log: _Log) -> int:
        """The number of the first event that a follower has not seen."""
        process, _, number = (after or "").partition(".")
        if process != self._process or not number.isdecimal():
            return log.first
        return max(log.first, min(int(number) + 1, log.first + len(log.events)))
