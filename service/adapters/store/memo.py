"""Completions that were paid for, and the journal of every attempt to get one.

An attempt is journalled before it is sent and its answer straight after, so that a crash leaves no call unexplained:
what is still `sent` at the next start was never answered here.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

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
        async with self._store.writes() as connection:
            await self._keep(connection, completion, asked or completion.key, repetition, at)

    async def sent(self, key: str, repetition: int, at: datetime) -> int:
        """Journal that a request is about to be sent; returns the attempt's number."""
        row = {"key": key, "repetition": repetition, "state": "sent", "sent_at": at}
        async with self._store.writes() as connection:
            return int((await connection.execute(_SENT, self._bound(row))).scalar_one())

    async def ended(
        self, key: str, repetition: int, number: int, *, state: AttemptState, status: int | None, at: datetime
    ) -> None:
        """Journal what became of an attempt."""
        async with self._store.writes() as connection:
            await self._end(connection, key, repetition, number, state=state, status=status, at=at)

    async def answered(
        self, completion: Completion, repetition: int, number: int, *, asked: str, status: int | None, at: datetime
    ) -> None:
        """Journal that an attempt was answered and remember the completion, both or neither."""
        async with self._store.writes() as connection:
            await self._end(connection, completion.key, repetition, number, state="answered", status=status, at=at)
            await self._keep(connection, completion, asked, repetition, at)

    async def attempts(self) -> tuple[StoredAttempt, ...]:
        """The journal of this summary, in the order of sending."""
        names = StoredAttempt.__struct_fields__
        query = sa.select(*(attempts.c[name] for name in names)).where(
            attempts.c.tenant == self._tenant, attempts.c.summary_id == self._summary
        )
        async with self._store.reading() as connection:
            rows = await connection.execute(query.order_by(attempts.c.sent_at, attempts.c.number))
            return tuple(StoredAttempt(**row._asdict()) for row in rows)

    async def _keep(
        self, connection: AsyncConnection, completion: Completion, key: str, repetition: int, at: datetime
    ) -> None:
        text = msgspec.json.encode(completion).decode()
        row = {"key": key, "repetition": repetition, "created_at": at, "completion": text}
        await connection.execute(_KEPT, self._bound(row))
        await self._use(connection, key, repetition)

    async def _use(self, connection: AsyncConnection, key: str, repetition: int) -> None:
        await connection.execute(_USED, self._bound({"key": key, "repetition": repetition}))

    async def _end(
        self,
        connection: AsyncConnection,
        key: str,
        repetition: int,
        number: int,
        *,
        state: AttemptState,
        status: int | None,
        at: datetime,
    ) -> None:
        row = {"key": key, "repetition": repetition, "number": number, "state": state, "status": status, "ended_at": at}
        await connection.execute(_ENDED, self._bound(row))

    def _bound(self, row: dict[str, object]) -> dict[str, object]:
        """The values of a row, for the statements below."""
        values = {"tenant": self._tenant, "summary_id": self._summary, **row}
        return {f"_{name}": value for name, value in values.items()}


# --- statements, made once: making one takes longer than running it --------------------------------------------------


def _value(column: sa.Column[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(f"_{column.name}", type_=column.type)


def _same(columns: Iterable[sa.Column[Any]]) -> list[sa.ColumnElement[bool]]:
    return [column == _value(column) for column in columns]


def _absent(table: sa.Table) -> sa.Insert:
    """An insert that leaves a row that is there as it is; portable, unlike ON CONFLICT."""
    values = sa.select(*map(_value, table.columns)).where(~sa.exists().where(*_same(table.primary_key)))
    return table.insert().from_select(list(table.columns), values)


_KEPT = _absent(completions)
_USED = _absent(completion_uses)
_ONE = (attempts.c.tenant, attempts.c.summary_id, attempts.c.key, attempts.c.repetition)
_FIRST = (*_ONE, attempts.c.state, attempts.c.sent_at)
_SENT = (
    attempts.insert()
    .from_select(
        [*_FIRST, attempts.c.number],
        sa.select(*map(_value, _FIRST), sa.func.coalesce(sa.func.max(attempts.c.number), 0) + 1).where(*_same(_ONE)),
    )
    .returning(attempts.c.number)
)
_ENDED = (
    sa.update(attempts)
    .where(*_same((*_ONE, attempts.c.number)))
    .values({column: _value(column) for column in (attempts.c.state, attempts.c.status, attempts.c.ended_at)})
)
