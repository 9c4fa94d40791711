"""What the OpenAPI description says of a summary under way: following it, and stopping it."""

from service.rendering.resource import Progressed, Provisional
from service.web import events
from service.web import openapi_parts as parts
from service.web.openapi_parts import Node

SHAPES = (Progressed, Provisional)
"""Whose schemas are described: the data of events."""

_FOLLOW = """
Server-sent events, each with an `id`, from how things stand now to the end:

- `progress`: status and progress whenever they change (`Progressed`);
- `points`: key points that stand in the texts, as parts are read (`Provisional`); the result may join or drop them;
- `summary`: the finished summary, as `GET /v1/summaries/{summary_id}` answers it; then the stream ends;
- `gone`: it was deleted meanwhile; then the stream ends too.

Silence is broken by a comment every 15 seconds. A client that was cut off goes on after `Last-Event-ID` where that is
still known, else it is told anew how things stand. With the id of the event `summary` the answer is 204: that was all.
A stream that ends without `summary` or `gone` is that of a server that stops: come back in the same way.
"""


def paths(summary_id: Node, shown: Node) -> Node:
    """The paths below a summary."""
    return {
        "/v1/summaries/{summary_id}/events": {
            "get": parts.operation(
                "follow",
                "Follow a summary",
                _FOLLOW.strip(),
                parameters=[summary_id, _last_event_id()],
                responses={
                    200: {
                        "description": "The events.",
                        "content": {events.MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
                    },
                    204: {"description": "All of it was told."},
                },
                refusals=(404, 406, 503),
            ),
        },
        "/v1/summaries/{summary_id}/cancel": {
            "post": parts.operation(
                "cancel",
                "Cancel a summary",
                "Stops the calls that are made for it. One that is finished stays as it is. What was answered and paid "
                "for is remembered, and not paid again.",
                parameters=[summary_id],
                responses={200: shown},
                refusals=(404, 406, 503, 507),
            ),
        },
    }


_EXAMPLE = """retry: 2000

id: 5f0c9a7be312.4
event: progress
data: {"status":"running","progress":{"phase":"drafting","total":7,"completed":2,"failed":0,"tokens":9120,"cost":null,\
"next_attempt_at":null}}

"""


def _last_event_id() -> Node:
    return {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "example": "5f0c9a7be312.4",
        "description": "The `id` of the last event that was received; browsers send it by themselves.",
    }
