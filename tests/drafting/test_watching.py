"""What whoever watches a summary is told while it is made, by a model that is a function."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service import pipeline
from service.adapters import library
from service.adapters.tokens import load
from service.core.errors import CompletionCut, EndpointError, EndpointRejected, EndpointTimeout, TooLittleSupported
from service.core.types import (
    Completion,
    CompletionRequest,
    Document,
    KeyPoint,
    Options,
    SummaryResult,
    TokenCounts,
)
from service.core.watching import CallAnswered, PartEnded, PhaseBegun, PointsStood, Seen, Watch
from service.drafting import Model

ROOT = Path(__file__).parents[2]
TOKENS = load("o200k_base")
LONG = (ROOT / "tests/texts/harbour-inquiry.txt").read_bytes().decode()
FOUND = library.load(ROOT / "prompts")
PROMPT = next(one for one in (*FOUND.released, *FOUND.drafts) if (one.front.name, one.front.version) == ("news", 1))
SMALL = 8_000
"""A window that the long text does not fit."""

Answer = Callable[[CompletionRequest], str]


def lines(request: CompletionRequest) -> list[tuple[int, str]]:
    """The numbered lines of a request."""
    found = re.findall(r"^\[(\d+)\] (.*)$", request.messages[1].content, re.MULTILINE)
    return [(int(number), text) for number, text in found]


def mapped(quoted: Sequence[tuple[int, str]]) -> str:
    """A map reply with a point for each sentence."""
    points = [
        {
            "id": at,
            "claim": text,
            "importance": "should",
            "kind": "fact",
            "stance": "asserted",
            "polarity": "affirmed",
            "who": None,
            "who_type": "author",
            "via": None,
            "numbers": [],
            "dates": [],
            "entities": [],
            "quotes": [{"sentence": number, "quote": text}],
        }
        for at, (number, text) in enumerate(quoted, 1)
    ]
    abstract = [{"text": "A line.", "points": [1]}]
    empty: list[object] = []
    body = {"headline": "A headline", "abstract": abstract, "points": points, "entities": empty, "caveats": empty}
    return json.dumps({**body, "document_date": None})


def diligent(request: CompletionRequest) -> str:
    """Makes a point of every tenth sentence, keeps every point, and withdraws what it is asked about."""
    if request.stage == "map":
        return mapped(lines(request)[::10])
    if request.stage == "merge":
        groups = [{"ids": [number]} for number, _ in lines(request)]
        return json.dumps({"points": groups, "headline": "Merged", "abstract": [{"text": "All.", "points": [1]}]})
    claims = re.findall(r"^Claim (\d+):", request.messages[1].content, re.MULTILINE)
    return json.dumps({"points": [{"id": int(n), "action": "withdraw", "quotes": [], "claim": None} for n in claims]})


class Watched:
    """A summary by a model that answers by a function, and all that was told of it."""

    def __init__(self, tools: pipeline.Tools, answer: Answer = diligent, *, reports: bool = True) -> None:
        self.tools = tools
        self.answer = answer
        self.reports = reports
        self.seen: list[Seen] = []
        self.before: Callable[[CompletionRequest], Awaitable[None]] = self.at_once

    async def at_once(self, _: CompletionRequest) -> None:
        """Nothing is waited for."""
        await asyncio.sleep(0)

    async def run(self, text: str, *, window: int = 128_000, watch: Watch | None = None) -> SummaryResult:
        """Summarise a text."""
        model = Model(
            prompt=PROMPT,
            complete=self.complete,
            invalid=lambda _: None,
            count=TOKENS.count,
            token_ends=TOKENS.ends,
            chunk_tokens=6_000,
            window=window,
            slots=8,
            watch=watch or self.seen.append,
        )
        engaged = pipeline.Engaged(model=model, endpoint="http://endpoint.test", name="m")
        return await pipeline.summarise([Document(id="d1", text=text)], Options(), tools=self.tools, engaged=engaged)

    async def complete(self, request: CompletionRequest, counted: int) -> Completion:
        """Answer a request."""
        await self.before(request)
        counts = TokenCounts(prompt=counted, completion=7) if self.reports else None
        return Completion(text=self.answer(request), finish="stop", model="m", reported=counts, key="k")

    @property
    def phases(self) -> list[str]:
        """The phases, each once as it began."""
        return list(dict.fromkeys(one.phase for one in self.seen if isinstance(one, PhaseBegun)))

    @property
    def total(self) -> int:
        """The parts that were to be read."""
        return sum(one.parts for one in self.seen if isinstance(one, PhaseBegun))

    @property
    def ended(self) -> list[bool]:
        """Of each part that ended, whether it failed."""
        return [one.failed for one in self.seen if isinstance(one, PartEnded)]

    @property
    def points(self) -> list[KeyPoint]:
        """What was told to stand."""
        return [point for one in self.seen if isinstance(one, PointsStood) for point in one.points]

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Calls, and the tokens of their prompts and answers."""
        calls = [one for one in self.seen if isinstance(one, CallAnswered)]
        return len(calls), sum(one.prompt_tokens for one in calls), sum(one.completion_tokens for one in calls)


