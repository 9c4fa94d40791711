"""What a call says when it cannot be made, what it never says, and what a probe finds."""

import asyncio
import logging
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
import pytest
from peers import CANARY, Reply, Server, Time, delta, endpoint, failing, question, streamed, whole

from service import bootstrap
from service.adapters.endpoint import Attempt, Endpoint, EndpointSettings, Memory, Overrides, pinned, to_its_end
from service.adapters.recordings import EndpointRecord, save_endpoint
from service.core.errors import (
    BadSettings,
    EndpointError,
    EndpointRejected,
    EndpointTimeout,
    EndpointUnavailable,
    MalformedCompletion,
    StoreUnavailable,
)
from service.core.wire import DEFAULT
from service.settings import Settings

SETTINGS = EndpointSettings(base_url="http://127.0.0.1:9/v1", model="m", api_key=CANARY)


class Failing(httpx.AsyncBaseTransport):
    """A network on which everything fails in one way."""

    def __init__(self, error: Exception, cause: Exception | None = None) -> None:
        error.__cause__ = cause
        self.error = error
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        self.requests.append(request)
        raise self.error


async def error_over(transport: Failing, **settings: object) -> EndpointError:
    """The error of a call over a network on which everything fails."""
    time = Time()
    given = msgspec.structs.replace(SETTINGS, **settings)
    async with Endpoint(given, transport=transport, clock=time.clock, sleep=time.sleep) as client:
        with pytest.raises(EndpointError) as caught:
            await client.complete(question())
    return caught.value


# --- the way there ---------------------------------------------------------------------------------------------------


@pytest.mark.enable_socket
async def test_a_refused_connection_says_where_why_and_what_to_try(time: Time) -> None:
    """With the address, and the hint for those inside a container."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://user:{CANARY}@127.0.0.1:{free.getsockname()[1]}/v1"
    async with endpoint(url, time) as client:
        with pytest.raises(EndpointUnavailable) as caught:
            await client.complete(question())
    assert f"http://127.0.0.1:{url.rsplit(':', 1)[1]} could not be reached: the connection was refused" in str(
        caught.value
    )
    assert "host.docker.internal" in caught.value.detail
    assert "(4 requests were made.)" in caught.value.detail
    assert CANARY not in caught.value.detail


async def test_a_name_that_does_not_resolve_is_said() -> None:
    """And there is no hint about containers where the host is not this one."""
    cause = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = await error_over(Failing(httpx.ConnectError("x"), cause), base_url="https://api.exmaple.com/v1")
    assert isinstance(error, EndpointUnavailable)
    assert "does not resolve (DNS: Name or service not known)" in error.detail
    assert "docker" not in error.detail


async def test_an_untrusted_certificate_is_said_and_not_tried_again() -> None:
    """It will be as little trusted the next time."""
    cause = ssl.SSLCertVerificationError("x")
    cause.verify_message = "self-signed certificate"
    transport = Failing(httpx.ConnectError("x"), cause)
    error = await error_over(transport)
    assert isinstance(error, EndpointUnavailable)
    assert "not trusted (self-signed certificate)" in error.detail
    assert "PRECIS_CA_FILE" in error.detail
    assert len(transport.requests) == 1


@pytest.mark.enable_socket
async def test_tls_to_a_server_without_it_is_said(time: Time) -> None:
    """A slip in the scheme is found."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with endpoint(f"https://127.0.0.1:{port}/v1", time, connect_s=1.0) as client:
        with pytest.raises(EndpointUnavailable, match=r"TLS failed \(.+\). Check whether it should be http"):
            await client.complete(question())
    listening.close()


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (httpx.ConnectTimeout("x"), EndpointUnavailable, "within the time limit"),
        (httpx.PoolTimeout("x"), EndpointUnavailable, "PRECIS_SLOTS"),
        (httpx.ProxyError("x"), EndpointUnavailable, "PRECIS_PROXY"),
        (httpx.ReadTimeout("x"), EndpointTimeout, "silent for 120 s"),
        (httpx.WriteTimeout("x"), EndpointTimeout, "stopped reading"),
        (httpx.ReadError("x"), EndpointUnavailable, "broke before the answer was complete"),
    ],
)
async def test_each_failure_of_the_way_has_a_name(failure: Exception, kind: type[EndpointError], said: str) -> None:
    """And says what to do."""
    error = await error_over(Failing(failure))
    assert type(error) is kind
    assert said in error.detail


