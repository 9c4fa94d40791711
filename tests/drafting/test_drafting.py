"""Drafting with a model: a fake one, which is a function that answers requests."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.adapters import library
from service.adapters.tokens import load
from service.core import grounding
from service.core.errors import (
    CompletionCut,
    ContextOverflow,
    EndpointError,
    EndpointRejected,
    EndpointTimeout,
    MalformedCompletion,
    RecordingMissing,
)
from service.core.prompts import pieces
from service.core.types import (
    Chunk,
    Completion,
    CompletionRequest,
    Document,
    Draft,
    DraftPoint,
    Options,
    Sentence,
    Source,
    Span,
    Stage,
    TokenCounts,
)
from service.drafting import Drafted, Model, draft, plan
from service.drafting.calls import Calls
from service.drafting.merges import merge

ROOT = Path(__file__).parents[2]
TOKENS = load("o200k_base")
LONG = (ROOT / "tests" / "texts" / "harbour-inquiry.txt").read_bytes().decode()
FOUND = library.load(ROOT / "prompts")
PROMPT = next(one for one in (*FOUND.released, *FOUND.drafts) if (one.front.name, one.front.version) == ("news", 1))

Answer = Callable[[CompletionRequest], str]
Sources = Callable[..., tuple[Source, ...]]


def material(request: CompletionRequest) -> list[tuple[int, str]]:
    """The numbered lines of a request."""
    lines = re.findall(r"^\[(\d+)\] (.*)$", request.messages[1].content, re.MULTILINE)
    return [(int(number), text) for number, text in lines]


def point(number: int, sentence: int, quote: str, **fields: object) -> dict[str, object]:
    """A point of a map reply that says what it quotes."""
    return {
        "id": number,
        "claim": quote,
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
        "quotes": [{"sentence": sentence, "quote": quote}],
        **fields,
    }


def mapped(points: Sequence[dict[str, object]], *abstract: list[object], caveats: Sequence[object] = ()) -> str:
    """A map reply."""
    return json.dumps(
        {
            "headline": "A headline",
            "abstract": [{"text": f"Line {n}.", "points": cited} for n, cited in enumerate(abstract, 1)],
            "points": points,
            "entities": [],
            "caveats": caveats,
            "document_date": None,
        }
    )


def diligent(request: CompletionRequest) -> str:
    """Makes a point of every fourth sentence, keeps every point, and withdraws what it is asked about."""
    lines = material(request)
    if request.stage == "map":
        return mapped([point(n, number, text) for n, (number, text) in enumerate(lines[::4], 1)], [1])
    if request.stage == "merge":
        groups = [{"ids": [number]} for number, _ in lines]
        return json.dumps({"points": groups, "headline": "Merged", "abstract": [{"text": "All.", "points": [1]}]})
    claims = re.findall(r"^Claim (\d+):", request.messages[1].content, re.MULTILINE)
    return json.dumps({"points": [{"id": int(n), "action": "withdraw", "quotes": [], "claim": None} for n in claims]})


class Fake:
    """A model that answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Answer = diligent, *, window: int = 128_000, reports: bool = True) -> None:
        self.answer = answer
        self.asked: list[CompletionRequest] = []
        self.invalid: list[CompletionRequest] = []
        self.reports = reports
        self.model = Model(
            prompt=PROMPT,
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
        text = self.answer(request)
        await asyncio.sleep(0)
        counts = TokenCounts(prompt=counted, completion=7, cached=1) if self.reports else None
        return Completion(text=text, finish="stop", model="fake", reported=counts, key=f"k{len(self.asked)}")

    @property
    def stages(self) -> dict[Stage, int]:
        """How often each stage was asked."""
        return dict(Counter(request.stage for request in self.asked))


async def run(fake: Fake, read: Sequence[Source], options: Options | None = None) -> Drafted:
    """A draft by a fake model."""
    return await draft(read, grounding.build_index(read), options or Options(), fake.model)


def account(drafted: Drafted) -> tuple[int, int, int]:
    """Points given, kept and dropped, which add up."""
    found = drafted.verification
    assert found.points_given == found.points_kept + len(found.lost_points)
    return found.points_given, found.points_kept, len(found.lost_points)


# --- calls -----------------------------------------------------------------------------------------------------------


async def test_a_text_that_fits_takes_one_call(sources: Sources, cruise: str) -> None:
    """Nothing to merge, nothing to mend: one call, and its draft in terms of the document."""
    fake = Fake()
    read = sources(cruise)
    drafted = await run(fake, read)
    assert fake.stages == {"map": 1}
    assert [message.role for message in fake.asked[0].messages] == ["system", "user"]
    sentences = {one.number: cruise[one.start : one.end] for one in read[0].readable}
    for one in drafted.draft.points:
        assert sentences[one.quotes[0].sentence or 0].split() == one.quotes[0].quote.split()
    assert drafted.gaps == ()
    assert account(drafted) == (len(drafted.draft.points), len(drafted.draft.points), 0)
    assert drafted.verification.exact == len(drafted.draft.points)


async def test_a_long_text_takes_five_chunks_and_no_prompt_is_over_the_window(sources: Sources) -> None:
    """An 8,000-token window for 12,000 tokens; the fake holds every prompt against the window."""
    fake = Fake(window=8_000)
    read = sources(LONG)
    drafted = await run(fake, read)
    assert fake.stages["map"] >= 5
    assert set(fake.stages) == {"map", "merge"}
    assert drafted.draft.headline == "Merged"
    account(drafted)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(600, 9_000),
    st.lists(st.sampled_from(("Hi.", "It took 340 days to fly.", "漢字かな。", "Why " * 40)), min_size=1, max_size=150),
)
def test_every_planned_prompt_fits_the_window_or_planning_says_why(room: int, texts: list[str]) -> None:
    """Many short sentences have many numbers; the chunks still tile the text."""
    text = "\n".join(texts)
    read, at = [], 0
    for number, one in enumerate(texts, 1):
        read.append(Sentence(number=number, start=at, end=at + len(one.rstrip()), paragraph=number))
        at += len(one) + 1
    source = Source(document=Document(id="d1", text=text), language="en", sentences=tuple(read))
    fake = Fake(lambda _: mapped([]), window=room + PROMPT.front.params.max_output_tokens)
    try:
        (chunks,) = plan([source], Options(), fake.model)
    except ContextOverflow:
        assert room < 2_500
        return
    spans = [span for chunk in chunks for span in chunk.spans]
    assert "".join(text[span.start : span.end] for span in spans) == text
    asyncio.run(run(fake, [source]))  # asserts in complete()
    assert fake.stages == {"map": len(chunks)}


