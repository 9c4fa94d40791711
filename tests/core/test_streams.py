"""Any reply becomes a completion or a named error; a broken one never becomes a completion."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.core.errors import (
    CompletionCut,
    CompletionRefused,
    ContextOverflow,
    EndpointError,
    EndpointRejected,
    EndpointThrottled,
    EndpointUnavailable,
    MalformedCompletion,
    PrecisError,
)
from service.core.streams import StreamDecoder, decode
from service.core.types import Completion, Finish, TokenCounts

USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
COUNTS = TokenCounts(prompt=10, completion=3)


def whole(message: object, finish: object = "stop", **more: object) -> bytes:
    """Make a whole reply."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "1", "model": "m-1", "choices": [choice], "usage": USAGE} | more).encode()


def said(content: object) -> dict[str, object]:
    """Make an assistant's message."""
    return {"role": "assistant", "content": content}


def chunk(delta: object, finish: object = None, **more: object) -> dict[str, object]:
    """Make one part of a stream."""
    return {"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def stream(*events: object, done: bool = True, end: str = "\n") -> bytes:
    """Make a stream of events."""
    shown = [event if isinstance(event, str) else f"data: {json.dumps(event, ensure_ascii=False)}" for event in events]
    return "".join(f"{line}{end}{end}" for line in [*shown, *(["data: [DONE]"] if done else [])]).encode()


def read(body: bytes) -> Completion:
    """Read a reply that came under a status of 200."""
    return decode(200, {}, body, key="5be1")


def outcome(decoder: StreamDecoder) -> object:
    """Finish, and give what came of it in a form that can be compared."""
    try:
        return decoder.finish(key="5be1")
    except EndpointError as error:
        return type(error), error.detail, decoder.error


PARTS = (chunk({"role": "assistant", "content": ""}), chunk({"content": '{"a": '}), chunk({"content": '"é🚀"}'}))
LAST = chunk({}, "stop")
GOOD_STREAMS = {
    "openai": stream(*PARTS, LAST, {"choices": [], "usage": USAGE}),
    "azure, first chunk without choices": stream(
        {"choices": [], "prompt_filter_results": []}, *PARTS, LAST, {"choices": [], "usage": USAGE}
    ),
    "transformers, usage on the last chunk and no end": stream(*PARTS, chunk({}, "stop", usage=USAGE), done=False),
    "litellm, usage beside choices": stream(*PARTS, LAST, chunk({}, None, usage=USAGE)),
    "deepseek, blank lines and comments": b"\n\n: keep-alive\n\n\n"
    + stream(": keep-alive", *PARTS, ":", LAST, chunk({}, None, usage=USAGE)),
    "openrouter, comments": stream(
        ": OPENROUTER PROCESSING", ": OPENROUTER PROCESSING", *PARTS, chunk({}, "stop", usage=USAGE)
    ),
    "groq": stream(*PARTS, chunk({}, "stop", x_groq={"id": "1", "usage": USAGE})),
    "crlf": stream(*PARTS, chunk({}, "stop", usage=USAGE), end="\r\n"),
    "cr": stream(*PARTS, chunk({}, "stop", usage=USAGE), end="\r"),
    "a byte order mark": b"\xef\xbb\xbf" + stream(*PARTS, chunk({}, "stop", usage=USAGE)),
    "no blank lines between": stream(*PARTS, chunk({}, "stop", usage=USAGE)).replace(b"\n\n", b"\n"),
    "no space after the colon": stream(*PARTS, chunk({}, "stop", usage=USAGE)).replace(b"data: ", b"data:"),
    "event, id and retry fields": b"retry: 100\n"
    + stream(*PARTS, chunk({}, "stop", usage=USAGE)).replace(b"data: ", b"event: chunk\nid: 7\ndata: "),
    "data in several lines": stream(
        *PARTS[:2], "data: " + json.dumps(PARTS[2], indent=1).replace("\n", "\ndata: "), chunk({}, "stop", usage=USAGE)
    ),
    "no newline at the end": stream(*PARTS, chunk({}, "stop", usage=USAGE), done=False).rstrip(),
    "the same message again at the end": stream(
        *PARTS,
        {
            "model": "m-1",
            "usage": USAGE,
            "choices": [{"index": 0, "message": said('{"a": "é🚀"}'), "finish_reason": "stop"}],
        },
    ),
    "another choice beside": stream(
        *PARTS,
        {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]},
        chunk({}, "stop", usage=USAGE),
    ),
    "halves of a character": stream(
        *PARTS[:2],
        'data: {"choices":[{"delta":{"content":"\\"é\\ud83d"}}]}',
        'data: {"choices":[{"delta":{"content":"\\ude80\\"}"}}]}',
        chunk({}, "stop", usage=USAGE),
    ),
    "reasoning": stream(
        chunk({"reasoning_content": "hm"}),
        chunk({"reasoning": "hm", "content": None}),
        *PARTS,
        chunk({}, "stop", usage=USAGE),
    ),
    "empty finish reasons": stream(
        chunk({"content": '{"a": '}, ""), chunk({"content": '"é🚀"}'}, ""), chunk({}, "stop", usage=USAGE)
    ),
    "cut after the finish reason": stream(*PARTS, chunk({}, "stop", usage=USAGE), done=False) + b'data: {"choi',
    "a whole object in place of a stream": whole(said('{"a": "é🚀"}')),
    "a whole object, indented, after blanks and comments": b"\n\n: wait\n"
    + json.dumps(json.loads(whole(said('{"a": "é🚀"}'))), indent=1).encode()
    + b"\r\n",
    "a whole object with a byte order mark": b"\xef\xbb\xbf\n" + whole(said('{"a": "é🚀"}')),
    "a whole object in an array": b"[" + whole(said('{"a": "é🚀"}')) + b"]",
    "mistral, content in parts": whole(
        said(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": '{"a": '},
                {"type": "text", "text": '"é🚀"}'},
            ]
        )
    ),
    "no finish_reason in a whole reply": whole(said('{"a": "é🚀"}'), None),
}


