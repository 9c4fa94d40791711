"""What happens to the jobs of this process, kept for those who follow one, as long as it is worked on.

An event has an id by which a follower who was cut off goes on. It holds for one job of one process: after a restart, or
when too much has happened since, a follower is told how things stand, and goes on from there.
"""

import asyncio
from collections import deque
from datetime import datetime
from secrets import token_hex
from typing import Literal

from service.adapters.store import Status
from service.core.types import KeyPoint, Value
from service.core.watching import Progress

MOST_KEPT = 500
"""Events of one job that are kept as they were; of older ones the points are."""
_LONGEST_NUMBER = 12
"""Digits of the number in an id."""

Kind = Literal["progress", "points"]


class Event(Value, frozen=True, kw_only=True):
    """Something that happened to a job, and how it stands since."""

    id: str
    kind: Kind
    status: Status
    progress: Progress
    next_attempt_at: datetime | None = None
    """While the endpoint is waited for."""
    points: tuple[KeyPoint, ...] = ()
    """Provisional: merging and the last checks may still take them away."""


class _Log:
    """The events of one job, numbered from 1, and a bell for those who wait for the next."""

    __slots__ = ("bell", "ended", "kept", "last", "name", "next_attempt_at", "points", "progress", "status")

    def __init__(self) -> None:
        self.name = token_hex(6)
        self.last = 0
        """Number of the newest event."""
        self.kept: deque[Event] | tuple[()] = ()
        self.points: list[tuple[int, Event]] = []
        """Every event of points with its number, however long ago it was."""
        self.status: Status = "queued"
        self.progress = Progress()
        self.next_attempt_at: datetime | None = None
        self.bell: asyncio.Event | None = None
        self.ended = False

    def add(self, kind: Kind, points: tuple[KeyPoint, ...]) -> None:
        """Add an event, as things stand."""
        self.last += 1
        event = self.event(kind, self.last, points)
        # nothing is made for a job that waits in a long queue
        self.kept = self.kept or deque(maxlen=MOST_KEPT)
        self.kept.append(event)
        if points:
            self.points.append((self.last, event))
        self.ring()

    def event(self, kind: Kind, number: int, points: tuple[KeyPoint, ...] = ()) -> Event:
        """An event under a number, as things stand."""
        return Event(
            id=f"{self.name}.{number}",
            kind=kind,
            status=self.status,
            progress=self.progress,
            next_attempt_at=self.next_attempt_at,
            points=points,
        )

    def ring(self) -> None:
        """Wake who waits."""
        if self.bell is not None:
            self.bell.set()
            self.bell = None


class Follower:
    """Reads the events of one job at its own pace. It is a place in them and no more: nobody has to know of it."""

    def __init__(self, log: _Log, after: str | None) -> None:
        self._log = log
        self._seen = _number(after, log)

    @property
    def is_done(self) -> bool:
        """Whether the job has ended and all that happened to it was taken."""
        return self._log.ended and self._seen == self._log.last

    def take(self) -> tuple[Event, ...]:
        """What has happened since the last time.

        Where that is not known, as at first, or not kept any more: how things stand, and the points not taken yet.
        """
        log, seen = self._log, self._seen
        self._seen = log.last
        if seen == log.last:
            return ()
        oldest = log.last - len(log.kept) + 1
        if seen is not None and seen >= oldest - 1:
            return tuple(log.kept)[seen - oldest + 1 :]
        missed = tuple(event for number, event in log.points if number > (seen or 0))
        # who is cut off before the points have come begins with them again: this id is the place before them
        return (log.event("progress", (seen or 0) if missed else log.last), *missed)

    async def wait(self) -> None:
        """Wait until there is something to take, or nothing more to wait for."""
        if self._seen != self._log.last or self._log.ended:
            return
        if self._log.bell is None:
            self._log.bell = asyncio.Event()
        await self._log.bell.wait()


class Events:
    """The events of the jobs that this process works on."""

    def __init__(self) -> None:
        self._logs: dict[tuple[str, str], _Log] = {}
        self.is_closed = False
        """Whether this process is about to end, so that nobody is to wait for anything here."""

    def begin(self, tenant: str, job: str) -> None:
        """Keep the events of a job from now on."""
        if not self.is_closed:
            self._logs.setdefault((tenant, job), _Log())

    def progress(self, tenant: str, job: str) -> Progress | None:
        """How far a job of this process is; None for one that is not here."""
        log = self._logs.get((tenant, job))
        return log.progress if log else None

    def tell(
        self,
        tenant: str,
        job: str,
        *,
        status: Status,
        progress: Progress,
        next_attempt_at: datetime | None = None,
        points: tuple[KeyPoint, ...] = (),
    ) -> None:
        """Add an event, of points where there are any, and wake who follows; nothing for a job that is not here."""
        log = self._logs.get((tenant, job))
        if log is not None:
            log.status, log.progress, log.next_attempt_at = status, progress, next_attempt_at
            log.add("points" if points else "progress", points)

    def end(self, tenant: str, job: str) -> None:
        """Nothing more happens to a job here: what became of it is in its row. Only its followers keep its events."""
        log = self._logs.pop((tenant, job), None)
        if log is not None:
            log.ended = True
            log.ring()

    def close(self) -> None:
        """Let all followers go, whatever becomes of the jobs."""
        self.is_closed = True
        for tenant, job in tuple(self._logs):
            self.end(tenant, job)

    def follow(self, tenant: str, job: str, *, after: str | None = None) -> Follower | None:
        """A follower of a job, from after the event of that id on.

        None where the job is not here: it has ended, or another process works on it.
        """
        log = self._logs.get((tenant, job))
        return None if log is None else Follower(log, after)


def _number(after: str | None, log: _Log) -> int | None:
    """The number of the last event that a follower has seen; None where the id is none of this job's."""
    name, _, digits = (after or "").partition(".")
    if name != log.name or not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER):
        return None
    number = int(digits)
    return number if number <= log.last else None
