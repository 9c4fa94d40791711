"""The 18 behaviours that get a client through all that is called OpenAI-compatible, by number."""

import asyncio
import json

import pytest
from peers import (
    Asked,
    Reply,
    Server,
    Time,
    delta,
    endpoint,
    event,
    failing,
    question,
    streamed,
    whole,
)

from service.adapters.endpoint import Attempt, Overrides
from service.core.errors import (
    CompletionCut,
    CompletionRefused,
    ContextOverflow,
    ContextTruncated,
    EndpointError,
    EndpointRejected,
    EndpointThrottled,
    EndpointTimeout,
    EndpointUnavailable,
    MalformedCompletion,
)

pytestmark = pytest.mark.enable_socket


async def error_of(server: Server, time: Time, *script: Reply, **settings: object) -> EndpointError:
    """The error that a call ends with."""
    server.script = list(script)
    async with endpoint(server.url, time, **settings) as client:
        with pytest.raises(EndpointError) as caught:
            await client.complete(question(), counted_tokens=100)
    return caught.value


async def text_of(server: Server, time: Time, *script: Reply, **settings: object) -> str:
    """The text that a call ends with."""
    server.script = list(script)
    async with endpoint(server.url, time, **settings) as client:
        return (await client.complete(question(), counted_tokens=100)).text


# --- ask -------------------------------------------------------------------------------------------------------------


