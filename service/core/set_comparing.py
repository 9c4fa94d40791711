"""Two versions over one document set: claims, facts, support, and the sentences that each cites."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from service.core import ledger, scoring
from service.core.comparison import (
    Cited,
    ComparedVersion,
    DocumentSet,
    FactChange,
    SetComparison,
    Strip,
    Tag,
    Trial,
    Unsupported,
)
from service.core.ledger import MATERIAL
from service.core.metrics import Evaluation, FactFound, english_points, numbers_held
from service.core.references import Reference
from service.core.types import Dropped, Evidence, Sentence, SummaryResult, Value

_BROKEN_QUOTES = frozenset({"not_found", "boilerplate", "wrong_document", "empty"})
_SHOULD_FACT = 0.5
"""Weight of a lost reference fact that is not a must; a must weighs as much as a material claim."""

_LEAD = 3
"""Sentences that are the lead of a document."""

Carried = Mapping[tuple[str, str], Mapping[str, int]]
"""By document set and version: in how many versions each claim of its shown trial stands."""


class Material(Value, frozen=True, kw_only=True):
    """What is known of the documents beside the trials; all of it may be missing."""

    references: Mapping[str, Reference] = msgspec.field(default_factory=dict)
    """By document set."""
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By their SHA-256."""
    sentences: Mapping[str, Sequence[Sentence]] = msgspec.field(default_factory=dict)
    """Of the texts, by the same digests."""


class Run(Value, frozen=True, kw_only=True):
    """All trials of one version, measured."""

    version: ComparedVersion
    trials: tuple[Trial, ...]
    evaluations: Mapping[str, Evaluation]
    """By trial."""
    values: scoring.Values

    def of(self, document_set: str) -> tuple[Trial, ...]:
        """The trials of a document set that have a result, by repetition."""
        own = (trial for trial in self.trials if trial.set == document_set and trial.result is not None)
        return tuple(sorted(own, key=lambda trial: trial.repetition))


def compare_set(
    one: DocumentSet,
    a: Run,
    b: Run,
    material: Material,
    carried: Carried,
) -> SetComparison:
    """Two versions over one document set: the first repetition of each that succeeded is shown, averages are of all.

    Args:
        one: the document set.
        a: the first version.
        b: the second.
        material: what is known of the documents.
        carried: how many versions carry each claim.
    """
    ours, theirs = a.of(one.id), b.of(one.id)
    averages = {
        spec.name: (
            scoring.averaged(a.values[spec.name]).get(one.id),
            scoring.averaged(b.values[spec.name]).get(one.id),
        )
        for spec in scoring.SPECS
    }
    metrics = {name: pair for name, pair in averages.items() if pair != (None, None)}
    shown_a, shown_b = (trials[0].id if trials else None for trials in (ours, theirs))
    if not ours or not theirs:
        return SetComparison(set=one.id, a=shown_a, b=shown_b, metrics=metrics, tags=("failed",))
    first, second = ours[0].result, theirs[0].result
    assert first is not None  # noqa: S101 - for mypy: `of` gives those with a result
    assert second is not None  # noqa: S101 - as above
    entries = ledger.ledger(
        first,
        second,
        carried_a=carried.get((one.id, a.version.id)),
        carried_b=carried.get((one.id, b.version.id)),
        versions=sum(document_set == one.id for document_set, _ in carried),
        lead=_lead(one, material),
    )
    facts = _facts(ours, theirs, a.evaluations)
    unsupported = _unsupported(ours, theirs)
    unstable = tuple(
        dict.fromkeys(
            text
            for trials in (ours, theirs)
            if len(trials) > 1
            for text in ledger.unstable([trial.result for trial in trials if trial.result is not None])
        )
    )
    loss = (
        sum(entry.weight for entry in entries if entry.label == "lost" and entry.weight >= MATERIAL)
        + sum(MATERIAL if fact.importance == "must" else _SHOULD_FACT for fact in facts if fact.covered_by == "a")
        + MATERIAL * len(unsupported)
    )
    found = SetComparison(
        set=one.id,
        a=shown_a,
        b=shown_b,
        ledger=entries,
        counts=ledger.counts(entries),
        metrics=metrics,
        facts=facts,
        unsupported=unsupported,
        strips=tuple(_strips(first, second, material.sentences)),
        unstable=unstable,
        loss=loss,
    )
    return _tagged(found)


def _lead(one: DocumentSet, material: Material) -> dict[str, frozenset[int]]:
    """The numbers of the first sentences of each document that are not masked."""
    return {
        digest: frozenset([sentence.number for sentence in material.sentences[digest] if not sentence.masked][:_LEAD])
        for digest in one.digests
        if digest in material.sentences
    }


