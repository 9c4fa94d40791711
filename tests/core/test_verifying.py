"""A draft held against its sources: what a bad one gets, fault by fault."""

from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.core.grounding import build_index
from service.core.types import Document, Draft, DraftPoint, DraftQuote, Number, Sentence, Source
from service.core.verifying import Verified, examine, verify

Read = Callable[..., tuple[Source, ...]]

TEXT = (
    "The council closed the “Old Bridge” on Monday. Engineers had found 340 cracks in its piers.\n\n"
    "The mayor said the bridge would be repaired by spring. Nobody was hurt."
)
OTHER = "The library was reopened after a flood that had lasted nine days."


def point(*quotes: str | tuple[str, int | None], text: str = "A claim.", document: str = "d1") -> DraftPoint:
    """A point with quotes of a document, each with the sentence it names, if any."""
    placed = [quote if isinstance(quote, tuple) else (quote, None) for quote in quotes]
    return DraftPoint(
        text=text,
        quotes=tuple(DraftQuote(quote=quote, document=document, sentence=number) for quote, number in placed),
    )


def verified(read: Read, *points: DraftPoint, texts: tuple[str, ...] = (TEXT, OTHER)) -> Verified:
    """What becomes of a draft of some points."""
    sources = read(*texts)
    return verify(Draft(headline="", abstract=(), points=points), build_index(sources))


def dropped(found: Verified) -> list[str]:
    """Why points were dropped."""
    return [drop.reason for drop in found.verification.lost_points]


def test_a_sentence_that_does_not_exist_does_not_hide_a_good_quote(sources: Read) -> None:
    """Its number is passed over, and the quote is found where it stands."""
    found = verified(sources, point(("Nobody was hurt.", 99)))
    assert [(place.sentence, place.match) for place in found.points[0].evidence] == [(4, "exact")]


def test_a_quote_of_another_document_is_dropped_and_says_so(sources: Read) -> None:
    """It is named as standing in the other one."""
    found = verified(sources, point("The library was reopened after a flood"))
    assert dropped(found) == ["wrong_document"]
    assert "'d2'" in found.verification.dropped[0].detail


def test_a_document_that_does_not_exist_has_no_quotes(sources: Read) -> None:
    """Its point is dropped, or said to be another's, and never shown."""
    assert dropped(verified(sources, point("Nobody was hurt.", document="d9"))) == ["wrong_document"]
    assert dropped(verified(sources, point("Nobody said this.", document="d9"))) == ["not_found"]


def test_a_masked_span_is_no_evidence(sources: Read, cruise: str) -> None:
    """The teasers below an article are not the article."""
    teaser = "Stefon Diggs is finally speaking out."
    assert dropped(verified(sources, point(teaser), texts=(cruise,))) == ["boilerplate"]


def test_a_quote_with_one_digit_changed_is_dropped(sources: Read) -> None:
    """However much alike the two are."""
    found = verified(sources, point("Engineers had found 430 cracks in its piers."))
    assert dropped(found) == ["not_found"]
    assert "number" in found.verification.dropped[0].detail


def test_an_ellipsis_does_not_reach_over_a_paragraph(sources: Read) -> None:
    """Within one it does, and the words left out are shown."""
    assert dropped(verified(sources, point("Engineers had found ... repaired by spring."))) == ["not_found"]
    found = verified(sources, point("The mayor said ... repaired by spring."))
    assert [place.quote for place in found.points[0].evidence] == [
        "The mayor said the bridge would be repaired by spring."
    ]
    assert found.verification.ellipsis == 1


def test_straight_marks_for_curly_ones_are_normalised(sources: Read) -> None:
    """What is stored has the marks of the source."""
    found = verified(sources, point('closed the "Old Bridge" on Monday'))
    assert [(place.quote, place.match) for place in found.points[0].evidence] == [
        ("closed the “Old Bridge” on Monday", "normalised")
    ]


