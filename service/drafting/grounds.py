"""Drafts held against their sources, with one batched repair call for the points that do not stand up."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from service.core import contract, grounding, prompts, repairing
from service.core.errors import EndpointError, EndpointRejected
from service.core.types import Draft, DraftLine, DraftPoint, Dropped, Source, Value, Verification
from service.core.verifying import Examined, account, lost_quotes
from service.drafting.calls import Calls, room_for

_LOST_SUPPORT = "A point that the sentence rests on was dropped or reworded, or it rests on none."


class Grounded(Value, frozen=True, kw_only=True):
    """Drafts that stand up to the sources, and an account of what did not."""

    drafts: tuple[Draft, ...]
    verification: Verification


async def ground(
    calls: Calls,
    drafts: Sequence[Draft],
    examined: Sequence[Examined],
    index: grounding.Index,
    sources: Mapping[str, Source],
) -> Grounded:
    """The drafts with what stands up to the sources, after one batched repair call for what does not.

    Args:
        calls: to the model.
        drafts: of the parts.
        examined: what became of the quotes of all their points, in order.
        index: of the sources.
        sources: by document.
    """
    points = [point for draft in drafts for point in draft.points]
    mended, lost = await _repair(calls, repairing.failing(points, examined), index, sources)
    kept: list[Draft] = []
    lines: list[Dropped] = []
    start = 0
    for draft in drafts:
        end = start + len(draft.points)
        one, gone = _kept(draft, [None if at in lost else mended.get(at, points[at]) for at in range(start, end)])
        kept.append(one)
        lines += gone
        start = end
    return Grounded(
        drafts=tuple(kept),
        verification=msgspec.structs.replace(
            account(points, examined),
            points_kept=len(points) - len(lost),
            repaired=len(mended),
            dropped=(*lost.values(), *lost_quotes(one for one in examined if one.fault is None), *lines),
        ),
    )


async def _repair(
    calls: Calls, failures: Sequence[repairing.Failing], index: grounding.Index, sources: Mapping[str, Source]
) -> tuple[dict[int, DraftPoint], dict[int, Dropped]]:
    """The points that a repair call mended, and those that are lost, by position."""
    lost = {failure.position: repairing.dropped(failure) for failure in failures}
    if not failures:
        return {}, lost
    variables = {"points": "", "schema": prompts.schema_text("repair", calls.model.prompt.front.order)}
    room = room_for(calls.model, "repair", variables)
    block = await asyncio.to_thread(_shown, failures, sources, calls, room)
    if block is None:
        return {}, lost
    try:
        reply = await calls.ask("repair", lambda: {**variables, "points": block.text})
    except EndpointRejected:
        raise
    except EndpointError:
        # What cannot be mended is dropped and listed; what was paid for stays.
        return {}, lost
    assert isinstance(reply, contract.RepairReply)  # noqa: S101 - for mypy: the stage says so
    offered = repairing.apply(reply, block)
    again = await asyncio.to_thread(repairing.examined, list(offered.values()), index)
    still = {failure.position for failure in repairing.failing(list(offered.values()), again)}
    mended = {position: point for at, (position, point) in enumerate(offered.items()) if at not in still}
    return mended, {position: entry for position, entry in lost.items() if position not in mended}


def _shown(
    failures: Sequence[repairing.Failing], sources: Mapping[str, Source], calls: Calls, room: int
) -> repairing.Shown | None:
    """As many of the failures as there is room for, halved until they fit; nothing where not even one does."""
    while failures:
        block = repairing.shown(failures, sources)
        if calls.model.count(block.text) <= room:
            return block
        failures = failures[: len(failures) // 2]
    return None


def _kept(draft: Draft, points: Sequence[DraftPoint | None]) -> tuple[Draft, list[Dropped]]:
    """A draft without its lost points, and the sentences that went because they cite one that is lost or reworded."""
    place: dict[int, int] = {}
    kept: list[DraftPoint] = []
    for at, point in enumerate(points):
        if point is not None:
            place[at] = len(kept)
            kept.append(point)
    # A sentence was written from the words that its points had.
    sound = {at for at, point in enumerate(points) if point is not None and point.text == draft.points[at].text}
    lines = [line for line in draft.abstract if line.points and sound.issuperset(line.points)]
    gone = [
        Dropped(text=line.text, reason="lost_support", detail=_LOST_SUPPORT, part="abstract")
        for line in draft.abstract
        if not (line.points and sound.issuperset(line.points))
    ]
    abstract = tuple(DraftLine(text=line.text, points=tuple(place[n] for n in line.points)) for line in lines)
    return Draft(headline=draft.headline, abstract=abstract, points=tuple(kept)), gone
