"""Statements that cannot both hold: names that the sources give differently, and what a model says of the points."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from service.core import figures, grounding, merging, spans
from service.core.contract import ConflictReply, ConflictsReply
from service.core.prompts import clean, enclosed
from service.core.resolving import resolved
from service.core.subjects import Forms, Side, Subjects
from service.core.types import (
    Conflict,
    ConflictKind,
    ConflictSide,
    Date,
    DocumentFacts,
    DraftPoint,
    DraftQuote,
    Dropped,
    Entity,
    Evidence,
    KeyPoint,
    Mention,
)

_LONGEST_QUOTE = 300
_BLOCK_CHARACTERS = 64
_BY_NUMBER = re.compile(r"\[\d+\]|\bpoints?\s\[?\d", re.IGNORECASE)
"""A note that names points by the numbers that only the model saw."""
Dates = Mapping[str, Date]
"""Of documents, by their id."""


# --- what a model is shown -------------------------------------------------------------------------------------------


def shown(
    points: Sequence[DraftPoint], evidence: Sequence[tuple[Evidence, ...]], names: Mapping[str, str], dates: Dates
) -> str:
    """Numbered points with their quotes below them, document by document, between delimiters derived from them.

    A point keeps the number of its place, whatever document it is shown under: that of its first quote.
    """
    under: dict[str, list[int]] = defaultdict(list)
    for at, (point, places) in enumerate(zip(points, evidence, strict=True)):
        under[_home(point, places)].append(at)
    lines: list[str] = []
    for document, own in under.items():
        lines.append(header(document, names, dates))
        for at in own:
            lines += _rows(at + 1, points[at], evidence[at], names)
    return enclosed("POINTS", lines, derived_from=lines)


def costs(
    points: Sequence[DraftPoint],
    evidence: Sequence[tuple[Evidence, ...]],
    names: Mapping[str, str],
    count: Callable[[str], int],
) -> list[int]:
    """Tokens of each point with its quotes; the lines that name documents come on top."""
    return [
        count("\n".join(_rows(number, point, places, names))) + 1
        for number, (point, places) in enumerate(zip(points, evidence, strict=True), 1)
    ]


def header(document: str, names: Mapping[str, str], dates: Dates) -> str:
    """The line above the points of a document: what it is called, and the day it states as its own."""
    date = dates.get(document)
    stated = f"dated {date.iso}" if date and date.basis == "stated" and date.iso else "undated"
    return f"Document: {clean(names.get(document, document))}, {stated}"


def _home(point: DraftPoint, places: Sequence[Evidence]) -> str:
    return next((one.document for one in places), "") or next((one.document for one in point.quotes), "")


def _rows(number: int, point: DraftPoint, places: Sequence[Evidence], names: Mapping[str, str]) -> list[str]:
    rows = [merging.line(number, point, names)]
    for place in places:
        quote = clean(place.quote)
        quote = quote if len(quote) <= _LONGEST_QUOTE else quote[: _LONGEST_QUOTE - 1] + "…"
        elsewhere = place.document != places[0].document
        rows.append(f'    "{quote}"' + (f" ({clean(names.get(place.document, place.document))})" if elsewhere else ""))
    return rows


# --- what of a reply stands ------------------------------------------------------------------------------------------


def apply(
    reply: ConflictsReply,
    points: Sequence[DraftPoint],
    evidence: Sequence[tuple[Evidence, ...]],
    index: grounding.Index,
    *,
    entities: Sequence[Entity],
) -> tuple[tuple[Conflict, ...], tuple[Dropped, ...]]:
    """What of a reply stands, without ids and key points yet, and what falls.

    Args:
        reply: over points numbered from 1; a number that is none of them is passed over where its side has others.
        points: as they were shown.
        evidence: of each point, located.
        index: of the sources.
        entities: of the sources, those named in the evidence among them.
    """
    subjects = Subjects(entities=entities, index=index)
    kept: list[Conflict] = []
    dropped: list[Dropped] = []
    near: dict[tuple[ConflictKind, str, int], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for given in reply.conflicts:
        one, other = (_side(ids, points, evidence) for ids in (given.a, given.b))
        fault = _fault(given, one, other, subjects) or _twin(given.kind, (one, other), kept, near)
        if fault:
            dropped.append(Dropped(text=clean(given.note), reason=fault[0], detail=fault[1], part="conflict"))
            continue
        for side, places in enumerate((one.evidence, other.evidence)):
            for place in places:
                for block in _blocks(place):
                    near[given.kind, place.document, block][len(kept)].add(side)
        kept.append(
            Conflict(
                id="",
                scope="within" if len(one.documents | other.documents) == 1 else "across",
                kind=given.kind,
                sides=tuple(ConflictSide(key_points=(), evidence=side.evidence) for side in (one, other)),
                note=_note(given, one, other, index),
            )
        )
    return tuple(kept), tuple(dropped)


def _side(ids: Iterable[int], points: Sequence[DraftPoint], evidence: Sequence[tuple[Evidence, ...]]) -> Side:
    known = [number - 1 for number in dict.fromkeys(ids) if 0 < number <= len(points)]
    places = {(place.document, place.start, place.end): place for at in known for place in evidence[at]}
    return Side(points=tuple(points[at] for at in known), evidence=tuple(places.values()))


def _fault(given: ConflictReply, one: Side, other: Side, subjects: Subjects) -> tuple[str, str] | None:
    """Why a conflict cannot be given, as a code and a sentence."""
    if not one.points or not other.points:
        return "unknown_point", "A side names no point that there is."
    if not set(given.a).isdisjoint(given.b):
        return "one_sided", "A point stands on both sides."
    if not one.evidence or not other.evidence:
        return "one_sided", "A side has no quote in the sources."
    if _overlap(one.evidence, other.evidence):
        return "same_evidence", "Both sides cite the same words."
    different = subjects.different(given.kind, one, other)
    return ("different_subject", different) if different else None


def _twin(
    kind: ConflictKind,
    sides: tuple[Side, Side],
    kept: Sequence[Conflict],
    near: Mapping[tuple[ConflictKind, str, int], Mapping[int, set[int]]],
) -> tuple[str, str] | None:
    """Whether a conflict of the kind is listed whose sides cite the same words, either way round."""
    beside: Counter[int] = Counter()
    for side in sides:
        places = {(kind, place.document, block) for place in side.evidence for block in _blocks(place)}
        beside.update({number for place in places for number in near.get(place, ())})
    for number in (number for number, count in beside.items() if count == len(sides)):
        a, b = (side.evidence for side in kept[number].sides)
        for one, other in (sides, sides[::-1]):
            if _overlap(one.evidence, a) and _overlap(other.evidence, b):
                return "duplicate", "The same two sides are listed already."
    return None


def _blocks(place: Evidence) -> range:
    """The blocks of its document that a place reaches into: places that overlap share one."""
    return range(place.start // _BLOCK_CHARACTERS, (place.end - 1) // _BLOCK_CHARACTERS + 1)


def _overlap(one: Sequence[Evidence], other: Sequence[Evidence]) -> bool:
    """Whether two sets of spans are the same for over half of the shorter one."""
    a, b = (spans.united(map(spans.stretch, side)) for side in (one, other))
    return spans.common(a, b) * 2 > min(spans.length(a), spans.length(b))


def _note(given: ConflictReply, one: Side, other: Side, index: grounding.Index) -> str:
    """The model's note where the evidence holds what it says, else the claims of the two sides."""
    note = clean(given.note)
    support = [place.quote for side in (one, other) for place in side.evidence]
    if note and not _BY_NUMBER.search(note) and not figures.unsupported(note, support, index):
        return note
    return f"On one side: {clean(one.points[0].text)} On the other: {clean(other.points[0].text)}"


