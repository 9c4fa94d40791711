"""`precis batch`: many requests from a file, or a folder of articles, each answered by a line of a file of results.

Through the same jobs and store as the server, a few at a time: however long the input is, little of it is in memory.
"""

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import bootstrap, logs
from service.adapters import extraction
from service.cli import EXIT_FAILED, exit_code, files, progress, stopping
from service.cli.batch_output import Output
from service.core.errors import InternalError, InvalidRequest, NotFound, PrecisError, StoreUnavailable
from service.core.types import Conditions, Length, Options
from service.jobs import FINISHED, TENANT, Jobs
from service.jobs.batches import Ended, Unfit, Wanted, refusal
from service.rendering import batches as rendered
from service.settings import Loaded, Settings
from service.web import bodies, lines

_PIECE_BYTES = 65_536
_AHEAD = 8
"""Summaries that are under way or wait to be written, for each that is worked on."""
_FOREVER_S = 10.0**9


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said."""

    source: str
    output: Path
    again: bool
    """Whether lines that failed in an earlier run are done again."""
    length: Length | None
    prompt: str | None
    model: str | None
    strict: bool
    fallback: Literal["extractive"] | None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the input, or a file."""

    line: int
    sha256: str
    """Of all that the result depends on."""
    read: Callable[[], Wanted | Unfit]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line whose turn to be written comes: ended, or a summary to wait for, or the result of an earlier run."""

    item: Item
    custom_id: str | None = None
    summary: str | None = None
    ended: Ended | None = None
    before: bytes | None = None
    has_failed: bool = False
    """Of the result of an earlier run."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The input."""

    name: str
    items: Callable[[], Iterator[Item]]
    """Reads it from its beginning."""
    total: Callable[[], int] | None
    """Counts its lines; missing where it can be read only once."""


def run(loaded: Loaded[Settings], arguments: Arguments) -> int:
    """Do what is not done yet; returns the exit code."""
    settings = loaded.settings
    quiet = loaded.origins["log_level"] == "default"
    # what a line has come to stands in its result
    logs.configure(level="error" if quiet else settings.log_level, fmt=settings.log_format)
    files.check_folder(arguments.output)
    with _readable_input(arguments.source):
        source = _source(settings, arguments)
        total = source.total() if source.total else None
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
        self._done = self._failed = self._before = 0

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
        self._output.finish()
        files.tell(self._said())
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
                files.tell(f"line {self._output.edited} is not what it was; it is done again, and what no longer fits.")
                self._output.edited = None
            await entries.put(entry)
        await entries.put(None)

    def _next(self, items: Iterator[Item]) -> Item | None:
        with _readable_input(self._source.name):
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
            self._failed += has_failed
            self._show(self._done, self._failed)

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
        return stopping.GOES_ON.format(self._said())

    def _said(self) -> str:
        before = f" ({self._before} of them before)" if self._before else ""
        return f"{self._done} done{before}, {self._failed} failed"


# --- reading ---------------------------------------------------------------------------------------------------------


def _source(settings: Settings, arguments: Arguments) -> Source:
    """What the command line names; raises a usage error."""
    limits = bodies.limits(settings)
    if arguments.source == files.STDIN:
        _check_bare(arguments)
        return Source(name="standard input", items=lambda: _of_stream(sys.stdin.buffer, limits), total=None)
    path = Path(arguments.source)
    if path.is_dir():
        return Source(
            name=arguments.source,
            items=partial(_of_folder, path, arguments, limits),
            total=lambda: sum(1 for _ in _readable(path, arguments.output)),
        )
    _check_bare(arguments)
    if arguments.output.exists() and path.exists() and path.samefile(arguments.output):
        raise click.UsageError(f"{path} is both the input and the output. Name another file for the results.")
    stream = path.open("rb")
    if not path.is_file():
        # a pipe: whoever counts its lines has read them
        return Source(name=arguments.source, items=lambda: _of_stream(stream, limits), total=None)
    stream.close()
    return Source(
        name=arguments.source, items=partial(_of_file, path, limits), total=partial(_count, path, limits.max_bytes)
    )


@contextmanager
def _readable_input(name: str) -> Iterator[None]:
    """Say what is wrong with the input; raises a usage error."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(
            f"{error.filename or name}: {error.strerror or error}. Start again when it can be read; what is done stays."
        ) from None


def _check_bare(arguments: Arguments) -> None:
    asked = (arguments.length, arguments.prompt, arguments.model, arguments.fallback, arguments.strict or None)
    if any(one is not None for one in asked):
        raise click.UsageError(
            "--length, --prompt, --model, --strict and --fallback are for a folder. In a file each line says its own, "
            'such as {"custom_id": "a", "documents": [{"text": "..."}], "options": {"length": "brief"}}.'
        )


def _of_file(path: Path, limits: bodies.Limits) -> Iterator[Item]:
    with path.open("rb") as file:
        yield from _of_stream(file, limits)


def _of_stream(stream: BinaryIO, limits: bodies.Limits) -> Iterator[Item]:
    """The lines of a stream, as they come."""
    for line in _cut(stream, limits.max_bytes):
        sha256 = hashlib.sha256(line.content or b"").hexdigest()
        yield Item(line=line.number, sha256=sha256, read=partial(lines.decoded, line, limits))


def _count(path: Path, max_bytes: int) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in _cut(file, max_bytes))


def _cut(stream: BinaryIO, max_bytes: int) -> Iterator[lines.Line]:
    cutter = lines.Cutter(max_bytes)
    while piece := stream.read1(_PIECE_BYTES):  # type: ignore[attr-defined] # a buffered reader has it
        yield from cutter.cut(piece)
    yield from cutter.end()


def _of_folder(folder: Path, arguments: Arguments, limits: bodies.Limits) -> Iterator[Item]:
    """The files of a folder and the folders in it that can be read, by name; hidden ones are left out."""
    options = Options(length=arguments.length or "standard")
    conditions = Conditions(
        prompt=arguments.prompt, model=arguments.model, strict=arguments.strict, fallback=arguments.fallback
    )
    how = msgspec.json.encode((options, conditions))
    numbers = count(1)
    for path in _readable(folder, arguments.output):
        name = path.relative_to(folder).as_posix().encode(errors="backslashreplace").decode()
        line = next(numbers)

        def read(path: Path = path, name: str = name, line: int = line) -> Wanted | Unfit:
            try:
                document = files.documents((str(path),), limits.max_characters)[0]
            except click.UsageError as error:
                return Unfit(line=line, custom_id=name, refusal=refusal(InvalidRequest(error.message)))
            except PrecisError as error:
                return Unfit(line=line, custom_id=name, refusal=refusal(error))
            named = replace(document, name=name[-500:])
            return Wanted(line=line, custom_id=name, documents=(named,), options=options, conditions=conditions)

        yield Item(line=line, sha256=_digest(path, name, how), read=read)


def _readable(folder: Path, output: Path) -> Iterator[Path]:
    """The files that can be read, but for the one that is written."""
    own = output.resolve()
    for where, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if not name.startswith(".") and extraction.media_type_of(name) and path.resolve() != own:
                yield path


def _raise(error: OSError) -> NoReturn:
    """A folder that cannot be read is not an empty one."""
    raise error


def _digest(path: Path, name: str, how: bytes) -> str:
    """SHA-256 of a file, its name and what is asked for; of the latter two where it cannot be read."""
    digest = hashlib.sha256(b"%b\0%b\0" % (name.encode(), how))
    with suppress(OSError), path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


# --- showing ---------------------------------------------------------------------------------------------------------


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
