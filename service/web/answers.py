"""What answers about stored things have in common, whether these are summaries, batches or comparisons."""

from typing import Any

import msgspec
from litestar import Response

from service.adapters.store import StoredComparison, StoredSummary
from service.web import idempotency
from service.web.bodies import JSON


def json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """An answer with a struct as JSON."""
    return Response(msgspec.json.encode(value), media_type=JSON, status_code=status, headers=headers or {})


def without_result(
    what: str, stored: StoredSummary | StoredComparison, *, status: int, headers: dict[str, str]
) -> Response[bytes]:
    """An answer, in a form that shows a result only, that says what became of it instead."""
    failed = f": {stored.error.detail}" if stored.error else ""
    text = f"{what} {stored.id} is {stored.status}{failed}"
    return Response(f"{text}\n".encode(), media_type="text/plain", status_code=status, headers=headers)


def made(response: Response[bytes], location: str, *, again: bool, waited_s: float | None) -> Response[bytes]:
    """Add where a thing that was made is.

    Args:
        response: that shows it.
        location: its path.
        again: it was made before, under the same key.
        waited_s: how long the caller asked to wait, where they did.
    """
    response.headers["Location"] = location
    response.headers.update(idempotency.REPLAYED if again else {})
    if waited_s is not None:
        response.headers["Preference-Applied"] = f"wait={waited_s:g}"
    return response
