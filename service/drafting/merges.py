"""Merging by number: rounds of groups that fit the window, until one group is left."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache

from service.core import contract, grounding, merging, prompts
from service.core.duplicates import Spans, duplicates
from service.core.errors import BudgetSpent, EndpointError, EndpointRejected, MalformedCompletion
from service.core.finishing import FEWEST_POINTS
from service.core.merging import Group, Held
from service.core.quotas import Home, homes, missing, most_kept, with_quotas
from service.core.types import Draft, DraftPoint, DraftQuote, Evidence, Options, Source, Value
from service.drafting.calls import POINTS, Calls, Model, request_line, room_for, together

_MOST_ROUNDS = 12


class Merged(Value, frozen=True, kw_only=True):
    """One draft of several."""

    draft: Draft
    left_out: tuple[DraftPoint, ...]
    """Points that the last call had no room for."""


class _Material(Value, frozen=True, kw_only=True):
    """What is known of the points before the model sees them, and what stays the same in every call."""

    homes: tuple[Home, ...]
    """Of each point, as they are given."""
    spans: Spans
    names: Mapping[str, str]
    """Of documents, as the model sees them."""
    languages: Mapping[str, str | None]
    """That claims are written in, by document."""
    options: Options
    room: int
    """Tokens that the points of a call may have."""


def located(index: grounding.Index) -> Spans:
    """Where the evidence of points stands; each quote is looked for once."""

    @cache
    def place(quote: DraftQuote) -> Evidence | grounding.Missing:
        return grounding.locate(quote, index)

    return lambda point: tuple(found for quote in point.quotes if isinstance(found := place(quote), Evidence))


def _nowhere(_point: DraftPoint) -> tuple[Evidence, ...]:
    return ()


async def merge(
    calls: Calls, drafts: Sequence[Draft], sources: Sequence[Source], options: Options, spans: Spans = _nowhere
) -> Merged:
    """One draft of several: rounds of groups that fit the window, until one is left; every round shrinks or ends.

    Points of the same passage that say the same are joined before the first round and after every reply. A group that
    fails before the last call keeps its points as they are.

    Args:
        calls: sends requests.
        drafts: one for each chunk, in the order of the texts.
        sources: of the drafts.
        options: of the summary.
        spans: where the evidence of points stands, as `located` finds it; duplicates are not looked for without it.

    Raises:
        EndpointError: the last call failed, or nothing was kept; or, in any round, the endpoint rejects what is sent
            or the budget is spent.
    """
    material = _material(calls.model, drafts, sources, options, spans)
    given = [point for draft in drafts for point in draft.points]
    held = await asyncio.to_thread(lambda: _without_duplicates(merging.hold(given), material))
    for _ in range(_MOST_ROUNDS):
        held, groups = await asyncio.to_thread(_planned, held, material, calls.model)
        if len(groups) <= 1:
            break
        replies = await together(_kept(calls, held[group.start : group.stop], material) for group in groups)
        kept = [
            tuple(group.start + at for at in one) for group, found in zip(groups, replies, strict=True) for one in found
        ]
        before = len(held)
        held = await asyncio.to_thread(_after_round, kept, held, material, calls.model)
        if merging.is_last_round(before, len(held)):
            break
    chosen = await asyncio.to_thread(_shown, held, material, calls.model)
    shown = [held[at] for at in chosen]
    draft = await _last(calls, shown, material) if shown else None
    if draft is None or not draft.points:
        raise MalformedCompletion(
            "The merge reply keeps none of the points, so there is nothing to summarise. Ask again, or use a model "
            "that follows its instructions more closely."
        )
    left = set(range(len(held))).difference(chosen)
    return Merged(draft=draft, left_out=tuple(held[at].point for at in sorted(left)))


def _material(
    model: Model, drafts: Sequence[Draft], sources: Sequence[Source], options: Options, spans: Spans
) -> _Material:
    chunks = [next((quote.document for point in one.points for quote in point.quotes), "") for one in drafts]
    of_chunks = homes(chunks, POINTS[options.length])
    return _Material(
        homes=tuple(home for home, one in zip(of_chunks, drafts, strict=True) for _ in one.points),
        spans=spans,
        names={source.document.id: source.document.title or source.document.id for source in sources},
        languages={source.document.id: options.language or source.language for source in sources},
        options=options,
        room=room_for(model, "merge", _merge_variables([], {}, options, model)),
    )


def _without_duplicates(held: Sequence[Held], material: _Material) -> list[Held]:
    return merging.united(duplicates(held, material.spans, material.languages), held)


def _planned(held: Sequence[Held], material: _Material, model: Model) -> tuple[list[Held], tuple[range, ...]]:
    """The points as they are shown, and their groups; documents are kept together where there are several groups."""
    costs = _costs(held, material, model)
    if sum(costs) <= material.room:
        return list(held), merging.plan_round(costs, material.room)
    ordered = merging.by_document(held, [_document(one, material) for one in held])
    documents = [_document(one, material) for one in ordered]
    return ordered, merging.plan_round(_costs(ordered, material, model), material.room, documents)


def _document(one: Held, material: _Material) -> str:
    return material.homes[one.origins[0]].document


def _costs(held: Sequence[Held], material: _Material, model: Model) -> list[int]:
    return merging.costs([one.point for one in held], material.names, model.count)


def _after_round(kept: Sequence[Group], held: Sequence[Held], material: _Material, model: Model) -> list[Held]:
    """What a round keeps of its points, all groups together: duplicates joined, quotas filled as far as it shrinks."""
    once = _once(kept, held, material)
    # More than a prompt holds would not be seen in the last call either.
    seen = material.room * len(held) // max(1, sum(_costs(held, material, model)))
    most = min(most_kept(len(held), len(once)), len(once) + seen)
    return merging.united(with_quotas(once, held, material.homes, most=most), held)


def _once(groups: Sequence[Group], held: Sequence[Held], material: _Material) -> list[Group]:
    """Groups of points, those joined that are duplicates of one another."""
    again = duplicates(merging.united(groups, held), material.spans, material.languages)
    return [tuple(at for n in together for at in groups[n]) for together in again]


def _shown(held: Sequence[Held], material: _Material, model: Model) -> list[int]:
    """The points that the last call is given: as many as it has room for, every document and stretch among them."""
    reserved = missing((), held, material.homes)
    return merging.foremost([one.point for one in held], _costs(held, material, model), material.room, reserved)


def _merge_variables(
    points: Sequence[DraftPoint], names: Mapping[str, str], options: Options, model: Model
) -> dict[str, str]:
    return {
        "key_points": merging.block(points, names),
        "request": request_line(options, points=POINTS[options.length]),
        "schema": prompts.schema_text("merge", model.prompt.front.order),
    }


async def _kept(calls: Calls, held: Sequence[Held], material: _Material) -> list[Group]:
    """What a round keeps of a group: all of it where the call fails, as a later one may do better."""
    everything: list[Group] = [(at,) for at in range(len(held))]
    # A point on its own has nothing to be chosen from or joined with.
    if len(held) == 1:
        return everything
    try:
        return merging.chosen(await _reply(calls, held, material), held)
    except (EndpointRejected, BudgetSpent):
        # the next group would fare no better
        raise
    except EndpointError:
        return everything


async def _last(calls: Calls, held: Sequence[Held], material: _Material) -> Draft:
    """The draft that the last reply means, with what the quotas put back."""
    reply = await _reply(calls, held, material)
    groups = merging.chosen(reply, held)
    if groups:
        groups = _once(groups, held, material)
        groups = with_quotas(groups, held, material.homes, most=len(held), least=FEWEST_POINTS)
    return merging.drafted(reply, groups, held)


async def _reply(calls: Calls, held: Sequence[Held], material: _Material) -> contract.MergeReply:
    points = [one.point for one in held]
    reply = await calls.ask("merge", lambda: _merge_variables(points, material.names, material.options, calls.model))
    assert isinstance(reply, contract.MergeReply)  # noqa: S101 - for mypy: the stage says so
    return reply
