"""Cut a text into chunks that tile it, follow its paragraphs and never exceed a token budget.

The text is encoded once. Everything after that is arithmetic on token numbers: a border is "after token i".

A text can be cut *cleanly* where the encodings start a new piece whatever stands on either side (`CLEAN_CUT`): before a
blank that follows a word, and at the start of a line. Between clean cuts token counts are exact. White space goes
accordingly: line ends belong to the chunk before, the blanks before a word (tokens carry them) to the chunk after. At
any other border 64 tokens on each side are encoded again, and the whole chunk only where those differ or where they do
not tell: digits are grouped from the start of their run, so cutting one may change it to its end.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Final
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from service.core.errors import BadSettings, InternalError
from service.core.types import Chunk, Plan, Source, Span

CHUNKER_VERSION: Final = "1"
MIN_BUDGET_TOKENS: Final = 16
"""A character takes up to four tokens, and cutting beside one can add a few."""

CLEAN_CUT: Final = re.compile(r"(?<=\S)(?=[ \t])|(?<=\n)(?=[^\S\r\n]*[^\s/])")
"""Matches, empty, where cutting a text changes no token of either half, in any encoding that is offered."""

_CLEAN_AT_TOKEN_BORDER: Final = re.compile(CLEAN_CUT.pattern + r"|(?<=[。！？])(?=[^\W_])")
"""Where a border between two tokens is a clean cut: a full stop may be the head of a word's piece, and only there."""

_DETAIL_TOKENS: Final = 3_000
_LATENCY_MOST_TOKENS: Final = 6_000
_LATENCY_LEAST_TOKENS: Final = 2_000
_VERIFIED_TOKENS: Final = 64
_REACH: Final = 0.25
"""How far from its ideal place, in parts, a border goes for a better kind of stop."""
_TAB, _LINE_END, _SPACE = b"\t\n "

Ends = Callable[[str], NDArray[np.int64]]
"""For each token of a text, the number of characters begun by its end; negative if the last of them is unfinished."""


