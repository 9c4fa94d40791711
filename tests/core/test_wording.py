"""Two wordings side by side: nothing is lost between them, and what is the same is seen to be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import TEXT, point, summary

from service.core.types import Date, Number
from service.core.wording import FigureRow, LineDiff, WordRun, figures, lines_diff, word_diff

TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from("Kelly flew , for 340 days . \t \n \u00a0 — “it’s” 太空 e\u0301 🚀".split(" ")), max_size=12
    ).map(" ".join),
)
LINES = st.lists(TEXTS, max_size=6)


def joined(runs: tuple[WordRun, ...], *kinds: str) -> str:
    """The text of runs of some kinds."""
    return "".join(run.text for run in runs if run.kind in kinds)


def shown(a: str, b: str) -> str:
    """A word diff as one line: [-removed-] {+added+}."""
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[run.kind].format(run.text) for run in word_diff(a, b))


# --- words -----------------------------------------------------------------------------------------------------------


@given(TEXTS, TEXTS)
def test_the_runs_give_both_texts_back_to_the_letter(a: str, b: str) -> None:
    """With whatever white space; no run is empty, and neighbours are of different kinds."""
    runs = word_diff(a, b)
    assert joined(runs, "same", "removed") == a
    assert joined(runs, "same", "added") == b
    assert all(run.text for run in runs)
    kinds = [run.kind for run in runs]
    assert all(one != other for one, other in pairwise(kinds))


@given(TEXTS)
def test_a_text_against_itself_is_the_same(text: str) -> None:
    """In one run."""
    assert word_diff(text, text) == ((WordRun(kind="same", text=text),) if text else ())


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("Kelly flew for 340 days.", "Kelly flew for 430 days.", "Kelly flew for [-340-]{+430+} days."),
        ("It isn’t late.", "It is late.", "It [-isn’t-]{+is+} late."),
        ("It cost 1,600 crowns.", "It cost 1,700 crowns.", "It cost [-1,600-]{+1,700+} crowns."),
        ("one two three", "four five six", "[-one two three-]{+four five six+}"),
        ("It is late, he said.", "It is late he said.", "It is late[-,-] he said."),
        ("It is late.", "It is very late.", "It is {+very +}late."),
        ("a\tb", "a b", "a[-\t-]{+ +}b"),
        ("", "It is late.", "{+It is late.+}"),
    ],
)
def test_whole_words_differ(a: str, b: str, expected: str) -> None:
    """A rewritten phrase stays in one piece, and a number is one word."""
    assert shown(a, b) == expected


def test_sentences_that_are_too_long_come_out_whole() -> None:
    """Nothing is reckoned that would not end soon."""
    a, b = "a b " * 10_000, "c d " * 10_000 + "e"
    assert word_diff(a, b) == (WordRun(kind="removed", text=a), WordRun(kind="added", text=b))
    assert word_diff(a, a) == (WordRun(kind="same", text=a),)


# --- sentences -------------------------------------------------------------------------------------------------------


@given(LINES, LINES)
def test_every_sentence_comes_out_once_and_in_order(a: list[str], b: list[str]) -> None:
    """On both sides, to the letter."""
    found = lines_diff(a, b)
    assert [line.a for line in found if line.a is not None] == a
    assert [line.b for line in found if line.b is not None] == b
    for line in found:
        assert joined(line.runs, "same", "removed") == (line.a or "")
        assert joined(line.runs, "same", "added") == (line.b or "")
    assert all(line.a == line.b for line in lines_diff(a, a))


def test_sentences_are_aligned_by_their_words() -> None:
    """In order; those without a counterpart come out whole."""
    a = ["Kelly flew for 340 days.", "The bridge is closed.", "It rained."]
    b = ["Snow lay on the hills.", "Kelly flew for 430 days.", "It rained."]
    assert [(line.a, line.b) for line in lines_diff(a, b)] == [
        (None, b[0]),
        (a[0], b[1]),
        (a[1], None),
        (a[2], b[2]),
    ]
    assert lines_diff(a, [])[0] == LineDiff(a=a[0], b=None, runs=(WordRun(kind="removed", text=a[0]),))


def test_the_same_sentence_is_aligned_before_one_that_is_alike() -> None:
    """Even where another comes first."""
    a, b = ["The bridge is closed."], ["The bridge is closed now.", "The bridge is closed."]
    assert [(line.a, line.b) for line in lines_diff(a, b)] == [(None, b[0]), (a[0], b[1])]


def test_a_sentence_that_moved_is_removed_and_added() -> None:
    """One of the two that changed places stays."""
    a = ["Kelly flew for 340 days.", "The bridge is closed."]
    assert [(line.a is not None, line.b is not None) for line in lines_diff(a, a[::-1])].count((True, True)) == 1


def test_sentences_without_end_are_aligned_where_they_are_the_same() -> None:
    """Thousands a side are not scored."""
    a = [f"Line {n}." for n in range(3_000)]
    b = [line for line in a if not line.endswith("7.")]
    found = lines_diff(a, b)
    assert [line.a for line in found if line.b is None] == [line for line in a if line.endswith("7.")]
    assert sum(line.a == line.b for line in found) == len(b)


# --- numbers and dates -----------------------------------------------------------------------------------------------

BRIDGE, COSTS, BUSES, LAST = (
    "voted on Tuesday to close the old bridge",
    "the repairs would cost 340 million crowns",
    "until May 2027",
    "The last repair was in 1998",
)


def test_numbers_and_dates_stand_side_by_side() -> None:
    """By value, however they are written, in the order of the source."""
    a = summary(
        point("k1", "The last repair was in 1998, 27 years ago.", LAST),
        point("k2", "Repairs cost 340 million.", COSTS),
        point("k3", "That is 340,000,000 crowns.", COSTS),
    )
    b = summary(
        point("k1", "The council voted on Tuesday.", BRIDGE),
        point("k2", "Repairs cost 340 million crowns, or two years’ taxes.", COSTS),
        point("k3", "Buses run until May 2027.", BUSES),
    )
    assert figures(a, b) == (
        FigureRow(kind="date", shown="Tuesday", a=(), b=("k1",)),
        FigureRow(kind="number", shown="340 million", a=("k2", "k3"), b=("k2",)),
        FigureRow(kind="number", shown="two years", a=(), b=("k2",)),
        FigureRow(kind="date", shown="May 2027", a=(), b=("k3",)),
        FigureRow(kind="date", shown="1998", a=("k1",), b=()),
        FigureRow(kind="date", shown="27 years ago", a=("k1",), b=()),
    )


def test_a_number_in_another_unit_is_another() -> None:
    """Two months are no two years; that something is the first is no number, that it is the 4th is."""
    a = summary(point("k1", "It took 2 months, was the first, and 4th at 5%.", COSTS))
    b = summary(point("k1", "It took 2 years, twice, for $5.", COSTS))
    assert [(row.shown, row.a, row.b) for row in figures(a, b)] == [
        ("2 months", ("k1",), ()),
        ("4th", ("k1",), ()),
        ("5%", ("k1",), ()),
        ("2 years", (), ("k1",)),
        ("$5", (), ("k1",)),
    ]


def test_a_date_that_is_vague_is_what_it_says() -> None:
    """And one that is only given beside the words counts."""
    a = summary(point("k1", "It was a few years back.", LAST), point("k2", "It was then.", LAST, dates=(THEN,)))
    b = summary(point("k1", "A few years back, it was.", LAST), point("k2", "It was in 1998.", LAST))
    assert [(row.shown, row.a, row.b) for row in figures(a, b)] == [
        ("a few years back", ("k1",), ("k1",)),
        ("then", ("k2",), ("k2",)),
    ]


THEN = Date(text="then", iso="1998")


def test_numbers_beside_words_without_any_are_told() -> None:
    """As they are given."""
    one = summary(point("k1", "It took long.", COSTS, numbers=(Number(text="a year", value="365"),)))
    assert figures(one, summary()) == (FigureRow(kind="number", shown="a year", a=("k1",), b=()),)
    assert figures(summary(), summary()) == ()
    assert TEXT.endswith("1998.")
