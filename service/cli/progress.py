"""How far a summary is, on a terminal: a line on standard error that moves, and is gone when it is finished."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from service.adapters.store import StoredSummary
from service.cli import stopping
from service.jobs import Jobs
from service.jobs.events import Event, Follower

_TICK_S = 0.2
"""Between two looks at the clock, where nothing happens."""
_shown: list[Progress] = []
"""What stands on the terminal, for whoever ends the process."""


@asynccontextmanager
async def shown(jobs: Jobs, summary: StoredSummary, at: str = "") -> AsyncIterator[None]:
    """Show how far a summary of this process is, as long as the context lasts; nothing where there is no terminal.

    Args:
        jobs: that it is one of.
        summary: that is followed.
        at: which of several it is.
    """
    console = Console(stderr=True)
    follower = jobs.events.follow(summary.tenant, summary.id)
    if follower is None or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[said]}", markup=False),
        TimeElapsedColumn(),
    )
    # without a thread of its own, so that Ctrl-C finds nobody in the middle of a line
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
    with standing(bar):
        task = bar.add_task(at, total=None, said="")
        following = asyncio.create_task(_follow(follower, bar, task, at))
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


@contextmanager
def standing(bar: Progress) -> Iterator[None]:
    """Have a bar stand on the terminal, which `clear` ends as well."""
    with bar:
        _shown.append(bar)
        try:
            yield
        finally:
            _shown.remove(bar)


def clear() -> None:
    """End what stands on the terminal, and give the cursor back, before the process ends in the middle of it."""
    for bar in _shown:
        bar.stop()
    sys.stderr.flush()


def interrupted() -> str:
    """What is said when the process is told to end, once nothing stands on the terminal."""
    clear()
    return stopping.INTERRUPTED


async def _follow(follower: Follower, bar: Progress, task: TaskID, at: str) -> None:
    while not follower.is_done:
        for event in follower.take():
            seen = event.progress
            # what comes after the parts is a step too: a full bar would stand still
            total = seen.total + 1 if seen.total else None
            done = seen.completed + seen.failed
            bar.update(task, description=f"{at}{_phase(event)}", total=total, completed=done, said=_said(event))
        bar.refresh()
        with suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await follower.wait()


def _phase(event: Event) -> str:
    """What is done at the moment."""
    if event.next_attempt_at is not None:
        return f"waiting until {event.next_attempt_at.astimezone():%H:%M:%S}"
    return event.progress.phase


def _said(event: Event) -> str:
    """Parts and tokens, as far as there are any."""
    seen = event.progress
    parts = f"{seen.completed + seen.failed}/{seen.total} parts" if seen.total else ""
    failed = f"{seen.failed} failed" if seen.failed else ""
    tokens = f"{seen.tokens:,} tokens" if seen.tokens else ""
    return ", ".join(filter(None, (parts, failed, tokens)))
