"""Summaries and the texts they were made from, in one SQLite file. Tables and queries are portable; `listen` is not.

A summary that was added is on the disk when `add` returns. Every query names the tenant.
"""

import asyncio
import base64
import hashlib
import logging
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Dialect, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from service.adapters.migrations import BUSY_TIMEOUT_S, migrate, use_wal
from service.core.errors import BadSettings, FieldError, InternalError, InvalidRequest, StoreUnavailable
from service.core.types import Document, Options, SummaryResult, Value

Status = Literal["queued", "running", "succeeded", "failed"]
UNFINISHED = ("queued", "running")
WAL_LIMIT_BYTES = 4 * 1024 * 1024


class Failure(Value, frozen=True, kw_only=True):
    """Why a summary failed: the fields of the error that ended it."""

    code: str
    status: int
    title: str
    detail: str


class StoredSummary(Value, frozen=True, kw_only=True):
    """A row of `summaries`. Times are aware and in UTC."""

    tenant: str
    id: str
    status: Status
    options: Options
    created_at: datetime
    result: SummaryResult | None = None
    """Missing in the rows of a `Page`, whatever became of the summary: a listing reads no results."""
    error: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Page(Value, frozen=True, kw_only=True):
    """A part of a listing, newest first."""

    data: tuple[StoredSummary, ...]
    next_cursor: str | None
    """Give it as `after` to read on; missing on the last page."""


def new_id() -> str:
    """Make an id for a summary: `sum_` and 26 characters, the time first, so that ids sort by it."""
    moment = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    return "sum_" + base64.b32hexencode(moment + secrets.token_bytes(10)).decode().rstrip("=").lower()


