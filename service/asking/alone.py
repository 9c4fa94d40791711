"""Who asks the same at the same time: one asks, and the others find its answer in the memo."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from service.core.types import Completion


class Alone:
    """Keeps others from asking the same meanwhile, as a context; it can be let go in between.

    Args:
        lock: shared by all who ask the same.
        recall: looks into the memo.
    """

    def __init__(self, lock: asyncio.Lock, recall: Callable[[], Awaitable[Completion | None]]) -> None:
        self._lock = lock
        self._recall = recall
        self._held = False
        self.found: Completion | None = None
        """What was in the memo when the lock was taken last."""

    async def __aenter__(self) -> Self:
        await self.take()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.let_go()

    @property
    def busy(self) -> bool:
        """Whether somebody asks the same now."""
        return self._lock.locked()

    def let_go(self) -> None:
        """Let others ask."""
        if self._held:
            self._held = False
            self._lock.release()

    async def take(self) -> Completion | None:
        """Be the only one who asks, and give what others were answered meanwhile."""
        if self._held:
            return self.found
        await self._lock.acquire()
        self._held = True
        try:
            self.found = await self._recall()
        except BaseException:
            self.let_go()
            raise
        return self.found
