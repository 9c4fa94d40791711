"""Batches over HTTP: made of a stream of lines, shown, listed, their results streamed, cancelled, deleted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import InternalServerException
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Meta

from service.adapters.store import BatchStatus, StoredBatch
from service.core.errors import KeyInUse, MalformedBody, TooLarge
from service.jobs import TENANT
from service.jobs.batches import Batches, Unfit, Wanted
from service.rendering import batches as rendered
from service.settings import Settings
from service.web import answers, bodies, idempotency, lines, negotiation
from service.web.lines import MEDIA_TYPES
from service.web.shapes import Paging

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

AnyRequest = Request[Any, Any, State]


class Listing(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which batches to list."""

    status: Annotated[BatchStatus | None, Meta(description="Only these.")] = None


class Results(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which results, and how long they are waited for."""

    after: Annotated[int, Meta(ge=0, le=2**62, description="Only those of the lines behind this one.")] = 0
    wait: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=86_400,
                description="Longest that the next result is waited for, in seconds; 0 gives what is there. Without "
                "it, the stream goes on until the last line.",
            ),
        ]
        | None
    ) = None


# a batch is read line by line, and how much of it is counted here
@post("/batches", status_code=201, request_max_body_size=None)
async def create(request: AnyRequest) -> Response[bytes]:
    """Make a batch of a stream of requests, one a line; answers once all of them are stored."""
    batches: Batches = request.app.state.batches
    settings: Settings = request.app.state.settings
    bodies.check_kind(request, MEDIA_TYPES)
    bodies.refuse_query(request)
    with idempotency.held(request, TENANT) as held:
        digest = idempotency.Digest(request)
        async with aclosing(_pieces(request, digest, settings.batch_max_bytes)) as pieces:
            if held is not None and await batches.is_taken(TENANT, held):
                return _shown(await _before(batches, held, digest, pieces), status=201, headers=idempotency.REPLAYED)
            async with aclosing(_lines(pieces, bodies.limits(settings))) as wanted:
                made = await batches.submit(TENANT, wanted, key=lambda: digest.key(held))
    return _shown(made, status=201)


async def _before(batches: Batches, held: str, digest: idempotency.Digest, pieces: AsyncIterator[bytes]) -> StoredBatch:
    """What was made of the same stream before."""
    async for _ in pieces:
        """Only its digest is wanted."""
    key = digest.key(held)
    made = await batches.made_under(TENANT, key) if key else None
    if made is None:
        raise KeyInUse("What was made under this Idempotency-Key was deleted at this moment. Send the batch again.")
    return made


async def _pieces(request: AnyRequest, digest: idempotency.Digest, most: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes."""
    too_large = TooLarge(f"The batch has more than {most:,} bytes. Send several, or raise PRECIS_BATCH_MAX_BYTES.")
    if (request.content_length or 0) > most:
        raise too_large
    received = 0
    try:
        async for piece in request.stream():
            received += len(piece)
            if received > most:
                raise too_large
            digest.update(piece)
            yield piece
    except InternalServerException:
        # what Litestar makes of a caller who hangs up
        raise MalformedBody(
            "The connection ended before the batch did. Nothing of it was kept; send it again."
        ) from None


async def _lines(pieces: AsyncIterator[bytes], limits: bodies.Limits) -> AsyncGenerator[Wanted | Unfit, None]:
    """The requests of a body."""
    cutter = lines.Cutter(limits.max_bytes)
    async for piece in pieces:
        for one in await _decoded(list(cutter.cut(piece)), limits):
            yield one
    for one in await _decoded(list(cutter.end()), limits):
        yield one


async def _decoded(cut: list[lines.Line], limits: bodies.Limits) -> list[Wanted | Unfit]:
    return await asyncio.to_thread(lambda: [lines.decoded(line, limits) for line in cut]) if cut else []


@get("/batches/{batch_id:str}")
async def show(request: AnyRequest, batch_id: FromPath[str]) -> Response[bytes]:
    """A batch as it is, its lines counted."""
    batches: Batches = request.app.state.batches
    return _shown(await batches.get(TENANT, batch_id))


@get("/batches")
async def index(request: AnyRequest) -> Response[bytes]:
    """A page of batches, newest first."""
    batches: Batches = request.app.state.batches
    query = bodies.decode_query(request.query_params, Listing)
    page = await batches.page(TENANT, limit=query.limit, after=query.cursor, status=query.status)
    return answers.json(
        rendered.BatchPage(
            data=tuple(rendered.batch(stored) for stored in page.data),
            has_more=page.next_cursor is not None,
            next_cursor=page.next_cursor,
        )
    )


@get("/batches/{batch_id:str}/results")
async def results(request: AnyRequest, batch_id: FromPath[str]) -> Response[Any]:
    """What has become of the lines, in their order, each as soon as it and all before it have ended."""
    batches: Batches = request.app.state.batches
    media_type = negotiation.accepted(request.headers.get("accept", ""), MEDIA_TYPES, "What a batch has come to")
    query = bodies.decode_query(request.query_params, Results)
    await batches.get(TENANT, batch_id)
    found = batches.results(TENANT, batch_id, after=query.after, wait_s=query.wait)
    # of a HEAD nothing is sent, and nothing must be waited for
    written = iter(()) if request.scope.get("is_head") else (rendered.line(ended) async for ended in found)
    return Stream(written, media_type=media_type, headers=_HEADERS)


@post("/batches/{batch_id:str}/cancel", status_code=200)
async def cancel(request: AnyRequest, batch_id: FromPath[str]) -> Response[bytes]:
    """Stop work on a batch; one that has ended stays as it is."""
    batches: Batches = request.app.state.batches
    return _shown(await batches.cancel(TENANT, batch_id))


@delete("/batches/{batch_id:str}", status_code=204)
async def remove(request: AnyRequest, batch_id: FromPath[str]) -> None:
    """Remove a batch with its lines, their summaries and their documents."""
    batches: Batches = request.app.state.batches
    await batches.delete(TENANT, batch_id)


def _shown(stored: StoredBatch, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    where = {"Location": f"/v1/batches/{stored.id}"} if status == 201 else {}  # noqa: PLR2004
    again = {} if stored.finished_at else {"Retry-After": "1"}
    return answers.json(rendered.batch(stored), status=status, headers={**where, **again, **(headers or {})})


router = Router("/v1", route_handlers=[create, show, index, results, cancel, remove])