async def test_01_nothing_optional_is_sent_that_was_not_asked_for(server: Server, time: Time) -> None:
    """What is sent is the question, its form, its bound and its temperature."""
    await text_of(server, time)
    assert set(server.bodies[0]) == {"model", "messages", "max_tokens", "temperature", "response_format", "stream"}
    assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_01_what_is_sent_can_be_set_by_hand(server: Server, time: Time) -> None:
    """Each part of the profile has a setting."""
    by_hand = Overrides(cap="none", system_role="developer", temperature=False, seed=True, rung="prompt", stream=False)
    server.script = [whole({"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]})]
    async with endpoint(server.url, time, overrides=by_hand) as client:
        await client.complete(question())
    assert set(server.bodies[0]) == {"model", "messages", "seed"}
    assert json.dumps(server.bodies[0]).count('"developer"') == 1


async def test_02_a_refused_parameter_is_swapped_once_and_remembered(server: Server, time: Time) -> None:
    """The second call is sent right at the first try."""
    server.script = [failing(400, "Unsupported parameter", param="max_tokens", code="unsupported_parameter")]
    async with endpoint(server.url, time) as client:
        before = client.key(question())
        found = await client.complete(question())
        await client.complete(question())
        after = client.key(question())
    sent = [("max_tokens" in body, "max_completion_tokens" in body) for body in server.bodies]
    assert sent == [(True, False), (False, True), (False, True)]
    assert (found.key, found.key == before) == (after, False)
    assert time.slept == []


async def test_02_a_refused_parameter_that_was_set_by_hand_ends_the_call(server: Server, time: Time) -> None:
    """What was set by hand is never changed behind one's back, and the message says so."""
    refusal = failing(400, "Unsupported value", param="temperature")
    error = await error_of(server, time, refusal, overrides=Overrides(temperature=True))
    assert isinstance(error, EndpointRejected)
    assert "set by hand (temperature)" in error.detail
    assert len(server.bodies) == 1


async def test_02_calls_at_the_same_time_step_down_once(server: Server, time: Time) -> None:
    """Eight calls that learn the same thing together leave one step behind, not eight."""

    def script(asked: Asked) -> Reply:
        return failing(422, "no", param="max_tokens") if "max_tokens" in asked.body else streamed()

    server.script = script
    async with endpoint(server.url, time) as client:
        await asyncio.gather(*(client.complete(question(str(number))) for number in range(8)))
        assert client.profile().cap == "max_completion_tokens"


async def test_03_there_is_one_system_message_and_contents_are_strings(server: Server, time: Time) -> None:
    """Templates that refuse a second system message, or parts, are not tried."""
    await text_of(server, time)
    messages = server.bodies[0]["messages"]
    assert isinstance(messages, list)
    assert [(message["role"], type(message["content"])) for message in messages] == [("system", str), ("user", str)]


async def test_04_the_messages_are_sent_as_they_were_given(server: Server, time: Time) -> None:
    """Schema and the word JSON are in the prompt, and the client takes nothing out of it, at no rung."""
    server.script = [failing(400, "response_format is not supported", param="response_format")]
    async with endpoint(server.url, time) as client:
        await client.complete(question("As JSON: é"))
    assert [body["messages"][-1]["content"] for body in server.bodies] == ["As JSON: é"] * 2  # type: ignore[index]


# --- step down -------------------------------------------------------------------------------------------------------


async def test_05_a_refused_form_goes_down_the_ladder_without_waiting(server: Server, time: Time) -> None:
    """Also on a 500 that names response_format; no retry is used up and nothing is slept."""
    refusals = [
        failing(400, "response_format: strict?"),
        failing(500, "response_format failed"),
        failing(422, "json_schema"),
    ]
    await text_of(server, time, *refusals, attempts=1)
    forms = [body.get("response_format") for body in server.bodies]
    assert [form["type"] if isinstance(form, dict) else None for form in forms] == [
        "json_schema",
        "json_schema",
        "json_object",
        "json_object",
    ]
    assert time.slept == []


async def test_05_a_lower_rung_is_remembered_for_a_time(server: Server, time: Time) -> None:
    """Within the hour the lower rung is used at once; after it the best is tried again."""
    server.script = [failing(400, "response_format")]
    async with endpoint(server.url, time) as client:
        await client.complete(question())
        assert client.profile().rung == "json_schema"
        time.at += 3_601
        assert client.profile().rung == "json_schema_strict"


async def test_06_a_rung_is_judged_by_whether_the_output_validates(server: Server, time: Time) -> None:
    """A 200 that ignores the schema is no proof of a rung; the caller's judgement is."""
    server.script = [streamed("prose")]
    async with endpoint(server.url, time) as client:
        await client.complete(question())
        client.invalid(question())
        assert client.profile().rung == "json_schema"
        await client.complete(question())
    assert "strict" not in json.dumps(server.bodies[1])


async def test_06_one_bad_answer_among_good_ones_changes_nothing(server: Server, time: Time) -> None:
    """A rung that mostly works is kept."""
    async with endpoint(server.url, time) as client:
        for number in range(3):
            await client.complete(question(str(number)))
        client.invalid(question("2"))
        assert client.profile().rung == "json_schema_strict"


async def test_06_answers_of_the_rung_above_do_not_count_against_the_one_below(server: Server, time: Time) -> None:
    """Eight invalid answers that were under way together cost one rung."""
    async with endpoint(server.url, time) as client:
        await asyncio.gather(*(client.complete(question(str(number))) for number in range(8)))
        for number in range(8):
            client.invalid(question(str(number)))
        assert client.profile().rung == "json_schema"


# --- accept ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(headers={"content-type": "text/html"}, chunks=[b"<html>hello</html>"]),
        whole([]),
        whole({"choices": []}),
        whole({"choices": [{"message": None}]}),
        whole({"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}),
    ],
)
async def test_07_a_200_without_an_answer_is_asked_again_once(server: Server, time: Time, reply: Reply) -> None:
    """Garbage is never an answer, and is not asked for again and again."""
    error = await error_of(server, time, reply, reply, reply)
    assert isinstance(error, MalformedCompletion)
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "bad key", "code": 401}},
        {"error": {"message": "bad key", "code": "401"}},
        [{"error": {"message": "bad key", "code": 401}}],
    ],
)
async def test_07_an_error_in_a_200_is_an_error(server: Server, time: Time, body: object) -> None:
    """It means what it would have meant with a status of its own."""
    assert isinstance(await error_of(server, time, whole(body)), EndpointRejected)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (streamed(finish="length"), CompletionCut),
        (streamed(finish="content_filter"), CompletionRefused),
        (failing(400, "filtered", code="content_filter"), CompletionRefused),
        (
            whole({"choices": [{"message": {"content": "", "reasoning_content": "hm"}, "finish_reason": "stop"}]}),
            CompletionCut,
        ),
    ],
)
async def test_08_what_was_cut_or_declined_is_not_asked_again(
    server: Server, time: Time, reply: Reply, kind: type[EndpointError]
) -> None:
    """It is for the caller to allow more, to split, or to leave it."""
    assert isinstance(await error_of(server, time, reply), kind)
    assert len(server.bodies) == 1


