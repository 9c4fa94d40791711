"""The file that `precis batch` writes: results in the order of the lines, so that a run which was stopped can go on.

What is in the file is not done again, as long as its line is still what it was made of. A line that was edited since is
done again in its place: what stood behind it moves to a file beside this one, and is taken over from there line by
line, where it still fits. At any moment at which the process may die, the two files hold every result that there was.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Self

import click
import msgspec

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


class Output:
    """The results, those of earlier runs and those of this one.

    Args:
        path: of the file.
        again: whether what failed is done again.
    """

    def __init__(self, path: Path, *, again: bool) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.before")
        self._again = again
        self._file = _opened(path)
        self._kept = 0
        """Bytes of the file that stay as they are."""
        self._old: BinaryIO | None = self._file
        """Where the next result of an earlier run is read from."""
        try:
            self._next = self._read()
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
        if self._old is not None and self._old is not self._file:
            self._old.close()
        if not self._file.closed:
            with _errors(self._path), self._file:
                self._sync()

    def take(self, line: int, sha256: str) -> Written | None:
        """The result of a line that an earlier run has written; None where it is to be made.

        To be asked for every line, in order. One that stands in its place already has no `raw`.

        Raises:
            StoreUnavailable: what no longer fits cannot be set aside.
        """
        with _errors(self._path):
            return self._take(line, sha256)

    def _take(self, line: int, sha256: str) -> Written | None:
        if self._old is self._file:
            found = self._next
            if found is not None and self._fits(found, line, sha256):
                self._kept += len(found.raw)
                self._next = self._read()
                return Written(found.record, b"")
            if found is not None and (found.record.line, found.record.input_sha256) != (line, sha256):
                self.edited = line
            self._set_aside()
        while self._next is not None and self._next.record.line < line:
            self._next = self._read()
        if self._next is None or not self._fits(self._next, line, sha256):
            return None
        return self._next

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

    def finish(self) -> None:
        """Every line has its result; what an earlier run had beyond them goes. Raises as `write` does."""
        with _errors(self._path):
            if self._old is self._file:
                self._set_aside(keep=False)
            self._sync()
            self._check_place()
            if self._old is not None:
                self._old.close()
                self._old = None
            self._beside.unlink(missing_ok=True)

    def _check_place(self) -> None:
        """See that what is written can be found under its name."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
                return
        raise StoreUnavailable(
            f"{self._path} was moved or deleted while it was written, and what was written went with it. Start again, "
            "and leave the file where it is: what is not in it is done anew, and nothing is paid twice."
        )

    def _fits(self, found: Written, line: int, sha256: str) -> bool:
        record = found.record
        same = record.line == line and record.input_sha256 == sha256
        return same and not (self._again and record.has_failed)

    def _read(self) -> Written | None:
        """The next whole result of an earlier run; a last one that was only half written counts for nothing."""
        raw = self._old.readline() if self._old is not None else b""
        if not raw.endswith(b"\n"):
            return None
        try:
            return Written(msgspec.json.decode(raw, type=Record), raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _not_ours(self._path) from None

    def _set_aside(self, *, keep: bool = True) -> None:
        """Keep the results that stand in their place, move the rest beside them, and go on from there."""
        if keep and self._next is not None:
            part = self._beside.with_name(f"{self._beside.name}.part")
            with part.open("wb") as aside:
                aside.writelines(self._rest())
                aside.flush()
                os.fsync(aside.fileno())
            part.replace(self._beside)
        self._file.seek(self._kept)
        self._file.truncate()
        self._sync()
        self._old = self._beside.open("rb") if self._beside.exists() else None
        self._next = self._read()

    def _rest(self) -> Iterator[bytes]:
        """The results that do not stand in their place, those of the run before the last behind them."""
        last = 0
        while self._next is not None:
            last = self._next.record.line
            yield self._next.raw
            self._next = self._read()
        if self._beside.exists():
            with self._beside.open("rb") as self._old:
                while (found := self._read()) is not None:
                    if found.record.line > last:
                        yield found.raw

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced_at = monotonic()


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
