"""A normalised copy of a text for searching, with a map back to the text itself.

Models change the typography of what they copy: curly marks become straight, dashes become hyphens, emphasis marks and
line breaks go. Comparing shadows forgives that, and the map turns what was found into offsets of the original.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.lexicon import UNSPACED
from service.core.types import Span

Offsets = NDArray[np.int32]

_SINGLE_QUOTES = "‘’‚‛‹›′‵ʹʼ`´"
_DOUBLE_QUOTES = "“”„‟«»″‶〝〞〟"
_DASHES = "‐‑‒–—―−"
_ZERO_WIDTH = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_VARIATION_SELECTORS = "".join(map(chr, range(0xFE00, 0xFE10)))
_TAGS = "".join(map(chr, range(0xE0000, 0xE0080)))
"""Not seen, and left out of prompts; a model cannot copy them."""
_UNSPACED = re.compile(f"[{UNSPACED}]")
_INNER_MARKS = "'’.,:"
_HELD_TOGETHER = re.compile(r"[nN]['’][tT](?!\w)|\d[.,:]\d")
_REMOVED = "*＊﹡\u061c" + _ZERO_WIDTH + _VARIATION_SELECTORS + _TAGS
_MARKS = str.maketrans(
    dict.fromkeys(_SINGLE_QUOTES, "'")
    | dict.fromkeys(_DOUBLE_QUOTES, '"')
    | dict.fromkeys(_DASHES, "-")
    | dict.fromkeys(_REMOVED, "")
)
_MOST_OCCURRENCES = 2_000
_MOST_INDEXED = 500
"""Where the rarest word of a needle stands more often, a search from end to end is no slower."""
_BETWEEN_SPACES = re.compile(r"(?<= )[A-Za-z0-9]+(?= )")
_AT_AN_END_TOO = re.compile(r"(?<![^ ])[A-Za-z0-9]+(?![^ ])")
_LONGEST_CLUSTER = 30
"""Combining marks taken with one base: the bound of the stream-safe format (UAX #15, section 13); sorting them is
quadratic, so a text of marks alone would not end."""
_LONGEST_EXPANSION = 6
"""Characters that one may become; U+FDFA would become 18, and the memory a text needs with it."""
_HANGUL_VOWELS_AND_TAILS = range(0x1160, 0x1200)


@dataclass(frozen=True, eq=False)
class Shadow:
    """A searchable copy: character `i` of `text` stands for `[starts[i], ends[i])` of the original."""

    text: str
    starts: Offsets
    ends: Offsets

    @cached_property
    def folded(self) -> str:
        """`text` without case, character for character, so that the same map serves it."""
        return fold(self.text)

    def original(self, start: int, end: int) -> Span:
        """Give the original span of the shadow's `[start:end]`, which is not empty; clusters are never cut."""
        return Span(start=int(self.starts[start]), end=int(self.ends[end - 1]))

    def position(self, offset: int) -> int:
        """Give the shadow position of the first character that starts at or after an original offset."""
        # As int32, or numpy would convert the whole map for each look-up.
        return int(self.starts.searchsorted(np.int32(offset)))


def shadow(text: str) -> Shadow:
    r"""Make the searchable copy of a text.

    Quotation marks and dashes become ASCII, `*` and zero-width characters go, white space runs become one space, the
    rest is NFKC (UAX #15) cluster by cluster: a base and its combining marks are normalised, and mapped, together.

    >>> made = shadow("titled *I See\n You*, is")
    >>> made.text
    'titled I See You, is'
    >>> made.original(7, 16)
    Span(start=8, end=18)
    """
    rules = _rules(text)
    even = text.translate(rules.one_to_one) if rules.one_to_one else text
    rewritten = cache(_rewrite)
    pieces: list[str] = []
    bounds: list[int] = []  # start and end in the original, length in the shadow: of a kept stretch, of a rewritten one
    kept_from = 0
    for match in _pattern(rules.lengthening, rules.combining, rules.removed).finditer(even):
        start, end = match.span()
        piece = rewritten(match.group())
        pieces += (even[kept_from:start], piece)
        bounds += (kept_from, start, start - kept_from, start, end, len(piece))
        kept_from = end
    pieces.append(even[kept_from:])
    bounds += (kept_from, len(text), len(text) - kept_from, len(text), len(text), 0)
    return _mapped("".join(pieces), np.array(bounds, dtype=np.int32).reshape(-1, 3))


def _mapped(text: str, segments: Offsets) -> Shadow:
    """Join kept stretches, which map one to one, and rewritten ones, each character of which maps to the whole."""
    begins, stops, lengths = segments.T
    offsets = np.arange(len(text), dtype=np.int32)
    offsets -= np.repeat((np.cumsum(lengths) - lengths).astype(np.int32), lengths)
    in_kept = np.repeat(np.arange(len(segments)) % 2 == 0, lengths)
    offsets *= in_kept
    starts = np.repeat(begins, lengths) + offsets
    ends = np.where(in_kept, starts + np.int32(1), np.repeat(stops, lengths))
    starts.flags.writeable = ends.flags.writeable = False
    return Shadow(text=text, starts=starts, ends=ends)


class _Rules(NamedTuple):
    """How the characters of one text are rewritten; most texts need few rules."""

    one_to_one: dict[int, str]
    lengthening: str
    """Characters that become several."""
    combining: str
    """Characters that may join the one before."""
    removed: str
    """Characters that go."""


def _rules(text: str) -> _Rules:
    """Look at each different character of a text once."""
    every = set(text)
    removed = every.intersection(_REMOVED)
    distinct = every - removed
    combining = {char for char in distinct if not char.isascii() and _combines(char)}
    changed = {char: new for char in distinct - combining if (new := _rewrite(char)) != char}
    return _Rules(
        one_to_one={ord(char): new for char, new in changed.items() if len(new) == 1},
        lengthening="".join(sorted(char for char, new in changed.items() if len(new) > 1)),
        combining="".join(sorted(combining)),
        removed="".join(sorted(removed)),
    )


def _combines(char: str) -> bool:
    """Say whether NFKC may join a character to the one before: marks, Hangul vowels and tails, half-width forms."""
    first = unicodedata.normalize("NFKD", char)[0]
    return unicodedata.category(first)[0] == "M" or ord(first) in _HANGUL_VOWELS_AND_TAILS


@lru_cache(maxsize=64)
def _pattern(lengthening: str, combining: str, removed: str) -> re.Pattern[str]:
    """Match what changes the length: white space but a single " ", removed marks, clusters, the characters given."""
    # Only the marks that there are: the class of all of them takes ten times as long as everything else.
    removed = re.escape(removed)
    options = [rf" [ {removed}]+"]
    if removed:
        options.append(rf"[{removed}][ {removed}]*")
    if combining:
        marks = f"[{re.escape(combining)}]{{1,{_LONGEST_CLUSTER}}}"
        options += [rf"[^ {removed}]{marks}", marks]
    if lengthening:
        options.append(f"[{re.escape(lengthening)}]")
    return re.compile("|".join(options))


def _rewrite(piece: str) -> str:
    """Give the shadow of a white space run, a mark or a cluster."""
    if piece[0].isspace() or piece[0] in _REMOVED:
        return " " if any(map(str.isspace, piece)) else ""
    if unicodedata.decomposition(piece[0]).startswith(("<super>", "<sub>", "<fraction>")):
        return piece  # as a plain figure it would say something else: 10⁵ is not 105, 1½ not 11/2
    new = unicodedata.normalize("NFKC", piece.translate(_MARKS)).translate(_MARKS)
    return new if len(new) <= _LONGEST_EXPANSION * len(piece) else piece


def fold(text: str) -> str:
    """Fold case, keeping the length: a character whose folding is longer is lowered, or stays.

    >>> fold("Die STRAẞE")
    'die straße'
    """
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return text.translate({ord(char): _fold_one(char) for char in set(text)})


def _fold_one(char: str) -> str:
    return next(form for form in (char.casefold(), char.lower(), char) if len(form) == 1)


def occurrences(haystack: str, needle: str, start: int, stop: int) -> Iterator[int]:
    """Give where a needle stands as whole words in `[start:stop]`; a bounded number of places is looked at."""
    at = start - 1
    for _ in range(_MOST_OCCURRENCES):
        at = haystack.find(needle, at + 1, stop)
        if at == -1:
            return
        if not (is_inside_word(haystack, at) or is_inside_word(haystack, at + len(needle))):
            yield at


def indexed_occurrences(
    haystack: str, needle: str, words: Mapping[str, Sequence[int]], starts: Offsets | None
) -> Iterator[int]:
    """Say where a needle stands as whole words in all of a text or its shadow, without a search from end to end.

    Args:
        haystack: a text, or its shadow, folded or not.
        needle: what is looked for.
        words: each word of the folded shadow, with the positions where it begins.
        starts: of the shadow, where the haystack is the text itself.

    """
    # An ASCII word between two spaces is the same in a text and in its shadow, whatever stands around the needle. At an
    # end of it a text may have a zero-width mark, without which the shadow joins two words.
    whole = _AT_AN_END_TOO if starts is None else _BETWEEN_SPACES
    placed = [(words.get(word[0].lower(), ()), word.start()) for word in whole.finditer(needle)]
    positions, offset = min(placed, key=lambda one: len(one[0]), default=((), 0))
    if not placed or len(positions) > _MOST_INDEXED:
        yield from occurrences(haystack, needle, 0, len(haystack))
        return
    for position in positions:
        at = (position if starts is None else int(starts[position])) - offset
        if at >= 0 and haystack.startswith(needle, at):
            yield from occurrences(haystack, needle, at, at + len(needle))


def is_inside_word(text: str, at: int) -> bool:
    """Say whether a cut before `text[at]` divides a word or a number, or takes the n't off a verb."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    if _is_wordlike(left) and _is_wordlike(right):
        return not (_UNSPACED.match(left) or _UNSPACED.match(right))
    if left not in _INNER_MARKS and right not in _INNER_MARKS:
        return False
    return bool(_HELD_TOGETHER.match(text, at - 1) or (at > 1 and _HELD_TOGETHER.match(text, at - 2)))


def _is_wordlike(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"
