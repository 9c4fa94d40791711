"""Which claims of two lists are the same, by what they cite and else by their words. No judge.

Two versions of a summary are compared by it, and a summary with a reference or its sources.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.core.spans import length, united
from service.core.text import stems
from service.core.types import Value

EVIDENCE_LEAST = 0.5
SPAN_LEAST = 0.5
"""Of one span, how much a claim has to cite so as to cover what rests on it."""
TEXT_LEAST = 0.25
_DECIMALS = 9
"""Scores are rounded so: a tie is one on every machine, in whatever order its sums were taken."""

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]
By = Literal["evidence", "text"]


class Place(Value, frozen=True, kw_only=True):
    """A stretch that a claim cites; `document` is a position among the documents compared, from 0.

    A position, as two summaries may know one document by different ids.
    """

    document: int
    start: int
    end: int


class Claim(Value, frozen=True, kw_only=True):
    """What is compared: a statement and the stretches it rests on."""

    id: str
    text: str
    spans: tuple[Place, ...]


Sides = Sequence[tuple[Place, ...]]
"""Of a conflict: what each of the statements rests on that cannot both hold."""


class Pair(Value, frozen=True, kw_only=True):
    """Two claims, by their ids, that are one."""

    a: str
    b: str
    by: By
    score: float


class Alignment(Value, frozen=True, kw_only=True):
    """What of two lists is the same, and what only one of them has."""

    pairs: tuple[Pair, ...]
    """In the order of the first list."""
    a_only: tuple[str, ...]
    b_only: tuple[str, ...]


def align(a: Sequence[Claim], b: Sequence[Claim], language: str | None = "en") -> Alignment:
    """Pair claims one to one: those with the same evidence first, then, of what is left, those with alike words.

    Greedily by score; ties by order in the source, and where the very same place is cited, by words.

    >>> one = Claim(id="k1", text="It flew.", spans=(Place(document=0, start=0, end=20),))
    >>> same = Claim(id="k7", text="There was a flight.", spans=(Place(document=0, start=0, end=25),))
    >>> [(pair.a, pair.b, pair.by, pair.score) for pair in align([one], [same]).pairs]
    [('k1', 'k7', 'evidence', 0.8)]
    """
    evidence, texts = evidence_overlap(a, b), text_scores(a, b, language)
    a_order, b_order = _order(a), _order(b)
    partner: dict[int, tuple[int, By, float]] = {}
    taken: set[int] = set()
    found: tuple[tuple[By, Matrix, float], ...] = (("evidence", evidence, EVIDENCE_LEAST), ("text", texts, TEXT_LEAST))
    for by, scores, least in found:
        rows, columns = np.nonzero(scores >= least)
        keys = (columns, rows, -texts[rows, columns], b_order[columns], a_order[rows], -scores[rows, columns])
        best = np.lexsort(keys)
        for row, column in zip(rows[best].tolist(), columns[best].tolist(), strict=True):
            if row not in partner and column not in taken:
                partner[row] = (column, by, float(scores[row, column]))
                taken.add(column)
    return Alignment(
        pairs=tuple(
            Pair(a=a[row].id, b=b[column].id, by=by, score=score)
            for row, (column, by, score) in sorted(partner.items())
        ),
        a_only=tuple(claim.id for row, claim in enumerate(a) if row not in partner),
        b_only=tuple(claim.id for column, claim in enumerate(b) if column not in taken),
    )


def _order(claims: Sequence[Claim]) -> NDArray[np.int64]:
    """The rank of each claim in the source; claims that begin at one place share theirs, those without one are last."""
    firsts = [min(((span.document, span.start) for span in claim.spans), default=None) for claim in claims]
    ranks = {first: rank for rank, first in enumerate(sorted({first for first in firsts if first}))}
    return np.array([ranks[first] if first else len(ranks) for first in firsts], np.int64)


# --- evidence --------------------------------------------------------------------------------------------------------


def evidence_overlap(a: Sequence[Claim], b: Sequence[Claim]) -> Matrix:
    """Characters that both of two claims cite, as a share of those that either does; shape (a, b), in [0, 1].

    >>> one = Claim(id="a", text="", spans=(Place(document=0, start=0, end=10),))
    >>> half = Claim(id="b", text="", spans=(Place(document=0, start=0, end=5), Place(document=0, start=2, end=5)))
    >>> evidence_overlap([one], [half, one]).tolist()
    [[0.5, 1.0]]
    """
    shared = shared_characters(a, b)
    either = cited_characters(a)[:, np.newaxis] + cited_characters(b) - shared
    return np.round(shared / np.maximum(either, 1.0), _DECIMALS)


def cited_characters(claims: Sequence[Claim]) -> Matrix:
    """How many characters each claim cites, none counted twice."""
    return np.array([length(_united(claim)) for claim in claims], np.float64)


def shared_characters(a: Sequence[Claim], b: Sequence[Claim]) -> Matrix:
    """How many characters each claim of `a` cites that each of `b` cites too; shape (a, b)."""
    cited = _by_document(b)
    found = np.zeros((len(a), len(b)))
    for row, claim in enumerate(a):
        for document, start, end in _united(claim):
            if others := cited.get(document):
                found[row] += others.within(start, end, len(b))
    return found


class _Cited(Value, frozen=True, kw_only=True):
    """The stretches of one document that claims cite, by where they start."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    reach: NDArray[np.int64]
    """The furthest end of any stretch up to here."""
    owners: NDArray[np.int64]

    def within(self, start: int, end: int, claims: int) -> Matrix:
        """How many characters of a stretch each of so many claims cites."""
        first = int(np.searchsorted(self.reach, start, side="right"))
        last = max(first, int(np.searchsorted(self.starts, end, side="left")))
        ends, starts = np.minimum(self.ends[first:last], end), np.maximum(self.starts[first:last], start)
        shared = np.maximum(ends - starts, 0).astype(np.float64)
        return np.bincount(self.owners[first:last], shared, claims).astype(np.float64)


