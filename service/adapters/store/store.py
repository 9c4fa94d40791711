"""Summaries and the texts they were made from, in one SQLite file.

A summary that was added is on the disk when `add` returns. Every query names the tenant.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.adapters.store.rows import (
    UNFINISHED,
    Failure,
    Key,
    Outcome,
    Page,
    Status,
    StoredSummary,
    as_json,
    cursor_after,
    read_cursor,
    read_summary,
)
from service.adapters.store.sqlite import (
    BEGIN,
    PRAGMAS,
    WAL_LIMIT_BYTES,
    database_path,
    listen,
    log_bytes,
    prepare,
    see,
    store_errors,
)
from service.adapters.store.tables import (
    ALONE,
    DOCUMENT,
    LISTED,
    Moment,
    completion_uses,
    completions,
    documents,
    idempotency,
    summaries,
)
from service.core.errors import KeyReused
from service.core.types import Document, SummaryResult


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
        async with self.reading() as connection:
            await connection.execute(sa.select(summaries.c.id).limit(1))

    async def add(self, summary: StoredSummary, texts: Sequence[Document], *, key: Key | None = None) -> str:
        """Store a summary with its documents, in their order, in one transaction; returns its id.

        Args:
            summary: to be stored.
            texts: its documents.
            key: that it is made under; where something was made under it before, nothing is stored, and the id of that
                is returned.

        Raises:
            KeyReused: another request was made under the key.
        """
        async with self.writes() as connection:
            if key is not None:
                made = await claim(connection, summary.tenant, key, summary.id, summary.created_at)
                if made != summary.id:
                    return made
            await self.insert(connection, summary, texts)
        return summary.id

    async def insert(self, connection: AsyncConnection, summary: StoredSummary, texts: Sequence[Document]) -> None:
        """Store a summary with its documents, as a part of a transaction."""
        row = {
            **msgspec.structs.asdict(summary),
            "options": as_json(summary.options),
            "conditions": as_json(summary.conditions),
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
        await connection.execute(summaries.insert(), row)
        if rows:
            await connection.execute(documents.insert(), rows)

    async def get(self, tenant: str, summary: str) -> StoredSummary | None:
        """Read a summary with its result."""
        async with self.reading() as connection:
            row = (await connection.execute(sa.select(summaries).where(*named(tenant, summary)))).one_or_none()
        return None if row is None else read_summary(row)

    async def documents(self, tenant: str, summary: str) -> tuple[Document, ...]:
        """Read the documents of a summary in the order in which they were given."""
        query = sa.select(*DOCUMENT).where(*of(tenant, summary)).order_by(documents.c.position)
        async with self.reading() as connection:
            return tuple(Document(**row._asdict()) for row in await connection.execute(query))

    async def document(self, tenant: str, summary: str, document: str) -> Document | None:
        """Read one document of a summary."""
        query = sa.select(*DOCUMENT).where(*of(tenant, summary), documents.c.id == document)
        async with self.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Document(**row._asdict())

    async def start(self, tenant: str, summary: str, at: datetime) -> bool:
        """Mark an unfinished summary as running, and count the try; `started_at` keeps the first start.

        False when there is none, or when it is to be cancelled.
        """
        begun = ("queued", "running", "waiting")
        started_at = sa.func.coalesce(summaries.c.started_at, sa.literal(at, Moment))
        return await self._move(
            tenant,
            summary,
            begun,
            status="running",
            started_at=started_at,
            next_attempt_at=None,
            tries=summaries.c.tries + 1,
        )

    async def put_back(self, tenant: str, summary: str) -> bool:
        """Leave a summary that is worked on for the next start; that is no try."""
        tries = sa.case((summaries.c.tries > 0, summaries.c.tries - 1), else_=0)
        return await self._move(tenant, summary, ("running", "waiting"), status="queued", tries=tries)

    async def hold(self, tenant: str, summary: str, until: datetime) -> bool:
        """Mark a summary that is worked on as waiting for the endpoint."""
        return await self._move(tenant, summary, ("running", "waiting"), status="waiting", next_attempt_at=until)

    async def go_on(self, tenant: str, summary: str) -> bool:
        """Mark a summary that waited as running."""
        return await self._move(tenant, summary, ("waiting",), status="running", next_attempt_at=None)

    async def cancelling(self, tenant: str, summary: str) -> bool:
        """Mark an unfinished summary as being cancelled: from now on its result is not stored."""
        return await self._move(tenant, summary, UNFINISHED, status="cancelling", next_attempt_at=None)

    async def _move(self, tenant: str, summary: str, states: Sequence[str], **values: object) -> bool:
        query = sa.update(summaries).where(*named(tenant, summary), summaries.c.status.in_(states))
        return await self._change(query.values(values))

    async def finish(
        self,
        tenant: str,
        summary: str,
        *,
        status: Outcome,
        result: SummaryResult | None = None,
        error: Failure | None = None,
        at: datetime,
        expires_at: datetime | None = None,
    ) -> bool:
        """Store what became of an unfinished summary.

        False, and nothing changes, when it is finished or deleted; one that is being cancelled takes no other end.
        """
        states = ("cancelling",) if status == "cancelled" else ("queued", "running", "waiting")
        return await self._move(
            tenant,
            summary,
            states,
            status=status,
            result=as_json(result),
            error=as_json(error),
            finished_at=at,
            next_attempt_at=None,
            expires_at=expires_at,
        )

    async def delete(self, tenant: str, summary: str) -> bool:
        """Delete a summary with its documents and result, and the completions that nobody else uses. False for none."""
        async with self.writes(empty_log=True) as connection:
            found = (await connection.execute(sa.delete(summaries).where(*named(tenant, summary)))).rowcount == 1
            if found:
                await self.sweep(connection, tenant)
        return found

    async def sweep(self, connection: AsyncConnection, tenant: str) -> None:
        """Delete the completions that no summary uses any more, as a part of a transaction."""
        unused = ~sa.exists().where(
            completion_uses.c.tenant == completions.c.tenant,
            completion_uses.c.key == completions.c.key,
            completion_uses.c.repetition == completions.c.repetition,
        )
        await connection.execute(sa.delete(completions).where(completions.c.tenant == tenant, unused))

    async def page(self, tenant: str, *, limit: int, after: str | None = None, status: Status | None = None) -> Page:
        """List summaries without their results, newest first; the trials of comparisons are not among them.

        Raises:
            InvalidRequest: `after` is not a cursor of this service.
        """
        place = sa.tuple_(summaries.c.created_at, summaries.c.id)
        query = sa.select(*LISTED).where(summaries.c.tenant == tenant, *ALONE)
        if status is not None:
            query = query.where(summaries.c.status == status)
        if after is not None:
            created_at, last = read_cursor(after)
            query = query.where(place < sa.tuple_(sa.literal(created_at, Moment), sa.literal(last)))
        query = query.order_by(summaries.c.created_at.desc(), summaries.c.id.desc()).limit(limit + 1)
        async with self.reading() as connection:
            rows = tuple(read_summary(row) for row in await connection.execute(query))
        data = rows[:limit]
        return Page(data=data, next_cursor=cursor_after(data[-1]) if len(rows) > limit else None)

    async def unfinished(self) -> tuple[tuple[str, str], ...]:
        """Name the unfinished summaries by tenant and id, oldest first; trials and lines of batches go with these."""
        # over all tenants: the one who asks is the service itself, which starts again what it had accepted
        query = sa.select(summaries.c.tenant, summaries.c.id)
        query = query.where(summaries.c.status.in_(UNFINISHED), *ALONE)
        query = query.order_by(summaries.c.created_at, summaries.c.id)
        async with self.reading() as connection:
            return tuple((row.tenant, row.id) for row in await connection.execute(query))

    async def queued_lines(self, most: int) -> tuple[tuple[str, str], ...]:
        """Name queued summaries that are lines of batches, by tenant and id, oldest first."""
        query = sa.select(summaries.c.tenant, summaries.c.id)
        query = query.where(summaries.c.status == "queued", summaries.c.batch.is_not(None))
        query = query.order_by(summaries.c.created_at, summaries.c.id).limit(most)
        async with self.reading() as connection:
            return tuple((row.tenant, row.id) for row in await connection.execute(query))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with."""
        with store_errors("The database"):
            see(self._path)
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writes(self, *, empty_log: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection in a write transaction, committed at the end; the log is emptied when it is long, or asked."""
        async with self._writing:
            with store_errors("The database"):
                see(self._path)
                async with self._writer.begin() as connection:
                    yield connection
            # what was written is committed and safe already; should this fail, the next write tries again
            with suppress(exc.DBAPIError, exc.TimeoutError, OSError):
                if empty_log or log_bytes(self._path) > WAL_LIMIT_BYTES:
                    await self._empty_log()

    async def _change(self, query: sa.Update) -> bool:
        async with self.writes() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def _empty_log(self) -> None:
        async with self._outside.connect() as connection:
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


async def claim(connection: AsyncConnection, tenant: str, key: Key, resource: str, at: datetime) -> str:
    """Put a resource under a key, as a part of a transaction; returns the one that is under it.

    Raises:
        KeyReused: another request was made under the key.
    """
    query = sa.select(idempotency.c.digest, idempotency.c.resource).where(
        idempotency.c.tenant == tenant, idempotency.c.key == key.key
    )
    there = (await connection.execute(query)).one_or_none()
    if there is None:
        row = {"tenant": tenant, "key": key.key, "digest": key.digest, "resource": resource, "created_at": at}
        await connection.execute(idempotency.insert(), row)
        return resource
    if there.digest != key.digest:
        raise KeyReused(
            f"Another request was made under this Idempotency-Key, and made {there.resource}. Send this one under a new "
            "key."
        )
    return str(there.resource)


def named(tenant: str, summary: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which row of `summaries`."""
    return summaries.c.tenant == tenant, summaries.c.id == summary


def of(tenant: str, summary: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which rows of `documents`."""
    return documents.c.tenant == tenant, documents.c.summary_id == summary
