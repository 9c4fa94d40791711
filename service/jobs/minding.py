"""What a server does beside serving, again and again for as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import structlog

from service.core.errors import PrecisError

Sleep = Callable[[float], Awaitable[None]]

log = structlog.stdlib.get_logger(__name__)


async def every(
    name: str, act: Callable[[], Awaitable[object]], *, first_s: float, then_s: float, sleep: Sleep = asyncio.sleep
) -> NoReturn:
    """Do something after so many seconds, and again and again; one that fails is logged, and made up for by the next.

    Args:
        name: of what is done, for the log.
        act: does it.
        first_s: seconds before the first time.
        then_s: seconds between the end of one time and the next.
        sleep: waits for so many seconds.
    """
    await sleep(first_s)
    while True:
        try:
            await act()
        except PrecisError as error:
            log.warning("chore_failed", chore=name, code=error.code, reason=error.detail)
        except Exception:
            log.exception("chore_crashed", chore=name)
        await sleep(then_s)


@asynccontextmanager
async def beside(*chores: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
    """Have chores done for as long as something goes on."""
    tasks = [asyncio.create_task(chore) for chore in chores]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