# --- phases and parts ------------------------------------------------------------------------------------------------


async def test_a_text_that_fits_is_read_drafted_and_finished(tools: pipeline.Tools, cruise: str) -> None:
    """One part; there is nothing to merge, and so no such phase."""
    watched = Watched(tools)
    await watched.run(cruise)
    assert watched.phases == ["reading", "drafting", "finishing"]
    assert (watched.total, watched.ended) == (1, [False])


async def test_a_long_text_is_merged_after_every_part_has_ended(tools: pipeline.Tools) -> None:
    """The total is known before the first part ends, and all parts end before merging begins."""
    watched = Watched(tools)
    await watched.run(LONG, window=SMALL)
    assert watched.phases == ["reading", "drafting", "merging", "finishing"]
    assert watched.total == len(watched.ended) >= 5
    last = max(at for at, one in enumerate(watched.seen) if isinstance(one, PartEnded))
    assert watched.seen.index(PhaseBegun(phase="merging")) > last


async def test_a_part_that_is_cut_again_adds_to_the_total(tools: pipeline.Tools, cruise: str) -> None:
    """Its halves stand in its place: the total is theirs, and the part itself neither succeeded nor failed."""

    def cut_once(request: CompletionRequest) -> str:
        if request.stage == "map" and len(lines(request)) > 20:
            raise CompletionCut("cut")
        return diligent(request)

    watched = Watched(tools, cut_once)
    await watched.run(cruise)
    assert watched.total == len(watched.ended) > 1
    assert not any(watched.ended)


async def test_a_part_that_fails_is_told_as_failed(tools: pipeline.Tools) -> None:
    """The others go on, and the gaps are as many as the parts that failed."""

    def one_fails(request: CompletionRequest) -> str:
        if "Part 2 of" in request.messages[1].content and request.stage == "map":
            raise EndpointTimeout("late")
        return diligent(request)

    watched = Watched(tools, one_fails)
    result = await watched.run(LONG, window=SMALL)
    assert sum(watched.ended) == len(result.gaps) == 1
    assert len(watched.ended) == watched.total


async def test_a_part_after_which_no_other_would_fare_better_is_told_too(tools: pipeline.Tools, cruise: str) -> None:
    """The summary fails with it."""

    def rejected(_: CompletionRequest) -> str:
        raise EndpointRejected("no")

    watched = Watched(tools, rejected)
    with pytest.raises(EndpointRejected):
        await watched.run(cruise)
    assert (watched.total, watched.ended) == (1, [True])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ends=st.lists(st.sampled_from(["good", "cut", "late", "prose"]), min_size=1, max_size=20))
def test_every_part_ends_once_whatever_becomes_of_it(tools: pipeline.Tools, ends: list[str]) -> None:
    """Parts that are read, cut, fail or are asked back and fail: at the end, completed and failed are the total."""
    left = list(ends)

    def by_turns(request: CompletionRequest) -> str:
        end = left.pop() if left and request.stage == "map" else "good"
        if end == "cut":
            raise CompletionCut("cut")
        if end == "late":
            raise EndpointTimeout("late")
        return "I would rather not." if end == "prose" else diligent(request)

    watched = Watched(tools, by_turns)
    try:
        result = asyncio.run(watched.run(LONG[:14_000], window=SMALL))
    except TooLittleSupported:
        # the parts that were left gave too little for a summary
        assert not all(watched.ended)
    except EndpointError:
        assert all(watched.ended)
    else:
        assert sum(watched.ended) == len(result.gaps)
    assert len(watched.ended) == watched.total


async def test_the_extractive_engine_tells_its_phases(tools: pipeline.Tools, cruise: str) -> None:
    """It has no parts, no calls and no points that could still change."""
    seen: list[Seen] = []
    documents = [Document(id="d1", text=cruise)]
    watched = await pipeline.summarise(documents, Options(), tools=tools, watch=seen.append)
    assert seen == [PhaseBegun(phase=phase) for phase in ("reading", "drafting", "finishing")]
    assert watched == await pipeline.summarise(documents, Options(), tools=tools)


# --- calls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reports", [True, False])
async def test_every_answer_is_told_with_its_tokens(tools: pipeline.Tools, *, reports: bool) -> None:
    """As the endpoint reports them, else as they are counted here: they add up to the usage of the result."""
    watched = Watched(tools, reports=reports)
    usage = (await watched.run(LONG, window=SMALL)).usage
    prompt = usage.prompt_tokens if reports else usage.estimated_prompt_tokens
    answers = usage.completion_tokens if reports else usage.estimated_completion_tokens
    assert watched.tokens == (usage.calls, prompt, answers)
    assert min(watched.tokens) > 0


