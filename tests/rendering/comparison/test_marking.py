"""A source cut into runs: nothing of it is lost, and every run knows who cites it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.core.types import MaskedSpan
from service.rendering.comparison.marking import Citation, Side, segments

SIZE = 30
SPANS = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted)
SIDES: st.SearchStrategy[Side] = st.sampled_from(("a", "b"))


def cite(at: int, start: int, end: int, side: Side) -> Citation:
    """A piece of evidence."""
    return Citation(start, end, side, f"{side}{at}", f"{side}{at}e1", f"{side.upper()} k{at}")


@given(
    text=st.text(min_size=SIZE, max_size=SIZE),
    cited=st.lists(st.tuples(SPANS, SIDES), max_size=6),
    masked=st.lists(SPANS, max_size=3),
    borders=st.sets(st.integers(0, SIZE), max_size=8),
)
def test_the_runs_are_the_text_and_each_is_cited_by_those_whose_quotes_hold_it(
    text: str, cited: list[tuple[list[int], Side]], masked: list[list[int]], borders: set[int]
) -> None:
    """Character by character, wherever quotes, masks and sentences begin and end."""
    citations = [cite(at, span[0], span[1], side) for at, (span, side) in enumerate(cited)]
    spans = [MaskedSpan(start=span[0], end=span[1], reason="teasers") for span in masked]
    ends = sorted(borders)
    sentences = list(pairwise(ends))
    found = list(segments(text, citations, spans, sentences))
    assert "".join(run.text for segment in found for run in segment.runs) == text
    at = 0
    opened: list[Citation] = []
    for segment in found:
        for run in segment.runs:
            hides = [span for span in spans if span.start == at and span.start < span.end]
            assert run.hides == bool(hides)
            for place in range(at, at + len(run.text)):
                holding = [one for one in citations if one.start <= place < one.end]
                assert set(run.claims) == {one.claim for one in holding}
                sides = {one.side for one in holding}
                assert run.cited == ("both" if len(sides) == 2 else next(iter(sides), ""))
                assert (run.masked is not None) == any(span.start <= place < span.end for span in spans)
                assert segment.sentence == next(
                    (n for n, (start, end) in enumerate(sentences, 1) if start <= place < end), None
                )
            opened += run.opens
            at += len(run.text)
    assert sorted(opened) == sorted(one for one in citations if one.start < one.end)


def test_an_empty_text_has_no_runs() -> None:
    """And is no error."""
    assert list(segments("", [], [])) == []
