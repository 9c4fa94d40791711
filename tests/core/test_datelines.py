"""Which lines at the top of a text state its date, and which sentences are such lines."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.datelines import is_furniture, line_date, stated_date, wire_date
from service.core.types import Source

Read = Callable[..., tuple[Source, ...]]

LONG = (
    "The council of the town voted on Tuesday to close the old bridge over the river, after a long dispute about it. "
)


@pytest.mark.parametrize(
    ("line", "iso"),
    [
        ("14 October 2025", "2025-10-14"),
        ("Published: 14 October 2025", "2025-10-14"),
        ("By X, 5 May 2020", "2020-05-05"),
        ("Published 2025-10-14T09:30:00Z", "2025-10-14"),
        ("date: 2025-10-14", "2025-10-14"),
        ("Tuesday 14 October 2025 10.30am BST", "2025-10-14"),
        ("London | Oct. 14, 2025 | 3 min read", "2025-10-14"),
        ("By Jane Doe, Political Editor · Updated: Oct 14, 2025, 3:45 PM ET", "2025-10-14"),
        ("**Published:** *14 October 2025*", "2025-10-14"),
        ("The council met on 5 May 2020", None),
        ("What Happened on 5 May 2020", None),
        ("Attack of 11 September 2001", None),
        ("May 2020", None),
        ("31 February 2025", None),
        ("— Stew Smith (@StewbieDoo) May 5, 2020", None),
        ("", None),
    ],
)
def test_a_line_states_a_day_when_it_holds_nothing_else(line: str, iso: str | None) -> None:
    """Labels, times, names and places may stand beside it; a sentence may not, nor a day that cannot be."""
    found = line_date(line)
    assert (found.iso if found else None) == iso


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("LONDON, Oct 14, 2025 (Reuters) - The bridge is closed.", "2025-10-14"),
        ("WASHINGTON, D.C., Oct. 14, 2025 — The bridge is closed.", "2025-10-14"),
        ("NEW YORK, Oct. 14, 2025 /PRNewswire/ -- The bridge is closed.", "2025-10-14"),
        ("LONDON, Oct 14 (Reuters) - The bridge is closed.", None),
        ("LONDON (Reuters) - The bridge closed on Oct 14, 2025 - at noon.", None),
        ("On May 5, 2020 — a Tuesday — the bridge closed.", None),
    ],
)
def test_a_wire_report_states_its_day_before_its_first_words(text: str, iso: str | None) -> None:
    """After the place, before the dash; a day without a year is none."""
    found = wire_date(text)
    assert (found.iso if found else None) == iso


@pytest.mark.parametrize(
    ("above", "iso"),
    [
        ("Bridge to close\n\n14 October 2025\n\n", "2025-10-14"),
        (f"Bridge to close\n\n{LONG}{LONG}\n\n14 October 2025\n\n", "2025-10-14"),
        ("Bridge to close\r\nA long dispute\r\n14 October 2025\r\n", "2025-10-14"),
        ("Bridge\n\nTo close\n\nAt last\n\n14 October 2025\n\n", None),
        ("End of content\nNo more pages to load\n\n14 October 2025\n\n", "2025-10-14"),
    ],
)
def test_the_day_is_looked_for_in_the_first_three_short_lines(sources: Read, above: str, iso: str | None) -> None:
    """Further down a day may be any day."""
    (read,) = sources(f"{above}{LONG * 3}")
    found = stated_date(read)
    assert (found.iso if found else None) == iso


def test_the_seeds_state_no_date(sources: Read, cruise: str, see_you: str, musk: str) -> None:
    """The days of the posts in one of them are not its own."""
    assert [stated_date(read) for read in sources(cruise, see_you, musk)] == [None] * 3


def test_bylines_and_datelines_are_furniture() -> None:
    """A sentence is none, though it begins like one."""
    assert is_furniture("By Ana Ruiz and Jo Ray")
    assert is_furniture("Photographs by Ana Ruiz")
    assert is_furniture("Published: 14 October 2025")
    assert not is_furniture("By Monday the bridge was gone.")
    assert not is_furniture("By the bridge Ana Ruiz stood and waited")


@given(st.text(st.sampled_from("0123456789 /-,:|AByMay 5Oct2025TZ()@.\n"), max_size=200))
def test_any_line_states_a_day_of_its_own_words_or_none(line: str) -> None:
    """Nothing is inferred."""
    for found in (line_date(line), wire_date(line)):
        assert found is None or (found.text in line and len(found.iso or "") == 10)
    assert is_furniture(line) in (True, False)