@pytest.mark.parametrize("body", GOOD_STREAMS.values(), ids=GOOD_STREAMS.keys())
def test_11_every_dialect_of_a_good_reply_is_read(body: bytes) -> None:
    """Behaviours 7, 11, 12 and 17: one answer, whatever it is wrapped in."""
    completion = read(body)
    assert completion == Completion(text='{"a": "é🚀"}', finish="stop", model="m-1", reported=COUNTS, key="5be1")


@pytest.mark.parametrize("body", GOOD_STREAMS.values(), ids=GOOD_STREAMS.keys())
def test_12_byte_by_byte_the_reply_is_the_same(body: bytes) -> None:
    """Ends of lines and characters are cut in two as well."""
    decoder = StreamDecoder()
    for position in range(len(body)):
        decoder.feed(body[position : position + 1])
    assert outcome(decoder) == read(body)


error_event = 'data: {"error": {"code": 500, "message": "boom", "type": "server_error"}}'
OVERFLOW = {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_ctx": 2048}}
NO_ANSWERS: dict[str, tuple[bytes, type[PrecisError], str]] = {
    "nothing": (b"", MalformedCompletion, "empty"),
    "blank lines": (b"\r\n\n \n", MalformedCompletion, "empty"),
    "comments only": (b": a\n\n: b", MalformedCompletion, "empty"),
    "llama-cpp-python's empty stream": (stream(), MalformedCompletion, "empty"),
    "a page": (b"<!doctype html><html></html>", MalformedCompletion, "HTML"),
    "a page, after blanks": (b"\n <html>\n</html>", MalformedCompletion, "HTML"),
    "plain text": (b"It works!", MalformedCompletion, "not a JSON object"),
    "a number": (b"12", MalformedCompletion, "not a JSON object"),
    "null": (b"null", MalformedCompletion, "not a JSON object"),
    "a list of nothing": (b"[]", MalformedCompletion, "not a JSON object"),
    "an empty object": (b"{}", MalformedCompletion, "no choices"),
    "no choices": (b'{"choices": []}', MalformedCompletion, "no choices"),
    "choices that are null": (b'{"choices": null}', MalformedCompletion, "no choices"),
    "half an object": (whole(said("{}"))[:-9], MalformedCompletion, "not a JSON object"),
    "a nest without end": (b'{"choices":' + b"[" * 100_000, MalformedCompletion, "not a JSON object"),
    "5,000 digits": (b'{"choices": [' + b"1" * 5_000 + b"]}", MalformedCompletion, "not a JSON object"),
    "no message": (b'{"choices": [{"finish_reason": "stop"}]}', MalformedCompletion, "answer is empty"),
    "null content": (whole(said(None)), MalformedCompletion, "answer is empty"),
    "blank content": (whole(said(" \n")), MalformedCompletion, "answer is empty"),
    "choices that are no objects": (b'{"choices": [1]}', MalformedCompletion, "answer is empty"),
    "a call of a tool": (whole(said(None), "tool_calls"), MalformedCompletion, "tool"),
    "a call of a function": (stream(chunk({}, "function_call")), MalformedCompletion, "tool"),
    "an unknown end": (whole(said("{}"), "abort"), MalformedCompletion, "abort"),
    "an end that is a sentence": (whole(said("{}"), "It rained."), MalformedCompletion, "a name that is none"),
    "half a character": (whole(said("{}")).replace(b"{}", b"\\ud83d"), MalformedCompletion, "half of a character"),
    "reasoning only": (whole({"content": "", "reasoning_content": "hm"}), CompletionCut, "all reasoning"),
    "reasoning only, as vLLM names it": (whole({"content": None, "reasoning": "hm"}), CompletionCut, "all reasoning"),
    "reasoning only, cut": (whole({"content": "", "reasoning_content": "hm"}, "length"), CompletionCut, "reasoning"),
    "reasoning only, in tags": (whole(said("<think>hm</think>\n")), CompletionCut, "all reasoning"),
    "reasoning only, in parts": (whole(said([{"type": "thinking", "thinking": []}])), CompletionCut, "all reasoning"),
    "reasoning only, streamed": (stream(chunk({"reasoning": "hm"}), LAST), CompletionCut, "all reasoning"),
    "a stream that ends early": (stream(*PARTS, done=False), MalformedCompletion, "ended early"),
    "a forged end": (stream(*PARTS), MalformedCompletion, "ended early"),
    "a part cut in two": (stream(*PARTS, done=False) + b'data: {"choices": [{"del', MalformedCompletion, "broken"),
    "a part that is not JSON": (stream(*PARTS, "data: {malformed", LAST), MalformedCompletion, "broken"),
    "a part that is a number": (stream(*PARTS, "data: 12", LAST), MalformedCompletion, "broken"),
    "a page in a stream": (stream(*PARTS, "<html>", LAST), MalformedCompletion, "broken"),
    "an object in a stream": (stream(*PARTS, '{"choices": []}', LAST), MalformedCompletion, "broken"),
    "an error in a stream": (stream(*PARTS, error_event, LAST), EndpointUnavailable, "boom"),
    "an error after the end": (stream(*PARTS, LAST, error_event), EndpointUnavailable, "boom"),
    "an error as the only event": (stream(error_event, done=False), EndpointUnavailable, "boom"),
    "an error event": (stream('event: error\ndata: {"text": "boom"}', done=False), EndpointUnavailable, "500|200"),
    "an error event of words": (stream("event: error\ndata: boom", done=False), EndpointError, "200|broken"),
    "llama.cpp's error field": (stream(*PARTS, 'error: {"code": 500, "message": "boom"}'), EndpointUnavailable, "boom"),
    "openrouter's error beside a choice": (
        stream(*PARTS, chunk({"content": ""}, "error", error={"code": 502, "message": "boom"})),
        EndpointUnavailable,
        "boom",
    ),
    "openrouter's error in a choice": (
        b'{"choices": [{"error": {"code": 502, "message": "boom"}}]}',
        EndpointUnavailable,
        "boom",
    ),
    "llama.cpp's overflow in a stream": (stream(OVERFLOW, done=False), ContextOverflow, "too long"),
    "an error in a 200": (json.dumps(OVERFLOW).encode(), ContextOverflow, "too long"),
    "an error in an array": (json.dumps([OVERFLOW]).encode(), ContextOverflow, "too long"),
    "an error as a string": (b'{"error": "no slot"}', EndpointUnavailable, "no slot"),
    "an error as a detail": (b'{"detail": "Not today"}', EndpointUnavailable, "Not today"),
    "a flat error": (b'{"object": "error", "message": "no", "code": 401}', EndpointRejected, "no"),
    "a throttle in a 200": (b'{"error": {"code": "429", "message": "try again in 7s"}}', EndpointThrottled, "7s"),
}


@pytest.mark.parametrize(("body", "error", "reason"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_12_what_is_no_answer_is_a_named_error(body: bytes, error: type[PrecisError], reason: str) -> None:
    """Behaviours 7, 8, 11 and 12: nothing broken, cut or empty passes as a completion."""
    with pytest.raises(error, match=reason):
        read(body)


@pytest.mark.parametrize(("body", "error", "reason"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_12_what_is_no_answer_is_the_same_byte_by_byte(body: bytes, error: type[PrecisError], reason: str) -> None:
    """The cuts of the network decide nothing."""
    decoder = StreamDecoder()
    for position in range(min(len(body), 5_000)):
        decoder.feed(body[position : position + 1])
    decoder.feed(body[5_000:])
    with pytest.raises(error, match=reason):
        decoder.finish(key="5be1")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        *(("stop", "stop"), ("STOP", "stop"), ("end_turn", "stop"), ("eos", "stop"), ("length", "length")),
        *(("max_tokens", "length"), ("MAX_TOKENS", "length"), ("model_length", "length"), ("refusal", "refusal")),
        *(("content_filter", "content_filter"), ("SAFETY", "content_filter")),
    ],
)
def test_08_every_vendors_finish_reason_is_one_of_four(reason: str, finish: Finish) -> None:
    """In a whole reply and in a stream."""
    assert read(whole(said("{}"), reason)).finish == finish
    assert read(stream(chunk({"content": "{}"}), chunk({}, reason))).finish == finish


def test_08_a_refusal_is_said_even_where_the_end_is_called_stop() -> None:
    """OpenAI puts a refusal into its own field; its words are not the answer."""
    refused = {"role": "assistant", "content": None, "refusal": "I cannot."}
    assert (read(whole(refused)).finish, read(whole(refused)).text) == ("refusal", "")
    assert read(stream(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), LAST)).finish == "refusal"
    assert read(whole({**refused, "content": "{}", "refusal": None})).finish == "stop"


def test_08_an_end_that_explains_an_empty_answer_stands() -> None:
    """A filter may leave nothing, and a cap may be reached before the first word."""
    assert read(whole(said(None), "content_filter")).finish == "content_filter"
    assert read(whole(said(""), "length")).finish == "length"
    assert read(b'{"choices": [{"finish_reason": "length"}]}').text == ""


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (USAGE, COUNTS),
        (None, None),
        ({}, None),
        ([], None),
        ("12", None),
        ({"prompt_tokens": 10}, None),
        ({"completion_tokens": 3}, None),
        ({"prompt_tokens": 10, "total_tokens": 13}, COUNTS),
        ({"prompt_tokens": 10, "total_tokens": 9}, None),
        ({"prompt_tokens": 10.0, "completion_tokens": 3.0}, COUNTS),
        ({"prompt_tokens": -1, "completion_tokens": 3}, None),
        ({"prompt_tokens": True, "completion_tokens": 3}, None),
        ({"prompt_tokens": float("inf"), "completion_tokens": 3}, None),
        ({"prompt_tokens": float("nan"), "completion_tokens": 3}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 3}, None),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 8}}, TokenCounts(prompt=10, completion=3, cached=8)),
        ({**USAGE, "prompt_tokens_details": None}, COUNTS),
        ({**USAGE, "prompt_cache_hit_tokens": 4}, TokenCounts(prompt=10, completion=3, cached=4)),
    ],
)
def test_17_usage_is_taken_as_reported_or_not_at_all(usage: object, counts: TokenCounts | None) -> None:
    """A count that is missing is never made up."""
    assert read(whole(said("{}"), usage=usage)).reported == counts