async def test_a_question_back_is_a_call_of_its_own(tools: pipeline.Tools, cruise: str) -> None:
    """Two answers, one part."""
    replies = ["I would rather not say."]
    watched = Watched(tools, lambda request: replies.pop() if replies else diligent(request))
    await watched.run(cruise)
    assert (watched.tokens[0], watched.ended) == (2, [False])


# --- points ----------------------------------------------------------------------------------------------------------


async def test_points_are_told_while_other_parts_are_not_answered_yet(tools: pipeline.Tools) -> None:
    """The first part's stand there at once, although the endpoint does not answer for the second."""
    told, answered = asyncio.Event(), asyncio.Event()
    watched = Watched(tools)

    async def second_waits(request: CompletionRequest) -> None:
        if request.stage == "map" and "Part 1 of" not in request.messages[1].content:
            await answered.wait()

    def watch(seen: Seen) -> None:
        watched.seen.append(seen)
        if isinstance(seen, PointsStood):
            told.set()

    watched.before = second_waits
    running = asyncio.create_task(watched.run(LONG, window=SMALL, watch=watch))
    await told.wait()
    early = len(watched.points)
    assert (early > 0, watched.ended, running.done()) == (True, [False], False)
    answered.set()
    await running
    assert len(watched.points) > early


async def test_told_points_are_the_words_of_the_source(tools: pipeline.Tools) -> None:
    """Each quote stands at its offsets; ids are p1, p2 and so on, none twice."""
    watched = Watched(tools)
    result = await watched.run(LONG, window=SMALL)
    assert [point.id for point in watched.points] == [f"p{n}" for n in range(1, len(watched.points) + 1)]
    for point in watched.points:
        assert point.evidence
        for place in point.evidence:
            assert LONG[place.start : place.end] == place.quote
    given = result.verification.points_given
    assert len(watched.points) == given - len(result.verification.lost_points)


async def test_nothing_is_told_of_points_that_cannot_be_located(tools: pipeline.Tools, cruise: str) -> None:
    """Nor of points with a blocking fault: they may be mended, and until then they do not stand."""

    def half_invented(request: CompletionRequest) -> str:
        if request.stage != "map":
            return diligent(request)
        good = lines(request)[:4]
        wrong = json.loads(mapped([*good, (5, "The bridge was painted green by elephants.")]))
        wrong["points"][3]["claim"] += " It cost 99 million."
        return json.dumps(wrong)

    watched = Watched(tools, half_invented)
    result = await watched.run(cruise)
    assert (result.verification.points_given, len(result.key_points)) == (5, 3)
    assert [point.id for point in watched.points] == ["p1", "p2", "p3"]
    assert "elephants" not in str(watched.seen)
    assert "99 million" not in str(watched.seen)


async def test_a_part_of_which_nothing_stands_tells_no_points(tools: pipeline.Tools, cruise: str) -> None:
    """An event of no points would say nothing."""
    watched = Watched(tools, lambda request: mapped([]) if request.stage == "map" else diligent(request))
    with pytest.raises(EndpointError):
        await watched.run(cruise)
    assert watched.points == []
    assert not [one for one in watched.seen if isinstance(one, PointsStood)]


# --- watching harms nothing ------------------------------------------------------------------------------------------


async def test_a_watcher_that_fails_breaks_no_summary(tools: pipeline.Tools, cruise: str) -> None:
    """The result is the same as if nobody had watched, for a model and for the extractive engine."""

    def broken(seen: Seen) -> None:
        raise RuntimeError(str(seen))

    watched = await Watched(tools).run(cruise, watch=broken)
    assert watched == await Watched(tools).run(cruise)
    documents = [Document(id="d1", text=cruise)]
    alone = await pipeline.summarise(documents, Options(), tools=tools, watch=broken)
    assert alone == await pipeline.summarise(documents, Options(), tools=tools)


async def test_what_is_told_does_not_depend_on_the_order_of_answers(tools: pipeline.Tools) -> None:
    """The result neither: parts that are answered last first give the same summary."""
    forwards, backwards = Watched(tools), Watched(tools)
    waiting: list[asyncio.Event] = []

    async def last_first(request: CompletionRequest) -> None:
        if request.stage != "map":
            return
        turn = asyncio.Event()
        waiting.append(turn)
        if len(waiting) == forwards.total:
            for one in reversed(waiting):
                one.set()
                await asyncio.sleep(0)
        await turn.wait()

    result = await forwards.run(LONG, window=SMALL)
    backwards.before = last_first
    assert result == await backwards.run(LONG, window=SMALL)
    texts = [sorted(point.text for point in one.points) for one in (forwards, backwards)]
    assert texts[0] == texts[1]
    assert {replace(point, id="").evidence for point in forwards.points} == {
        replace(point, id="").evidence for point in backwards.points
    }
