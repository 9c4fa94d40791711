"""A summary at a terminal: it can be followed, and it wraps where its words end."""

import io
import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from rich.console import Console

from service.core.types import SummaryResult
from service.rendering import terminal

Summarise = Callable[..., SummaryResult]


def shown(result: SummaryResult, width: int = 80) -> list[str]:
    """The lines that are printed."""
    stream = io.StringIO()
    terminal.render(result, (), Console(file=stream, width=width, highlight=False))
    return stream.getvalue().splitlines()


def section(lines: list[str], title: str) -> list[str]:
    """The lines under a heading."""
    at = lines.index(title) + 1
    return lines[at : next((n for n in range(at, len(lines)) if not lines[n]), len(lines))]


@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_line_is_too_long_or_ends_in_a_space(
    summarise: Summarise, cruise: str, see_you: str, musk: str, width: int
) -> None:
    """Headline and overview too."""
    lines = shown(summarise(cruise, see_you, musk), width)
    assert all(len(line) <= width and line == line.rstrip() for line in lines)


def test_points_are_labelled_with_the_ids_that_caveats_name(summarise: Summarise, cruise: str) -> None:
    """So that they can be followed."""
    result = summarise(cruise)
    text = "\n".join(shown(result))
    assert re.findall(r"^ ?(k\d+) ", text, re.MULTILINE) == [point.id for point in result.key_points]


def test_a_conflict_shows_each_side_with_its_points_and_quotes(summarise: Summarise, see_you: str) -> None:
    """The sides are told apart, and a reader need not look the quotes up."""
    result = summarise(see_you)
    (conflict,) = result.conflicts
    head, *lines = section(shown(result, width=400), "Conflicts")
    assert conflict.note in head
    labels, quotes = lines[::2], lines[1::2]
    for label, said, quote, side in zip(labels, ("one side", "the other side"), quotes, conflict.sides, strict=True):
        points = f" ({', '.join(side.key_points)})" if side.key_points else ""
        assert label.strip() == said + points
        assert side.evidence[0].quote in quote


def test_twelve_names_are_shown_at_most(summarise: Summarise, musk: str) -> None:
    """And how many more there are."""
    result = summarise(musk)
    entity = result.entities[0]
    many = replace(result, entities=tuple(replace(entity, name=f"Name {n}") for n in range(15)))
    lines = section(shown(many), "Names")
    assert len(lines) == 13
    assert lines[-1].strip() == "and 3 more"
    assert "more" not in section(shown(result), "Names")[-1]


def test_only_musts_are_bold(summarise: Summarise, cruise: str) -> None:
    """Where colours can be shown at all."""
    stream = io.StringIO()
    result = summarise(cruise)
    terminal.render(result, (), Console(file=stream, width=400, force_terminal=True, highlight=False))
    for point in result.key_points:
        assert (f"\x1b[1m{point.text}" in stream.getvalue()) == (
            point.importance == "must" or point.text == result.headline
        )


def test_no_character_commands_the_terminal(summarise: Summarise, cruise: str) -> None:
    """Whatever a model or a document wrote: no escape sequence, nothing that turns a line around."""
    result = replace(summarise(cruise), headline="Stop\x1b[2J\x07 and\u202e go\x9b31m")
    assert shown(result)[0] == "Stop[2J and go31m"