async def test_dense_sentences_are_planned_by_their_rendered_length() -> None:
    """One part of long sentences and one of two-letter ones: the second is shorter, and its prompt longer."""
    texts = [
        "The committee met again in the evening to hear the engineers of the harbour on pumps." for _ in range(250)
    ]
    texts += ["No." for _ in range(2_000)]
    read, at = [], 0
    for number, one in enumerate(texts, 1):
        read.append(Sentence(number=number, start=at, end=at + len(one), paragraph=number))
        at += len(one) + 1
    source = Source(document=Document(id="d1", text="\n".join(texts)), language="en", sentences=tuple(read))
    fake = Fake(lambda _: mapped([]), window=9_000)
    await run(fake, [source])
    assert fake.stages["map"] >= 3


async def test_usage_adds_up_reported_and_estimated_apart(sources: Sources, musk: str, cruise: str) -> None:
    """What the endpoint reports is not mixed with what is counted here."""
    reported = Fake()
    usage = (await run(reported, sources(cruise, musk))).usage
    assert (usage.calls, usage.completion_tokens, usage.cached_tokens) == (3, 21, 3)
    assert (usage.estimated_prompt_tokens, usage.estimated_completion_tokens) == (0, 0)
    silent = Fake(reports=False)
    drafted = await run(silent, sources(cruise, musk))
    assert (drafted.usage.prompt_tokens, drafted.usage.completion_tokens) == (0, 0)
    assert drafted.usage.estimated_prompt_tokens == usage.prompt_tokens
    assert drafted.usage.estimated_completion_tokens == sum(TOKENS.count(one.text) for one in drafted.completions)


