"""What can be measured of a summary, by itself and against a reference: counted by rules, no judge asked.

What has no material (no numbers, no conflicts, no reference) is None: never 0, and never 1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, compress, repeat

import numpy as np

from service.core import alignment, copying, cues, references
from service.core.alignment import By, Claim, Place
from service.core.references import MustNot, Reference, ReferenceFact
from service.core.types import Evidence, Importance, KeyPoint, SummaryResult, Usage, Value

METRICS_VERSION = "1"

_THIRDS = 3

# --- what comes out --------------------------------------------------------------------------------------------------


class Share(Value, frozen=True, kw_only=True):
    """So many of so many: with few of them, the counts say more than the value."""

    value: float
    count: int
    of: int


class Metrics(Value, frozen=True, kw_only=True):
    """Each metric of one summary, of METRICS_VERSION."""

    quote_validity: Share | None
    """Quotes located exact, normalised or by ellipsis, of all that the engine gave; before anything was repaired."""
    cited_points: Share | None
    """Points not dropped, of all that the engine gave: each has a located quote and no blocking check; after repair."""
    must_recall: Share | None
    """Must facts that a point covers, by evidence or by words. One point may cover several, several may cover one."""
    must_cited: Share | None
    """Must facts that a point covers by evidence alone."""
    hedge_drop: Share | None
    """Points that assert or confirm without a hedge of their own, of those whose every quote hedges."""
    conflict_recall: Share | None
    """Distinct conflicts of the reference of which one conflict of the summary cites both sides, either way round."""
    conflict_precision: Share | None
    """Conflicts of the summary that are in the reference, of all in it: low, too, where the reference is short."""
    conflicts_found: int
    masked_leak: Share | None
    """Pieces of evidence that reach into a masked span."""
    middle_share: float | None
    """Share of the evidence that begins in the middle third of its document, by one third: 1 where it is even."""
    numbers_exact: Share | None
    """Numbers in the words of key points whose value occurs in the point's own quotes; dates are not among them."""
    coverage: Share | None
    """Body sentences that evidence overlaps."""
    claims_per_100_words: float | None
    """Key points that no check finds fault with, for 100 words of key points."""
    words: int
    """Of the abstract."""
    compression: float | None
    """Words of the sources, outside masked spans, for each of the abstract. Context, never a score, as the next two."""
    novel_bigrams: Share | None
    """Pairs of adjacent words in the abstract's sentences that no source has; needs the texts."""
    fragment_density: float | None
    """Mean length, by word, of the stretch copied from a source (Grusky et al. 2018, Newsroom); needs the texts."""


class Operations(Value, frozen=True, kw_only=True):
    """What it took, and what became of the points."""

    usage: Usage
    points_given: int
    points_kept: int
    merged_away: int
    repaired: int
    flagged: int
    dropped: dict[str, int]
    """By reason, of every part of the summary."""
    truncated: int = 0
    """Caveats that say an endpoint read less than it was sent."""


class FactFound(Value, frozen=True, kw_only=True):
    """A fact of the reference, and the key points that cover it."""

    id: str
    text: str
    importance: Importance
    by: By | None
    """None where no point covers it."""
    key_points: tuple[str, ...]
    text_score: float
    """The best that any point reaches."""


class ConflictFound(Value, frozen=True, kw_only=True):
    """A distinct conflict of the reference, and the summary's conflicts that are the same."""

    ids: tuple[str, ...]
    """In the reference: several readers may list it."""
    kind: str
    note: str
    """Of the first reader."""
    found: tuple[str, ...]


class Evaluation(Value, frozen=True, kw_only=True):
    """A summary, measured."""

    metrics_version: str
    metrics: Metrics
    operations: Operations
    facts: tuple[FactFound, ...]
    conflicts: tuple[ConflictFound, ...]
    other_conflicts: tuple[str, ...]
    """Of the summary, that the reference does not have; empty without a reference."""
    must_not: tuple[MustNot, ...]


