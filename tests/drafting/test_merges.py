"""Merging by number, over drafts made by hand: rounds that end, duplicates, quotas, borders, and calls that fail."""

import itertools
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.adapters import library
from service.adapters.tokens import load
from service.core import grounding, merging
from service.core.errors import (
    BudgetSpent,
    CompletionCut,
    EndpointError,
    EndpointRejected,
    EndpointTimeout,
    MalformedCompletion,
)
from service.core.quotas import homes
from service.core.types import (
    Completion,
    CompletionRequest,
    Document,
    Draft,
    DraftPoint,
    DraftQuote,
    Evidence,
    Importance,
    Options,
    Source,
)
from service.drafting.calls import POINTS, Calls, Model
from service.drafting.merges import Merged, located, merge

ROOT = Path(__file__).parents[2]
TOKENS = load("o200k_base")
FOUND = library.load(ROOT / "prompts")
PROMPT = next(one for one in (*FOUND.released, *FOUND.drafts) if (one.front.name, one.front.version) == ("news", 1))
WANTED = POINTS["standard"]
WINDOW = 8_000
WORDS = "of the harbour wall was built of granite from the northern quarry, with mortar that sets under water " * 2

Keep = Callable[[Sequence[int]], Sequence[Sequence[int]]]
"""What a model keeps of the numbers that it is shown, joined and in order."""
Fails = Callable[[int], EndpointError | None]
"""What becomes of a call, counted from 1."""


class Fake:
    """A model that keeps what a function says, and remembers what it was shown."""

    def __init__(self, keep: Keep, *, fails: Fails = lambda _: None) -> None:
        self.keep = keep
        self.fails = fails
        self.shown: list[list[str]] = []
        """The claims of each call."""
        self.model = Model(
            prompt=PROMPT,
            complete=self.complete,
            invalid=lambda _: None,
            count=TOKENS.count,
            token_ends=TOKENS.ends,
            chunk_tokens=6_000,
            window=WINDOW,
            slots=8,
        )

    async def complete(self, request: CompletionRequest, counted: int) -> Completion:
        """Answer a merge request, whose prompt fits the window."""
        assert counted + request.max_output_tokens <= self.model.window
        lines = re.findall(r"^\[(\d+)\] \(.*?\) (.*)$", request.messages[1].content, re.MULTILINE)
        self.shown.append([text for _, text in lines])
        if error := self.fails(len(self.shown)):
            raise error
        groups = self.keep([int(number) for number, _ in lines])
        reply = {
            "points": [{"ids": list(ids)} for ids in groups],
            "headline": "Merged",
            "abstract": [{"text": f"Line {ids[0]}.", "points": list(ids)} for ids in groups[:2]],
        }
        return Completion(text=json.dumps(reply), finish="stop", model="fake", reported=None, key="k")


def everything(numbers: Sequence[int]) -> list[list[int]]:
    """Every point, each for itself."""
    return [[number] for number in numbers]


def one_of_ten(numbers: Sequence[int]) -> list[list[int]]:
    """The first of every ten."""
    return [[number] for number in numbers[::10]]


def point(text: str, document: str = "d1", sentence: int = 1, importance: Importance = "should") -> DraftPoint:
    """A point with a quote of its own."""
    return DraftPoint(
        text=text, quotes=(DraftQuote(quote=text, document=document, sentence=sentence),), importance=importance
    )


def chunk(*points: DraftPoint) -> Draft:
    """The draft of a chunk."""
    return Draft(headline="Part", abstract=(), points=points)


def chunks(documents: int, each: int, points: int, words: str = WORDS) -> list[Draft]:
    """Chunks of several documents, with points that are all different."""
    return [
        chunk(*(point(f"Number {d}.{c}.{n} {words}", f"d{d}", c * points + n + 1) for n in range(points)))
        for d in range(documents)
        for c in range(each)
    ]


def at_sentence(one: DraftPoint) -> tuple[Evidence, ...]:
    """Evidence of ten characters a sentence."""
    return tuple(
        Evidence(
            document=quote.document,
            sentence=quote.sentence or 1,
            quote=quote.quote,
            start=(quote.sentence or 1) * 10,
            end=(quote.sentence or 1) * 10 + 10,
            prefix="",
            suffix="",
            match="exact",
        )
        for quote in one.quotes
    )