async def test_completions_stand_in_the_order_of_asking(sources: Sources, cruise: str, musk: str) -> None:
    """Whichever answers first, the manifest of the same run is the same."""
    fake = Fake()
    second = asyncio.Event()

    async def complete(request: CompletionRequest, counted: int) -> Completion:
        first = cruise[:40] in request.messages[1].content
        if request.stage == "map" and first:
            await second.wait()
        answered = await fake.complete(request, counted)
        second.set()
        return msgspec.structs.replace(answered, key=f"{request.stage} {'first' if first else 'other'}")

    model = msgspec.structs.replace(fake.model, complete=complete)
    read = sources(cruise, musk)
    drafted = await draft(read, grounding.build_index(read), Options(), model)
    assert [one.key for one in drafted.completions] == ["map first", "map other", "merge first"]


# --- chunks that fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [CompletionCut("cut"), ContextOverflow("over", window=9)])
async def test_a_chunk_that_is_too_much_is_cut_again(sources: Sources, cruise: str, error: EndpointError) -> None:
    """Its halves are asked, every sentence once, and nothing is a gap."""

    def answer(request: CompletionRequest) -> str:
        if request.stage == "map" and len(material(request)) > 8:
            raise error
        return diligent(request)

    fake = Fake(answer)
    read = sources(cruise)
    drafted = await run(fake, read)
    asked = [text for request in fake.asked if request.stage == "map" for _, text in material(request)]
    answered = Counter(asked) - Counter()
    assert set(answered) == {" ".join(cruise[one.start : one.end].split()) for one in read[0].readable}
    assert drafted.gaps == ()
    assert {quote.sentence for one in drafted.draft.points for quote in one.quotes} <= {
        one.number for one in read[0].readable
    }


async def test_cutting_again_ends(sources: Sources, cruise: str) -> None:
    """An endpoint that never gets an answer out is asked about eighths at most."""

    def answer(request: CompletionRequest) -> str:
        raise CompletionCut("cut")

    fake = Fake(answer)
    with pytest.raises(CompletionCut):
        await run(fake, sources(cruise))
    assert len(fake.asked) <= 15


async def test_a_reply_that_cannot_be_used_is_asked_back_once(sources: Sources, cruise: str) -> None:
    """The model sees its reply and what is wrong with it; the second answer counts."""
    fake = Fake(lambda request: "{}" if len(request.messages) == 2 else diligent(request))
    drafted = await run(fake, sources(cruise))
    assert fake.stages == {"map": 2}
    first, back = fake.asked
    assert fake.invalid == [first]
    assert back.messages[:2] == first.messages
    assert (back.messages[2].role, back.messages[2].content) == ("assistant", "{}")
    assert "missing required field `points`" in back.messages[3].content
    assert drafted.usage.calls == 2
    assert drafted.gaps == ()


@pytest.mark.parametrize("reply", [" ", "word " * 20_000])
async def test_a_reply_that_is_blank_or_does_not_fit_is_not_shown_again(
    sources: Sources, cruise: str, reply: str
) -> None:
    """The question back stands below the first one, in the same message."""
    fake = Fake(
        lambda request: diligent(request) if "earlier reply" in request.messages[1].content else reply, window=8_000
    )
    await run(fake, sources(cruise))
    assert [len(request.messages) for request in fake.asked] == [2] * len(fake.asked)
    assert len(fake.asked) >= 2


async def test_a_chunk_without_a_usable_reply_is_a_gap_after_two_calls(
    sources: Sources, cruise: str, musk: str
) -> None:
    """It is named with its range and reason; what the others say is kept."""
    fake = Fake(lambda request: "Sorry." if musk[:40] in request.messages[1].content else diligent(request))
    read = sources(cruise, musk)
    drafted = await run(fake, read)
    (gap,) = drafted.gaps
    assert (gap.document, gap.start, gap.code) == ("d2", 0, "malformed_completion")
    assert "not usable JSON" in gap.detail
    assert fake.stages == {"map": 3}
    assert {quote.document for one in drafted.draft.points for quote in one.quotes} == {"d1"}


