"""Completions that were paid for, and the journal of every attempt to get one.

An attempt is journalled before it is sent and its answer straight after, so that a crash leaves no call unexplained:
what is still `sent` at the next start was never answered here.

A full, locked or missing database is waited out here: an answer that was paid for is not lost for want of a disk. And
nothing is written for a summary that is gone: its answers quote texts that were to be deleted.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from service.adapters.store.store import Store
from service.adapters.store.tables import (
    WORKED_ON,
    attempts,
    completion_uses,
    completions,
    given,
    same,
    summaries,
    values,
)
from service.core.errors import NotFound
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
    """The completions and attempts of one summary. While the database fails, every method waits until it does not."""

    def __init__(self, store: Store, tenant: str, summary: str) -> None:
        self._store = store
        self._tenant = tenant
        self._summary = summary

    async def recall(self, key: str, repetition: int) -> Completion | None:
        """The completion of a request, if it was paid for before; this summary then counts as its user."""
        asked = values(tenant=self._tenant, key=key, repetition=repetition)

        async def read() -> sa.Row[Any, Any] | None:
            async with self._store.reading() as connection:
                row: sa.Row[Any, Any] | None = (await connection.execute(_RECALLED, asked)).one_or_none()
                return row

        found = await self._store.patiently(read)
        if found is None:
            return None
        # its last user may have been deleted meanwhile, and it with that
        await self._write(_KEPT, _USED, key=key, repetition=repetition, **found._asdict())
        return msgspec.json.decode(found.completion, type=Completion)

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
        text = msgspec.json.encode(completion).decode()
        await self._write(
            _KEPT, _USED, key=asked or completion.key, repetition=repetition, created_at=at, completion=text
        )

    async def sent(self, key: str, repetition: int, at: datetime) -> int:
        """Journal that a request is about to be sent; returns the attempt's number.

        Raises:
            NotFound: there is no such summary that is worked on any more, so nothing is to be sent.
        """
        row = self._bound({"key": key, "repetition": repetition, "state": "sent", "sent_at": at})

        async def write() -> int | None:
            async with self._store.writes() as connection:
                number: int | None = (await connection.execute(_SENT, row)).scalar_one_or_none()
                return number

        number = await self._store.patiently(write)
        if number is None:
            raise NotFound(
                f"Summary {self._summary} was deleted, cancelled or finished elsewhere while it was worked on; no more "
                "calls are made for it."
            )
        return number

    async def ended(
        self, key: str, repetition: int, number: int, *, state: AttemptState, status: int | None, at: datetime
    ) -> None:
        """Journal what became of an attempt."""
        await self._write(
            _ENDED, key=key, repetition=repetition, number=number, state=state, status=status, ended_at=at
        )

    async def answered(
        self, completion: Completion, repetition: int, number: int, *, asked: str, status: int | None, at: datetime
    ) -> None:
        """Journal that an attempt was answered and remember the completion, both or neither."""
        text = msgspec.json.encode(completion).decode()
        sent = {"key": completion.key, "number": number, "state": "answered", "status": status, "ended_at": at}
        kept = {"key": asked, "created_at": at, "completion": text}

        async def write() -> None:
            async with self._store.writes() as connection:
                await connection.execute(_ENDED, self._bound({"repetition": repetition, **sent}))
                for statement in (_KEPT, _USED):
                    await connection.execute(statement, self._bound({"repetition": repetition, **kept}))

        await self._store.patiently(write)

    async def attempts(self) -> tuple[StoredAttempt, ...]:
        """The journal of this summary, in the order of sending."""
        names = StoredAttempt.__struct_fields__
        query = sa.select(*(attempts.c[name] for name in names)).where(
            attempts.c.tenant == self._tenant, attempts.c.summary_id == self._summary
        )

        async def read() -> tuple[StoredAttempt, ...]:
            async with self._store.reading() as connection:
                rows = await connection.execute(query.order_by(attempts.c.sent_at, attempts.c.number))
                return tuple(StoredAttempt(**row._asdict()) for row in rows)

        return await self._store.patiently(read)

    async def _write(self, *statements: sa.UpdateBase, **row: object) -> None:
        """Execute statements with the values of a row, in one transaction."""

        async def write() -> None:
            async with self._store.writes() as connection:
                for statement in statements:
                    await connection.execute(statement, self._bound(row))

        await self._store.patiently(write)

    def _bound(self, row: dict[str, object]) -> dict[str, object]:
        """The values of a row, for the statements below."""
        return values(tenant=self._tenant, summary_id=self._summary, **row)


# --- statements ------------------------------------------------------------------------------------------------------

_RECALLED = sa.select(completions.c.completion, completions.c.created_at).where(*same(completions.primary_key))
_SUMMARY = (summaries.c.tenant == given(attempts.c.tenant), summaries.c.id == given(attempts.c.summary_id))


def _absent(table: sa.Table) -> sa.Insert:
    """An insert for a summary that is there; a row that is there stays as it is. Portable, unlike ON CONFLICT."""
    there = sa.exists().where(*_SUMMARY)
    row = sa.select(*map(given, table.columns)).where(there, ~sa.exists().where(*same(table.primary_key)))
    return table.insert().from_select(list(table.columns), row)


_KEPT = _absent(completions)
_USED = _absent(completion_uses)
_ONE = (attempts.c.tenant, attempts.c.summary_id, attempts.c.key, attempts.c.repetition)
_FIRST = (*_ONE, attempts.c.state, attempts.c.sent_at)
_NEXT = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0) + 1).where(*same(_ONE)).scalar_subquery()
_SENT = (
    attempts.insert()
    .from_select([*_FIRST, attempts.c.number], sa.select(*map(given, _FIRST), _NEXT).where(*_SUMMARY, WORKED_ON))
    .returning(attempts.c.number)
)
_ENDED = (
    sa.update(attempts)
    .where(*same((*_ONE, attempts.c.number)))
    .values({column: given(column) for column in (attempts.c.state, attempts.c.status, attempts.c.ended_at)})
)
