"""What was recorded is replayed, exactly and alone; what was not is missed loudly."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.adapters.endpoint import Endpoint, EndpointSettings, pinned
from service.adapters.recordings import (
    EndpointRecord,
    RecordingTransport,
    ReplayTransport,
    load_endpoint,
    read_recording,
    save_endpoint,
)
from service.core.errors import BadSettings, EndpointError, MalformedCompletion, RecordingMissing
from service.core.types import CompletionRequest, Message
from service.core.wire import DEFAULT

KEY = "sk-canary-7f3a9b2c41d8e650"
GOOD = [
    b'data: {"model": "m", "choices": [{"delta": {"content": "{\\"a\\": \\"\xc3',
    b'\xa9\\"}"}, "finish_reason": null}]}\n\n',
    b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
]


class Chunks(httpx.AsyncByteStream):
    """A body in given pieces, which may break at its end."""

    def __init__(self, chunks: list[bytes], *, breaks: bool = False) -> None:
        self.chunks = chunks
        self.breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self.breaks:
            raise httpx.ReadError("gone")


class Network(httpx.AsyncBaseTransport):
    """Answers everything alike, and remembers the requests."""

    def __init__(self, chunks: list[bytes], *, status: int = 200, breaks: bool = False) -> None:
        self.chunks = chunks
        self.status = status
        self.breaks = breaks
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.requests.append(request)
        headers = {
            "content-type": "text/event-stream",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "30s",
            "retry-after": "9",
            "set-cookie": "session=1",
            "x-request-id": "7",
        }
        return httpx.Response(self.status, headers=headers, stream=Chunks(self.chunks, breaks=self.breaks))


def request(text: str = "First line.\nSecond line.\nThird line.", **more: object) -> CompletionRequest:
    """A request."""
    given: dict[str, object] = {
        "prompt": "news@1",
        "stage": "map",
        "messages": (Message(role="system", content="Answer in JSON."), Message(role="user", content=text)),
        "schema_name": "answer",
        "schema": {"type": "object"},
        "max_output_tokens": 100,
        **more,
    }
    return CompletionRequest(**given)  # type: ignore[arg-type]


async def ask(transport: httpx.AsyncBaseTransport, *requests: CompletionRequest, url: str = "http://h/v1") -> list[str]:
    """The answers to requests over a transport."""

    async def soon(_: float) -> None:
        await asyncio.sleep(0)

    given = EndpointSettings(base_url=url, model="m", api_key=KEY, headers={"x-key": KEY}, query={"key": KEY})
    async with Endpoint(given, transport=transport, sleep=soon) as client:
        return [(await client.complete(one)).text for one in requests]


def files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def recorded(folder: Path, *requests: CompletionRequest) -> list[Path]:
    """The files that recording leaves."""
    await ask(RecordingTransport(Network(GOOD), folder), *requests)
    return files(folder)


async def test_a_replay_gives_what_was_recorded(tmp_path: Path) -> None:
    """At another base URL too, and without waiting for limits of the day it was recorded."""
    live = await ask(RecordingTransport(Network(GOOD), tmp_path), request(), url="https://live.example/openai/v1")
    replay = ReplayTransport(tmp_path)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    given = EndpointSettings(base_url="http://replay.invalid/v1", model="m", overrides=pinned(DEFAULT))
    async with Endpoint(given, transport=replay, sleep=sleep) as client:
        found = [(await client.complete(request())).text for _ in range(2)]
    assert [*live, *found] == ['{"a": "é"}'] * 3
    assert slept == []


async def test_a_recording_is_one_file_in_a_known_form(tmp_path: Path) -> None:
    """Sorted, indented, named after prompt, key and repetition; chunk borders are kept, inside a character too."""
    (path,) = await recorded(tmp_path, request(repetition=2))
    text = path.read_text(encoding="utf-8")
    found = json.loads(text)
    assert text == json.dumps(found, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert path == tmp_path / "news@1" / f"{found['key']}-2.json"
    assert set(found) == {"key", "repetition", "stage", "request", "response"}
    assert set(found["request"]) == {"method", "path", "body"}
    assert (found["request"]["method"], found["request"]["path"]) == ("POST", "/chat/completions")
    assert set(found["response"]) == {"status", "headers", "chunks"}
    assert [type(chunk) for chunk in found["response"]["chunks"]] == [dict, dict, str]
    assert found["response"]["headers"] == {
        "content-type": "text/event-stream",
        "retry-after": "9",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "30s",
    }
    assert [other.name for other in path.parent.iterdir()] == [path.name]


async def test_no_secret_is_recorded(tmp_path: Path) -> None:
    """Key, headers and query were sent, and are nowhere in the file."""
    network = Network(GOOD)
    await ask(RecordingTransport(network, tmp_path), request())
    sent = network.requests[0]
    assert (sent.headers["authorization"], sent.headers["x-key"], sent.url.params["key"]) == (f"Bearer {KEY}", KEY, KEY)
    (path,) = files(tmp_path)
    assert KEY not in path.read_text(encoding="utf-8")


async def test_the_repetition_is_sent_while_recording_and_kept_apart(tmp_path: Path) -> None:
    """The same question may have several answers."""
    network = Network(GOOD)
    await ask(RecordingTransport(network, tmp_path), request(), request(repetition=1))
    assert [sent.headers["x-repetition"] for sent in network.requests] == ["0", "1"]
    assert sorted(path.name[-7:] for path in files(tmp_path)) == ["-0.json", "-1.json"]


@pytest.mark.parametrize("network", [Network(GOOD, status=400), Network(GOOD[:1], breaks=True)])
async def test_only_successes_that_ended_are_kept(tmp_path: Path, network: Network) -> None:
    """A failure is not worth replaying."""
    with pytest.raises(EndpointError):
        await ask(RecordingTransport(network, tmp_path), request())
    assert files(tmp_path) == []


async def test_what_is_not_about_a_prompt_is_passed_on_and_not_recorded(tmp_path: Path) -> None:
    """Probes and lists of models belong to no prompt; a replay has none."""
    await ask(RecordingTransport(Network(GOOD), tmp_path), request(prompt=""))
    assert files(tmp_path) == []
    with pytest.raises(RecordingMissing, match="no network"):
        await ask(ReplayTransport(tmp_path), request(prompt=""))


async def test_a_changed_word_is_missed_with_a_diff_that_can_be_read(tmp_path: Path) -> None:
    """Against the nearest recording of the same prompt and stage, line by line, with what to do."""
    await recorded(
        tmp_path,
        request(),
        request("Something else\naltogether."),
        request("First line.\nSecond word.\nThird line", stage="merge"),
    )
    with pytest.raises(RecordingMissing) as caught:
        await ask(ReplayTransport(tmp_path), request("First line.\nSecond word.\nThird line."))
    detail = caught.value.detail
    assert "for news@1, stage map" in detail
    assert "\n-Second line.\n+Second word.\n" in detail
    assert "altogether" not in detail
    assert detail.endswith("ask again where the endpoint can be reached, with --record")


async def test_a_miss_says_what_else_there_is(tmp_path: Path) -> None:
    """Nothing at all, or another repetition."""
    with pytest.raises(RecordingMissing, match="nor any other"):
        await ask(ReplayTransport(tmp_path), request())
    await recorded(tmp_path, request())
    with pytest.raises(RecordingMissing, match="repetition 0 of it is there"):
        await ask(ReplayTransport(tmp_path), request(repetition=1))


async def test_a_diff_is_bounded(tmp_path: Path) -> None:
    """However much is different."""
    await recorded(tmp_path, request("\n".join(f"{number} {'x' * 500}" for number in range(600))))
    changed = "\n".join(f"{number} {'x' * 500 if number % 6 else 'y' * 500}" for number in range(600))
    with pytest.raises(RecordingMissing) as caught:
        await ask(ReplayTransport(tmp_path), request(changed))
    assert len(caught.value.detail) < 20_000
    assert "lines more" in caught.value.detail


async def test_another_request_altogether_is_not_shown_as_a_changed_one(tmp_path: Path) -> None:
    """Pages of differences to an unrelated article help nobody."""
    await recorded(tmp_path, request("\n".join(f"{number} one" for number in range(50))))
    with pytest.raises(RecordingMissing) as caught:
        await ask(ReplayTransport(tmp_path), request("\n".join(f"{number} other" for number in range(50))))
    assert "other texts or options were recorded" in caught.value.detail
    assert "\n" not in caught.value.detail


async def test_what_was_not_used_is_known(tmp_path: Path) -> None:
    """So that a suite can fail on a recording that no test needs."""
    files = await recorded(tmp_path, request(), request("other"))
    save_endpoint(tmp_path, EndpointRecord(model="m", profile=DEFAULT, slots=8, context_window=None))
    replay = ReplayTransport(tmp_path)
    await ask(replay, request())
    assert len(replay.used) == 1
    assert replay.used | replay.unused() == set(files)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text[:0],
        lambda text: text.replace("Second line", "Second word"),
        lambda text: text.replace('"repetition": 0', '"repetition": 1'),
        lambda text: text.replace('"base64": "', '"base64": "!'),
    ],
)
async def test_a_damaged_or_edited_recording_is_named(tmp_path: Path, damage: object) -> None:
    """An edited prompt never replays a stale answer."""
    (path,) = await recorded(tmp_path, request())
    assert callable(damage)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(RecordingMissing) as caught:
        await ask(ReplayTransport(tmp_path), request())
    assert str(path) in caught.value.detail


@given(chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=8))
@settings(max_examples=30, deadline=None)
def test_any_chunks_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]) -> None:
    """Whatever bytes, cut wherever."""
    folder = tmp_path_factory.mktemp("recordings")
    about = {"recording": {"prompt": "news@1", "stage": "map", "repetition": 0}}

    async def exchange(transport: httpx.AsyncBaseTransport) -> list[bytes]:
        async with httpx.AsyncClient(transport=transport) as client:
            sent = client.build_request("POST", "http://h/v1/x", json={"a": "é"}, extensions=about)
            response = await client.send(sent, stream=True)
            return [chunk async for chunk in response.aiter_raw()]

    async def there_and_back() -> None:
        assert await exchange(RecordingTransport(Network(chunks), folder)) == chunks
        assert await exchange(ReplayTransport(folder)) == chunks

    asyncio.run(there_and_back())
    (path,) = folder.rglob("*.json")
    assert read_recording(path).request.path == "/v1/x"


def test_how_the_endpoint_was_addressed_is_kept(tmp_path: Path) -> None:
    """So that a folder alone rebuilds the same requests; a folder may not say."""
    assert load_endpoint(tmp_path) is None
    profile = msgspec.structs.replace(DEFAULT, rung="json_object", cap=None)
    record = EndpointRecord(model="m", profile=profile, slots=3, context_window=8_000)
    save_endpoint(tmp_path / "new", record)
    assert load_endpoint(tmp_path / "new") == record
    (tmp_path / "endpoint.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadSettings, match=r"endpoint\.json"):
        load_endpoint(tmp_path)


async def test_a_recorded_answer_that_is_none_is_none_in_a_replay(tmp_path: Path) -> None:
    """A replay decodes like a live call."""
    with pytest.raises(MalformedCompletion):
        await ask(RecordingTransport(Network([b"<html>"]), tmp_path), request())
    with pytest.raises((MalformedCompletion, RecordingMissing)):
        await ask(ReplayTransport(tmp_path), request())