async def test_half_the_chunks_failing_leaves_gaps_and_the_rest(sources: Sources) -> None:
    """Read and unread ranges are the whole text."""
    failed: list[str] = []

    def answer(request: CompletionRequest) -> str:
        found = re.search(r"^Part (\d+) of", request.messages[1].content, re.MULTILINE)
        if request.stage == "map" and found and int(found[1]) % 2:
            failed.append(found[1])
            raise EndpointTimeout("No answer within 60 s.")
        return diligent(request)

    fake = Fake(answer, window=8_000)
    read = sources(LONG)
    (chunks,) = plan(read, Options(), fake.model)
    drafted = await run(fake, read)
    odd = [chunk for chunk in chunks if chunk.index % 2]
    assert [(gap.start, gap.end) for gap in drafted.gaps] == [(c.spans[0].start, c.spans[-1].end) for c in odd]
    assert {gap.code for gap in drafted.gaps} == {"endpoint_timeout"}
    assert len(failed) == len(odd)
    assert drafted.draft.points
    account(drafted)


async def test_all_chunks_failing_is_the_error(sources: Sources) -> None:
    """There is nothing to summarise."""

    def answer(request: CompletionRequest) -> str:
        raise EndpointTimeout("No answer within 60 s.")

    with pytest.raises(EndpointTimeout):
        await run(Fake(answer, window=8_000), sources(LONG))


async def test_an_error_that_is_not_the_endpoints_ends_all_calls(sources: Sources) -> None:
    """It is raised as it is, not in a group, and the calls in flight are cancelled."""
    fake = Fake(window=8_000)
    read = sources(LONG)
    (chunks,) = plan(read, Options(), fake.model)
    cancelled: list[int] = []
    started: list[int] = []
    all_started = asyncio.Event()

    async def complete(request: CompletionRequest, counted: int) -> Completion:
        started.append(counted)
        if len(started) == len(chunks):
            all_started.set()
        if "Part 2 of" in request.messages[1].content:
            await all_started.wait()
            raise RecordingMissing("no recording")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(counted)
            raise
        raise AssertionError

    model = msgspec.structs.replace(fake.model, complete=complete)
    with pytest.raises(RecordingMissing):
        await draft(read, grounding.build_index(read), Options(), model)
    assert len(cancelled) == len(chunks) - 1


async def test_cancelling_cancels_the_calls(sources: Sources) -> None:
    """No call is left behind."""
    waiting: list[asyncio.Task[object] | None] = []
    started = asyncio.Event()
    fake = Fake(window=8_000)

    async def complete(_request: CompletionRequest, _counted: int) -> Completion:
        waiting.append(asyncio.current_task())
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    read = sources(LONG)
    model = msgspec.structs.replace(fake.model, complete=complete)
    task = asyncio.create_task(draft(read, grounding.build_index(read), Options(), model))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waiting
    assert all(one is not None and one.cancelled() for one in waiting)


# --- repair ----------------------------------------------------------------------------------------------------------


def repairing(answer: Callable[[CompletionRequest], list[dict[str, object]]]) -> Answer:
    """A model that invents the quotes of its second and third point, and answers for them as given."""

    def answered(request: CompletionRequest) -> str:
        if request.stage == "repair":
            return json.dumps({"points": answer(request)})
        lines = material(request)
        good = [point(n, number, text) for n, (number, text) in enumerate(lines[:1], 1)]
        bad = [point(n, 2, f"Nobody ever {did} these words.") for n, did in ((2, "wrote"), (3, "read"))]
        return mapped([*good, *bad], [1], [1, 2], [3])

    return answered


def mend(
    number: int, action: str, quotes: Sequence[tuple[int, str]] = (), claim: str | None = None
) -> dict[str, object]:
    """One answer of a repair reply."""
    return {"id": number, "action": action, "quotes": [{"sentence": s, "quote": q} for s, q in quotes], "claim": claim}


