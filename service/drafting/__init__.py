"""A model drafts: chunks are rendered, completed, parsed, grounded, mended once, and merged.

Everything from outside comes as a function; what the functions do with networks and journals is not known here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from service.core import grounding
from service.core.documents import facts
from service.core.duplicates import Spans
from service.core.entities import entities
from service.core.names import Named
from service.core.types import (
    Caveat,
    Completion,
    Conflict,
    Date,
    Draft,
    DraftEntity,
    DraftPoint,
    Dropped,
    Entity,
    Evidence,
    Gap,
    Options,
    Source,
    Usage,
    Value,
    Verification,
)
from service.core.watching import PhaseBegun
from service.drafting.calls import ABSTRACT_WORDS, Calls, Model, both, together, usage
from service.drafting.chunks import Part, caveat, estimate, plan, read_chunk
from service.drafting.conflicts import conflicts
from service.drafting.grounds import ground
from service.drafting.merges import Merged, located, merge
from service.drafting.telling import Standing, tell

_OF_A_PART = "It was said of one part of a text in several, about a sentence that no key point cites."

__all__ = ["ABSTRACT_WORDS", "Drafted", "Model", "draft", "estimate", "plan", "tell"]


class Drafted(Value, frozen=True, kw_only=True):
    """A draft, and an account of how it came about."""

    draft: Draft
    verification: Verification
    caveats: tuple[Caveat, ...]
    entities: tuple[DraftEntity, ...]
    dates: Mapping[str, Date]
    """Of documents, by their id, where the model read one; the first part's reading where several differ."""
    conflicts: tuple[Conflict, ...]
    gaps: tuple[Gap, ...]
    completions: tuple[Completion, ...]
    usage: Usage


async def draft(
    sources: Sequence[Source],
    index: grounding.Index,
    options: Options,
    model: Model,
    names: Callable[[], Sequence[Named]] | None = None,
) -> Drafted:
    """A draft over all sources.

    Args:
        sources: the documents, read.
        index: of the same sources.
        options: of the summary.
        model: that writes.
        names: gives those in the sources; called in a thread, and only where conflicts are found.

    Raises:
        EndpointError: not one chunk could be read, or the parts could not be merged.
    """
    calls, beside = Calls(model), Calls(model)
    chunks = [
        (source, chunk)
        for source, chunks in zip(sources, await asyncio.to_thread(plan, sources, options, model), strict=True)
        for chunk in chunks
    ]
    standing = Standing(index, model.watch)
    calls.tell(PhaseBegun(phase="drafting", parts=len(chunks)))
    asked = await together(
        read_chunk(calls, source, chunk, options, standing, several=len(chunks) > 1) for source, chunk in chunks
    )
    parts = [part for found, _ in asked for part in found]
    gaps = [gap for _, found in asked for gap in found]
    if not parts:
        raise gaps[0][1]
    grounded = await ground(
        calls,
        [part.draft for part in parts],
        [one for part in parts for one in part.examined],
        index,
        {source.document.id: source for source in sources},
    )
    # A part without points has nothing to be merged.
    full = [one for one in grounded.drafts if one.points] or grounded.drafts[:1]
    spans = located(index)

    def entities_in(cited: Sequence[tuple[str, int, int]]) -> tuple[Entity, ...]:
        return entities(sources, cited, names() if names else None)

    searched = conflicts(
        beside,
        [point for one in full for point in one.points],
        index,
        [facts(source) for source in sources],
        evidence_of=spans,
        entities_in=entities_in,
    )
    merged, found = await both(_merged(calls, full, sources, options, spans), searched)
    warned = await asyncio.to_thread(
        _caveats, parts, index, [place for one in merged.draft.points for place in spans(one)]
    )
    return Drafted(
        draft=merged.draft,
        verification=_with_left_out(grounded.verification, merged.left_out, (*warned.dropped, *found.dropped)),
        caveats=(*found.caveats, *warned.kept),
        entities=tuple(dict.fromkeys(entity for part in parts for entity in part.entities)),
        dates={part.document: part.date for part in reversed(parts) if part.date is not None},
        conflicts=found.conflicts,
        gaps=tuple(gap for gap, _ in gaps),
        completions=tuple(answer.completion for answer in (*calls.done, *beside.done)),
        usage=usage((calls, beside)),
    )


async def _merged(
    calls: Calls, drafts: Sequence[Draft], sources: Sequence[Source], options: Options, spans: Spans
) -> Merged:
    """One draft of several; one alone is the draft."""
    if len(drafts) == 1:
        return Merged(draft=drafts[0], left_out=())
    calls.tell(PhaseBegun(phase="merging"))
    return await merge(calls, drafts, sources, options, spans)


class _Warned(Value, frozen=True, kw_only=True):
    """A model's caveats: those to give, and those that the summary has no use for."""

    kept: tuple[Caveat, ...]
    dropped: tuple[Dropped, ...]


def _caveats(parts: Sequence[Part], index: grounding.Index, cited: Sequence[Evidence]) -> _Warned:
    """What the model says of each part, in terms of its document.

    Who has read one part of several cannot know what the others say ("the outcome is not told"), and warns of much that
    the summary does not show: then a caveat is given where its sentence is cited.
    """
    times = Counter(part.document for part in parts)
    shown = {(place.document, place.sentence) for place in cited}
    found = [caveat(*entry, index) for part in parts for entry in part.caveats]
    kept = [
        one
        for one in found
        if times[one.documents[0]] == 1 or any((place.document, place.sentence) in shown for place in one.evidence)
    ]
    stay = set(map(id, kept))
    dropped = [
        Dropped(text=one.text, reason="of_a_part", detail=_OF_A_PART, part="caveat")
        for one in found
        if id(one) not in stay
    ]
    return _Warned(kept=tuple(kept), dropped=tuple(dropped))


def _with_left_out(verification: Verification, points: Sequence[DraftPoint], others: Sequence[Dropped]) -> Verification:
    """The account with the caveats and conflicts that fell, and with the points that merging had no room for.

    Those are dropped without a choice, and so listed.
    """
    detail = "There was no room for it in the last merge call. Use a model with a larger window, or send fewer texts."
    dropped = [Dropped(text=point.text, reason="no_room", detail=detail) for point in points]
    return msgspec.structs.replace(
        verification,
        points_kept=verification.points_kept - len(points),
        dropped=(*verification.dropped, *dropped, *others),
    )
