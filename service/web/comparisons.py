"""Comparisons over HTTP: run versions over documents or compare summaries, list, show in every form, delete."""

import asyncio
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from msgspec.structs import replace

from service.adapters.store import Key, StoredComparison
from service.core.comparison import Rules
from service.core.errors import FieldError, InvalidRequest
from service.core.types import Document
from service.experiment import Asked, Experiments
from service.jobs import FINISHED, TENANT
from service.rendering import comparison as reports
from service.rendering import resource
from service.web import answers, bodies, idempotency, negotiation
from service.web.shapes import ComparisonBody, Listing

MEDIA_TYPES = tuple(form.media_type for form in reports.FORMS.values() if form.over_http)

AnyRequest = Request[Any, Any, State]


@post("/comparisons", status_code=201)
async def create(request: AnyRequest) -> Response[bytes]:
    """Compare versions: 201 when it is finished within the wait, else 202."""
    experiments: Experiments = request.app.state.experiments
    media_type = _accepted(request)
    wait_s, applied = negotiation.wait_s(request.headers.get("prefer", ""), request.app.state.settings.wait_s)
    limits = bodies.limits(request.app.state.settings)
    with idempotency.held(request, TENANT) as held:
        body = await bodies.read_json(request, ComparisonBody, limits=limits)
        key = await idempotency.key_of(request, held)
        before = await experiments.made_under(TENANT, key)
        made = before or await _submitted(experiments, body, limits, key)
    comparison = await experiments.wait(TENANT, made.id, wait_s=wait_s)
    status = 201 if comparison.status in FINISHED else 202
    response = await _shown(experiments, comparison, media_type, status=status)
    return answers.made(
        response, f"/v1/comparisons/{comparison.id}", again=before is not None, waited_s=wait_s if applied else None
    )


@get("/comparisons/{comparison_id:str}")
async def show(request: AnyRequest, comparison_id: FromPath[str]) -> Response[bytes]:
    """A comparison as it is, as JSON, a page, Markdown, CSV or JUnit XML."""
    experiments: Experiments = request.app.state.experiments
    media_type = _accepted(request)
    return await _shown(experiments, await experiments.get(TENANT, comparison_id), media_type, status=200)


@get("/comparisons")
async def index(request: AnyRequest) -> Response[bytes]:
    """A page of comparisons, newest first, without their results."""
    experiments: Experiments = request.app.state.experiments
    query = bodies.decode_query(request.query_params, Listing)
    page = await experiments.page(TENANT, limit=query.limit, after=query.cursor, status=query.status)
    return answers.json(
        resource.ComparisonPage(
            data=tuple(resource.comparison(stored, None) for stored in page.data),
            has_more=page.next_cursor is not None,
            next_cursor=page.next_cursor,
        )
    )


@delete("/comparisons/{comparison_id:str}", status_code=204)
async def remove(request: AnyRequest, comparison_id: FromPath[str]) -> None:
    """Remove a comparison with the summaries that were made for it."""
    experiments: Experiments = request.app.state.experiments
    await experiments.delete(TENANT, comparison_id)


async def _submitted(
    experiments: Experiments, body: ComparisonBody, limits: bodies.Limits, key: Key | None
) -> StoredComparison:
    gate = body.gate
    asked = Asked(
        prompts=body.prompts,
        model=body.model,
        options=bodies.as_options(body.options),
        repetitions=body.repetitions,
        metric=body.metric,
        rules=Rules(
            margins=gate.margins, max_words=gate.max_words, max_cost=gate.max_cost, max_latency_s=gate.max_latency_s
        ),
        references=body.references,
    )
    if body.summaries:
        for name in ("documents", "prompts"):
            if getattr(body, name):
                fault = FieldError(f"/{name}", "leave it out, or leave out `summaries`")
                raise InvalidRequest("Summaries are compared as they are, without new ones.", errors=(fault,))
        return await experiments.submit_summaries(TENANT, body.summaries, asked, key=key)
    if not body.documents:
        fault = FieldError("/documents", "give documents and prompts, or summaries")
        raise InvalidRequest("There is nothing to compare.", errors=(fault,))
    documents = bodies.json_documents(body.documents, limits)
    bodies.check_characters(documents, limits)
    sets: list[tuple[str, tuple[Document, ...]]]
    if body.together:
        sets = [(f"{len(documents)} documents", documents)]
    else:
        # by itself a document is d1, as it is when it is summarised alone: what is asked is then the same
        sets = [
            (document.name or document.title or document.id, (replace(document, id=given.id or "d1"),))
            for document, given in zip(documents, body.documents, strict=True)
        ]
    return await experiments.submit(TENANT, sets, asked, key=key)


async def _shown(
    experiments: Experiments, comparison: StoredComparison, media_type: str, *, status: int
) -> Response[bytes]:
    headers = {"Vary": "Accept"} | ({} if comparison.status in FINISHED else {"Retry-After": "1"})
    if media_type == bodies.JSON:
        progress = await experiments.progress(comparison.tenant, comparison.id)
        return answers.json(resource.comparison(comparison, progress), status=status, headers=headers)
    if comparison.result is None:
        return answers.without_result("Comparison", comparison, status=status, headers=headers)
    texts = await experiments.texts(comparison)
    body = await asyncio.to_thread(reports.render, reports.form_of(media_type), comparison.result, texts)
    return Response(body.encode(), media_type=media_type, status_code=status, headers=headers)


def _accepted(request: AnyRequest) -> str:
    return negotiation.accepted(request.headers.get("accept", ""), MEDIA_TYPES, "A comparison")


router = Router("/v1", route_handlers=[create, show, index, remove])
