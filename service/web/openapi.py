"""The OpenAPI 3.1 description: schemas from the structs themselves, paths and examples written here."""

import msgspec

from service import __version__
from service.adapters import extraction
from service.core.types import RequestPlan
from service.rendering.resource import Problem, Summary, SummaryPage
from service.web import bodies, openapi_batches, openapi_comparisons, openapi_events, openapi_prompts, shapes, summaries
from service.web import openapi_parts as parts
from service.web.openapi_parts import Node

_ARTICLE = (
    "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said the repairs would cost $1.2 million. "
    "Traffic will reportedly be diverted until May 2027."
)
_EXAMPLE = {
    "documents": [{"text": _ARTICLE, "title": "Bridge to close", "published_at": "2026-11-03"}],
    "options": {"length": "brief", "focus": "cost of the repairs"},
}
_DESCRIPTION = """
Summaries that a reader can check: every key point carries exact quotes from the source, with offsets into its text.

Offsets are Unicode code points, half open: `text[start:end] == quote`, for the text at
`/v1/summaries/{id}/documents/{document}`. Errors are problem objects (RFC 9457) with a `code` to branch on; see
[the list](/docs/problems). Every response carries `X-Request-ID`, which the log names too.
"""


def describe() -> Node:
    """The whole description as plain data."""
    kinds = (
        shapes.SummaryBody,
        Summary,
        SummaryPage,
        RequestPlan,
        Problem,
        *openapi_events.SHAPES,
        *openapi_prompts.SHAPES,
        *openapi_batches.SHAPES,
        *openapi_comparisons.SHAPES,
    )
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Précis",
            "version": __version__,
            "description": _DESCRIPTION.strip(),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": _paths(),
        "components": {"schemas": components},
        "tags": [
            {"name": "summaries", "description": "Make, follow, fetch, list, cancel and delete summaries."},
            {"name": "batches", "description": "Make many summaries at once, and fetch them as they come."},
            {"name": "comparisons", "description": "Compare prompt versions, or summaries, fact by fact."},
            {"name": "prompts", "description": "Read the prompts: versions, labels, history, and how versions differ."},
            {"name": "service", "description": "Whether it runs, and its description."},
        ],
    }


def _paths() -> Node:
    summary_id = parts.path("summary_id", "As in the summary’s `id`.", "sum_01hf8x0c1s5xgq2m4k3r7v9t6z")
    return {
        "/v1/summaries": {
            "post": parts.operation(
                "create",
                "Make a summary",
                "One summary over all documents of the request. Answers 201 when it is finished within the wait, else "
                "202; follow `Location`. A summary that failed is a summary with `status: failed` and an `error`.",
                parameters=[*parts.query_parameters(shapes.Query), parts.prefer(), parts.idempotency_key()],
                body=_bodies(),
                responses={
                    201: _shown("Finished, whatever became of it.", location=True),
                    202: _shown("Accepted and not finished yet; ask again after Retry-After.", location=True),
                },
                refusals=(400, 404, 406, 409, 413, 415, 422, 503, 507),
            ),
            "get": parts.operation(
                "index",
                "List summaries",
                "Newest first, without their results.",
                parameters=parts.query_parameters(shapes.Listing),
                responses={200: parts.answer("A page.", "SummaryPage")},
                refusals=(422, 503),
            ),
        },
        "/v1/summaries/{summary_id}": {
            "get": parts.operation(
                "show",
                "Fetch a summary",
                "As JSON, Markdown or a self-contained page, by `Accept`.",
                parameters=[summary_id],
                responses={200: _shown("The summary as it is.", location=False)},
                refusals=(404, 406, 503),
            ),
            "delete": parts.operation(
                "remove",
                "Delete a summary",
                "Removes its documents and its result too.",
                parameters=[summary_id],
                responses={204: {"description": "Gone."}},
                refusals=(404, 503, 507),
            ),
        },
        **openapi_events.paths(summary_id, _shown("The summary as it is afterwards.", location=False)),
        "/v1/summaries/{summary_id}/documents/{document_id}": {
            "get": parts.operation(
                "document",
                "Fetch the text of a document",
                "The exact text that offsets refer to, for HTML, PDF and DOCX the extracted one. 410 when it was "
                "deleted after its time (`PRECIS_DOCUMENTS_DAYS`); the summary keeps its quotes.",
                parameters=[summary_id, parts.path("document_id", "As in the result’s `documents`.", "d1")],
                responses={
                    200: {"description": "The text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
                },
                refusals=(404, 410, 503),
            ),
        },
        "/v1/plans": {
            "post": parts.operation(
                "plan",
                "What a summary would cost",
                "Chunks, calls, tokens and money of the same request to `/v1/summaries`. Nothing is stored or sent.",
                parameters=parts.query_parameters(shapes.Query),
                body=_bodies(),
                responses={200: parts.answer("The plan.", "RequestPlan")},
                refusals=(400, 413, 415, 422),
            ),
        },
        **openapi_batches.paths(),
        **openapi_comparisons.paths(),
        **openapi_prompts.paths(),
        "/health": {"get": _plain("health", "Whether the process answers", "It does.")},
        "/ready": {
            "get": _plain(
                "ready", "Whether summaries can be made", "The store can be read and written.", refusals=(503, 507)
            )
        },
        "/openapi.json": {"get": _plain("openapi", "This description", "OpenAPI 3.1.")},
    }


def _plain(name: str, summary: str, description: str, refusals: tuple[int, ...] = ()) -> Node:
    response: Node = {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}
    return parts.operation(name, summary, summary + ".", responses={200: response}, refusals=refusals, tag="service")


def _bodies() -> Node:
    file: Node = {"type": "string", "contentEncoding": "binary"}
    content: Node = {
        bodies.JSON: {"schema": parts.ref("SummaryBody"), "example": _EXAMPLE},
        extraction.PLAIN: {"schema": {"type": "string"}, "example": _ARTICLE},
        extraction.MARKDOWN: {"schema": {"type": "string"}, "example": f"# Bridge to close\n\n{_ARTICLE}"},
        extraction.HTML: {"schema": {"type": "string"}, "example": f"<article><p>{_ARTICLE}</p></article>"},
        extraction.PDF: {"schema": file},
        extraction.DOCX: {"schema": file},
        bodies.MULTIPART: {
            "schema": {"type": "object", "properties": {"files": {"type": "array", "items": file}}},
        },
    }
    return {
        "required": True,
        "description": "JSON, or a document itself, or files; with the latter two the options stand in the query.",
        "content": content,
    }


def _shown(description: str, *, location: bool) -> Node:
    return parts.shown(description, "Summary", summaries.MEDIA_TYPES, of="summary" if location else None)
