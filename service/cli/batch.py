"""`precis batch`: many requests from a file, or a folder of articles, each answered by a line of a file of results.

Through the same jobs and store as the server, a few at a time: however long the input is, little of it is in memory.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import bootstrap, logs
from service.cli import EXIT_FAILED, exit_code, files, progress, stopping
from service.cli.batch_input import Arguments, Item, Source, readable, source_of
from service.cli.batch_output import Output
from service.core.errors import InternalError, NotFound, PrecisError, StoreUnavailable
from service.jobs import FINISHED, TENANT, Jobs
from service.jobs.batches import Ended, Unfit, Wanted, refusal
from service.rendering import batches as rendered
from service.settings import Loaded, Settings

_PIECE_BYTES = 65_536
_AHEAD = 8
"""Summaries that are under way or wait to be written, for each that is worked on."""
_FOREVER_S = 10.0**9
_NAMED = 5
"""Lines that failed and are named at the end, at most."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line whose turn to be written comes: ended, or a summary to wait for, or the result of an earlier run."""

    item: Item
    custom_id: str | None = None
    summary: str | None = None
    ended: Ended | None = None
    before: bytes | None = None
    has_failed: bool = False
    """Of the result of an earlier run."""


def run(loaded: Loaded[Settings], arguments: Arguments) -> int:
    """Do what is not done yet; returns the exit code."""
    settings = loaded.settings
    quiet = loaded.origins["log_level"] == "default"
    # what a line has come to stands in its result
    logs.configure(level="error" if quiet else settings.log_level, fmt=settings.log_format)
    files.check_folder(arguments.output)
    with readable(arguments.source):
        source = source_of(settings, arguments)
        total = source.total() if source.total else None
    if source.left_out:
        files.tell(f"{arguments.source}: files of kinds that are not read are left out: {source.left_out}")
    if total == 0:
        raise click.UsageError(f"{arguments.source}: there is nothing to do in it. {arguments.output} stays as it is.")
    with Output(arguments.output, again=arguments.again) as output, _bar(total, str(arguments.output)) as show:
        return asyncio.run(Batch(settings, source, output, show).run())


