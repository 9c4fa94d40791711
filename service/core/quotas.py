"""Every document, and every stretch of a long one, keeps a point through merging, so that the middle is not lost."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from service.core.merging import LEAST_SHRINKAGE, Group, Held
from service.core.types import Value

FEWEST_STRETCHES = 3


class Home(Value, frozen=True, kw_only=True):
    """Where a point is from: one of the equal stretches that its document is divided into."""

    document: str
    stretch: int


def homes(chunks: Sequence[str], wanted: int) -> list[Home]:
    """The stretch that each chunk belongs to.

    A document of C chunks has min(C, max(3, wanted // 2)) stretches.

    Args:
        chunks: the document of each, in the order of the text.
        wanted: points of the whole summary.

    >>> [home.stretch for home in homes(["d1"] * 7 + ["d2"], wanted=6)]
    [0, 0, 0, 1, 1, 2, 2, 0]
    """
    of = Counter(chunks)
    seen: Counter[str] = Counter()
    found: list[Home] = []
    for document in chunks:
        stretches = min(of[document], max(FEWEST_STRETCHES, wanted // 2))
        found.append(Home(document=document, stretch=seen[document] * stretches // of[document]))
        seen[document] += 1
    return found


def most_kept(before: int, kept: int) -> int:
    """How many points a round may have after its quotas: as few as it takes to go on, where the replies shrank so far.

    >>> most_kept(100, 40), most_kept(100, 95)
    (90, 100)
    """
    shrunk = int(before * (1 - LEAST_SHRINKAGE))
    return shrunk if kept <= shrunk else before


def missing(kept: Iterable[int], held: Sequence[Held], at_home: Sequence[Home]) -> tuple[list[int], list[int]]:
    """The foremost point of each document, and then of each stretch, that no kept point is from; by position.

    Args:
        kept: positions of the kept points.
        held: the points that there were.
        at_home: of each origin.
    """
    own = [frozenset(at_home[origin] for origin in one.origins) for one in held]
    covered = {home for at in kept for home in own[at]}
    documents: dict[str, int] = {}
    stretches: dict[Home, int] = {}
    # must before should, then in the order of the text
    order = sorted(range(len(held)), key=lambda at: (held[at].point.importance != "must", held[at].origins[0]))
    for at in order:
        for home in own[at]:
            documents.setdefault(home.document, at)
            stretches.setdefault(home, at)
    found: tuple[list[int], list[int]] = ([], [])
    seen = {home.document for home in covered}
    for document in sorted(documents, key=lambda name: held[documents[name]].origins):
        if document not in seen:
            found[0].append(at := documents[document])
            covered |= own[at]
            seen |= {home.document for home in own[at]}
    for home in sorted(stretches, key=lambda home: held[stretches[home]].origins):
        if home not in covered:
            found[1].append(at := stretches[home])
            covered |= own[at]
    return found


def with_quotas(
    groups: Sequence[Group], held: Sequence[Held], at_home: Sequence[Home], *, most: int, least: int = 0
) -> list[Group]:
    """What is kept, with the points put back that documents and stretches lack, each beside its neighbours.

    Where the quotas and `most` cannot both hold, `most` does: documents come before stretches, and of those that are
    too many an even spread has its point put back. What was kept always stays.

    Args:
        groups: what is kept, in order.
        held: the points that there were.
        at_home: of each origin.
        most: points that there may be then.
        least: points that there should be, where there were as many.
    """
    taken = [at for group in groups for at in group]
    back: list[int] = []
    for kind in missing(taken, held, at_home):
        back += _spread(kind, most - len(groups) - len(back))
    left = set(range(len(held))).difference(taken, back)
    short = min(least, most) - len(groups) - len(back)
    if short > 0:
        order = sorted(left, key=lambda at: (held[at].point.importance != "must", held[at].origins[0]))
        back += order[:short]
    return _beside(groups, back, held)


def _spread(positions: Sequence[int], most: int) -> list[int]:
    """At most so many, evenly over all."""
    if len(positions) <= most:
        return list(positions)
    return [positions[n * len(positions) // most] for n in range(most)]


def _beside(groups: Sequence[Group], back: Collection[int], held: Sequence[Held]) -> list[Group]:
    """The groups, each followed by the points put back that come after it in the text and before any other of them."""
    standing = sorted((origin, n) for n, group in enumerate(groups) for at in group for origin in held[at].origins)
    places = [origin for origin, _ in standing]
    before: Mapping[int, list[Group]] = {n: [] for n in range(len(groups) + 1)}
    after: Mapping[int, list[Group]] = {n: [] for n in range(len(groups) + 1)}
    for at in sorted(back, key=lambda at: held[at].origins):
        n = bisect_right(places, held[at].origins[0])
        if n:
            after[standing[n - 1][1]].append((at,))
        else:
            before[standing[0][1] if standing else 0].append((at,))
    ordered = [one for n, group in enumerate(groups) for one in (*before[n], group, *after[n])]
    return ordered or before[0]
