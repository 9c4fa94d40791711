"""From a draft to a result: quotes located, entities, coverage, caveats, and an account of it all."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from service.core import cues, datelines, grounding
from service.core.entities import entities as find_entities
from service.core.names import Named
from service.core.text import count_words
from service.core.types import (
    OFFSET_UNIT,
    SCHEMA_VERSION,
    AbstractSentence,
    Caveat,
    Conflict,
    ConflictSide,
    Coverage,
    Date,
    DocumentCoverage,
    DocumentFacts,
    Draft,
    DraftPoint,
    DraftQuote,
    Dropped,
    Entity,
    Evidence,
    Gap,
    KeyPoint,
    LengthReport,
    Manifest,
    Source,
    Span,
    SummaryResult,
    Usage,
    Verification,
)

_RECENT = re.compile(r"\brecent(?:ly)?\b", re.IGNORECASE)
_MOST_WORDS_SHOWN = 2


class Grounded(msgspec.Struct, frozen=True, kw_only=True):
    """A draft held against its sources."""

    points: tuple[KeyPoint, ...]
    ids: dict[int, str]
    """Of the kept points, by their position in the draft."""
    verification: Verification


def ground(draft: Draft, index: grounding.Index) -> Grounded:
    """Locate every quote of a draft; a point without a located quote is dropped, and listed."""
    points: list[KeyPoint] = []
    ids: dict[int, str] = {}
    dropped: list[Dropped] = []
    for position, point in enumerate(draft.points):
        found = [grounding.locate(quote, index) for quote in point.quotes]
        evidence = _distinct(place for place in found if isinstance(place, Evidence))
        if evidence:
            ids[position] = f"k{len(points) + 1}"
            points.append(_key_point(ids[position], point, evidence))
            continue
        missing = next((place for place in found if isinstance(place, grounding.Missing)), None)
        reason, detail = (missing.reason, missing.detail) if missing else ("no_evidence", "the point quotes nothing")
        dropped.append(Dropped(text=point.text, reason=reason, detail=detail))
    matches = [place.match for point in points for place in point.evidence]
    return Grounded(
        points=tuple(points),
        ids=ids,
        verification=Verification(
            points_given=len(draft.points),
            points_kept=len(points),
            quotes_given=sum(len(point.quotes) for point in draft.points),
            exact=matches.count("exact"),
            normalised=matches.count("normalised"),
            ellipsis=matches.count("ellipsis"),
            fuzzy=matches.count("fuzzy"),
            repaired=0,
            dropped=tuple(dropped),
        ),
    )


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """How a draft came about, where that took more than reading the sources."""

    verification: Verification
    gaps: tuple[Gap, ...]
    usage: Usage


def finish(  # noqa: PLR0913 - named where it is called
    draft: Draft,
    sources: Sequence[Source],
    index: grounding.Index,
    *,
    manifest: Manifest,
    max_words: int,
    caveats: Iterable[Caveat] = (),
    account: Account | None = None,
    names: Sequence[Named] | None = None,
) -> SummaryResult:
    """The result of a draft: what stood up to its sources, and what a reader should know about it.

    Args:
        draft: what the engine proposes.
        sources: the documents, read.
        index: of the same sources.
        manifest: what produced the draft.
        max_words: the bound that applied.
        caveats: what the engine has to say itself.
        account: of the calls that made the draft, where there were any.
        names: in the sources, where they were looked for already.

    """
    grounded = ground(draft, index)
    evidence = [place for point in grounded.points for place in point.evidence]
    entities = find_entities(sources, [(place.document, place.start, place.end) for place in evidence], names)
    points = tuple(msgspec.structs.replace(point, entities=_named_in(point, entities)) for point in grounded.points)
    abstract = _abstract(draft, grounded)
    facts = tuple(_facts(source) for source in sources)
    gaps = account.gaps if account else ()
    abstract_words = sum(count_words(line.text) for line in abstract)
    point_words = sum(count_words(point.text) for point in points)
    return SummaryResult(
        schema_version=SCHEMA_VERSION,
        offset_unit=OFFSET_UNIT,
        engine=manifest.engine,
        headline=draft.headline,
        abstract=abstract,
        key_points=points,
        entities=entities,
        conflicts=_name_conflicts(entities, points, index),
        caveats=(*caveats, *_caveats(sources, facts, points)),
        documents=facts,
        coverage=Coverage(documents=tuple(_coverage(source, evidence, gaps) for source in sources)),
        verification=_verification(grounded, account),
        length=LengthReport(
            asked=manifest.parameters.length,
            max_words=max_words,
            abstract_words=abstract_words,
            key_point_words=point_words,
            within=(abstract_words if manifest.engine == "llm" else max(abstract_words, point_words)) <= max_words,
        ),
        usage=account.usage if account else Usage(),
        manifest=manifest,
        gaps=gaps,
    )


def _verification(grounded: Grounded, account: Account | None) -> Verification:
    """What became of the points: as they were given, where some were merged or dropped on the way here."""
    if account is None:
        return grounded.verification
    earlier = account.verification
    dropped = (*earlier.dropped, *grounded.verification.dropped)
    return msgspec.structs.replace(
        earlier,
        points_kept=len(grounded.points),
        dropped=dropped,
        merged_away=earlier.points_given - len(grounded.points) - len(dropped),
    )


# --- points ----------------------------------------------------------------------------------------------------------


def _key_point(point_id: str, point: DraftPoint, evidence: tuple[Evidence, ...]) -> KeyPoint:
    return KeyPoint(
        id=point_id,
        text=point.text,
        importance=point.importance,
        kind=point.kind,
        stance=point.stance,
        polarity=point.polarity,
        attribution=point.attribution,
        evidence=evidence,
        numbers=point.numbers,
        dates=point.dates,
    )


def _distinct(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Evidence without repeated spans, in the order given."""
    return tuple({(place.document, place.start, place.end): place for place in evidence}.values())


