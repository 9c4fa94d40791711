"""Summaries and the texts they were made from, in one SQLite file.

A summary that was added is on the disk when `add` returns. Every query names the tenant.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.adapters.store import keys
from service.adapters.store.database import Database, of_none_of
from service.adapters.store.rows import (
    FOR_EVER,
    NO_TIME,
    SUSPECT_TRIES,
    UNFINISHED,
    Failure,
    Keep,
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
from service.adapters.store.tables import (
    ALONE,
    DOCUMENT,
    LISTED,
    UNUSED,
    WORKED_ON,
    Moment,
    completion_uses,
    completions,
    documents,
    given,
    same,
    summaries,
    values,
)
from service.core.types import Document, SummaryResult


class Store(Database):
    """Summaries and their documents."""

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
                made = await keys.claim(connection, summary.tenant, key, summary.id, summary.created_at)
                if made != summary.id:
                    return made
            await self.insert(connection, (summary, texts))
        return summary.id

    async def insert(self, connection: AsyncConnection, *made: tuple[StoredSummary, Sequence[Document]]) -> None:
        """Store summaries with their documents, as a part of a transaction."""
        rows = [row for summary, texts in made for row in _document_rows(summary, texts)]
        await connection.execute(summaries.insert(), [_row(summary, self.owner) for summary, _ in made])
        if rows:
            await connection.execute(documents.insert(), rows)

    async def made_under(self, tenant: str, key: Key) -> str | None:
        """The id of what was made under a key and is still there.

        Raises:
            KeyReused: another request was made under the key.
        """
        async with self.reading() as connection:
            return await keys.made_under(connection, tenant, key)

    async def forget_keys(self, before: datetime) -> int:
        """Forget the keys of before a moment under which there is nothing any more; returns how many."""
        async with self.writes() as connection:
            return await keys.forget(connection, before)

    async def get(self, tenant: str, summary: str) -> StoredSummary | None:
        """Read a summary with its result."""
        async with self.reading() as connection:
            row = (await connection.execute(_GET, values(tenant=tenant, id=summary))).one_or_none()
        return None if row is None else read_summary(row)

    async def documents(self, tenant: str, summary: str) -> tuple[Document, ...]:
        """Read the documents of a summary in the order in which they were given; none whose texts were deleted."""
        async with self.reading() as connection:
            rows = await connection.execute(_DOCUMENTS, values(tenant=tenant, summary_id=summary))
            return tuple(Document(**row._asdict()) for row in rows)

    async def document(self, tenant: str, summary: str, document: str) -> Document | None:
        """Read one document of a summary; None where its text was deleted."""
        query = sa.select(*DOCUMENT).where(*of(tenant, summary), documents.c.id == document, _THERE)
        async with self.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Document(**row._asdict())

    async def has_document(self, tenant: str, summary: str, document: str) -> bool:
        """Whether a summary has such a document, its text deleted or not."""
        query = sa.select(documents.c.id).where(*of(tenant, summary), documents.c.id == document)
        async with self.reading() as connection:
            return (await connection.execute(query)).one_or_none() is not None

    async def start(self, tenant: str, summary: str, at: datetime) -> StoredSummary | None:
        """Mark an unfinished summary as running, count the try, and give it; `started_at` keeps the first start.

        None when there is none, when it is to be cancelled, or when another process that lives works on it.
        """
        worked_on = values(tenant=tenant, id=summary, owner=self.owner, started_at=at, others=self.others())
        async with self.writes() as connection:
            row = (await connection.execute(_START, worked_on)).one_or_none()
        return None if row is None else read_summary(row)

    async def adopt(self) -> None:
        """Make every unfinished summary that no living process works on one of this process."""
        query = sa.update(summaries).where(summaries.c.status.in_(UNFINISHED), self.left(summaries))
        async with self.writes() as connection:
            await connection.execute(query.values(owner=self.owner))

    async def put_back(self, tenant: str, summary: str) -> bool:
        """Leave a summary that this process works on for the next start; that is no try."""
        tries = sa.case((summaries.c.tries > 0, summaries.c.tries - 1), else_=0)
        query = sa.update(summaries).where(*named(tenant, summary), summaries.c.status.in_(("running", "waiting")))
        # one that another process had begun and this one had not yet keeps its try
        query = query.where(summaries.c.owner == self.owner)
        return await self._change(query.values(status="queued", owner=None, next_attempt_at=None, tries=tries))

    async def hold(self, tenant: str, summary: str, until: datetime) -> bool:
        """Mark a summary that is worked on as waiting for the endpoint."""
        return await self._move(tenant, summary, ("running", "waiting"), status="waiting", next_attempt_at=until)

    async def go_on(self, tenant: str, summary: str) -> bool:
        """Mark a summary that waited as running."""
        return await self._move(tenant, summary, ("waiting",), status="running", next_attempt_at=None)

    async def cancelling(self, tenant: str, summary: str) -> bool:
        """Mark an unfinished summary as being cancelled: from now on its result is not stored."""
        query = sa.update(summaries).where(*named(tenant, summary), summaries.c.status.in_(UNFINISHED))
        return await self._change(query.values(status="cancelling", next_attempt_at=None))

    async def _move(self, tenant: str, summary: str, states: Sequence[str], **values: object) -> bool:
        """Change a row that this process works on or may take up."""
        query = sa.update(summaries).where(*named(tenant, summary), summaries.c.status.in_(states))
        return await self._change(query.where(self.free(summaries)).values(values))

    async def finish(
        self,
        tenant: str,
        summary: str,
        *,
        status: Outcome,
        result: SummaryResult | None = None,
        error: Failure | None = None,
        at: datetime,
        keep: Keep = FOR_EVER,
    ) -> bool:
        """Store what became of an unfinished summary.

        Args:
            tenant: whose it is.
            summary: its id.
            status: that it ends with.
            result: of it.
            error: why there is none.
            at: the moment.
            keep: how long. Texts that are not kept at all are deleted with this; those of a trial go with its
                comparison.

        Returns:
            False, and nothing changes, when it is finished or deleted, or when another process works on it; one that
            is being cancelled takes no other end.
        """
        ended = values(
            tenant=tenant,
            id=summary,
            status=status,
            result=as_json(result),
            error=as_json(error),
            finished_at=at,
            expires_at=keep.expires_at(at),
        )
        if status != "cancelled":
            ended |= values(others=self.others())
        async with self.writes(empty_log=keep.texts == NO_TIME) as connection:
            if (await connection.execute(_CANCELLED if status == "cancelled" else _FINISH, ended)).rowcount != 1:
                return False
            if keep.texts == NO_TIME:
                of_none = summaries.c.comparison.is_(None)
                await self.purge(connection, sa.and_(*named(tenant, summary), of_none), at)
        return True

    async def purge(self, connection: AsyncConnection, which: sa.ColumnElement[bool], at: datetime) -> int:
        """Delete the texts of the documents of summaries, as a part of a transaction; returns of how many.

        What is known of the documents apart from their texts stays.
        """
        which = sa.and_(which, summaries.c.purged_at.is_(None))
        own = sa.select(summaries.c.tenant, summaries.c.id).where(which)
        texts = sa.update(documents).where(sa.tuple_(documents.c.tenant, documents.c.summary_id).in_(own))
        await connection.execute(texts.values(text=""))
        return (await connection.execute(sa.update(summaries).where(which).values(purged_at=at))).rowcount

    async def delete(self, tenant: str, summary: str) -> bool:
        """Delete a summary with its documents and result, and the completions that nobody else uses. False for none."""
        async with self.writes(empty_log=True) as connection:
            return await self.remove(connection, tenant, (summary,)) == 1

    async def remove(self, connection: AsyncConnection, tenant: str, which: Iterable[str]) -> int:
        """Delete summaries with all that belongs to them and nobody else, as a part of a transaction.

        Returns how many there were.
        """
        gone = tuple(which)
        named_so = (summaries.c.tenant == tenant, summaries.c.id.in_(gone))
        uses = (completion_uses.c.key, completion_uses.c.repetition)
        query = sa.select(*uses).where(completion_uses.c.tenant == tenant, completion_uses.c.summary_id.in_(gone))
        used = [tuple(row) for row in await connection.execute(query.distinct())]
        removed = (await connection.execute(sa.delete(summaries).where(*named_so))).rowcount
        # after their uses, which went with the summaries
        for at in range(0, len(used), _MOST_BOUND):
            unused = sa.delete(completions).where(_KEY.in_(used[at : at + _MOST_BOUND]), UNUSED)
            await connection.execute(unused.where(completions.c.tenant == tenant))
        await keys.free(connection, tenant, *gone)
        return removed

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

    async def unfinished(self) -> tuple[tuple[str, str, int], ...]:
        """Name the unfinished summaries by tenant and id, with their tries, oldest first.

        Those of other living processes are not among them; trials and lines of batches go with these, but for lines
        that are suspect.
        """
        # over all tenants: the one who asks is the service itself, which starts again what it had accepted
        query = sa.select(summaries.c.tenant, summaries.c.id, summaries.c.tries)
        suspect_line = sa.and_(summaries.c.batch.is_not(None), summaries.c.tries >= SUSPECT_TRIES)
        query = query.where(summaries.c.status.in_(UNFINISHED), sa.or_(sa.and_(*ALONE), suspect_line))
        query = query.where(self.free(summaries))
        query = query.order_by(summaries.c.created_at, summaries.c.id)
        async with self.reading() as connection:
            return tuple((row.tenant, row.id, row.tries) for row in await connection.execute(query))

    async def _change(self, query: sa.Update) -> bool:
        async with self.writes() as connection:
            return (await connection.execute(query)).rowcount == 1


def _row(summary: StoredSummary, owner: str | None) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(summary),
        "owner": owner,
        "options": as_json(summary.options),
        "conditions": as_json(summary.conditions),
        "result": as_json(summary.result),
        "error": as_json(summary.error),
    }


def _document_rows(summary: StoredSummary, texts: Sequence[Document]) -> list[dict[str, object]]:
    return [
        {
            **msgspec.structs.asdict(document),
            "tenant": summary.tenant,
            "summary_id": summary.id,
            "position": position,
            "sha256": hashlib.sha256(document.text.encode()).hexdigest(),
        }
        for position, document in enumerate(texts)
    ]


_MOST_BOUND = 1_000
"""Keys in one statement: SQLite bounds the values that it is given."""
_KEY = sa.tuple_(completions.c.key, completions.c.repetition)
_THERE = sa.exists().where(
    summaries.c.tenant == documents.c.tenant, summaries.c.id == documents.c.summary_id, summaries.c.purged_at.is_(None)
)
"""Of documents whose texts are there."""


_ONE = same((summaries.c.tenant, summaries.c.id))
_FREE = of_none_of(summaries, sa.bindparam("_others", expanding=True))
_GET = sa.select(summaries).where(*_ONE)
_DOCUMENTS = (
    sa.select(*DOCUMENT)
    .where(*same((documents.c.tenant, documents.c.summary_id)), _THERE)
    .order_by(documents.c.position)
)
_START = (
    sa.update(summaries)
    .where(*_ONE, WORKED_ON, _FREE)
    .values(
        status="running",
        owner=given(summaries.c.owner),
        started_at=sa.func.coalesce(summaries.c.started_at, given(summaries.c.started_at)),
        next_attempt_at=None,
        tries=summaries.c.tries + 1,
    )
    .returning(summaries)
)
_ENDED = tuple(summaries.c[name] for name in ("status", "result", "error", "finished_at", "expires_at"))
_END = sa.update(summaries).values(
    {summaries.c.next_attempt_at: None, summaries.c.owner: None, **{column: given(column) for column in _ENDED}}
)
_FINISH = _END.where(*_ONE, WORKED_ON, _FREE)
_CANCELLED = _END.where(*_ONE, summaries.c.status == "cancelling")


def named(tenant: str, summary: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which row of `summaries`."""
    return summaries.c.tenant == tenant, summaries.c.id == summary


def of(tenant: str, summary: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which rows of `documents`."""
    return documents.c.tenant == tenant, documents.c.summary_id == summary
