"""What went wrong on the way to an endpoint, as an outcome with a message that says what to try."""

import socket
import ssl
from collections.abc import Iterator

import httpx
import msgspec

from service.adapters.endpoint.policy import Late, Lost, Outcome, Refused, Unreached, Unusable
from service.core.errors import (
    CompletionCut,
    CompletionRefused,
    EndpointError,
    EndpointRejected,
    EndpointTimeout,
    EndpointUnavailable,
    MalformedCompletion,
)
from service.core.types import Completion
from service.core.wire import Fault, named_error

_MOST_NAMES = 20
_MOST_SHOWN_NAME = 80
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, not bound to
_DOCKER = " Inside Docker use host.docker.internal instead of localhost."
_TO_TRY = "Check that the server runs and that PRECIS_BASE_URL names it; to know what it answers, run `precis doctor`."


class Trace(msgspec.Struct, kw_only=True):
    """How far a request got."""

    fresh: bool = False
    """Whether a connection was opened for it."""
    sent: bool = False
    answered: bool = False
    """Whether the head of a reply came."""
    status: int | None = None
    read: bool = False
    """Whether the reply was read to its end."""
    traced: bool = False
    """Whether the transport told anything at all."""

    async def note(self, event: str, _info: object) -> None:
        """Hear an event of the transport (httpx's `trace` extension)."""
        self.traced = True
        if event.endswith("connect_tcp.started"):
            self.fresh = True
        elif event.endswith("send_request_headers.started"):
            self.sent = True
        elif event.endswith("receive_response_headers.complete"):
            self.answered = True


def on_the_way(error: httpx.TransportError, trace: Trace, *, url: str, silence_s: float) -> Outcome:
    """Say what an error of the transport means; `url` is the endpoint as messages name it."""
    cause = _cause(error)
    docker = _DOCKER if httpx.URL(url).host in _LOOPBACK else ""
    match error:
        case httpx.ReadTimeout():
            return Late(
                error=EndpointTimeout(
                    f"{url} was silent for {silence_s:g} s. It may be overloaded, or the model too large for its "
                    "machine: try again later, or allow more (PRECIS_SILENCE_S)."
                )
            )
        case httpx.WriteTimeout():
            return Late(error=EndpointTimeout(f"{url} stopped reading the request. Try again later."))
        case httpx.UnsupportedProtocol():
            return Unreached(
                error=EndpointRejected(f"{url}: the request was not for the configured origin. Check PRECIS_BASE_URL."),
                hopeless=True,
            )
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ProxyError():
            return Unreached(
                error=EndpointUnavailable(f"{url} could not be reached: {_why(error, cause)}{docker}"),
                hopeless=isinstance(cause, ssl.SSLCertVerificationError),
                down=_down(error, cause),
            )
    broken = EndpointUnavailable(
        f"The connection to {url} broke before the answer was complete ({type(error).__name__}). {_TO_TRY}{docker}"
    )
    if trace.traced and not trace.sent:
        return Unreached(error=broken, down=True)
    return Lost(error=broken, stale=trace.traced and not trace.fresh and not trace.answered)


def too_late(*, url: str, deadline_s: float) -> Late:
    """Say that the deadline of a request was reached."""
    return Late(
        error=EndpointTimeout(
            f"{url} had not answered in full after {deadline_s:g} s. It was not asked again, because it may still be "
            "working: try later, ask for less at once, or allow more (PRECIS_DEADLINE_S)."
        )
    )


def too_long(*, url: str, most_bytes: int) -> Unusable:
    """Say that a reply was over the limit."""
    return Unusable(
        error=MalformedCompletion(f"The reply of {url} is over {most_bytes} bytes and was not read to its end."),
        oversized=True,
    )


def compressed(*, url: str, encoding: str) -> Unusable:
    """Say that a reply came compressed."""
    return Unusable(
        error=MalformedCompletion(
            f"{url} answered in {encoding[:20]!r} although nothing compressed is accepted: turn compression off there, "
            "or in the proxy before it."
        ),
        oversized=True,
    )


def redirected(*, url: str, status: int, location: str | None) -> Refused:
    """Say that the endpoint is somewhere else."""
    where = _somewhere(location)
    return Refused(
        fault=Fault(kind="final", message="a redirect"),
        error=EndpointRejected(
            f"{url} answered {status}, a redirect{where}. The key goes to the configured address only, so it was not "
            "followed: set PRECIS_BASE_URL to the address that is meant."
        ),
    )


