"""A summary as Markdown, read back by a CommonMark parser."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from service.core.text import presentable
from service.core.types import SummaryResult
from service.rendering.markdown import escape, render

SEED = (Path(__file__).parents[2] / "seeds" / "000_b955a2e84f27efdf.txt").read_bytes().decode()

Summarise = Callable[..., SummaryResult]

parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> list[tuple[str, str]]:
    """Give the blocks that hold text, as (kind, text); anything but plain text in them is an error."""
    tokens = parser.parse(markdown)
    found = []
    for before, token in pairwise(tokens):
        if token.type == "inline":
            assert {child.type for child in token.children or ()} <= {"text", "text_special"}
            found.append((before.tag, "".join(child.content for child in token.children or ())))
    return found


@pytest.mark.parametrize("prefix", ["", "> ", "- ", "1. ", "# "])
@given(text=st.text(st.sampled_from("a1 -+=.)*_`~#<>[]()!&;:|\\\"'/\n\t{}lt") | st.characters(), max_size=30))
def test_escaped_text_is_shown_as_it_is(prefix: str, text: str) -> None:
    """Wherever it stands, it makes no list, heading, link, entity or emphasis: one line that shows the same."""
    line = presentable(text)
    expected = [("h1" if prefix == "# " else "p", line)] if line else []
    found = [block for block in shown(prefix + escape(text)) if block[1]]
    assert found == expected


@pytest.mark.parametrize(
    "text", ["1. one", "- one", "+ one", "---", "===", "# one", "&copy; one", "<b>one</b>", "[a](b)", "    code", "~~~"]
)
def test_markup_of_a_source_is_not_markup_of_the_summary(text: str) -> None:
    """The examples that a scraped text brings along."""
    assert shown(f"> {escape(text)}") == [("p", re.sub(r"^\s+", "", text))]


def test_only_what_a_reader_has_to_know_is_bold(summarise: Summarise) -> None:
    """Where everything is bold, nothing is."""
    result = summarise(SEED)
    lines = {line for line in render(result).splitlines() if re.match(r"\d+\. ", line)}
    assert {point.importance for point in result.key_points} == {"must", "should"}
    for number, point in enumerate(result.key_points, 1):
        claim = escape(point.text)
        assert (f"{number}. **{claim}**" if point.importance == "must" else f"{number}. {claim}") in lines


def test_every_name_is_listed(summarise: Summarise) -> None:
    """Unlike in the terminal, there is room."""
    result = summarise(SEED)
    assert all(f"- {escape(entity.name)} (" in render(result) for entity in result.entities)
