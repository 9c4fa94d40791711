"""What a reader should know before relying on a summary: seen by the service itself, and said by a model."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from service.core import cues, figures
from service.core.documents import called
from service.core.grounding import Index
from service.core.types import Caveat, CaveatCode, DocumentFacts, Dropped, KeyPoint, Source, Value

_RECENT = re.compile(r"\brecent(?:ly)?\b", re.IGNORECASE)
_MOST_WORDS_SHOWN = 2
_GRAVEST_FIRST: tuple[CaveatCode, ...] = (
    "fallback",
    "partial",
    "truncated",
    "instructions",
    "missing",
    "stale",
    "undated",
    "hedged",
    "language_unchecked",
    "focus_unmatched",
)


class Chosen(Value, frozen=True, kw_only=True):
    """The caveats of a result, the gravest first, and those of a model that say what no source holds."""

    caveats: tuple[Caveat, ...]
    dropped: tuple[Dropped, ...]


def chosen(own: Sequence[Caveat], given: Iterable[Caveat], index: Index) -> Chosen:
    """What the service sees itself, then what a model says beside it.

    A model's caveat goes where it holds a URL that no source holds, and where it says again what the service has seen.
    Whether a document is dated the service sees by itself, and a model that reads a part of it does not.
    """
    seen = {(caveat.code, document) for caveat in own for document in caveat.documents}
    kept: dict[tuple[str, tuple[str, ...]], Caveat] = {(caveat.text, caveat.documents): caveat for caveat in own}
    dropped: list[Dropped] = []
    for caveat in given:
        if caveat.code == "undated" or (
            caveat.documents and seen.issuperset((caveat.code, document) for document in caveat.documents)
        ):
            continue
        if url := figures.foreign_url(caveat.text, index):
            dropped.append(Dropped(text=caveat.text, reason=url.code, detail=url.detail, part="caveat"))
            continue
        kept.setdefault((caveat.text, caveat.documents), caveat)
    every = list(kept.values())
    ours, said = every[: len(own)], every[len(own) :]
    return Chosen(caveats=(*_by_gravity(ours), *_by_gravity(said)), dropped=tuple(dropped))


def _by_gravity(some: Iterable[Caveat]) -> list[Caveat]:
    return sorted(some, key=lambda caveat: _GRAVEST_FIRST.index(caveat.code))


def caveats(sources: Sequence[Source], facts: Sequence[DocumentFacts], points: Sequence[KeyPoint]) -> Iterator[Caveat]:
    """What the service sees by itself: dates, stance, language, and documents that no point cites."""
    undated = [fact for fact in facts if fact.date.basis in ("none", "inferred")]
    if undated:
        yield Caveat(code="undated", text=_undated(undated, sources), documents=tuple(fact.id for fact in undated))
    hedged = [point for point in points if cues.is_weak(point.stance)]
    if hedged:
        yield Caveat(
            code="hedged",
            text=f"{_some(hedged, points, 'key point')} {'is' if len(hedged) == 1 else 'are'} reported, claimed, "
            f"conditional, opinion or joke, not stated as fact: {', '.join(point.id for point in hedged)}.",
            evidence=tuple(place for point in hedged for place in point.evidence),
        )
    unchecked = [source for source in sources if source.language != "en"]
    if unchecked:
        named = ", ".join(
            f"{called(source.document)} ({source.language or 'language unknown'})" for source in unchecked
        )
        yield Caveat(
            code="language_unchecked",
            text=f"Names, stance, numbers and dates are found by rules for English, which do not apply to {named}.",
            documents=tuple(source.document.id for source in unchecked),
        )
    cited = {place.document for point in points for place in point.evidence}
    missing = [fact for fact in facts if fact.id not in cited]
    if missing:
        yield Caveat(
            code="missing",
            text=f"{_some(missing, facts, 'document')} {'has' if len(missing) == 1 else 'have'} no point in the "
            f"summary: {', '.join(map(called, missing))}. "
            f"Ask for a longer summary{', or for one each' if len(facts) > 1 else ''}.",
            documents=tuple(fact.id for fact in missing),
        )


def _some(some: Sequence[object], of: Sequence[object], noun: str) -> str:
    """How many of how many."""
    return f"{len(some)} of {len(of)} {noun}{'s' * (len(of) != 1)}"


def _undated(facts: Sequence[DocumentFacts], sources: Sequence[Source]) -> str:
    named = ", ".join(
        called(fact) + (f" (not before {fact.date.iso}, going by a date in its text)" if fact.date.iso else "")
        for fact in facts
    )
    undated = {fact.id for fact in facts}
    words = {word: None for source in sources if source.document.id in undated for word in islice(_relative(source), 1)}
    shown = " and ".join(f"“{word}”" for word in list(words)[:_MOST_WORDS_SHOWN])
    unplaced = f" Words like {shown} cannot be placed in time." if shown else ""
    return f"No date was recognised in {named}.{unplaced}"


def _relative(source: Source) -> Iterator[str]:
    """Words of a document that count from its own date."""
    for sentence in source.readable:
        text = source.text[sentence.start : sentence.end]
        if found := _RECENT.search(text):
            yield found[0].lower()
        if not cues.is_social(text):
            yield from (" ".join(date.text.split()) for date in cues.dates(text) if date.basis == "relative")
