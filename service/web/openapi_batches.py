"""What the OpenAPI description says of batches."""

from service.rendering.batches import Batch, BatchPage, LineResult
from service.web import batches, shapes
from service.web import openapi_parts as parts
from service.web.lines import MEDIA_TYPES
from service.web.openapi_parts import Node

SHAPES = (shapes.LineBody, Batch, BatchPage, LineResult)
"""Whose schemas are described, with those that they refer to."""

_EXAMPLE = """\
{"custom_id": "bridge", "documents": [{"text": "The council voted on Tuesday to close the old bridge. Ana Ruiz said."}]}
{"custom_id": "harbour", "documents": [{"text": "The harbour opens again in May. Two ships had to wait outside."}]}
"""
_RESULTS = """\
{"line":1,"custom_id":"bridge","summary":{"id":"sum_06h2b6a0nm367ulo129pso7oko","status":"succeeded"}}
{"line":2,"custom_id":null,"error":{"type":"/docs/problems#malformed_body","title":"The body could not be decoded",\
"status":400,"detail":"JSON is malformed: expected ':' (byte 14). Send one JSON object.","code":"malformed_body"}}
"""


def paths() -> Node:
    """The paths of batches."""
    batch_id = parts.path("batch_id", "As in the batch’s `id`.", "bat_01hf8x0c1s5xgq2m4k3r7v9t6z")
    return {
        "/v1/batches": {
            "post": parts.operation(
                "make_batch",
                "Make a batch",
                "Many requests in one body, a line each (`LineBody`): what `POST /v1/summaries` takes as JSON, and a "
                "`custom_id`, which comes back as it is and need not be unique. The body is read as a stream, and a "
                "batch is made whole or not at all. Blank lines are passed over. A line that does not fit becomes a "
                "result with an `error` and its number; the others go on.",
                parameters=[parts.idempotency_key()],
                body={"required": True, "content": {kind: _body() for kind in MEDIA_TYPES}},
                responses={201: _made()},
                refusals=(400, 409, 413, 415, 422, 503, 507),
                tag="batches",
            ),
            "get": parts.operation(
                "batches",
                "List batches",
                "Newest first.",
                parameters=parts.query_parameters(batches.Listing),
                responses={200: parts.answer("A page.", "BatchPage")},
                refusals=(422, 503),
                tag="batches",
            ),
        },
        "/v1/batches/{batch_id}": {
            "get": parts.operation(
                "batch",
                "Fetch a batch",
                "How far it is: its lines, counted by what has become of them.",
                parameters=[batch_id],
                responses={200: parts.answer("The batch as it is.", "Batch")},
                refusals=(404, 503),
                tag="batches",
            ),
            "delete": parts.operation(
                "remove_batch",
                "Delete a batch",
                "Stops work on it, and removes its lines, their summaries and their texts.",
                parameters=[batch_id],
                responses={204: {"description": "Gone."}},
                refusals=(404, 503, 507),
                tag="batches",
            ),
        },
        "/v1/batches/{batch_id}/results": {
            "get": parts.operation(
                "batch_results",
                "Fetch the results of a batch",
                "One line each (`LineResult`), in the order of the body, as they come: a line is sent when it and all "
                "before it have ended. Between them the stream is silent, since there is nothing in NDJSON that could "
                "be said; where something on the way breaks off silent connections, bound the silence with `wait`, and "
                "go on with `after` and the number of the last line that came. When the server stops or the batch is "
                "deleted meanwhile, the connection breaks (with HTTP/1.1 the chunked body has no end), so that a part "
                "does not look whole; go on with `after` in the same way.",
                parameters=[batch_id, *parts.query_parameters(batches.Results)],
                responses={200: _streamed()},
                refusals=(404, 406, 422, 503),
                tag="batches",
            ),
        },
        "/v1/batches/{batch_id}/cancel": {
            "post": parts.operation(
                "cancel_batch",
                "Cancel a batch",
                "Stops the calls that are made for it; lines that have not ended are `cancelled`. One that has ended "
                "stays as it is.",
                parameters=[batch_id],
                responses={200: parts.answer("The batch as it is afterwards.", "Batch")},
                refusals=(404, 503, 507),
                tag="batches",
            ),
        },
    }


def _body() -> Node:
    return {"schema": {"type": "string"}, "example": _EXAMPLE}


def _made() -> Node:
    location: Node = {"schema": {"type": "string"}, "description": "Path of the batch."}
    return {**parts.answer("All of it is stored, and is worked on.", "Batch"), "headers": {"Location": location}}


def _streamed() -> Node:
    content: Node = {kind: {"schema": {"type": "string"}, "example": _RESULTS} for kind in MEDIA_TYPES}
    return {"description": "The results.", "content": content}
