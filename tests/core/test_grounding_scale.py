"""A long text: its bookkeeping has no gaps, and looking for a quote does not grow with it."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.adapters.tokens import load
from service.core import chunking, prompts
from service.core.grounding import Index, build_index, locate
from service.core.shadow import indexed_occurrences, occurrences
from service.core.types import Document, Draft, DraftPoint, DraftQuote, Evidence, Source
from service.core.verifying import verify

Read = Callable[..., tuple[Source, ...]]

DAYS = 2_100
"""300,000 characters."""
POINTS = 500
TOKENS = load("o200k_base")


def log(days: int) -> str:
    """A harbour's log: a paragraph of three sentences for each day."""
    return "\n\n".join(
        f"On day {day} the pilot of the harbour counted {day * 7} ships. The tide was low, and nobody slept.\n"
        f"At night “watch {day}” kept the northern light burning."
        for day in range(1, days + 1)
    )


def points(days: Sequence[int], document: str = "d1") -> tuple[DraftPoint, ...]:
    """A point for each day: copied, copied with other marks, with words left out, and one that no day has."""
    ways = (
        "On day {day} the pilot of the harbour counted {ships} ships.",
        'At night "watch {day}" kept the northern light burning.',
        "On day {day} the pilot ... counted {ships} ships.",
        "Nobody in the harbour heard of day {day} again.",
    )
    return tuple(
        DraftPoint(
            text=f"Of day {day}.",
            quotes=(
                DraftQuote(
                    quote=ways[at % len(ways)].format(day=day, ships=day * 7),
                    document=document,
                    sentence=3 * day - (0 if at % len(ways) == 1 else 2),
                ),
            ),
        )
        for at, day in enumerate(days)
    )


@pytest.fixture(scope="module")
def long(sources: Read) -> Source:
    """The log of all days, read."""
    return sources(log(DAYS))[0]


# --- the bookkeeping -------------------------------------------------------------------------------------------------


def test_sentences_have_numbers_without_a_gap_and_stand_side_by_side(long: Source) -> None:
    """Three a paragraph, and nothing but white space between them."""
    assert len(long.text) >= 300_000
    assert [one.number for one in long.sentences] == list(range(1, 3 * DAYS + 1))
    assert [one.paragraph for one in long.sentences[::3]] == sorted({one.paragraph for one in long.sentences[::3]})
    ends = [0, *(one.end for one in long.sentences)]
    starts = [*(one.start for one in long.sentences), len(long.text)]
    assert all(not long.text[end:start].strip() for end, start in zip(ends, starts, strict=True))


@pytest.mark.parametrize("budget", [500, 6_000])
def test_chunks_tile_the_text_and_show_every_sentence_once(long: Source, budget: int) -> None:
    """Their spans joined are the text; lines are numbered from 1 in each, and know their sentence in the document."""
    chunks = chunking.split(long, ends=TOKENS.ends, budget=budget)
    spans = [span for chunk in chunks for span in chunk.spans]
    assert "".join(long.text[span.start : span.end] for span in spans) == long.text
    assert [chunk.index for chunk in chunks] == list(range(1, chunks[0].of + 1))
    shown = [prompts.pieces(chunk, long) for chunk in chunks]
    assert all([piece.number for piece in pieces] == list(range(1, len(pieces) + 1)) for pieces in shown)
    assert [piece.sentence for pieces in shown for piece in pieces] == list(range(1, 3 * DAYS + 1))


