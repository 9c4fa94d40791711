"""What the OpenAPI description says of prompts."""

from service.core.comparison import PromptDiff
from service.rendering.prompts import PromptDetail, PromptList, VersionDetail
from service.web import openapi_parts as parts
from service.web.openapi_parts import Node
from service.web.prompts import Compared

SHAPES = (PromptList, PromptDetail, VersionDetail, PromptDiff)
"""Whose schemas are described, with those that they refer to."""


def paths() -> Node:
    """The paths of prompts."""
    name = parts.path("name", "Of the prompt.", "news")
    version = parts.path(
        "version", "Its number, a label, `latest`, or `sha256:` and at least 8 digits of its digest.", "1"
    )
    return {
        "/v1/prompts": {
            "get": parts.operation(
                "prompts",
                "List prompts",
                "By name, each with its versions and labels. Prompts are changed on the command line.",
                responses={200: parts.answer("The prompts.", "PromptList")},
                tag="prompts",
            ),
        },
        "/v1/prompts/{name}": {
            "get": parts.operation(
                "prompt",
                "Fetch a prompt",
                "Its versions, labels and withdrawn versions, and what was done with them.",
                parameters=[name],
                responses={200: parts.answer("The prompt.", "PromptDetail")},
                refusals=(404,),
                tag="prompts",
            ),
        },
        "/v1/prompts/{name}/versions/{version}": {
            "get": parts.operation(
                "prompt_version",
                "Fetch a version of a prompt",
                "With all that is sent to a model. Withdrawn versions stay readable.",
                parameters=[name, version],
                responses={200: parts.answer("The version.", "VersionDetail")},
                refusals=(400, 404, 422),
                tag="prompts",
            ),
        },
        "/v1/prompts/{name}/diff": {
            "get": parts.operation(
                "prompt_diff",
                "How two versions of a prompt differ",
                "Part by part, as lines that are in both, in `from` only (`-`) or in `to` only (`+`).",
                parameters=[name, *parts.query_parameters(Compared)],
                responses={200: parts.answer("The difference.", "PromptDiff")},
                refusals=(400, 404, 422),
                tag="prompts",
            ),
        },
    }
