"""The journal of one call's requests: each is written down before it is sent, and again when it has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Literal, Self, TypeVar

from msgspec.structs import replace

from service.adapters.endpoint.configuration import Attempt
from service.core.errors import PrecisError
from service.core.types import Completion

Journal = Callable[[Attempt], Awaitable[None]]
Ended = Literal["answered", "failed", "unknown"]

Result = TypeVar("Result")


async def to_its_end(work: Coroutine[object, object, Result]) -> Result:
    """Do something to its end, whoever is cancelled meanwhile; the cancellation is raised after it.

    Raises:
        asyncio.CancelledError: the one who waits was cancelled; the work is done all the same.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told that it was not
        raise asyncio.CancelledError
    return task.result()


class Notes:
    """Journals the requests of one call, as a context; one that is cancelled on the way is noted as `unknown`.

    Args:
        journal: told of each request, if there is one.
        now: the moment, aware.
    """

    def __init__(self, journal: Journal | None, *, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._now = now
        self._under_way: Attempt | None = None
        self.requests = 0
        """That were sent, or were about to be."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._under_way is not None and kind is not None and issubclass(kind, asyncio.CancelledError):
            # a store that fails does not keep anybody from being cancelled; the row then stays `sent`
            with suppress(PrecisError):
                await self.ended("unknown", None)

    async def sent(self, key: str, repetition: int) -> None:
        """Note a request that is about to be sent."""
        self.requests += 1
        attempt = Attempt(
            key=key, repetition=repetition, number=self.requests, state="sent", status=None, at=self._now()
        )
        if self._journal is not None:
            await self._journal(attempt)
        self._under_way = attempt

    async def ended(self, state: Ended, status: int | None, *, completion: Completion | None = None) -> None:
        """Note what became of the request that was sent last; written to its end, whoever is cancelled meanwhile.

        Args:
            state: what became of it.
            status: of the reply, where there was one.
            completion: the answer, if it is of use.
        """
        attempt, self._under_way = self._under_way, None
        if attempt is not None and self._journal is not None:
            ended = replace(attempt, state=state, status=status, at=self._now(), completion=completion)
            await to_its_end(_told(self._journal, ended))


async def _told(journal: Journal, attempt: Attempt) -> None:
    await journal(attempt)
