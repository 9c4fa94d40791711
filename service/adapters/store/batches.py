"""Batches: many summaries that were asked for in one body, each a line of it.

A batch is seen from the moment when all of it was accepted to the moment when it is deleted. Whatever goes over all of
its lines goes a few hundred at a time, so that other writers have their turn between.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.adapters.store import keys
from service.adapters.store.rows import (
    FOR_EVER,
    NO_TIME,
    SUSPECT_TRIES,
    UNFINISHED,
    BatchPage,
    BatchStatus,
    Counts,
    Keep,
    Key,
    Refusal,
    StoredBatch,
    StoredLine,
    StoredSummary,
    as_json,
    cursor_after,
    read_cursor,
)
from service.adapters.store.store import Store
from service.adapters.store.tables import Moment, batch_lines, batches, summaries
from service.core.types import Document, Value

AT_ONCE = 200
"""Lines that one transaction is about."""

_ACCEPTING, _DELETING = "accepting", "deleting"
_SEEN = get_args(BatchStatus)
_UNSETTLED = {"running": "finished", "cancelling": "cancelled"}
"""What a batch is to become once all of its lines have ended."""
_COUNTED = {"cancelling": "running"}
"""Statuses that are counted under the name of another."""


class BatchPlace(Value, frozen=True, kw_only=True):
    """Where a batch stands in the order of batches."""

    created_at: datetime
    id: str


class Drawn(Value, frozen=True, kw_only=True):
    """Lines whose turn it is."""

    lines: tuple[tuple[str, str], ...]
    """Tenant and id of their summaries."""
    place: BatchPlace | None
    """Of the batch that was looked at last; missing where there was none."""


class BatchStore:
    """The batches of a store. Every method raises StoreUnavailable when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- accepting ---------------------------------------------------------------------------------------------------

    async def begin(self, tenant: str, batch: str, at: datetime) -> None:
        """Store a batch that is being accepted; nobody sees it yet."""
        row = {
            "tenant": tenant,
            "id": batch,
            "status": _ACCEPTING,
            "created_at": at,
            "owner": self._store.owner,
            "total": 0,
        }
        async with self._store.writes() as connection:
            await connection.execute(batches.insert(), row)

    async def extend(
        self,
        tenant: str,
        batch: str,
        lines: Sequence[StoredLine],
        own: Sequence[tuple[StoredSummary, Sequence[Document]]],
    ) -> None:
        """Store lines of a batch that is being accepted, with the summaries to be made for them."""
        rows = [
            {
                "tenant": tenant,
                "batch_id": batch,
                "position": line.line,
                "custom_id": line.custom_id,
                "summary_id": line.summary,
                "error": as_json(line.refusal),
            }
            for line in lines
        ]
        async with self._store.writes() as connection:
            if own:
                await self._store.insert(connection, *own)
            await connection.execute(batch_lines.insert(), rows)

    async def accept(self, tenant: str, batch: str, total: int, at: datetime, *, key: Key | None = None) -> str:
        """Let a batch be seen and worked on, all of it; returns its id, or that of the one that is under the key.

        Raises:
            KeyReused: another request was made under the key.
        """
        async with self._store.writes() as connection:
            if key is not None and (made := await keys.claim(connection, tenant, key, batch, at)) != batch:
                return made
            query = sa.update(batches).where(*_named(tenant, batch)).values(status="running", total=total)
            await connection.execute(query)
        return batch

    async def is_taken(self, tenant: str, key: str) -> bool:
        """Whether something that is still there was made under a key, whatever the request was."""
        async with self._store.reading() as connection:
            return await keys.is_taken(connection, tenant, key)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def get(self, tenant: str, batch: str) -> StoredBatch | None:
        """Read a batch, and count its lines."""
        query = sa.select(batches).where(*_named(tenant, batch), batches.c.status.in_(_SEEN))
        async with self._store.reading() as connection:
            found = (await connection.execute(query)).all()
            counted = await _counted(connection, tenant, found)
        return counted[0] if counted else None

    async def page(
        self, tenant: str, *, limit: int, after: str | None = None, status: BatchStatus | None = None
    ) -> BatchPage:
        """List batches with their counts, newest first.

        Raises:
            InvalidRequest: `after` is not a cursor of this service.
        """
        shown = _SEEN if status is None else (status,)
        query = sa.select(batches).where(batches.c.tenant == tenant, batches.c.status.in_(shown))
        if after is not None:
            created_at, last = read_cursor(after)
            query = query.where(_place(created_at, last) > _PLACE)
        query = query.order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit + 1)
        async with self._store.reading() as connection:
            rows = (await connection.execute(query)).all()
            data = await _counted(connection, tenant, rows[:limit])
        return BatchPage(data=data, next_cursor=cursor_after(data[-1]) if len(rows) > limit else None)

    async def lines(self, tenant: str, batch: str, *, after: int, most: int) -> tuple[StoredLine, ...]:
        """Read lines of a batch that is seen, in order, those behind line `after`, and what has become of them."""
        is_seen = sa.exists().where(*_named(tenant, batch), batches.c.status.in_(_SEEN))
        query = (
            sa.select(*_LINE)
            .join_from(batch_lines, summaries, _OF_LINE, isouter=True)
            .where(*_lines_of(tenant, batch), batch_lines.c.position > after, is_seen)
            .order_by(batch_lines.c.position)
            .limit(most)
        )
        async with self._store.reading() as connection:
            return tuple(_read_line(row) for row in await connection.execute(query))

    # --- working -----------------------------------------------------------------------------------------------------

    async def queued(self, most: int, *, after: BatchPlace | None = None) -> Drawn:
        """Lines that wait and are not suspect, a turn for each batch: behind a place first, then from the oldest.

        Lines of a batch come in the order of their ids, which is that of the body.
        """
        free = sa.and_(self._store.free(summaries), summaries.c.tries < SUSPECT_TRIES)
        async with self._store.reading() as connection:
            found = [] if after is None else await _with_queued(connection, most, free, _placed(after) < _PLACE)
            if len(found) < most:
                upto = () if after is None else (_placed(after) >= _PLACE,)
                found += await _with_queued(connection, most - len(found), free, *upto)
            turns = [await _queued_of(connection, row.tenant, row.id, most, free) for row in found]
        one_by_one = [line for line in chain.from_iterable(zip_longest(*turns)) if line is not None]
        last = found[-1] if found else None
        return Drawn(
            lines=tuple(one_by_one[:most]),
            place=BatchPlace(created_at=last.created_at, id=last.id) if last else None,
        )

    async def put_back(self) -> int:
        """Queue the lines again that a process was at when it ended; returns how many."""
        query = sa.update(summaries).where(*_WORKED_ON, self._store.left(summaries))
        query = query.values(status="queued", next_attempt_at=None)
        async with self._store.writes() as connection:
            return (await connection.execute(query)).rowcount

    async def half_cancelled(self) -> tuple[tuple[str, str], ...]:
        """Name the lines that are being cancelled, by tenant and summary, but for those of other living processes."""
        query = sa.select(summaries.c.tenant, summaries.c.id).where(*_HALF_CANCELLED, self._store.free(summaries))
        async with self._store.reading() as connection:
            return tuple((row.tenant, row.id) for row in await connection.execute(query))

    async def settle(self, at: datetime, keep: Keep = FOR_EVER) -> int:
        """Mark the batches as finished or cancelled of whose lines all have ended, with the last; returns how many.

        Args:
            at: the moment, for those without a line that was worked on.
            keep: how long.
        """
        last = sa.select(sa.func.max(summaries.c.finished_at)).where(_IN_BATCH).scalar_subquery()
        ended = sa.select(batches.c.tenant, batches.c.id, batches.c.status, last.label("last"))
        ended = ended.where(batches.c.status.in_(_UNSETTLED), ~_exists(UNFINISHED))
        async with self._store.reading() as connection:
            found = (await connection.execute(ended)).all()
        if found:
            async with self._store.writes() as connection:
                for one in found:
                    query = sa.update(batches).where(*_named(one.tenant, one.id), batches.c.status == one.status)
                    finished_at = one.last or at
                    await connection.execute(
                        query.values(
                            status=_UNSETTLED[one.status],
                            finished_at=finished_at,
                            expires_at=sa.literal(keep.expires_at(finished_at), Moment),
                        )
                    )
        return len(found)

    # --- ending ------------------------------------------------------------------------------------------------------

    async def cancelling(self, tenant: str, batch: str) -> bool:
        """Mark a batch as being cancelled: no line of it is begun any more. False where it has ended or is gone."""
        now = {"status": "cancelling", "owner": self._store.owner}
        return await self._turned(tenant, batch, ("running", "cancelling"), **now)

    async def deleting(self, tenant: str, batch: str) -> bool:
        """Mark a batch as being deleted: nobody sees it any more. False for none."""
        return await self._turned(tenant, batch, _SEEN, status=_DELETING, owner=self._store.owner)

    async def cancelled(self, tenant: str, batch: str, at: datetime, expires_at: datetime | None) -> bool:
        """Mark a batch that is being cancelled as cancelled."""
        ended = {"status": "cancelled", "finished_at": at, "expires_at": expires_at}
        return await self._turned(tenant, batch, ("cancelling",), **ended)

    async def cancel_queued(self, tenant: str, batch: str, at: datetime, keep: Keep = FOR_EVER) -> int:
        """Mark some hundred lines that nobody works on as cancelled, the next first; returns how many."""
        own = (summaries.c.tenant == tenant, summaries.c.batch == batch)
        some = sa.select(summaries.c.id).where(*own, summaries.c.status == "queued").order_by(summaries.c.id)
        async with self._store.writes(empty_log=keep.texts == NO_TIME) as connection:
            found = (await connection.execute(some.limit(AT_ONCE))).scalars().all()
            which = sa.and_(*own, summaries.c.id.in_(found))
            if found:
                ended = {"status": "cancelled", "finished_at": at, "expires_at": keep.expires_at(at), "owner": None}
                await connection.execute(sa.update(summaries).where(which).values(ended))
            if found and keep.texts == NO_TIME:
                await self._store.purge(connection, which, at)
        return len(found)

    async def working_on(self, tenant: str, batch: str) -> tuple[str, ...]:
        """Name the summaries of a batch that are worked on, some hundred at most."""
        query = sa.select(summaries.c.id).where(
            summaries.c.tenant == tenant,
            summaries.c.batch == batch,
            summaries.c.status.in_(("running", "waiting", "cancelling")),
        )
        async with self._store.reading() as connection:
            return tuple((await connection.execute(query.limit(AT_ONCE))).scalars())

    async def left(self) -> tuple[tuple[str, str, str], ...]:
        """Name the batches that a process left half accepted, cancelled or deleted: tenant, id and status."""
        states = (_ACCEPTING, "cancelling", _DELETING)
        query = sa.select(batches.c.tenant, batches.c.id, batches.c.status)
        query = query.where(batches.c.status.in_(states), self._store.left(batches))
        async with self._store.reading() as connection:
            return tuple((row.tenant, row.id, row.status) for row in await connection.execute(query))

    async def remove(self, tenant: str, batch: str) -> None:
        """Delete a batch with its lines, their summaries and texts, and the completions that nobody else uses."""
        some = sa.select(summaries.c.id).where(summaries.c.tenant == tenant, summaries.c.batch == batch).limit(AT_ONCE)
        gone = AT_ONCE
        while gone == AT_ONCE:
            async with self._store.writes() as connection:
                own = (await connection.execute(some)).scalars().all()
                gone = await self._store.remove(connection, tenant, own)
        lines = _lines_of(tenant, batch)
        some = sa.select(batch_lines.c.position).where(*lines).limit(AT_ONCE)
        query = sa.delete(batch_lines).where(*lines, batch_lines.c.position.in_(some.scalar_subquery()))
        gone = AT_ONCE
        while gone == AT_ONCE:
            async with self._store.writes() as connection:
                gone = (await connection.execute(query)).rowcount
        async with self._store.writes(empty_log=True) as connection:
            await connection.execute(sa.delete(batches).where(*_named(tenant, batch)))
            await keys.free(connection, tenant, batch)

    async def _turned(self, tenant: str, batch: str, states: Sequence[str], **values: object) -> bool:
        query = sa.update(batches).where(*_named(tenant, batch), batches.c.status.in_(states)).values(values)
        async with self._store.writes() as connection:
            return (await connection.execute(query)).rowcount == 1


