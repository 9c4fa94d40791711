"""What is masked as scraping leftovers, and what is never."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.language import split_sentences
from service.core.masking import is_all_masked, marked, mask
from service.core.text import sentences

TAIL = (
    "News\nStar speaks out after the game\nAfter days of silence the star…\nRain is coming\nIt may be wet…\nLoad more\n"
)
LINES = (
    "It rained.",
    "And then…",
    "Advertisement",
    "News",
    "Star speaks out",
    "Read more",
    "",
    "Comments.",
    "So it was...",
)


def masked_texts(text: str) -> list[str]:
    """What is masked."""
    return [text[span.start : span.end] for span in mask(text)]


def test_the_tail_of_seed_000_is_masked_from_its_heading_to_the_end(cruise: str) -> None:
    """One span, from "News" to the last character, for being teasers."""
    (span,) = mask(cruise)
    assert cruise[span.start :].startswith("News\nStefon Diggs")
    assert cruise[: span.start].endswith("willing to risk everything to make it real.\n")
    assert (span.end, span.reason) == (len(cruise), "teasers")


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028"])
def test_the_tail_is_found_whatever_the_line_ends(cruise: str, end: str) -> None:
    """Line ends of another kind hide nothing."""
    text = cruise.replace("\n", end)
    (span,) = mask(text)
    assert text[span.start :].startswith("News" + end)
    assert span.end == len(text)


def test_nothing_is_masked_in_the_other_seeds(see_you: str, musk: str) -> None:
    """They have no leftovers; tweets are not leftovers."""
    assert mask(see_you) == mask(musk) == ()


def test_the_article_of_seed_000_alone_has_nothing_to_mask(cruise: str) -> None:
    """Without its tail, every line is read."""
    assert mask(cruise[: cruise.index("News\nStefon")]) == ()


def test_a_last_paragraph_that_ends_in_an_ellipsis_is_read() -> None:
    """One such ending is style, not a teaser."""
    assert mask("It rained for a week.\n\nThe river rose and rose…") == ()
    assert mask("It rained for a week.\nThe river\nIt rose and rose...") == ()


def test_a_story_of_short_lines_with_ellipses_is_read() -> None:
    """Statements between them tell it from teasers."""
    assert mask("He paused…\nAnd then?\nNothing…\nHe went on.\nNothing again…") == ()


def test_a_poem_of_broken_lines_is_read() -> None:
    """Where there is no article before it, there is no tail."""
    assert mask("The sea\nIt comes and goes…\nThe wind\nIt comes and goes…\nThe night\nIt stays…") == ()


def test_one_teaser_under_a_heading_is_read() -> None:
    """A tail has at least two."""
    assert mask("It rained.\nNews\nStar speaks out\nAfter days of…") == ()


def test_a_tail_with_a_heading_needs_two_teasers() -> None:
    """And is masked from the heading to the end."""
    assert masked_texts("It rained.\n" + TAIL) == [TAIL]


def test_three_teasers_need_no_heading() -> None:
    """Titles with broken off lines in a row are sign enough."""
    tail = "Star speaks out\nAfter days…\nRain is coming\nIt may…\nBig game tonight\nThe team…"
    assert masked_texts("it rained all day long in the city.\n" + tail) == [tail]


@pytest.mark.parametrize(
    "line", ["Advertisement", "Read more", "End of content", "No more pages to load", "Share this"]
)
def test_lines_of_page_furniture_alone_are_masked(line: str) -> None:
    """The line is, and nothing around it."""
    text = f"It rained.\n{line}\nThe river rose."
    assert masked_texts(text) == [line]
    assert mask(text)[0].reason == "page_furniture"


@pytest.mark.parametrize(
    "line", ["Comments.", "Read more about it in the report.", "Share prices fell.", "Related work"]
)
def test_sentences_that_only_begin_like_furniture_are_read(line: str) -> None:
    """A full stop or more words make it a statement."""
    assert mask(f"It rained.\n{line}\nThe river rose.") == ()


@pytest.mark.parametrize("text", ["Advertisement", "No more pages to load\n\n", "Load more\n...", TAIL])
def test_a_text_may_be_masked_altogether(text: str) -> None:
    """Punctuation outside the masked spans does not count as text."""
    assert is_all_masked(text)


def test_sentences_in_a_masked_tail_are_marked_and_no_others(cruise: str) -> None:
    """Those from the heading on."""
    masked = mask(cruise)
    for sentence in marked(sentences(cruise, split_sentences, masked), masked):
        assert sentence.masked == (sentence.start >= masked[0].start)


@given(st.lists(st.sampled_from(LINES), max_size=14).map("\n".join))
def test_masked_spans_stand_in_order_within_the_text(text: str) -> None:
    """None overlaps another, none is empty."""
    spans = mask(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(before.end <= after.start for before, after in pairwise(spans))
