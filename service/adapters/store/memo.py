"""Completions that were paid for, and the journal of every attempt to get one.

An attempt is journalled before it is sent and its answer straight after, so that a crash leaves no call unexplained:
what is still `sent` at the next start was never answered here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.adapters.store.store import Store
from service.adapters.store.tables import attempts, completion_uses, completions
from service.core.types import Completion, Value

AttemptState = Literal["sent", "answered", "failed", "unknown"]


class StoredAttempt(Value, frozen=True, kw_only=True):
    """One call to the endpoint, and what became of it."""

    key: str
    repetition: int
    number: int
    """Counted from 1 within its summary, key and repetition."""
    state: AttemptState
    status: int | None
    """HTTP status, where there was an answer."""
    sent_at: datetime
    ended_at: datetime | None


class Memo:
    """The completions and attempts of one summary. Every method raises StoreUnavailable when the database fails."""

    def __init__(self, store: Store, tenant: str, summary: str) -> None:
        self._store = store
        self._tenant = tenant
        self._summary = summary

    async def recall(self, key: str, repetition: int) -> Completion | None:
        """The completion of a request, if it was paid for before; this summary then counts as its user."""
        query = sa.select(completions.c.completion).where(
            completions.c.tenant == self._tenant, completions.c.key == key, completions.c.repetition == repetition
        )
        async with self._store.reading() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            return None
        async with self._store.writes() as connection:
            await self._use(connection, key, repetition)
        return msgspec.json.decode(found, type=Completion)

    async def remember(
        self, completion: Completion, repetition: int, at: datetime, *, asked: str | None = None
    ) -> None:
        """Keep a completion, and count this summary as its user. An earlier one of the same request stays.

        Args:
            completion: what came.
            repetition: of the request.
            at: the moment.
            asked: key that it is recalled by, where that is not the one of the request as it was sent.
        """
        key = asked or completion.key
        row = {
            "tenant": self._tenant,
            "key": key,
            "repetition": repetition,
            "created_at": at,
            "completion": msgspec.json.encode(completion).decode(),
        }
        async with self._store.writes() as connection:
            await connection.execute(_absent(completions, row))
            await self._use(connection, key, repetition)

    async def sent(self, key: str, repetition: int, at: datetime) -> int:
        """Journal that a request is about to be sent; returns the attempt's number."""
        mine = self._mine(key, repetition)
        async with self._store.writes() as connection:
            last = (await connection.execute(sa.select(sa.func.max(attempts.c.number)).where(*mine))).scalar()
            number = (last or 0) + 1
            row = {"key": key, "repetition": repetition, "number": number, "state": "sent", "sent_at": at}
            await connection.execute(
                attempts.insert(), {"tenant": self._tenant, "summary_id": self._summary, "status": None, **row}
            )
        return number

    async def ended(
        self, key: str, repetition: int, number: int, *, state: AttemptState, status: int | None, at: datetime
    ) -> None:
        """Journal what became of an attempt."""
        query = sa.update(attempts).where(*self._mine(key, repetition), attempts.c.number == number)
        async with self._store.writes() as connection:
            await connection.execute(query.values(state=state, status=status, ended_at=at))

    async def attempts(self) -> tuple[StoredAttempt, ...]:
        """The journal of this summary, in the order of sending."""
        names = StoredAttempt.__struct_fields__
        query = sa.select(*(attempts.c[name] for name in names)).where(
            attempts.c.tenant == self._tenant, attempts.c.summary_id == self._summary
        )
        async with self._store.reading() as connection:
            rows = await connection.execute(query.order_by(attempts.c.sent_at, attempts.c.number))
            return tuple(StoredAttempt(**row._asdict()) for row in rows)

    def _mine(self, key: str, repetition: int) -> Sequence[sa.ColumnElement[bool]]:
        return (
            attempts.c.tenant == self._tenant,
            attempts.c.summary_id == self._summary,
            attempts.c.key == key,
            attempts.c.repetition == repetition,
        )

    async def _use(self, connection: AsyncConnection, key: str, repetition: int) -> None:
        row = {"tenant": self._tenant, "summary_id": self._summary, "key": key, "repetition": repetition}
        await connection.execute(_absent(completion_uses, row))


def _absent(table: sa.Table, row: dict[str, object]) -> sa.Insert:
    """An insert that leaves a row that is there as it is; portable, unlike ON CONFLICT."""
    there = sa.exists().where(*(table.c[column.name] == row[column.name] for column in table.primary_key))
    values = sa.select(*(sa.literal(value, table.c[name].type) for name, value in row.items())).where(~there)
    return table.insert().from_select(list(row), values)
