"""Two wordings side by side: sentences aligned first, then their words; and the numbers and dates of two summaries."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from rapidfuzz.distance import Indel

from service.core import dated, pairing, stated
from service.core.alignment import TEXT_LEAST, Claim, Matrix, text_scores
from service.core.types import KeyPoint, SummaryResult, Value

_TOKEN = re.compile(r"\w+(?:['’.,-]\w+)*|\s+|[^\w\s]")
"""Every character belongs to one."""
_WORD = re.compile(r"\w")
_EQUAL = 2.0
"""Score of sentences that are the same: they are aligned before others are."""
_MOST_PAIRS = 4_000_000
"""Of sentences that are scored; of more, only those that are the same are aligned."""
_MOST_WORDS = 400_000_000
"""Of words times words of two sentences that are held against each other; of more, both come out whole."""


class WordRun(Value, frozen=True, kw_only=True):
    """Words that both sentences have, or only the first, or only the second, with the white space among them."""

    kind: Literal["same", "removed", "added"]
    text: str


class LineDiff(Value, frozen=True, kw_only=True):
    """Two sentences that are one, or one that has no counterpart.

    Same and removed runs give the first to the letter, same and added ones the second.
    """

    a: str | None
    b: str | None
    runs: tuple[WordRun, ...]


class FigureRow(Value, frozen=True, kw_only=True):
    """A number or a date, and the key points of two summaries that hold it."""

    kind: Literal["number", "date"]
    shown: str
    """As the first of them writes it."""
    a: tuple[str, ...]
    b: tuple[str, ...]


# --- words -----------------------------------------------------------------------------------------------------------


def lines_diff(a: Sequence[str], b: Sequence[str], language: str | None = "en") -> tuple[LineDiff, ...]:
    """The sentences of two texts in order, aligned by their words, and what differs within them, word by word.

    Aligned are, one to one and in order, those whose scores add up to most: the mean of both text scores, at least
    `TEXT_LEAST`. A sentence that moved comes out as removed and added.

    >>> [line] = lines_diff(["Kelly flew for 340 days."], ["Kelly flew for 430 days."])
    >>> [(run.kind, run.text) for run in line.runs]
    [('same', 'Kelly flew for '), ('removed', '340'), ('added', '430'), ('same', ' days.')]
    """
    found: list[LineDiff] = []
    at, to = 0, 0
    for row, column in (*_aligned(a, b, language), (len(a), len(b))):
        found += (LineDiff(a=line, b=None, runs=_runs(line, "removed")) for line in a[at:row])
        found += (LineDiff(a=None, b=line, runs=_runs(line, "added")) for line in b[to:column])
        if row < len(a):
            found.append(LineDiff(a=a[row], b=b[column], runs=word_diff(a[row], b[column])))
        at, to = row + 1, column + 1
    return tuple(found)


def _runs(text: str, kind: Literal["same", "removed", "added"]) -> tuple[WordRun, ...]:
    return (WordRun(kind=kind, text=text),) if text else ()


def _aligned(a: Sequence[str], b: Sequence[str], language: str | None) -> list[tuple[int, int]]:
    """Positions of sentences that are one, both in order."""
    numbers: dict[str, int] = {}
    ours, theirs = ([numbers.setdefault(line, len(numbers)) for line in lines] for lines in (a, b))
    if len(a) * len(b) > _MOST_PAIRS:
        blocks = Indel.opcodes(ours, theirs)
        return [
            (op.src_start + n, op.dest_start + n)
            for op in blocks
            if op.tag == "equal"
            for n in range(op.src_end - op.src_start)
        ]
    some, others = ([Claim(id="", text=line, spans=()) for line in lines] for lines in (a, b))
    scores = (text_scores(some, others, language) + text_scores(others, some, language).T) / 2
    scores = np.where(scores >= TEXT_LEAST, scores, 0.0)
    same = np.array(ours, np.int64)[:, np.newaxis] == np.array(theirs, np.int64)
    return _heaviest(np.where(same, _EQUAL, scores))


def _heaviest(scores: Matrix) -> list[tuple[int, int]]:
    """Cells of which each is below and right of the one before, of the greatest sum; in time rows times columns."""
    best = np.zeros((scores.shape[0] + 1, scores.shape[1] + 1))
    for row, own in enumerate(scores, 1):
        taken = np.where(own > 0, best[row - 1, :-1] + own, 0.0)
        best[row, 1:] = np.maximum.accumulate(np.maximum(best[row - 1, 1:], taken))
    found: list[tuple[int, int]] = []
    row, column = scores.shape
    while row and column:
        if best[row, column] == best[row - 1, column]:
            row -= 1
        elif best[row, column] == best[row, column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            found.append((row, column))
    return found[::-1]


def word_diff(a: str, b: str) -> tuple[WordRun, ...]:
    """What of two sentences is the same and what is not, in whole words; the runs give both back to the letter.

    White space and punctuation between two changes belong to them, so that a rewritten phrase stays in one piece.

    >>> [(run.kind, run.text) for run in word_diff("It was late.", "It was very late!")]
    [('same', 'It was '), ('added', 'very '), ('same', 'late'), ('removed', '.'), ('added', '!')]
    """
    ours, theirs = _TOKEN.findall(a), _TOKEN.findall(b)
    numbers: dict[str, int] = {}
    left, right = ([numbers.setdefault(token, len(numbers)) for token in tokens] for tokens in (ours, theirs))
    if len(left) * len(right) > _MOST_WORDS:
        return _runs(a, "same") if a == b else (*_runs(a, "removed"), *_runs(b, "added"))
    parts: list[tuple[str, str, str]] = [("", "", "")]
    for op in Indel.opcodes(left, right):
        removed, added = "".join(ours[op.src_start : op.src_end]), "".join(theirs[op.dest_start : op.dest_end])
        if op.tag == "equal":
            parts.append((removed, "", ""))
        elif parts[-1][0]:
            parts.append(("", removed, added))
        else:
            parts[-1] = ("", parts[-1][1] + removed, parts[-1][2] + added)
    runs = (
        run
        for same, removed, added in _folded(parts)
        for run in (*_runs(same, "same"), *_runs(removed, "removed"), *_runs(added, "added"))
    )
    return tuple(runs)


def _folded(parts: Sequence[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """What is the same, removed and added, in turns; what is no word between two changes goes with them."""
    held = ("", "", "")
    for at, part in enumerate(parts):
        following = parts[at + 1] if at + 1 < len(parts) else ("", "", "")
        both = [bool(_WORD.search(held[side] + following[side])) for side in (1, 2)]
        if part[0] and not _WORD.search(part[0]) and held[1] + held[2] and following[1] + following[2] and all(both):
            held = ("", held[1] + part[0], held[2] + part[0])
        elif part[0]:
            yield held
            yield part
            held = ("", "", "")
        else:
            held = ("", held[1] + part[1], held[2] + part[2])
    yield held


# --- numbers and dates -----------------------------------------------------------------------------------------------

_Kind = Literal["number", "date"]


def figures(a: SummaryResult, b: SummaryResult) -> tuple[FigureRow, ...]:
    """The numbers and dates of the key points of two summaries, each once, in the order of the source.

    Numbers are one by their value, however they are written, and in the same unit; dates are by what they say. That
    something is the first is no number here.

    Raises:
        InvalidRequest: a claim cites what is no place in its documents.
    """
    told: dict[tuple[_Kind, str], tuple[str, tuple[dict[str, None], dict[str, None]]]] = {}
    places = pairing.places(a, b)
    order = sorted((place, of, at) for of in (0, 1) for at, place in enumerate(places[of]))
    for _, side, n in order:
        result = (a, b)[side]
        point = result.key_points[n]
        for kind, key, shown in _stated(point, english=pairing.in_english(point, result)):
            told.setdefault((kind, key), (shown, ({}, {})))[1][side][point.id] = None
    return tuple(
        FigureRow(kind=kind, shown=shown, a=tuple(ids[0]), b=tuple(ids[1])) for (kind, _), (shown, ids) in told.items()
    )


def _stated(point: KeyPoint, *, english: bool) -> list[tuple[_Kind, str, str]]:
    """The numbers and dates of a claim as it has them, each with what makes it the same as another."""
    found: list[tuple[int, _Kind, str, str]] = []
    for figure in stated.numbers(point.text, point.numbers, english=english):
        if not figure.ordinal or any(map(str.isdigit, figure.shown)):
            value = max(figure.values, key=lambda digits: (bool(figure.currency) * len(digits), digits))
            key = f"{figure.currency or ''}{value} {stated.unit(figure)} {figure.ordinal}"
            found.append((figure.at, "number", key, stated.as_written(point.text, figure)))
    for day in dated.days(point.text, point.dates, english=english):
        parts = sorted((day.parts or day.meant).items())
        found.append((day.at, "date", str(parts) if parts else day.shown.casefold(), day.shown))
    return [(kind, key, shown) for _, kind, key, shown in sorted(found, key=lambda one: one[0])]
