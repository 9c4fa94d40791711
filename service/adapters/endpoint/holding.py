"""Tells whoever holds a call that it waits for the endpoint."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from service.adapters.endpoint.configuration import Hold
from service.adapters.endpoint.journalling import to_its_end
from service.adapters.endpoint.limits import Clock
from service.core.errors import PrecisError

TOLD_S = 5.0
"""Nobody is told of shorter waits."""


class Told:
    """Tells a `Hold` of one wait, as a context: every `begin` has its `end`, whatever happens in between.

    Args:
        held: that is told, if there is one.
        clock: seconds that only ever grow.
        now: the moment, aware.
    """

    def __init__(self, held: Hold | None, *, clock: Clock, now: Callable[[], datetime]) -> None:
        self._held = held
        self._clock, self._now = clock, now
        self._at: float | None = None
        self._begun = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed: BaseException | None = None
        while self._begun:
            try:
                await self._end()
            except (PrecisError, asyncio.CancelledError) as error:
                failed = error
        # what has ended the wait is told, unless whoever waits is cancelled now
        if failed is not None and (kind is None or isinstance(failed, asyncio.CancelledError)):
            raise failed

    async def until(self, at: float) -> None:
        """It is waited until then at least, by the clock; told again where that is another moment."""
        wait_s = at - self._clock()
        if self._held is None or at == self._at or (wait_s < TOLD_S and not self._begun):
            return
        self._at = at
        self._begun += 1
        await self._held.begin(self._now() + timedelta(seconds=wait_s))
        if self._begun > 1:
            # ended only now, so that it never looks as if nobody waited
            await self._end()

    async def _end(self) -> None:
        self._begun -= 1
        if self._held is not None:
            await to_its_end(self._held.end())
