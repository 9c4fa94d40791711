"""What is kept no longer: which of it is due, and its removal, some rows at a time, so that writers have their turn.

Only what has ended is ever due, however old: the texts of summaries first, then whole summaries, comparisons and
batches with all that belongs to them. What a process left undone when it died, and no other has taken up since, has
ended as well: it would be kept for ever where none comes.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from time import monotonic
from typing import Any, get_args

import sqlalchemy as sa

from service.adapters.store import keys
from service.adapters.store.batches import BatchStore
from service.adapters.store.rows import UNFINISHED, BatchStatus, Failure, Keep, as_json
from service.adapters.store.store import Store
from service.adapters.store.tables import (
    ALONE,
    UNUSED,
    Moment,
    batches,
    comparisons,
    completions,
    summaries,
    trials,
)
from service.core.errors import Abandoned
from service.core.types import Value

AT_ONCE = 200
"""Rows that one transaction removes at most."""
LONGEST_S = 0.1
"""That a transaction goes on for, but for its first piece: texts may be long, and are overwritten."""
PIECE = 10
"""Summaries that are dealt with between two looks at the clock."""
COPIES_KEPT = timedelta(days=1)
"""At least, of the file as it was before a migration, however short texts are kept."""

_SUMMARY = (summaries.c.tenant, summaries.c.id)
_COMPARISON = (comparisons.c.tenant, comparisons.c.id)
_BATCH = (batches.c.tenant, batches.c.id)
_OF_COMPARISON = sa.and_(comparisons.c.tenant == summaries.c.tenant, comparisons.c.id == summaries.c.comparison)
_OF_BATCH = sa.and_(batches.c.tenant == summaries.c.tenant, batches.c.id == summaries.c.batch)
_line = summaries.alias("line")
_IN_BATCH = sa.and_(_line.c.tenant == batches.c.tenant, _line.c.batch == batches.c.id)
_HAS_UNFINISHED = sa.exists().where(_IN_BATCH, _line.c.status.in_(UNFINISHED))
_ABANDONED = Failure(
    code=Abandoned.code,
    status=Abandoned.status,
    title=Abandoned.title,
    detail="The process that was to do it ended, and no other has taken it up for as long as it is kept. Ask anew; a "
    "server takes up what is left when it starts.",
)


class Removed(Value, frozen=True, kw_only=True):
    """How much was removed, or is due to be."""

    texts: int = 0
    """Summaries whose texts were deleted, and which are there still."""
    summaries: int = 0
    """With the trials of comparisons and the lines of batches."""
    comparisons: int = 0
    batches: int = 0
    copies: int = 0
    """Of the file as it was before a migration."""


class Retention:
    """Removes what is due from a store. Every method raises StoreUnavailable when the database fails.

    Args:
        store: that it is removed from.
        clock: seconds that only ever grow.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock

    async def due(self, keep: Keep, now: datetime) -> Removed:
        """How much is due; nothing is removed."""
        if keep.left is None:
            return Removed()
        whole: sa.ColumnElement[bool] = sa.false()
        expired: dict[str, int] = {}
        given_up = now - keep.left
        is_needed = _is_needed(sa.and_(_OPEN, ~self._has_ended(comparisons, given_up)))
        if keep.results is not None:
            before = now - keep.results
            compared, batched = self._has_ended(comparisons, before), self._has_ended_as_batch(before, given_up, now)
            whole = sa.or_(
                sa.and_(self._has_ended(summaries, before), *ALONE, ~is_needed),
                sa.exists().where(_OF_COMPARISON, compared),
                sa.exists().where(_OF_BATCH, batched),
            )
            expired = {
                "summaries": await self._count(summaries, whole),
                "comparisons": await self._count(comparisons, compared),
                "batches": await self._count(batches, batched),
            }
        texts = 0
        if keep.texts is not None:
            ended = self._has_ended(summaries, now - keep.texts)
            texts = await self._count(summaries, sa.and_(summaries.c.purged_at.is_(None), ended, ~is_needed, ~whole))
        return Removed(texts=texts, copies=len(self.old_copies(keep, now)), **expired)

    async def abandon(self, before: datetime, keep: Keep) -> int:
        """End some of what no living process works on and none has begun since a moment; 0 when none is left.

        It counts as finished when it was begun, or else accepted: that is the last which is known of it.
        """
        done = 0
        for table in (summaries, comparisons):
            left = sa.and_(table.c.status.in_(UNFINISHED), self._has_ended(table, before))
            query = sa.select(table.c.tenant, table.c.id, _ended_at(table).label("at")).where(left).limit(AT_ONCE)
            async with self._store.reading() as connection:
                found = (await connection.execute(query)).all()
            if found:
                async with self._store.writes() as connection:
                    # asked anew: somebody may have taken it up meanwhile
                    left = sa.and_(table.c.status.in_(UNFINISHED), self._has_ended(table, before))
                    for one in found:
                        ended = sa.update(table).where(table.c.tenant == one.tenant, table.c.id == one.id, left)
                        is_cancelled = table.c.status == "cancelling"
                        await connection.execute(
                            ended.values(
                                status=sa.case((is_cancelled, "cancelled"), else_="failed"),
                                error=sa.case((is_cancelled, None), else_=as_json(_ABANDONED)),
                                finished_at=one.at,
                                expires_at=keep.expires_at(one.at),
                                owner=None,
                            )
                        )
            done += len(found)
        return done

    async def delete_texts(self, before: datetime, at: datetime) -> int:
        """Delete the texts of some summaries that were finished before a moment; 0 when none is left."""
        found = await self._some(_SUMMARY, _with_texts(before), summaries.c.finished_at)
        give_up_at = self._clock() + LONGEST_S
        done = 0
        if found:
            async with self._store.writes() as connection:
                for piece in _pieces(found):
                    own = sa.and_(summaries.c.tenant == piece[0][0], summaries.c.id.in_([name for _, name in piece]))
                    done += await self._store.purge(connection, own, at)
                    if self._clock() > give_up_at:
                        break
        return done

    async def delete_summaries(self, before: datetime) -> int:
        """Delete some summaries by themselves that were finished before a moment; 0 when none is left."""
        due = sa.and_(_finished(summaries, before), *ALONE, ~_is_needed(_OPEN))
        return await self._remove(await self._some(_SUMMARY, due, summaries.c.finished_at))

    async def delete_comparison(self, before: datetime) -> tuple[int, int] | None:
        """Delete a comparison that was finished before a moment, or some of the summaries that were made for it.

        Returns how many comparisons, and how many summaries; None when none is left.
        """
        found = await self._some(_COMPARISON, _finished(comparisons, before), comparisons.c.finished_at, most=1)
        for tenant, comparison in found:
            own = sa.and_(summaries.c.tenant == tenant, summaries.c.comparison == comparison)
            if some := await self._some(_SUMMARY, own, summaries.c.id):
                return 0, await self._remove(some)
            async with self._store.writes() as connection:
                await connection.execute(
                    sa.delete(comparisons).where(comparisons.c.tenant == tenant, comparisons.c.id == comparison)
                )
                await keys.free(connection, tenant, comparison)
            return 1, 0
        return None

    async def delete_batch(self, before: datetime) -> tuple[int, int] | None:
        """Delete a batch that was finished before a moment, or left half accepted or deleted, with its lines.

        Returns how many batches, and how many summaries; None when none is left.
        """
        due = sa.or_(sa.and_(_finished(batches, before), ~_HAS_UNFINISHED), self._is_half_done())
        found = await self._some(_BATCH, due, batches.c.finished_at, most=1)
        for tenant, batch in found:
            lines = await self._count(summaries, sa.and_(summaries.c.tenant == tenant, summaries.c.batch == batch))
            store = BatchStore(self._store)
            await store.deleting(tenant, batch)
            await store.remove(tenant, batch)
            return 1, lines
        return None

    async def delete_unused(self) -> int:
        """Delete some completions that no summary uses, of which there should be none; 0 when none is left."""
        key = (completions.c.tenant, completions.c.key, completions.c.repetition)
        # looked for without the lock: it takes reading them all
        async with self._store.reading() as connection:
            found = [tuple(row) for row in await connection.execute(sa.select(*key).where(UNUSED).limit(AT_ONCE))]
        if not found:
            return 0
        async with self._store.writes() as connection:
            return (await connection.execute(sa.delete(completions).where(sa.tuple_(*key).in_(found), UNUSED))).rowcount

    async def date(self, keep: Keep) -> None:
        """Write anew when things expire, where they were finished under another setting or an older version."""
        for table in (summaries, comparisons, batches):
            place = sa.tuple_(table.c.finished_at, table.c.tenant, table.c.id)
            row = (table.c.tenant, table.c.id, table.c.finished_at, table.c.expires_at)
            last: tuple[Any, ...] | None = None
            while True:
                query = sa.select(*row).where(table.c.finished_at.is_not(None))
                if last is not None:
                    query = query.where(place > sa.tuple_(*last))
                async with self._store.reading() as connection:
                    found = (await connection.execute(query.order_by(*place.clauses).limit(AT_ONCE))).all()
                wrong = [one for one in found if one.expires_at != keep.expires_at(one.finished_at)]
                if wrong:
                    async with self._store.writes() as connection:
                        for one in wrong:
                            dated = sa.update(table).where(table.c.tenant == one.tenant, table.c.id == one.id)
                            await connection.execute(dated.values(expires_at=keep.expires_at(one.finished_at)))
                if len(found) < AT_ONCE:
                    break
                last = (sa.literal(found[-1].finished_at, Moment), found[-1].tenant, found[-1].id)

    def old_copies(self, keep: Keep, now: datetime) -> list[Path]:
        """Copies from before a migration that are older than the texts in them may be."""
        if keep.texts is None:
            return []
        before = (now - max(keep.texts, COPIES_KEPT)).timestamp()
        path = self._store.path
        copies = [copy for copy in path.parent.iterdir() if copy.name.startswith(f"{path.name}.before-")]
        return [copy for copy in copies if copy.suffix in {".bak", ".part"} and copy.stat().st_mtime < before]

    async def _remove(self, found: list[tuple[str, str]]) -> int:
        """Delete summaries until the transaction has gone on for long enough; returns how many."""
        give_up_at = self._clock() + LONGEST_S
        done = 0
        if found:
            async with self._store.writes() as connection:
                for piece in _pieces(found):
                    done += await self._store.remove(connection, piece[0][0], [summary for _, summary in piece])
                    if self._clock() > give_up_at:
                        break
        return done

    def _has_ended(self, table: sa.FromClause, before: datetime) -> sa.ColumnElement[bool]:
        """Of rows that were finished before a moment or at it, or left since then."""
        is_over = sa.or_(table.c.status.not_in(UNFINISHED), self._store.left(table))
        return sa.and_(is_over, _ended_at(table) <= sa.literal(before, Moment))

    def _has_ended_as_batch(self, before: datetime, given_up: datetime, now: datetime) -> sa.ColumnElement[bool]:
        """Of batches that have ended before a moment, once what was left before another one is given up."""
        is_unfinished = sa.and_(_line.c.status.in_(UNFINISHED), ~self._has_ended(_line, given_up))
        last = sa.select(sa.func.max(_ended_at(_line))).where(_IN_BATCH).scalar_subquery()
        ended_at = sa.func.coalesce(batches.c.finished_at, last, sa.literal(now, Moment))
        is_seen = batches.c.status.in_(get_args(BatchStatus))
        has_ended = sa.and_(
            is_seen, ended_at <= sa.literal(before, Moment), ~sa.exists().where(_IN_BATCH, is_unfinished)
        )
        return sa.or_(has_ended, self._is_half_done())

    def _is_half_done(self) -> sa.ColumnElement[bool]:
        """Of batches that a process was accepting or deleting when it died."""
        return sa.and_(batches.c.status.not_in(get_args(BatchStatus)), self._store.left(batches))

    async def _some(
        self,
        columns: tuple[sa.Column[str], ...],
        due: sa.ColumnElement[bool],
        order: sa.Column[Any],
        *,
        most: int = AT_ONCE,
    ) -> list[tuple[str, str]]:
        """Tenant and id of some rows, the first in an order."""
        async with self._store.reading() as connection:
            query = sa.select(*columns).where(due).order_by(order).limit(most)
            return [(row.tenant, row.id) for row in await connection.execute(query)]

    async def _count(self, table: sa.Table, due: sa.ColumnElement[bool]) -> int:
        async with self._store.reading() as connection:
            query = sa.select(sa.func.count()).select_from(table).where(due)
            return int((await connection.execute(query)).scalar_one())


