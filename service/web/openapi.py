"""The OpenAPI 3.1 description: schemas from the structs themselves, paths and examples written here."""

from typing import Any

import msgspec

from service import __version__
from service.adapters import extraction
from service.core.types import RequestPlan
from service.rendering.resource import Problem, Summary, SummaryPage
from service.web import bodies, shapes, summaries

Node = dict[str, Any]

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
    kinds = (shapes.SummaryBody, Summary, SummaryPage, RequestPlan, Problem)
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
            {"name": "summaries", "description": "Make, fetch, list and delete summaries."},
            {"name": "service", "description": "Whether it runs, and its description."},
        ],
    }


def _paths() -> Node:
    summary_id = _path("summary_id", "As in the summary’s `id`.", "sum_01hf8x0c1s5xgq2m4k3r7v9t6z")
    return {
        "/v1/summaries": {
            "post": _operation(
                "create",
                "Make a summary",
                "One summary over all documents of the request. Answers 201 when it is finished within the wait, else "
                "202; follow `Location`. A summary that failed is a summary with `status: failed` and an `error`.",
                parameters=[*_query_parameters(shapes.Query), _prefer()],
                body=_bodies(),
                responses={
                    201: _shown("Finished, whatever became of it.", location=True),
                    202: _shown("Accepted and not finished yet; ask again after Retry-After.", location=True),
                },
                refusals=(400, 404, 406, 413, 415, 422, 503),
            ),
            "get": _operation(
                "index",
                "List summaries",
                "Newest first, without their results.",
                parameters=_query_parameters(summaries.Listing),
                responses={200: _json("A page.", "SummaryPage")},
                refusals=(422, 503),
            ),
        },
        "/v1/summaries/{summary_id}": {
            "get": _operation(
                "show",
                "Fetch a summary",
                "As JSON, Markdown or a self-contained page, by `Accept`.",
                parameters=[summary_id],
                responses={200: _shown("The summary as it is.", location=False)},
                refusals=(404, 406, 503),
            ),
            "delete": _operation(
                "remove",
                "Delete a summary",
                "Removes its documents and its result too.",
                parameters=[summary_id],
                responses={204: {"description": "Gone."}},
                refusals=(404, 503),
            ),
        },
        "/v1/summaries/{summary_id}/documents/{document_id}": {
            "get": _operation(
                "document",
                "Fetch the text of a document",
                "The exact text that offsets refer to, for HTML, PDF and DOCX the extracted one.",
                parameters=[summary_id, _path("document_id", "As in the result’s `documents`.", "d1")],
                responses={
                    200: {"description": "The text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
                },
                refusals=(404, 503),
            ),
        },
        "/v1/plans": {
            "post": _operation(
                "plan",
                "What a summary would cost",
                "Chunks, calls, tokens and money of the same request to `/v1/summaries`. Nothing is stored or sent.",
                parameters=_query_parameters(shapes.Query),
                body=_bodies(),
                responses={200: _json("The plan.", "RequestPlan")},
                refusals=(400, 413, 415, 422),
            ),
        },
        "/health": {"get": _plain("health", "Whether the process answers", "It does.")},
        "/ready": {"get": _plain("ready", "Whether summaries can be made", "The store answers.", refusals=(503,))},
        "/openapi.json": {"get": _plain("openapi", "This description", "OpenAPI 3.1.")},
    }


def _operation(  # noqa: PLR0913 - one argument for each part of an operation
    name: str,
    summary: str,
    description: str,
    *,
    responses: dict[int, Node],
    parameters: list[Node] | None = None,
    body: Node | None = None,
    refusals: tuple[int, ...] = (),
    tag: str = "summaries",
) -> Node:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    refused = {status: {"description": _REFUSALS[status], "content": problem} for status in refusals}
    operation: Node = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "responses": {str(status): response for status, response in {**responses, **refused}.items()},
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = body
    return operation


_REFUSALS = {
    400: "The body does not decode; the detail names the byte offset.",
    404: "No such thing.",
    406: "No such representation.",
    413: "Over a size limit; the detail names limit and size.",
    415: "A content type that is not read; the detail lists the right ones.",
    422: "The request decodes and does not fit; `errors` points to the fields.",
    503: "The store is unavailable; try again after Retry-After.",
}


def _plain(name: str, summary: str, description: str, refusals: tuple[int, ...] = ()) -> Node:
    response: Node = {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}
    return _operation(name, summary, summary + ".", responses={200: response}, refusals=refusals, tag="service")


def _bodies() -> Node:
    file: Node = {"type": "string", "contentEncoding": "binary"}
    content: Node = {
        bodies.JSON: {"schema": _ref("SummaryBody"), "example": _EXAMPLE},
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


def _query_parameters(struct: type[msgspec.Struct]) -> list[Node]:
    """Query parameters from the struct that decodes them."""
    properties: Node = msgspec.json.schema(struct)["$defs"][struct.__name__]["properties"]
    return [
        _parameter(name, {k: v for k, v in field.items() if k != "description"}, field.get("description", ""))
        for name, field in properties.items()
    ]


def _parameter(name: str, schema: Node, description: str) -> Node:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _path(name: str, description: str, example: str) -> Node:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": description,
        "example": example,
    }


def _prefer() -> Node:
    return {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "example": "wait=30",
        "description": "Seconds to wait for the summary, 0 to 60 (RFC 7240).",
    }


def _shown(description: str, *, location: bool) -> Node:
    response: Node = {
        "description": description,
        "content": {
            "application/json": {"schema": _ref("Summary")},
            "text/markdown": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
    if location:
        response["headers"] = {"Location": {"schema": {"type": "string"}, "description": "Path of the summary."}}
    return response


def _json(description: str, name: str) -> Node:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _ref(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}
