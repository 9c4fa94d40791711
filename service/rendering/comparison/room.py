"""How much of a comparison fits into a page, decided before anything is drawn: the worst regressions first."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

from service.core.comparison import Comparison

MOST_WHOLE = 40
"""Document sets that are shown whole; of those after them, over all pairs, the ledger with its quotes."""
MOST_LEDGERS = 400
"""Document sets with a ledger; those after them are a line each."""
MOST_TEXT = 200_000
"""Bytes of sources, all together."""
MOST_BYTES = 320_000
"""Of sources and of results as JSON: so much stands in a page beside claims and quotes. Sources come first."""

Tier = Literal["whole", "ledger", "line"]
Place = tuple[int, int]
"""Of a document set: the position of its pair, and its own in that."""


class Plan(NamedTuple):
    """What is shown of what."""

    tiers: Mapping[Place, Tier]
    sources: frozenset[tuple[Place, str]]
    """Texts that are shown, by the digests."""
    crowded: frozenset[tuple[Place, str]]
    """Texts that are at hand and are not shown for want of room."""
    left: int
    """Bytes that are left for results."""
    sets: Mapping[Tier, int]
    """How many document sets are shown so."""


def plan(comparison: Comparison, texts: Mapping[str, str]) -> Plan:
    """What is shown of each document set; a page stays readable, and of bounded size, however many there are."""
    digests = {one.id: one.digests for one in comparison.sets}
    sizes = {digest: len(text.encode(errors="replace")) for digest, text in texts.items()}
    tiers: dict[Place, Tier] = {}
    sources: set[tuple[Place, str]] = set()
    crowded: set[tuple[Place, str]] = set()
    used = 0
    for at, pair in enumerate(comparison.pairs):
        for position, one in enumerate(pair.sets):
            place = (at, position)
            before = len(tiers)
            tiers[place] = "whole" if before < MOST_WHOLE else "ledger" if before < MOST_LEDGERS else "line"
            if tiers[place] != "whole":
                continue
            for digest in dict.fromkeys(digests.get(one.set, ())):
                if digest not in sizes:
                    continue
                fits = used + sizes[digest] <= MOST_TEXT
                (sources if fits else crowded).add((place, digest))
                used += sizes[digest] if fits else 0
    return Plan(tiers, frozenset(sources), frozenset(crowded), MOST_BYTES - used, Counter(tiers.values()))
