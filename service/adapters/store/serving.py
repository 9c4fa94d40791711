"""Which processes are at a database: one server at most, and all that work on its rows.

Each holds a file beside the database locked for as long as it lives: the kernel frees the lock when the process dies,
by `kill -9` too. What is written in such a file is for people; only the lock counts.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Self

from service.adapters.store.sqlite import database_path, store_errors
from service.core.errors import BadSettings

if sys.platform == "win32":
    import msvcrt

    _BEHIND = 1 << 30
    """Where the locked byte is, behind what is written: a locked byte cannot be read by others."""

    def _lock(file: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - there are no shared locks
        """Lock an open file until it is closed; False where another holds it."""
        os.lseek(file, _BEHIND, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(file: int, *, shared: bool = False) -> bool:
        """Lock an open file until it is closed; False where another holds it."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_MOST_TRIES = 1000
"""To become known among others that come and go."""


@contextmanager
def serving(url: str) -> Iterator[None]:
    """Be the server of a database, which one process at a time is.

    Args:
        url: of the database.

    Raises:
        BadSettings: another process is, or the URL is not that of an SQLite file.
        StoreUnavailable: the lock cannot be made.
    """
    database = database_path(url)
    path = database.with_name(f"{database.name}.server")
    with store_errors(f"The lock beside the database, {path},"):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with store_errors(f"The lock beside the database, {path},"):
            is_ours = _lock(file)
        if not is_ours:
            who = os.read(file, 200).decode(errors="replace").strip() or "another process"
            raise BadSettings(
                f"{database} is served already, by {who}; two servers would do the same work twice. Stop that one, or "
                "name another file in PRECIS_DATABASE_URL."
            )
        _write(file, f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
        yield
        _write(file, "")
    finally:
        os.close(file)


def _write(file: int, text: str) -> None:
    """Write into a lock file; a full disk does not keep a server from its work."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, text.encode())


class Worker:
    """A process that works on rows of a database, known by a name for as long as it lives."""

    def __init__(self, path: Path, file: int) -> None:
        self.name = path.name
        self._path = path
        self._file = file

    @classmethod
    def enter(cls, database: Path) -> Self:
        """Become known; raises OSError where the lock cannot be made."""
        for left in reversed(range(_MOST_TRIES)):
            path = _folder(database) / f"{os.getpid()}-{token_hex(4)}"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            except (FileNotFoundError, FileExistsError):
                # the last one to leave takes the folder along
                if not left:
                    raise
                continue
            # who looks before it is locked takes it for one that was left behind, and removes it
            if _lock(file) and path.exists():
                return cls(path, file)
            os.close(file)
        raise OSError(errno.EAGAIN, "other processes come, look and go all the time")

    def leave(self) -> None:
        """Be known no more: whatever is left undone is anybody's."""
        os.close(self._file)
        with suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()


def living(database: Path) -> frozenset[str]:
    """The names of those who work on a database now."""
    folder = _folder(database)
    try:
        return frozenset(path.name for path in folder.iterdir() if _is_held(path))
    except FileNotFoundError:
        return frozenset()


def _is_held(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # not ours to judge
    try:
        if not _lock(file, shared=True):
            return True
        with suppress(OSError):
            path.unlink()
        return False
    finally:
        os.close(file)


def _folder(database: Path) -> Path:
    return database.with_name(f"{database.name}.workers")
