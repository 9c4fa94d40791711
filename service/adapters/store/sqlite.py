"""Everything that only SQLite knows: its file, its PRAGMAs, its transactions and its errors."""

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from service.adapters.store.driver import existing
from service.adapters.store.migrations import migrate
from service.core.errors import BadSettings, InternalError, StoreFull, StoreUnavailable

WAL_LIMIT_BYTES = 4 * 1024 * 1024
BUSY_TIMEOUT_S = 5
LOCK_TIMEOUT_S = 1
"""For a look whether the file is locked."""


# --- errors -----------------------------------------------------------------------------------------------------------

ADVICE = {
    sqlite3.SQLITE_BUSY: "Another process keeps it locked: try again, or end that process.",
    sqlite3.SQLITE_READONLY: "Make the file and its folder writable for the user that the service runs as.",
    sqlite3.SQLITE_CANTOPEN: "See that its folder is there and writable for the user that the service runs as.",
    sqlite3.SQLITE_NOTADB: "Move the file aside, or name another one in PRECIS_DATABASE_URL.",
    sqlite3.SQLITE_CORRUPT: "Stop the service and restore the file from a backup.",
    sqlite3.SQLITE_IOERR: "Check its disk and try again.",
}


_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
FULL_ADVICE = (
    "Nothing was stored. Free space on its disk; what was accepted before is kept, can be read, and goes on by itself "
    "when there is space."
)


def is_full(cause: BaseException | None) -> bool:
    """Whether an error says that there is no space left on the disk."""
    if isinstance(cause, OSError):
        return cause.errno in _NO_SPACE
    code = getattr(cause, "sqlite_errorcode", 0)
    # the memory that processes share is a file as well, and SQLite has no other word for its disk being full
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


def advice(cause: BaseException | None) -> str:
    """Say what to do about an error of the driver."""
    if isinstance(cause, PermissionError):
        return ADVICE[sqlite3.SQLITE_READONLY]
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the lowest byte; the rest only details it
    return ADVICE.get(code, "Check the file that PRECIS_DATABASE_URL names, and that the service may write to it.")


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn errors of the database and its file into errors of the service; `what` begins the message."""
    try:
        yield
    except exc.IntegrityError as error:
        raise InternalError(
            "The database refused a row because its id is taken. Nothing was stored; report this as a fault."
        ) from error
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        reason = cause.strerror if isinstance(cause, OSError) else cause
        if is_full(cause):
            raise StoreFull(f"{what} could not be written: {reason}. {FULL_ADVICE}") from error
        raise StoreUnavailable(f"{what} could not be used: {reason}. {advice(cause)}") from error


# --- opening ----------------------------------------------------------------------------------------------------------

PRAGMAS = (
    f"busy_timeout = {BUSY_TIMEOUT_S * 1000}",  # first: the next one may have to wait
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    # SQLite's own checkpoints run beside other writers, which before 3.51.3 can lose a commit; ours hold the write lock
    "wal_autocheckpoint = 0",
)
BEGIN = "sqlite_begin"
"""The execution option that names how a transaction begins; other databases do not look at it."""
BUSY = "sqlite_busy"
"""The execution option for how many seconds a connection waits for a lock from now on, where not as it always does."""


def listen(engine: Engine, *pragmas: str) -> None:
    """Set PRAGMAs on every connection and begin transactions ourselves. Everything only SQLite knows is set here."""

    def connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # the driver would begin at the first write only, too late to wait: SQLite refuses to upgrade an outdated reader
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if (busy_s := options.get(BUSY)) is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(busy_s * 1000)}")
        if statement := options.get(BEGIN, "BEGIN"):
            connection.exec_driver_sql(statement)

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)


def database_path(url: str) -> Path:
    """Read the path of the file from a database URL. Raises BadSettings when it is not that of an SQLite file."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        parsed = URL.create("nothing")
    if (
        parsed.drivername not in {"sqlite", "sqlite+aiosqlite"}
        or parsed.database in {None, "", ":memory:"}
        or parsed.host
        or parsed.query
    ):
        # the URL is not shown: it may hold a password
        raise BadSettings(
            "PRECIS_DATABASE_URL does not name an SQLite file, and nothing else is supported. Write sqlite:///a/path "
            "or sqlite:////absolute/path, or the same with sqlite+aiosqlite, without options."
        )
    # through links: the log, the lock and the copies stand beside the file itself, as SQLite puts its own
    return Path(str(parsed.database)).resolve()


def use_wal(path: Path) -> None:
    """Make the folder and the file, and switch the file to a write-ahead log."""
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder. Name a file in it in PRECIS_DATABASE_URL.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if (journal := log_of(path)).exists() and not path.exists():
        raise StoreUnavailable(
            f"{path} is not there, but its log {journal.name} is: a new database would take what is in the log from "
            "the one that was there. Put that back, or remove the log if it is not wanted any more."
        )
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        while True:
            try:
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                # SQLite does not wait by itself here, and two processes may make the file at the same time
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)
    if mode != "wal":
        raise StoreUnavailable(
            f"{path} is on a file system that cannot share memory between processes, such as a network share. "
            "Put it on a local disk and name it in PRECIS_DATABASE_URL."
        )


def prepare(path: Path) -> None:
    """Make the file, or bring it up to date. Processes that do so at the same time wait for one another."""
    use_wal(path)
    engine = sa.create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool, hide_parameters=True)
    # foreign keys stay off: a migration that rebuilds `summaries` drops the old one, which would cascade
    listen(engine, *PRAGMAS)
    with engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
        migrate(connection, path)


def identity(path: Path) -> tuple[int, int]:
    """Which file is there, whatever its name; raises OSError when none is."""
    found = path.stat()
    return found.st_dev, found.st_ino


def see(path: Path, opened: tuple[int, int]) -> None:
    """Raise when the file is not the one that was opened: SQLite would go on writing into that without a word.

    Raises:
        OSError: it is gone.
        StoreUnavailable: another one is there.
    """
    if identity(path) != opened:
        raise StoreUnavailable(
            "The database is not the file that was opened: another was put in its place. Restart the service to work "
            "with that one, or put the first back."
        )


TRIAL = ("CREATE TABLE trial (page BLOB)", "INSERT INTO trial VALUES (zeroblob(65536))", "DROP TABLE trial")
"""What is written, in one transaction, to see whether there is space again; nothing is left of it."""


def take_lock(path: Path) -> None:
    """See that the file can be read and that nobody keeps it locked; raises sqlite3.Error."""
    with closing(sqlite3.connect(existing(path), uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT version_num FROM alembic_version").fetchall()
        connection.execute("ROLLBACK")


def log_bytes(path: Path) -> int:
    """Measure the write-ahead log."""
    return log_of(path).stat().st_size


def log_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")
