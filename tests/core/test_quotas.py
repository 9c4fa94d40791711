"""Every document and every stretch of a long one keeps a point: the stretches, what is put back, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.merging import Group, Held, hold, is_last_round
from service.core.quotas import Home, homes, missing, most_kept, with_quotas
from service.core.types import DraftPoint


def points(pattern: str) -> list[Held]:
    """Points numbered from 0: an "m" is a must, an "s" a should."""
    return hold(
        DraftPoint(text=f"Point {n}.", quotes=(), importance="must" if kind == "m" else "should")
        for n, kind in enumerate(pattern)
    )


def at(pattern: str) -> list[Home]:
    """The homes of points: "a0 a1 b0" are two stretches of one document and one of another."""
    return [Home(document=word[0], stretch=int(word[1:])) for word in pattern.split()]


def flat(groups: list[Group]) -> list[int]:
    """Positions in the order of the groups."""
    return [position for group in groups for position in group]


# --- stretches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "wanted", "stretches"),
    [(1, 10, 1), (2, 10, 2), (5, 10, 5), (9, 10, 5), (9, 5, 3), (9, 20, 9), (1_000, 20, 10)],
)
def test_a_document_has_as_many_stretches_as_half_the_points_wanted(chunks: int, wanted: int, stretches: int) -> None:
    """At least three, and no more than it has chunks."""
    assert len(set(homes(["d1"] * chunks, wanted))) == stretches


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(1, 30))
def test_stretches_are_equal_and_in_order(chunks: list[str], wanted: int) -> None:
    """Of each document, whatever stands between its chunks; they differ by one chunk at most."""
    found = homes(chunks, wanted)
    assert [home.document for home in found] == chunks
    for document in set(chunks):
        own = [home.stretch for home in found if home.document == document]
        sizes = [own.count(stretch) for stretch in sorted(set(own))]
        assert own == sorted(own)
        assert sorted(set(own)) == list(range(len(sizes)))
        assert max(sizes) - min(sizes) <= 1


# --- what is put back ------------------------------------------------------------------------------------------------


def test_a_stretch_without_a_kept_point_gets_its_foremost_back() -> None:
    """A must before what comes first, beside the kept point nearest before it in the text."""
    held, at_home = points("sssmss"), at("a0 a0 a1 a1 a2 a2")
    assert with_quotas([(4,), (0,)], held, at_home, most=9) == [(4,), (0,), (3,)]
    assert with_quotas([(4,), (0,), (2,)], held, at_home, most=9) == [(4,), (0,), (2,)]


def test_what_is_put_back_stands_beside_its_neighbours_in_the_replys_order() -> None:
    """Several behind one another, in the order of the text; before the first point, where there is none before."""
    held, at_home = points("sssss"), at("a0 a1 a2 a3 a4")
    assert flat(with_quotas([(3,), (1,)], held, at_home, most=9)) == [3, 4, 0, 1, 2]
    assert flat(with_quotas([(4,)], held, at_home, most=9)) == [0, 1, 2, 3, 4]
    assert flat(with_quotas([(0,)], held, at_home, most=9)) == [0, 1, 2, 3, 4]
    assert flat(with_quotas([], held, at_home, most=9)) == [0, 1, 2, 3, 4]


def test_a_joined_point_is_from_everywhere_that_its_members_are_from() -> None:
    """What is said in two stretches is kept for both."""
    held, at_home = points("sss"), at("a0 a1 b0")
    assert with_quotas([(0, 1, 2)], held, at_home, most=9) == [(0, 1, 2)]


def test_documents_come_before_stretches_where_there_is_no_room_for_both() -> None:
    """And an even spread of them, where there are too many."""
    held, at_home = points("ssssss"), at("a0 a1 a2 b0 b1 c0")
    assert flat(with_quotas([(0,)], held, at_home, most=3)) == [0, 3, 5]
    assert flat(with_quotas([(0,)], held, at_home, most=4)) == [0, 1, 3, 5]
    many = [Home(document=f"d{n}", stretch=0) for n in range(100)]
    assert flat(with_quotas([], points("s" * 100), many, most=4)) == [0, 25, 50, 75]


def test_what_was_kept_stays_even_where_it_is_more_than_there_should_be() -> None:
    """Quotas put back, and take nothing."""
    held, at_home = points("sss"), at("a0 a0 b0")
    assert with_quotas([(1,), (0,)], held, at_home, most=0) == [(1,), (0,)]
    assert with_quotas([(1,), (0,)], held, at_home, most=-5, least=3) == [(1,), (0,)]


def test_at_least_three_are_kept_where_there_were_three() -> None:
    """The foremost of the others are put back; what was joined is not taken apart for it."""
    held, at_home = points("ssssm"), at("a0 a0 a0 a0 a0")
    assert flat(with_quotas([(1,)], held, at_home, most=9, least=3)) == [0, 1, 4]
    assert flat(with_quotas([(1,)], points("ss"), at("a0 a0"), most=9, least=3)) == [0, 1]
    assert with_quotas([(0, 1, 2, 3, 4)], held, at_home, most=9, least=3) == [(0, 1, 2, 3, 4)]


HELD = st.lists(st.tuples(st.sampled_from("ms"), st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=30)


@given(HELD, st.data())
def test_every_document_and_stretch_keeps_a_point(
    given_points: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """What is kept keeps its order, nothing is there twice, and nothing is put back that is not missing."""
    held = points("".join(kind for kind, _, _ in given_points))
    at_home = [Home(document=document, stretch=stretch) for _, document, stretch in given_points]
    kept = data.draw(st.lists(st.sampled_from(range(len(held))), unique=True))
    found = flat(with_quotas([(n,) for n in kept], held, at_home, most=len(held)))
    assert [n for n in found if n in kept] == kept
    assert len(set(found)) == len(found)
    assert {at_home[n] for n in found} == set(at_home)
    assert len(found) == len(kept) + len(set(at_home) - {at_home[n] for n in kept})
    assert missing(found, held, at_home) == ([], [])


@given(HELD, st.integers(-3, 30), st.data())
def test_quotas_never_keep_a_round_from_shrinking(
    given_points: list[tuple[str, str, int]], most: int, data: st.DataObject
) -> None:
    """They put back as far as there is room, and no further."""
    held = points("".join(kind for kind, _, _ in given_points))
    at_home = [Home(document=document, stretch=stretch) for _, document, stretch in given_points]
    kept = data.draw(st.lists(st.sampled_from(range(len(held))), unique=True))
    groups = [(n,) for n in kept]
    assert len(with_quotas(groups, held, at_home, most=most, least=3)) <= max(most, len(kept))
    bound = most_kept(len(held), len(kept))
    after = len(with_quotas(groups, held, at_home, most=bound))
    assert is_last_round(len(held), after) == is_last_round(len(held), len(kept))