def _tagged(one: SetComparison) -> SetComparison:
    gained = any(entry.label == "gained" and entry.weight >= MATERIAL for entry in one.ledger)
    tags: dict[Tag, bool] = {
        "regressed": one.loss > 0,
        "improved": one.loss == 0 and (gained or any(fact.covered_by == "b" for fact in one.facts)),
        "different": any(entry.label not in ("same", "reworded") for entry in one.ledger),
        "unstable": bool(one.unstable),
        "new_unsupported": bool(one.unsupported),
    }
    return replace(one, tags=tuple(tag for tag, holds in tags.items() if holds))


def _facts(
    ours: Sequence[Trial], theirs: Sequence[Trial], evaluations: Mapping[str, Evaluation]
) -> tuple[FactChange, ...]:
    """The reference facts that one version cites, in half of its repetitions at least, and the other not even says.

    Alike words alone are a lax sign that a fact is covered: they are enough for it not to be lost, and too little for
    it to have been there.
    """
    a, b = ([evaluations[trial.id].facts for trial in trials] for trials in (ours, theirs))
    lost, gained = _often(a, cited=True) - _often(b, cited=False), _often(b, cited=True) - _often(a, cited=False)
    every = {fact.id: fact for facts in (*a, *b) for fact in facts}
    return tuple(
        FactChange(id=fact.id, text=fact.text, importance=fact.importance, covered_by="a" if fact.id in lost else "b")
        for fact in every.values()
        if fact.id in lost | gained
    )


def _often(repetitions: Sequence[Sequence[FactFound]], *, cited: bool) -> set[str]:
    """The facts that half of the repetitions cover: by evidence, or by words too."""
    times = Counter(
        fact.id for facts in repetitions for fact in facts if fact.by == "evidence" or (fact.by and not cited)
    )
    return {name for name, found in times.items() if 2 * found >= len(repetitions)}


def _unsupported(ours: Sequence[Trial], theirs: Sequence[Trial]) -> tuple[Unsupported, ...]:
    """What the second version said without support, in any repetition, and the first did not."""
    before = {(found.kind, found.text) for trial in ours if trial.result for found in _faults(trial.result)}
    after = dict.fromkeys(found for trial in theirs if trial.result for found in _faults(trial.result))
    return tuple(found for found in after if (found.kind, found.text) not in before)


def _faults(result: SummaryResult) -> Iterable[Unsupported]:
    """Quotes that stand nowhere, dropped or not repaired, and numbers that no quote holds."""
    for drop in result.verification.dropped:
        if drop.part in ("key_point", "quote") and drop.reason in _BROKEN_QUOTES:
            yield Unsupported(kind="quote", text=drop.text, detail=_why(drop))
        elif drop.part == "key_point" and drop.reason == "number_mismatch":
            yield Unsupported(kind="number", text=drop.text, detail=_why(drop))
    for point in english_points(result):
        if not all(numbers_held(point)):
            detail = f"A number of {point.id} does not stand in its quotes."
            yield Unsupported(kind="number", text=point.text, detail=detail)


def _why(drop: Dropped) -> str:
    return f"{drop.reason.replace('_', ' ')}: {drop.detail}"


def _strips(a: SummaryResult, b: SummaryResult, sentences: Mapping[str, Sequence[Sentence]]) -> Iterable[Strip]:
    ours, theirs = (_evidence(result) for result in (a, b))
    for facts in a.documents:
        if facts.sha256 in sentences:
            found = sentences[facts.sha256]
            mine, other = (_touched(found, some.get(facts.sha256, ())) for some in (ours, theirs))
            yield Strip(
                document=facts.sha256,
                sentences=tuple(_cited(one, at in mine, at in other) for at, one in enumerate(found)),
                spans=tuple((one.start, one.end) for one in found),
            )


def _evidence(result: SummaryResult) -> Mapping[str, Sequence[Evidence]]:
    """By the digests of the documents."""
    digests = {facts.id: facts.sha256 for facts in result.documents}
    found: dict[str, list[Evidence]] = {}
    for point in result.key_points:
        for place in point.evidence:
            found.setdefault(digests[place.document], []).append(place)
    return found


def _touched(sentences: Sequence[Sentence], places: Sequence[Evidence]) -> set[int]:
    """The positions of the sentences that any of the places overlaps."""
    found: set[int] = set()
    for place in places:
        first = bisect_right(sentences, place.start, key=lambda one: one.end)
        last = bisect_left(sentences, place.end, key=lambda one: one.start)
        found.update(range(first, last))
    return found


def _cited(sentence: Sentence, a: bool, b: bool) -> Cited:
    if a and b:
        return "both"
    if a or b:
        return "a" if a else "b"
    return "masked" if sentence.masked else "neither"
