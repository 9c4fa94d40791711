"""Merging by number: rounds of groups that fit the window, until one group is left."""

from collections.abc import Mapping, Sequence

from service.core import contract, merging, prompts
from service.core.errors import MalformedCompletion
from service.core.types import Draft, DraftPoint, Options, Source, Value
from service.drafting.calls import POINTS, Calls, Model, request_line, room_for, together

_MOST_ROUNDS = 12


class Merged(Value, frozen=True, kw_only=True):
    """One draft of several."""

    draft: Draft
    left_out: tuple[DraftPoint, ...]
    """Points that the last call had no room for."""


async def merge(calls: Calls, drafts: Sequence[Draft], sources: Sequence[Source], options: Options) -> Merged:
    """One draft of several: rounds of groups that fit the window, until one is left; every round shrinks or ends.

    Raises:
        EndpointError: a group could not be merged, or nothing was kept.
    """
    names = {source.document.id: source.document.title or source.document.id for source in sources}
    points = [point for draft in drafts for point in draft.points]
    room = room_for(calls.model, "merge", _merge_variables([], {}, options, calls.model))
    for _ in range(_MOST_ROUNDS):
        groups = merging.plan_round(merging.costs(points, names, calls.model.count), room)
        if len(groups) <= 1:
            break
        merged = await together(_kept(calls, points[group.start : group.stop], names, options) for group in groups)
        fewer = [point for kept in merged for point in kept]
        ended = merging.is_last_round(len(points), len(fewer))
        points = fewer
        if ended:
            break
    chosen = merging.foremost(points, merging.costs(points, names, calls.model.count), room)
    draft = await _merge_group(calls, chosen, names, options) if chosen else None
    if draft is None or not draft.points:
        raise MalformedCompletion(
            "The merge reply keeps none of the points, so there is nothing to summarise. Ask again, or use a model "
            "that follows its instructions more closely."
        )
    shown = set(map(id, chosen))
    return Merged(draft=draft, left_out=tuple(point for point in points if id(point) not in shown))


def _merge_variables(
    points: Sequence[DraftPoint], names: Mapping[str, str], options: Options, model: Model
) -> dict[str, str]:
    return {
        "key_points": merging.block(points, names),
        "request": request_line(options, points=POINTS[options.length]),
        "schema": prompts.schema_text("merge", model.prompt.front.order),
    }


async def _kept(
    calls: Calls, points: Sequence[DraftPoint], names: Mapping[str, str], options: Options
) -> Sequence[DraftPoint]:
    """What a round keeps of a group; a point on its own has nothing to be chosen from or joined with."""
    return points if len(points) == 1 else (await _merge_group(calls, points, names, options)).points


async def _merge_group(calls: Calls, points: Sequence[DraftPoint], names: Mapping[str, str], options: Options) -> Draft:
    reply = await calls.ask("merge", lambda: _merge_variables(points, names, options, calls.model))
    assert isinstance(reply, contract.MergeReply)  # noqa: S101 - for mypy: the stage says so
    return merging.apply(reply, points)
