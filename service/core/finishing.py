"""From a draft to a result: points checked, entities, conflicts, coverage, caveats, and an account of it all."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from service.core import caveats as own_caveats
from service.core import checking, documents, figures, grounding
from service.core.conflicts import numbered, united
from service.core.entities import Mentions
from service.core.entities import entities as find_entities
from service.core.injection import instructions
from service.core.names import Named
from service.core.spans import stretch
from service.core.staleness import stale
from service.core.text import count_words
from service.core.types import (
    OFFSET_UNIT,
    SCHEMA_VERSION,
    AbstractSentence,
    Caveat,
    Conflict,
    Coverage,
    Date,
    Draft,
    DraftEntity,
    DraftLine,
    Dropped,
    Entity,
    Gap,
    KeyPoint,
    LengthReport,
    Manifest,
    Source,
    SummaryResult,
    Usage,
    Value,
    Verification,
)
from service.core.verifying import Verified, verify

FEWEST_POINTS = 3
SHORT_TEXT_WORDS = 300
"""Up to so many words, a text may hold fewer points."""


class Account(Value, frozen=True, kw_only=True):
    """How a draft came about, where that took more than reading the sources, and what was found beside it."""

    verification: Verification
    gaps: tuple[Gap, ...]
    usage: Usage
    entities: tuple[DraftEntity, ...] = ()
    dates: Mapping[str, Date] = msgspec.field(default_factory=dict)
    """Of documents, by their id, as the model reads them."""
    conflicts: tuple[Conflict, ...] = ()
    """Found by the model, both sides cited; without ids and key points yet."""


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
    verified = verify(draft, index)
    cited = [place for point in verified.points for place in point.evidence]
    entities = find_entities(sources, map(stretch, cited), names, account.entities if account else (), index)
    forms = {form: known for known in (frozenset((one.name, *one.aliases)) for one in entities) for form in known}
    points = _flagged(verified, draft, index, forms, entities)
    dates = account.dates if account else {}
    facts = tuple(documents.facts(source, dates.get(source.document.id)) for source in sources)
    prose = _prose(draft, verified, points, index, forms if manifest.engine == "llm" else None)
    own = (
        *instructions(sources, index),
        *stale(sources, facts, points, entities),
        *own_caveats.caveats(sources, facts, points),
    )
    warned = own_caveats.chosen(own, caveats, index)
    gaps = account.gaps if account else ()
    abstract_words = sum(count_words(line.text) for line in prose.abstract)
    point_words = sum(count_words(point.text) for point in points)
    return SummaryResult(
        schema_version=SCHEMA_VERSION,
        offset_unit=OFFSET_UNIT,
        engine=manifest.engine,
        headline=prose.headline,
        abstract=prose.abstract,
        key_points=points,
        entities=entities,
        conflicts=numbered(united(account.conflicts if account else (), entities, index), points, facts),
        caveats=warned.caveats,
        documents=facts,
        coverage=Coverage(documents=tuple(documents.coverage(source, cited, gaps) for source in sources)),
        verification=_verification(verified.verification, account, points, (*prose.dropped, *warned.dropped)),
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


def too_little(result: SummaryResult) -> str | None:
    """Why a model's summary is too thin to be given, for a text of its length; None where it is not.

    Points count that have a located quote and no blocking check.
    """
    words = sum(one.words * one.read // max(1, one.read + one.unread) for one in result.coverage.documents)
    # A short text may hold fewer points; without any, headline and abstract rest on nothing.
    least = FEWEST_POINTS if words > SHORT_TEXT_WORDS else 1
    if result.engine != "llm" or len(result.key_points) >= least:
        return None
    found = Counter(drop.reason for drop in result.verification.lost_points)
    reasons = ", ".join(f"{count} {reason}" for reason, count in found.most_common()) or "none was dropped"
    return (
        f"{len(result.key_points)} of the {result.verification.points_given} points that the model gave for a text of "
        f"{words:,} words stand up to it (dropped: {reasons}); {least} {'are' if least > 1 else 'is'} the least. Use "
        "another model or prompt version, or ask with `fallback: extractive` for the text's own sentences."
    )


# --- points ----------------------------------------------------------------------------------------------------------


def _flagged(
    verified: Verified, draft: Draft, index: grounding.Index, forms: checking.Forms, entities: Sequence[Entity]
) -> tuple[KeyPoint, ...]:
    """The kept points with what a check warns of, and with the entities that their evidence names."""
    named = Mentions(entities)
    given = {point_id: draft.points[position] for position, point_id in verified.ids.items()}
    found: list[KeyPoint] = []
    for point in verified.points:
        checks = checking.warnings(given[point.id], point.evidence, index, forms)
        found.append(
            msgspec.structs.replace(
                point,
                entities=named.within(point.evidence),
                checks=checks,
                verdict="flagged" if checks else "verified",
            )
        )
    return tuple(found)


def _verification(
    verified: Verification, account: Account | None, points: Sequence[KeyPoint], dropped: Sequence[Dropped]
) -> Verification:
    """What became of the points: as they were given, where some were merged or dropped on the way here."""
    earlier = account.verification if account else verified
    # Quotes that a kept point lost are in the account already: they are looked for twice.
    late = (*earlier.dropped, *verified.lost_points) if account else verified.dropped
    found = msgspec.structs.replace(
        earlier,
        points_kept=len(points),
        flagged=sum(point.verdict == "flagged" for point in points),
        dropped=(*late, *dropped),
    )
    merged_away = found.points_given - len(points) - len(found.lost_points) if account else 0
    return msgspec.structs.replace(found, merged_away=merged_away)


# --- headline and abstract -------------------------------------------------------------------------------------------


class _Prose(Value, frozen=True, kw_only=True):
    """What is written over the points, and what of it did not stand."""

    headline: str
    abstract: tuple[AbstractSentence, ...]
    dropped: tuple[Dropped, ...]


def _prose(
    draft: Draft,
    verified: Verified,
    points: Sequence[KeyPoint],
    index: grounding.Index,
    forms: checking.Forms | None,
) -> _Prose:
    """The headline and the sentences of the abstract that stand on kept points and say nothing beyond them.

    Where nothing of it stands, the points that matter most take its place. Without forms of names they are sentences of
    the sources themselves, which need no check.
    """
    of = {point.id: point for point in points}
    lines: list[AbstractSentence] = []
    dropped: list[Dropped] = []
    for line in draft.abstract:
        ids = tuple(verified.ids[n] for n in line.points if n in verified.ids)
        fault = _line_fault(line, ids, of, index)
        if fault is None:
            evidence = [place for n in ids for place in of[n].evidence]
            checks = () if forms is None else checking.of_sentence(line.text, evidence, index, forms)
            lines.append(AbstractSentence(text=line.text, key_points=ids, checks=checks))
        else:
            dropped.append(Dropped(text=line.text, reason=fault[0], detail=fault[1], part="abstract"))
    foremost = [point for point in points if point.importance == "must"] or list(points[:1])
    if not lines:
        lines = [AbstractSentence(text=point.text, key_points=(point.id,)) for point in foremost]
    headline = draft.headline
    support = [place.quote for point in points for place in point.evidence]
    support += [one.source.document.title or "" for one in index.documents.values()]
    if forms is not None and foremost and (found := figures.unsupported(headline, support, index)):
        dropped.append(Dropped(text=headline, reason=found.code, detail=found.detail, part="headline"))
        headline = foremost[0].text
    return _Prose(headline=headline, abstract=tuple(lines), dropped=tuple(dropped))


def _line_fault(
    line: DraftLine, ids: Sequence[str], of: Mapping[str, KeyPoint], index: grounding.Index
) -> tuple[str, str] | None:
    """Why a sentence of the abstract cannot stand, as a code and a sentence."""
    if not ids or len(ids) < len(line.points):
        return ("lost_support", "A point that the sentence rests on was dropped.")
    found = figures.unsupported(line.text, [place.quote for n in ids for place in of[n].evidence], index)
    return (found.code, found.detail) if found else None
