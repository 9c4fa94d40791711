"""A summary as one self-contained page: points beside the sources, every quote marked where it stands."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from jinja2 import Environment

from service.core.types import Document, DocumentFacts, SummaryResult
from service.rendering import pages, phrases

LONGEST_SHOWN = 400_000
"""Characters of a document; a longer one is not shown in the page, which says so."""


class Opened(NamedTuple):
    """The place in a source where a piece of evidence begins."""

    point: str
    number: int
    """Of the piece among the evidence of its point, from 1."""


class Run(NamedTuple):
    """A stretch of a source that is shown alike."""

    text: str
    points: tuple[str, ...]
    """Ids of the points that cite it."""
    opens: tuple[Opened, ...]
    """The evidence that begins here."""
    masked: str | None


class Shown(NamedTuple):
    """A document as the page shows it."""

    facts: DocumentFacts
    name: str
    about: str
    runs: tuple[Run, ...] | None
    """None where the text is gone or too long to show."""


def render(result: SummaryResult, documents: Sequence[Document] = ()) -> str:
    """The page; without a document's text it shows the quotes alone."""
    texts = {document.id: document for document in documents}
    shown = [
        Shown(facts, phrases.name(facts), phrases.document(facts, result), _shown_runs(result, facts, texts))
        for facts in result.documents
    ]
    template = _environment().get_template("summary.html")
    linked = {document.facts.id for document in shown if document.runs is not None}
    return template.render(result=result, phrases=phrases, names=phrases.names(result), documents=shown, linked=linked)


@cache
def _environment() -> Environment:
    return pages.environment()


def _shown_runs(result: SummaryResult, facts: DocumentFacts, texts: dict[str, Document]) -> tuple[Run, ...] | None:
    document = texts.get(facts.id)
    if document is None or len(document.text) > LONGEST_SHOWN:
        return None
    return tuple(runs(document.text, result, facts))


def runs(text: str, result: SummaryResult, facts: DocumentFacts) -> Iterator[Run]:
    """The text, cut wherever a quote or a masked span begins or ends; joined, the runs are the text."""
    quotes = [
        (place.start, place.end, Opened(point.id, number))
        for point in result.key_points
        for number, place in enumerate(point.evidence, 1)
        if place.document == facts.id
    ]
    borders = sorted(
        {0, len(text), *_ends((a, b) for a, b, _ in quotes), *_ends((m.start, m.end) for m in facts.masked)}
    )
    opening: dict[int, list[int]] = defaultdict(list)
    closing: dict[int, list[int]] = defaultdict(list)
    for at, (start, end, _) in enumerate(quotes):
        opening[start].append(at)
        closing[end].append(at)
    reasons = {
        at: m.reason
        for m in facts.masked
        for at in borders[bisect_left(borders, m.start) : bisect_left(borders, m.end)]
    }
    over: dict[int, None] = {}
    for start, end in pairwise(borders):
        for at in closing[start]:
            over.pop(at, None)
        over.update(dict.fromkeys(opening[start]))
        yield Run(
            text=text[start:end],
            points=tuple(quotes[at][2].point for at in sorted(over)),
            opens=tuple(quotes[at][2] for at in opening[start]),
            masked=reasons.get(start),
        )


def _ends(spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    for span in spans:
        yield from span
