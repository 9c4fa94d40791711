"""Keys under which a request is made once, each beside what was made under it; as parts of transactions.

A key goes with what was made under it: where that was deleted, the key is free again.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.adapters.store.rows import Key
from service.adapters.store.tables import batches, comparisons, idempotency, summaries
from service.core.errors import KeyReused

_THERE = sa.or_(
    *(
        sa.exists().where(table.c.tenant == idempotency.c.tenant, table.c.id == idempotency.c.resource)
        for table in (summaries, comparisons, batches)
    )
)
"""Of keys under which there is still something."""


async def made_under(connection: AsyncConnection, tenant: str, key: Key) -> str | None:
    """What was made under a key and is still there.

    Raises:
        KeyReused: another request was made under the key.
    """
    query = sa.select(idempotency.c.digest, idempotency.c.resource).where(*_named(tenant, key.key), _THERE)
    there = (await connection.execute(query)).one_or_none()
    if there is None:
        return None
    if there.digest != key.digest:
        raise KeyReused(
            f"Another request was made under this Idempotency-Key, and made {there.resource}. Send this one under a "
            "new key."
        )
    return str(there.resource)


async def claim(connection: AsyncConnection, tenant: str, key: Key, resource: str, at: datetime) -> str:
    """Put a resource that is about to be stored under a key; returns the one that is under it.

    Raises:
        KeyReused: another request was made under the key.
    """
    if (made := await made_under(connection, tenant, key)) is not None:
        return made
    row = {"tenant": tenant, "key": key.key, "digest": key.digest, "resource": resource, "created_at": at}
    await connection.execute(sa.delete(idempotency).where(*_named(tenant, key.key)))
    await connection.execute(idempotency.insert(), row)
    return resource


async def is_taken(connection: AsyncConnection, tenant: str, key: str) -> bool:
    """Whether something that is still there was made under a key, whatever the request was."""
    query = sa.select(idempotency.c.key).where(*_named(tenant, key), _THERE)
    return (await connection.execute(query)).one_or_none() is not None


async def free(connection: AsyncConnection, tenant: str, *resources: str) -> None:
    """Forget the keys of what is deleted: their digests are of its texts."""
    where = (idempotency.c.tenant == tenant, idempotency.c.resource.in_(resources))
    await connection.execute(sa.delete(idempotency).where(*where))


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Forget the keys of before a moment under which there is nothing any more, of all tenants; returns how many."""
    gone = sa.delete(idempotency).where(idempotency.c.created_at < before, ~_THERE)
    return (await connection.execute(gone)).rowcount


def _named(tenant: str, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return idempotency.c.tenant == tenant, idempotency.c.key == key
