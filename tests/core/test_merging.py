"""Merging by number: what is joined, what stays apart, and what becomes of an abstract."""

from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.claims import fit
from service.core.contract import GroupReply, LineReply, MergeReply
from service.core.merging import (
    block,
    by_document,
    chosen,
    costs,
    drafted,
    foremost,
    hold,
    is_last_round,
    join,
    may_join,
    plan_round,
    united,
)
from service.core.types import (
    Attribution,
    Draft,
    DraftPoint,
    DraftQuote,
    Importance,
    Polarity,
    SpeakerType,
    Stance,
)

STANCES: tuple[Stance, ...] = get_args(Stance)
WEAKEST_FIRST: tuple[Stance, ...] = ("claimed", "reported", "asserted", "confirmed")
NAMES = ("Kelly", "Cruise", "Élodie", "Örn", "Müller", "NASA", "Scott Kelly", "Mark Kelly", "東京", "Москва")
NUMBERS = ("3", "340", "430", "1,600", "$5", "5%", "five", "one", "zero", "two million")
DATES = ("in May 2020", "in May 2021", "on Monday", "on Tuesday", "last year", "next year", "2019-01-02")


def point(
    text: str = "It took 340 days.",
    *,
    stance: Stance = "asserted",
    polarity: Polarity = "affirmed",
    importance: Importance = "should",
    who: str | None = None,
    who_type: SpeakerType = "author",
    quotes: tuple[str, ...] = ("a",),
) -> DraftPoint:
    """A point of document d1."""
    return DraftPoint(
        text=text,
        stance=stance,
        polarity=polarity,
        importance=importance,
        attribution=Attribution(who=who, type=who_type),
        quotes=tuple(DraftQuote(quote=quote, document="d1", sentence=1) for quote in quotes),
    )


def reply(*groups: tuple[int, ...], abstract: tuple[tuple[int, ...], ...] = ()) -> MergeReply:
    """A reply that keeps groups of points."""
    return MergeReply(
        points=tuple(GroupReply(ids=ids) for ids in groups),
        headline="A headline",
        abstract=tuple(LineReply(text=f"Line {n}.", points=points) for n, points in enumerate(abstract, 1)),
    )


def applied(answer: MergeReply, points: Sequence[DraftPoint]) -> Draft:
    """The draft that a reply means over points."""
    held = hold(points)
    return drafted(answer, chosen(answer, held), held)


POINTS = st.builds(
    point,
    st.builds("The flight of {} took {} days {}.".format, *map(st.sampled_from, (NAMES, NUMBERS, DATES))),
    stance=st.sampled_from(STANCES),
    polarity=st.sampled_from(get_args(Polarity)),
    importance=st.sampled_from(get_args(Importance)),
    who=st.sampled_from((None, "Kelly", "Cruise")),
    quotes=st.lists(st.sampled_from("abcdef"), max_size=3).map(tuple),
)

# --- what may be joined ----------------------------------------------------------------------------------------------