@pytest.mark.enable_socket
@pytest.mark.parametrize("location", ["https://elsewhere.example/v1?k=secret", "/v2", ""])
async def test_redirects_are_refused_and_the_key_stays(server: Server, time: Time, location: str) -> None:
    """The message names the setting to change."""
    server.script = [Reply(status=307, headers={"location": location})]
    async with endpoint(server.url, time) as client:
        with pytest.raises(EndpointRejected, match="PRECIS_BASE_URL") as caught:
            await client.complete(question())
    assert "secret" not in caught.value.detail
    assert len(server.asked) == 1


@pytest.mark.enable_socket
async def test_a_compressed_reply_is_not_unpacked(server: Server, time: Time) -> None:
    """A small one can be a very large one."""
    server.script = [Reply(headers={"content-encoding": "gzip"}, chunks=[b"\x1f\x8b"])]
    async with endpoint(server.url, time) as client:
        with pytest.raises(MalformedCompletion, match="turn compression off"):
            await client.complete(question())


@pytest.mark.enable_socket
async def test_headers_and_query_are_sent_with_every_request(server: Server, time: Time) -> None:
    """As Azure wants it."""
    async with endpoint(
        server.url, time, api_key=None, headers={"api-key": CANARY}, query={"api-version": "2024-10-21"}
    ) as client:
        await client.complete(question())
        await client.models()
    assert [asked.target for asked in server.asked] == [
        "/v1/chat/completions?api-version=2024-10-21",
        "/v1/models?api-version=2024-10-21",
    ]
    assert [asked.headers["api-key"] for asked in server.asked] == [CANARY, CANARY]
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "localhost:1234"},
        {"base_url": "ftp://x/v1"},
        {"base_url": f"http://h:{CANARY}/v1"},
        {"api_key": f"{CANARY}\n"},
        {"api_key": f"{CANARY}é"},
        {"headers": {"x": f"{CANARY}\r\nhost: y"}},
        {"proxy": f"gopher://u:{CANARY}@x"},
        {"ca_file": "/nowhere.pem"},
        {"ca_file": __file__},
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(wrong: dict[str, object]) -> None:
    """Before anything is sent, and without showing them."""
    with pytest.raises(BadSettings) as caught:
        Endpoint(msgspec.structs.replace(SETTINGS, **wrong))
    assert CANARY not in "".join(traceback.format_exception(caught.value, chain=True)).replace(__file__, "")


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_repr_shows_nothing_secret(time: Time) -> None:
    """Of settings and of the client."""
    settings = EndpointSettings(
        base_url=f"http://u:{CANARY}@h/v1",
        model="m",
        api_key=CANARY,
        headers={"api-key": CANARY},
        query={"key": CANARY},
        proxy=f"http://u:{CANARY}@p",
    )
    shown = f"{settings!r} {settings.__rich_repr__()} {Endpoint(settings)!r} {Endpoint(settings)}"
    assert CANARY not in shown
    assert "'api-key': '****'" in shown


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "reply",
    [
        streamed(),
        failing(401, f"Incorrect API key provided: {CANARY}"),
        failing(403, f"{CANARY} may not"),
        failing(400, f"what is {CANARY}?"),
        failing(500, f"{CANARY}"),
        failing(429, f"{CANARY}", headers={"retry-after": "100"}),
        whole({"error": {"message": f"no {CANARY}", "code": 401}}),
        Reply(chunks=[delta("{"), b"data: " + CANARY.encode() + b"\n\n"]),
        Reply(status=302, headers={"location": "http://elsewhere.example/"}),
        Reply(end="drop"),
        Reply(end="hang"),
    ],
)
async def test_the_key_is_in_no_error_log_or_journal(
    server: Server, time: Time, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    """Whatever fails, at DEBUG, with the logs of the HTTP libraries."""
    server.script = lambda _: replace(reply)
    server.models = failing(401, CANARY)
    notes: list[Attempt] = []

    async def journal(attempt: Attempt) -> None:
        notes.append(attempt)

    with caplog.at_level(logging.DEBUG):
        url = server.url.replace("http://", f"http://u:{CANARY}@")
        async with endpoint(url, time, deadline_s=0.05, query={"key": CANARY}, headers={"x-key": CANARY}) as client:
            found = await asyncio.gather(
                client.complete(question(), journal=journal), client.models(), client.probe(), return_exceptions=True
            )
    told = [
        "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        for error in found
        if isinstance(error, BaseException)
    ]
    assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"httpx", "httpcore"}
    assert CANARY not in caplog.text
    assert CANARY not in "".join(told) + repr(notes) + repr(client)