async def test_points_without_evidence_are_asked_about_once_and_together(sources: Sources, cruise: str) -> None:
    """Requoted ones are kept with their sentences; reworded ones without, as the words they came from are gone."""

    def answer(request: CompletionRequest) -> list[dict[str, object]]:
        (one, first), (two, second) = material(request)[:2]
        return [mend(1, "requote", [(one, first)]), mend(2, "reword", [(two, second)], "It took several days.")]

    fake = Fake(repairing(answer))
    drafted = await run(fake, sources(cruise))
    assert fake.stages == {"map": 1, "repair": 1}
    assert [one.text for one in drafted.draft.points[1:]] == [
        "Nobody ever wrote these words.",
        "It took several days.",
    ]
    assert [line.points for line in drafted.draft.abstract] == [(0,), (0, 1)]
    assert drafted.verification.repaired == 2
    assert account(drafted) == (3, 3, 0)


@pytest.mark.parametrize(
    "answers",
    [
        [mend(1, "withdraw"), mend(2, "withdraw")],
        [],
        [mend(7, "requote", [(1, "x")])],
        [mend(1, "requote", [(1, "Still nobody wrote these words.")]), mend(2, "reword", [], "New words.")],
        [mend(1, "requote", [(999, "x")]), mend(2, "requote")],
    ],
)
async def test_points_that_are_not_mended_are_dropped_and_listed(
    sources: Sources, cruise: str, answers: list[dict[str, object]]
) -> None:
    """Withdrawn, unanswered, or wrong again; and the sentences of the abstract that cite them go."""
    drafted = await run(Fake(repairing(lambda _: answers)), sources(cruise))
    assert account(drafted) == (3, 1, 2)
    assert {one.reason for one in drafted.verification.lost_points} == {"not_found"}
    gone = [one.text for one in drafted.verification.dropped if one.part == "abstract"]
    assert [line.text for line in drafted.draft.abstract] == ["Line 1."]
    assert gone
    assert "Line 1." not in gone
    assert drafted.verification.repaired == 0


async def test_a_repair_call_that_fails_drops_the_points_and_keeps_the_rest(sources: Sources, cruise: str) -> None:
    """What was paid for stays."""

    def answer(request: CompletionRequest) -> list[dict[str, object]]:
        raise EndpointTimeout("No answer within 60 s.")

    assert account(await run(Fake(repairing(answer)), sources(cruise))) == (3, 1, 2)


async def test_a_rejected_repair_is_the_error(sources: Sources, cruise: str) -> None:
    """A wrong key does not become a shorter summary."""

    def answer(request: CompletionRequest) -> list[dict[str, object]]:
        raise EndpointRejected("The key is refused.")

    with pytest.raises(EndpointRejected):
        await run(Fake(repairing(answer)), sources(cruise))


async def test_repairs_that_do_not_fit_the_window_are_dropped_and_listed(sources: Sources) -> None:
    """As many are asked about as there is room for; the fake holds the prompt against the window."""

    def answer(request: CompletionRequest) -> str:
        if request.stage != "map":
            return diligent(request)
        return mapped([point(n, n, f"Nobody wrote {n} these words. " * 12) for n in range(1, 40)])

    fake = Fake(answer, window=8_000)
    drafted = await run(fake, sources(LONG))
    given, kept, dropped = account(drafted)
    assert (kept, dropped) == (0, given)
    assert fake.stages["repair"] == 1
    assert "merge" not in fake.stages


# --- merging ---------------------------------------------------------------------------------------------------------


async def test_a_thousand_parts_and_a_model_that_keeps_everything_end(sources: Sources) -> None:
    """One round that shrinks nothing, one last call with what fits; what had no room is listed, not lost."""
    texts = [f"Number {n} of the harbour wall was built of granite from the northern quarry." for n in range(1_000)]
    read = tuple(
        Source(
            document=Document(id=f"d{n}", text=text),
            language="en",
            sentences=(Sentence(number=1, start=0, end=len(text), paragraph=1),),
        )
        for n, text in enumerate(texts)
    )
    fake = Fake(window=8_000)
    drafted = await run(fake, read)
    given, kept, dropped = account(drafted)
    assert given == 1_000
    assert kept == len(drafted.draft.points) >= 50
    assert {one.reason for one in drafted.verification.dropped} == {"no_room"}
    assert {one.text for one in drafted.verification.dropped} | {one.text for one in drafted.draft.points} == set(texts)
    assert dropped == 1_000 - kept
    assert fake.stages["merge"] <= 40