@given(POINTS, st.data())
def test_points_that_differ_in_what_they_claim_are_never_joined(one: DraftPoint, data: st.DataObject) -> None:
    """Another name, number or date in the same words is another claim."""
    values = data.draw(st.sampled_from((NAMES, NUMBERS, DATES)))
    text = "The flight of {} took {} days {}."
    fields = ["Kelly", "340", "last year"]
    place = (NAMES, NUMBERS, DATES).index(values)
    a, b = data.draw(st.lists(st.sampled_from(values), min_size=2, max_size=2, unique=True))
    texts = [text.format(*fields[:place], value, *fields[place + 1 :]) for value in (a, b)]
    known = {a, b} in ({"Kelly", "Scott Kelly"}, {"Kelly", "Mark Kelly"})
    assert known or not may_join(point(texts[0], stance=one.stance), point(texts[1], stance=one.stance))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kelly joined the film.", "Cruise joined the film."),
        ("Élodie joined the film.", "Örn joined the film."),
        ("The first film is late.", "The second film is late."),
        ("One man died.", "Two men died."),
        ("One man died.", "Zero men died."),
        ("It costs $5.", "It costs 5%."),
        ("10 died and 10 were hurt.", "10 died."),
        ("He will fly.", "He won’t fly."),
        ("He flew.", "He denied that he flew."),
        ("It opens in May 2020.", "It opens in May."),
        ("東京で開催された。", "大阪で開催された。"),
        ("Приехал Иванов.", "Приехал Петров."),
        ("Kelly is the director of the film.", "Kelly is the producer of the film."),
        ("The film is directed by Kelly.", "The film is produced by Kelly."),
        ("Kelly is the president.", "Kelly is the vice-president."),
        ("Kelly is a producer.", "Kelly is an executive producer."),
        ("It took 340 days.", "It took 340 weeks."),
        ("It is 5 miles long.", "It is 5 km long."),
    ],
)
def test_small_differences_keep_points_apart(one: str, other: str) -> None:
    """At the start of a sentence too, in words too, in other scripts too, and where the model's labels agree."""
    assert not may_join(point(one), point(other))
    assert not may_join(point(other), point(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It took 340 days.", "The flight lasted 340 days."),
        ("Kelly spent 340 days in space.", "Scott Kelly was in space for 340 days."),
        ("Five million saw it.", "It was seen by 5 million."),
        ("It opens in March 2016.", "In March 2016 it opens."),
        ("Kelly’s film is late.", "The film of Kelly is late."),
        ("Kelly, the director, is late.", "Kelly is late."),
        ("Liman is the director of the film.", "The film is directed by Liman."),
        ("It is 5 kilometers long.", "Its length is 5 km."),
    ],
)
def test_points_that_say_the_same_may_be_joined(one: str, other: str) -> None:
    """Other words for it, or a longer form of a name, do not matter."""
    assert may_join(point(one), point(other))
    assert may_join(point(other), point(one))


@given(POINTS, POINTS)
def test_joining_is_symmetric_and_keeps_what_stands_apart_apart(one: DraftPoint, other: DraftPoint) -> None:
    """Denied, joke, opinion, polarity and speaker decide, whatever the words."""
    allowed = may_join(one, other)
    assert allowed == may_join(other, one)
    if one.polarity != other.polarity:
        assert not allowed
    alone = {"denied", "joke", "opinion"}
    if {one.stance, other.stance} & alone and (one.stance != other.stance or one.text != other.text):
        assert not allowed
    if one.attribution.who and other.attribution.who and one.attribution.who != other.attribution.who:
        assert not allowed


@given(POINTS)
def test_a_point_may_be_joined_with_itself(one: DraftPoint) -> None:
    """A repeated point is one point."""
    assert may_join(one, one)


# --- joining ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(WEAKEST_FIRST), min_size=1, max_size=5))
def test_the_weakest_stance_survives(stances: list[Stance]) -> None:
    """What one part only claims, the whole does not assert."""
    joined = join([point(stance=stance) for stance in stances])
    assert joined.stance == min(stances, key=WEAKEST_FIRST.index)


@given(st.lists(POINTS, min_size=1, max_size=5))
def test_evidence_is_united_and_a_must_stays_a_must(points: list[DraftPoint]) -> None:
    """Every quote of every point, once; the first one's words."""
    joined = join(points)
    quotes = [(quote.document, quote.sentence, quote.quote) for quote in joined.quotes]
    assert len(set(quotes)) == len(quotes)
    assert {quote[2] for quote in quotes} == {quote.quote for one in points for quote in one.quotes}
    assert joined.text == points[0].text
    assert (joined.importance == "must") == any(one.importance == "must" for one in points)


@given(st.lists(POINTS, min_size=1, max_size=6), st.lists(st.lists(st.integers(1, 6), min_size=1), max_size=4))
def test_a_reply_never_makes_a_claim_stronger(points: list[DraftPoint], groups: list[list[int]]) -> None:
    """Whatever is asked for, what is joined has the weakest stance of its members, and nobody else's words."""
    held = hold(points)
    for group in chosen(reply(*map(tuple, groups)), held):
        members = [points[at] for at in group]
        joined = join(members)
        assert all(may_join(one, other) for one in members for other in members)
        assert joined.text == members[0].text
        assert joined.polarity == members[0].polarity
        if joined.stance in WEAKEST_FIRST:
            assert all(WEAKEST_FIRST.index(joined.stance) <= WEAKEST_FIRST.index(one.stance) for one in members)
        else:
            assert {one.stance for one in members} == {joined.stance}