async def test_09_and_10_an_answer_is_given_back_as_it_came(server: Server, time: Time) -> None:
    """The client mends nothing and asks nothing back: parsing and the one question back are the caller's."""
    assert await text_of(server, time, streamed('```json\n{"a": NaN}\n```')) == '```json\n{"a": NaN}\n```'
    assert len(server.bodies) == 1


# --- stream ----------------------------------------------------------------------------------------------------------


async def test_11_done_is_neither_needed_nor_enough(server: Server, time: Time) -> None:
    """A finish_reason makes a success of a stream without [DONE]; [DONE] alone does not."""
    without = Reply(chunks=[delta('{"a": 1}'), delta(finish="stop")])
    alone = Reply(chunks=[delta('{"a": 1}'), event(b"[DONE]")])
    assert await text_of(server, time, without) == '{"a": 1}'
    assert isinstance(await error_of(server, time, alone, alone), MalformedCompletion)


async def test_11_a_connection_that_breaks_after_the_answer_takes_nothing_from_it(server: Server, time: Time) -> None:
    """The answer was complete, and was paid for."""
    broken = Reply(chunks=[delta('{"a": 1}'), delta(finish="stop")], end="reset")
    assert await text_of(server, time, broken) == '{"a": 1}'
    assert len(server.bodies) == 1


async def test_12_an_error_event_in_a_stream_means_what_it_says(server: Server, time: Time) -> None:
    """As llama.cpp sends one within a 200."""
    error = event({"error": {"message": "exceeds the available context size", "code": 400, "n_ctx": 2048}})
    found = await error_of(server, time, Reply(chunks=[delta("{"), error]))
    assert isinstance(found, ContextOverflow)
    assert found.window == 2048


async def test_12_an_empty_stream_is_asked_for_whole_once(server: Server, time: Time) -> None:
    """llama-cpp-python hides an overflow behind an empty stream, and says it when it does not stream."""
    error = await error_of(server, time, Reply(chunks=[]), failing(400, "maximum context length is 2048 tokens"))
    assert isinstance(error, ContextOverflow)
    assert [body.get("stream") for body in server.bodies] == [True, None]


async def test_12_plain_json_in_place_of_a_stream_is_read(server: Server, time: Time) -> None:
    """Whatever was asked for."""
    reply = whole({"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]})
    assert await text_of(server, time, reply) == "{}"


@pytest.mark.parametrize(("end", "limit"), [("hang", {"silence_s": 0.05}), ("drip", {"deadline_s": 0.1})])
async def test_12_silence_and_the_whole_time_are_limited(
    server: Server, time: Time, end: str, limit: dict[str, float]
) -> None:
    """A hung and a dripping server both end as a timeout; the connection is closed, the slot free, nothing repeated."""
    server.script = [Reply(chunks=[delta("{")], end=end)]  # type: ignore[arg-type]
    async with endpoint(server.url, time, slots=1, **limit) as client:
        with pytest.raises(EndpointTimeout, match="PRECIS_"):
            await client.complete(question())
        await asyncio.wait_for(server.gone.wait(), 2)
        assert (await client.complete(question())).text == '{"a": 1}'
    assert len(server.bodies) == 2


async def test_12_a_reply_over_the_size_limit_is_left(server: Server, time: Time) -> None:
    """It is not read to its end and not asked for again."""
    error = await error_of(server, time, Reply(chunks=[delta("x" * 900)] * 5, end="drip"), max_reply_bytes=2_000)
    assert isinstance(error, MalformedCompletion)
    assert "2000 bytes" in error.detail
    assert len(server.bodies) == 1


# --- wait ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
async def test_13_passing_failures_are_tried_four_times(server: Server, time: Time, status: int) -> None:
    """With growing waits between, and then it is unavailable."""
    error = await error_of(server, time, *[failing(status)] * 9)
    assert isinstance(error, EndpointUnavailable)
    assert (len(server.bodies), time.slept) == (4, [0.5, 1.0, 2.0])
    assert str(status) in error.detail


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
async def test_13_final_failures_are_asked_once(server: Server, time: Time, status: int) -> None:
    """Asking again would be refused again."""
    await error_of(server, time, *[failing(status)] * 9)
    assert len(server.bodies) == 1


async def test_13_spent_credit_is_final_though_it_is_a_429(server: Server, time: Time) -> None:
    """No wait brings credit back."""
    error = await error_of(server, time, *[failing(429, "quota", code="insufficient_quota")] * 3)
    assert isinstance(error, EndpointRejected)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("headers", "message", "wait_s"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"llm_provider-retry-after": "3"}, "", 3.0),
        ({}, "Please try again in 19.86s.", 19.86),
    ],
)
async def test_13_a_stated_wait_is_kept_and_is_no_attempt(
    server: Server, time: Time, headers: dict[str, str], message: str, wait_s: float
) -> None:
    """Even where only one attempt is allowed."""
    await text_of(server, time, failing(429, message, headers=headers), attempts=1)
    assert time.slept == [pytest.approx(wait_s)]
    assert len(server.bodies) == 2


