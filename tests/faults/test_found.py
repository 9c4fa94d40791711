"""What the trial by kills and the measurements have found and is not mended yet."""

import pytest

from service.core.figures import unsupported
from service.core.grounding import build_index
from service.core.types import Document, Sentence, Source


@pytest.mark.xfail(
    strict=True,
    raises=ValueError,
    reason="`figures._named` expects a digit in a name, and `_missing_number` gives it names with a number in words: "
    "the whole summary ends as an internal error",
)
def test_a_name_with_a_number_in_words_is_no_fault_of_the_service() -> None:
    """That the Fantastic Four are back is not borne out by a quote that says the heroes; nothing crashes over it."""
    text = "The heroes are back."
    whole = Sentence(number=1, start=0, end=len(text), paragraph=1)
    index = build_index([Source(document=Document(id="d", text=text), language="en", sentences=(whole,))])
    found = unsupported("The film brings the Fantastic Four back.", [text], index)
    assert found is not None
    assert found.code == "number_mismatch"
