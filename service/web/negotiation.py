"""What a caller asks for in headers: a media type they like, and how long they wait."""

import re
from collections.abc import Sequence

from service.core.errors import NotAcceptable

LONGEST_WAIT_S = 60.0

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d+(?:\.\d+)?)", re.IGNORECASE)
_QUALITY = re.compile(r"(?:^|;)\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|$)", re.IGNORECASE)


def accepted(accept: str, media_types: Sequence[str], what: str) -> str:
    """The media type that the caller likes best of those there are (RFC 9110, 12.5.1); without Accept, the first.

    Raises:
        NotAcceptable: none of them; `what` begins the message.
    """
    ranges = [_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    likings = {kind: _liking(kind, dict(ranges)) for kind in media_types}
    best = max(media_types, key=lambda kind: likings[kind])
    if likings[best] <= 0:
        raise NotAcceptable(f"{what} is to be had as {', '.join(media_types)}. Say one of them in Accept.")
    return best


def _range(part: str) -> tuple[str, float]:
    """A media range and its quality; parameters other than `q` are left aside."""
    kind, _, parameters = part.partition(";")
    quality = _QUALITY.search(parameters)
    return kind.strip().lower(), float(quality[1]) if quality else 1.0


def _liking(kind: str, ranges: dict[str, float]) -> float:
    """The quality of a media type: that of the closest range that it is in."""
    closest = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((ranges[name] for name in closest if name in ranges), 0.0)


def wait_s(prefer: str, default_s: float) -> tuple[float, bool]:
    """How long to wait (RFC 7240, `Prefer: wait=N`), and whether the caller said so."""
    match = _WAIT.search(prefer)
    return (min(float(match[1]), LONGEST_WAIT_S), True) if match else (default_s, False)