async def test_13_a_wait_over_the_patience_frees_the_worker(server: Server, time: Time) -> None:
    """The error says how long, and the next call does not even ask."""
    server.script = [failing(429, headers={"retry-after": "61"})]
    async with endpoint(server.url, time) as client:
        with pytest.raises(EndpointThrottled) as caught:
            await client.complete(question())
        with pytest.raises(EndpointThrottled) as second:
            await client.complete(question())
    assert (caught.value.wait_s, second.value.wait_s) == (61.0, 61.0)
    assert (len(server.bodies), time.slept) == (1, [])


async def test_13_a_throttle_halves_what_is_in_flight_and_ten_clean_calls_add_one(server: Server, time: Time) -> None:
    """Down at once, up slowly, and never over what is configured."""
    server.script = [failing(429, headers={"retry-after": "1"}), failing(429, headers={"retry-after": "1"})]
    async with endpoint(server.url, time, slots=8) as client:
        await client.complete(question())
        assert client.slots == 2
        for _ in range(9):
            await client.complete(question())
        assert client.slots == 3


async def test_13_no_more_are_in_flight_than_slots(server: Server, time: Time) -> None:
    """The others wait their turn."""
    async with endpoint(server.url, time, slots=3) as client:
        await asyncio.gather(*(client.complete(question(str(number))) for number in range(12)))
    assert server.most_in_flight == 3
    assert len(server.bodies) == 12


async def test_13_retries_of_all_calls_together_have_a_budget(server: Server, time: Time) -> None:
    """At most ten a minute where there are few calls, however many fail."""
    server.script = lambda _: failing(500)
    async with endpoint(server.url, time, slots=20, attempts=2) as client:
        calls = (client.complete(question(str(number))) for number in range(20))
        found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in found} == {EndpointUnavailable}
    assert len(server.bodies) == 20 + 10


async def noted(server: Server, time: Time, *script: Reply, **settings: object) -> list[tuple[int, str, int | None]]:
    """The journal of a call, whatever comes of it."""
    server.script = list(script)
    rows: list[tuple[int, str, int | None]] = []

    async def journal(attempt: Attempt) -> None:
        assert (attempt.state == "sent") == (len(server.bodies) == attempt.number - 1)
        rows.append((attempt.number, attempt.state, attempt.status))

    async with endpoint(server.url, time, **settings) as client:
        await asyncio.gather(client.complete(question(), journal=journal), return_exceptions=True)
    return rows


