"""The file that `precis batch` writes: results in the order of the lines, so that a run which was stopped can go on.

What is in the file is not done again, as long as there is a line that it was made of. From the first line on that is
another one, what there was moves to a file beside this one, and is taken over from there where its line comes. At any
moment at which the process may die, the two files hold every result that there was; and what has no line any more stays
in the one beside.
"""

import hashlib
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Self

import click
import msgspec
from msgspec.structs import replace

from service.core.errors import StoreUnavailable

if os.name == "posix":
    import fcntl

_BEGINNING = b'{"line":'
"""Of every line that was written here."""
_SYNC_S = 1.0
"""Between two times that what was written is brought to the disk."""


class _Summary(msgspec.Struct):
    status: str


class Record(msgspec.Struct, kw_only=True):
    """As much of a result as has to be known to go on."""

    line: int
    input_sha256: str
    summary: _Summary | None = None

    @property
    def has_failed(self) -> bool:
        """Whether there is no summary."""
        return self.summary is None or self.summary.status in ("failed", "cancelled")


class Written(msgspec.Struct, frozen=True):
    """A line of the file."""

    record: Record
    raw: bytes

    @property
    def digest(self) -> bytes:
        """Of all but where it stands, to know it again."""
        return hashlib.sha256(self._body).digest()

    def at(self, line: int) -> Self:
        """The same for another line that is alike."""
        return replace(self, raw=b"%b%d,%b" % (_BEGINNING, line, self._body))

    @property
    def _body(self) -> bytes:
        return self.raw.partition(b",")[2]


class _Aside:
    """Results that do not stand in their place, found by what they were made of.

    Args:
        path: of the file that they are in; there may be none.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb") if path.exists() else None
        self._places: dict[str, deque[int]] = defaultdict(deque)
        at = 0
        for one in _results(self._file, path):
            self._places[one.record.input_sha256].append(at)
            at += len(one.raw)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left in it."""
        return not self._places

    def take(self, sha256: str) -> Written | None:
        """The next result that was made of a line, if there is one."""
        places = self._places.get(sha256)
        if self._file is None or not places:
            return None
        self._file.seek(places.popleft())
        if not places:
            del self._places[sha256]
        raw = self._file.readline()
        return Written(msgspec.json.decode(raw, type=Record), raw)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class Output:
    """The results, those of earlier runs and those of this one.

    Args:
        path: of the file.
        again: whether what failed is done again.
    """

    def __init__(self, path: Path, *, again: bool) -> None:
        self._path = path
        self.beside = path.with_name(f"{path.name}.before")
        """Where what does not stand in its place is."""
        self._again = again
        self._file = _opened(path)
        self._kept = 0
        """Bytes of the file that stay as they are."""
        self._earlier = _results(self._file, path)
        self._aside: _Aside | None = None
        """Once something was set aside."""
        try:
            self._next = next(self._earlier, None)
        except click.UsageError:
            self._file.close()
            raise
        self._synced_at = monotonic()
        self.edited: int | None = None
        """First line that is not what it was in an earlier run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # what went wrong before says more
        with suppress(*() if kind is None else (StoreUnavailable,)):
            self.close()

    def close(self) -> None:
        """Bring what was written to the disk, and let go of the files; raises StoreUnavailable."""
        if self._aside is not None:
            self._aside.close()
        if not self._file.closed:
            with _errors(self._path), self._file:
                self._sync()

    @property
    def has_aside(self) -> bool:
        """Whether results of an earlier run wait beside for their lines."""
        return self._aside is not None and not self._aside.is_empty

    def take(self, line: int, sha256: str) -> Written | None:
        """The result of a line that an earlier run has written; None where it is to be made.

        To be asked for every line, in order. One that stands in its place already has no `raw`.

        Raises:
            StoreUnavailable: what no longer fits cannot be set aside.
        """
        with _errors(self._path):
            return self._take(line, sha256)

    def _take(self, line: int, sha256: str) -> Written | None:
        if self._aside is None:
            found = self._next
            fits = found is not None and (found.record.line, found.record.input_sha256) == (line, sha256)
            if found is not None and fits and not self._is_void(found):
                self._kept += len(found.raw)
                self._next = next(self._earlier, None)
                return Written(found.record, b"")
            if found is not None and not fits:
                self.edited = line
            self._aside = self._set_aside()
        found = self._aside.take(sha256)
        return None if found is None or self._is_void(found) else found.at(line)

    def write(self, raw: bytes) -> None:
        """Add a result.

        Raises:
            StoreUnavailable: it cannot be written, or the file is not where it was.
        """
        with _errors(self._path):
            self._check_place()
            self._file.write(raw)
            self._file.flush()
            if monotonic() - self._synced_at > _SYNC_S:
                self._sync()

    def finish(self) -> int:
        """Every line has its result; returns how many of earlier runs have no line, and stay beside.

        Raises as `write` does.
        """
        with _errors(self._path):
            if self._aside is None:
                self._aside = self._set_aside()
            self._sync()
            self._check_place()
            self._aside.close()
            return self._keep_what_has_no_line() if self.beside.exists() else 0

    def _check_place(self) -> None:
        """See that what is written can be found under its name."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
                return
        raise StoreUnavailable(
            f"{self._path} was moved or deleted while it was written, and what was written went with it. Start again, "
            "and leave the file where it is: what is not in it is done anew, and nothing is paid twice."
        )

    def _is_void(self, found: Written) -> bool:
        """Whether a result is to be made again."""
        return self._again and found.record.has_failed

    def _set_aside(self) -> _Aside:
        """Keep the results that stand in their place, and move the rest beside them, before what is there already."""
        # a run that died may have taken some over and left them there as well
        standing = {one.digest for one in self._standing()} if self.beside.exists() else set()
        if self._next is not None or standing:
            rest = chain((self._next,), self._earlier) if self._next is not None else ()
            self._write_beside(rest, lambda one: one.digest not in standing)
        self._file.seek(self._kept)
        self._file.truncate()
        self._sync()
        return _Aside(self.beside)

    def _standing(self) -> Iterator[Written]:
        """The results that stand in their place."""
        left = self._kept
        with self._path.open("rb") as file:
            for one in _results(file, self._path):
                if (left := left - len(one.raw)) < 0:
                    return
                yield one

    def _keep_what_has_no_line(self) -> int:
        self._file.seek(0)
        done = {one.record.input_sha256 for one in _results(self._file, self._path)}
        kept = self._write_beside((), lambda one: one.record.input_sha256 not in done and not one.record.has_failed)
        if not kept:
            self.beside.unlink()
        return kept

    def _write_beside(self, before: Iterable[Written], stays: Callable[[Written], bool]) -> int:
        """Write the file beside anew: some results, then what stays of those in it, each once; returns how many."""
        part = self.beside.with_name(f"{self.beside.name}.part")
        seen: set[bytes] = set()
        with part.open("wb") as aside, _opened_if_there(self.beside) as there:
            for one in chain(before, filter(stays, _results(there, self.beside))):
                if one.digest not in seen:
                    seen.add(one.digest)
                    aside.write(one.raw)
            aside.flush()
            os.fsync(aside.fileno())
        part.replace(self.beside)
        return len(seen)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced_at = monotonic()