def _pieces(found: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Some at a time, those of a tenant together."""
    for _, own in groupby(found, key=itemgetter(0)):
        rest = list(own)
        for at in range(0, len(rest), PIECE):
            yield rest[at : at + PIECE]


def _finished(table: sa.Table, before: datetime) -> sa.ColumnElement[bool]:
    """Of rows that were finished before a moment, or at it."""
    return sa.and_(table.c.finished_at <= sa.literal(before, Moment), table.c.status.not_in(UNFINISHED))


def _with_texts(before: datetime) -> sa.ColumnElement[bool]:
    """Of summaries that were finished before a moment and whose texts are there."""
    return sa.and_(summaries.c.purged_at.is_(None), _finished(summaries, before), ~_is_needed(_OPEN))


def _ended_at(table: sa.FromClause) -> sa.ColumnElement[datetime]:
    """When a summary or comparison was finished; of one that is not, the last that is known."""
    return sa.func.coalesce(table.c.finished_at, table.c.started_at, table.c.created_at)


_OPEN = comparisons.c.status.in_(UNFINISHED)


def _is_needed(is_open: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Of summaries that a comparison is still to be drawn from."""
    trial = (trials.c.tenant == summaries.c.tenant, trials.c.summary_id == summaries.c.id)
    drawn = (comparisons.c.tenant == trials.c.tenant, comparisons.c.id == trials.c.comparison_id)
    return sa.or_(
        sa.exists().where(_OF_COMPARISON, is_open), sa.exists(trials.c.summary_id).where(*trial, *drawn, is_open)
    )