@pytest.mark.enable_socket
@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_ends_a_call_after_one_request(server: Server, time: Time, status: int) -> None:
    """The message names the setting."""
    server.script = [failing(status, "no")]
    async with endpoint(server.url, time) as client:
        with pytest.raises(EndpointRejected, match="PRECIS_API_KEY"):
            await client.complete(question())
    assert len(server.asked) == 1


# --- keys, memory, journal -------------------------------------------------------------------------------------------


@pytest.mark.enable_socket
async def test_the_key_of_an_answer_is_that_of_the_request_as_it_was_sent(server: Server, time: Time) -> None:
    """And does not depend on where the endpoint is."""
    async with endpoint(server.url, time) as client, endpoint("https://other.example/api/v9", time) as other:
        found = await client.complete(question())
        assert found.key == client.key(question()) == other.key(question())
        assert client.key(question(), model="n") != found.key


@pytest.mark.enable_socket
async def test_what_was_learned_is_kept_by_model_and_can_be_shared(server: Server, time: Time) -> None:
    """A second client with the same memory asks right at once; another model is asked anew."""
    memory = Memory(clock=time.clock)
    settings = EndpointSettings(base_url=server.url, model="m")
    server.script = [failing(400, "no", param="max_tokens")]
    async with Endpoint(settings, memory=memory) as first, Endpoint(settings, memory=memory) as second:
        await first.complete(question())
        assert second.profile() == first.profile() != DEFAULT
        assert second.profile(model="n") == DEFAULT


def test_a_pinned_profile_is_the_profile() -> None:
    """A replay sends what was recorded."""
    profile = msgspec.structs.replace(DEFAULT, rung="prompt", cap=None, system_role="user", stream=False)
    assert pinned(profile).applied(DEFAULT) == profile
    assert Overrides().applied(profile) == profile


async def test_nothing_is_sent_that_could_not_be_journalled() -> None:
    """A store that is down costs no call."""
    transport = Failing(httpx.ReadError("x"))

    async def journal(_: Attempt) -> None:
        raise StoreUnavailable("full")

    async with Endpoint(SETTINGS, transport=transport) as client:
        with pytest.raises(StoreUnavailable):
            await client.complete(question(), journal=journal)
    assert transport.requests == []


# --- limits of a minute ----------------------------------------------------------------------------------------------


@pytest.mark.enable_socket
async def test_requests_keep_to_the_configured_rate(server: Server, time: Time) -> None:
    """The third of two a minute waits for the first to be a minute old."""
    async with endpoint(server.url, time, rpm=2) as client:
        for _ in range(3):
            await client.complete(question())
    assert time.slept == [60.0]