_PLACE = sa.tuple_(batches.c.created_at, batches.c.id)
_IN_BATCH = sa.and_(summaries.c.tenant == batches.c.tenant, summaries.c.batch == batches.c.id)
_OF_LINE = sa.and_(summaries.c.tenant == batch_lines.c.tenant, summaries.c.id == batch_lines.c.summary_id)
_LINE = [*(batch_lines.c[name] for name in ("position", "custom_id", "summary_id", "error")), summaries.c.status]
_WORKED_ON = (summaries.c.status.in_(("running", "waiting")), summaries.c.batch.is_not(None))
_HALF_CANCELLED = (summaries.c.status == "cancelling", summaries.c.batch.is_not(None))


def _named(tenant: str, batch: str) -> tuple[sa.ColumnElement[bool], ...]:
    return batches.c.tenant == tenant, batches.c.id == batch


def _lines_of(tenant: str, batch: str) -> tuple[sa.ColumnElement[bool], ...]:
    return batch_lines.c.tenant == tenant, batch_lines.c.batch_id == batch


def _place(created_at: datetime, batch: str) -> sa.Tuple:
    return sa.tuple_(sa.literal(created_at, Moment), sa.literal(batch))


def _placed(place: BatchPlace) -> sa.Tuple:
    return _place(place.created_at, place.id)


