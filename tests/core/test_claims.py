"""What a claim says as far as its words tell: roles, units, and whether one claim says all that another says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.claims import agree, claim, covers
from service.core.types import DraftPoint

WORDS = st.lists(st.sampled_from("the director a film is not late 5 Kelly never 東京 ’s".split()), max_size=8).map(
    " ".join
)


def roles(text: str) -> frozenset[str]:
    """The offices and units that a claim names."""
    return claim(DraftPoint(text=text, quotes=())).roles


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("The deputy director and two producers met.", {"deputy director", "producer"}),
        ("The former Prime Minister spoke.", {"former prime minister"}),
        ("The vice-president’s wife left.", {"vice president", "wife"}),
        ("The chief executive is its executive producer.", {"chief executive", "executive producer"}),
        ("It was written and directed by Kelly.", {"writer", "director"}),
        ("It is 5 feet, 3 kilometers and 2 centuries.", {"foot", "kilometre", "century"}),
        ("Its advisors are doctors.", {"adviser", "doctor"}),
        ("The chief reason is former glory.", {"chief"}),
        ("", set()),
        ("東京で開催された。", set()),
    ],
)
def test_offices_and_units_are_read_with_what_qualifies_them(text: str, named: set[str]) -> None:
    """In one form, whatever their number, case and spelling."""
    assert roles(text) == named


def test_points_that_differ_only_in_words_that_do_not_count_have_equal_claims() -> None:
    """So that many wordings of a claim are compared as one."""
    texts = ("It took 340 days.", "The whole of it lasted 340 days.")
    assert len({claim(DraftPoint(text=text, quotes=())) for text in texts}) == 1


@given(WORDS, WORDS)
def test_agreement_is_symmetric(one: str, other: str) -> None:
    """Whichever comes first."""
    a, b = (claim(DraftPoint(text=text, quotes=())) for text in (one, other))
    assert agree(a, b) == agree(b, a)
    assert agree(a, a)


# --- one claim says all that another says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fuller", "other"),
    [
        ("The old pump was stopped by sand.", "The pump was stopped."),
        ("It took 340 days.", "It took 340 days."),
        ("It took the 340 days", "It took 340 days."),
        ("…", "…"),
    ],
)
def test_a_fuller_claim_covers_one_that_leaves_words_out(fuller: str, other: str) -> None:
    """The same words in the same order, articles and marks aside."""
    assert covers(fuller, other, english=True)


@pytest.mark.parametrize(
    ("fuller", "other"),
    [
        ("The pump was stopped.", "The old pump was stopped."),
        ("The cast is not known.", "The plot is not known."),
        ("The pump was not stopped.", "The pump was stopped."),
        ("The pump was reportedly stopped.", "The pump was stopped."),
        ("The pump of the Authority was stopped.", "The pump was stopped."),
        ("Dog bites man in the street.", "Man bites dog."),
        ("It took 340 days.", "It lasted 340 days."),
        ("It took 340 days.", "…"),
        ("…", "It took 340 days."),
        ("…", "—"),
        ("東京で開催された。", "大阪で開催された。"),
    ],
)
def test_claims_that_say_something_else_are_not_covered(fuller: str, other: str) -> None:
    """Another word, another order, or a word more that turns the sense."""
    assert not covers(fuller, other, english=True)


def test_where_the_word_lists_are_not_known_only_the_same_words_are_the_same_claim() -> None:
    """A "nicht" is in no list."""
    assert covers("Er kommt.", "er kommt", english=False)
    assert not covers("Er kommt nicht.", "Er kommt.", english=False)


@given(WORDS, WORDS)
def test_claims_that_cover_each_other_have_the_same_words(one: str, other: str) -> None:
    """And every claim covers itself."""
    assert covers(one, one, english=True)
    if covers(one, other, english=True) and covers(other, one, english=True):
        bare = [[word for word in text.casefold().split() if word not in ("a", "the", "’s")] for text in (one, other)]
        assert bare[0] == bare[1]
