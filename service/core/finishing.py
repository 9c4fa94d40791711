"""From a draft to a result: quotes located, entities, coverage, caveats, and an account of it all."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from service.core import cues, grounding
from service.core.entities import entities as find_entities
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
    KeyPoint,
    LengthReport,
    Manifest,
    Source,
    Span,
    SummaryResult,
    Usage,
    Verification,
)


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


def finish(
    draft: Draft,
    sources: Sequence[Source],
    index: grounding.Index,
    *,
    manifest: Manifest,
    max_words: int,
    caveats: Iterable[Caveat] = (),
) -> SummaryResult:
    """The result of a draft: what stood up to its sources, and what a reader should know about it.

    Args:
        draft: what the engine proposes.
        sources: the documents, read.
        index: of the same sources.
        manifest: what produced the draft.
        max_words: the bound that applied.
        caveats: what the engine has to say itself.

    """
    grounded = ground(draft, index)
    evidence = [place for point in grounded.points for place in point.evidence]
    entities = find_entities(sources, [(place.document, place.start, place.end) for place in evidence])
    points = tuple(msgspec.structs.replace(point, entities=_named_in(point, entities)) for point in grounded.points)
    abstract = _abstract(draft, grounded)
    facts = tuple(_facts(source) for source in sources)
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
        coverage=Coverage(documents=tuple(_coverage(source, evidence) for source in sources)),
        verification=grounded.verification,
        length=LengthReport(
            asked=manifest.parameters.length,
            max_words=max_words,
            abstract_words=abstract_words,
            key_point_words=point_words,
            within=max(abstract_words, point_words) <= max_words,
        ),
        usage=Usage(),
        manifest=manifest,
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
    """The date of a document: as its sender states it, else inferred from the latest dated social post it quotes."""
    stated = source.document.published_at
    if stated:
        return Date(text=stated, iso=stated[:10], basis="stated")
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


def _coverage(source: Source, evidence: Sequence[Evidence]) -> DocumentCoverage:
    """Every character of a document by what became of it; white space between readable sentences counts as read."""
    size = len(source.text)
    masked = sum(span.end - span.start for span in source.masked)
    own = [place for place in evidence if place.document == source.document.id]
    thirds = [0, 0, 0]
    for place in own:
        thirds[min(2, place.start * 3 // max(size, 1))] += 1
    cited = sum(span.end - span.start for span in _united(own))
    return DocumentCoverage(
        document=source.document.id,
        characters=size,
        read=size - masked,
        cited=cited,
        masked=masked,
        unread=0,
        thirds=(thirds[0], thirds[1], thirds[2]),
    )


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
        yield Caveat(code="undated", text=_undated(undated, of=len(facts)))
    hedged = [point for point in points if cues.is_weak(point.stance)]
    if hedged:
        yield Caveat(
            code="hedged",
            text=f"{len(hedged)} of {len(points)} key points are reported, claimed, conditional or opinion, "
            f"not stated as fact: {', '.join(point.id for point in hedged)}.",
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
            text=f"{len(missing)} of {len(facts)} documents have no point in the summary: {', '.join(missing)}. "
            "Ask for a longer summary, or for one each.",
        )


def _undated(facts: Sequence[DocumentFacts], *, of: int) -> str:
    named = ", ".join(
        fact.id + (f" (not before {fact.date.iso}, going by a post it quotes)" if fact.date.iso else "")
        for fact in facts
    )
    return (
        f"{len(facts)} of {of} documents state no date: {named}. "
        "Words like “recent” or “next year” cannot be placed in time."
    )