@pytest.mark.parametrize(
    ("model", "named"), [("m-1", "m-1"), (None, None), ("", None), (7, "7"), ({}, None), ("x" * 500, "x" * 100)]
)
def test_16_the_model_that_answered_is_recorded(model: object, named: str | None) -> None:
    """Under the name that the endpoint gives it."""
    assert read(whole(said("{}"), model=model)).model == named


def test_12_the_first_token_starts_an_answer_and_comments_do_not() -> None:
    """A limit on the first token is not met by what only keeps the connection alive."""
    decoder, seen = StreamDecoder(), []
    for part in (b": hi\n\n", stream(PARTS[0], done=False), stream(chunk({"reasoning": "h"}), done=False)):
        decoder.feed(part)
        seen.append(decoder.started)
    assert seen == [False, False, True]
    plain = StreamDecoder()
    plain.feed(b'{"choi')
    assert plain.started


@pytest.mark.parametrize("end", ["data: [DONE]", error_event, "data: 12"])
def test_12_nothing_after_an_end_is_read(end: str) -> None:
    """Whoever reads may stop there."""
    decoder = StreamDecoder()
    seen = []
    for part in (stream(*PARTS, LAST, done=False), stream(end, done=False), stream(OVERFLOW)):
        decoder.feed(part)
        seen.append((decoder.ended, decoder.error))
    assert seen[0] == (False, None)
    assert seen[1][0]
    assert seen[2] == seen[1]