def parts_for(tokens: int, *, plan: Plan, slots: int, whole: int = 6_000) -> int:
    """How many chunks a text of so many tokens should become.

    Args:
        tokens: in the unmasked text.
        plan: `detail` for many small chunks, `latency` for no more than can be in flight at once.
        slots: calls that may be in flight.
        whole: up to this many tokens a text stays whole.

    >>> parts_for(6_000, plan="detail", slots=16), parts_for(6_001, plan="detail", slots=16)
    (1, 3)
    >>> parts_for(60_000, plan="latency", slots=16), parts_for(60_000, plan="latency", slots=64)
    (16, 30)
    """
    if tokens <= whole:
        return 1
    if plan == "detail":
        return _ceil_div(tokens, _DETAIL_TOKENS)
    return max(_ceil_div(tokens, _LATENCY_MOST_TOKENS), min(slots, tokens // _LATENCY_LEAST_TOKENS))


def split(source: Source, *, ends: Ends, budget: int, parts: int | None = None) -> tuple[Chunk, ...]:
    r"""Cut the unmasked text into chunks of at most `budget` tokens, at the best stops near equal parts.

    A stop is, from best to worst: the start of a paragraph, of a sentence, a blank, a token border, and (only in a run
    of characters that share their tokens) a character. Joined, the texts of all spans are the unmasked text. In a run
    of white space longer than the budget a chunk may hold nothing else; a text of white space alone has no chunk.

    Args:
        source: sentences and masks in order.
        ends: see `Ends`.
        budget: tokens that a chunk may have on its own, its spans joined; at least `MIN_BUDGET_TOKENS`.
        parts: how many chunks to make, more where one would exceed the budget; as few as the budget allows when None.

    Raises:
        BadSettings: the budget is too small for any text.
        InternalError: `ends` does not describe the text.

    >>> from service.core.types import Document, Sentence
    >>> text = "One fine day. Two of them.\n\nThree little birds sat there."
    >>> found = [(0, 13, 1), (14, 26, 1), (28, 57, 2)]
    >>> sentences = [Sentence(number=n, start=a, end=b, paragraph=p) for n, (a, b, p) in enumerate(found, start=1)]
    >>> source = Source(document=Document(id="d", text=text), language="en", sentences=tuple(sentences))
    >>> chunks = split(source, ends=lambda part: np.arange(1, len(part) + 1), budget=30)
    >>> [text[span.start : span.end] for chunk in chunks for span in chunk.spans]
    ['One fine day. Two of them.\n\n', 'Three little birds sat there.']
    """
    if budget < MIN_BUDGET_TOKENS:
        raise BadSettings(
            f"A chunk may have {budget} tokens, and in fewer than {MIN_BUDGET_TOKENS} some characters do not fit."
            " Raise the budget."
        )
    kept = _unmasked(source)
    text = "".join(source.text[span.start : span.end] for span in kept)
    if not text or text.isspace():
        return ()
    encoded = _encode(text, ends)
    sentences, paragraphs = _starts(source, kept, encoded)
    limit = budget
    while limit > 0:
        widest = min(limit, max(1, encoded.total // (parts or 1)))
        borders = _borders(_stops(encoded, sentences, paragraphs, widest), limit=limit, parts=parts or 1)
        counts = [_count(encoded, start, end) for start, end in pairwise(borders)]
        over = max(counts) - budget
        if over <= 0:
            return _chunks(source.document.id, kept, encoded.at[borders].tolist(), counts)
        limit -= over
    raise InternalError(
        f"A text of {len(text)} characters could not be cut into chunks of {budget} tokens: its parts have more tokens"
        " than the whole. Report it with the encoding that is set."
    )


# --- the text, encoded -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """A text and its borders; border i comes after i tokens."""

    text: str
    ends: Ends
    at: NDArray[np.int64]
    """The character at which border i lies, or which it divides."""
    whole: NDArray[np.bool_]
    """Whether border i divides no character."""

    @property
    def total(self) -> int:
        """The last border, which is the number of tokens."""
        return len(self.at) - 1


def _encode(text: str, ends: Ends) -> _Encoded:
    """Encode a text, once."""
    signed = ends(text)
    if not len(signed) or signed[-1] != len(text):
        raise InternalError(
            f"The tokens end at character {signed[-1:].sum()} of {len(text)}: the encoding does not describe the text."
            " Report it with the encoding that is set."
        )
    at = np.empty(len(signed) + 1, dtype=np.int64)
    whole = np.empty(len(at), dtype=np.bool_)
    at[0], whole[0] = 0, True
    np.greater(signed, 0, out=whole[1:])
    # The character that a token leaves unfinished is the last one begun.
    np.subtract(np.abs(signed), ~whole[1:], out=at[1:])
    return _Encoded(text=text, ends=ends, at=at, whole=whole)


def _count(encoded: _Encoded, start: int, end: int) -> int:
    """Tokens that the text between two borders has on its own."""
    text, at = encoded.text, encoded.at
    head = _whole_border(encoded, range(min(start + _VERIFIED_TOKENS, end), end))
    tail = _whole_border(encoded, range(max(end - _VERIFIED_TOKENS, start), start, -1))
    same_head = _is_clean(encoded, start) or (
        head is not None and not _divides_number(encoded, start) and _same_tokens(encoded, start, head)
    )
    same_tail = _is_clean(encoded, end) or (tail is not None and _same_tokens(encoded, tail, end))
    return end - start if same_head and same_tail else len(encoded.ends(text[at[start] : at[end]]))


def _whole_border(encoded: _Encoded, borders: Iterable[int]) -> int | None:
    """The first of the borders that divides no character."""
    return next((border for border in borders if encoded.whole[border]), None)


def _is_clean(encoded: _Encoded, border: int) -> bool:
    """Whether cutting at a border changes no token."""
    if border in (0, encoded.total):
        return True
    return bool(encoded.whole[border]) and _CLEAN_AT_TOKEN_BORDER.match(encoded.text, encoded.at[border]) is not None


def _divides_number(encoded: _Encoded, border: int) -> bool:
    """Whether there are digits on both sides of a border."""
    offset = encoded.at[border]
    return all(category(character).startswith("N") for character in encoded.text[offset - 1 : offset + 1])


def _same_tokens(encoded: _Encoded, start: int, end: int) -> bool:
    """Whether the text between two borders has the same tokens on its own as within the whole."""
    if not (encoded.whole[start] and encoded.whole[end]):
        return False
    alone = _encode(encoded.text[encoded.at[start] : encoded.at[end]], encoded.ends)
    within = encoded.at[start : end + 1] - encoded.at[start]
    return np.array_equal(alone.at, within) and np.array_equal(alone.whole, encoded.whole[start : end + 1])


# --- where it may be cut ---------------------------------------------------------------------------------------------


def _unmasked(source: Source) -> tuple[Span, ...]:
    """The stretches outside masked spans, in order."""
    kept = []
    position = 0
    for masked in source.masked:
        if masked.start > position:
            kept.append(Span(start=position, end=masked.start))
        position = max(position, masked.end)
    if position < len(source.text):
        kept.append(Span(start=position, end=len(source.text)))
    return tuple(kept)


def _starts(source: Source, kept: tuple[Span, ...], encoded: _Encoded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The borders at which sentences start, and those at which paragraphs do; the first of the text is neither."""
    readable = source.readable
    starts, ends = (
        _joined(np.fromiter(map(attrgetter(edge), readable), np.int64, len(readable)), kept)
        for edge in ("start", "end")
    )
    paragraphs = np.fromiter(map(attrgetter("paragraph"), readable), np.int64, len(readable))
    find = encoded.text.rfind
    gaps = zip(ends[:-1].tolist(), starts[1:].tolist(), strict=True)
    # After the last line end of the gap, which is a clean cut, or else before its blanks, which is one too.
    cuts = np.fromiter((find("\n", before, after) + 1 or before for before, after in gaps), np.int64)
    borders = encoded.at.searchsorted(cuts)
    usable = (encoded.at[borders] == cuts) & encoded.whole[borders] & (np.diff(borders, prepend=0) > 0)
    usable &= borders < encoded.total
    return borders[usable], borders[usable & (np.diff(paragraphs) != 0)]


def _joined(offsets: NDArray[np.int64], kept: tuple[Span, ...]) -> NDArray[np.int64]:
    """Offsets into a document as offsets into its unmasked text."""
    starts = np.array([span.start for span in kept], dtype=np.int64)
    lengths = np.array([span.end - span.start for span in kept], dtype=np.int64)
    nearest = np.maximum(np.searchsorted(starts, offsets, side="right") - 1, 0)
    before = np.cumsum(lengths) - lengths
    joined: NDArray[np.int64] = before[nearest] + np.clip(offsets - starts[nearest], 0, lengths[nearest])
    return joined


@dataclass(frozen=True, slots=True, eq=False)
class _Stops:
    """Borders at which the text may be cut, its start and end among them."""

    borders: NDArray[np.int64]
    levels: tuple[NDArray[np.int64], ...]
    """Positions in `borders`: first those of the best kind, then those of the best two, and so on; last, all."""


def _stops(encoded: _Encoded, sentences: NDArray[np.int64], paragraphs: NDArray[np.int64], widest: int) -> _Stops:
    """Paragraphs and sentences; and finer stops where those are more than `widest` tokens apart."""
    edges = np.array([0, encoded.total])
    kinds = [_merged([edges, paragraphs]), _merged([edges, sentences])]
    for finer in (_blanks, _token_borders, _characters):
        stops = kinds[-1]
        gaps = np.flatnonzero(np.diff(stops) > widest)
        pairs = zip(stops[gaps].tolist(), stops[gaps + 1].tolist(), strict=True)
        kinds.append(_merged([stops, *(finer(encoded, start, end) for start, end in pairs)]))
    return _Stops(borders=kinds[-1], levels=tuple(kinds[-1].searchsorted(kind) for kind in kinds))


def _merged(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Ascending borders that are all different, in order."""
    # The stable sort is the quick one for arrays made of few runs.
    return np.sort(np.concatenate(parts), kind="stable")


def _blanks(encoded: _Encoded, start: int, end: int) -> NDArray[np.int64]:
    """Borders between two others that are clean cuts: at the start of a line or before a blank that follows a word."""
    first = int(encoded.at[start])
    part = encoded.text[first : int(encoded.at[end])]
    codes = np.frombuffer(part.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    borders = np.arange(start + 1, end)
    borders = borders[encoded.whole[start + 1 : end]]
    at = encoded.at[borders] - first
    before, after = codes[at - 1], codes[at]
    before_blank = _is_blank(after) & ~_is_blank(before) & (before != _LINE_END)
    after_line_end = (before == _LINE_END) & (after != _LINE_END)
    clean: NDArray[np.int64] = borders[before_blank | after_line_end]
    return clean


def _is_blank(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which of the code points are spaces or tabs."""
    blank: NDArray[np.bool_] = (codes == _SPACE) | (codes == _TAB)
    return blank


def _token_borders(encoded: _Encoded, start: int, end: int) -> NDArray[np.int64]:
    """Borders between two others that divide no character."""
    return start + 1 + np.flatnonzero(encoded.whole[start + 1 : end])


def _characters(encoded: _Encoded, start: int, end: int) -> NDArray[np.int64]:
    """For each character that begins between two borders, the first border in it."""
    return start + 1 + np.flatnonzero(np.diff(encoded.at[start:end]) > 0)


# --- where it is cut -------------------------------------------------------------------------------------------------


def _borders(stops: _Stops, *, limit: int, parts: int) -> list[int]:
    """The stops nearest to equal parts of at most `limit` tokens, from the first stop to the last."""
    last = len(stops.borders) - 1
    parts = min(max(parts, _fewest(stops.borders, limit)), last)
    total = int(stops.borders[last])
    earliest = _earliest(stops.borders, limit, parts)
    chosen = [0]
    for part in range(1, parts):
        lowest = max(chosen[-1] + 1, earliest[part])
        highest = min(_furthest(stops.borders, chosen[-1], limit), last - (parts - part))
        chosen.append(
            _best(stops, ideal=total * part // parts, reach=int(_REACH * total / parts), within=(lowest, highest))
        )
    borders: list[int] = stops.borders[[*chosen, last]].tolist()
    return borders


def _best(stops: _Stops, *, ideal: int, reach: int, within: tuple[int, int]) -> int:
    """The stop nearest to an ideal border, of the best kind that has one within reach."""
    lowest, highest = within
    centre = min(max(int(stops.borders.searchsorted(ideal)), lowest), highest)
    for level in stops.levels:
        after = int(level.searchsorted(centre))
        near = [int(stop) for stop in level[max(after - 1, 0) : after + 1] if lowest <= stop <= highest]
        if near:
            nearest = min(near, key=lambda stop: abs(stops.borders[stop] - ideal))
            if abs(stops.borders[nearest] - ideal) <= reach:
                return nearest
    return nearest


def _furthest(borders: NDArray[np.int64], start: int, limit: int) -> int:
    """The last stop that is at most `limit` tokens after another."""
    return int(borders.searchsorted(borders[start] + limit, side="right")) - 1


def _fewest(borders: NDArray[np.int64], limit: int) -> int:
    """How few parts of at most `limit` tokens there can be."""
    parts = stop = 0
    while stop < len(borders) - 1:
        furthest = _furthest(borders, stop, limit)
        if furthest == stop:
            raise InternalError(
                f"A character takes more than {limit} tokens: the encoding does not describe the text."
                " Report it with the encoding that is set."
            )
        stop, parts = furthest, parts + 1
    return parts


def _earliest(borders: NDArray[np.int64], limit: int, parts: int) -> list[int]:
    """For each part, the first stop at which it can end so that what remains still fits the parts after it."""
    stop = len(borders) - 1
    backwards = [stop]
    for part in range(parts - 1, -1, -1):
        stop = max(int(borders.searchsorted(borders[stop] - limit)), part)
        backwards.append(stop)
    return backwards[::-1]


# --- chunks ----------------------------------------------------------------------------------------------------------


def _chunks(document: str, kept: tuple[Span, ...], offsets: list[int], counts: list[int]) -> tuple[Chunk, ...]:
    """Chunks from their borders, as offsets into the unmasked text, and their token counts."""
    joined = list(accumulate((span.end - span.start for span in kept), initial=0))
    return tuple(
        Chunk(
            document=document, index=index, of=len(counts), spans=tuple(_spans(kept, joined, start, end)), tokens=tokens
        )
        for index, ((start, end), tokens) in enumerate(zip(pairwise(offsets), counts, strict=True), start=1)
    )


def _spans(kept: tuple[Span, ...], joined: list[int], start: int, end: int) -> Iterator[Span]:
    """A stretch of the unmasked text as spans of the document; `joined` says where each kept span starts in it."""
    for number in range(bisect_right(joined, start) - 1, len(kept)):
        if joined[number] >= end:
            return
        shift = kept[number].start - joined[number]
        yield Span(start=max(start, joined[number]) + shift, end=min(end, joined[number + 1]) + shift)


def _ceil_div(dividend: int, divisor: int) -> int:
    """Divide and round up."""
    return -(-dividend // divisor)