def evaluate(
    result: SummaryResult, reference: Reference | None = None, texts: Mapping[str, str] | None = None
) -> Evaluation:
    """Measure a summary.

    Args:
        result: the summary.
        reference: of the same documents, matched by their digests.
        texts: of the documents by their ids in the summary, where they are at hand.

    Raises:
        InvalidRequest: the reference is of other documents, or something cites what is none.

    """
    facts = _facts(result, reference) if reference else ()
    conflicts = _conflicts(result, reference) if reference else ()
    known = {name for conflict in conflicts for name in conflict.found}
    musts = [fact for fact in facts if fact.importance == "must"]
    quotes = [place for point in result.key_points for place in point.evidence]
    checked = result.verification
    coverage = result.coverage.documents
    located = checked.exact + checked.normalised + checked.ellipsis
    middle, begun = sum(one.thirds[1] for one in coverage), sum(sum(one.thirds) for one in coverage)
    abstract = result.length.abstract_words
    supported = sum(point.verdict == "verified" for point in result.key_points)
    english = english_points(result)
    hedged = [point for point in english if all(cues.hedges(place.quote) for place in point.evidence)]
    lines = [line.text for line in result.abstract]
    bigrams = copying.novel_bigrams(lines, texts.values()) if texts else []
    numbers = [held for point in english for held in numbers_held(point)]
    return Evaluation(
        metrics_version=METRICS_VERSION,
        metrics=Metrics(
            quote_validity=_share(located, checked.quotes_given),
            cited_points=_share(max(0, checked.points_given - len(checked.lost_points)), checked.points_given),
            must_recall=_share(sum(fact.by is not None for fact in musts), len(musts)),
            must_cited=_share(sum(fact.by == "evidence" for fact in musts), len(musts)),
            hedge_drop=_share(sum(map(_asserts, hedged)), len(hedged)),
            conflict_recall=_share(sum(bool(conflict.found) for conflict in conflicts), len(conflicts)),
            conflict_precision=_share(len(known), len(result.conflicts)) if reference else None,
            conflicts_found=len(result.conflicts),
            masked_leak=_share(_leaks(result, quotes), len(quotes)),
            middle_share=middle / begun * _THIRDS if begun else None,
            numbers_exact=_share(sum(numbers), len(numbers)),
            coverage=_share(sum(one.sentences_cited for one in coverage), sum(one.sentences for one in coverage)),
            claims_per_100_words=_ratio(100 * supported, result.length.key_point_words),
            words=abstract,
            compression=_ratio(sum(one.words for one in coverage), abstract),
            novel_bigrams=_share(sum(bigrams), len(bigrams)),
            fragment_density=copying.fragment_density(lines, texts.values()) if texts else None,
        ),
        operations=_operations(result),
        facts=facts,
        conflicts=conflicts,
        other_conflicts=tuple(one.id for one in result.conflicts if reference and one.id not in known),
        must_not=reference.must_not if reference else (),
    )


def _share(count: int, of: int) -> Share | None:
    return Share(value=count / of, count=count, of=of) if of else None


def _ratio(count: int, of: int) -> float | None:
    return count / of if of else None


def _operations(result: SummaryResult) -> Operations:
    checked = result.verification
    return Operations(
        usage=result.usage,
        points_given=checked.points_given,
        points_kept=checked.points_kept,
        merged_away=checked.merged_away,
        repaired=checked.repaired,
        flagged=checked.flagged,
        dropped=dict(Counter(drop.reason for drop in checked.dropped).most_common()),
        truncated=sum(caveat.code == "truncated" for caveat in result.caveats),
    )


# --- of the summary alone --------------------------------------------------------------------------------------------


def english_points(result: SummaryResult) -> list[KeyPoint]:
    """The points that word lists can be asked about: in English, of English."""
    if result.manifest.parameters.language not in (None, "en"):
        return []
    english = {facts.id for facts in result.documents if facts.language in (None, "en")}
    return [
        point
        for point in result.key_points
        if point.evidence and all(one.document in english for one in point.evidence)
    ]


def _asserts(point: KeyPoint) -> bool:
    """Whether a point states as a fact, in its own words too."""
    return point.stance in ("asserted", "confirmed") and not cues.hedges(point.text)


