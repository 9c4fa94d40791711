"""Requests that come one a line (NDJSON), cut out of a stream and decoded one by one."""

from collections.abc import Iterator

import msgspec

from service.core.errors import PrecisError, TooLarge
from service.jobs.batches import Unfit, Wanted, refusal
from service.web import bodies
from service.web.bodies import Limits
from service.web.shapes import CustomId, LineBody

MEDIA_TYPES = ("application/x-ndjson", "application/jsonl")
_BLANK = b" \t\r"
_BOM = b"\xef\xbb\xbf"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is not blank."""

    number: int
    """Counted from 1, blank lines included."""
    content: bytes | None
    """Without its end and the white space around it; missing where it is over the limit."""


class Cutter:
    """Cuts a stream of bytes into lines, and holds no more of it than one.

    A byte order mark before the first line is skipped. A line ends with LF, so CRLF does as well, or with the stream.

    Args:
        max_bytes: of a line; what is longer is passed over.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._number = 1
        self._held = bytearray()
        self._size = 0
        """Of the line so far, what was passed over included."""

    def cut(self, piece: bytes) -> Iterator[Line]:
        """The lines that end in the next piece of the stream."""
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._hold(part)
            yield from self._line()
            self._number += 1
        self._hold(rest)

    def end(self) -> Iterator[Line]:
        """The last line, where the stream does not end with a line end."""
        yield from self._line()

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._is_long():
            self._held.clear()
        else:
            self._held += part

    def _is_long(self) -> bool:
        # with room for a mark and CR, so that whether a line fits depends on neither
        return self._size > self._max_bytes + len(_BOM) + 1

    def _line(self) -> Iterator[Line]:
        is_long, content = self._is_long(), bytes(self._held)
        self._held.clear()
        self._size = 0
        if self._number == 1:
            content = content.removeprefix(_BOM)
        content = content.strip(_BLANK)
        if is_long or len(content) > self._max_bytes:
            yield Line(number=self._number, content=None)
        elif content:
            yield Line(number=self._number, content=content)


class _Named(msgspec.Struct):
    """What is left of a line that does not fit: its name, where it has one."""

    custom_id: CustomId | None = None


def decoded(line: Line, limits: Limits) -> Wanted | Unfit:
    """The request that a line is, or why it is none."""
    content = line.content
    if content is None:
        return _unfit(line, TooLarge(f"The line is over the limit of {limits.max_bytes:,} bytes. Send less in it."))
    try:
        body = bodies.decoded(content, LineBody)
        ask = bodies.ask_of(body, limits)
        bodies.check_characters(ask.documents, limits)
    except PrecisError as error:
        return _unfit(line, error)
    return Wanted(
        line=line.number,
        custom_id=body.custom_id,
        documents=ask.documents,
        options=ask.options,
        conditions=ask.conditions,
    )


def _unfit(line: Line, error: PrecisError) -> Unfit:
    why = type(error)(error.detail.replace("The body", "The line", 1), errors=error.errors)
    return Unfit(line=line.number, custom_id=_name(line.content), refusal=refusal(why))


def _name(content: bytes | None) -> str | None:
    try:
        return msgspec.json.decode(content or b"", type=_Named).custom_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