def test_what_is_joined_has_to_fit_all_that_the_others_stand_for() -> None:
    """Kelly may be Scott Kelly or Mark Kelly, but not both, in whichever round they meet."""
    kelly, scott, mark = held = hold(
        [point("Kelly is late."), point("Scott Kelly is late."), point("Mark Kelly is late.")]
    )
    assert (fit(kelly.claims, scott.claims), fit(kelly.claims, mark.claims), fit(scott.claims, mark.claims)) == (
        True,
        True,
        False,
    )
    (both,) = united([(0, 1)], held)
    assert (both.point.text, both.origins) == ("Kelly is late.", (0, 1))
    assert not fit(both.claims, mark.claims)


def test_whoever_says_it_stays_named() -> None:
    """The weakest stance without the one who claims it would be nobody's claim."""
    joined = join([point(), point(stance="claimed", who="Kelly", who_type="named")])
    assert (joined.stance, joined.attribution.who) == ("claimed", "Kelly")


# --- replies ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(POINTS, min_size=1, max_size=8),
    st.lists(st.lists(st.integers(-2, 12), min_size=1, max_size=6).map(tuple), max_size=6),
    st.lists(st.lists(st.integers(-2, 12), max_size=4).map(tuple), max_size=4),
)
def test_any_numbers_make_a_sound_draft(
    points: list[DraftPoint], groups: list[tuple[int, ...]], lines: list[tuple[int, ...]]
) -> None:
    """Numbers that are none or repeated do no harm: what is named is there with its evidence, each once."""
    draft = applied(reply(*groups, abstract=tuple(lines)), points)
    named = {number for group in groups for number in group if 0 < number <= len(points)}
    quotes = {quote.quote for one in draft.points for quote in one.quotes}
    assert quotes == {quote.quote for number in named for quote in points[number - 1].quotes}
    assert len(draft.points) <= len(named)
    assert {one.text for one in draft.points} <= {points[number - 1].text for number in named}
    for line in draft.abstract:
        assert line.points
        assert all(0 <= at < len(draft.points) for at in line.points)


def test_points_that_may_not_be_joined_stay_next_to_one_another() -> None:
    """A group of two claims becomes two points, in order, and the abstract finds both."""
    points = [point("It took 340 days."), point("It took 430 days."), point("The flight lasted 340 days.")]
    draft = applied(reply((2, 1, 3), abstract=((3,), (1, 2))), points)
    assert [one.text for one in draft.points] == ["It took 430 days.", "It took 340 days."]
    assert [line.points for line in draft.abstract] == [(1,), (1, 0)]


def test_the_abstract_loses_what_it_cites_and_was_left_out() -> None:
    """A sentence without a kept point goes."""
    draft = applied(reply((1,), abstract=((1, 2), (2,), ())), [point("A."), point("B.")])
    assert [(line.text, line.points) for line in draft.abstract] == [("Line 1.", (0,))]


# --- rounds ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 40))
def test_rounds_tile_the_points(given_costs: list[int], budget: int) -> None:
    """Every point is in one group, in order; a group over the budget is one point; no two groups could be one."""
    groups = plan_round(given_costs, budget)
    assert [at for group in groups for at in group] == list(range(len(given_costs)))
    for group in groups:
        assert len(group) == 1 or sum(given_costs[at] for at in group) <= budget
    for one, other in pairwise(groups):
        assert sum(given_costs[at] for at in one) + given_costs[other.start] > budget


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 12)), max_size=30),
    st.integers(1, 40),
)
def test_a_document_that_fits_a_group_is_not_split(pairs: list[tuple[str, int]], budget: int) -> None:
    """Its points stand side by side, and the group before it ends at its border."""
    pairs = sorted(pairs, key=lambda pair: pair[0])
    documents, given_costs = [document for document, _ in pairs], [cost for _, cost in pairs]
    groups = plan_round(given_costs, budget, documents)
    assert [at for group in groups for at in group] == list(range(len(pairs)))
    for group in groups:
        assert len(group) == 1 or sum(given_costs[at] for at in group) <= budget
    for document in set(documents):
        own = {at for at, name in enumerate(documents) if name == document}
        if sum(given_costs[at] for at in own) <= budget:
            assert sum(bool(own & set(group)) for group in groups) == 1
    if sum(given_costs) <= budget:
        assert len(groups) <= 1


def test_documents_are_kept_together_in_the_order_in_which_they_come() -> None:
    """Within each, the order stays."""
    held = hold([point(f"Point {n}.") for n in range(5)])
    assert [one.origins[0] for one in by_document(held, ["b", "a", "b", "a", "c"])] == [0, 2, 1, 3, 4]


