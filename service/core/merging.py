"""Several drafts become one: points are chosen and joined by number, and evidence survives by construction.

The model sees numbered points and answers with numbers. What it wants joined is joined only where the points cannot
differ in what they claim; everything else stays apart.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from service.core import cues
from service.core.contract import MergeReply
from service.core.lexicon import NUMBER_WORDS, SENTENCE_OPENERS, is_latin, tokenise
from service.core.prompts import clean, enclosed
from service.core.types import Draft, DraftLine, DraftPoint, Stance

LEAST_SHRINKAGE = 0.10
"""A round that shrinks the points by less is the last one."""

_WEAKEST_FIRST: tuple[Stance, ...] = ("claimed", "reported", "asserted", "confirmed")
_ALONE: frozenset[Stance] = frozenset({"denied", "joke", "opinion"})
_COUNTING = NUMBER_WORDS | {"first", "last", "half"}
_LONGEST_CLAIM = 600
_LONGEST_NAME = 80
_MOST_DOCUMENTS = 3
_MARKS = "$€£¥%"


def plan_round(costs: Sequence[int], budget: int) -> tuple[range, ...]:
    """Runs of points, in order, each as long as its cost fits the budget; a point over it stands alone.

    >>> plan_round([4, 4, 4, 9, 1], budget=9)
    (range(0, 2), range(2, 3), range(3, 4), range(4, 5))
    """
    groups: list[range] = []
    start = spent = 0
    for at, cost in enumerate(costs):
        if at > start and spent + cost > budget:
            groups.append(range(start, at))
            start, spent = at, 0
        spent += cost
    if start < len(costs):
        groups.append(range(start, len(costs)))
    return tuple(groups)


def is_last_round(before: int, after: int) -> bool:
    """Whether another round is no use: this one shrank the points by less than a tenth.

    >>> is_last_round(100, 95), is_last_round(100, 50)
    (True, False)
    """
    return after > before * (1 - LEAST_SHRINKAGE)


def foremost(points: Sequence[DraftPoint], costs: Sequence[int], budget: int) -> list[DraftPoint]:
    """As many points as the budget holds, in their order: those that must stay first, spread evenly over the rest."""
    must = [at for at, point in enumerate(points) if point.importance == "must"]
    rest = [at for at, point in enumerate(points) if point.importance != "must"]
    kept: set[int] = set()
    spent = 0
    for wanted in (must, rest):
        room = budget - spent
        total = sum(costs[at] for at in wanted)
        step = max(1.0, total / room) if room > 0 else float("inf")
        chosen = [at for n, at in enumerate(wanted) if int((n + 1) / step) > int(n / step)]
        for at in chosen:
            if spent + costs[at] <= budget:
                kept.add(at)
                spent += costs[at]
    return [point for at, point in enumerate(points) if at in kept] or list(points[:1])


def may_join(one: DraftPoint, other: DraftPoint) -> bool:
    """Whether two points may become one: same numbers, names, dates and polarity; neither denied, a joke or an opinion.

    >>> a = DraftPoint(text="It took 340 days.", quotes=(), stance="reported")
    >>> b = msgspec.structs.replace(a, text="It lasted 340 days.", stance="asserted")
    >>> may_join(a, b), may_join(a, msgspec.structs.replace(b, text="It lasted 430 days."))
    (True, False)
    """
    if one.stance in _ALONE or other.stance in _ALONE:
        return (one.stance, one.text, one.polarity, one.attribution) == (
            other.stance,
            other.text,
            other.polarity,
            other.attribution,
        )
    return (
        _sense(one) == _sense(other)
        and _values(one) == _values(other)
        and _days(one) == _days(other)
        and _names_fit(one, other)
        and _speakers_fit(one, other)
        and ((one.stance in _WEAKEST_FIRST and other.stance in _WEAKEST_FIRST) or one.stance == other.stance)
    )


def join(points: Sequence[DraftPoint]) -> DraftPoint:
    """One point of several that may be joined: the first one's words, all the evidence, the weakest stance.

    Whoever is named as saying it stays named.
    """
    first = points[0]
    stances = [point.stance for point in points]
    weakest = next((stance for stance in _WEAKEST_FIRST if stance in stances), first.stance)
    quotes = {(quote.document, quote.sentence, quote.quote): quote for point in points for quote in point.quotes}
    return msgspec.structs.replace(
        first,
        quotes=tuple(quotes.values()),
        stance=weakest,
        attribution=next((point.attribution for point in points if point.attribution.who), first.attribution),
        importance="must" if any(point.importance == "must" for point in points) else "should",
    )


def apply(reply: MergeReply, points: Sequence[DraftPoint]) -> Draft:
    """The draft that a merge reply means, over points numbered from 1.

    Numbers that are none of these points, or were used before, are passed over; points that may not be joined stay
    apart, next to one another. A sentence of the abstract keeps the points that were kept, and goes when none was.
    """
    kept: list[DraftPoint] = []
    place: dict[int, int] = {}
    for group in reply.points:
        fresh = [number for number in dict.fromkeys(group.ids) if 0 < number <= len(points) and number not in place]
        clusters: list[list[int]] = []
        for number in fresh:
            own = points[number - 1]
            home = next((c for c in clusters if all(may_join(points[other - 1], own) for other in c)), None)
            if home is None:
                clusters.append([number])
            else:
                home.append(number)
        for cluster in clusters:
            place.update(dict.fromkeys(cluster, len(kept)))
            kept.append(join([points[number - 1] for number in cluster]))
    lines = [
        DraftLine(text=line.text, points=tuple(dict.fromkeys(place[n] for n in line.points if n in place)))
        for line in reply.abstract
    ]
    return Draft(headline=reply.headline, abstract=tuple(line for line in lines if line.points), points=tuple(kept))


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


def _sense(point: DraftPoint) -> tuple[str, str, bool]:
    """Whether something is so: as the model says, and as the words say."""
    return point.polarity, cues.polarity(point.text), cues.stance(point.text) == "denied"


def _values(point: DraftPoint) -> Counter[str]:
    """Numbers of the claim itself; what a model lists beside it may be incomplete."""
    found = cues.numbers(point.text)
    read = {token.word for number in found for token in tokenise(number.text.replace("-", " "))}
    dated = {token.word for date in cues.dates(point.text) for token in tokenise(date.text)}
    values = [(number.value or number.text) + "".join(m for m in _MARKS if m in number.text) for number in found]
    # Those that are no numbers by themselves: "one", "first", "twice".
    words = [
        word
        for token in tokenise(point.text)
        for word in token.word.split("-")
        if word in _COUNTING and word not in read | dated
    ]
    return Counter(values + words)


def _names_fit(one: DraftPoint, other: DraftPoint) -> bool:
    """Whether one claim's names are among the other's, as "Kelly" is in "Scott Kelly"."""
    a, b = _names(one.text), _names(other.text)
    return a <= b or b <= a


def _names(text: str) -> frozenset[str]:
    """Words that may be names: written with a capital, or in a script that has none."""
    return frozenset(
        token.word.removesuffix("'s")
        for token in tokenise(text)
        if (token.text != token.text.lower() and not (token.opens and token.word in SENTENCE_OPENERS))
        or not is_latin(token.text)
    )


def _days(point: DraftPoint) -> frozenset[str]:
    return frozenset(date.iso or date.text.lower() for date in cues.dates(point.text))


def _speakers_fit(one: DraftPoint, other: DraftPoint) -> bool:
    """Whether the speakers are the same as far as they are named."""
    a, b = one.attribution.who, other.attribution.who
    return a is None or b is None or a.casefold() == b.casefold()
