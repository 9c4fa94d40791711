"""One request and its reply over HTTP, within every limit on time and size. Whether to ask again is not its matter."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import httpx

from service import __version__
from service.adapters.endpoint import failures, network
from service.adapters.endpoint.configuration import EndpointSettings
from service.adapters.endpoint.listing import Listed, listed
from service.adapters.endpoint.policy import Late, Lost, Outcome, Refused, Unusable
from service.core.errors import CompletionCut, CompletionRefused, EndpointError
from service.core.types import Completion, Value
from service.core.wire import StreamDecoder, fault

_MOST_ERROR_BYTES = 64 * 1024
_GRACE_S = 1.0
"""After the last event of a stream, for the connection to come to its end and be used again."""


class Answer(Value, frozen=True, kw_only=True):
    """A completion, and how it came."""

    completion: Completion
    streamed: bool


class Sent(Value, frozen=True, kw_only=True):
    """What came of a request that was sent, or tried to be."""

    outcome: Answer | Outcome
    status: int | None
    cancelled: bool = False
    """Whether whoever asked was cancelled when the answer was complete; the cancellation is to be raised again."""

    @property
    def state(self) -> Literal["answered", "failed", "unknown"]:
        """Say it as the journal does."""
        match self.outcome:
            case Answer() | Unusable(error=CompletionCut() | CompletionRefused()):
                return "answered"
            case Lost() | Late():
                return "unknown"
            case _:
                return "failed"


class Connection:
    """The HTTP client of an endpoint.

    Args:
        settings: where it is, how to get in, the limits.
        transport: sends the requests.
        observe: told the headers of every reply.
        now: the moment, aware.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        transport: httpx.AsyncBaseTransport,
        observe: Callable[[Mapping[str, str]], None],
        now: Callable[[], datetime],
    ) -> None:
        self.url = network.shown(settings)
        self._settings = settings
        self._secrets = network.secrets(settings)
        self._observe = observe
        self._now = now
        self._client = httpx.AsyncClient(
            transport=network.Origin(transport, settings),
            base_url=network.base_url(settings),
            headers={"Accept-Encoding": "identity", "User-Agent": f"precis/{__version__}"},
            timeout=httpx.Timeout(
                connect=settings.connect_s, read=settings.silence_s, write=settings.write_s, pool=settings.pool_s
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def masked(self, text: str) -> str:
        """Give a text with every secret in it masked."""
        return network.masked(text, self._secrets)

    async def ask(self, path: str, body: Mapping[str, object], *, key: str, extensions: Mapping[str, object]) -> Sent:
        """Send a request for a completion and read its reply. Errors of the way are outcomes; others are raised.

        Raises:
            asyncio.CancelledError: the connection is closed; an answer that is complete by then is returned instead.
        """
        decoder, trace = StreamDecoder(), failures.Trace()
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        request = self._client.build_request(
            "POST",
            path.removeprefix("/"),
            content=content,
            headers={"Content-Type": "application/json"},
            extensions={**extensions, "trace": trace.note},
        )
        outcome: Answer | Outcome
        try:
            async with asyncio.timeout(self._settings.deadline_s) as deadline:
                outcome = await self._exchange(request, decoder, trace, deadline, key=key)
        except TimeoutError:
            outcome = failures.too_late(url=self.url, deadline_s=self._settings.deadline_s)
            if decoder.ended:
                outcome = self._finished(decoder, key=key)
        except httpx.TransportError as error:
            outcome = failures.on_the_way(error, trace, url=self.url, silence_s=self._settings.silence_s)
            outcome.error.__cause__ = error
            # a connection that breaks after the answer was complete takes nothing from it
            finished = self._finished(decoder, key=key) if decoder.started or decoder.ended else outcome
            if isinstance(finished, Answer | Refused):
                outcome = finished
        except asyncio.CancelledError:
            late = self._finished(decoder, key=key) if decoder.ended or trace.read else None
            if not isinstance(late, Answer):
                raise
            return Sent(outcome=late, status=trace.status, cancelled=True)
        return Sent(outcome=outcome, status=trace.status)

    async def models(self) -> Listed:
        """List the models; empty where there is no such list.

        Raises:
            EndpointError: the endpoint cannot be reached, or does not accept the key.
        """
        trace = failures.Trace()
        request = self._client.build_request("GET", "models", extensions={"trace": trace.note})
        limit_s = self._settings.silence_s
        try:
            async with asyncio.timeout(limit_s):
                response = await self._client.send(request, stream=True)
                try:
                    body = await _beginning(response, self._settings.max_reply_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise failures.too_late(url=self.url, deadline_s=limit_s).error from None
        except httpx.TransportError as error:
            raise failures.on_the_way(error, trace, url=self.url, silence_s=limit_s).error from error
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise self.without_secrets(self._refused(response.status_code, response.headers, body).error)
        return listed(body) if response.is_success else Listed()

    def without_secrets(self, error: EndpointError) -> EndpointError:
        """Mask every secret in the message of an error."""
        error.detail = self.masked(error.detail)
        error.args = (error.detail,)
        return error

    async def _exchange(
        self,
        request: httpx.Request,
        decoder: StreamDecoder,
        trace: failures.Trace,
        deadline: asyncio.Timeout,
        *,
        key: str,
    ) -> Answer | Outcome:
        response = await self._client.send(request, stream=True)
        try:
            trace.status = response.status_code
            self._observe(response.headers)
            encoding = response.headers.get("content-encoding", "").strip().lower()
            if response.has_redirect_location or response.is_redirect:
                location = response.headers.get("location")
                return failures.redirected(url=self.url, status=response.status_code, location=location)
            if not response.is_success:
                body = await _beginning(response, _MOST_ERROR_BYTES) if encoding in {"", "identity"} else b""
                return self._refused(response.status_code, response.headers, body)
            if encoding not in {"", "identity"}:
                return failures.compressed(url=self.url, encoding=encoding)
            trace.read = await self._read(response, decoder, deadline)
            if not trace.read:
                return failures.too_long(url=self.url, most_bytes=self._settings.max_reply_bytes)
        finally:
            await response.aclose()
        return self._finished(decoder, key=key, content_type=response.headers.get("content-type", ""))

    async def _read(self, response: httpx.Response, decoder: StreamDecoder, deadline: asyncio.Timeout) -> bool:
        """Read a reply to its end; False where that is too far."""
        read_bytes, ending = 0, False
        async for data in response.aiter_raw():
            read_bytes += len(data)
            if read_bytes > self._settings.max_reply_bytes:
                return False
            decoder.feed(data)
            if decoder.ended and not ending:
                ending = True
                soon = asyncio.get_running_loop().time() + _GRACE_S
                deadline.reschedule(min(soon, deadline.when() or soon))
        return True

    def _finished(
        self, decoder: StreamDecoder, *, key: str, content_type: str = "text/event-stream"
    ) -> Answer | Outcome:
        """Take the completion out of a 2xx reply, or say why there is none."""
        try:
            completion = decoder.finish(key=key)
        except EndpointError as error:
            if decoder.error is not None:
                return self._refused(httpx.codes.OK, {}, decoder.error)
            return Unusable(error=error, empty=not decoder.started)
        incomplete = failures.incomplete(completion, url=self.url)
        return incomplete or Answer(completion=completion, streamed="event-stream" in content_type)

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        """Say what an error of the endpoint means; some repeat the key in it."""
        said = self.masked(body.decode("utf-8", "replace")).encode()
        return failures.refused(fault(status, headers, said, now=self._now()), status=status, url=self.url)


async def _beginning(response: httpx.Response, most_bytes: int) -> bytes:
    """Read no more of a body than is worth reading."""
    body = b""
    async for data in response.aiter_raw():
        body += data
        if len(body) >= most_bytes:
            break
    return body[:most_bytes]
