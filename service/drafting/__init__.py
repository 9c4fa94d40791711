"""A model drafts: chunks are rendered, completed, parsed, grounded, mended once, and merged.

Everything from outside comes as a function; what the functions do with networks and journals is not known here.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from service.core import grounding
from service.core.types import (
    Caveat,
    Completion,
    Draft,
    DraftPoint,
    Dropped,
    Gap,
    Options,
    Source,
    Usage,
    Value,
    Verification,
)
from service.drafting.calls import ABSTRACT_WORDS, Calls, Model, together
from service.drafting.chunks import Part, caveat, estimate, plan, read_chunk
from service.drafting.grounds import ground
from service.drafting.merges import merge

__all__ = ["ABSTRACT_WORDS", "Drafted", "Model", "draft", "estimate", "plan"]


class Drafted(Value, frozen=True, kw_only=True):
    """A draft, and an account of how it came about."""

    draft: Draft
    verification: Verification
    caveats: tuple[Caveat, ...]
    gaps: tuple[Gap, ...]
    completions: tuple[Completion, ...]
    usage: Usage


async def draft(sources: Sequence[Source], index: grounding.Index, options: Options, model: Model) -> Drafted:
    """A draft over all sources.

    Raises:
        EndpointError: not one chunk could be read, or the parts could not be merged.
    """
    calls = Calls(model)
    chunks = [
        (source, chunk)
        for source, chunks in zip(sources, await asyncio.to_thread(plan, sources, options, model), strict=True)
        for chunk in chunks
    ]
    asked = await together(
        read_chunk(calls, source, chunk, options, several=len(chunks) > 1) for source, chunk in chunks
    )
    parts = [part for found, _ in asked for part in found]
    gaps = [gap for _, found in asked for gap in found]
    if not parts:
        raise gaps[0][1]
    mended, verification = await ground(
        calls, [part.draft for part in parts], index, {source.document.id: source for source in sources}
    )
    # A part without points has nothing to be merged.
    full = [one for one in mended if one.points] or mended[:1]
    draft = full[0]
    left_out: tuple[DraftPoint, ...] = ()
    if len(full) > 1:
        merged = await merge(calls, full, sources, options)
        draft, left_out = merged.draft, merged.left_out
    return Drafted(
        draft=draft,
        verification=_with_left_out(verification, left_out),
        caveats=await asyncio.to_thread(_caveats, parts, index),
        gaps=tuple(gap for gap, _ in gaps),
        completions=tuple(completion for completion, _ in calls.done),
        usage=calls.usage(),
    )


def _caveats(parts: Sequence[Part], index: grounding.Index) -> tuple[Caveat, ...]:
    return tuple(caveat(*entry, index) for part in parts for entry in part.caveats)


def _with_left_out(verification: Verification, points: Sequence[DraftPoint]) -> Verification:
    """The account with the points that merging had no room for: they are dropped without a choice, and so listed."""
    detail = "There was no room for it in the last merge call. Use a model with a larger window, or send fewer texts."
    dropped = [Dropped(text=point.text, reason="no_room", detail=detail) for point in points]
    return msgspec.structs.replace(
        verification,
        points_kept=verification.points_kept - len(points),
        dropped=(*verification.dropped, *dropped),
    )
