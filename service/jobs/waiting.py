"""Callers who wait for something to end: each as long as it asked to, and none of them once they are let go."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress


class Waiting:
    """Those who wait, and a way to let all of them go."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._is_over = False

    async def wait(self, end: Awaitable[object], *, wait_s: float) -> None:
        """Wait for an end that comes, `wait_s` seconds at most, or until all are let go."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._is_over else wait_s) as limit:
                self._limits.add(limit)
                try:
                    await end
                finally:
                    self._limits.discard(limit)

    def close(self) -> None:
        """Let all go, and at once whoever comes later."""
        self._is_over = True
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())