def test_points_from_all_over_have_ids_without_a_gap_and_stand_where_they_say(long: Source) -> None:
    """What is lost leaves no hole; each kept point is the day it is of, found in the sentence that it named."""
    days = range(1, DAYS, DAYS // POINTS)[:POINTS]
    draft = Draft(headline="", abstract=(), points=points(days))
    found = verify(draft, build_index([long]))
    assert [point.id for point in found.points] == [f"k{n}" for n in range(1, POINTS * 3 // 4 + 1)]
    assert list(found.ids.values()) == [point.id for point in found.points]
    assert list(found.ids) == [at for at in range(POINTS) if at % 4 != 3]
    assert [point.text for point in found.points] == [draft.points[at].text for at in found.ids]
    for at, point in zip(found.ids, found.points, strict=True):
        (place,) = point.evidence
        assert place.quote == long.text[place.start : place.end]
        assert place.sentence == draft.points[at].quotes[0].sentence
    told = found.verification
    assert (told.exact, told.normalised, told.ellipsis, told.fuzzy) == (125, 125, 125, 0)
    assert (told.points_given, told.points_kept, len(told.dropped)) == (500, 375, 125)


def test_the_same_points_in_another_order_are_found_in_the_same_places(long: Source) -> None:
    """An index remembers nothing of the quotes that it was asked for."""
    index = build_index([long])
    quotes = [point.quotes[0] for point in points(range(1, DAYS, 100))]
    assert [locate(quote, index) for quote in quotes] == [locate(quote, index) for quote in quotes[::-1]][::-1]


# --- how much is looked at -------------------------------------------------------------------------------------------


class Counting(str):
    """A text that counts the characters that are searched for something."""

    __slots__ = ("searched",)

    def find(self, *given: object) -> int:
        """Search as a text does."""
        needle, start, stop = given
        assert isinstance(needle, str)
        assert isinstance(start, int)
        assert isinstance(stop, int)
        self.searched = getattr(self, "searched", 0) + max(0, min(stop, len(self)) - start)
        return super().find(needle, start, stop)


def searched(days: int, needle: str) -> int:
    """How many characters of a log are searched for a needle that is not there as it is."""
    document = made(log(days)).documents["d1"]
    counting = Counting(document.shadow.text)
    assert not list(indexed_occurrences(counting, needle, document.words, None))
    return getattr(counting, "searched", 0)


def made(text: str) -> Index:
    """An index of a text without sentences."""
    return build_index([Source(document=Document(id="d1", text=text), language="en", sentences=())])


@pytest.mark.parametrize(
    "needle",
    ["On day 77 the pilot of the harbour drowned", "the night of a king", "77 ships. The tide was high"],
)
def test_a_quote_that_is_nowhere_is_looked_for_no_longer_in_a_longer_text(needle: str) -> None:
    """Its rarest word says where it might stand; nothing is searched from end to end."""
    assert searched(DAYS, needle) == searched(DAYS // 10, needle) == 0


def test_only_a_quote_of_frequent_words_is_searched_for_from_end_to_end() -> None:
    """Once: looking at every place where its words stand would take no less."""
    needle = "the harbour the light"
    assert searched(DAYS, needle) == len(made(log(DAYS)).documents["d1"].shadow.text)
    assert searched(100, needle) == 0


def test_planning_encodes_a_text_once_however_many_chunks_it_makes(long: Source) -> None:
    """And a little at the borders."""
    encoded: list[int] = []

    def ends(text: str) -> NDArray[np.int64]:
        encoded.append(len(text))
        return TOKENS.ends(text)

    chunks = chunking.split(long, ends=ends, budget=500)
    assert len(chunks) > 150
    assert sum(encoded) < 1.5 * len(long.text)


# --- the short way finds what the long way finds ---------------------------------------------------------------------

PIECES = ("the", "The", "cat", "don’t", "12", "1,600", "naïve", "e\u0301t", "K\u212a", "ﬁne", "*b*", "a\u200bb", "中文")
BREAKS = (" ", " ", " ", "  ", "\n\n", "\u00a0", " *", "\u200b ", " \u200b", "", ", ", ". ", " \u0301", "_")
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(BREAKS)), min_size=1, max_size=40).map(
    lambda pairs: "".join(word + blank for word, blank in pairs)
)


@given(text=TEXTS, data=st.data())
def test_every_place_is_found_by_the_rarest_word(text: str, data: st.DataObject) -> None:
    """In a text, in its shadow and in the folded one: the places that a search from end to end finds."""
    document = made(text).documents["d1"]
    shadow = document.shadow
    for haystack, starts in ((text, shadow.starts), (shadow.text, None), (shadow.folded, None)):
        start = data.draw(st.integers(0, max(0, len(haystack) - 1)))
        needle = haystack[start : start + data.draw(st.integers(1, 30))]
        if not needle:
            continue
        whole = list(occurrences(haystack, needle, 0, len(haystack)))
        assert list(indexed_occurrences(haystack, needle, document.words, starts)) == whole


def test_a_zero_width_mark_at_the_end_of_a_quote_hides_no_place() -> None:
    """The shadow joins two words there, so that the first of the quote is no word of its own in it."""
    index = made("so\u200bNobody was hurt. Nobody was hurt, they said.")
    place = locate(DraftQuote(quote="Nobody was hurt.", document="d1"), index)
    assert isinstance(place, Evidence)
    assert (place.start, place.match) == (3, "exact")