def refused(fault: Fault, *, status: int, url: str) -> Refused:
    """Say why the endpoint refuses."""
    error = named_error(fault)
    if fault.kind == "credentials":
        error = EndpointRejected(f"{fault.message} Check PRECIS_API_KEY; the key was not accepted, and was sent once.")
    elif status == httpx.codes.NOT_FOUND and fault.kind == "final":
        error = EndpointRejected(
            f"{fault.message} Check that PRECIS_BASE_URL ends where the API begins, mostly in /v1."
        )
    error.detail = f"{url}: {error.detail}"
    error.args = (error.detail,)
    return Refused(fault=fault, error=error, status=status)


def incomplete(completion: Completion, *, url: str) -> Unusable | None:
    """Say why a completion is not to be used: it was cut, or declined."""
    match completion.finish:
        case "stop":
            return None
        case "length":
            return Unusable(
                error=CompletionCut(
                    f"{url} cut the answer at its bound on tokens. It is not mended: allow a longer answer, or ask "
                    "about less text at once."
                )
            )
        case "content_filter":
            return Unusable(
                error=CompletionRefused(f"{url} held the answer back by a filter. It is final for this text.")
            )
        case "refusal":
            return Unusable(
                error=CompletionRefused(f"The model at {url} declined to answer. It is final for this text.")
            )


def unknown_model(error: EndpointError, *, model: str, url: str, models: tuple[str, ...]) -> EndpointError:
    """Say which models there are, where the endpoint lists any."""
    if not models:
        return error
    few = ", ".join(name[:_MOST_SHOWN_NAME] for name in models[:_MOST_NAMES])
    more = ", ..." if len(models) > _MOST_NAMES else ""
    return EndpointRejected(f"{url} does not know the model {model!r} (PRECIS_MODEL). It lists: {few}{more}.")


def _why(error: httpx.TransportError, cause: BaseException | None) -> str:
    """Say why there is no connection, and what to try."""
    match (error, cause):
        case (_, ssl.SSLCertVerificationError(verify_message=why)):
            why = (
                f"its TLS certificate is not trusted ({why}). Where it is signed by an authority of your own, name "
                "that in PRECIS_CA_FILE."
            )
        case (_, ssl.SSLError(reason=why)):
            why = f"TLS failed ({why or 'no reason given'}). Check whether it should be http:// or https://."
        case (_, socket.gaierror(strerror=why)):
            why = f"its name does not resolve (DNS: {why}). Check PRECIS_BASE_URL for a slip."
        case (httpx.ProxyError(), _):
            why = "the proxy did not let the request through. Check PRECIS_PROXY."
        case (_, ConnectionRefusedError()):
            why = f"the connection was refused. {_TO_TRY}"
        case (httpx.ConnectTimeout(), _):
            why = f"no connection within the time limit. {_TO_TRY}"
        case (httpx.PoolTimeout(), _):
            why = "no connection was free within the time limit. Allow fewer requests at once (PRECIS_SLOTS)."
        case _:
            why = f"no connection ({type(cause or error).__name__}). {_TO_TRY}"
    return why


def _down(error: httpx.TransportError, cause: BaseException | None) -> bool:
    """Whether nobody is there: not for want of a free connection here, nor over TLS that will be the same tomorrow."""
    slip = isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError)
    return not slip and not isinstance(error, httpx.PoolTimeout)


def _cause(error: BaseException) -> BaseException | None:
    """Find the error below that says most: of TLS, of DNS, or of the operating system."""
    found = [below for below in _below(error) if isinstance(below, OSError)]
    telling = [below for below in found if isinstance(below, (ssl.SSLError, socket.gaierror, ConnectionRefusedError))]
    return next(iter(telling or found), None)


def _below(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        at = rest.pop(0)
        if at is None or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        rest.extend((at.__cause__, at.__context__))
        if isinstance(at, BaseExceptionGroup):
            rest.extend(at.exceptions)


def _somewhere(location: str | None) -> str:
    """Name where a redirect leads, without user, password and query."""
    try:
        url = httpx.URL(location or "")
    except httpx.InvalidURL:
        return ""
    path = url.path[:200]
    return f" to {url.scheme}://{url.host}{f':{url.port}' if url.port else ''}{path}" if url.host else f" to {path}"
