"""Points that say the same of the same passage, found by where their evidence stands."""

from collections.abc import Callable, Mapping, Sequence

from service.core.claims import Claim, covers, fit
from service.core.merging import Group, Held
from service.core.spans import Stretch, common, length, stretch, united
from service.core.types import DraftPoint, Evidence, Value

Spans = Callable[[DraftPoint], tuple[Evidence, ...]]
"""The located evidence of a point."""

LEAST_OVERLAP = 0.5
"""Of the characters that two points cite: those that both cite, over those that either does."""
_NEIGHBOURS = 8
"""A point is held against so many of those that begin before it, however many cite the same sentence."""

_Places = tuple[Stretch, ...]
"""Stretches of documents, in order; none touches another."""


class _Passage(Value, frozen=True, kw_only=True):
    """Points that say the same, the fullest first, and the characters that they cite."""

    group: Group
    first: int
    text: str
    places: _Places
    claims: frozenset[Claim] | None = None
    """Of more than one point."""


def duplicates(held: Sequence[Held], spans: Spans, languages: Mapping[str, str | None]) -> list[Group]:
    """All positions in groups, in order of the first of each; a group cites one passage and says one thing.

    A shared passage is not enough, as a sentence may hold two claims, and then neither may be lost: one of two claims
    has to say all that the other says, in the same words. It is the one whose words are kept.

    Args:
        held: the points.
        spans: where their evidence stands; a point without any is nobody's duplicate.
        languages: that claims are written in, by document: the word lists are used for English and where none is known.
    """
    cited = [united(stretch(place) for place in spans(one.point) if place.start < place.end) for one in held]
    done: list[Group] = [(at,) for at, places in enumerate(cited) if not places]
    near: list[_Passage] = []
    for at in sorted((at for at, places in enumerate(cited) if places), key=lambda at: cited[at]):
        own = _Passage(group=(at,), first=at, text=held[at].point.text, places=cited[at])
        english = languages.get(cited[at][0][0]) in (None, "en")
        for n, other in enumerate(near):
            if overlap(other.places, own.places) >= LEAST_OVERLAP and (
                both := _both(other, own, held, english=english)
            ):
                del near[n]
                own = both
                break
        near.append(own)
        if len(near) > _NEIGHBOURS:
            done.append(near.pop(0).group)
    return sorted((*done, *(passage.group for passage in near)), key=min)


def overlap(one: _Places, other: _Places) -> float:
    """The share of characters that both cite, of those that either does.

    >>> overlap((("d1", 0, 10),), (("d1", 5, 15),))
    0.3333333333333333
    """
    both = common(one, other)
    every = length((*one, *other)) - both
    return both / every if every else 0.0


def _both(one: _Passage, other: _Passage, held: Sequence[Held], *, english: bool) -> _Passage | None:
    """Two passages as one, if they say the same."""
    # Where both say as much, the words of the one that comes first stay.
    first, second = sorted((one, other), key=lambda passage: passage.first)
    fuller, lesser = (first, second) if covers(first.text, second.text, english=english) else (second, first)
    if fuller is second and not covers(fuller.text, lesser.text, english=english):
        return None
    some, others = (passage.claims or held[passage.first].claims for passage in (fuller, lesser))
    if not fit(some, others):
        return None
    return _Passage(
        group=(*fuller.group, *lesser.group),
        first=first.first,
        text=fuller.text,
        places=united((*one.places, *other.places)),
        claims=some | others,
    )
