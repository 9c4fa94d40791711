"""Dates of claims: as far as they are given, and whether two of them may both hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.dated import days, of_days, spans
from service.core.types import Date

TEXTS = st.lists(
    st.sampled_from("5 May 2020 on in the next last year Monday , two years ago of December 17 2021-03-04".split()),
    max_size=10,
).map(" ".join)


def of(a: str, b: str) -> str:
    """How the first date of one claim stands to the first of another."""
    return of_days(days(a)[0], days(b)[0])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("on 17 November 2022", {"year": 2022, "month": 11, "day": 17}),
        ("on 2022-11-17", {"year": 2022, "month": 11, "day": 17}),
        ("on May 5", {"month": 5, "day": 5}),
        ("on 5 May", {"month": 5, "day": 5}),
        ("on the 2nd of June", {"month": 6, "day": 2}),
        ("in March 2016", {"year": 2016, "month": 3}),
        ("in December", {"month": 12}),
        ("in May", {"month": 5}),
        ("on Monday", {"weekday": 0}),
        ("on Monday, May 5", {"weekday": 0, "month": 5, "day": 5}),
        ("in November of next year", {"month": 11, "years from now": 1}),
        ("last year", {"years from now": -1}),
        ("a year ago", {"years from now": -1}),
        ("two weeks later", {"weeks from now": 2}),
        ("tomorrow", {"days from now": 1}),
        ("a few years back", {}),
    ],
)
def test_a_date_says_what_it_gives(text: str, parts: dict[str, int]) -> None:
    """No more; one that is given in two steps is one."""
    (found,) = days(f"It happened {text}.")
    assert found.parts == parts
    ((start, end),) = spans(f"It happened {text}.")
    assert f"It happened {text}."[start:end] == found.shown


@pytest.mark.parametrize("text", ["It may happen.", "They march on.", "It lasted 2 years.", "Room 2020a", ""])
def test_what_is_no_date_is_none(text: str) -> None:
    """A month is written with a capital, and with a preposition where it may be another word."""
    assert days(text) == ()


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("on 5 May", "on May 5, 2020", "same"),
        ("on May 5, 2020", "in 2020", "same"),
        ("a year ago", "last year", "same"),
        ("in November of next year", "next year", "same"),
        ("in 2020", "in 2021", "open"),
        ("released in 2020", "released in 2021", "different"),
        ("released on Monday", "released on Tuesday", "different"),
        ("released next year", "released this year", "different"),
        ("on Monday", "in 2020", "apart"),
        ("a few years back", "several years ago", "apart"),
        ("next week", "next month", "apart"),
    ],
)
def test_dates_are_compared_as_far_as_both_go(a: str, b: str, relation: str) -> None:
    """The word beside them tells whether they are of one thing."""
    assert of(f"It was {a}.", f"It was {b}.") == relation


def test_what_is_given_beside_a_date_fills_it_in() -> None:
    """But words that say the same are the same, whatever a model made of them."""
    monday = Date(text="Monday", iso="2020-05-04", basis="inferred")
    (known,) = days("It was on Monday.", (monday,))
    assert of_days(known, days("It was on May 5, 2020.")[0]) == "open"
    assert of_days(known, days("It was on May 4, 2020.")[0]) == "same"
    (other,) = days("It was on Monday.", (Date(text="on Monday", iso="2021-01-04", basis="inferred"),))
    assert of_days(known, other) == "same"


def test_dates_given_beside_words_without_any_count() -> None:
    """Unless they are garbage."""
    (found,) = days("It was then.", (Date(text="then", iso="2020-05"),))
    assert (found.meant, found.at) == ({"year": 2020, "month": 5}, -1)
    assert days("It was then.", (Date(text="then", iso=None),)) == ()
    assert [day.meant for day in days("It was then.", (Date(text="then", iso="soon"),))] == [{}]


def test_other_languages_have_years() -> None:
    """Plain ones."""
    found = days("Im Mai 2020, 1.600 und 20.2020, 12020", english=False)
    assert [day.parts for day in found] == [{"year": 2020}]


def test_a_count_without_end_is_no_date() -> None:
    """Nothing reckons with five thousand digits."""
    assert [dict(day.parts) for day in days("It was " + "9" * 5_000 + " years ago.")] == [{}]


@given(TEXTS, TEXTS)
def test_relations_are_the_same_from_both_sides(a: str, b: str) -> None:
    """And dates stand where they say, none over another."""
    ours, theirs = days(a), days(b)
    for one in ours:
        assert a[one.at :].startswith(one.shown)
        for other in theirs:
            assert of_days(one, other) == of_days(other, one)
    ends = [0, *(one.at + len(one.shown) for one in ours)]
    assert all(end <= one.at for end, one in zip(ends, ours, strict=False))
