"""The panes of a document set: its claims side by side, its sources with marks, its strip of sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, get_args

from service.core import wording
from service.core.comparison import Cited, EntryLabel
from service.core.types import DocumentFacts, Evidence, KeyPoint, SummaryResult
from service.core.wording import FigureRow, LineDiff
from service.rendering import phrases as summary_phrases
from service.rendering.comparison import phrases
from service.rendering.comparison.marking import Citation, Segment, Side, segments
from service.rendering.comparison.reading import Entry, Shown
from service.rendering.comparison.room import Tier

MOST_CELLS = 240
"""Cells of a strip; where there are more sentences, neighbours that are alike share one."""


class PlaceView(NamedTuple):
    """A piece of evidence as it stands with its claim."""

    quote: str
    adds: bool
    """Whether it says anything that the claim does not say in the same words."""
    where: str
    link: str | None
    """To its place in the source; None where that is not shown."""


class ClaimView(NamedTuple):
    """A claim of one side."""

    key: str
    side: Side
    point: KeyPoint
    places: tuple[PlaceView, ...]
    again: bool = False
    """Whether it stands in a row before: it says what two claims of the other side say."""

    @property
    def leads_to(self) -> str:
        """Its first place in the source; itself where no source is shown."""
        return next((place.link for place in self.places if place.link), f"#{self.key}")


class RowView(NamedTuple):
    """An entry of the ledger."""

    key: str
    entry: Entry
    a: ClaimView | None
    b: ClaimView | None


class Cell(NamedTuple):
    """A sentence of a strip, or neighbours that are alike."""

    cited: Cited
    first: int
    last: int
    link: str | None


class SourceView(NamedTuple):
    """A document."""

    key: str
    name: str
    about: str
    language: str | None
    segments: tuple[Segment, ...] | None
    """None where the text is not shown."""
    missing: str
    """Why it is not."""
    cells: tuple[Cell, ...]
    tally: tuple[tuple[Cited, int], ...]


class ConflictView(NamedTuple):
    """Statements that a version says cannot both hold."""

    kind: str
    note: str
    sides: tuple[str, ...]
    """The quotes of each."""


class SetView(NamedTuple):
    """A document set."""

    key: str
    tier: Tier
    shown: Shown
    rows: tuple[RowView, ...]
    by_label: tuple[tuple[EntryLabel | None, tuple[RowView, ...]], ...]
    """Those first that a reader has to look at."""
    sources: tuple[SourceView, ...]
    words: tuple[tuple[str, tuple[LineDiff, ...]], ...] = ()
    """Of headline and abstract."""
    figures: tuple[FigureRow, ...] = ()

    @property
    def conflicts(self) -> tuple[tuple[Side, tuple[ConflictView, ...]], ...]:
        """What either version says cannot both hold; empty where neither says anything."""
        sides: tuple[Side, Side] = ("a", "b")
        found = tuple((side, _conflicts(result)) for side, result in zip(sides, self.shown.results, strict=True))
        return found if any(conflicts for _, conflicts in found) else ()

    @property
    def keys_a(self) -> Mapping[str, str]:
        """The claims of the first version by the ids of their points."""
        return {row.a.point.id: row.a.key for row in self.rows if row.a}

    @property
    def keys_b(self) -> Mapping[str, str]:
        """Those of the second."""
        return {row.b.point.id: row.b.key for row in self.rows if row.b}

    @property
    def has_source(self) -> bool:
        """Whether the text of a document stands beside the claims."""
        return any(source.segments is not None for source in self.sources)


def _conflicts(result: SummaryResult | None) -> tuple[ConflictView, ...]:
    if result is None:
        return ()
    return tuple(
        ConflictView(
            kind=summary_phrases.conflict(one, result),
            note=summary_phrases.note(one, result),
            sides=tuple(" … ".join(place.quote for place in side.evidence) for side in one.sides),
        )
        for one in result.conflicts
    )


def view(key: str, one: Shown, tier: Tier, texts: Mapping[str, str], crowded: frozenset[str]) -> SetView:
    """A document set, drawn.

    Args:
        key: that all ids within it begin with.
        one: the document set.
        tier: how much of it is shown.
        texts: those that are shown, by their digests.
        crowded: digests of those that there was no room for.

    """
    if tier == "line":
        return SetView(key, tier, one, (), (), ())
    numbers = {digest: number for number, digest in enumerate(_digests(one), 1)}
    citations: dict[str, list[Citation]] = {digest: [] for digest in numbers}
    rows = []
    seen: dict[tuple[Side, str], ClaimView] = {}
    counted: Counter[Side] = Counter()
    for number, entry in enumerate(one.entries, 1):
        sides: dict[Side, ClaimView | None] = {"a": None, "b": None}
        given: tuple[tuple[Side, KeyPoint | None, SummaryResult | None], ...] = (
            ("a", entry.a, one.results[0]),
            ("b", entry.b, one.results[1]),
        )
        for side, point, result in given:
            if point is None or result is None:
                continue
            if (side, point.id) in seen:
                sides[side] = seen[side, point.id]._replace(again=True)
                continue
            counted[side] += 1
            made = _claim(f"{side}{counted[side]}", side, point, _Within(key, result, texts, citations))
            sides[side] = seen[side, point.id] = made
        rows.append(RowView(f"{key}r{number}", entry, sides["a"], sides["b"]))
    facts = {facts.sha256: facts for result in one.results[::-1] if result for facts in result.documents}
    sources = [
        _source(f"{key}d{number}", digest, facts.get(digest), one, texts, citations[digest], crowded)
        for digest, number in numbers.items()
    ]
    order: list[EntryLabel | None] = [*phrases.SIGNS, None]
    ranked = sorted(rows, key=lambda row: (order.index(row.entry.label), -row.entry.weight))
    return SetView(
        key=key,
        tier=tier,
        shown=one,
        rows=tuple(rows),
        by_label=tuple((label, tuple(some)) for label, some in groupby(ranked, lambda row: row.entry.label)),
        sources=tuple(sources),
        words=_words(*one.results) if tier == "whole" else (),
        figures=_figures(*one.results) if tier == "whole" else (),
    )


def _words(a: SummaryResult | None, b: SummaryResult | None) -> tuple[tuple[str, tuple[LineDiff, ...]], ...]:
    """Headline and abstract, sentence beside sentence."""
    if a is None or b is None:
        return ()
    language = a.manifest.parameters.language or a.documents[0].language if a.documents else None
    ours, theirs = ([line.text for line in result.abstract] for result in (a, b))
    headlines = wording.lines_diff([a.headline], [b.headline], language)
    return (("Headline", headlines), ("Abstract", wording.lines_diff(ours, theirs, language)))


def _figures(a: SummaryResult | None, b: SummaryResult | None) -> tuple[FigureRow, ...]:
    return () if a is None or b is None else wording.figures(a, b)


def _digests(one: Shown) -> list[str]:
    """Of the documents, each once."""
    of_results = (facts.sha256 for result in one.results if result for facts in result.documents)
    return list(dict.fromkeys([*one.set.digests, *of_results]))


# --- claims ----------------------------------------------------------------------------------------------------------


class _Within(NamedTuple):
    """Where a claim stands."""

    key: str
    result: SummaryResult
    texts: Mapping[str, str]
    citations: Mapping[str, list[Citation]]
    """Gathered here."""


def _claim(key: str, side: Side, point: KeyPoint, within: _Within) -> ClaimView:
    facts = {facts.id: facts for facts in within.result.documents}
    several = len(facts) > 1
    places = []
    for number, evidence in enumerate(point.evidence, 1):
        document = facts.get(evidence.document)
        text = within.texts.get(document.sha256) if document else None
        anchor = f"{within.key}{key}e{number}"
        marked = document is not None and text is not None and _stands(evidence, text)
        if document is not None and marked:
            label = f"{side.upper()} {point.id}"
            within.citations[document.sha256].append(Citation(evidence.start, evidence.end, side, key, anchor, label))
        name = f"{summary_phrases.name(document)}, " if document and several else ""
        places.append(
            PlaceView(
                quote=evidence.quote,
                adds=summary_phrases.adds(point, evidence),
                where=name + summary_phrases.place(evidence),
                link=f"#{anchor}" if marked else None,
            )
        )
    return ClaimView(f"{within.key}{key}", side, point, tuple(places))


def _stands(evidence: Evidence, text: str) -> bool:
    """Whether the text is the one that the offsets are of."""
    return 0 <= evidence.start < evidence.end <= len(text) and text[evidence.start : evidence.end] == evidence.quote


# --- sources ---------------------------------------------------------------------------------------------------------


def _source(
    key: str,
    digest: str,
    facts: DocumentFacts | None,
    one: Shown,
    texts: Mapping[str, str],
    citations: Sequence[Citation],
    crowded: frozenset[str],
) -> SourceView:
    text = texts.get(digest)
    drawn = next((strip for strip in one.found.strips if strip.document == digest), None)
    strip, spans = (drawn.sentences, drawn.spans) if drawn else ((), ())
    masked = facts.masked if facts else ()
    cells = list(_cells(strip))
    links = {number: f"#{key}n{number}" for number in range(1, len(spans) + 1) if text is not None}
    return SourceView(
        key=key,
        name=summary_phrases.name(facts) if facts else phrases.digest(digest),
        about=_about(facts, digest),
        language=facts.language if facts else None,
        segments=tuple(segments(text, citations, masked, spans)) if text is not None else None,
        missing=phrases.NO_ROOM if digest in crowded else phrases.NO_TEXT,
        cells=tuple(cell._replace(link=links.get(cell.first)) for cell in cells),
        tally=tuple((cited, number) for cited in get_args(Cited) if (number := strip.count(cited))),
    )


def _about(facts: DocumentFacts | None, digest: str) -> str:
    size = f"{facts.characters:,} characters, {facts.language or 'language unknown'}, " if facts else ""
    return f"{size}SHA-256 {phrases.digest(digest)}"


def _cells(strip: Sequence[Cited]) -> Iterator[Cell]:
    if len(strip) <= MOST_CELLS:
        yield from (Cell(cited, number, number, None) for number, cited in enumerate(strip, 1))
        return
    at = 1
    for cited, alike in groupby(strip):
        number = len(list(alike))
        yield Cell(cited, at, at + number - 1, None)
        at += number