class Batch:
    """One run over the input.

    Args:
        settings: what was configured.
        source: the input.
        output: where results are written.
        show: told how many are done, and how many of them failed.
    """

    def __init__(self, settings: Settings, source: Source, output: Output, show: Callable[[int, int], None]) -> None:
        self._settings = settings
        self._source = source
        self._output = output
        self._show = show
        self._under_way: dict[str, None] = {}
        """Summaries that are not written yet, in the order of their lines."""
        self._done = self._before = 0
        self._failed: list[int] = []
        """Lines without a summary."""

    async def run(self) -> int:
        """Do what is not done yet, and write it; returns the exit code."""
        with stopping.cancelled(self._interrupted) as told:
            try:
                async with bootstrap.open_jobs(self._settings) as jobs:
                    await self._work(jobs)
            except asyncio.CancelledError:
                if told.code is None:
                    raise
                self._leave(told.code, self._interrupted())
            except PrecisError as error:
                if self._source.total is not None:
                    raise
                self._leave(exit_code(error), f"precis: {error.detail}")
        if self._done == 0:
            raise click.UsageError(f"There was nothing to do in {self._source.name}. The results stay as they were.")
        left = self._output.finish()
        files.tell(self._said())
        if left:
            files.tell(f"{left} of earlier runs have no line any more, and are in {self._output.beside}")
        return EXIT_FAILED if self._failed else 0

    def _leave(self, code: int, message: str) -> NoReturn:
        """End the process: a thread may wait for more input, and would be waited for."""
        with suppress(StoreUnavailable):
            self._output.close()
        progress.clear()
        stopping.leave(code, message)

    async def _work(self, jobs: Jobs) -> None:
        entries: asyncio.Queue[Entry | None] = asyncio.Queue(_AHEAD * self._settings.concurrency)
        reading = asyncio.create_task(self._read(jobs, entries))
        writing = asyncio.create_task(self._write(jobs, entries))
        try:
            done, _ = await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except BaseException:
            await self._stop(jobs, reading, writing)
            raise

    async def _read(self, jobs: Jobs, entries: "asyncio.Queue[Entry | None]") -> None:
        """Have everything done that is not, in order, a few ahead of what is written."""
        items = self._source.items()
        while (item := await asyncio.to_thread(self._next, items)) is not None:
            before = self._output.take(item.line, item.sha256)
            if before is None:
                entry = await self._begun(jobs, item)
            else:
                entry = Entry(item=item, before=before.raw, has_failed=before.record.has_failed)
            if self._output.edited is not None:
                files.tell(
                    f"line {self._output.edited} is not what it was; results are taken over where their line is."
                )
                self._output.edited = None
            await entries.put(entry)
        await entries.put(None)

    def _next(self, items: Iterator[Item]) -> Item | None:
        with readable(self._source.name):
            return next(items, None)

    async def _begun(self, jobs: Jobs, item: Item) -> Entry:
        wanted = await asyncio.to_thread(item.read)
        why = wanted.refusal if isinstance(wanted, Unfit) else None
        if isinstance(wanted, Wanted):
            try:
                made = await jobs.submit(TENANT, wanted.documents, wanted.options, wanted.conditions)
            except StoreUnavailable:
                raise
            except PrecisError as error:
                why = refusal(error)
            else:
                self._under_way[made.id] = None
                return Entry(item=item, custom_id=wanted.custom_id, summary=made.id)
        return Entry(item=item, ended=Ended(line=item.line, custom_id=wanted.custom_id, refusal=why))

    async def _write(self, jobs: Jobs, entries: "asyncio.Queue[Entry | None]") -> None:
        """Write results in order, each as soon as it is there."""
        while (entry := await entries.get()) is not None:
            if entry.before is not None:
                self._before += 1
                has_failed = entry.has_failed
                self._output.write(entry.before)
            else:
                ended = entry.ended or await self._ended(jobs, entry)
                has_failed = ended.summary is None or ended.summary.status in ("failed", "cancelled")
                self._output.write(rendered.line(ended, input_sha256=entry.item.sha256))
            self._done += 1
            if has_failed:
                self._failed.append(entry.item.line)
            self._show(self._done, len(self._failed))

    async def _ended(self, jobs: Jobs, entry: Entry) -> Ended:
        summary = entry.summary or ""
        try:
            stored = await jobs.wait(TENANT, summary, wait_s=_FOREVER_S)
        except NotFound as error:
            return Ended(line=entry.item.line, custom_id=entry.custom_id, refusal=refusal(error))
        if stored.status not in FINISHED:
            raise InternalError(
                f"Summary {summary} of line {entry.item.line} could not be finished; the log says why. Start again to "
                "go on from there."
            )
        self._under_way.pop(summary, None)
        return Ended(line=entry.item.line, custom_id=entry.custom_id, summary=stored)

    async def _stop(self, jobs: Jobs, *tasks: "asyncio.Task[None]") -> None:
        """End what is under way, so that nothing is left to whoever works on this database next."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        with suppress(PrecisError):
            # the last first: where one that is worked on ends, the next one would begin
            for summary in reversed(self._under_way):
                await jobs.cancel(TENANT, summary)

    def _interrupted(self) -> str:
        progress.clear()
        beside = f"; results that wait for their line are in {self._output.beside}" if self._output.has_aside else ""
        return stopping.GOES_ON.format(self._said() + beside)

    def _said(self) -> str:
        before = f" ({self._before} of them before)" if self._before else ""
        if not self._failed:
            return f"{self._done} done{before}, 0 failed"
        named = ", ".join(map(str, self._failed[:_NAMED])) + (", ..." if len(self._failed) > _NAMED else "")
        lines_ = "lines" if len(self._failed) > 1 else "line"
        return f"{self._done} done{before}, {len(self._failed)} of them failed: {lines_} {named}"


@contextmanager
def _bar(total: int | None, name: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; elsewhere a line at the start, beside the one at the end."""
    if not sys.stderr.isatty():
        files.tell(f"{name}: {'lines as they come' if total is None else f'{total} lines'} ...")
        yield lambda _done, _failed: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    with progress.standing(bar):
        task = bar.add_task(name, total=total, failed=0)
        yield lambda done, failed: bar.update(task, completed=done, failed=failed)
