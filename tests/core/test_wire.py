"""What an endpoint is sent, and what is changed when it refuses a part of it."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.core.types import CompletionRequest, Message
from service.core.wire import (
    DEFAULT,
    RUNGS,
    Cap,
    Fault,
    Profile,
    Rung,
    SystemRole,
    backoff_s,
    encode,
    fault,
    request_key,
    step_down,
    suspicious_truncation,
)

SCHEMA: dict[str, object] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
REQUEST = CompletionRequest(
    prompt="news@1",
    stage="map",
    messages=(Message(role="system", content="Answer in JSON."), Message(role="user", content="[1] It rained.")),
    schema_name="draft",
    schema=SCHEMA,
    max_output_tokens=4000,
    temperature=0,
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARAMETERS = (
    "max_tokens max_completion_tokens temperature seed stream stream_options system_role response_format".split()
)
profiles = st.builds(
    Profile,
    rung=st.sampled_from(RUNGS),
    cap=st.sampled_from([None, "max_tokens", "max_completion_tokens"]),
    temperature=st.booleans(),
    seed=st.booleans(),
    stream=st.booleans(),
    stream_usage=st.booleans(),
    system_role=st.sampled_from(["system", "developer", "user"]),
)


def refusal_of(parameter: str) -> Fault:
    """Make the fault of a parameter."""
    if parameter == "response_format":
        return Fault(kind="response_format", parameter=parameter, message="")
    return Fault(kind="parameter", parameter=parameter, message="")


def test_01_no_optional_field_is_sent_by_default() -> None:
    """By default the body holds the question, the bound on the answer, its form, and what the request states."""
    bare = encode(replace(REQUEST, temperature=None), DEFAULT, model="m")
    assert set(bare) == {"model", "messages", "max_tokens", "response_format", "stream"}
    assert set(encode(REQUEST, DEFAULT, model="m")) == {*bare, "temperature"}


def test_01_every_optional_field_can_be_left_out() -> None:
    """An endpoint that takes nothing is sent the model and the messages."""
    least = Profile(
        rung="prompt", cap=None, temperature=False, seed=False, stream=False, stream_usage=False, system_role="system"
    )
    assert set(encode(REQUEST, least, model="m")) == {"model", "messages"}


def test_01_a_profile_may_ask_for_more() -> None:
    """Seed and token counts in streams are sent where a profile says so; the seed is the repetition."""
    body = encode(replace(REQUEST, repetition=3), replace(DEFAULT, seed=True, stream_usage=True), model="m")
    assert (body["seed"], body["stream_options"]) == (3, {"include_usage": True})


@pytest.mark.parametrize("cap", ["max_tokens", "max_completion_tokens"])
def test_01_the_cap_has_the_name_that_the_endpoint_takes(cap: Cap) -> None:
    """Either name, never both."""
    body = encode(REQUEST, replace(DEFAULT, cap=cap), model="m")
    assert {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body} == {cap: 4000}


@pytest.mark.parametrize(
    ("role", "messages"),
    [
        ("system", [("system", "A\n\nB"), ("user", "C"), ("assistant", "D"), ("user", "E")]),
        ("developer", [("developer", "A\n\nB"), ("user", "C"), ("assistant", "D"), ("user", "E")]),
        ("user", [("user", "A\n\nB\n\nC"), ("assistant", "D"), ("user", "E")]),
    ],
)
def test_03_there_is_one_system_message_and_every_content_is_a_string(
    role: SystemRole, messages: list[tuple[str, str]]
) -> None:
    """System texts are joined, in front; where the role is not taken they open the first user message."""
    said = [("system", "A"), ("user", "C"), ("system", "B"), ("assistant", "D"), ("user", "E")]
    request = replace(REQUEST, messages=tuple(Message(role=who, content=text) for who, text in said))  # type: ignore[arg-type]
    body = encode(request, replace(DEFAULT, system_role=role), model="m")
    assert body["messages"] == [{"role": who, "content": text} for who, text in messages]


def test_03_a_system_text_alone_becomes_a_user_message_where_it_must() -> None:
    """Nothing is lost when there is no user message to put it in front of."""
    request = replace(REQUEST, messages=(Message(role="system", content="A"),))
    assert encode(request, replace(DEFAULT, system_role="user"), model="m")["messages"] == [
        {"role": "user", "content": "A"}
    ]


@pytest.mark.parametrize(
    ("rung", "form"),
    [
        (
            "json_schema_strict",
            {"type": "json_schema", "json_schema": {"name": "draft", "schema": SCHEMA, "strict": True}},
        ),
        ("json_schema", {"type": "json_schema", "json_schema": {"name": "draft", "schema": SCHEMA}}),
        ("json_object_schema", {"type": "json_object", "schema": SCHEMA}),
        ("json_object", {"type": "json_object"}),
        ("prompt", None),
    ],
)
def test_05_each_rung_asks_for_the_form_in_its_own_way(rung: Rung, form: dict[str, object] | None) -> None:
    """The schema is nested as each kind of endpoint reads it, never flat beside `json_schema`."""
    assert encode(REQUEST, replace(DEFAULT, rung=rung), model="m").get("response_format") == form


@given(profiles)
def test_a_body_is_plain_json_and_the_request_stays_as_it_was(profile: Profile) -> None:
    """What is encoded comes back from JSON the same."""
    body = encode(REQUEST, profile, model="m")
    assert json.loads(json.dumps(body)) == body
    assert REQUEST.messages[1].content == "[1] It rained."


def test_the_request_key_never_changes() -> None:
    """Memos and recordings of every release are found by it."""
    body = encode(REQUEST, DEFAULT, model="m")
    assert request_key("POST", "/chat/completions", body) == (
        hashlib.sha256(
            b'["POST","/chat/completions",{"max_tokens":4000,"messages":[{"content":"Answer in JSON.","role":"system"},'
            b'{"content":"[1] It rained.","role":"user"}],"model":"m","response_format":{"json_schema":{"name":"draft",'
            b'"schema":{"additionalProperties":false,"properties":{},"required":[],"type":"object"},"strict":true},'
            b'"type":"json_schema"},"stream":true,"temperature":0.0}]'
        ).hexdigest()
    )
    assert request_key("POST", "/x", {"é": "\ud800"}) != request_key("POST", "/x", {"é": "?"})


@given(st.permutations(["model", "messages", "max_tokens", "stream"]))
def test_the_order_of_fields_is_not_in_the_key(order: list[str]) -> None:
    """A body that was stored and read again has the key that it had."""
    body = encode(REQUEST, DEFAULT, model="m")
    assert request_key("POST", "/x", {name: body[name] for name in order}) == request_key(
        "POST", "/x", {name: body[name] for name in sorted(order)}
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (replace(REQUEST, temperature=0.0), True),
        (replace(REQUEST, repetition=1), True),
        (replace(REQUEST, temperature=0.1), False),
        (replace(REQUEST, max_output_tokens=1), False),
    ],
)
def test_the_key_is_that_of_the_question(change: CompletionRequest, same: bool) -> None:
    """0 and 0.0 are one question; a repetition is told apart beside the key, not in it."""
    keys = {request_key("POST", "/x", encode(asked, DEFAULT, model="m")) for asked in (REQUEST, change)}
    assert len(keys) == (1 if same else 2)


@pytest.mark.parametrize(
    ("parameter", "start", "then"),
    [
        ("temperature", DEFAULT, {"temperature": False}),
        ("seed", replace(DEFAULT, seed=True), {"seed": False}),
        ("stream_options", replace(DEFAULT, stream_usage=True), {"stream_usage": False}),
        ("stream", replace(DEFAULT, stream_usage=True), {"stream": False, "stream_usage": False}),
        ("system_role", replace(DEFAULT, system_role="developer"), {"system_role": "system"}),
        ("system_role", DEFAULT, {"system_role": "user"}),
        ("max_tokens", DEFAULT, {"cap": "max_completion_tokens", "refused": ("max_tokens",)}),
        ("response_format", DEFAULT, {"rung": "json_schema"}),
    ],
)
def test_02_a_refused_parameter_is_dropped_or_swapped(parameter: str, start: Profile, then: dict[str, object]) -> None:
    """Only what was named changes."""
    assert step_down(start, refusal_of(parameter)) == replace(start, **then)


@pytest.mark.parametrize("first", ["max_tokens", "max_completion_tokens"])
def test_02_an_endpoint_that_takes_neither_cap_is_sent_none(first: Cap) -> None:
    """Two refusals end the search, from either name."""
    other = step_down(replace(DEFAULT, cap=first), refusal_of(first))
    assert other is not None
    assert other.cap not in (None, first)
    none = step_down(other, refusal_of(str(other.cap)))
    assert none is not None
    assert none.cap is None
    assert step_down(none, refusal_of("max_tokens")) is None


def test_05_the_ladder_goes_down_rung_by_rung_to_the_prompt_alone() -> None:
    """No rung is passed over, and below the last there is none."""
    profile, seen = DEFAULT, [DEFAULT.rung]
    while (below := step_down(profile, refusal_of("response_format"))) is not None:
        profile = below
        seen.append(profile.rung)
    assert tuple(seen) == RUNGS


@given(
    profiles, st.lists(st.sampled_from([*RUNGS, "max_tokens", "max_completion_tokens", "temperature", "seed", "model"]))
)
def test_02_a_refusal_of_what_was_not_sent_changes_nothing(profile: Profile, parameters: list[str]) -> None:
    """A step gives another profile or None, never the same again."""
    for parameter in parameters:
        assert step_down(profile, refusal_of(parameter)) != profile


@given(
    profiles,
    st.lists(
        st.sampled_from(PARAMETERS),
        min_size=200,
        max_size=200,
    ),
)
def test_02_every_series_of_refusals_ends(profile: Profile, parameters: list[str]) -> None:
    """However an endpoint refuses, at most 13 calls are lost on finding out what it takes."""
    steps = 0
    for parameter in parameters:
        below = step_down(profile, refusal_of(parameter))
        steps += below is not None
        profile = below or profile
    assert steps <= 12


@pytest.mark.parametrize("kind", ["retry", "throttled", "overflow", "refused", "credentials", "model", "final"])
def test_02_other_faults_change_nothing_of_what_is_sent(kind: str) -> None:
    """Only a refused parameter or form is worth asking otherwise."""
    assert step_down(DEFAULT, Fault(kind=kind, parameter="temperature", message="")) is None  # type: ignore[arg-type]


def test_02_a_refusal_leads_to_a_body_without_what_was_refused() -> None:
    """From what an endpoint says, to what it is sent next."""
    body = b'{"error":{"message":"Unsupported parameter: \'max_tokens\'. Use \'max_completion_tokens\'.","param":null}}'
    profile = step_down(DEFAULT, fault(400, {}, body, now=NOW))
    assert profile is not None
    sent = encode(REQUEST, profile, model="m")
    assert ("max_tokens" in sent, sent["max_completion_tokens"]) == (False, 4000)


@given(st.integers(-3, 10_000), st.floats(0, 1))
def test_13_backing_off_stays_within_its_bounds(attempt: int, drawn: float) -> None:
    """At least a quarter of a second, at most half a minute, doubling between."""
    wait = backoff_s(attempt, uniform=lambda low, high: low + drawn * (high - low))
    assert 0.25 <= wait <= min(30.0, max(0.25, 0.5 * 2.0 ** min(max(attempt, 0), 10)))


@pytest.mark.parametrize(("reported", "counted", "cut"), [(799, 1000, True), (800, 1000, False), (1200, 1000, False)])
def test_15_a_prompt_that_was_read_for_less_than_80_percent_is_suspicious(
    reported: int, counted: int, cut: bool
) -> None:
    """Counts of other vocabularies differ by less than that."""
    assert suspicious_truncation(reported, counted) is cut