def test_a_round_that_hardly_shrinks_is_the_last() -> None:
    """A tenth at least has to go; nothing of nothing is the last too."""
    assert [is_last_round(100, after) for after in (100, 91, 90, 0)] == [True, True, False, False]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=1, max_size=40), st.integers(1, 200))
def test_the_foremost_fit_and_keep_their_order(given_points: list[tuple[bool, int]], budget: int) -> None:
    """At least one, within the budget, in order; all where all fit, and no other before a must that fits."""
    points = [point(f"Point {n}.", importance="must" if must else "should") for n, (must, _) in enumerate(given_points)]
    spent = [cost for _, cost in given_points]
    at = foremost(points, spent, budget)
    assert at
    assert at == sorted(at)
    assert len(at) == 1 or sum(spent[n] for n in at) <= budget
    musts = [n for n, (must, _) in enumerate(given_points) if must]
    if sum(spent) <= budget:
        assert at == list(range(len(points)))
    if sum(spent[n] for n in musts) <= budget and musts:
        assert set(musts) <= set(at)


def test_reserved_points_come_before_those_that_must_stay() -> None:
    """First the points that documents need, then those that stretches need; nothing of nothing."""
    points = [point(f"Point {n}.", importance="must" if n < 5 else "should") for n in range(10)]
    assert foremost(points, [1] * 10, 4, reserved=([9], [7, 9])) == [2, 4, 7, 9]
    assert foremost(points, [1] * 10, 1, reserved=([9], [7])) == [9]
    assert foremost([], [], 10) == []
    assert foremost(points[:1], [5], 0) == [0]


def test_the_foremost_are_spread_evenly() -> None:
    """Not the first that fit: a text has an end too."""
    points = [point(f"Point {n}.") for n in range(100)]
    at = foremost(points, [1] * 100, 10)
    assert len(at) == 10
    assert [n // 10 for n in at] == list(range(10))


# --- what a model sees -----------------------------------------------------------------------------------------------


def test_a_block_numbers_points_and_says_how_they_stand() -> None:
    """The source, importance, kind, stance, polarity and speaker, each point in one line."""
    lines = block([point(who="Kelly", polarity="negated"), point("A.")], {"d1": "A title"}).splitlines()
    assert lines[1] == "[1] (A title, should, fact, asserted, negated, says Kelly) It took 340 days."
    assert lines[2] == "[2] (A title, should, fact, asserted) A."
    assert lines[0].removeprefix("<<<POINTS") == lines[-1].removeprefix("<<<END")


@given(st.text(max_size=900), st.text(min_size=1, max_size=200), st.text(max_size=200))
def test_no_claim_speaker_or_title_makes_a_line_of_its_own(text: str, who: str, title: str) -> None:
    """Whatever a document or a model wrote, each point is one short line."""
    lines = block([point(text, who=who), point("B.")], {"d1": title}).split("\n")
    assert len(lines) == 4
    assert len(lines[1]) < 1_000
    assert len(lines[1].splitlines()) == 1


def test_costs_bound_the_block() -> None:
    """What each line costs is enough for the block without its delimiters."""
    points = [point(f"Point {n} is here.") for n in range(30)]
    whole = "\n".join(block(points, {}).splitlines()[1:-1])
    assert sum(costs(points, {}, len)) >= len(whole)


def test_thousands_in_one_entry_are_held_against_few() -> None:
    """Alike or all different: neither takes a look at every pair."""
    alike = hold([point(quotes=(str(at),)) for at in range(3_000)])
    different = hold([point(f"It took {at} days.") for at in range(3_000)])
    everything = reply(tuple(range(1, 3_001)))
    assert list(map(len, chosen(everything, alike))) == [3_000]
    assert list(map(len, chosen(everything, different))) == [1] * 3_000


def test_what_is_written_over_points_is_a_line_that_can_be_shown() -> None:
    """Nothing in a headline or an abstract commands a terminal or hides."""
    answer = MergeReply(
        points=(GroupReply(ids=(1,)),),
        headline="A\x1b[2J head\u202eline",
        abstract=(LineReply(text="One\0\nline.", points=(1,)),),
    )
    found = applied(answer, [point()])
    assert (found.headline, found.abstract[0].text) == ("A[2J headline", "One line.")