def as_text(moment: datetime) -> str:
    """Write an aware moment as ISO 8601 in UTC with microseconds and `Z`, which sorts as text.

    >>> as_text(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01T12:00:00.000000Z'
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be stored; pass one that has it, such as UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


# --- tables ----------------------------------------------------------------------------------------------------------


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware moment kept as text: SQLite has no time zones, and the same text compares alike in every database."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write it."""
        return None if value is None else as_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read it."""
        return None if value is None else datetime.fromisoformat(value)


def tenant_column() -> sa.Column[str]:
    """Make the column that every table has first in its key."""
    return sa.Column("tenant", sa.Text, primary_key=True, nullable=False, server_default="local")


metadata = sa.MetaData()
# bodies come last: SQLite reads a row from its front, and a listing stops before them
summaries = sa.Table(
    "summaries",
    metadata,
    tenant_column(),
    sa.Column("id", sa.Text, primary_key=True, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.Text),
    sa.Index("summaries_newest", "tenant", "created_at", "id"),
    sa.Index("summaries_by_status", "status", "created_at", "id"),
)
documents = sa.Table(
    "documents",
    metadata,
    tenant_column(),
    sa.Column("summary_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("id", sa.Text, primary_key=True, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("published_at", sa.Text),
    sa.Column("language", sa.Text),
    sa.Column("text", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant", "summary_id"], ["summaries.tenant", "summaries.id"], name="documents_summary", ondelete="CASCADE"
    ),
)
LISTED = [column for column in summaries.c if column.name != "result"]
DOCUMENT = [documents.c[name] for name in Document.__struct_fields__]


# --- errors ----------------------------------------------------------------------------------------------------------

ADVICE = {
    sqlite3.SQLITE_BUSY: f"Another process kept it locked for over {BUSY_TIMEOUT_S} s: try again, or end that process.",
    sqlite3.SQLITE_FULL: "Free space on its disk and try again.",
    sqlite3.SQLITE_READONLY: "Make the file and its folder writable for the user that the service runs as.",
    sqlite3.SQLITE_CANTOPEN: "See that its folder is there and writable for the user that the service runs as.",
    sqlite3.SQLITE_NOTADB: "Move the file aside, or name another one in PRECIS_DATABASE_URL.",
    sqlite3.SQLITE_CORRUPT: "Stop the service and restore the file from a backup.",
    sqlite3.SQLITE_IOERR: "Check its disk and try again.",
}


def advice(cause: BaseException | None) -> str:
    """Say what to do about an error of the driver."""
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
        raise StoreUnavailable(f"{what} could not be used: {reason}. {advice(cause)}") from error


# --- opening ---------------------------------------------------------------------------------------------------------

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
        if statement := connection.get_execution_options().get(BEGIN, "BEGIN"):
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
    return Path(str(parsed.database)).absolute()


def prepare(path: Path) -> None:
    """Make the file, or bring it up to date. Processes that do so at the same time wait for one another."""
    use_wal(path)
    engine = sa.create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool, hide_parameters=True)
    # foreign keys stay off: a migration that rebuilds `summaries` drops the old one, which would cascade
    listen(engine, *PRAGMAS)
    with engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
        migrate(connection, path)


# --- cursors and rows ------------------------------------------------------------------------------------------------


def cursor_after(row: StoredSummary) -> str:
    """Write the place after a row of a listing; opaque to callers."""
    return base64.urlsafe_b64encode(f"{as_text(row.created_at)}|{row.id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Read a place in a listing. Raises InvalidRequest when it was not written by `cursor_after`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        moment, _, summary = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
        as_written = as_text(created_at) == moment and summary.isprintable() and summary != ""
    except (ValueError, OverflowError):
        as_written = False
    if not as_written:
        detail = (
            "The cursor is not one of this service's. Give a next_cursor as it was, or none to start from the newest."
        )
        raise InvalidRequest(detail, errors=(FieldError("cursor", detail),))
    return created_at, summary


def read_summary(row: sa.Row[Any]) -> StoredSummary:
    """Read a row of `summaries`. Raises InternalError when this version does not understand it."""
    fields = row._asdict()
    kinds = {"options": Options, "error": Failure, "result": SummaryResult}
    try:
        bodies = {
            name: msgspec.json.decode(fields[name], type=kind) for name, kind in kinds.items() if fields.get(name)
        }
    except msgspec.MsgspecError as error:
        raise InternalError(
            f"Summary {fields['id']} is stored in a form that this version does not read, although the database is of "
            "this version. Delete it and submit it again; report this."
        ) from error
    return StoredSummary(**{**fields, **bodies})


def as_json(value: Value | None) -> str | None:
    """Write a value as JSON text."""
    return None if value is None else msgspec.json.encode(value).decode()


# --- the store -------------------------------------------------------------------------------------------------------


class Store:
    """Summaries and their documents. Every method raises StoreUnavailable when the database fails."""

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self._path = path
        self._engine = engine
        self._writer = engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
        self._outside = engine.execution_options(**{BEGIN: ""})
        # waiting in turn is fairer than SQLite's polling, and does not hold a connection each
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the file, new or older; it is made or migrated first, and copied aside before it is migrated.

        Args:
            url: `sqlite:///path` or `sqlite+aiosqlite:///path`.

        Raises:
            BadSettings: the URL is another one.
            StoreUnavailable: the file cannot be used, or a newer version wrote it.
        """
        path = database_path(url)
        # at debug, aiosqlite logs every statement with its parameters: the text of documents
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        with store_errors(f"The database {path}"):
            await asyncio.to_thread(prepare, path)
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), hide_parameters=True)
        listen(engine.sync_engine, *PRAGMAS, "foreign_keys = ON")
        return cls(path, engine)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def ping(self) -> None:
        """Read from the database."""
        async with self._reading() as connection:
            await connection.execute(sa.select(summaries.c.id).limit(1))

    async def add(self, summary: StoredSummary, texts: Sequence[Document]) -> None:
        """Store a summary with its documents, in their order, in one transaction."""
        row = {
            **msgspec.structs.asdict(summary),
            "options": as_json(summary.options),
            "result": as_json(summary.result),
            "error": as_json(summary.error),
        }
        rows = [
            {
                **msgspec.structs.asdict(document),
                "tenant": summary.tenant,
                "summary_id": summary.id,
                "position": position,
                "sha256": hashlib.sha256(document.text.encode()).hexdigest(),
            }
            for position, document in enumerate(texts)
        ]
        async with self._writes() as connection:
            await connection.execute(summaries.insert(), row)
            if rows:
                await connection.execute(documents.insert(), rows)

    async def get(self, tenant: str, summary: str) -> StoredSummary | None:
        """Read a summary with its result."""
        async with self._reading() as connection:
            row = (await connection.execute(sa.select(summaries).where(*named(tenant, summary)))).one_or_none()
        return None if row is None else read_summary(row)

    async def documents(self, tenant: str, summary: str) -> tuple[Document, ...]:
        """Read the documents of a summary in the order in which they were given."""
        query = sa.select(*DOCUMENT).where(*of(tenant, summary)).order_by(documents.c.position)
        async with self._reading() as connection:
            return tuple(Document(**row._asdict()) for row in await connection.execute(query))

    async def document(self, tenant: str, summary: str, document: str) -> Document | None:
        """Read one document of a summary."""
        query = sa.select(*DOCUMENT).where(*of(tenant, summary), documents.c.id == document)
        async with self._reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Document(**row._asdict())

    async def start(self, tenant: str, summary: str, at: datetime) -> bool:
        """Mark an unfinished summary as running; `started_at` keeps the first start. False when there is none."""
        query = sa.update(summaries).where(*named(tenant, summary), summaries.c.status.in_(UNFINISHED))
        started_at = sa.func.coalesce(summaries.c.started_at, sa.literal(at, Moment))
        return await self._change(query.values(status="running", started_at=started_at))

    async def finish(
        self,
        tenant: str,
        summary: str,
        *,
        status: Literal["succeeded", "failed"],
        result: SummaryResult | None = None,
        error: Failure | None = None,
        at: datetime,
    ) -> bool:
        """Store what became of an unfinished summary. False, and nothing changes, when it is finished or deleted."""
        query = sa.update(summaries).where(*named(tenant, summary), summaries.c.status.in_(UNFINISHED))
        return await self._change(
            query.values(status=status, result=as_json(result), error=as_json(error), finished_at=at)
        )

    async def delete(self, tenant: str, summary: str) -> bool:
        """Delete a summary, its result and its documents from the file and its log. False when there is none."""
        return await self._change(sa.delete(summaries).where(*named(tenant, summary)), empty_log=True)

    async def page(self, tenant: str, *, limit: int, after: str | None = None, status: Status | None = None) -> Page:
        """List summaries without their results, newest first.

        Raises:
            InvalidRequest: `after` is not a cursor of this service.
        """
        place = sa.tuple_(summaries.c.created_at, summaries.c.id)
        query = sa.select(*LISTED).where(summaries.c.tenant == tenant)
        if status is not None:
            query = query.where(summaries.c.status == status)
        if after is not None:
            created_at, last = read_cursor(after)
            query = query.where(place < sa.tuple_(sa.literal(created_at, Moment), sa.literal(last)))
        query = query.order_by(summaries.c.created_at.desc(), summaries.c.id.desc()).limit(limit + 1)
        async with self._reading() as connection:
            rows = tuple(read_summary(row) for row in await connection.execute(query))
        data = rows[:limit]
        return Page(data=data, next_cursor=cursor_after(data[-1]) if len(rows) > limit else None)

    async def unfinished(self) -> tuple[tuple[str, str], ...]:
        """Name the queued and running summaries by tenant and id, oldest first."""
        # over all tenants: the one who asks is the service itself, which starts again what it had accepted
        query = sa.select(summaries.c.tenant, summaries.c.id).where(summaries.c.status.in_(UNFINISHED))
        query = query.order_by(summaries.c.created_at, summaries.c.id)
        async with self._reading() as connection:
            return tuple((row.tenant, row.id) for row in await connection.execute(query))

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with store_errors("The database"):
            see(self._path)
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def _writes(self, *, empty_log: bool = False) -> AsyncIterator[AsyncConnection]:
        async with self._writing:
            with store_errors("The database"):
                see(self._path)
                async with self._writer.begin() as connection:
                    yield connection
            # what was written is committed and safe already; should this fail, the next write tries again
            with suppress(exc.DBAPIError, exc.TimeoutError, OSError):
                if empty_log or log_bytes(self._path) > WAL_LIMIT_BYTES:
                    await self._empty_log()

    async def _change(self, query: sa.Update | sa.Delete, *, empty_log: bool = False) -> bool:
        async with self._writes(empty_log=empty_log) as connection:
            return (await connection.execute(query)).rowcount == 1

    async def _empty_log(self) -> None:
        async with self._outside.connect() as connection:
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def named(tenant: str, summary: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which row of `summaries`."""
    return summaries.c.tenant == tenant, summaries.c.id == summary


def of(tenant: str, summary: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which rows of `documents`."""
    return documents.c.tenant == tenant, documents.c.summary_id == summary


def see(path: Path) -> None:
    """Raise OSError when the file is gone: SQLite would go on writing into it without a word."""
    path.stat()


def log_bytes(path: Path) -> int:
    """Measure the write-ahead log."""
    return path.with_name(f"{path.name}-wal").stat().st_size
