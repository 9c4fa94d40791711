"""The conflicts call: when it is made, what it shows, and what becomes of its answer."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from service.adapters import library
from service.adapters.tokens import load
from service.core import documents, grounding
from service.core.entities import entities
from service.core.errors import BudgetSpent, EndpointError, EndpointRejected, EndpointTimeout
from service.core.prompts import PromptVersion, Template
from service.core.types import Completion, CompletionRequest, DraftPoint, DraftQuote, Source
from service.core.verifying import examine
from service.drafting.calls import Calls, Model
from service.drafting.conflicts import Found, conflicts

Read = Callable[..., tuple[Source, ...]]
Answer = Callable[[CompletionRequest], str]

TOKENS = load("o200k_base")
PLAIN = next(
    one
    for found in [library.load(Path(__file__).parents[2] / "prompts")]
    for one in (*found.released, *found.drafts)
    if (one.front.name, one.front.version) == ("news", 1)
)
STAGE = Template(system="You compare.", user="{{key_points}}\nAnswer with JSON:\n{{schema}}")
PROMPT: PromptVersion = msgspec.structs.replace(PLAIN, stages={**PLAIN.stages, "conflicts": STAGE})
NONE = json.dumps({"conflicts": []})
TEXTS = (
    "The fire in Porto killed twelve people. Porto is in mourning.",
    "In Porto fourteen people died. It was Monday.",
)


def one_conflict(a: int = 1, b: int = 3) -> str:
    """A reply of one conflict."""
    return json.dumps({"conflicts": [{"kind": "number", "a": [a], "b": [b], "note": "They differ."}]})


class Fake:
    """A model that answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Answer, *, prompt: PromptVersion = PROMPT, window: int = 128_000) -> None:
        self.answer = answer
        self.asked: list[CompletionRequest] = []
        self.invalid: list[CompletionRequest] = []
        self.model = Model(
            prompt=prompt,
            complete=self.complete,
            invalid=self.invalid.append,
            count=TOKENS.count,
            token_ends=TOKENS.ends,
            chunk_tokens=6_000,
            window=window,
            slots=8,
        )

    async def complete(self, request: CompletionRequest, counted: int) -> Completion:
        """Answer a request, whose prompt fits the window."""
        assert counted + request.max_output_tokens <= self.model.window
        self.asked.append(request)
        return Completion(text=self.answer(request), finish="stop", model="fake", reported=None, key="k")

    @property
    def shown(self) -> list[int]:
        """The numbers of the points in the first request."""
        return [int(n) for n in re.findall(r"^\[(\d+)\] ", self.asked[0].messages[1].content, re.MULTILINE)]


def points_of(read: Sequence[Source]) -> list[DraftPoint]:
    """A point for each sentence."""
    return [
        DraftPoint(
            text=text,
            quotes=(DraftQuote(quote=text, document=source.document.id, sentence=one.number),),
            importance="must" if "must" in text else "should",
        )
        for source in read
        for one in source.readable
        for text in [source.text[one.start : one.end]]
    ]


async def run(fake: Fake, read: Sequence[Source], points: Sequence[DraftPoint] | None = None) -> Found:
    """What a fake model finds between the sentences."""
    index = grounding.build_index(read)
    return await conflicts(
        Calls(fake.model),
        points_of(read) if points is None else points,
        index,
        [documents.facts(source) for source in read],
        evidence_of=lambda point: examine(point, index).evidence,
        entities_in=lambda spans: entities(read, spans),
    )


async def test_one_call_finds_what_cannot_both_hold(sources: Read) -> None:
    """Over the numbered points and their quotes, document by document."""
    fake = Fake(lambda _: one_conflict())
    found = await run(fake, sources(*TEXTS))
    assert [request.stage for request in fake.asked] == ["conflicts"]
    assert fake.shown == [1, 2, 3, 4]
    assert "Document: d1, undated\n[1] " in fake.asked[0].messages[1].content
    assert '    "In Porto fourteen people died."' in fake.asked[0].messages[1].content
    (conflict,) = found.conflicts
    assert [side.evidence[0].quote for side in conflict.sides] == [TEXTS[0][:39], TEXTS[1][:30]]
    assert (found.dropped, found.caveats) == ((), ())


async def test_no_conflict_is_an_answer(sources: Read) -> None:
    """Nothing is dropped, and nobody is warned; no names are looked for."""
    fake = Fake(lambda _: NONE)
    assert await run(fake, sources(*TEXTS)) == Found()


