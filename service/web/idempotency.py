"""`Idempotency-Key`: a request that is sent again under the same key makes nothing again."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Request

from service.adapters.store import Key
from service.core.errors import FieldError, InvalidRequest, KeyInUse

REPLAYED = {"Idempotent-Replayed": "true"}
"""The header of an answer with what was made before."""

_HEADER = "idempotency-key"
_FITTING = re.compile(r"[\x20-\x7e]{1,255}")


@contextmanager
def held(request: Request[Any, Any, Any], tenant: str) -> Iterator[str | None]:
    """The key that a request comes under, or None; no other request of the tenant comes under it meanwhile.

    To be held until what the request makes is committed, and not while it is waited for.

    Raises:
        InvalidRequest: it is no key.
        KeyInUse: another request comes under it.
    """
    key = _key(request)
    if key is None:
        yield None
        return
    in_use: set[tuple[str, str]] = request.app.state.keys_in_use
    if (tenant, key) in in_use:
        raise KeyInUse(
            "A request under this Idempotency-Key is being accepted at this moment. Send this one again after "
            "Retry-After, and it is answered with what the other one made."
        )
    in_use.add((tenant, key))
    try:
        yield key
    finally:
        in_use.discard((tenant, key))


def _key(request: Request[Any, Any, Any]) -> str | None:
    # the white space around a value is no part of it (RFC 9110, 5.5), and not every server takes it away
    given = [value.strip(" \t") for value in request.headers.getall(_HEADER, [])]
    if not given:
        return None
    if len(given) > 1 or not _FITTING.fullmatch(given[0]):
        what = "it is sent more than once" if len(given) > 1 else "1 to 255 printable ASCII characters fit"
        fault = FieldError("Idempotency-Key", what)
        raise InvalidRequest("The header Idempotency-Key does not fit.", errors=(fault,))
    return given[0]


class Digest:
    """SHA-256 of a request: its path, content type and query, then its body, whole or piece by piece.

    The boundary of a form is left out, wherever it stands: clients draw one at random each time they send the same.
    """

    def __init__(self, request: Request[Any, Any, Any]) -> None:
        kind, parameters = request.content_type
        self._boundary = parameters.get("boundary", "").encode()
        stated = sorted(f"{name.lower()}={value}" for name, value in parameters.items() if name.lower() != "boundary")
        parts = (request.url.path.rstrip("/"), kind.lower(), ";".join(stated), request.url.query)
        self._sha256 = hashlib.sha256()
        for part in parts:
            # with their lengths, so that nothing moves from one into the next
            self._sha256.update(b"%d:%b" % (len(part.encode()), part.encode()))

    def update(self, piece: bytes) -> None:
        """Take the next piece of the body in, or all of it."""
        self._sha256.update(piece.replace(self._boundary, b"") if self._boundary else piece)

    def key(self, key: str | None) -> Key | None:
        """What the request is made under."""
        return None if key is None else Key(key=key, digest=self._sha256.hexdigest())


async def key_of(request: Request[Any, Any, Any], key: str | None) -> Key | None:
    """What a request is made under whose body was read."""
    if key is None:
        return None
    digest = Digest(request)
    digest.update(await request.body())
    return digest.key(key)
