"""The wire to OpenAI-compatible endpoints: requests encoded for one endpoint's ways, and what to change when refused.

Nothing here does I/O. What comes back is read by `service.core.streams` (replies) and `service.core.faults` (refusals);
their names are offered here too, so that an adapter has one door.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from msgspec.structs import replace

from service.core.faults import Fault, FaultKind, Instant, fault, named_error
from service.core.streams import StreamDecoder, decode
from service.core.strict_json import count_replacements, parse_json, strip_reasoning
from service.core.types import CompletionRequest, Value

__all__ = [
    "DEFAULT",
    "RUNGS",
    "Cap",
    "Fault",
    "FaultKind",
    "Instant",
    "Profile",
    "Rung",
    "StreamDecoder",
    "SystemRole",
    "backoff_s",
    "count_replacements",
    "decode",
    "encode",
    "fault",
    "named_error",
    "parse_json",
    "request_key",
    "step_down",
    "strip_reasoning",
    "suspicious_truncation",
]

Rung = Literal["json_schema_strict", "json_schema", "json_object_schema", "json_object", "prompt"]
"""How the form of an answer is asked for: the ladder, best first; on the last rung only the prompt asks."""
RUNGS: tuple[Rung, ...] = get_args(Rung)
Cap = Literal["max_completion_tokens", "max_tokens"]
SystemRole = Literal["system", "developer", "user"]

_OTHER_CAP: dict[Cap, Cap] = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_NEXT_ROLE: dict[SystemRole, SystemRole] = {"developer": "system", "system": "user", "user": "user"}
_SHORTEST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_FIRST_WAIT_S = 0.5
_MOST_DOUBLINGS = 16
_LEAST_READ = 0.8


class Profile(Value, frozen=True, kw_only=True):
    """What one endpoint and model is sent: which of the optional fields, and under which names."""

    rung: Rung
    cap: Cap | None
    """Name of the field that bounds the answer; None where the endpoint takes neither."""
    temperature: bool
    """Whether a temperature that the request states is sent."""
    seed: bool
    """Whether the repetition is sent as the seed."""
    stream: bool
    stream_usage: bool
    """Whether token counts are asked for in streams, by `stream_options`."""
    system_role: SystemRole
    """`user` puts the system text in front of the first user message."""
    refused: tuple[Cap, ...] = ()
    """Names of the cap that were refused, so that two refusals do not swap them for ever."""


DEFAULT = Profile(
    rung="json_schema_strict",
    # Where `max_tokens` is not taken it is refused aloud; `max_completion_tokens` is ignored without a word by some.
    cap="max_tokens",
    temperature=True,
    seed=False,
    stream=True,
    stream_usage=False,
    system_role="system",
)
"""For an endpoint of which nothing is known: no field but what the request states, and a bound on the answer."""


def encode(request: CompletionRequest, profile: Profile, *, model: str) -> dict[str, object]:
    """Make the body of `POST /chat/completions`: one system message, every content a string.

    Fields that the profile does not take are left out. The schema is in `response_format` on the first three rungs.
    """
    body: dict[str, object] = {"model": model, "messages": _messages(request, profile.system_role)}
    if profile.cap is not None:
        body[profile.cap] = request.max_output_tokens
    if profile.temperature and request.temperature is not None:
        # 0 and 0.0 are the same question and must have the same key.
        body["temperature"] = float(request.temperature)
    if profile.seed:
        body["seed"] = request.repetition
    response_format = _response_format(request, profile.rung)
    if response_format is not None:
        body["response_format"] = response_format
    if profile.stream:
        body["stream"] = True
        if profile.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body


def _messages(request: CompletionRequest, role: SystemRole) -> list[dict[str, str]]:
    """Give the messages with all system text in one place: the first message, or before the first user message."""
    system = "\n\n".join(message.content for message in request.messages if message.role == "system")
    others = [
        {"role": message.role, "content": message.content} for message in request.messages if message.role != "system"
    ]
    if not system:
        return others
    if role != "user":
        return [{"role": role, "content": system}, *others]
    first = next((message for message in others if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *others]
    first["content"] = f"{system}\n\n{first['content']}"
    return others


def _response_format(request: CompletionRequest, rung: Rung) -> dict[str, object] | None:
    """Give the field that asks for the form of the answer, or None on the last rung."""
    schema: dict[str, object] = {"name": request.schema_name, "schema": request.schema}
    match rung:
        case "json_schema_strict":
            return {"type": "json_schema", "json_schema": {**schema, "strict": True}}
        case "json_schema":
            return {"type": "json_schema", "json_schema": schema}
        case "json_object_schema":
            return {"type": "json_object", "schema": request.schema}
        case "json_object":
            return {"type": "json_object"}
        case "prompt":
            return None


def request_key(method: str, path: str, body: Mapping[str, object]) -> str:
    """Give the SHA-256, in hex, by which a request is remembered and replayed.

    It is taken over the UTF-8 bytes of the JSON array `[method, path, body]`, with sorted keys, no white space and
    nothing escaped that JSON lets stand. Host, headers and key are not in it. Memos and recordings are found by it:
    this form never changes.

    >>> request_key("POST", "/chat/completions", {"b": "é", "a": 1})[:12]
    '76cbc2d21067'
    """
    canonical = json.dumps(
        [method, path, dict(body)], sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def step_down(profile: Profile, fault: Fault) -> Profile | None:
    """Give the profile without what the endpoint refused, or None when nothing is left to change.

    Caps are swapped, then left out; the ladder goes one rung down; developer becomes system, and system goes into the
    user message. Every step loses something, so a series of refusals ends.
    """
    changed = profile
    match fault.kind, fault.parameter:
        case "response_format", _:
            below = RUNGS[RUNGS.index(profile.rung) + 1 :]
            changed = replace(profile, rung=below[0]) if below else profile
        case "parameter", ("max_tokens" | "max_completion_tokens") as cap if cap == profile.cap:
            refused: tuple[Cap, ...] = (*profile.refused, cap)
            other = _OTHER_CAP[cap]
            changed = replace(profile, cap=None if other in refused else other, refused=refused)
        case "parameter", "temperature":
            changed = replace(profile, temperature=False)
        case "parameter", "seed":
            changed = replace(profile, seed=False)
        case "parameter", "stream_options":
            changed = replace(profile, stream_usage=False)
        case "parameter", "stream":
            changed = replace(profile, stream=False, stream_usage=False)
        case "parameter", "system_role":
            changed = replace(profile, system_role=_NEXT_ROLE[profile.system_role])
        case _:
            pass
    return changed if changed != profile else None


def backoff_s(attempt: int, *, uniform: Callable[[float, float], float]) -> float:
    """Give the seconds to wait before asking again, where the endpoint names none: exponential, with full jitter.

    `attempt` counts from 0; `uniform(low, high)` draws between its bounds. From "Exponential Backoff And Jitter"
    (M. Brooker, 2015), with a floor, so that a draw near zero does not hit an endpoint that is down.

    >>> [backoff_s(attempt, uniform=lambda low, high: high) for attempt in (0, 1, 2, 9)]
    [0.5, 1.0, 2.0, 30.0]
    """
    doublings = min(max(attempt, 0), _MOST_DOUBLINGS)
    return max(_SHORTEST_WAIT_S, uniform(0.0, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**doublings)))


def suspicious_truncation(reported_prompt_tokens: int, counted: int) -> bool:
    """Tell whether an endpoint read less of a prompt than was sent: under 80% of our own count.

    >>> suspicious_truncation(2048, 6000), suspicious_truncation(5400, 6000)
    (True, False)
    """
    return reported_prompt_tokens < _LEAST_READ * counted