def _named_in(point: KeyPoint, entities: Sequence[Entity]) -> tuple[str, ...]:
    return tuple(
        entity.id
        for entity in entities
        if any(
            mention.document == place.document and mention.start < place.end and place.start < mention.end
            for place in point.evidence
            for mention in entity.mentions
        )
    )


def _abstract(draft: Draft, grounded: Grounded) -> tuple[AbstractSentence, ...]:
    """The sentences of the abstract that still have a point to stand on."""
    return tuple(
        AbstractSentence(text=line.text, key_points=tuple(grounded.ids[n] for n in line.points if n in grounded.ids))
        for line in draft.abstract
        if any(n in grounded.ids for n in line.points)
    )


def _name_conflicts(
    entities: Sequence[Entity], points: Sequence[KeyPoint], index: grounding.Index
) -> tuple[Conflict, ...]:
    """One conflict for each entity that the sources give different full names."""
    found: list[Conflict] = []
    for entity in entities:
        if not entity.name_conflict:
            continue
        sides = tuple(_name_side(form, entity, points, index) for form in entity.name_conflict)
        documents = {place.document for side in sides for place in side.evidence}
        found.append(
            Conflict(
                id=f"c{len(found) + 1}",
                scope="within" if len(documents) == 1 else "across",
                kind="name",
                sides=sides,
                note=f"One {entity.type}, {len(sides)} names: " + ", ".join(entity.name_conflict) + ".",
            )
        )
    return tuple(found)


def _name_side(form: str, entity: Entity, points: Sequence[KeyPoint], index: grounding.Index) -> ConflictSide:
    """The first sentence that uses a form, and the points whose evidence holds it."""
    places = [
        mention
        for mention in entity.mentions
        if index.documents[mention.document].source.text[mention.start : mention.end] == form
    ]
    holding = tuple(
        point.id
        for point in points
        if any(
            place.document == at.document and place.start <= at.start < place.end
            for place in point.evidence
            for at in places
        )
    )
    first = places[0]
    searchable = index.documents[first.document]
    sentence = searchable.sentence_at(first.start)
    if sentence is None:
        return ConflictSide(key_points=holding, evidence=())
    quote = searchable.source.text[sentence.start : sentence.end]
    place = grounding.locate(DraftQuote(quote=quote, document=first.document, sentence=sentence.number), index)
    return ConflictSide(key_points=holding, evidence=(place,) if isinstance(place, Evidence) else ())