def test_07_a_refusal_that_is_not_2xx_is_a_named_error() -> None:
    """`decode` takes any status; a date to wait for needs a clock, seconds do not."""
    with pytest.raises(ContextOverflow) as overflow:
        decode(400, {}, json.dumps(OVERFLOW).encode(), key="5be1")
    assert overflow.value.window == 2048
    with pytest.raises(EndpointThrottled) as throttled:
        decode(429, {"Retry-After": "90"}, b"", key="5be1")
    assert throttled.value.wait_s == 90.0
    with pytest.raises(CompletionRefused):
        decode(400, {}, b'{"error": {"code": "content_filter", "message": "no"}}', key="5be1")


def test_no_error_quotes_an_answer() -> None:
    """What a model said may be the article's own text."""
    for body in (stream(chunk({"content": "It rained."})), whole(said("It rained."), "It rained."), b"It rained."):
        with pytest.raises(MalformedCompletion) as caught:
            read(body)
        assert "rained" not in caught.value.detail.lower()


GOOD = list(GOOD_STREAMS.values())
ODD = [body for body, _, _ in NO_ANSWERS.values() if len(body) < 5_000]
members = st.sampled_from(
    "choices delta message content finish_reason usage prompt_tokens error detail index text refusal model".split()
)
odd_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["stop", "length"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(members, inner, max_size=4)),
    max_leaves=12,
)
lines = st.one_of(
    st.binary(max_size=20),
    odd_values.map(lambda value: b"data: " + json.dumps(value).encode()),
    st.builds(
        lambda text, end: b"data: " + json.dumps(chunk({"content": text}, end)).encode(),
        st.text(),
        st.sampled_from([None, "stop", "", 1]),
    ),
    st.sampled_from(
        [b"", b"data: [DONE]", b": c", b"event: error", b"data", b"data:", b"error: x", b"\xef\xbb\xbf", b"\r"]
    ),
)
random_streams = st.builds(
    lambda parts, end: end.join(parts),
    st.lists(lines, max_size=8),
    st.sampled_from([b"\n", b"\n\n", b"\r\n\r\n", b"\r"]),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Cut, double, swap or overwrite pieces of replies that are known."""
    body = bytearray(draw(st.sampled_from(GOOD + ODD)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        body[start:end] = draw(st.one_of(st.binary(max_size=6), st.just(b""), st.just(bytes(body[start:end] * 2))))
    return bytes(body)


bodies = st.one_of(
    st.binary(max_size=60), odd_values.map(lambda value: json.dumps(value).encode()), random_streams, mutated()
)


@settings(max_examples=5_000)
@given(bodies)
def test_07_any_body_is_a_completion_with_text_or_a_named_error(body: bytes) -> None:
    """5,000 bodies: bytes, JSON values, streams and mutations of known replies."""
    try:
        completion = read(body)
    except EndpointError as error:
        refusal = error.detail
    else:
        refusal = completion.text
        assert completion.finish in ("stop", "length", "content_filter", "refusal")
        assert completion.text.strip() or completion.finish != "stop"
    assert isinstance(refusal, str)
    refusal.encode()


@settings(max_examples=600)
@given(bodies, st.lists(st.integers(0, 400), max_size=12))
@example(b"\r\n\r\n{}", [1, 3])
@example(b"\xef\xbb\xbf{", [1, 2])
def test_12_how_a_reply_is_cut_into_pieces_changes_nothing(body: bytes, cuts: list[int]) -> None:
    """Any split of the bytes gives the same completion, or the same error."""
    at_once, in_pieces = StreamDecoder(), StreamDecoder()
    at_once.feed(body)
    places = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    for start, end in pairwise(places):
        in_pieces.feed(body[start:end])
    one, other = outcome(at_once), outcome(in_pieces)
    if isinstance(one, tuple) and isinstance(other, tuple):
        # An error's JSON may differ in the blanks around it.
        one, other = one[:2], other[:2]
    assert one == other


def test_12_a_megabyte_of_anything_is_read_in_one_pass() -> None:
    """Odd input is no work for minutes; the test would not end if it were."""
    for odd in (
        b"\n",
        b"\r",
        b": x\n",
        b"data: [\n",
        b"data: {}\n",
        b"{",
        b" ",
        b'data: {"choices":[{"delta":{}}]}\n\n',
    ):
        decoder = StreamDecoder()
        body = odd * (1_000_000 // len(odd))
        for start in range(0, len(body), 1_000):
            decoder.feed(body[start : start + 1_000])
        with pytest.raises(EndpointError):
            decoder.finish(key="5be1")
