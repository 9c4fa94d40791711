"""What a refusal means, in every shape that endpoints are known to give it."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.errors import (
    CompletionRefused,
    ContextOverflow,
    EndpointError,
    EndpointRejected,
    EndpointThrottled,
    EndpointUnavailable,
)
from service.core.faults import Fault, FaultKind, fault, named_error

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RETRIED = (408, 409, 500, 502, 503, 504, 529)


def told(status: int, said: object, headers: dict[str, str] | None = None) -> Fault:
    """Read a refusal from JSON, text or bytes."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return fault(status, headers or {}, body, now=NOW)


def openai(
    message: str, *, type_: str = "invalid_request_error", param: str | None = None, code: object = None
) -> object:
    """Make an error as OpenAI does."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


MATRIX: list[tuple[str, int, object, FaultKind, str | None]] = [
    (
        "openai cap",
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        "parameter",
        "max_tokens",
    ),
    (
        "openai temperature",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0 with this model.",
            param="temperature",
            code="unsupported_value",
        ),
        "parameter",
        "temperature",
    ),
    (
        "openai role",
        400,
        openai(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            param="messages[0].role",
            code="unsupported_value",
        ),
        "parameter",
        "system_role",
    ),
    (
        "openai schema",
        400,
        openai("Invalid schema for response_format 'draft': ...", param="response_format", code=None),
        "response_format",
        "response_format",
    ),
    (
        "openai json word",
        400,
        openai(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        ),
        "response_format",
        "response_format",
    ),
    ("openai key", 401, openai("Incorrect API key provided: sk-abc.", code="invalid_api_key"), "credentials", None),
    (
        "openai model",
        404,
        openai("The model `x` does not exist or you do not have access to it.", code="model_not_found"),
        "model",
        None,
    ),
    (
        "openai overflow",
        400,
        openai(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            param="messages",
            code="context_length_exceeded",
        ),
        "overflow",
        None,
    ),
    (
        "openai throttle",
        429,
        openai("Rate limit reached for x on requests per min.", type_="requests", code="rate_limit_exceeded"),
        "throttled",
        None,
    ),
    (
        "openai too large a minute",
        429,
        openai(
            "Request too large for x on tokens per min (TPM): Limit 10000.", type_="tokens", code="rate_limit_exceeded"
        ),
        "overflow",
        None,
    ),
    (
        "openai quota",
        429,
        openai(
            "You exceeded your current quota, please check your plan and billing details.",
            type_="insufficient_quota",
            code="insufficient_quota",
        ),
        "final",
        None,
    ),
    ("azure cap", 422, openai("Extra inputs: max_completion_tokens", param=None), "parameter", "max_completion_tokens"),
    (
        "azure filter",
        400,
        openai(
            "The response was filtered due to the prompt triggering content management policy.",
            type_="",
            code="content_filter",
        ),
        "refused",
        None,
    ),
    (
        "vllm int code",
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        "overflow",
        None,
    ),
    (
        "vllm cap too large",
        400,
        {
            "error": {
                "message": "'max_tokens' or 'max_completion_tokens' is too large: 4000. This "
                "model's maximum context length is 4096 tokens and your request has 3000 input tokens.",
                "code": 400,
            }
        },
        "overflow",
        None,
    ),
    ("vllm key", 401, {"error": "Unauthorized"}, "credentials", None),
    (
        "vllm model",
        404,
        {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}},
        "model",
        None,
    ),
    (
        "vllm template",
        400,
        {"error": {"message": "System role not supported", "type": "BadRequestError", "param": None, "code": 400}},
        "parameter",
        "system_role",
    ),
    (
        "mistral template",
        400,
        {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}},
        "parameter",
        "system_role",
    ),
    (
        "sglang flat",
        400,
        {
            "object": "error",
            "message": "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        "overflow",
        None,
    ),
    (
        "llama.cpp overflow",
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 5000,
                "n_ctx": 2048,
            }
        },
        "overflow",
        None,
    ),
    (
        "llama.cpp loading",
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        "retry",
        None,
    ),
    (
        "llama-cpp-python schema",
        500,
        openai(
            "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
            "'msg': \"Input should be 'text' or 'json_object'\"}]",
            type_="internal_server_error",
        ),
        "response_format",
        "response_format",
    ),
    ("llama-cpp-python key", 401, {"detail": "Invalid API key"}, "credentials", None),
    (
        "llama-cpp-python overflow",
        400,
        openai("Requested tokens (4100) exceed context window of 2048"),
        "overflow",
        None,
    ),
    (
        "transformers field",
        422,
        {"detail": "Unexpected fields in the request: {'stream_options'}"},
        "parameter",
        "stream_options",
    ),
    ("transformers model", 400, {"detail": "Model x not found"}, "model", None),
    (
        "fastapi loc",
        422,
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", "seed"],
                    "msg": "Extra inputs are not permitted",
                    "input": 0,
                }
            ]
        },
        "parameter",
        "seed",
    ),
    (
        "lm studio",
        400,
        {"error": "'response_format.type' must be 'json_schema' or 'text'"},
        "response_format",
        "response_format",
    ),
    ("lm studio string", 500, {"error": "model crashed"}, "retry", None),
    (
        "litellm overflow",
        400,
        openai("litellm.ContextWindowExceededError: litellm.BadRequestError: too long", type_="", code="400"),
        "overflow",
        None,
    ),
    ("litellm overflow in a 500", 500, openai("litellm.ContextWindowExceededError: x", code="500"), "overflow", None),
    (
        "litellm model",
        400,
        openai("/chat/completions: Invalid model name passed in model=x", code="400"),
        "model",
        None,
    ),
    (
        "litellm parameter",
        400,
        openai(
            "litellm.UnsupportedParamsError: x does not support parameters: ['response_format'], for model=y",
            code="400",
        ),
        "response_format",
        "response_format",
    ),
    (
        "mistral nested",
        422,
        {
            "object": "error",
            "message": {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "max_completion_tokens"],
                        "msg": "Extra inputs are not permitted",
                    }
                ]
            },
            "type": "invalid_request_error",
        },
        "parameter",
        "max_completion_tokens",
    ),
    (
        "mistral overflow",
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            "code": "3051",
        },
        "overflow",
        None,
    ),
    ("deepseek", 400, openai("This response_format type is unavailable now"), "response_format", "response_format"),
    ("groq stream", 400, openai("Streaming is not supported with this model"), "parameter", "stream"),
    (
        "groq schema",
        400,
        openai("This model does not support response format `json_schema`."),
        "response_format",
        "response_format",
    ),
    ("openrouter credit", 402, {"error": {"code": 402, "message": "Insufficient credits"}}, "final", None),
    ("openrouter in a 200", 200, {"error": {"code": 429, "message": "Rate limited upstream"}}, "throttled", None),
    ("openrouter credit in a 200", 200, {"error": {"code": 402, "message": "No credit"}}, "final", None),
    (
        "openrouter upstream",
        200,
        {
            "error": {
                "code": 400,
                "message": "Provider returned error",
                "metadata": {"raw": '{"error":{"message":"This model\'s maximum context length is 4096 tokens"}}'},
            }
        },
        "overflow",
        None,
    ),
    ("openrouter choice", 200, {"choices": [{"error": {"code": 502, "message": "Upstream died"}}]}, "retry", None),
    (
        "openrouter flagged",
        403,
        {"error": {"code": 403, "message": "your input was flagged", "metadata": {}}},
        "refused",
        None,
    ),
    (
        "gemini array",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        "parameter",
        "seed",
    ),
    (
        "gemini schema",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "Unknown name \"additionalProperties\" at 'generation_config.response_schema'",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        "response_format",
        "response_format",
    ),
    (
        "gemini key",
        400,
        [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}],
        "credentials",
        None,
    ),
    (
        "gemini overflow",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (2000000) exceeds the maximum "
                    "number of tokens allowed (1048576).",
                }
            }
        ],
        "overflow",
        None,
    ),
    (
        "ollama model",
        404,
        {"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}},
        "model",
        None,
    ),
    (
        "anthropic overloaded",
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "retry",
        None,
    ),
    (
        "anthropic overflow",
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
        },
        "overflow",
        None,
    ),
    (
        "anthropic in a 200",
        200,
        {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
        "retry",
        None,
    ),
    ("proxy page", 502, b"<html><body>Bad Gateway</body></html>", "retry", None),
    ("proxy page, too large", 413, b"<html>413 Request Entity Too Large</html>", "final", None),
    ("plain text", 503, b"upstream connect error", "retry", None),
    ("nothing", 500, b"", "retry", None),
    ("wrong address", 404, {"detail": "Not Found"}, "final", None),
    ("other parameter", 400, openai("Unknown parameter: 'tools'", param="tools"), "final", "tools"),
    ("bytes", 400, b"\xff\xfe\x00", "final", None),
]


@pytest.mark.parametrize(
    ("status", "said", "kind", "parameter"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX]
)
def test_every_endpoints_refusal_is_understood(
    status: int, said: object, kind: FaultKind, parameter: str | None
) -> None:
    """Behaviours 2, 5, 7, 13, 14 and 16, over the shapes of the matrix."""
    found = told(status, said)
    assert (found.kind, found.parameter) == (kind, parameter), found


@pytest.mark.parametrize("status", RETRIED)
def test_13_statuses_that_pass_are_retried(status: int) -> None:
    """408, 409, 500, 502, 503, 504 and 529 without more; 429 waits."""
    assert told(status, {}).kind == "retry"
    assert told(429, {}).kind == "throttled"


@pytest.mark.parametrize("status", sorted(set(range(300, 600)) - {*RETRIED, 429}))
def test_13_no_other_status_is_retried(status: int) -> None:
    """Never 400, 401, 402, 403, 404, 413, 422, nor what nobody listed."""
    assert told(status, {"error": {"message": "no", "code": 503}}).kind in ("final", "credentials")


@pytest.mark.parametrize(
    ("headers", "text", "wait_s"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"Retry-After": "2"}, "try again in 9s", 2.0),
        ({"Retry-After": "0"}, "", 0.0),
        ({"Retry-After": "0.5"}, "", 0.5),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:30 GMT"}, "", 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:30"}, "", 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 14:00:30 +0200"}, "", 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 11:00:00 GMT"}, "", 0.0),
        ({"llm_provider-retry-after": "7"}, "", 7.0),
        ({"Retry-After": "soon", "llm_provider-retry-after": "7"}, "", 7.0),
        ({}, "Please try again in 19.86s.", 19.86),
        ({}, "Please try again in 430ms.", 0.43),
        ({}, "Please try again in 1m2.5s. Visit", 62.5),
        ({}, "try again in 1h0m0s", 3600.0),
        ({}, "Please retry after 26 seconds.", 26.0),
        ({}, "Please try again in 2 minutes", 120.0),
        ({}, "try again in a while", None),
        ({}, "try again in 2 moons", None),
        ({"Retry-After": "-1"}, "", None),
        ({"Retry-After": "nan"}, "", None),
        ({"Retry-After": "1e9"}, "", None),
        ({"Retry-After": "999999999999"}, "", 604_800.0),
        ({"Retry-After": "٣"}, "", None),
        ({}, "", None),
    ],
)
def test_13_the_wait_is_what_the_endpoint_asks_for(headers: dict[str, str], text: str, wait_s: float | None) -> None:
    """Milliseconds, seconds, a date, a proxy's header, or words; else none, and the caller backs off by itself."""
    for status in (429, 503):
        found = told(status, openai(text), headers).wait_s
        assert found == (None if wait_s is None else pytest.approx(wait_s))


