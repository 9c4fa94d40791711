"""Words that set something above or apart, held against its evidence."""

import pytest

from service.core.superlatives import unmatched_superlative


@pytest.mark.parametrize(
    ("claim", "passage", "found"),
    [
        ("It is the first film shot there.", "A film is to be shot there.", "the first"),
        ("It is the first film shot there.", "It would be the first-ever film shot there.", None),
        ("She was the only witness.", "She was a witness.", "the only"),
        ("She was the only witness.", "There was no other witness.", None),
        ("The first half was dull.", "It was dull before the break.", None),
    ],
)
def test_a_claim_of_uniqueness_needs_one_in_its_evidence(claim: str, passage: str, found: str | None) -> None:
    """In other words, if need be; a word of order is none."""
    assert unmatched_superlative(claim, passage) == found
