"""A source cut into the stretches that a page shows alike: who cites it, and what was not read."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Literal, NamedTuple

from service.core.types import MaskedSpan

Side = Literal["a", "b"]


class Citation(NamedTuple):
    """A piece of evidence, as the page refers to it."""

    start: int
    end: int
    side: Side
    claim: str
    """Key of the claim within its document set."""
    anchor: str
    """Key of the place in the source."""
    label: str
    """What a reader sees there."""


class Run(NamedTuple):
    """A stretch of a source that is shown alike."""

    text: str
    cited: Literal["", "a", "b", "both"]
    claims: tuple[str, ...]
    """Keys of the claims that cite it."""
    opens: tuple[Citation, ...]
    """The evidence that begins here."""
    masked: str | None
    """Why it was not read."""
    hides: bool
    """Whether what was not read begins here."""


class Segment(NamedTuple):
    """A sentence, or what lies between sentences."""

    sentence: int | None
    runs: tuple[Run, ...]


def segments(
    text: str, citations: Sequence[Citation], masked: Sequence[MaskedSpan], sentences: Sequence[tuple[int, int]] = ()
) -> Iterator[Segment]:
    """The text, cut wherever a quote, a masked span or a sentence begins or ends; joined, the runs are the text.

    Args:
        text: of the source.
        citations: what is cited.
        masked: what was not read.
        sentences: where each begins and ends, in order; they are numbered from 1.
    """
    citations = [citation for citation in citations if citation.start < citation.end]
    masked = [span for span in masked if span.start < span.end]
    starts = [start for start, _ in sentences]
    number: int | None = None
    gathered: list[Run] = []
    for start, run in _runs(text, citations, masked, sentences):
        at = bisect_right(starts, start) - 1
        of = at + 1 if at >= 0 and start < sentences[at][1] else None
        if gathered and of != number:
            yield Segment(number, tuple(gathered))
            gathered = []
        number = of
        gathered.append(run)
    if gathered:
        yield Segment(number, tuple(gathered))


def _runs(
    text: str, citations: Sequence[Citation], masked: Sequence[MaskedSpan], sentences: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, Run]]:
    """The runs with their offsets."""
    opening, closing = _ends(citations)
    hiding, showing = _ends(masked)
    borders = {0, len(text), *opening, *closing, *hiding, *showing}
    borders.update(chain.from_iterable(sentences))
    over: dict[int, None] = {}
    hidden: dict[int, None] = {}
    for start, end in pairwise(sorted(border for border in borders if 0 <= border <= len(text))):
        for open_, begins, ends in ((over, opening, closing), (hidden, hiding, showing)):
            for at in ends[start]:
                open_.pop(at, None)
            open_.update(dict.fromkeys(begins[start]))
        citing = [citations[at] for at in sorted(over)]
        sides = {citation.side for citation in citing}
        yield (
            start,
            Run(
                text=text[start:end],
                cited="both" if len(sides) > 1 else next(iter(sides), ""),
                claims=tuple(dict.fromkeys(citation.claim for citation in citing)),
                opens=tuple(citations[at] for at in opening[start]),
                masked=next((masked[at].reason for at in hidden), None),
                hides=bool(hiding[start]),
            ),
        )


def _ends(spans: Sequence[Citation | MaskedSpan]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Positions of the spans by where they begin and where they end."""
    begins: dict[int, list[int]] = defaultdict(list)
    ends: dict[int, list[int]] = defaultdict(list)
    for at, span in enumerate(spans):
        begins[span.start].append(at)
        ends[span.end].append(at)
    return begins, ends
