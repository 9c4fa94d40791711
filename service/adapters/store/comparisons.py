"""Comparisons of prompt versions, kept beside the summaries that are their trials."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from service.adapters.store import keys
from service.adapters.store.rows import (
    FOR_EVER,
    NO_TIME,
    UNFINISHED,
    ComparisonPage,
    Failure,
    Keep,
    Key,
    Status,
    StoredComparison,
    StoredSummary,
    StoredTrial,
    as_json,
    cursor_after,
    read_comparison,
    read_cursor,
)
from service.adapters.store.store import Store
from service.adapters.store.tables import Moment, comparisons, summaries, trials
from service.core.comparison import Comparison
from service.core.types import Document

_LISTED = [column for column in comparisons.c if column.name != "result"]
_TRIAL = [trials.c[name] for name in StoredTrial.__struct_fields__]


class ComparisonStore:
    """The comparisons of a store. Every method raises StoreUnavailable when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self,
        comparison: StoredComparison,
        run: Sequence[StoredTrial],
        own: Sequence[tuple[StoredSummary, Sequence[Document]]] = (),
        *,
        key: Key | None = None,
    ) -> str:
        """Store a comparison with its trials, and the summaries that are made for it, in one transaction.

        Returns its id; where something was made under the key before, nothing is stored, and the id of that is
        returned.

        Raises:
            KeyReused: another request was made under the key.
        """
        row = {
            **msgspec.structs.asdict(comparison),
            "experiment": as_json(comparison.experiment),
            "result": as_json(comparison.result),
            "error": as_json(comparison.error),
            "owner": self._store.owner,
        }
        of = {"tenant": comparison.tenant, "comparison_id": comparison.id}
        rows = [{**msgspec.structs.asdict(trial), **of, "position": position} for position, trial in enumerate(run)]
        async with self._store.writes() as connection:
            if key is not None:
                made = await keys.claim(connection, comparison.tenant, key, comparison.id, comparison.created_at)
                if made != comparison.id:
                    return made
            await connection.execute(comparisons.insert(), row)
            if own:
                await self._store.insert(connection, *own)
            if rows:
                await connection.execute(trials.insert(), rows)
        return comparison.id

    async def get(self, tenant: str, comparison: str) -> StoredComparison | None:
        """Read a comparison with its result."""
        query = sa.select(comparisons).where(*_named(tenant, comparison))
        async with self._store.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else read_comparison(row)

    async def trials(self, tenant: str, comparison: str) -> tuple[StoredTrial, ...]:
        """Read which summaries are the trials, in the order in which they were planned."""
        query = sa.select(*_TRIAL).where(trials.c.tenant == tenant, trials.c.comparison_id == comparison)
        async with self._store.reading() as connection:
            rows = await connection.execute(query.order_by(trials.c.position))
            return tuple(StoredTrial(**row._asdict()) for row in rows)

    async def tally(self, tenant: str, comparison: str) -> dict[Status, int]:
        """Count the trials by what their summaries have come to."""
        query = (
            sa.select(summaries.c.status, sa.func.count().label("times"))
            .join(trials, sa.and_(trials.c.tenant == summaries.c.tenant, trials.c.summary_id == summaries.c.id))
            .where(trials.c.tenant == tenant, trials.c.comparison_id == comparison)
            .group_by(summaries.c.status)
        )
        async with self._store.reading() as connection:
            rows = await connection.execute(query)
            return {row.status: row.times for row in rows}

    async def start(self, tenant: str, comparison: str, at: datetime) -> bool:
        """Mark an unfinished comparison as running; `started_at` keeps the first start.

        False when there is none, or when another process that lives works on it.
        """
        started_at = sa.func.coalesce(comparisons.c.started_at, sa.literal(at, Moment))
        query = self._unfinished(tenant, comparison).values(
            status="running", owner=self._store.owner, started_at=started_at
        )
        async with self._store.writes() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def try_to_draw(self, tenant: str, comparison: str) -> int:
        """Note that a comparison is about to be drawn; returns how often, those not counted that were taken back."""
        query = self._unfinished(tenant, comparison).values(tries=comparisons.c.tries + 1)
        async with self._store.writes() as connection:
            tries = (await connection.execute(query.returning(comparisons.c.tries))).scalar_one_or_none()
        return tries or 0

    async def take_back_try(self, tenant: str, comparison: str) -> None:
        """Count the last one no more: it was broken off in order."""
        query = self._unfinished(tenant, comparison).where(comparisons.c.tries > 0)
        async with self._store.writes() as connection:
            await connection.execute(query.values(tries=comparisons.c.tries - 1))

    async def finish(
        self,
        tenant: str,
        comparison: str,
        *,
        status: Literal["succeeded", "partial", "failed"],
        result: Comparison | None = None,
        error: Failure | None = None,
        at: datetime,
        keep: Keep = FOR_EVER,
    ) -> bool:
        """Store what became of an unfinished comparison, and how long it is kept.

        Where texts are not kept at all, those of the summaries that were made for it are deleted with this.
        False, and nothing changes, when it is finished or gone, or when another process works on it.
        """
        query = self._unfinished(tenant, comparison).values(
            status=status,
            result=as_json(result),
            error=as_json(error),
            finished_at=at,
            expires_at=keep.expires_at(at),
            owner=None,
        )
        async with self._store.writes(empty_log=keep.texts == NO_TIME) as connection:
            if (await connection.execute(query)).rowcount != 1:
                return False
            if keep.texts == NO_TIME:
                await self._store.purge(connection, sa.and_(*_own(tenant, comparison)), at)
        return True

    async def delete(self, tenant: str, comparison: str) -> bool:
        """Delete a comparison with the summaries that were made for it. False for none."""
        async with self._store.writes(empty_log=True) as connection:
            row = await connection.execute(sa.delete(comparisons).where(*_named(tenant, comparison)))
            if row.rowcount != 1:
                return False
            await keys.free(connection, tenant, comparison)
            own = (await connection.execute(sa.select(summaries.c.id).where(*_own(tenant, comparison)))).scalars().all()
            await self._store.remove(connection, tenant, own)
        return True

    async def page(
        self, tenant: str, *, limit: int, after: str | None = None, status: Status | None = None
    ) -> ComparisonPage:
        """List comparisons without their results, newest first.

        Raises:
            InvalidRequest: `after` is not a cursor of this service.
        """
        place = sa.tuple_(comparisons.c.created_at, comparisons.c.id)
        query = sa.select(*_LISTED).where(comparisons.c.tenant == tenant)
        if status is not None:
            query = query.where(comparisons.c.status == status)
        if after is not None:
            created_at, last = read_cursor(after)
            query = query.where(place < sa.tuple_(sa.literal(created_at, Moment), sa.literal(last)))
        query = query.order_by(comparisons.c.created_at.desc(), comparisons.c.id.desc()).limit(limit + 1)
        async with self._store.reading() as connection:
            rows = tuple(read_comparison(row) for row in await connection.execute(query))
        data = rows[:limit]
        return ComparisonPage(data=data, next_cursor=cursor_after(data[-1]) if len(rows) > limit else None)

    async def adopt(self) -> None:
        """Make every unfinished comparison that no living process works on one of this process."""
        query = sa.update(comparisons).where(comparisons.c.status.in_(UNFINISHED), self._store.left(comparisons))
        async with self._store.writes() as connection:
            await connection.execute(query.values(owner=self._store.owner))

    async def unfinished(self) -> tuple[tuple[str, str], ...]:
        """Name the queued and running comparisons by tenant and id, oldest first, over all tenants.

        Those of other living processes are not among them.
        """
        query = sa.select(comparisons.c.tenant, comparisons.c.id)
        query = query.where(comparisons.c.status.in_(UNFINISHED), self._store.free(comparisons))
        async with self._store.reading() as connection:
            rows = await connection.execute(query.order_by(comparisons.c.created_at, comparisons.c.id))
            return tuple((row.tenant, row.id) for row in rows)

    def _unfinished(self, tenant: str, comparison: str) -> sa.Update:
        """A change of a comparison that this process works on or may take up."""
        query = sa.update(comparisons).where(*_named(tenant, comparison), comparisons.c.status.in_(UNFINISHED))
        return query.where(self._store.free(comparisons))


def _named(tenant: str, comparison: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which row of `comparisons`."""
    return comparisons.c.tenant == tenant, comparisons.c.id == comparison


def _own(tenant: str, comparison: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Say which summaries were made for it."""
    return summaries.c.tenant == tenant, summaries.c.comparison == comparison