async def merged(fake: Fake, drafts: Sequence[Draft], options: Options | None = None) -> Merged:
    """What a model makes of drafts."""
    documents = dict.fromkeys(quote.document for one in drafts for own in one.points for quote in own.quotes)
    sources = [Source(document=Document(id=name, text=""), language="en", sentences=()) for name in documents]
    return await merge(Calls(fake.model), drafts, sources, options or Options(), at_sentence)


def texts(found: Merged) -> list[str]:
    """The claims of a merged draft."""
    return [one.text for one in found.draft.points]


def quoted(points: Sequence[DraftPoint]) -> set[str]:
    """The words that points quote."""
    return {quote.quote for one in points for quote in one.quotes}


def given_homes(drafts: Sequence[Draft]) -> dict[str, tuple[str, int]]:
    """The document and stretch of every quote."""
    found = homes([one.points[0].quotes[0].document for one in drafts], WANTED)
    return {
        quote: (home.document, home.stretch)
        for home, one in zip(found, drafts, strict=True)
        for quote in quoted(one.points)
    }


def most_groups(drafts: Sequence[Draft]) -> int:
    """Groups that a round may have: of two neighbours, one is more than half full, or a long document ends between."""
    points = [one for draft in drafts for one in draft.points]
    whole = sum(merging.costs(points, {}, TOKENS.count))
    return 2 * math.ceil(whole / 2_000) + 1


# --- a thousand chunks -----------------------------------------------------------------------------------------------


async def test_a_thousand_chunks_and_a_model_that_keeps_all_it_can_end() -> None:
    """One round and a last call: what had no room is listed, and no document and no stretch is lost."""
    drafts = chunks(4, 250, 8)
    fake = Fake(everything)
    found = await merged(fake, drafts)
    home = given_homes(drafts)
    kept, left = quoted(found.draft.points), quoted(found.left_out)
    assert kept | left == set(home)
    assert not kept & left
    assert {home[quote] for quote in kept} == set(home.values())
    assert len(set(home.values())) == 20
    assert len(fake.shown) <= most_groups(drafts) + 1


async def test_a_thousand_chunks_and_a_model_that_keeps_one_of_ten_end() -> None:
    """Rounds until one call is left, and nothing is left out without a choice; each round asks a part of the last."""
    drafts = chunks(4, 250, 8)
    fake = Fake(one_of_ten)
    found = await merged(fake, drafts)
    home = given_homes(drafts)
    assert found.left_out == ()
    assert {home[quote] for quote in quoted(found.draft.points)} == set(home.values())
    assert len(found.draft.points) <= 30
    assert len(fake.shown) <= most_groups(drafts) * 2


async def test_a_thousand_documents_are_too_many_to_keep_one_point_of_each() -> None:
    """The window bounds what the last call sees, and rounds end: an even spread of documents stays."""
    fake = Fake(one_of_ten)
    found = await merged(fake, chunks(1_000, 1, 2))
    kept = [int(quote.document[1:]) for one in found.draft.points for quote in one.quotes]
    assert len(kept) >= 20
    assert {number // 250 for number in kept} == {0, 1, 2, 3}
    assert len(fake.shown) <= 12 * most_groups(chunks(1_000, 1, 2)) + 1


@pytest.mark.parametrize("share", [2, 5, 9])
async def test_there_are_twelve_rounds_at_most(share: int) -> None:
    """However little a model leaves out each time."""
    rounds: list[int] = []

    def nearly_all(numbers: Sequence[int]) -> list[list[int]]:
        rounds.append(len(numbers))
        return [[number] for number in numbers if number % share]

    drafts = chunks(2, 20, 8)
    await merged(Fake(nearly_all), drafts)
    assert len(rounds) <= 12 * most_groups(drafts) + 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 3))
