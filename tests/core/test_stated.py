"""Numbers of claims: by value, in their unit, and whether two are of one thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.beside import Near, near
from service.core.stated import as_written, loose, numbers, of_numbers
from service.core.types import Number

TEXTS = st.text(alphabet=st.sampled_from("0123456789 .,-%$€two hundredmillionfirst of daysyearsmore than"), max_size=60)


def of(a: str, b: str) -> str:
    """How the first number of one claim stands to the first of another."""
    return of_numbers(numbers(a)[0], numbers(b)[0])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("It has two rooms.", "2 rooms are in it."),
        ("It cost 16,000 crowns.", "It cost 16000 crowns."),
        ("It cost $5 million.", "It cost 5m dollars."),
        ("It cost 618 million.", "It cost 618.4 million."),
        ("About 340 came.", "345 came."),
        ("It took 24 months.", "It took two years."),
        ("It is 60 miles away.", "It is 97 km away."),
        ("Half a million came.", "500,000 came."),
        ("It came 4th.", "It came fourth."),
    ],
)
def test_one_value_written_in_two_ways_is_the_same(a: str, b: str) -> None:
    """In digits or words, in another unit, rounded."""
    assert of(a, b) == of(b, a) == "same"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("340 men left.", "341 men left."),
        ("It took 340 days.", "It took 430 days."),
        ("It took 2 months.", "It took 2 years."),
        ("It cost $5 million.", "It cost £5 million."),
        ("More than 60 died.", "Fewer than 60 died."),
        ("12 new cases were found.", "15 confirmed cases were found."),
        ("It came 4th.", "It came fifth."),
    ],
)
def test_two_values_of_one_thing_differ(a: str, b: str) -> None:
    """The same noun or the same word before them tells that it is one."""
    assert of(a, b) == of(b, a) == "different"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Two missions flew.", "340 days passed."),
        ("340 days passed.", "430 miles lay behind them."),
        ("5 million people came.", "It cost $6 million."),
        ("It was the third.", "Four came."),
    ],
)
def test_values_of_two_things_are_apart(a: str, b: str) -> None:
    """Days are no miles, people no money, and the third is not three."""
    assert of(a, b) == of(b, a) == "apart"


def test_nothing_beside_two_values_leaves_it_open() -> None:
    """Whether they are of one thing."""
    assert of("In all, 340.", "Altogether 430.") == "open"


def test_dates_are_no_numbers() -> None:
    """Nor are the numbers in them; that they hold them is known."""
    text = "On 5 May 2020, two years ago, seven came."
    assert [figure.shown for figure in numbers(text)] == ["seven"]
    assert {"5", "2020", "2"} <= loose(text)
    assert loose("both, twice, a dozen") == {"2", "12"}


def test_numbers_given_beside_words_without_any_count() -> None:
    """Unless they are garbage; words that hold some are believed."""
    given_too = (Number(text="340", value="340"), Number(text="many", value="1e9"), Number(text="x"))
    assert [figure.shown for figure in numbers("It took a year.", given_too)] == ["340"]
    assert [figure.shown for figure in numbers("It took 12 months.", given_too)] == ["12"]
    assert numbers("It took both.", (Number(text="two", value="2"),)) == ()


def test_other_languages_have_digits() -> None:
    """However they are grouped; a plain year is a date."""
    found = numbers("1.600 Szenen, 1 600 Szenen, ٣٤٠, 2027, fünf", english=False)
    assert [(sorted(figure.values), figure.near.noun) for figure in found] == [
        (["1600"], ("szenen",)),
        (["1600"], ("szenen",)),
        (["340"], ()),
    ]


def test_a_number_is_shown_with_its_bound_and_its_unit() -> None:
    """As the claim writes them."""
    for text, shown in (
        ("It took more than 24 months.", "more than 24 months"),
        ("It cost $5 million.", "$5 million"),
        ("A 340-day mission.", "340-day"),
        ("It has 2 of 5 rooms.", "2"),
        ("It rose 5% to 8.", "5%"),
    ):
        assert as_written(text, numbers(text)[0]) == shown


def test_the_words_beside_are_those_of_the_clause() -> None:
    """The noun ends at the next small word; far away words of a long text are not looked at."""
    text = "Later, Kelly spent 340 long days in space."
    at = text.index("340")
    assert near(text, at, at + 3) == Near(before="spent", after=("long", "day"), noun=("long", "day"))
    filler = "word " * 500
    moved = near(filler + text + filler, len(filler) + at, len(filler) + at + 3)
    assert moved.noun == ("long", "day")
    assert near("340", 0, 3) == Near()
    assert near("Er flog 340 Tage.", 8, 11, english=False).after == ("tage",)


@given(TEXTS, TEXTS)
def test_relations_are_the_same_from_both_sides(a: str, b: str) -> None:
    """Whatever is compared; every number equals itself."""
    for one in numbers(a):
        assert of_numbers(one, one) == "same"
        for other in numbers(b):
            assert of_numbers(one, other) == of_numbers(other, one)