async def test_13_a_broken_connection_is_unknown_in_the_journal_and_retried_once(server: Server, time: Time) -> None:
    """Each request is journalled before it is sent and straight after."""
    broken = Reply(chunks=[delta("{")], end="reset")
    assert await noted(server, time, broken, broken, broken) == [
        (1, "sent", None),
        (1, "unknown", 200),
        (2, "sent", None),
        (2, "unknown", 200),
    ]


async def test_13_a_request_that_reached_its_deadline_is_unknown_and_not_retried(server: Server, time: Time) -> None:
    """It may still be worked on."""
    rows = await noted(server, time, Reply(end="hang"), deadline_s=0.05)
    assert rows == [(1, "sent", None), (1, "unknown", 200)]


async def test_13_a_kept_connection_that_was_closed_meanwhile_is_replaced(server: Server, time: Time) -> None:
    """A reset before any answer, on a connection that was used before."""
    server.script = [streamed(), Reply(end="drop"), Reply(end="drop"), streamed()]
    async with endpoint(server.url, time) as client:
        await client.complete(question())
        assert (await client.complete(question())).text == '{"a": 1}'


async def test_14_an_overflow_says_the_window_and_is_not_retried(server: Server, time: Time) -> None:
    """The window is remembered for the next plan."""
    server.script = [failing(400, "too long", type="exceed_context_size_error", n_ctx=4096)]
    async with endpoint(server.url, time) as client:
        with pytest.raises(ContextOverflow):
            await client.complete(question())
        assert client.context_window() == 4096
    assert len(server.bodies) == 1


async def test_15_a_prompt_that_was_cut_silently_is_noticed(server: Server, time: Time) -> None:
    """By the endpoint's own count of it against ours."""
    assert isinstance(await error_of(server, time, streamed(prompt_tokens=79)), ContextTruncated)
    assert await text_of(server, time, streamed(prompt_tokens=81)) == '{"a": 1}'


@pytest.mark.parametrize("refusal", [failing(404, "no", code="model_not_found"), failing(400, "model m not found")])
async def test_16_an_unknown_model_is_told_with_those_there_are(server: Server, time: Time, refusal: Reply) -> None:
    """404 or 400."""
    server.models = whole({"data": [{"id": "large"}, {"id": "small"}]})
    error = await error_of(server, time, refusal)
    assert isinstance(error, EndpointRejected)
    assert "'m' (PRECIS_MODEL)" in error.detail
    assert "large, small" in error.detail


async def test_16_the_model_that_answered_is_recorded(server: Server, time: Time) -> None:
    """Some serve another one without a word."""
    server.script = [Reply(chunks=[delta("{}", "stop", model="other")])]
    async with endpoint(server.url, time) as client:
        assert (await client.complete(question())).model == "other"


@pytest.mark.parametrize("row", [{"max_model_len": 8192}, {"meta": {"n_ctx": 8192, "n_ctx_train": 131072}}])
async def test_16_the_list_of_models_is_optional_and_may_state_the_window(
    server: Server, time: Time, row: dict[str, object]
) -> None:
    """No list is no error."""
    async with endpoint(server.url, time) as client:
        assert await client.models() == ()
        assert client.context_window() is None
        server.models = whole({"data": [{"id": "m", **row}]})
        assert await client.models() == ("m",)
        assert client.context_window() == 8192


async def test_17_usage_is_optional(server: Server, time: Time) -> None:
    """What was not reported is not made up."""
    server.script = [streamed(), streamed(prompt_tokens=90)]
    async with endpoint(server.url, time) as client:
        first, second = [await client.complete(question()) for _ in range(2)]
    assert first.reported is None
    assert second.reported is not None
    assert second.reported.prompt == 90


@pytest.mark.parametrize("reply", [Reply(end="hang"), Reply(chunks=[delta("{")], end="hang")])
async def test_18_cancelling_closes_the_connection_upstream(server: Server, time: Time, reply: Reply) -> None:
    """So that the endpoint stops working, and the slot is free."""
    server.script = [reply]
    async with endpoint(server.url, time, slots=1) as client:
        call = asyncio.create_task(client.complete(question()))
        await asyncio.wait_for(server.arrived.wait(), 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(server.gone.wait(), 2)
        assert (await client.complete(question())).text == '{"a": 1}'
