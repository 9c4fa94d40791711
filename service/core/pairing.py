"""Which key points of two summaries are one claim, whichever of the two comes first."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from service.core import alignment, references
from service.core.alignment import EVIDENCE_LEAST, TEXT_LEAST, By, Claim, Flags, Matrix
from service.core.lexicon import content, is_english
from service.core.text import stems
from service.core.types import KeyPoint, SummaryResult, Value

APART_LEAST = 0.5
"""Text score from which on claims that cite nothing in common are one."""
CROSSED_LEAST = 0.5
"""Text score that two pairs have to gain together to be exchanged."""
WITHIN_CITED, WITHIN_WORDS = 0.8, 0.75
"""How much of what a claim cites, and of its words, a claim of the other summary holds that says it too."""

_NOWHERE = (10**9, 0)


class Pair(Value, frozen=True, kw_only=True):
    """Two claims that are one, by their positions."""

    a: int
    b: int
    by: By
    score: float


def pairs(a: SummaryResult, b: SummaryResult) -> list[Pair]:
    """Pairs of key points that are one claim, in the order of `a`.

    They are those of `alignment.align`, one to one, where the words of the shorter summary are looked for in the
    longer, with three corrections. Two pairs whose claims are much more alike crosswise are exchanged: a sentence of a
    source may hold two claims. Claims that cite nothing in common need a higher score: summaries of one text that say
    one thing seldom cite two places for it. And a claim that is left over is paired with a longer one of the other
    summary that holds most of its words and of what it cites: it is said there, though not by itself.

    Raises:
        InvalidRequest: a claim cites what is no place in its documents.
    """
    if _rank(b) < _rank(a):
        return _sorted(map(_turned, pairs(b, a)))
    at = positions(a, b)
    ours, theirs = (
        [
            Claim(id=str(n), text=point.text, spans=references.cited(point.evidence, places))
            for n, point in enumerate(result.key_points)
        ]
        for result, places in zip((a, b), at, strict=True)
    )
    spoken = {language(result) for result in (a, b)}
    own = spoken.pop() if len(spoken) == 1 else None
    evidence, texts = alignment.evidence_overlap(ours, theirs), alignment.text_scores(ours, theirs, own)
    cited = evidence >= EVIDENCE_LEAST
    may_be: Flags = cited | (texts >= np.where(evidence > 0, TEXT_LEAST, APART_LEAST))
    aligned = [(int(pair.a), int(pair.b)) for pair in alignment.align(ours, theirs, own).pairs]
    found = [
        Pair(
            a=row,
            b=column,
            by="evidence" if cited[row, column] else "text",
            score=float((evidence if cited[row, column] else texts)[row, column]),
        )
        for row, column in _uncrossed(aligned, texts, may_be)
        if may_be[row, column]
    ]
    held = _within(ours, theirs, {pair.a for pair in found}, own)
    holding = map(_turned, _within(theirs, ours, {pair.b for pair in found}, own))
    return _sorted((*found, *held, *holding))


def _turned(pair: Pair) -> Pair:
    return Pair(a=pair.b, b=pair.a, by=pair.by, score=pair.score)


def _sorted(found: Iterable[Pair]) -> list[Pair]:
    return sorted(found, key=lambda pair: (pair.a, pair.b))


def _within(ours: Sequence[Claim], theirs: Sequence[Claim], paired: set[int], language: str | None) -> list[Pair]:
    """Claims without a counterpart of their own, each with the longer claim of the other summary that holds it."""
    left = [n for n in range(len(ours)) if n not in paired]
    alone = [ours[n] for n in left]
    shares = (
        alignment.shared_characters(alone, theirs) / np.maximum(alignment.cited_characters(alone), 1)[:, np.newaxis]
    )
    found: list[Pair] = []
    for n, row in zip(left, shares, strict=True):
        words = _words(ours[n].text, language)
        held = [
            (len(words & _words(theirs[at].text, language)), -at) for at in np.flatnonzero(row >= WITHIN_CITED).tolist()
        ]
        most, place = max(held, default=(0, 0))
        if most and most >= WITHIN_WORDS * len(words):
            found.append(Pair(a=n, b=-place, by="evidence", score=float(row[-place])))
    return found


def _words(text: str, language: str | None) -> set[str]:
    return set(content(text) if language == "en" else stems(text, language))


def _rank(result: SummaryResult) -> tuple[int, list[tuple[str, list[tuple[str, int, int]]]]]:
    """By how much it says, then by what it says and cites: equal only where both are."""
    digests = {facts.id: facts.sha256 for facts in result.documents}
    claims = [
        (point.text, [(digests.get(one.document, ""), one.start, one.end) for one in point.evidence])
        for point in result.key_points
    ]
    return sum(len(text) for text, _ in claims), claims


def positions(*results: SummaryResult) -> list[Mapping[str, int]]:
    """For each summary, its documents by their ids there, numbered by their digests over all of the summaries."""
    number: dict[str, int] = {}
    return [
        {facts.id: number.setdefault(facts.sha256, len(number)) for facts in result.documents} for result in results
    ]


def places(*results: SummaryResult) -> list[list[tuple[int, int]]]:
    """Where each claim begins in the sources, as document and offset, by summary; one that cites nothing is last.

    Raises:
        InvalidRequest: a claim cites what is no place in its documents.
    """
    return [
        [
            min(((place.document, place.start) for place in references.cited(point.evidence, at)), default=_NOWHERE)
            for point in result.key_points
        ]
        for result, at in zip(results, positions(*results), strict=True)
    ]


def language(result: SummaryResult) -> str | None:
    """Of a summary's words: the one asked for, else that of its documents; None where these differ."""
    languages = {facts.language or "en" for facts in result.documents}
    return result.manifest.parameters.language or (languages.pop() if len(languages) == 1 else None)


