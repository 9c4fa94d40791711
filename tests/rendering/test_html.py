"""The page of a summary: self-contained, escaped, and true to the sources."""

import asyncio
from collections.abc import Sequence
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service import pipeline
from service.adapters import language
from service.core.types import Document, MaskedSpan, Options, SummaryResult
from service.rendering import html

SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.txt"))
HOSTILE = (
    '<script>alert("x")</script> said the council of A&B on Tuesday. {{ 7 * 7 }} and {% raw %} stood in the minutes of '
    "O'Brien. Engineer Ana Ruiz said </div></mark> would cost $1.2 million & more. &lt;b&gt; ended the meeting.\r\n"
    'The "old" bridge was closed in 1999, said Ana Ruiz.\n\nAdvertisement\n\nIt rained on Monday in the city of Lisbon.'
)
VOID = {"meta", "link", "br", "img", "input", "hr"}


@cache
def summarised(*documents: Document) -> SummaryResult:
    """Summarise with the real pipeline."""
    tools = pipeline.Tools(
        split_sentences=language.split_sentences,
        detect_language=language.detect_language,
        token_ends=lambda _: pytest.fail("no token is counted for a summary"),
        encoding="none",
        chunk_tokens=1000,
        slots=1,
        service_version="0",
    )
    return asyncio.run(pipeline.summarise(documents, Options(length="detailed"), tools=tools))


@cache
def seeds() -> tuple[Document, ...]:
    """Give the three sample articles."""
    return tuple(
        Document(id=f"d{n}", text=path.read_bytes().decode(), name=path.name) for n, path in enumerate(SEEDS, 1)
    )


class Page(HTMLParser):
    """A page taken apart: tags must nest, and what a reader sees is gathered by the element it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.tags: set[str] = set()
        self.sources: list[str] = []
        self.masked = ""
        self.marks: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, links and what is opened."""
        named = {name: value or "" for name, value in attrs}
        assert len(named) == len(attrs), f"an attribute stands twice in <{tag}>"
        self.tags.add(tag)
        self.ids += [named["id"]] if "id" in named else []
        for name in ("href", "src", "action", "srcset"):
            if name in named:
                (self.links if named[name].startswith("#") else self.outside).append(named[name])
        self.sources += [""] if named.get("class") == "source" else []
        self.marks += [""] if tag == "mark" else []
        if tag not in VOID:
            self.open.append((tag, named.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Gather the text of sources, without the numbers that the page adds."""
        inside = {name for pair in self.open for name in pair}
        if "source" in inside and "sup" not in inside:
            self.sources[-1] += data
            self.masked += data if "masked" in inside else ""
            if "mark" in inside:
                self.marks[-1] += data


def page_of(result: SummaryResult, documents: Sequence[Document]) -> Page:
    """Render, and take apart again."""
    return Page(html.render(result, documents))


@pytest.mark.parametrize(
    "documents", [seeds(), seeds()[:1], (Document(id="d1", text=HOSTILE, title="<i>A & B</i>", name="{{ x }}"),)]
)
def test_the_page_is_whole_and_self_contained(documents: tuple[Document, ...]) -> None:
    """Tags nest, ids are unique, every link leads to a place in the page, and nothing is fetched or run."""
    page = page_of(summarised(*documents), documents)
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert page.outside == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form", "base", "i", "b"}


@pytest.mark.parametrize("documents", [seeds(), (Document(id="d1", text=HOSTILE),)])
def test_the_sources_stand_in_the_page_as_they_are(documents: tuple[Document, ...]) -> None:
    """What a browser shows of a source is its text, markup and braces included."""
    page = page_of(summarised(*documents), documents)
    assert page.sources == [document.text for document in documents]


@pytest.mark.parametrize("documents", [seeds(), (Document(id="d1", text=HOSTILE),)])
def test_every_quote_is_marked_at_its_place(documents: tuple[Document, ...]) -> None:
    """The marked stretches are the quotes, and each piece of evidence links to its own."""
    result = summarised(*documents)
    page = page_of(result, documents)
    quotes = [evidence.quote for point in result.key_points for evidence in point.evidence]
    assert sorted(page.marks) == sorted(quotes)
    anchors = [f"#at-{point.id}-{n}" for point in result.key_points for n, _ in enumerate(point.evidence, 1)]
    assert set(anchors) <= set(page.links)


def test_masked_parts_are_shown_as_such() -> None:
    """What was not read stands in the page, apart from the rest and with the reason."""
    result = summarised(*seeds())
    page = html.render(result, seeds())
    masked = [
        seeds()[position].text[span.start : span.end]
        for position, facts in enumerate(result.documents)
        for span in facts.masked
    ]
    assert Page(page).masked == "".join(masked)
    assert masked[0].startswith("News")
    assert 'data-why="not read: teasers"' in page


def test_without_its_text_a_document_is_named_and_not_linked() -> None:
    """The quotes stand with their points, and no link is dead."""
    result = summarised(*seeds())
    page = page_of(result, ())
    assert page.sources == []
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_a_document_too_long_is_not_shown() -> None:
    """The page says so and stays small."""
    document = replace(seeds()[0], text=seeds()[0].text + " " * html.LONGEST_SHOWN)
    page = html.render(summarised(seeds()[0]), [document])
    assert "gone or too long" in page
    assert len(page) < 50_000


spans = st.tuples(st.integers(0, 40), st.integers(1, 10))


@given(
    text=st.text(min_size=1, max_size=50),
    quotes=st.lists(st.lists(spans, min_size=1, max_size=3), max_size=4),
    masked=st.lists(spans, max_size=2),
)
def test_joined_runs_are_the_source(
    text: str, quotes: list[list[tuple[int, int]]], masked: list[tuple[int, int]]
) -> None:
    """However quotes and masked parts lie, overlap or share a place: nothing is lost, doubled or unmarked."""
    base = summarised(seeds()[0])
    point = base.key_points[0]

    def bounded(span: tuple[int, int]) -> tuple[int, int]:
        start = min(span[0], len(text) - 1)
        return start, min(start + span[1], len(text))

    points = tuple(
        replace(
            point,
            id=f"k{number}",
            evidence=tuple(
                replace(point.evidence[0], start=a, end=b, quote=text[a:b]) for a, b in map(bounded, places)
            ),
        )
        for number, places in enumerate(quotes, 1)
    )
    facts = replace(
        base.documents[0], masked=tuple(MaskedSpan(start=a, end=b, reason="teasers") for a, b in map(bounded, masked))
    )
    runs = tuple(html.runs(text, replace(base, key_points=points), facts))
    assert "".join(run.text for run in runs) == text
    assert sorted(opened for run in runs for opened in run.opens) == [
        (found.id, number) for found in points for number, _ in enumerate(found.evidence, 1)
    ]
    at = 0
    for run in runs:
        places = {p.id for p in points for e in p.evidence if e.start <= at < e.end}
        assert set(run.points) == places
        assert (run.masked is not None) == any(m.start <= at < m.end for m in facts.masked)
        at += len(run.text)