def _exists(states: Sequence[str]) -> sa.Exists:
    """Whether a batch has lines of certain statuses."""
    return sa.exists().where(_IN_BATCH, summaries.c.status.in_(states))


async def _with_queued(
    connection: AsyncConnection, most: int, free: sa.ColumnElement[bool], *where: sa.ColumnElement[bool]
) -> list[sa.Row[tuple[str, str, datetime]]]:
    """Batches that have lines to be worked on, oldest first."""
    query = (
        sa.select(batches.c.tenant, batches.c.id, batches.c.created_at)
        .where(batches.c.status == "running", _exists(("queued",)).where(free), *where)
        .order_by(batches.c.created_at, batches.c.id)
        .limit(most)
    )
    return list(await connection.execute(query))


async def _queued_of(
    connection: AsyncConnection, tenant: str, batch: str, most: int, free: sa.ColumnElement[bool]
) -> list[tuple[str, str]]:
    """The next lines of a batch."""
    query = (
        sa.select(summaries.c.id)
        .where(summaries.c.tenant == tenant, summaries.c.batch == batch, summaries.c.status == "queued", free)
        .order_by(summaries.c.id)
        .limit(most)
    )
    return [(tenant, summary) for summary in (await connection.execute(query)).scalars()]


async def _counted(connection: AsyncConnection, tenant: str, rows: Sequence[sa.Row[Any]]) -> tuple[StoredBatch, ...]:
    """Batches with their lines counted."""
    named = [row.id for row in rows]
    by_status = (
        sa.select(summaries.c.batch, summaries.c.status, sa.func.count().label("lines"))
        .where(summaries.c.tenant == tenant, summaries.c.batch.in_(named))
        .group_by(summaries.c.batch, summaries.c.status)
    )
    invalid = (
        sa.select(batch_lines.c.batch_id, sa.func.count().label("lines"))
        .where(batch_lines.c.tenant == tenant, batch_lines.c.batch_id.in_(named), batch_lines.c.summary_id.is_(None))
        .group_by(batch_lines.c.batch_id)
    )
    counts: dict[str, dict[str, int]] = {name: {} for name in named}
    for found in await connection.execute(by_status):
        name = _COUNTED.get(found.status, found.status)
        counts[found.batch][name] = counts[found.batch].get(name, 0) + found.lines
    for found in await connection.execute(invalid):
        counts[found.batch_id]["invalid"] = found.lines
    return tuple(_read_batch(row, counts[row.id]) for row in rows)


def _read_batch(row: sa.Row[Any], counts: dict[str, int]) -> StoredBatch:
    fields = row._asdict()
    fields.pop("owner")
    return StoredBatch(counts=Counts(total=fields.pop("total"), **counts), **fields)


def _read_line(row: sa.Row[Any]) -> StoredLine:
    return StoredLine(
        line=row.position,
        custom_id=row.custom_id,
        refusal=msgspec.json.decode(row.error, type=Refusal) if row.error else None,
        summary=row.summary_id,
        status=row.status,
    )