@pytest.mark.enable_socket
async def test_tokens_keep_to_the_configured_rate_by_what_was_really_used(server: Server, time: Time) -> None:
    """An answer may take its bound; what it did not take is given back."""
    server.script = [streamed(prompt_tokens=900)] * 3
    async with endpoint(server.url, time, tpm=2_000) as client:
        for _ in range(3):
            await client.complete(question(), counted_tokens=900)
    assert time.slept == [60.0]


@pytest.mark.enable_socket
async def test_announced_limits_are_waited_for(server: Server, time: Time) -> None:
    """Nothing is sent into a limit that the endpoint has announced; a limit of a day is left to its 429."""
    announced = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1.5s"}
    of_the_day = announced | {"x-ratelimit-reset-requests": "6h0m"}
    server.script = [replace(streamed(), headers=announced), replace(streamed(), headers=of_the_day)]
    async with endpoint(server.url, time) as client:
        for _ in range(3):
            await client.complete(question())
    assert time.slept == [1.5]


# --- probing ---------------------------------------------------------------------------------------------------------


@pytest.mark.enable_socket
async def test_a_probe_tries_for_real(server: Server, time: Time) -> None:
    """Down the ladder until an answer has the form that was asked for."""
    server.models = whole({"data": [{"id": "m", "max_model_len": 4096}]})
    server.script = [
        failing(400, "no", param="max_tokens"),
        streamed("prose"),
        streamed('{"answer": 4}', prompt_tokens=30),
    ]
    async with endpoint(server.url, time) as client:
        probe = await client.probe()
    assert (probe.valid, probe.rung, probe.cap) == (True, "json_schema", "max_completion_tokens")
    assert (probe.streams, probe.usage, probe.context_window, probe.models) == (True, True, 4096, ("m",))
    assert probe.advice == ()


@pytest.mark.enable_socket
async def test_a_probe_of_an_endpoint_that_never_fits_says_what_to_do(server: Server, time: Time) -> None:
    """It asks once at each rung."""
    server.script = lambda _: streamed("prose")
    async with endpoint(server.url, time) as client:
        probe = await client.probe()
    assert (probe.valid, probe.rung, len(server.bodies)) == (False, "prompt", 5)
    assert "follows instructions" in probe.advice[0]
    assert "PRECIS_CONTEXT_WINDOW" in probe.advice[-1]


# --- being cancelled -------------------------------------------------------------------------------------------------


class Network(httpx.AsyncBaseTransport):
    """A network on which a reply never comes, or says nothing more once it was given."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.arrived = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Begin to answer."""
        await request.aread()
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Held(self))


class Held(httpx.AsyncByteStream):
    """What a network gives, and then nothing more."""

    def __init__(self, network: Network) -> None:
        self.network = network

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.network.chunks:
            yield chunk
        self.network.arrived.set()
        await asyncio.Event().wait()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "reply",
    [
        Reply(end="hang"),
        Reply(chunks=[delta("{")], end="hang"),
        Reply(chunks=[delta("{")], end="drip"),
        Reply(status=503, end="hang"),
        Reply(chunks=[delta('{"a": 1}'), delta(finish="stop")], end="hang"),
    ],
    ids=["head", "answer", "keeps alive", "refusal", "no done"],
)
async def test_a_call_that_is_cancelled_closes_its_connection_within_a_second(
    server: Server, time: Time, reply: Reply
) -> None:
    """The endpoint sees it and need not go on; the slot is free at once, and the journal says that it is not known."""
    server.script = [reply]
    rows: list[tuple[int, str, int | None]] = []

    async def journal(attempt: Attempt) -> None:
        rows.append((attempt.number, attempt.state, attempt.status))

    async with endpoint(server.url, time, slots=1) as client:
        call = asyncio.create_task(client.complete(question(), journal=journal))
        await asyncio.wait_for(server.arrived.wait(), 2)
        async with asyncio.timeout(1):
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert client._sender.slots.busy == 0
            await server.gone.wait()
        assert call.cancelled()
        assert (await client.complete(question())).text == '{"a": 1}'
    assert rows == [(1, "sent", None), (1, "unknown", None)]


