"""A reference is of the same texts as a summary, by their digests, and every place in it is one.

`test_references.py`, a folder above, holds our own references against their texts.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.alignment import Place
from service.core.errors import InvalidRequest
from service.core.references import Reference, ReferenceDocument, ReferenceSpan, cited, matched, positions
from service.core.types import Date, DocumentFacts


def documents(**digests: str) -> list[DocumentFacts]:
    """Documents of a summary, by their digests."""
    return [
        DocumentFacts(id=name, sha256=digest, characters=9, language="en", date=Date(text=""), masked=())
        for name, digest in digests.items()
    ]


def reference(**digests: str) -> Reference:
    """A reference of documents, by their digests."""
    return Reference(
        documents=tuple(ReferenceDocument(id=name, sha256=digest) for name, digest in digests.items()), facts=()
    )


def test_texts_are_known_by_their_digests() -> None:
    """Names, ids and order may differ."""
    assert matched(documents(d1="a", d2="b"), reference(first="b", second="a")) == {"first": 1, "second": 0}


def test_a_text_that_is_given_twice_has_one_position() -> None:
    """In a summary, and in a reference."""
    assert positions(documents(d1="a", d2="b", d3="a")) == {"d1": 0, "d2": 1, "d3": 0}
    assert matched(documents(d1="a", d2="a"), reference(one="a", two="a")) == {"one": 0, "two": 0}


@pytest.mark.parametrize("held", [reference(d1="a"), reference(d1="a", d2="b", d3="c"), reference(d1="a", d2="c")])
def test_a_reference_of_fewer_more_or_other_documents_is_refused(held: Reference) -> None:
    """A summary of two texts owes less to each."""
    with pytest.raises(InvalidRequest, match="other documents"):
        matched(documents(d1="a", d2="b"), held)


def test_many_documents_are_not_all_named() -> None:
    """Three are enough to see that they differ."""
    several = documents(**{f"d{number}": str(number) * 64 for number in range(1, 8)})
    with pytest.raises(InvalidRequest, match=r"d3 \(3{12}\) and 4 more, the reference of r \(x\)"):
        matched(several, reference(r="x"))


def test_places_are_those_of_the_positions() -> None:
    """By whatever ids."""
    spans = [ReferenceSpan(document="r", start=2, end=5), ReferenceSpan(document="q", start=0, end=1)]
    assert cited(spans, {"r": 1, "q": 0}) == (
        Place(document=1, start=2, end=5),
        Place(document=0, start=0, end=1),
    )


@pytest.mark.parametrize(("document", "start", "end"), [("001", 0, 5), ("000", 5, 5), ("000", -1, 5), ("", 5, 4)])
def test_a_span_that_is_none_is_refused(document: str, start: int, end: int) -> None:
    """A broken reference is not measured against."""
    with pytest.raises(InvalidRequest, match="no such place; documents listed: 000"):
        cited([ReferenceSpan(document=document, start=start, end=end)], {"000": 0})


def test_without_documents_none_is_listed() -> None:
    """And nothing is matched with nothing."""
    assert matched([], reference()) == {}
    with pytest.raises(InvalidRequest, match="documents listed: none"):
        cited([ReferenceSpan(document="d", start=0, end=1)], {})


@given(st.lists(st.text(max_size=3), max_size=6))
def test_positions_have_no_gap(digests: list[str]) -> None:
    """As many as there are texts."""
    found = positions(documents(**{f"d{n}": digest for n, digest in enumerate(digests)}))
    assert set(found.values()) == set(range(len(set(digests))))
