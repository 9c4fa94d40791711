"""Every error, whoever raised it, as one problem object (RFC 9457)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from service.core.errors import InternalError, PrecisError
from service.rendering.resource import Problem, problem_type

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = {409: 1, 503: 5, 507: 60}
"""By status: when to send the same again."""

log = structlog.stdlib.get_logger(__name__)

# What Litestar raises itself, in the words of this service: what happened, why, what to do.
_TITLES = {
    400: ("malformed_request", "The request could not be read"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("too_large", "Too large"),
    415: ("unsupported_media_type", "Unsupported content type"),
    429: ("too_many_requests", "Too many requests"),
}


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response for an error; one that nobody foresaw is logged and says no more than that."""
    if isinstance(error, PrecisError):
        again_s = RETRY_AFTER_S.get(error.status)
        return _respond(request, error, {} if again_s is None else {"Retry-After": str(again_s)})
    if isinstance(error, HTTPException) and error.status_code in _TITLES:
        return _http(request, error)
    log.error("request_crashed", exc_info=error)
    return _respond(request, InternalError("A fault of the service, not of the request; its log names the cause."), {})


def _respond(request: Request[Any, Any, Any], error: PrecisError, headers: dict[str, str]) -> Response[bytes]:
    body = Problem(
        type=problem_type(error.code),
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        instance=request.url.path,
        request_id=request.scope.get("request_id"),  # type: ignore[arg-type]
        errors=tuple({"pointer": field.pointer, "detail": field.detail} for field in error.errors),
    )
    return _response(body, headers)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status = error.status_code
    code, title = _TITLES[status]
    path = request.url.path
    allowed = _allowed(error)
    detail = {
        404: f"There is nothing at {path}. See /docs for what there is.",
        405: f"{request.method} is not possible at {path}" + f"; {allowed} would be. See /docs.",
    }.get(status, f"{error.detail.rstrip('.')}. See /docs for what is expected.")
    body = Problem(
        type=problem_type(code),
        title=title,
        status=status,
        detail=detail,
        code=code,
        instance=path,
        request_id=request.scope.get("request_id"),  # type: ignore[arg-type]
    )
    return _response(body, {**(error.headers or {}), **({"allow": allowed} if status == 405 else {})})  # noqa: PLR2004


def _allowed(error: HTTPException) -> str:
    methods = set((error.headers or {}).get("allow", "").split(", ")) - {""}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _response(body: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=body.status, media_type=MEDIA_TYPE, headers=headers)


def kinds() -> Iterator[tuple[str, int, str, str]]:
    """(code, status, title, meaning) of every problem that a caller may meet, for the documentation."""
    found = {code: (status, title, "") for status, (code, title) in _TITLES.items()}
    for error in _subclasses(PrecisError):
        found[error.code] = (error.status, error.title, (error.__doc__ or "").strip().partition("\n")[0])
    for code, (status, title, meaning) in sorted(found.items(), key=lambda item: (item[1][0], item[0])):
        if code != "bad_settings":
            yield code, status, title, meaning


def _subclasses(kind: type[PrecisError]) -> Iterator[type[PrecisError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)