def test_the_same_span_twice_is_one_piece_of_evidence(sources: Read) -> None:
    """Both quotes count as given and located."""
    found = verified(sources, point("Nobody was hurt.", "Nobody was hurt."))
    assert len(found.points[0].evidence) == 1
    assert (found.verification.quotes_given, found.verification.exact) == (2, 2)


def test_a_point_without_evidence_is_dropped(sources: Read) -> None:
    """With a reason of its own; an empty quote is no better."""
    assert dropped(verified(sources, point(), point(""), point(" … "))) == ["no_evidence", "empty", "empty"]


def test_an_empty_list_gives_nothing(sources: Read) -> None:
    """And no fault either."""
    found = verified(sources)
    assert (found.points, found.ids, found.verification.points_given, dropped(found)) == ((), {}, 0, [])


def test_five_hundred_points_are_each_accounted_for(sources: Read) -> None:
    """Every other one is good; ids have no gap, and know their place in the draft."""
    names = ["".join("abcdefghij"[int(digit)] for digit in f"{n:03}") for n in range(500)]
    points = [
        point("Nobody was hurt." if n % 2 else f"Nobody wrote of {name}.", text=name) for n, name in enumerate(names)
    ]
    found = verified(sources, *points)
    assert [one.id for one in found.points] == [f"k{n}" for n in range(1, 251)]
    assert [one.text for one in found.points] == names[1::2]
    assert found.ids == {place: f"k{n}" for n, place in enumerate(range(1, 500, 2), 1)}
    assert len(dropped(found)) == 250


def test_a_lost_quote_of_a_point_that_stands_is_listed(sources: Read) -> None:
    """Nothing goes without a word."""
    found = verified(sources, point("Nobody was hurt.", "Nobody ever said anything of the sort."))
    assert len(found.points) == 1
    (lost,) = found.verification.dropped
    assert (lost.part, lost.reason, lost.text) == ("quote", "not_found", "Nobody ever said anything of the sort.")


def test_a_number_that_the_evidence_does_not_hold_is_a_fault(sources: Read) -> None:
    """The quote is real, the claim is not what it says."""
    found = verified(sources, point("Engineers had found 340 cracks in its piers.", text="There were 430 cracks."))
    assert dropped(found) == ["number_mismatch"]


def test_a_url_that_no_source_holds_is_a_fault(sources: Read) -> None:
    """Nobody is sent anywhere by a summary."""
    found = verified(sources, point("Nobody was hurt.", text="Nobody was hurt, see https://example.invalid/x"))
    assert dropped(found) == ["url_not_in_source"]


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(-3, 9))
def test_whatever_is_quoted_is_located_or_missing(quotes: list[str], number: int) -> None:
    """Every quote is accounted for once, and all evidence is the source's own text."""
    source = Source(
        document=Document(id="d1", text=TEXT),
        language="en",
        sentences=(Sentence(number=1, start=0, end=len(TEXT), paragraph=1),),
    )
    found = examine(point(*[(quote, number) for quote in quotes]), build_index([source]))
    assert len(found.matches) + len(found.missing) == len(quotes)
    assert all(TEXT[place.start : place.end] == place.quote for place in found.evidence)
    assert (found.fault is None) == bool(found.evidence and not found.checks)


def test_numbers_have_values_and_none_of_the_claim_is_missing(sources: Read) -> None:
    """What a model lists beside its claim may be incomplete, and says nothing of values."""
    claim = msgspec.structs.replace(
        point("Engineers had found 340 cracks in its piers.", text="In May 2020 engineers found 340 cracks."),
        numbers=(Number(text="340 cracks"),),
    )
    (found,) = verified(sources, claim).points
    assert [(number.text, number.value) for number in found.numbers] == [("340 cracks", "340")]
    assert [(date.text, date.iso) for date in found.dates] == [("May 2020", "2020-05")]
    bare = msgspec.structs.replace(claim, numbers=())
    assert [number.value for number in verified(sources, bare).points[0].numbers] == ["340"]