async def test_nothing_is_asked_where_there_is_nothing_to_compare(sources: Read) -> None:
    """A version without the stage, no point, one point, and one that has evidence."""
    read = sources(*TEXTS)
    plain = Fake(lambda _: NONE, prompt=PLAIN)
    assert await run(plain, read) == Found()
    fake = Fake(lambda _: NONE)
    one, two, *_ = points_of(read)
    for points in ([], [one], [one, msgspec.structs.replace(two, quotes=())]):
        assert await run(fake, read, points) == Found()
    assert plain.asked == fake.asked == []


async def test_what_falls_is_listed(sources: Read) -> None:
    """A number that is no point."""
    found = await run(Fake(lambda _: one_conflict(1, 99)), sources(*TEXTS))
    assert found.conflicts == ()
    assert [(drop.part, drop.text, drop.reason) for drop in found.dropped] == [
        ("conflict", "They differ.", "unknown_point")
    ]


@pytest.mark.parametrize("error", [EndpointTimeout("late"), BudgetSpent("spent")])
async def test_a_call_that_fails_is_a_caveat(sources: Read, error: EndpointError) -> None:
    """What was paid for before stays."""

    def answer(request: CompletionRequest) -> str:
        raise error

    (caveat,) = (await run(Fake(answer), sources(*TEXTS))).caveats
    assert caveat.code == "partial"
    title = error.title[0].lower() + error.title[1:]
    assert caveat.text == f"The points were not searched for conflicts: {title}."


async def test_a_reply_that_cannot_be_used_is_asked_back_once_and_then_a_caveat(sources: Read) -> None:
    """As at every stage."""
    fake = Fake(lambda _: "No conflicts, sorry.")
    found = await run(fake, sources(*TEXTS))
    assert len(fake.asked) == 2
    assert [caveat.code for caveat in found.caveats] == ["partial"]


async def test_an_endpoint_that_refuses_ends_the_summary(sources: Read) -> None:
    """A key or a model that is refused is refused for every call."""

    def answer(request: CompletionRequest) -> str:
        raise EndpointRejected("no")

    with pytest.raises(EndpointRejected):
        await run(Fake(answer), sources(*TEXTS))


async def test_as_many_points_are_shown_as_there_is_room_for(sources: Read) -> None:
    """What must stay first, the rest spread evenly; what was left out is said. Numbers are those that were shown."""
    lines = [f"Sentence {n} {'must' if n % 50 == 0 else 'may'} stay in Porto today." for n in range(200)]
    read = sources("\n\n".join(lines))
    fake = Fake(lambda _: one_conflict(1, 2), window=PROMPT.front.params.max_output_tokens + 2_000)
    found = await run(fake, read)
    assert 10 < len(fake.shown) < 100
    assert fake.shown == list(range(1, len(fake.shown) + 1))
    content = fake.asked[0].messages[1].content
    assert all(f'"Sentence {n} must stay in Porto today."' in content for n in (0, 50, 100, 150))
    assert re.search(r'"Sentence 19\d may', content)
    (caveat,) = found.caveats
    assert caveat.text.startswith(f"{200 - len(fake.shown)} of 200 points were not searched for conflicts")
    (conflict,) = found.conflicts
    assert [f'"{side.evidence[0].quote}"' in content for side in conflict.sides] == [True, True]


async def test_where_not_even_two_points_fit_nothing_is_asked(sources: Read) -> None:
    """It is said."""
    fake = Fake(lambda _: NONE, window=PROMPT.front.params.max_output_tokens + 300)
    (caveat,) = (await run(fake, sources(*TEXTS))).caveats
    assert caveat.text == "The points were not searched for conflicts: there is no room for two of them in a call."
    assert fake.asked == []


async def test_the_event_loop_is_not_held_up(sources: Read) -> None:
    """Locating quotes and finding names are done in threads."""
    read = sources(*TEXTS)
    index = grounding.build_index(read)
    threads: list[bool] = []

    def in_thread() -> bool:
        try:
            asyncio.get_running_loop()
            threads.append(False)
        except RuntimeError:
            threads.append(True)
        return threads[-1]

    await conflicts(
        Calls(Fake(lambda _: one_conflict()).model),
        points_of(read),
        index,
        [documents.facts(source) for source in read],
        evidence_of=lambda point: (in_thread(), examine(point, index).evidence)[1],
        entities_in=lambda spans: (in_thread(), entities(read, spans))[1],
    )
    assert threads == [True] * 5
