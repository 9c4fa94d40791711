"""Pieces that the OpenAPI description is put together from."""

from collections.abc import Sequence
from typing import Any

import msgspec

Node = dict[str, Any]

_REFUSALS = {
    400: "The request does not decode, or contradicts itself; the detail says where.",
    404: "No such thing.",
    406: "No such representation.",
    409: "A request under the same `Idempotency-Key` is being accepted; try again after Retry-After.",
    410: "The text was deleted after its time; the detail says when.",
    413: "Over a size limit; the detail names limit and size.",
    415: "A content type that is not read; the detail lists the right ones.",
    422: "The request decodes and does not fit; `errors` points to the fields.",
    503: "The store is unavailable; try again after Retry-After.",
    507: "The disk of the store is full; try again after Retry-After.",
}


def operation(  # noqa: PLR0913 - one argument for each part of an operation
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
    """A method of a path; `refusals` are the statuses of the problems that it may answer with."""
    problem = {"application/problem+json": {"schema": ref("Problem")}}
    refused = {status: {"description": _REFUSALS[status], "content": problem} for status in refusals}
    described: Node = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "responses": {str(status): response for status, response in {**responses, **refused}.items()},
    }
    if parameters:
        described["parameters"] = parameters
    if body:
        described["requestBody"] = body
    return described


def query_parameters(struct: type[msgspec.Struct]) -> list[Node]:
    """Query parameters from the struct that decodes them."""
    properties: Node = msgspec.json.schema(struct)["$defs"][struct.__name__]["properties"]
    return [
        _parameter(name, {k: v for k, v in field.items() if k != "description"}, field.get("description", ""))
        for name, field in properties.items()
    ]


def _parameter(name: str, schema: Node, description: str) -> Node:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def path(name: str, description: str, example: str) -> Node:
    """A part of a path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": description,
        "example": example,
    }


def answer(description: str, name: str) -> Node:
    """An answer in JSON, of the schema of that name."""
    return {"description": description, "content": {"application/json": {"schema": ref(name)}}}


def ref(name: str) -> Node:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def prefer() -> Node:
    """The header by which a caller says how long they wait."""
    return {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "example": "wait=30",
        "description": "Seconds to wait until it is finished, 0 to 60 (RFC 7240).",
    }


def idempotency_key() -> Node:
    """The header by which a request is made once, however often it is sent."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "7c1f6f0e-2f0b-4f3e-9b1a-0c9f5f1f7c11",
        "description": "Sent again under the same key, the same request makes nothing: it is answered with what was "
        "made the first time, as it is now, and `Idempotent-Replayed: true`. Another request under the key is refused. "
        "A key goes with what was made under it.",
    }


def shown(description: str, name: str, media_types: Sequence[str], *, of: str | None) -> Node:
    """A resource by `Accept`, as JSON of that schema or as text; with `of`, its path in `Location`."""
    content: Node = {
        kind: {"schema": ref(name) if kind == "application/json" else {"type": "string"}} for kind in media_types
    }
    response: Node = {"description": description, "content": content}
    if of is not None:
        response["headers"] = {"Location": {"schema": {"type": "string"}, "description": f"Path of the {of}."}}
    return response
