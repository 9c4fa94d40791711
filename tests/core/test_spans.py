"""Stretches of documents are what the characters in them are."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.core.spans import Overlaps, Stretch, common, length, united

STRETCHES = st.lists(
    st.builds(
        lambda document, start, size: (document, start, start + size),
        st.sampled_from(("d1", "d2")),
        st.integers(0, 30),
        st.integers(0, 9),
    ),
    max_size=9,
)


def characters(*spans: Stretch) -> set[tuple[str, int]]:
    """Every character of some stretches, one by one."""
    return {(document, at) for document, start, end in spans for at in range(start, end)}


@given(STRETCHES)
def test_united_spans_hold_the_same_characters_in_order_and_apart(spans: list[Stretch]) -> None:
    """Between two of one document there is a character of neither; uniting them again changes nothing."""
    one = united(spans)
    assert characters(*one) == characters(*spans)
    assert all(a[0] < b[0] or a[2] < b[1] for a, b in pairwise(one))
    assert united(one) == one == united(reversed(spans))


@given(STRETCHES, STRETCHES)
def test_characters_are_counted_as_if_one_by_one(one: list[Stretch], other: list[Stretch]) -> None:
    """Those of either and those of both; documents are kept apart."""
    a, b = united(one), united(other)
    assert length(a) == len(characters(*one))
    assert common(a, b) == common(b, a) == len(characters(*one) & characters(*other))


def test_spans_that_touch_have_nothing_in_common() -> None:
    """Nor do the same offsets in two documents."""
    assert common([("d1", 0, 5), ("d1", 5, 7)], [("d1", 7, 9), ("d2", 0, 7)]) == 0


def test_an_empty_span_stays_unless_it_touches_another() -> None:
    """It is a place too: whoever wants characters only leaves it out before."""
    assert united([("d1", 7, 7), ("d1", 0, 5), ("d1", 5, 5)]) == (("d1", 0, 5), ("d1", 7, 7))


def test_documents_may_be_known_by_their_positions() -> None:
    """As where two summaries know one document by different ids."""
    assert united([(1, 0, 4), (0, 2, 9), (0, 0, 3)]) == ((0, 0, 9), (1, 0, 4))


@given(STRETCHES, STRETCHES)
def test_what_overlaps_shares_a_character(spans: list[Stretch], places: list[Stretch]) -> None:
    """Also where the stretches lie over one another; touching is not overlapping."""
    ready = Overlaps((span, number) for number, span in enumerate(spans))
    for place in (place for place in places if place[1] < place[2]):
        expected = {number for number, span in enumerate(spans) if characters(span) & characters(place)}
        assert {number for number in ready.over(place) if spans[number][1] < spans[number][2]} == expected


def test_many_places_are_asked_for_in_little_work() -> None:
    """What lies before a place is passed over, however much: only what may overlap is looked at."""
    ready = Overlaps((("d1", at, at + 2), at) for at in range(100_000))
    assert all(ready.over(("d1", at, at + 1)) == {at - 1, at} for at in range(1, 100_000))
    assert ready.over(("d2", 0, 9)) == set()