async def test_whatever_a_model_answers_the_rounds_end(seed: int, each: int, documents: int) -> None:
    """With numbers that are invented or repeated, everything joined, or nothing kept before the last call."""
    drafts = chunks(documents, each, 3)

    def any_answer(numbers: Sequence[int]) -> list[list[int]]:
        many = [(seed * number + 7) % (len(numbers) + 3) - 1 for number in numbers]
        return [many[n : n + 1 + seed % 3] for n in range(0, len(many), 2 + seed % 5)]

    fake = Fake(any_answer)
    try:
        found = await merged(fake, drafts)
    except MalformedCompletion:
        found = None
    assert len(fake.shown) <= 12 * most_groups(drafts) + 1
    if found is not None:
        kept = [quote.quote for one in found.draft.points for quote in one.quotes]
        assert len(kept) == len(set(kept))
        assert not set(kept) & quoted(found.left_out)
        assert set(kept) | quoted(found.left_out) <= set(given_homes(drafts))
        assert set(texts(found)) <= {one.text for draft in drafts for one in draft.points}


# --- order and words -------------------------------------------------------------------------------------------------


async def test_points_stand_in_the_order_of_the_reply() -> None:
    """Numbers that are none, or were used before, are passed over."""
    fake = Fake(lambda _: [[3], [99], [3, 1], [0], [-1], [2, 3]])
    found = await merged(fake, [chunk(*(point(f"Claim {name} stands.") for name in ("A", "B", "C")))])
    assert texts(found) == ["Claim C stands.", "Claim A stands.", "Claim B stands."]
    assert [line.points for line in found.draft.abstract] == [(0,)]


async def test_what_does_not_fit_together_is_not_joined() -> None:
    """Whatever the model wants."""
    drafts = [
        chunk(point("Kelly directed it.", sentence=1)),
        chunk(point("Kelly produced it.", sentence=2)),
        chunk(point("Kelly is its director.", sentence=3)),
    ]
    found = await merged(Fake(lambda numbers: [list(numbers)]), drafts)
    assert texts(found) == ["Kelly directed it.", "Kelly produced it."]
    assert quoted(found.draft.points[:1]) == {"Kelly directed it.", "Kelly is its director."}


# --- duplicates ------------------------------------------------------------------------------------------------------


async def test_duplicates_are_joined_before_the_model_is_asked() -> None:
    """It sees the fuller claim; a claim of another sentence or in other words stays for it to judge."""
    drafts = [
        chunk(point("The pump stopped.", sentence=1), point("It rained.", sentence=1)),
        chunk(point("The old pump stopped.", sentence=1), point("The pump stopped.", sentence=2)),
    ]
    fake = Fake(everything)
    found = await merged(fake, drafts)
    assert fake.shown == [["The old pump stopped.", "It rained.", "The pump stopped."]]
    assert quoted(found.draft.points[:1]) == {"The pump stopped.", "The old pump stopped."}
    assert [line.points for line in found.draft.abstract] == [(0,), (1,)]


async def test_duplicates_are_joined_again_after_a_reply() -> None:
    """What a reply joined may cite the same as what it left apart; the abstract finds both."""
    drafts = [
        chunk(point("It rained.", sentence=1), point("The rain came down.", sentence=2)),
        chunk(
            DraftPoint(
                text="It rained.",
                quotes=(
                    point("x", sentence=1).quotes[0],
                    point("y", sentence=2).quotes[0],
                    point("z", sentence=3).quotes[0],
                ),
            ),
            point("The pump stopped.", sentence=9),
        ),
    ]
    fake = Fake(lambda _: [[4], [1, 2], [3]])
    found = await merged(fake, drafts)
    assert len(fake.shown[0]) == 4
    assert texts(found) == ["The pump stopped.", "It rained."]
    assert quoted(found.draft.points[1:]) == {"It rained.", "The rain came down.", "x", "y", "z"}
    assert [line.points for line in found.draft.abstract] == [(0,), (1,)]


async def test_each_quote_is_located_once(sources: Callable[..., tuple[Source, ...]], cruise: str) -> None:
    """And one that cannot be located is no evidence."""
    (source,) = sources(cruise)
    first = source.sentences[0]
    words = cruise[first.start : first.end]
    quotes = (
        DraftQuote(quote=words, document="d1", sentence=1),
        DraftQuote(quote="Nobody ever wrote these words.", document="d1"),
    )
    spans = located(grounding.build_index((source,)))
    ((place,), (again,)) = (spans(DraftPoint(text=text, quotes=quotes)) for text in ("A.", "B."))
    assert place is again
    assert (place.start, place.end) == (first.start, first.end)


# --- quotas and borders ----------------------------------------------------------------------------------------------