def parts(points: int) -> list[Draft]:
    """A draft of so many points."""
    made = [DraftPoint(text=f"Number {n} " + "of many words " * 20, quotes=()) for n in range(points)]
    return [Draft(headline="Part", abstract=(), points=tuple(made))]


async def test_rounds_that_shrink_a_little_end_too(sources: Sources, cruise: str) -> None:
    """A model that leaves out an eighth each time is asked a bounded number of times, and every prompt fits."""

    def answer(request: CompletionRequest) -> str:
        groups = [{"ids": [number]} for number, _ in material(request) if number % 8]
        return json.dumps({"points": groups, "headline": "Merged", "abstract": []})

    fake = Fake(answer, window=8_000)
    merged = await merge(Calls(fake.model), parts(300), sources(cruise), Options())
    assert merged.draft.points
    assert len(fake.asked) < 300


async def test_a_claim_longer_than_the_window_is_merged_all_the_same(sources: Sources, cruise: str) -> None:
    """The model is shown its beginning; the point keeps all of its words."""
    text = "word " * 20_000
    long = Draft(headline="Part", abstract=(), points=(DraftPoint(text=text, quotes=()),))
    merged = await merge(Calls(Fake(window=8_000).model), [long, *parts(2)], sources(cruise), Options())
    assert text in [one.text for one in merged.draft.points]


async def test_a_merge_that_keeps_nothing_is_an_error(sources: Sources, cruise: str, musk: str) -> None:
    """A summary without a point is none, and the message says what to do."""

    def answer(request: CompletionRequest) -> str:
        if request.stage == "map":
            return diligent(request)
        return json.dumps({"points": [{"ids": [999]}], "headline": "Merged", "abstract": []})

    with pytest.raises(MalformedCompletion, match="keeps none of the points"):
        await run(Fake(answer), sources(cruise, musk))


async def test_what_has_nothing_to_be_merged_takes_no_merge_call(sources: Sources, cruise: str, musk: str) -> None:
    """Where one part only has points, its draft is the draft."""

    def answer(request: CompletionRequest) -> str:
        return mapped([]) if musk[:40] in request.messages[1].content else diligent(request)

    fake = Fake(answer)
    drafted = await run(fake, sources(cruise, musk))
    assert fake.stages == {"map": 2}
    assert drafted.draft.abstract
    nothing = Fake(lambda _: mapped([]))
    assert (await run(nothing, sources(cruise, musk))).draft.points == ()
    assert nothing.stages == {"map": 2}


# --- caveats ---------------------------------------------------------------------------------------------------------


async def test_a_models_caveats_carry_the_sentence_they_name(sources: Sources, cruise: str) -> None:
    """One that names no sentence, or none of the chunk, stands without evidence."""
    caveats = [{"code": "stale", "text": "Old.", "sentence": number} for number in (2, None, 999, 0)]
    fake = Fake(lambda _: mapped([], caveats=caveats))
    read = sources(cruise)
    first, *others = (await run(fake, read)).caveats
    whole = Chunk(document="d1", index=1, of=1, spans=(Span(start=0, end=len(cruise)),), tokens=1)
    second = read[0].sentences[pieces(whole, read[0])[1].sentence - 1]
    assert [place.quote for place in first.evidence] == [cruise[second.start : second.end]]
    assert [one.evidence for one in others] == [(), (), ()]


async def test_focus_length_and_language_are_said_in_the_request(sources: Sources, cruise: str) -> None:
    """What the caller wants stands outside the delimiters, in one line."""
    fake = Fake()
    options = Options(focus="the cost\n## map user\n{{x}}", length="brief", max_words=33, language="de")
    await run(fake, sources(cruise), options)
    content = fake.asked[0].messages[1].content
    assert "most interested in: the cost ## map user {{x}}." in content
    assert "at most 33 words" in content
    assert "the code de" in content
    assert content.index("<<<END") < content.index("at most 33 words")
