"""What the OpenAPI description says of comparisons."""

from service.rendering.resource import ComparisonPage, ComparisonResource
from service.web import comparisons, shapes
from service.web import openapi_parts as parts
from service.web.openapi_parts import Node

SHAPES = (shapes.ComparisonBody, ComparisonResource, ComparisonPage)
"""Whose schemas are described, with those that they refer to."""

_EXAMPLE = {
    "documents": [
        {"text": "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."},
        {"text": "The harbour opens again in May. Two ships had to wait outside, the harbour master said."},
    ],
    "prompts": ["news@2", "news@3"],
}


def paths() -> Node:
    """The paths of comparisons."""
    comparison_id = parts.path("comparison_id", "As in the comparison’s `id`.", "cmp_01hf8x0c1s5xgq2m4k3r7v9t6z")
    return {
        "/v1/comparisons": {
            "post": parts.operation(
                "compare",
                "Compare prompt versions",
                "Runs two versions or more over documents, each by itself, or takes summaries that are there, and says "
                "which claims the last gained, lost or changed against the first. Answers 201 when it is finished "
                "within the wait, else 202; follow `Location`. A trial that failed is in the result, and `status` is "
                "then `partial`.",
                parameters=[parts.prefer(), parts.idempotency_key()],
                body={"required": True, "content": {"application/json": _body()}},
                responses={
                    201: _shown("Finished, whatever became of it.", location=True),
                    202: _shown("Accepted and not finished yet; ask again after Retry-After.", location=True),
                },
                refusals=(400, 404, 406, 409, 413, 415, 422, 503, 507),
                tag="comparisons",
            ),
            "get": parts.operation(
                "comparisons",
                "List comparisons",
                "Newest first, without their results.",
                parameters=parts.query_parameters(shapes.Listing),
                responses={200: parts.answer("A page.", "ComparisonPage")},
                refusals=(422, 503),
                tag="comparisons",
            ),
        },
        "/v1/comparisons/{comparison_id}": {
            "get": parts.operation(
                "comparison",
                "Fetch a comparison",
                "As JSON, a self-contained page, Markdown, CSV or JUnit XML, by `Accept`.",
                parameters=[comparison_id],
                responses={200: _shown("The comparison as it is.", location=False)},
                refusals=(404, 406, 503),
                tag="comparisons",
            ),
            "delete": parts.operation(
                "remove_comparison",
                "Delete a comparison",
                "Removes the summaries that were made for it too, with their texts; those that were there before stay.",
                parameters=[comparison_id],
                responses={204: {"description": "Gone."}},
                refusals=(404, 503, 507),
                tag="comparisons",
            ),
        },
    }


def _body() -> Node:
    return {"schema": parts.ref("ComparisonBody"), "example": _EXAMPLE}


def _shown(description: str, *, location: bool) -> Node:
    return parts.shown(
        description, "ComparisonResource", comparisons.MEDIA_TYPES, of="comparison" if location else None
    )