@pytest.mark.enable_socket
async def test_a_call_that_is_cancelled_before_anything_came_closes_its_connection_within_a_second(time: Time) -> None:
    """As while a model reads a long prompt."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        while await reader.read(1_000):
            pass
        gone.set()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with endpoint(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", time) as client:
        call = asyncio.create_task(client.complete(question()))
        await asyncio.wait_for(asked.wait(), 2)
        async with asyncio.timeout(1):
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await gone.wait()
    listening.close()
    assert call.cancelled()


async def test_an_answer_that_was_complete_when_it_was_cancelled_is_told_to_the_journal() -> None:
    """With the completion, since nobody is there any more to be given it; one that was cut silently is not."""
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 5}}\n\n'
    for counted, text in ((50, '{"a": 1}'), (1_000, None)):
        network, notes = Network(delta('{"a": 1}'), delta(finish="stop"), usage, b"data: [DONE]\n\n"), list[Attempt]()

        async def journal(attempt: Attempt, notes: list[Attempt] = notes) -> None:
            notes.append(attempt)

        async with Endpoint(SETTINGS, transport=network) as client:
            call = asyncio.create_task(client.complete(question(), counted_tokens=counted, journal=journal))
            await network.arrived.wait()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        assert [(one.state, one.status) for one in notes] == [("sent", None), ("answered", 200)]
        assert (notes[-1].completion.text if notes[-1].completion else None) == text


@pytest.mark.parametrize("states", [("sent",), ("unknown",), ("sent", "unknown")])
async def test_a_call_is_cancelled_whatever_its_journal_does(states: tuple[str, ...]) -> None:
    """While it writes, and though it fails; nothing is noted of what was not sent."""
    network, notes, entered = Network(delta("{")), list[str](), asyncio.Event()

    async def journal(attempt: Attempt) -> None:
        notes.append(attempt.state)
        if attempt.state not in states:
            return
        entered.set()
        if attempt.state == "sent":
            await asyncio.Event().wait()
        raise StoreUnavailable("full")

    async with Endpoint(SETTINGS, transport=network) as client:
        call = asyncio.create_task(client.complete(question(), journal=journal))
        await (entered if "sent" in states else network.arrived).wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert client._sender.slots.busy == 0
    assert call.cancelled()
    assert notes == (["sent"] if "sent" in states else ["sent", "unknown"])


async def test_a_late_answer_that_cannot_be_written_does_not_keep_its_call_from_being_cancelled() -> None:
    """The row stays `sent`."""
    network = Network(delta('{"a": 1}'), delta(finish="stop"), b"data: [DONE]\n\n")

    async def journal(attempt: Attempt) -> None:
        if attempt.state == "answered":
            raise StoreUnavailable("full")

    async with Endpoint(SETTINGS, transport=network) as client:
        call = asyncio.create_task(client.complete(question(), journal=journal))
        await network.arrived.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()


class Answering(httpx.AsyncBaseTransport):
    """A network on which everything is answered."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        await request.aread()
        return httpx.Response(200, stream=httpx.ByteStream(delta('{"a": 1}') + delta(finish="stop")))


@pytest.mark.parametrize(
    ("transport", "state", "text"),
    [(Failing(httpx.ReadError("x")), "unknown", None), (Answering(), "answered", '{"a": 1}')],
)
async def test_what_became_of_a_request_is_written_though_its_call_is_cancelled_meanwhile(
    transport: httpx.AsyncBaseTransport, state: str, text: str | None
) -> None:
    """The writing is ended, with the answer where there is one, and then the call."""
    writing, go_on, written = asyncio.Event(), asyncio.Event(), list[Attempt]()

    async def journal(attempt: Attempt) -> None:
        if attempt.state != "sent":
            writing.set()
            await go_on.wait()
        written.append(attempt)

    async with Endpoint(SETTINGS, transport=transport) as client:
        call = asyncio.create_task(client.complete(question(), journal=journal))
        await writing.wait()
        for _ in range(3):
            call.cancel()
            await asyncio.sleep(0)
        assert not call.done()
        go_on.set()
        await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()
    assert [attempt.state for attempt in written] == ["sent", state]
    assert (written[-1].completion.text if written[-1].completion else None) == text


