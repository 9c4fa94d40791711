"""What a call says when it cannot be made, what it never says, and what a probe finds."""

import asyncio
import logging
import socket
import ssl
import traceback
from dataclasses import replace

import httpx
import msgspec
import pytest
from peers import CANARY, Reply, Server, Time, delta, endpoint, failing, question, streamed, whole

from service.adapters.endpoint import Attempt, Endpoint, EndpointSettings, Memory, Overrides, pinned
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