def test_13_google_puts_the_wait_into_the_details() -> None:
    """`retryDelay` is a wait like any other."""
    error = {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED", "details": [{}, {"retryDelay": "19s"}]}
    assert told(429, [{"error": error}]).wait_s == 19.0


def test_13_only_what_is_asked_again_waits() -> None:
    """A wait beside a refusal for good means nothing."""
    assert told(400, {}, {"retry-after": "5"}).wait_s is None
    assert told(402, {}, {"retry-after": "5"}).wait_s is None


def test_13_without_a_clock_dates_are_not_read() -> None:
    """A date is nothing without a now."""
    headers = {"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}
    assert fault(429, headers, b"", now=None).wait_s is None


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("openai overflow", 8192),
        ("vllm int code", 4096),
        ("sglang flat", 4096),
        ("llama.cpp overflow", 2048),
        ("llama-cpp-python overflow", 2048),
        ("mistral overflow", 32768),
        ("gemini overflow", 1_048_576),
        ("anthropic overflow", 200_000),
        ("openrouter upstream", 4096),
        ("litellm overflow", None),
        ("openai throttle", None),
    ],
)
def test_14_the_window_is_learned_from_an_overflow_that_says_it(name: str, window: int | None) -> None:
    """So that the next split fits."""
    _, status, said, _, _ = next(row for row in MATRIX if row[0] == name)
    assert told(status, said).window == window


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-Ab3dEf6hIjKlMnOp",
        "sk-canary",
        "sk-abc*******wxyz",
        "Bearer abc.def.ghi",
        "gsk_Ab3dEf6hIj",
        "AIzaSyA1234567890abcdef",
        "0123456789abcdef0123456789abcdef",
        "key-0123456789",
    ],
)
def test_no_message_holds_what_looks_like_a_key(secret: str) -> None:
    """Some endpoints repeat the key that they refuse, in the message or in a code."""
    for said in (openai(f"Bad key {secret}."), openai("x", code=secret), {"detail": f"Got {secret}"}, secret.encode()):
        found = told(401, said)
        assert secret.removeprefix("Bearer ") not in found.message
        assert secret.removeprefix("Bearer ") not in named_error(found).detail
    assert "user:pw" not in told(502, b"cannot reach http://user:pw@host/").message