async def test_work_that_is_done_to_its_end_gives_its_result_or_its_error() -> None:
    """And a cancellation goes before either."""
    ready = asyncio.Event()

    async def work(*, fails: bool = False) -> str:
        await ready.wait()
        if fails:
            raise StoreUnavailable("full")
        return "done"

    tasks = [asyncio.create_task(to_its_end(work(fails=fails))) for fails in (False, True, False, True)]
    await asyncio.sleep(0)
    for task in tasks[2:]:
        task.cancel()
    await asyncio.sleep(0)
    ready.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["str", "StoreUnavailable", "CancelledError", "CancelledError"]


# --- an endpoint that is restarted -----------------------------------------------------------------------------------


class Nobody:
    """Told of waiting; remembers until when."""

    def __init__(self) -> None:
        self.until: list[datetime] = []
        self.waiting = 0

    async def begin(self, until: datetime) -> None:
        """It waits."""
        self.until.append(until)
        self.waiting += 1

    async def end(self) -> None:
        """It goes on."""
        self.waiting -= 1


@pytest.mark.enable_socket
async def test_an_endpoint_that_is_restarted_is_found_again(server: Server) -> None:
    """Over real connections: nobody listens, a name that does not resolve would be the same, and then it is there."""

    class Slow(Time):
        """A time in which the endpoint is started after two minutes."""

        listening: asyncio.Server | None = None

        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if self.at > 1_120 and self.listening is None:
                self.listening = await asyncio.start_server(server.serve, "127.0.0.1", port)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    time, held = Slow(), Nobody()
    async with endpoint(f"http://127.0.0.1:{port}/v1", time) as client:
        assert (await client.complete(question(), held=held)).text == '{"a": 1}'
    assert time.slept == [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0]
    assert (len(held.until), held.waiting) == (5, 0)
    assert len(server.bodies) == 1
    assert time.listening is not None
    time.listening.close()


async def test_a_name_that_does_not_resolve_is_waited_for_and_a_wrong_certificate_is_not() -> None:
    """The one may be so for a while, the other will be the same tomorrow; so will TLS to a server without it."""
    resolving = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    certificate = ssl.SSLCertVerificationError("x")
    certificate.verify_message = "self-signed certificate"
    causes = {resolving: True, certificate: False, ssl.SSLError(1, "wrong version number"): False}
    for cause, waited in causes.items():
        time, held = Time(), Nobody()
        given = msgspec.structs.replace(SETTINGS, outage_s=600.0)
        transport = Failing(httpx.ConnectError("x"), cause)
        async with Endpoint(given, transport=transport, clock=time.clock, sleep=time.sleep) as client:
            with pytest.raises(EndpointUnavailable) as caught:
                await client.complete(question(), held=held)
        assert ("has been down since" in str(caught.value)) == waited
        assert (held.until != []) == waited
        assert held.waiting == 0


def test_a_replay_waits_for_nobody(tmp_path: Path) -> None:
    """Recordings answer at once: limits of a minute and outages are those of an endpoint."""
    profile = EndpointRecord(model="m", profile=DEFAULT, slots=4, context_window=None)
    save_endpoint(tmp_path, profile)
    limited = Settings(endpoint_mode="replay", recordings_dir=str(tmp_path), rpm=1, tpm=1, outage_s=60)
    found = bootstrap.endpoint_settings(limited)
    assert (found.rpm, found.tpm, found.outage_s) == (None, None, 0)
    live = msgspec.structs.replace(limited, endpoint_mode="live", base_url="http://h/v1", model="m")
    configured = bootstrap.endpoint_settings(live)
    assert (configured.rpm, configured.tpm, configured.outage_s) == (1, 1, 60)
