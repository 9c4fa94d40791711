"""Which claims of two lists are one: the same evidence first, then alike words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.alignment import (
    Claim,
    Place,
    align,
    cited_characters,
    cites,
    evidence_overlap,
    meetings,
    shared_characters,
    text_scores,
)


def at(start: int, end: int, document: int = 0) -> Place:
    """A stretch of a document."""
    return Place(document=document, start=start, end=end)


def claim(name: str, *spans: Place, text: str = "") -> Claim:
    """A claim that cites some stretches."""
    return Claim(id=name, text=text, spans=spans)


SPANS = st.builds(
    lambda document, start, length: at(start, start + length, document),
    st.integers(0, 2),
    st.integers(0, 40),
    st.integers(1, 15),
)
TEXTS = st.lists(st.sampled_from("Kelly flew twice to the station in 2015 太空 ’ …".split()), max_size=6).map(" ".join)
CLAIMS = st.lists(
    st.builds(lambda spans, text: claim("", *spans, text=text), st.lists(SPANS, max_size=4), TEXTS), max_size=6
).map(lambda found: [Claim(id=f"k{n}", text=one.text, spans=one.spans) for n, one in enumerate(found, 1)])


def characters(one: Claim) -> set[tuple[int, int]]:
    """Every character that a claim cites, one by one."""
    return {(span.document, place) for span in one.spans for place in range(span.start, span.end)}


# --- evidence --------------------------------------------------------------------------------------------------------


@given(CLAIMS, CLAIMS)
def test_characters_are_counted_as_if_one_by_one(a: list[Claim], b: list[Claim]) -> None:
    """Overlapping spans of one claim count once, and documents are kept apart."""
    assert cited_characters(a).tolist() == [len(characters(one)) for one in a]
    expected = [[len(characters(one) & characters(other)) for other in b] for one in a]
    assert shared_characters(a, b).tolist() == expected


@given(CLAIMS, CLAIMS)
def test_overlap_is_the_intersection_over_the_union(a: list[Claim], b: list[Claim]) -> None:
    """Whichever of the two comes first."""
    found = evidence_overlap(a, b)
    assert found.shape == (len(a), len(b))
    assert found.tolist() == evidence_overlap(b, a).T.tolist()
    for one, row in zip(a, found.tolist(), strict=True):
        for other, share in zip(b, row, strict=True):
            either = len(characters(one) | characters(other))
            assert share == pytest.approx(len(characters(one) & characters(other)) / either if either else 0.0)


def test_half_of_one_span_is_enough_to_cite_a_fact() -> None:
    """A fact may rest on several places; a point that cites one of them, or half of one, has found it."""
    fact = claim("f1", at(0, 10), at(100, 200))
    points = [claim("half", at(5, 10)), claim("less", at(6, 10)), claim("beside", at(10, 100)), claim("none")]
    assert cites([fact], points).tolist() == [[True, False, False, False]]


def test_half_of_all_that_both_cite_is_enough_too() -> None:
    """Where spans overlap, too little of each may still be more than half of the whole: 8 of 15 characters."""
    fact = claim("f1", at(0, 10), at(5, 15))
    assert cites([fact], [claim("k1", at(0, 4), at(11, 15)), claim("k2", at(0, 4))]).tolist() == [[True, False]]


def test_one_claim_may_cite_several_and_be_cited_by_several() -> None:
    """A long quote covers each of the facts in it."""
    facts, points = [claim("f1", at(0, 10)), claim("f2", at(10, 20))], [claim("k1", at(0, 90)), claim("k2", at(2, 18))]
    assert cites(facts, points).tolist() == [[True, True], [True, True]]


# --- words -----------------------------------------------------------------------------------------------------------


@given(CLAIMS, CLAIMS)
def test_text_scores_are_shares(a: list[Claim], b: list[Claim]) -> None:
    """Whatever is compared, and where there are no words at all."""
    found = text_scores(a, b)
    assert found.shape == (len(a), len(b))
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("text", ["Kelly flew twice.", "the the the", "太空电影"])
def test_the_same_words_score_one(text: str) -> None:
    """Even where nothing else is compared, so that no word is rarer than another."""
    assert text_scores([claim("a", text=text)], [claim("b", text=text)]).tolist() == [[1.0]]


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    """“Kelly” tells claims apart, “the film” does not."""
    facts = [claim("f", text="the film and Kelly")]
    points = [claim(text, text=text) for text in ("the film and Musk", "Kelly will fly soon", "the film", "the film")]
    common, rare, *_ = text_scores(facts, points)[0].tolist()
    assert text_scores(facts, [points[1]])[0][0] < rare < common


def test_recall_is_of_the_first_claim_in_the_second() -> None:
    """Saying more costs less than saying less."""
    short, long = claim("s", text="Kelly flew."), claim("l", text="Kelly flew twice and came home to Houston.")
    assert text_scores([short], [long])[0][0] > text_scores([long], [short])[0][0]


def test_stems_are_those_of_the_language() -> None:
    """“Films” is “film” in English; unknown languages compare whole words."""
    one, other = [claim("a", text="films")], [claim("b", text="film")]
    assert text_scores(one, other, "en").tolist() == [[1.0]]
    assert text_scores(one, other, None).tolist() == [[0.0]]


# --- pairs -----------------------------------------------------------------------------------------------------------


@given(CLAIMS, CLAIMS)
def test_every_claim_is_in_one_pair_or_alone(a: list[Claim], b: list[Claim]) -> None:
    """Nothing is lost, and nothing is paired twice."""
    found = align(a, b)
    assert sorted([*(pair.a for pair in found.pairs), *found.a_only]) == sorted(one.id for one in a)
    assert sorted([*(pair.b for pair in found.pairs), *found.b_only]) == sorted(one.id for one in b)
    assert all(pair.score >= {"evidence": 0.5, "text": 0.25}[pair.by] for pair in found.pairs)


@given(CLAIMS)
def test_a_list_is_the_same_as_itself(a: list[Claim]) -> None:
    """Each claim that cites something finds one that cites and says the same."""
    of = {one.id: one for one in a}
    pairs = {pair.a: pair for pair in align(a, a).pairs}
    for one in a:
        if one.spans:
            pair = pairs[one.id]
            assert (pair.by, pair.score) == ("evidence", 1.0)
            assert characters(of[pair.b]) == characters(one)


def test_evidence_goes_before_words() -> None:
    """The same sentence, told differently, is the same claim; the same words about another are not."""
    a = [claim("a1", at(0, 50), text="Kelly flew twice.")]
    b = [claim("b1", at(500, 550), text="Kelly flew twice."), claim("b2", at(0, 40), text="There were two flights.")]
    assert [(pair.a, pair.b, pair.by) for pair in align(a, b).pairs] == [("a1", "b2", "evidence")]
    assert align(a, b).b_only == ("b1",)


def test_words_pair_what_evidence_does_not() -> None:
    """Two versions may cite two places for one statement."""
    a, b = [claim("a1", at(0, 50), text="Kelly flew twice.")], [claim("b1", at(90, 99), text="Kelly has flown twice.")]
    assert [pair.by for pair in align(a, b).pairs] == ["text"]


def test_the_best_pair_is_taken_first() -> None:
    """Not the first one: a2 and b1 are nearer to one another than a1 and b1."""
    a, b = [claim("a1", at(0, 15)), claim("a2", at(0, 11))], [claim("b1", at(0, 10))]
    assert [(pair.a, pair.b) for pair in align(a, b).pairs] == [("a2", "b1")]


def test_a_tie_goes_to_what_stands_first_in_the_source() -> None:
    """Whatever the order in which the claims are given."""
    a = [claim("late", at(10, 20)), claim("early", at(0, 10))]
    b = [claim("both", at(0, 20))]
    assert [pair.a for pair in align(a, b).pairs] == ["early"]


def test_claims_of_one_sentence_find_their_own_words() -> None:
    """Where a sentence holds two facts, evidence is a tie that the words decide."""
    sentence = at(0, 80)
    a = [claim("a1", sentence, text="Kelly flew twice."), claim("a2", sentence, text="He was born in Rome.")]
    b = [claim("b1", sentence, text="He was born in Rome."), claim("b2", sentence, text="Kelly flew twice.")]
    assert [(pair.a, pair.b) for pair in align(a, b).pairs] == [("a1", "b2"), ("a2", "b1")]


def test_nothing_aligns_with_nothing() -> None:
    """Empty lists, and claims without words or evidence."""
    assert align([], []).pairs == ()
    assert align([claim("a")], []).a_only == ("a",)
    assert align([claim("a")], [claim("b", text="…")]).pairs == ()


def test_many_claims_that_cite_the_same_places_pair_by_their_words() -> None:
    """500 with 500, where all cite the same fifty sentences; `bench.comparing` says how long such things take."""
    spans = [at(100 * n, 100 * n + 90) for n in range(50)]
    many = [claim(f"k{n}", *spans, text=f"The same words for number {n}") for n in range(500)]
    found = align(many, many)
    assert all(pair.a == pair.b for pair in found.pairs)


# --- conflicts -------------------------------------------------------------------------------------------------------


def test_conflicts_meet_either_way_round() -> None:
    """What one reader puts first, another may put last."""
    early, late = (at(0, 10),), (at(50, 60),)
    assert meetings([(early, late)], [(early, late), (late, early)]).tolist() == [[True, True]]


def test_one_side_cannot_stand_for_two() -> None:
    """A side that cites everything meets both of the others, and the conflict still lacks one."""
    early, late, all_of_it, elsewhere = (at(0, 10),), (at(50, 60),), (at(0, 60),), (at(900, 910),)
    assert meetings([(early, late)], [(all_of_it, elsewhere), (early, early), (early,), ()]).tolist() == [[False] * 4]
    assert meetings([(early, late)], [(all_of_it, late, elsewhere)]).tolist() == [[True]]


def test_no_conflicts_meet_none() -> None:
    """The shape stays."""
    assert meetings([], []).shape == (0, 0)
    assert meetings([((at(0, 1),), (at(2, 3),))], []).shape == (1, 0)
