"""Several drafts become one: points are chosen and joined by number, and evidence survives by construction.

The model sees numbered points and answers with numbers. What it wants joined is joined only where the points cannot
differ in what they claim; everything else stays apart.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from service.core.claims import WEAKEST_FIRST, Claim, agree, claim, fit
from service.core.contract import MergeReply
from service.core.prompts import clean, enclosed
from service.core.text import presentable
from service.core.types import Draft, DraftLine, DraftPoint

LEAST_SHRINKAGE = 0.10
"""A round that shrinks the points by less is the last one."""

_LONGEST_CLAIM = 600
_MOST_CLUSTERS = 50
"""Of one entry of a reply that a point is held against: what falls into more is not one claim in any words."""
_LONGEST_NAME = 80
_MOST_DOCUMENTS = 3

Group = tuple[int, ...]
"""Positions of points that become one; the first gives the words."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """A point on its way through the rounds, and what it stands for."""

    point: DraftPoint
    origins: tuple[int, ...]
    """Positions of the points it is made of, among those that were given; ascending."""
    members: "tuple[Held, ...]" = ()
    """That it was joined of."""

    @cached_property
    def claims(self) -> frozenset[Claim]:
        """Of all that it stands for: what it is joined with has to fit each, not only the words that were kept."""
        # Made when first asked for, as most points are never joined.
        if self.members:
            return frozenset(one for member in self.members for one in member.claims)
        return frozenset((claim(self.point),))


# --- rounds ----------------------------------------------------------------------------------------------------------


def plan_round(costs: Sequence[int], budget: int, documents: Sequence[str] = ()) -> tuple[range, ...]:
    """Runs of points, in order, each as long as its cost fits the budget; a point over it stands alone.

    A document that fits a group whole is not split between two: the group before it ends at its border.

    Args:
        costs: of each point.
        budget: of a group.
        documents: of each point, those of one document side by side; borders do not count where none are given.

    >>> plan_round([4, 4, 4, 9, 1], budget=9)
    (range(0, 2), range(2, 3), range(3, 4), range(4, 5))
    >>> plan_round([4, 4, 4], budget=9, documents=["a", "b", "b"])
    (range(0, 1), range(1, 3))
    """
    wholes: dict[str, int] = {}
    for document, cost in zip(documents, costs, strict=False):
        wholes[document] = wholes.get(document, 0) + cost
    groups: list[range] = []
    start = spent = 0
    for at, cost in enumerate(costs):
        begins = bool(documents) and at > 0 and documents[at] != documents[at - 1]
        whole = wholes[documents[at]] if begins else cost
        needed = whole if whole <= budget else cost
        if at > start and spent + needed > budget:
            groups.append(range(start, at))
            start, spent = at, 0
        spent += cost
    if start < len(costs):
        groups.append(range(start, len(costs)))
    return tuple(groups)


def by_document(held: Sequence[Held], documents: Sequence[str]) -> list[Held]:
    """Points with those of one document side by side, in the order in which each document first comes.

    Args:
        held: the points.
        documents: of each.
    """
    first: dict[str, list[Held]] = {}
    for one, document in zip(held, documents, strict=True):
        first.setdefault(document, []).append(one)
    return [one for own in first.values() for one in own]


def is_last_round(before: int, after: int) -> bool:
    """Whether another round is no use: this one shrank the points by less than a tenth.

    >>> is_last_round(100, 95), is_last_round(100, 50)
    (True, False)
    """
    return after > before * (1 - LEAST_SHRINKAGE)


def foremost(
    points: Sequence[DraftPoint], costs: Sequence[int], budget: int, reserved: Sequence[Sequence[int]] = ()
) -> list[int]:
    """Positions of as many points as the budget holds, in order: reserved ones, then musts, then the others.

    Where one kind does not fit, those that stay are spread evenly over it. At least one stays where there is one.
    """
    must = [at for at, point in enumerate(points) if point.importance == "must"]
    rest = [at for at, point in enumerate(points) if point.importance != "must"]
    kept: set[int] = set()
    spent = 0
    for kind in (*reserved, must, rest):
        wanted = [at for at in kind if at not in kept]
        room = budget - spent
        total = sum(costs[at] for at in wanted)
        step = max(1.0, total / room) if room > 0 else float("inf")
        chosen = [at for n, at in enumerate(wanted) if int((n + 1) / step) > int(n / step)]
        for at in chosen:
            if spent + costs[at] <= budget:
                kept.add(at)
                spent += costs[at]
    return sorted(kept) or list(range(min(1, len(points))))


# --- joining ---------------------------------------------------------------------------------------------------------


def may_join(one: DraftPoint, other: DraftPoint) -> bool:
    """Whether two points may become one, should the model want it: nothing that counts differs.

    >>> a = DraftPoint(text="It took 340 days.", quotes=(), stance="reported")
    >>> b = msgspec.structs.replace(a, text="It lasted 340 days.", stance="asserted")
    >>> may_join(a, b), may_join(a, msgspec.structs.replace(b, text="It lasted 430 days."))
    (True, False)
    """
    return agree(claim(one), claim(other))


def join(points: Sequence[DraftPoint]) -> DraftPoint:
    """One point of several that may be joined: the first one's words, all the evidence, the weakest stance.

    Whoever is named as saying it stays named.
    """
    first = points[0]
    stances = [point.stance for point in points]
    weakest = next((stance for stance in WEAKEST_FIRST if stance in stances), first.stance)
    quotes = {(quote.document, quote.sentence, quote.quote): quote for point in points for quote in point.quotes}
    return msgspec.structs.replace(
        first,
        quotes=tuple(quotes.values()),
        stance=weakest,
        attribution=next((point.attribution for point in points if point.attribution.who), first.attribution),
        importance="must" if any(point.importance == "must" for point in points) else "should",
    )


def hold(points: Iterable[DraftPoint]) -> list[Held]:
    """Points as they are given, each standing for itself."""
    return [Held(point=point, origins=(at,)) for at, point in enumerate(points)]


def united(groups: Iterable[Group], held: Sequence[Held]) -> list[Held]:
    """One for each group."""
    return [_united([held[at] for at in group]) for group in groups]


def _united(held: Sequence[Held]) -> Held:
    if len(held) == 1:
        return held[0]
    return Held(
        point=join([one.point for one in held]),
        origins=tuple(sorted(at for one in held for at in one.origins)),
        members=tuple(held),
    )


# --- replies ---------------------------------------------------------------------------------------------------------


def chosen(reply: MergeReply, held: Sequence[Held]) -> list[Group]:
    """What a reply keeps of points numbered from 1, in its order.

    Numbers that are none of these points, or were used before, are passed over; points that may not be joined stay
    apart, next to one another.
    """
    groups: list[Group] = []
    used: set[int] = set()
    for entry in reply.points:
        fresh = [n - 1 for n in dict.fromkeys(entry.ids) if 0 < n <= len(held) and n - 1 not in used]
        used.update(fresh)
        clusters: list[tuple[list[int], set[Claim]]] = []
        for at in fresh:
            own = held[at].claims
            home = next((one for one in clusters[:_MOST_CLUSTERS] if own <= one[1] or fit(one[1], own)), None)
            if home is None:
                home = ([], set())
                clusters.append(home)
            home[0].append(at)
            home[1].update(own)
        groups += (tuple(positions) for positions, _ in clusters)
    return groups


def drafted(reply: MergeReply, groups: Sequence[Group], held: Sequence[Held]) -> Draft:
    """The draft that a reply means, over what was kept of the points that it was given.

    A sentence of the abstract keeps the points that were kept, and goes when none was.
    """
    place = {at + 1: n for n, group in enumerate(groups) for at in group}
    lines = [
        DraftLine(text=presentable(line.text), points=tuple(dict.fromkeys(place[n] for n in line.points if n in place)))
        for line in reply.abstract
    ]
    return Draft(
        headline=presentable(reply.headline),
        abstract=tuple(line for line in lines if line.points),
        points=tuple(one.point for one in united(groups, held)),
    )


# --- what a model sees -----------------------------------------------------------------------------------------------


def block(points: Sequence[DraftPoint], names: Mapping[str, str]) -> str:
    """Numbered points as the model sees them, between delimiters derived from them."""
    lines = [line(number, point, names) for number, point in enumerate(points, 1)]
    return enclosed("POINTS", lines, derived_from=lines)


def line(number: int, point: DraftPoint, names: Mapping[str, str]) -> str:
    """A point in a line: where it is from, how it stands, who says it, and the claim.

    It is short enough to fit any window: the model answers with its number, and what is not shown is not lost.
    """
    documents = list(dict.fromkeys(names.get(quote.document, quote.document) for quote in point.quotes))
    qualities = [_short(name, _LONGEST_NAME) for name in documents[:_MOST_DOCUMENTS]]
    if len(documents) > _MOST_DOCUMENTS:
        qualities.append(f"{len(documents) - _MOST_DOCUMENTS} more")
    qualities += [point.importance, point.kind, point.stance]
    if point.polarity == "negated":
        qualities.append("negated")
    if point.attribution.who:
        qualities.append(f"says {_short(point.attribution.who, _LONGEST_NAME)}")
    return f"[{number}] ({', '.join(qualities)}) {_short(point.text, _LONGEST_CLAIM)}"


def costs(points: Sequence[DraftPoint], names: Mapping[str, str], count: Callable[[str], int]) -> list[int]:
    """Tokens of each point's line."""
    return [count(line(number, point, names)) + 1 for number, point in enumerate(points, 1)]


def _short(text: str, most: int) -> str:
    """A line of at most so many characters, cut where it is longer."""
    line = clean(text)
    return line if len(line) <= most else line[: most - 1] + "…"