# --- names -----------------------------------------------------------------------------------------------------------


def name_conflicts(entities: Sequence[Entity], index: grounding.Index) -> tuple[Conflict, ...]:
    """One conflict for each entity that the sources give different full names; `numbered` gives ids and points."""
    found: list[Conflict] = []
    for entity in entities:
        sides = tuple(_name_sides(entity, index)) if entity.name_conflict else ()
        if len(sides) < 2:  # noqa: PLR2004 - both sides are cited, or it is none
            continue
        documents = {place.document for side in sides for place in side.evidence}
        found.append(
            Conflict(
                id="",
                scope="within" if len(documents) == 1 else "across",
                kind="name",
                sides=sides,
                note=f"One {entity.type}, {len(sides)} names: " + ", ".join(entity.name_conflict) + ".",
            )
        )
    return tuple(found)


def united(given: Sequence[Conflict], entities: Sequence[Entity], index: grounding.Index) -> tuple[Conflict, ...]:
    """The service's own name conflicts, then the model's conflicts but those about the same names."""
    own = name_conflicts(entities, index)
    forms = Forms((form, (entity.id, form)) for entity in entities for form in entity.name_conflict)
    kept: list[Conflict] = []
    for conflict in given:
        named = [{name for place in side.evidence for name in forms.within(place.quote)} for side in conflict.sides]
        again = conflict.kind == "name" and any(
            entity == other and form != rival for entity, form in named[0] for other, rival in named[-1]
        )
        if not again:
            kept.append(conflict)
    return (*own, *kept)


def _name_sides(entity: Entity, index: grounding.Index) -> Iterator[ConflictSide]:
    """For each form the first sentence that uses it, in a document that uses another one too."""
    first: dict[str, dict[str, Mention]] = {form: {} for form in entity.name_conflict}
    for mention in entity.mentions:
        form = index.documents[mention.document].source.text[mention.start : mention.end]
        if form in first:
            first[form].setdefault(mention.document, mention)
    shared = Counter(document for places in first.values() for document in places)
    for places in first.values():
        beside = [mention for document, mention in places.items() if shared[document] > 1] or list(places.values())
        if beside and (place := _sentence(beside[0], index)):
            yield ConflictSide(key_points=(), evidence=(place,))


def _sentence(mention: Mention, index: grounding.Index) -> Evidence | None:
    """The sentence that a name stands in."""
    searchable = index.documents[mention.document]
    sentence = searchable.sentence_at(mention.start)
    if sentence is None:
        return None
    quote = searchable.source.text[sentence.start : sentence.end]
    place = grounding.locate(DraftQuote(quote=quote, document=mention.document, sentence=sentence.number), index)
    return place if isinstance(place, Evidence) else None


# --- what becomes of them --------------------------------------------------------------------------------------------


def numbered(
    conflicts: Sequence[Conflict], points: Sequence[KeyPoint], facts: Sequence[DocumentFacts]
) -> tuple[Conflict, ...]:
    """Conflicts with ids, with the key points whose evidence overlaps a side's, and with what resolves them."""
    of = {fact.id: fact for fact in facts}
    cited = spans.Overlaps((spans.stretch(place), at) for at, point in enumerate(points) for place in point.evidence)
    return tuple(
        msgspec.structs.replace(
            resolved(conflict, of),
            id=f"c{number}",
            sides=tuple(
                msgspec.structs.replace(
                    side,
                    key_points=tuple(
                        points[at].id
                        for at in sorted({at for place in side.evidence for at in cited.over(spans.stretch(place))})
                    ),
                )
                for side in conflict.sides
            ),
        )
        for number, conflict in enumerate(conflicts, 1)
    )
