"""The one conflicts call: over all points, for pairs that cannot both be taken as they stand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from service.core import contract, grounding, merging, prompts
from service.core.conflicts import apply, costs, header, shown
from service.core.errors import EndpointError, EndpointRejected
from service.core.types import Caveat, Conflict, DocumentFacts, DraftPoint, Dropped, Entity, Evidence, Value
from service.drafting.calls import Calls, room_for

_FEWEST = 2
"""Points that there are to be before two of them can conflict."""

Spans = Sequence[tuple[str, int, int]]
"""(document, start, end) of evidence."""


class Found(Value, frozen=True, kw_only=True):
    """The conflicts that a model found and that stand, those that fell, and what could not be searched."""

    conflicts: tuple[Conflict, ...] = ()
    """Without ids and key points yet."""
    dropped: tuple[Dropped, ...] = ()
    caveats: tuple[Caveat, ...] = ()


class _Block(Value, frozen=True, kw_only=True):
    """What is shown, in the order of its numbers, and its text."""

    points: tuple[DraftPoint, ...]
    evidence: tuple[tuple[Evidence, ...], ...]
    text: str
    left_out: int


async def conflicts(
    calls: Calls,
    points: Sequence[DraftPoint],
    index: grounding.Index,
    facts: Sequence[DocumentFacts],
    *,
    evidence_of: Callable[[DraftPoint], tuple[Evidence, ...]],
    entities_in: Callable[[Spans], Sequence[Entity]],
) -> Found:
    """What of the points cannot both hold; nothing is asked where the version has no such stage, or of a single point.

    A call that fails is no failure of the summary: then a caveat says that the points were not searched.

    Args:
        calls: to the model.
        points: that stand up to the sources.
        index: of the sources.
        facts: of the documents; their stated days are shown.
        evidence_of: locates what a point cites; called in a thread.
        entities_in: names in the sources, those in the given stretches among them; called in a thread, and only where
            the model finds conflicts.

    Raises:
        EndpointRejected: key, model or credit, so that no other call would fare better.
    """
    if "conflicts" not in calls.model.prompt.stages or len(points) < _FEWEST:
        return Found()
    # As in merging: a file's name is nothing to a model, and would make two questions of one.
    names = {fact.id: fact.title or fact.id for fact in facts}
    variables = {"key_points": "", "schema": prompts.schema_text("conflicts", calls.model.prompt.front.order)}
    evidence = await asyncio.to_thread(lambda: [evidence_of(point) for point in points])
    cited = [(point, places) for point, places in zip(points, evidence, strict=True) if places]
    if len(cited) < _FEWEST:
        return Found()
    room = await asyncio.to_thread(room_for, calls.model, "conflicts", variables)
    block = await asyncio.to_thread(_block, cited, facts, names, calls, room)
    if block is None:
        return Found(caveats=(_unsearched("there is no room for two of them in a call."),))
    try:
        reply = await calls.ask("conflicts", lambda: {**variables, "key_points": block.text})
    except EndpointRejected:
        raise
    except EndpointError as error:
        # What was paid for stays: a summary without this search is still one.
        return Found(caveats=(_unsearched(f"{error.title}."),))
    assert isinstance(reply, contract.ConflictsReply)  # noqa: S101 - for mypy: the stage says so
    left_out = (_left_out(block, len(cited)),) if block.left_out else ()
    if not reply.conflicts:
        return Found(caveats=left_out)
    kept, dropped = await asyncio.to_thread(_applied, reply, block, index, entities_in)
    return Found(conflicts=kept, dropped=dropped, caveats=left_out)


def _applied(
    reply: contract.ConflictsReply,
    block: _Block,
    index: grounding.Index,
    entities_in: Callable[[Spans], Sequence[Entity]],
) -> tuple[tuple[Conflict, ...], tuple[Dropped, ...]]:
    spans = [(place.document, place.start, place.end) for places in block.evidence for place in places]
    return apply(reply, block.points, block.evidence, index, entities=entities_in(spans))


def _block(
    cited: Sequence[tuple[DraftPoint, tuple[Evidence, ...]]],
    facts: Sequence[DocumentFacts],
    names: Mapping[str, str],
    calls: Calls,
    room: int,
) -> _Block | None:
    """As many of the points as there is room for, those that must stay first; nothing where not even two fit."""
    count, dates = calls.model.count, {fact.id: fact.date for fact in facts}
    points, evidence = [point for point, _ in cited], [places for _, places in cited]
    documents = dict.fromkeys(places[0].document for places in evidence)
    headers = sum(count(header(document, names, dates)) + 1 for document in documents)
    chosen = merging.foremost(points, costs(points, evidence, names, count), room - headers)
    kept = [cited[at] for at in chosen]
    while len(kept) >= _FEWEST:
        points, evidence = [point for point, _ in kept], [places for _, places in kept]
        text = shown(points, evidence, names, dates)
        if count(text) <= room:
            left_out = len(cited) - len(kept)
            return _Block(points=tuple(points), evidence=tuple(evidence), text=text, left_out=left_out)
        kept = kept[: len(kept) // 2]
    return None


def _unsearched(why: str) -> Caveat:
    return Caveat(code="partial", text=f"The points were not searched for conflicts: {why[0].lower()}{why[1:]}")


def _left_out(block: _Block, of: int) -> Caveat:
    return Caveat(
        code="partial",
        text=f"{block.left_out} of {of} points were not searched for conflicts: there was no room in the call.",
    )