# --- documents -------------------------------------------------------------------------------------------------------


def _facts(source: Source) -> DocumentFacts:
    document = source.document
    return DocumentFacts(
        id=document.id,
        sha256=hashlib.sha256(document.text.encode()).hexdigest(),
        characters=len(document.text),
        language=source.language,
        date=document_date(source),
        masked=source.masked,
        name=document.name,
        title=document.title,
        url=document.url,
        media_type=document.media_type,
    )


def document_date(source: Source) -> Date:
    """The date of a document: as its sender or its own top states it, else inferred from the latest post it quotes."""
    stated = source.document.published_at
    if stated:
        return Date(text=stated, iso=stated[:10], basis="stated")
    if line := datelines.stated_date(source):
        return line
    posted = [
        date
        for sentence in source.readable
        for text in [source.text[sentence.start : sentence.end]]
        if cues.is_social(text)
        for date in cues.dates(text)
        if date.iso is not None and date.basis == "stated"
    ]
    if not posted:
        return Date(text="")
    latest = max(posted, key=lambda date: date.iso or "")
    return Date(text=latest.text, iso=latest.iso, basis="inferred")


def _coverage(source: Source, evidence: Sequence[Evidence], gaps: Sequence[Gap]) -> DocumentCoverage:
    """Every character of a document by what became of it; white space between readable sentences counts as read."""
    size = len(source.text)
    masked = sum(span.end - span.start for span in source.masked)
    unread = sum(_unmasked_in(gap, source) for gap in gaps if gap.document == source.document.id)
    own = [place for place in evidence if place.document == source.document.id]
    thirds = [0, 0, 0]
    for place in own:
        thirds[min(2, place.start * 3 // max(size, 1))] += 1
    cited = sum(span.end - span.start for span in _united(own))
    return DocumentCoverage(
        document=source.document.id,
        characters=size,
        read=size - masked - unread,
        cited=cited,
        masked=masked,
        unread=unread,
        thirds=(thirds[0], thirds[1], thirds[2]),
    )


def _unmasked_in(gap: Gap, source: Source) -> int:
    """Characters of a gap that are not masked anyway."""
    masked = sum(max(0, min(gap.end, span.end) - max(gap.start, span.start)) for span in source.masked)
    return gap.end - gap.start - masked


def _united(places: Iterable[Evidence]) -> list[Span]:
    """Spans of the evidence, overlapping ones made one."""
    united: list[Span] = []
    for place in sorted(places, key=lambda place: place.start):
        if united and place.start <= united[-1].end:
            united[-1] = Span(start=united[-1].start, end=max(united[-1].end, place.end))
        else:
            united.append(Span(start=place.start, end=place.end))
    return united


# --- caveats ---------------------------------------------------------------------------------------------------------


def _caveats(sources: Sequence[Source], facts: Sequence[DocumentFacts], points: Sequence[KeyPoint]) -> Iterable[Caveat]:
    undated = [fact for fact in facts if fact.date.basis in ("none", "inferred")]
    if undated:
        yield Caveat(code="undated", text=_undated(undated, sources))
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
        named = ", ".join(f"{source.document.id} ({source.language or 'language unknown'})" for source in unchecked)
        yield Caveat(
            code="language_unchecked",
            text=f"Names, stance, numbers and dates are found by rules for English, which do not apply to {named}.",
        )
    cited = {place.document for point in points for place in point.evidence}
    missing = [fact.id for fact in facts if fact.id not in cited]
    if missing:
        yield Caveat(
            code="missing",
            text=f"{_some(missing, facts, 'document')} {'has' if len(missing) == 1 else 'have'} no point in the "
            f"summary: {', '.join(missing)}. Ask for a longer summary{', or for one each' if len(facts) > 1 else ''}.",
        )


def _some(some: Sequence[object], of: Sequence[object], noun: str) -> str:
    """How many of how many."""
    return f"{len(some)} of {len(of)} {noun}{'s' * (len(of) != 1)}"


def _undated(facts: Sequence[DocumentFacts], sources: Sequence[Source]) -> str:
    named = ", ".join(
        fact.id + (f" (not before {fact.date.iso}, going by a post it quotes)" if fact.date.iso else "")
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
