"""What a document calls new, held against the dates of the others. The words that say "new" know English."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from service.core.documents import Days, called, days_of
from service.core.entities import Mentions
from service.core.types import Caveat, DocumentFacts, Entity, EntityType, Evidence, KeyPoint, Source

FAR_APART_DAYS = 180
FEWEST_SHARED = 2
"""Names that two stretches share before they count as reports on the same."""

_SUBJECTS: frozenset[EntityType] = frozenset({"person", "organisation", "work"})
_WHICH = r"year|month|week|spring|summer|autumn|fall|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
# A capital inside a sentence is part of a name: "New York". "A new generation" is young, not news.
_NEW = re.compile(
    r"\b(?:brand[- ])?new\b(?!\s+(?:age|era|ground|generation|heights?|home|hope|level|life|lows?|way|ways|year)\b)"
    r"(?:\s+[a-z][\w-]*)?"
    r"|\b(?:recent|latest)\b(?:\s+[a-z][\w-]*)?|\b[Rr]ecently\b|\b[Jj]ust\s+(?:announced|revealed)\b"
    r"|(?<!until )(?<!by )(?<!from )\bnow\b(?! that\b| and then\b)|\A[“\"]?Now\b(?! that\b)"
    rf"|\b(?:is|are|was|were)\s+about\s+to\b|\b[Nn]ext\s+(?i:{_WHICH})\b"
    r"|\b[Ll]ater\s+this\s+(?:year|month|week)\b|\b[Tt]omorrow\b"
)


class _Cited(NamedTuple):
    """What a point cites of one document, and who and what is named there."""

    document: str
    evidence: tuple[Evidence, ...]
    subjects: tuple[str, ...]


class _Pair(NamedTuple):
    """What an older or undated document calls new, and what another one says of the same."""

    word: str
    cited: Evidence
    other: str
    beside: Evidence


def stale(
    sources: Sequence[Source], facts: Sequence[DocumentFacts], points: Sequence[KeyPoint], entities: Sequence[Entity]
) -> tuple[Caveat, ...]:
    """What may be less new than a document says: at most one caveat for each document.

    An undated document is held against the oldest dated one that reports the same, a dated one against the newest that
    is at least `FAR_APART_DAYS` younger. Two report the same where points of both cite stretches that share names.
    """
    if len(facts) < 2:  # noqa: PLR2004 - of a pair
        return ()
    english = {source.document.id for source in sources if source.language in (None, "en")}
    cited = [one for one in _cited(points, entities) if one.document in english]
    naming: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(cited):
        for subject in one.subjects:
            naming[subject].append(at)
    days = {fact.id: known for fact in facts if (known := days_of(fact.date.iso)) is not None}
    of = {fact.id: fact for fact in facts}
    calls_new: dict[str, list[tuple[str, Evidence, _Cited]]] = defaultdict(list)
    for one in cited:
        for word, place in _new(one.evidence):
            calls_new[one.document].append((word, place, one))
            break
    found: list[Caveat] = []
    for fact in facts:
        pairs = [pair for entry in calls_new[fact.id] for pair in _beside(*entry, cited, naming)]
        chosen = _undated(fact, pairs, days) if fact.date.basis == "none" else _older(fact, pairs, of, days)
        if chosen:
            text = (_calls_undated if fact.date.basis == "none" else _calls_older)(chosen, fact, of[chosen.other])
            places = (chosen.cited, chosen.beside)
            found.append(Caveat(code="stale", text=text, documents=(fact.id, chosen.other), evidence=places))
    return tuple(found)


def _cited(points: Sequence[KeyPoint], entities: Sequence[Entity]) -> Iterator[_Cited]:
    """What each point cites of each document."""
    named = Mentions(entities)
    counting = {entity.id for entity in entities if entity.type in _SUBJECTS}
    for point in points:
        for document in dict.fromkeys(place.document for place in point.evidence):
            own = tuple(place for place in point.evidence if place.document == document)
            subjects = tuple(entity for entity in named.within(own) if entity in counting)
            yield _Cited(document=document, evidence=own, subjects=subjects)


def _new(evidence: Sequence[Evidence]) -> Iterator[tuple[str, Evidence]]:
    for place in evidence:
        if match := _NEW.search(place.quote):
            yield " ".join(match[0].split()), place


def _beside(
    word: str, place: Evidence, own: _Cited, cited: Sequence[_Cited], naming: Mapping[str, Sequence[int]]
) -> Iterator[_Pair]:
    """What points cite of other documents about the same; the one that shares most of each document."""
    shared = Counter(at for subject in own.subjects for at in naming[subject])
    seen: set[str] = set()
    for at, names in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0])):
        other = cited[at]
        if names < FEWEST_SHARED:
            return
        if other.document != own.document and other.document not in seen:
            seen.add(other.document)
            yield _Pair(word=word, cited=place, other=other.document, beside=other.evidence[0])


def _undated(fact: DocumentFacts, pairs: Sequence[_Pair], days: Mapping[str, Days]) -> _Pair | None:
    """With the oldest of the documents whose day is known."""
    dated = [pair for pair in pairs if pair.other in days and pair.other != fact.id]
    return min(dated, key=lambda pair: days[pair.other].first, default=None)


def _older(
    fact: DocumentFacts, pairs: Sequence[_Pair], of: Mapping[str, DocumentFacts], days: Mapping[str, Days]
) -> _Pair | None:
    """With the youngest of those that are far younger, where both state their day."""
    if fact.date.basis != "stated" or fact.id not in days:
        return None
    since = days[fact.id].last + FAR_APART_DAYS
    younger = [
        pair
        for pair in pairs
        if of[pair.other].date.basis == "stated" and pair.other in days and days[pair.other].first >= since
    ]
    return max(younger, key=lambda pair: days[pair.other].first, default=None)


def _calls_undated(pair: _Pair, fact: DocumentFacts, other: DocumentFacts) -> str:
    day = f"of {other.date.iso}" if other.date.basis == "stated" else f"not before {other.date.iso}"
    return (
        f"{called(fact)} has no date and says “{pair.word}”; {called(other)}, {day}, reports on the same: "
        "it may be as old."
    )


def _calls_older(pair: _Pair, fact: DocumentFacts, other: DocumentFacts) -> str:
    return (
        f"{called(fact)} is of {fact.date.iso}, and {called(other)} of {other.date.iso} reports on the same: "
        f"“{pair.word}” in the older one counts from then."
    )