def _results(file: BinaryIO | None, path: Path) -> Iterator[Written]:
    """The whole results of a file from where it is; a last one that was only half written counts for nothing."""
    while file is not None and (raw := file.readline()).endswith(b"\n"):
        try:
            yield Written(msgspec.json.decode(raw, type=Record), raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _not_ours(path) from None


def _opened_if_there(path: Path) -> AbstractContextManager[BinaryIO | None]:
    return path.open("rb") if path.exists() else nullcontext()


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Say what is wrong with the file, or with the one beside it; raises StoreUnavailable."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{error.filename or path} could not be written: {error.strerror or error}. What is in {path} counts; "
            "start again when it can."
        ) from error


def _opened(path: Path) -> BinaryIO:
    """The file, new or as it is; raises a usage error where it cannot be, or is something else."""
    try:
        file = path.open("r+b" if path.exists() else "w+b")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror or error}.") from None
    beginning = file.read(len(_BEGINNING))
    if not _BEGINNING.startswith(beginning[: len(_BEGINNING)]):
        file.close()
        raise _not_ours(path)
    file.seek(0)
    if os.name == "posix":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise click.UsageError(f"{path} is being written by another process. Let it end, or end it.") from None
        except OSError as error:
            file.close()
            raise click.UsageError(
                f"{path} cannot be locked against other processes: {error.strerror or error}. Write it to a local disk."
            ) from None
    return file


def _not_ours(path: Path) -> click.UsageError:
    return click.UsageError(
        f"{path} holds something else than results of `precis batch`, and is left as it is. Name another file."
    )
