"""What is finished is kept for its time, and then removed: texts, then whole summaries, comparisons and batches.

What a process left when it died, and no other has taken up for as long, is given up first.

The server does it every hour, and `precis purge` by hand. The command line beside a server removes nothing by itself.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, NoReturn

import structlog
from msgspec.structs import asdict, replace

from service.adapters.store import BatchStore, Keep, Removed, Retention, Store
from service.jobs.minding import Sleep, every

FIRST_S = 60.0
"""After the start of a server: what is taken up again then goes first."""
HOUR_S = 3600.0
PAUSE_S = 0.05
"""Between two transactions, so that writers of other processes have their turn."""

log = structlog.stdlib.get_logger(__name__)


async def purge(store: Store, keep: Keep, *, now: datetime, sleep: Sleep = asyncio.sleep) -> Removed:
    """Remove what is due at a moment, and empty the log; returns how much it was.

    Raises:
        StoreUnavailable: the database failed; what was removed before stays removed.
    """
    began = perf_counter()
    retention = Retention(store)
    removed = Removed()
    if keep.left is not None:
        await _give_up(store, keep.left, keep, now=now, sleep=sleep)
    if keep.results is not None:
        before = now - keep.results
        while some := await retention.delete_summaries(before):
            removed = _added(removed, summaries=some)
            await sleep(PAUSE_S)
        while (gone := await retention.delete_comparison(before)) is not None:
            removed = _added(removed, comparisons=gone[0], summaries=gone[1])
            await sleep(PAUSE_S)
        while (gone := await retention.delete_batch(before)) is not None:
            removed = _added(removed, batches=gone[0], summaries=gone[1])
            await sleep(PAUSE_S)
    if keep.texts is not None:
        while some := await retention.delete_texts(now - keep.texts, now):
            removed = _added(removed, texts=some)
            await sleep(PAUSE_S)
    while await retention.delete_unused():
        await sleep(PAUSE_S)
    await store.forget_keys(now)
    for copy in retention.old_copies(keep, now):
        copy.unlink(missing_ok=True)
        removed = _added(removed, copies=1)
    await store.empty_log()
    log.info("purged", **asdict(removed), wall_ms=round((perf_counter() - began) * 1000, 1))
    return removed


async def _give_up(store: Store, after: timedelta, keep: Keep, *, now: datetime, sleep: Sleep) -> None:
    """End what nobody works on any more."""
    retention = Retention(store)
    while await retention.abandon(now - after, keep):
        await sleep(PAUSE_S)
    await BatchStore(store).settle(now, keep)


def hourly(
    store: Store, keep: Keep, *, now: Callable[[], datetime], sleep: Sleep = asyncio.sleep
) -> Coroutine[Any, Any, NoReturn]:
    """Remove what is due, a minute from now and then every hour."""
    retention = Retention(store)
    dated = False

    async def act() -> None:
        nonlocal dated
        if not dated:
            await retention.date(keep)
            dated = True
        await purge(store, keep, now=now(), sleep=sleep)

    return every("purge", act, first_s=FIRST_S, then_s=HOUR_S, sleep=sleep)


def _added(removed: Removed, **more: int) -> Removed:
    return replace(removed, **{name: getattr(removed, name) + some for name, some in more.items()})