def numbers_held(point: KeyPoint) -> list[bool]:
    """For each number of a point's words, whether its value occurs in the point's quotes."""
    # "two years" rests on "two years ago" and "5 May" on "May 5", which as wholes are dates, and no numbers.
    pieces = [word for place in point.evidence for date in cues.dates(place.quote) for word in date.text.split()]
    held = {number.value for text in (*pieces, *(one.quote for one in point.evidence)) for number in cues.numbers(text)}
    return [number.value in held for number in cues.numbers(point.text)]


def _leaks(result: SummaryResult, quotes: Sequence[Evidence]) -> int:
    """How many quotes reach into a masked span."""
    at = references.positions(result.documents)
    masked = [(at[facts.id], span) for facts in result.documents for span in facts.masked]
    boxes = tuple(Place(document=document, start=span.start, end=span.end) for document, span in masked)
    claims = [Claim(id="", text="", spans=(place,)) for place in references.cited(quotes, at)]
    return int(np.count_nonzero(alignment.shared_characters(claims, [Claim(id="", text="", spans=boxes)])))


# --- with a reference ------------------------------------------------------------------------------------------------


def _facts(result: SummaryResult, reference: Reference) -> tuple[FactFound, ...]:
    """Each fact with the points that cover it: those that cite it, or where none does, those that say it.

    A point says it where the text score, idf from all wordings of facts and all points, reaches `TEXT_LEAST`; of two
    wordings of a fact, the better score counts.
    """
    at, matched = references.positions(result.documents), references.matched(result.documents, reference)
    points = [Claim(id=one.id, text=one.text, spans=references.cited(one.evidence, at)) for one in result.key_points]
    facts = [Claim(id=one.id, text="", spans=references.cited(one.spans, matched)) for one in reference.facts]
    wordings = [
        (row, Claim(id="", text=text, spans=()))
        for row, fact in enumerate(reference.facts)
        for text in (fact.text, fact.also)
        if text
    ]
    cited = alignment.cites(facts, points)
    scores = np.zeros_like(cited, np.float64)
    found = alignment.text_scores([claim for _, claim in wordings], points, _language(result))
    np.maximum.at(scores, np.array([row for row, _ in wordings], np.int64), found)
    return tuple(map(_found, reference.facts, cited.tolist(), scores.tolist(), repeat([one.id for one in points])))


def _found(fact: ReferenceFact, cited: Sequence[bool], scores: Sequence[float], points: Sequence[str]) -> FactFound:
    alike = [score >= alignment.TEXT_LEAST for score in scores]
    return FactFound(
        id=fact.id,
        text=fact.text,
        importance=fact.importance,
        by="evidence" if any(cited) else "text" if any(alike) else None,
        key_points=tuple(compress(points, cited if any(cited) else alike)),
        text_score=max(scores, default=0.0),
    )


def _language(result: SummaryResult) -> str | None:
    """Of the summary's words, for their stems: the one asked for, or that of all documents."""
    languages = {facts.language or "en" for facts in result.documents}
    return result.manifest.parameters.language or (languages.pop() if len(languages) == 1 else None)


def _conflicts(result: SummaryResult, reference: Reference) -> tuple[ConflictFound, ...]:
    """The distinct conflicts of a reference, each with the summary's that cite both of its sides.

    Conflicts of the reference that meet are one, and so are those that meet a third.
    """
    at, matched = references.positions(result.documents), references.matched(result.documents, reference)
    theirs = [[references.cited(side, matched) for side in one.sides] for one in reference.conflicts]
    mine = [[references.cited(side.evidence, at) for side in one.sides] for one in result.conflicts]
    same, found = alignment.meetings(theirs, theirs), alignment.meetings(theirs, mine)
    distinct: list[list[int]] = []
    for row in range(len(theirs)):
        met = [group for group in distinct if same[row, group].any()]
        distinct = [group for group in distinct if group not in met] + [[*chain(*met), row]]
    return tuple(
        ConflictFound(
            ids=tuple(reference.conflicts[row].id for row in group),
            kind=reference.conflicts[group[0]].kind,
            note=reference.conflicts[group[0]].note,
            found=tuple(compress((one.id for one in result.conflicts), np.any(found[group], axis=0).tolist())),
        )
        for group in sorted(map(sorted, distinct))
    )