def _by_document(claims: Sequence[Claim]) -> Mapping[int, _Cited]:
    every = sorted((*span, owner) for owner, claim in enumerate(claims) for span in _united(claim))
    found: dict[int, _Cited] = {}
    for document, group in groupby(every, key=itemgetter(0)):
        _, starts, ends, owners = np.array(tuple(zip(*group, strict=True)), np.int64)
        found[document] = _Cited(starts=starts, ends=ends, reach=np.maximum.accumulate(ends), owners=owners)
    return found


def _united(claim: Claim) -> tuple[tuple[int, int, int], ...]:
    """What a claim cites, as document, start and end."""
    return united((span.document, span.start, span.end) for span in claim.spans)


def cites(a: Sequence[Claim], b: Sequence[Claim]) -> Flags:
    """Whether each of `b` cites what each of `a` rests on; shape (a, b).

    It does where it cites half or more of one span, or where the overlap of all that both cite is half or more. One
    claim may so cover several, and be covered by several.
    """
    spans = [(row, Claim(id=claim.id, text="", spans=(span,))) for row, claim in enumerate(a) for span in claim.spans]
    alone = [claim for _, claim in spans]
    shared = shared_characters(alone, b)
    found = evidence_overlap(a, b) >= EVIDENCE_LEAST
    held = (shared > 0) & (shared >= SPAN_LEAST * cited_characters(alone)[:, np.newaxis])
    np.logical_or.at(found, np.array([row for row, _ in spans], np.int64), held)
    return found


def meetings(a: Sequence[Sides], b: Sequence[Sides]) -> Flags:
    """Whether two sides of one conflict overlap two of another, each its own, either way round; shape (a, b).

    >>> here, there = ((Place(document=0, start=at, end=at + 9),) for at in (0, 50))
    >>> meetings([(here, there)], [(there, here), (here, here)]).tolist()
    [[True, False]]
    """
    sides = [Claim(id="", text="", spans=side) for conflict in (*a, *b) for side in conflict]
    overlap = shared_characters(sides, sides) > 0
    borders = np.cumsum([0, *map(len, (*a, *b))])
    rows = [slice(*pair) for pair in pairwise(borders.tolist())]
    meet = [_two_apart(overlap[mine, theirs]) for mine in rows[: len(a)] for theirs in rows[len(a) :]]
    return np.array(meet, np.bool_).reshape(len(a), len(b))


def _two_apart(overlap: Flags) -> bool:
    """Whether two cells hold that share no row and no column: if not, one line covers all that hold (Kőnig)."""
    return int(overlap.any(axis=0).sum()) > 1 and int(overlap.any(axis=1).sum()) > 1


# --- words -----------------------------------------------------------------------------------------------------------


def text_scores(a: Sequence[Claim], b: Sequence[Claim], language: str | None = "en") -> Matrix:
    """How much of what each claim of `a` says each of `b` says, by stems; shape (a, b), in [0, 1].

    Half is the recall of the stems of `a` in `b`, weighted by idf, and half the tf-idf cosine. The idf is smoothed,
    ln((1 + n) / (1 + df)) + 1, and taken from the claims compared and from nothing else.

    >>> one, other = (Claim(id=text, text=text, spans=()) for text in ("Kelly flew twice.", "He was born in Rome."))
    >>> text_scores([one], [one, other]).tolist()
    [[1.0, 0.0]]
    """
    rows, columns = ([Counter(stems(claim.text, language)) for claim in claims] for claims in (a, b))
    seen = Counter(stem for counts in (*rows, *columns) for stem in counts)
    idf = {stem: float(np.log((1 + len(a) + len(b)) / (1 + times)) + 1.0) for stem, times in seen.items()}
    # Only stems of both sides can meet: the others count in the lengths alone, and need no column.
    shared = set().union(*rows) & set().union(*columns)
    place = {stem: at for at, stem in enumerate(stem for stem in idf if stem in shared)}
    a_weights, b_weights = _weights(rows, idf, place), _weights(columns, idf, place)
    lengths = np.outer(_lengths(rows, idf), _lengths(columns, idf))
    cosine = a_weights @ b_weights.T / np.where(lengths > 0, lengths, 1.0)
    weight = np.array([idf[stem] for stem in place])
    every = np.array([sum(idf[stem] for stem in counts) for counts in rows])
    recall = ((a_weights > 0) * weight) @ (b_weights > 0).T / np.where(every > 0, every, 1.0)[:, np.newaxis]
    scores: Matrix = np.clip(np.round((recall + cosine) / 2, _DECIMALS), 0.0, 1.0)
    return scores


def _weights(claims: Sequence[Counter[str]], idf: Mapping[str, float], place: Mapping[str, int]) -> Matrix:
    found = np.zeros((len(claims), len(place)))
    for row, counts in enumerate(claims):
        for stem, times in counts.items():
            if stem in place:
                found[row, place[stem]] = times * idf[stem]
    return found


def _lengths(claims: Sequence[Counter[str]], idf: Mapping[str, float]) -> Matrix:
    squares = [sum((times * idf[stem]) ** 2 for stem, times in counts.items()) for counts in claims]
    return np.sqrt(np.array(squares, np.float64))
