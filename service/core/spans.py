"""Stretches of documents: as one where they overlap, how long they are, and which of many overlap another."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from typing import TypeVar

from service.core.types import Evidence, Gap, Mention

Stretch = tuple[str, int, int]
"""A document, a start, and an end that is exclusive."""
D = TypeVar("D", str, int)
"""What a document is known by: its id, or its position."""


def stretch(place: Evidence | Gap | Mention) -> Stretch:
    """Where a place is, and nothing else of it."""
    return place.document, place.start, place.end


def united(spans: Iterable[tuple[D, int, int]]) -> tuple[tuple[D, int, int], ...]:
    """Spans in order, those that overlap or touch made one; an empty one that touches no other stays.

    >>> united([("d1", 5, 9), ("d2", 0, 4), ("d1", 0, 6), ("d1", 9, 12)])
    (('d1', 0, 12), ('d2', 0, 4))
    """
    found: list[tuple[D, int, int]] = []
    for document, start, end in sorted(spans):
        if found and found[-1][0] == document and start <= found[-1][2]:
            found[-1] = (document, found[-1][1], max(found[-1][2], end))
        else:
            found.append((document, start, end))
    return tuple(found)


def length(spans: Iterable[tuple[D, int, int]]) -> int:
    """Characters of spans, of which none overlaps another."""
    return sum(end - start for _, start, end in spans)


def common(one: Iterable[tuple[D, int, int]], other: Iterable[tuple[D, int, int]]) -> int:
    """Characters that both hold; within each, no span overlaps another.

    >>> common([("d1", 0, 10), ("d2", 0, 10)], [("d1", 2, 4), ("d1", 8, 12)])
    4
    """
    both = (*one, *other)
    return length(both) - length(united(both))


class Overlaps:
    """Stretches, each with a number, ready to be asked which ones overlap another; they may overlap among themselves.

    >>> sorted(Overlaps([(("d1", 0, 50), 1), (("d1", 3, 5), 2), (("d1", 8, 9), 3)]).over(("d1", 5, 9)))
    [1, 3]
    """

    def __init__(self, numbered: Iterable[tuple[Stretch, int]]) -> None:
        own: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for (document, start, end), number in numbered:
            own[document].append((start, end, number))
        self._spans = {document: sorted(spans) for document, spans in own.items()}
        # the furthest end so far: it never falls, so that it can be searched although stretches overlap
        self._reach = {
            document: list(accumulate((end for _, end, _ in spans), max)) for document, spans in self._spans.items()
        }

    def over(self, place: Stretch) -> set[int]:
        """The numbers of those that overlap a place."""
        document, start, end = place
        spans = self._spans.get(document, [])
        first, last = bisect_right(self._reach.get(document, []), start), bisect_left(spans, (end,))
        return {number for _, reach, number in spans[first:last] if reach > start}
