"""Summaries over HTTP: make, wait for, list, show, cancel, delete; and what one would cost."""

import math
from datetime import datetime
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath

from service.adapters.store import StoredSummary
from service.jobs import FINISHED, TENANT, Jobs
from service.rendering import html, markdown, resource
from service.web import answers, bodies, idempotency, negotiation
from service.web.shapes import Listing

MEDIA_TYPES = (bodies.JSON, "text/markdown", "text/html")

_LONGEST_RETRY_AFTER_S = 60

AnyRequest = Request[Any, Any, State]


@post("/summaries", status_code=201)
async def create(request: AnyRequest) -> Response[bytes]:
    """Make a summary: 201 when it is finished within the wait, else 202."""
    jobs: Jobs = request.app.state.jobs
    media_type = _accepted(request)
    wait_s, applied = negotiation.wait_s(request.headers.get("prefer", ""), request.app.state.settings.wait_s)
    with idempotency.held(request, TENANT) as held:
        ask = await bodies.read(request, limits=bodies.limits(request.app.state.settings))
        key = await idempotency.key_of(request, held)
        before = await jobs.made_under(TENANT, key)
        made = before or await jobs.submit(TENANT, ask.documents, ask.options, ask.conditions, key=key)
    summary = await jobs.wait(TENANT, made.id, wait_s=wait_s)
    response = await _shown(jobs, summary, media_type, status=201 if summary.status in FINISHED else 202)
    return answers.made(
        response, f"/v1/summaries/{summary.id}", again=before is not None, waited_s=wait_s if applied else None
    )


@get("/summaries/{summary_id:str}")
async def show(request: AnyRequest, summary_id: FromPath[str]) -> Response[bytes]:
    """A summary as it is, as JSON, Markdown or a page."""
    jobs: Jobs = request.app.state.jobs
    return await _shown(jobs, await jobs.get(TENANT, summary_id), _accepted(request), status=200)


@get("/summaries")
async def index(request: AnyRequest) -> Response[bytes]:
    """A page of summaries, newest first, without their results."""
    jobs: Jobs = request.app.state.jobs
    query = bodies.decode_query(request.query_params, Listing)
    page = await jobs.page(TENANT, limit=query.limit, after=query.cursor, status=query.status)
    return answers.json(
        resource.SummaryPage(
            data=tuple(resource.summary(stored) for stored in page.data),
            has_more=page.next_cursor is not None,
            next_cursor=page.next_cursor,
        )
    )


@get("/summaries/{summary_id:str}/documents/{document_id:str}")
async def document(request: AnyRequest, summary_id: FromPath[str], document_id: FromPath[str]) -> Response[bytes]:
    """The exact text that offsets refer to."""
    jobs: Jobs = request.app.state.jobs
    found = await jobs.document(TENANT, summary_id, document_id)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Language": found.language or "und"}
    return Response(found.text.encode(), media_type="text/plain", headers=headers)


@post("/summaries/{summary_id:str}/cancel", status_code=200)
async def cancel(request: AnyRequest, summary_id: FromPath[str]) -> Response[bytes]:
    """Stop work on a summary; one that is finished stays as it is."""
    jobs: Jobs = request.app.state.jobs
    media_type = _accepted(request)
    return await _shown(jobs, await jobs.cancel(TENANT, summary_id), media_type, status=200)


@delete("/summaries/{summary_id:str}", status_code=204)
async def remove(request: AnyRequest, summary_id: FromPath[str]) -> None:
    """Remove a summary with its documents."""
    jobs: Jobs = request.app.state.jobs
    await jobs.delete(TENANT, summary_id)


@post("/plans", status_code=200)
async def plan(request: AnyRequest) -> Response[bytes]:
    """What a request would cost; nothing is stored or sent."""
    jobs: Jobs = request.app.state.jobs
    ask = await bodies.read(request, limits=bodies.limits(request.app.state.settings))
    return answers.json(await jobs.plan(ask.documents, ask.options, ask.conditions))


async def _shown(jobs: Jobs, summary: StoredSummary, media_type: str, *, status: int) -> Response[bytes]:
    headers = {"Vary": "Accept"}
    if summary.status not in FINISHED:
        headers["Retry-After"] = str(_retry_after_s(summary, jobs.now()))
    if media_type == bodies.JSON:
        progress = resource.progress(summary, jobs.events.progress(summary.tenant, summary.id))
        return answers.json(resource.summary(summary, progress), status=status, headers=headers)
    if summary.result is None:
        return answers.without_result("Summary", summary, status=status, headers=headers)
    documents = await jobs.documents(summary.tenant, summary.id)
    render = html.render if media_type == "text/html" else markdown.render
    body = render(summary.result, documents).encode()
    return Response(body, media_type=media_type, status_code=status, headers=headers)


def _retry_after_s(summary: StoredSummary, now: datetime) -> int:
    """When to ask again: not before the endpoint is tried again, where that is waited for."""
    if summary.status != "waiting" or summary.next_attempt_at is None:
        return 1
    left_s = math.ceil((summary.next_attempt_at - now).total_seconds())
    return min(max(left_s, 1), _LONGEST_RETRY_AFTER_S)


def _accepted(request: AnyRequest) -> str:
    return negotiation.accepted(request.headers.get("accept", ""), MEDIA_TYPES, "A summary")


router = Router("/v1", route_handlers=[create, show, index, document, cancel, remove, plan])
