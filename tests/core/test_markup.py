"""Marks around a sentence come off; its words do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.markup import is_heading, plain, unmarked


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("> It rained.", "It rained."),
        ("> > It\n> > rained.", "It rained."),
        ("- It rained.", "It rained."),
        ("* *It* rained.", "It rained."),
        ("+ **It** rained.", "It rained."),
        ("1. It rained.", "It rained."),
        ("12) It rained.", "It rained."),
        ("### It rained", "It rained"),
        ("# Weather\nIt rained.", "It rained."),
        ("-5 degrees it was.", "-5 degrees it was."),
        ("2020. A year.", "2020. A year."),
        ("#rain it was.", "#rain it was."),
        ("3 * 4 * 5", "3 * 4 * 5"),
    ],
)
def test_marks_come_off(text: str, line: str) -> None:
    """Of quotations, lists, headings and emphasis; what only looks like one stays."""
    assert plain(text) == line


def test_a_heading_stands_alone() -> None:
    """Marked or in capitals; with a sentence below it, it is not all there is."""
    assert is_heading("## Plans for the bridge")
    assert is_heading("THE KELDER SOUND TUNNEL")
    assert not is_heading("STOP THE TUNNEL!")
    assert not is_heading("## Plans\nIt closes.")
    assert not is_heading("Plans")


@given(st.text(st.sampled_from("ab *>-#1.\n"), max_size=40))
def test_only_the_beginning_comes_off(text: str) -> None:
    """What is left is the end of the text, and the letters of the line are those of that end."""
    assert text.endswith(unmarked(text))
    assert [c for c in plain(text) if c.isalnum()] == [c for c in unmarked(text) if c.isalnum()]
