"""Points that say the same of the same passage: what is a duplicate, and what only stands beside one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.duplicates import duplicates, overlap
from service.core.merging import hold, may_join, united
from service.core.types import DraftPoint, DraftQuote, Evidence, Stance

CLAIMS = ("The pump stopped.", "The old pump stopped.", "The pump did not stop.", "The pump took 5 days.", "It rained.")
ENGLISH = {"d1": "en", "d2": None}


def point(text: str, *cited: tuple[int, int], document: str = "d1", stance: Stance = "asserted") -> DraftPoint:
    """A point whose quotes say where they stand: "3-9" is the evidence [3:9)."""
    quotes = tuple(DraftQuote(quote=f"{start}-{end}", document=document) for start, end in cited)
    return DraftPoint(text=text, quotes=quotes, stance=stance)


def spans(one: DraftPoint) -> tuple[Evidence, ...]:
    """Where the quotes of a point say that they stand."""
    places = [(quote, int(start), int(end)) for quote in one.quotes for start, end in [quote.quote.split("-")]]
    return tuple(
        Evidence(
            document=quote.document,
            sentence=1,
            quote=quote.quote,
            start=start,
            end=end,
            prefix="",
            suffix="",
            match="exact",
        )
        for quote, start, end in places
    )


def found(*points: DraftPoint, languages: dict[str, str | None] | None = None) -> list[tuple[int, ...]]:
    """The groups of some points."""
    return duplicates(hold(points), spans, ENGLISH if languages is None else languages)


def test_the_same_claim_of_the_same_passage_is_one_point() -> None:
    """In its first place."""
    pump = point("The pump stopped.", (10, 30))
    assert found(pump, point("It rained.", (0, 9)), pump) == [(0, 2), (1,)]


def test_the_fuller_claims_words_are_kept() -> None:
    """Nothing that was said is lost; of equal ones, the first stays."""
    points = (point("The pump stopped.", (10, 30)), point("The old pump stopped again.", (10, 32)))
    (group,) = found(*points)
    assert group == (1, 0)
    (one,) = united([group], hold(points))
    assert one.point.text == "The old pump stopped again."
    assert [quote.quote for quote in one.point.quotes] == ["10-32", "10-30"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The cast is not known.", "The plot is not known."),
        ("He was tired.", "He was hungry."),
        ("The pump stopped.", "The pump did not stop."),
        ("It took 340 days.", "It took 430 days."),
        ("Kelly is the director.", "Kelly is the producer."),
    ],
)
def test_two_claims_of_one_sentence_stay_two(one: str, other: str) -> None:
    """What a sentence says twice over is rare; what it says beside something else is common."""
    assert found(point(one, (0, 50)), point(other, (0, 50))) == [(0,), (1,)]


@pytest.mark.parametrize(
    ("cited", "joined"),
    [((0, 10), True), ((0, 20), True), ((0, 21), False), ((5, 10), True), ((6, 10), False), ((10, 20), False)],
)
def test_half_of_the_cited_characters_are_shared_or_more(cited: tuple[int, int], joined: bool) -> None:
    """Those that both cite, over those that either cites."""
    assert (len(found(point("It rained.", (0, 10)), point("It rained.", cited))) == 1) == joined


def test_what_is_cited_twice_counts_once() -> None:
    """Quotes of one point may overlap."""
    assert overlap((("d1", 0, 10),), (("d1", 0, 10),)) == 1
    assert len(found(point("It rained.", (0, 10), (2, 10), (0, 10)), point("It rained.", (0, 10)))) == 1


def test_another_document_is_another_passage() -> None:
    """Two sources that say the same are two witnesses; whether to join them is the model's to say."""
    assert len(found(point("It rained.", (0, 10)), point("It rained.", (0, 10), document="d2"))) == 2


def test_a_point_without_located_evidence_is_nobodys_duplicate() -> None:
    """There is no passage to share; nor is an empty one."""
    assert found(point("It rained."), point("It rained."), point("It rained.", (3, 3))) == [(0,), (1,), (2,)]
    assert found() == []


def test_the_word_lists_are_not_asked_about_another_language() -> None:
    """The same words are the same claim in any; a word more may be a "nicht"."""
    texts = ("Er kommt nicht.", "Er kommt.", "er kommt")
    assert found(*(point(text, (0, 9)) for text in texts), languages={"d1": "de"}) == [(0,), (1, 2)]


def test_denials_are_joined_only_with_themselves() -> None:
    """Word for word."""
    denied = point("He denied it.", (0, 9), stance="denied")
    assert found(denied, point("He denied it.", (0, 9)), denied) == [(0, 2), (1,)]


POINTS = st.lists(
    st.builds(
        lambda text, cited, document: point(text, *((a, a + n) for a, n in cited), document=document),
        st.sampled_from(CLAIMS),
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=3),
        st.sampled_from(("d1", "d2")),
    ),
    max_size=20,
)


@given(POINTS)
def test_groups_hold_every_point_once_and_only_what_may_be_joined(points: list[DraftPoint]) -> None:
    """In the order of the first of each; all evidence stays; what is grouped is of one document."""
    groups = found(*points)
    assert sorted(at for group in groups for at in group) == list(range(len(points)))
    assert [min(group) for group in groups] == sorted(min(group) for group in groups)
    for group in groups:
        assert all(may_join(points[a], points[b]) for a in group for b in group)
        assert len({quote.document for at in group for quote in points[at].quotes}) <= 1 or len(group) == 1
    quotes = {quote for one in united(groups, hold(points)) for quote in one.point.quotes}
    assert quotes == {quote for one in points for quote in one.quotes}


def test_thousands_of_points_of_one_sentence_take_little_time() -> None:
    """Each is held against a few of its neighbours: the calls for evidence are one a point, and the rest is bounded."""
    same = [point("It rained.", (0, 10)) for _ in range(3_000)]
    different = [point(f"It rained {'very ' * n}hard.", (0, 10)) for n in range(300)]
    asked: list[DraftPoint] = []

    def counted(one: DraftPoint) -> Sequence[Evidence]:
        asked.append(one)
        return spans(one)

    groups = duplicates(hold((*same, *different)), lambda one: tuple(counted(one)), ENGLISH)
    assert len(asked) == 3_300
    assert len(groups) < 300
