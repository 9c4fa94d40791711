"""What negations leave of a claim, and whether a passage says the opposite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.negation import own_polarity, turned
from service.core.types import Polarity


@given(st.lists(st.sampled_from("not no denied that , . the film was made never without remain under wraps".split())))
def test_a_text_never_says_the_opposite_of_itself(words: list[str]) -> None:
    """Whatever its negations."""
    text = " ".join(words)
    assert not turned(text, [text])


@pytest.mark.parametrize("text", ["", "not", "不是", "not " * 5_000, "İ n't’ not", "The film. " * 5_000])
def test_odd_texts_turn_nothing(text: str) -> None:
    """Nothing, only negations, other scripts, and much of the same."""
    assert not turned(text, [text])
    assert not turned(text, [])


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("The bridge was closed on Monday.", "The bridge was not closed on Monday."),
        ("The bridge was not closed on Monday.", "The bridge was closed on Monday."),
        ("The mayor denied that the bridge is safe.", "The mayor confirmed that the bridge is safe."),
    ],
)
def test_one_side_that_says_not_is_the_opposite(claim: str, passage: str) -> None:
    """Whichever side it is, and whatever word says it."""
    assert turned(claim, [passage])


@pytest.mark.parametrize(
    ("claim", "polarity"),
    [
        ("It was not closed.", "negated"),
        ("It was closed.", "affirmed"),
        ("Not all of it was closed.", None),
        ("", None),
    ],
)
def test_the_polarity_of_a_claim_is_told_where_its_words_are_clear(claim: str, polarity: Polarity | None) -> None:
    """Not where a word negates by its meaning, nor where there are no words."""
    assert own_polarity(claim) == polarity
