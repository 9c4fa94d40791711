"""One line in the log for each request, and an id to find it by; never a query, a header or a body. HEAD is a GET."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from secrets import token_hex
from time import perf_counter
from typing import Any

import structlog
from litestar import Request

from service.core.errors import Stopping
from service.web import problems

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

_PROBED = frozenset({"/health", "/ready"})
_OK = 200
_UNANSWERED = (
    "The server stopped before it had answered the request. Send it again; with an `Idempotency-Key` nothing is made "
    "twice."
)
_FITTING = re.compile(rb"[\w.:-]{1,128}")

log = structlog.stdlib.get_logger(__name__)


class AccessLog:
    """Wraps the whole application, so that what the router refuses is counted too."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with `request_id` in its scope and its logs and on the response.

        A HEAD comes to the application as a GET with `is_head` in its scope.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given.decode() if _FITTING.fullmatch(given) else token_hex(8)
        is_head = scope["method"] == "HEAD"
        # what a HEAD is answered differs from a GET in the missing body only (RFC 9110, 9.3.2)
        method = "GET" if is_head else scope["method"]
        inner = {**scope, "request_id": request_id, "method": method, "is_head": is_head}
        status, sent, received, started = 0, 0, 0, perf_counter()

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body":
                if is_head:
                    message = {**message, "body": b""}
                sent += len(message.get("body", b""))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(inner, receiving, sending)
            except asyncio.CancelledError:
                # the time to stop is up, and the server would answer with a bare 500
                if status:
                    raise
                request: Request[Any, Any, Any] = Request(inner)  # type: ignore[arg-type]
                refusal = problems.handle(request, Stopping(_UNANSWERED)).to_asgi_response(app=None, request=request)
                await refusal(inner, receiving, sending)  # type: ignore[arg-type]
            finally:
                # A probe every few seconds would drown the rest.
                quiet = status == _OK and scope["path"] in _PROBED
                log.log(
                    logging.DEBUG if quiet else logging.INFO,
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    received_bytes=received,
                    sent_bytes=sent,
                    wall_ms=round((perf_counter() - started) * 1000, 1),
                )