async def test_the_middle_and_every_document_keep_a_point() -> None:
    """What a reply leaves out altogether is put back beside its neighbours: a must first."""
    drafts = [
        *(chunk(point(f"Opening {n}.")) for n in range(2)),
        chunk(point("Middle aside."), point("Middle matter.", importance="must")),
        chunk(point("Ending.")),
        chunk(point("Elsewhere.", "d2")),
    ]
    found = await merged(Fake(lambda numbers: [[numbers[-2]], [numbers[0]]]), drafts, Options(length="brief"))
    assert texts(found) == ["Ending.", "Elsewhere.", "Opening 0.", "Middle matter."]
    assert [line.points for line in found.draft.abstract] == [(0,), (2,)]


async def test_three_points_are_kept_where_there_were_three() -> None:
    """A summary of fewer would be refused."""
    drafts = [chunk(*(point(f"Claim {n}.") for n in range(5))), chunk(point("Last claim."))]
    assert texts(await merged(Fake(lambda _: [[5]]), drafts)) == [
        "Claim 0.",
        "Claim 4.",
        "Last claim.",
    ]


async def test_a_document_that_fits_a_call_is_not_split_between_two() -> None:
    """Calls of a round end at its border; a document too long for one is divided, wherever it stands."""
    short, long = chunks(5, 3, 4), chunks(6, 40, 4)[5 * 40 :]
    drafts = [*short[:6], *long, *short[6:]]
    fake = Fake(one_of_ten)
    await merged(fake, drafts)
    shown = itertools.accumulate(len(claims) for claims in fake.shown)
    first = fake.shown[: list(shown).index(sum(len(one.points) for one in drafts)) + 1]
    in_calls = {name: sum(any(text.split()[1][0] == name for text in claims) for claims in first) for name in "012345"}
    assert all(in_calls[name] == 1 for name in "01234")
    assert in_calls["5"] > 1


# --- calls that fail -------------------------------------------------------------------------------------------------


async def test_a_group_that_fails_before_the_last_call_keeps_its_points() -> None:
    """Another round, or the last call, chooses of them."""
    drafts = chunks(1, 30, 4)
    fake = Fake(one_of_ten, fails=lambda call: EndpointTimeout("No answer.") if call == 1 else None)
    found = await merged(fake, drafts)
    again = {text for shown in fake.shown[1:] for text in shown}
    assert set(fake.shown[0]) <= again
    assert found.draft.points


async def test_a_round_of_failures_goes_on_to_the_last_call() -> None:
    """It did not shrink, so there is no other; a reply that is cut or useless is a failure too."""
    drafts = chunks(1, 30, 4)
    untroubled = Fake(everything)
    await merged(untroubled, drafts)
    calls = len(untroubled.shown)
    fake = Fake(everything, fails=lambda call: CompletionCut("Cut.") if call < calls else None)
    found = await merged(fake, drafts)
    assert sorted(fake.shown) == sorted(untroubled.shown)
    assert texts(found)


async def test_the_last_call_that_fails_is_the_error() -> None:
    """There is nothing else to give."""
    with pytest.raises(EndpointTimeout):
        await merged(Fake(everything, fails=lambda _: EndpointTimeout("No answer.")), chunks(1, 30, 4))
    with pytest.raises(EndpointTimeout):
        await merged(Fake(everything, fails=lambda _: EndpointTimeout("No answer.")), chunks(1, 2, 2))


@pytest.mark.parametrize("error", [EndpointRejected("The key is refused."), BudgetSpent("The budget is spent.")])
async def test_a_rejection_and_a_spent_budget_end_all_rounds(error: EndpointError) -> None:
    """The next call would fare no better."""
    fake = Fake(one_of_ten, fails=lambda call: error if call == 1 else None)
    with pytest.raises(type(error)):
        await merged(fake, chunks(1, 30, 4))


@pytest.mark.parametrize("answer", [[], [[999]], [[0]]])
async def test_a_last_reply_that_keeps_nothing_is_an_error(answer: list[list[int]]) -> None:
    """Quotas add to a choice, and do not stand in for one."""
    with pytest.raises(MalformedCompletion, match="keeps none of the points"):
        await merged(Fake(lambda _: answer), chunks(2, 2, 2))