def test_a_message_is_one_line_of_at_most_200_characters() -> None:
    """An endpoint that repeats our prompt is cut short, and control characters do not reach a terminal."""
    found = told(400, openai("It rained.\n\x1b[31m " * 100))
    said = found.message.removeprefix("The endpoint answered 400 (invalid_request_error): ")
    assert len(said) == 200
    assert "\x1b" not in said
    assert "\n" not in said
    assert "key-points" in told(400, openai("no such schema: key-points/1")).message


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("openai overflow", ContextOverflow),
        ("azure filter", CompletionRefused),
        ("openai throttle", EndpointThrottled),
        ("llama.cpp loading", EndpointUnavailable),
        ("openai key", EndpointRejected),
        ("openai model", EndpointRejected),
        ("openai quota", EndpointRejected),
        ("openai temperature", EndpointRejected),
        ("lm studio", EndpointRejected),
    ],
)
def test_every_fault_ends_as_a_named_error(name: str, error: type[EndpointError]) -> None:
    """When nothing more is tried, the caller is told what it was."""
    _, status, said, _, _ = next(row for row in MATRIX if row[0] == name)
    assert type(named_error(told(status, said))) is error


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from("error message detail loc msg code type param choices n_ctx metadata raw details".split()),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=1_500)
@given(
    st.one_of(st.integers(200, 599), st.integers()),
    st.dictionaries(
        st.sampled_from(["retry-after", "Retry-After-Ms", "llm_provider-retry-after"]),
        st.one_of(st.text(), st.text("0123456789 :,GMTJanThu+-.", max_size=40)),
    ),
    st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode())),
)
def test_any_refusal_at_all_is_a_fault(status: int, headers: dict[str, str], body: bytes) -> None:
    """Whatever comes, there is a kind, a message that can be stored, and a wait that can be waited."""
    found = fault(status, headers, body, now=NOW)
    found.message.encode()
    assert isinstance(named_error(found), EndpointError)
    assert found.wait_s is None or 0.0 <= found.wait_s <= 604_800.0
    assert found.parameter is None or isinstance(found.parameter, str)
    assert len(found.message) <= 400