def in_english(point: KeyPoint, result: SummaryResult) -> bool:
    """Whether the word lists can be asked about a claim: by the language asked for, else by that of what it cites."""
    if asked := result.manifest.parameters.language:
        return asked == "en"
    languages = {facts.id: facts.language for facts in result.documents}
    cited = {languages.get(one.document) for one in point.evidence}
    return cited <= {"en", None} and (cited == {"en"} or is_english(point.text))


def _uncrossed(aligned: Sequence[tuple[int, int]], texts: Matrix, may_be: Flags) -> list[tuple[int, int]]:
    """Pairs, those exchanged that are more alike crosswise, the greatest gain first. Each one gains, so it ends.

    A claim without a counterpart is paired with nothing, which is like nothing: it may take another's place.
    """
    paired = {row for row, _ in aligned}, {column for _, column in aligned}
    alone = [[n for n in range(length) if n not in side] for length, side in zip(texts.shape, paired, strict=True)]
    # The last row and column, which -1 stands for, are those of nothing.
    rows = [*(row for row, _ in aligned), *alone[0], *[-1] * len(alone[1])]
    columns = [*(column for _, column in aligned), *[-1] * len(alone[0]), *alone[1]]
    scores = np.pad(texts, (0, 1))[np.ix_(rows, columns)]
    fits = np.pad(may_be, (0, 1), constant_values=True)[np.ix_(rows, columns)]
    while scores.size:
        own = np.diagonal(scores)
        gains = np.where(fits & fits.T, scores + scores.T - own - own[:, np.newaxis], 0.0)
        one, other = map(int, np.unravel_index(int(np.argmax(gains)), gains.shape))
        if gains[one, other] < CROSSED_LEAST:
            break
        columns[one], columns[other] = columns[other], columns[one]
        scores[:, [one, other]], fits[:, [one, other]] = scores[:, [other, one]], fits[:, [other, one]]
    return [(row, column) for row, column in zip(rows, columns, strict=True) if row >= 0 and column >= 0]
