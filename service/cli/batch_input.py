"""What `precis batch` reads: a file of requests, one a line, or a folder of articles; little of it is in memory."""

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

from service.adapters import extraction
from service.cli import files
from service.core.errors import InvalidRequest, PrecisError
from service.core.types import Conditions, Length, Options
from service.jobs.batches import Unfit, Wanted, refusal
from service.settings import Settings
from service.web import bodies, lines

_PIECE_BYTES = 65_536


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


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The input."""

    name: str
    items: Callable[[], Iterator[Item]]
    """Reads it from its beginning."""
    total: Callable[[], int] | None
    """Counts its lines; missing where it can be read only once."""
    left_out: int = 0
    """Files of a folder whose kind is not read."""


def source_of(settings: Settings, arguments: Arguments) -> Source:
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
            total=lambda: sum(1 for _ in _files(path, arguments.output)),
            left_out=_left_out(path, arguments.output),
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
def readable(name: str) -> Iterator[None]:
    """Say what is wrong with the input; raises a usage error."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(
            f"{error.filename or name}: {error.strerror or error}. Start again when it can be read: no result is lost."
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
    for path in _files(folder, arguments.output):
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


def _files(folder: Path, output: Path) -> Iterator[Path]:
    """The files that can be read, but for the one that is written."""
    own = output.resolve()
    return (path for path in _seen(folder) if extraction.media_type_of(path.name) and path.resolve() != own)


def _left_out(folder: Path, output: Path) -> int:
    """How many files are of a kind that is not read; the results, and what stands beside them, are none of these."""
    own = output.resolve()
    others = (path.resolve() for path in _seen(folder) if not extraction.media_type_of(path.name))
    return sum(path.parent != own.parent or not path.name.startswith(own.name) for path in others)


def _seen(folder: Path) -> Iterator[Path]:
    """The files of a folder and of those in it, by name, but for hidden ones."""
    for where, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in sorted(names) if not name.startswith("."))


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
