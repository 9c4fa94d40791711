"""The endpoint asked on behalf of a summary: memo, budget and journal, over a real store and an endpoint in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from msgspec.structs import replace

from service.adapters import library
from service.adapters.endpoint import Endpoint, EndpointSettings
from service.adapters.store import Memo, Store, StoredSummary
from service.asking import Amount, Asking, Complete, Mode, Prices
from service.core.errors import (
    BudgetSpent,
    EndpointRejected,
    EndpointTimeout,
    InvalidRequest,
    NotFound,
    PromptWithdrawn,
)
from service.core.types import Budget, Completion, CompletionRequest, Conditions, Message, Options, Stage

ROOT = Path(__file__).parents[1]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PINNED = Conditions(prompt="news@1", model="m")
COUNTED = 100
"""Tokens of every prompt here, by our own count."""
ANSWERED = 7

Body = dict[str, Any]


class Wire(httpx.AsyncBaseTransport):
    """An endpoint in memory: it remembers what it was asked, and answers by a function once its gate is open."""

    def __init__(self) -> None:
        self.asked: list[Body] = []
        self.arrived = asyncio.Event()
        self.listings = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.answer: Callable[[Body], httpx.Response] = reported

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.method == "GET":
            self.listings += 1
            return replied(200, {"data": [{"id": "m", "max_model_len": 9_000}]})
        body = json.loads(await request.aread())
        self.asked.append(body)
        self.arrived.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        return self.answer(body)


def replied(status: int, body: object) -> httpx.Response:
    """A reply that can be read once, as one from a network."""
    return httpx.Response(status, stream=httpx.ByteStream(json.dumps(body).encode()))


def reported(_body: Body) -> httpx.Response:
    """An answer with the tokens it took."""
    return answered(usage={"prompt_tokens": COUNTED, "completion_tokens": ANSWERED})


def answered(**more: object) -> httpx.Response:
    """An answer of one word."""
    return replied(200, {"model": "m", "choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], **more})


def question(text: str = "What?", *, stage: Stage = "map", most: int = 1_000) -> CompletionRequest:
    """A request."""
    return CompletionRequest(
        prompt="news@1",
        stage=stage,
        messages=(Message(role="user", content=text),),
        schema_name="answer",
        schema={"type": "object"},
        max_output_tokens=most,
    )


@pytest.fixture
def wire() -> Wire:
    """The endpoint."""
    return Wire()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with two summaries."""
    opened = await Store.open(f"sqlite:///{tmp_path}/precis.db")
    for name in ("a", "b"):
        row = StoredSummary(tenant="local", id=name, status="running", options=Options(), created_at=NOON)
        await opened.add(row, ())
    yield opened
    await opened.close()


def wired(wire: Wire, *, mode: Mode = "live", now: Callable[[], datetime] = lambda: NOON, **more: Any) -> Asking:
    """An endpoint with its prompts, as a process begins with it."""
    given = EndpointSettings(base_url="http://endpoint.test/v1", model="m", attempts=1, **more)
    return Asking(
        endpoint=Endpoint(given, transport=wire),
        url="http://endpoint.test/v1",
        model="m",
        models=(),
        catalogue=library.load(ROOT / "prompts").catalogue,
        prompt="news",
        count=lambda text: len(text.split()),
        token_ends=lambda _: np.array([], dtype=np.int64),
        chunk_tokens=6_000,
        margin=0.1,
        slots=8,
        prices=Prices(prompt=1.0, completion=10.0),
        mode=mode,
        now=now,
    )


async def complete(wire: Wire, store: Store, summary: str = "a", mode: Mode = "live", **budget: Any) -> Complete:
    """What answers the requests of a summary, in a process that knows nothing of the endpoint yet."""
    conditions = Conditions(prompt="news@1", model="m", budget=Budget(**budget))
    return await wired(wire, mode=mode).for_summary(store, "local", summary, conditions)


@contextmanager
def closed(gate: asyncio.Event) -> Iterator[None]:
    """Nothing is answered meanwhile."""
    gate.clear()
    yield
    gate.set()


# --- the memo --------------------------------------------------------------------------------------------------------


async def test_what_was_answered_is_not_asked_again(wire: Wire, store: Store) -> None:
    """By whichever summary, in whichever process; each is told the same, key and all."""
    first = await (await complete(wire, store))(question(), COUNTED)
    again = await (await complete(wire, store, "b"))(question(), COUNTED)
    assert (first, len(wire.asked)) == (again, 1)


async def test_it_is_remembered_by_what_was_asked_and_not_by_what_was_sent(wire: Wire, store: Store) -> None:
    """What an endpoint refuses, a new process does not know; what was paid for is found all the same."""

    def refusing(body: Body) -> httpx.Response:
        if "max_tokens" not in body:
            return reported(body)
        error = {"message": "Unsupported parameter", "param": "max_tokens"}
        return replied(400, {"error": error})

    wire.answer = refusing
    process = await complete(wire, store)
    made = [await process(question(text), COUNTED) for text in ("One?", "Two?")]
    assert ["max_tokens" in body for body in wire.asked] == [True, False, False]
    process = await complete(wire, store)
    assert [await process(question(text), COUNTED) for text in ("Two?", "One?")] == made[::-1]
    assert len(wire.asked) == 3


async def test_who_asks_the_same_at_the_same_time_waits(wire: Wire, store: Store) -> None:
    """And finds it in the memo, or asks in turn where it failed."""
    asking = wired(wire)
    summaries = [await asking.for_summary(store, "local", name, PINNED) for name in ("a", "b")]
    replies = [replied(401, {}), answered()]
    wire.answer = lambda _: replies.pop(0)
    calls = [one(question(), COUNTED) for one in (*summaries, summaries[0])]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["EndpointRejected", "Completion", "Completion"]
    assert len(wire.asked) == 2


@pytest.mark.parametrize("mode", ["record", "replay"])
async def test_recordings_stand_in_for_the_memo(wire: Wire, store: Store, mode: Mode) -> None:
    """All that is asked is recorded, whatever was asked before; all that is replayed comes from recordings."""
    await (await complete(wire, store))(question(), COUNTED)
    await (await complete(wire, store, mode=mode))(question(), COUNTED)
    assert len(wire.asked) == 2


async def test_what_was_replayed_does_not_pass_for_what_was_asked(wire: Wire, store: Store) -> None:
    """A live request of the same words goes out."""
    await (await complete(wire, store, mode="replay"))(question(), COUNTED)
    assert await Memo(store, "local", "a").recall(wired(wire).key(question(), PINNED), 0) is None


@pytest.mark.parametrize(("mode", "rung"), [("live", "json_schema"), ("record", "json_schema_strict")])
async def test_the_form_that_is_asked_for_does_not_change_while_it_is_recorded(
    wire: Wire, store: Store, mode: Mode, rung: str
) -> None:
    """A replay begins with the form that the recording ended with."""
    asking = wired(wire, mode=mode)
    answering = await asking.for_summary(store, "local", "a", PINNED)
    await answering(question(), COUNTED)
    asking.model(PINNED, answering).invalid(question())
    assert asking.endpoint.profile().rung == rung


# --- the journal -----------------------------------------------------------------------------------------------------


async def test_a_call_that_is_cancelled_stands_in_the_journal_as_unknown(wire: Wire, store: Store) -> None:
    """Whoever looks at the next start sees that it was sent, and not what became of it."""
    with closed(wire.gate):
        call = asyncio.create_task((await complete(wire, store))(question(), COUNTED))
        await wire.arrived.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    (attempt,) = await Memo(store, "local", "a").attempts()
    assert (attempt.state, attempt.status) == ("unknown", None)
    assert attempt.ended_at is not None


class Lingering(httpx.AsyncByteStream):
    """A whole answer on a connection that then says nothing more."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk = {"model": "m", "choices": [{"delta": {"content": "{}"}, "finish_reason": "stop"}]}
        yield f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        self.given.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """The connection is closed."""
        self.closed = True


@pytest.mark.parametrize("mode", ["live", "record"])
async def test_an_answer_that_was_complete_when_it_was_cancelled_is_remembered(
    wire: Wire, store: Store, mode: Mode
) -> None:
    """It was paid for; whoever asks again is given it, though nobody was told of it."""
    stream = Lingering()
    wire.answer = lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)
    call = asyncio.create_task((await complete(wire, store, mode=mode))(question(), COUNTED))
    await stream.given.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()
    assert stream.closed
    (attempt,) = await Memo(store, "local", "a").attempts()
    assert (attempt.state, attempt.status) == ("answered", 200)
    assert (await (await complete(wire, store, "b"))(question(), COUNTED)).text == "{}"
    assert len(wire.asked) == 1


async def test_an_answer_that_is_being_remembered_is_remembered_whoever_is_cancelled(wire: Wire, store: Store) -> None:
    """Also when that is said twice; the cancellation comes after the writing."""
    with closed(wire.gate):
        call = asyncio.create_task((await complete(wire, store))(question(), COUNTED))
        await wire.arrived.wait()
        await store._writing.acquire()
    while not store._writing._waiters:  # noqa: ASYNC110 - a lock says nothing when somebody waits for it
        await asyncio.sleep(0)
    for _ in range(2):
        call.cancel()
        await asyncio.sleep(0)
    assert not call.done()
    store._writing.release()
    await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()
    (attempt,) = await Memo(store, "local", "a").attempts()
    assert attempt.state == "answered"
    assert await Memo(store, "local", "a").recall(wired(wire).key(question(), PINNED), 0) is not None


class Trickling(httpx.AsyncByteStream):
    """An answer in pieces."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk = {"model": "m", "choices": [{"delta": {"content": "{}"}, "finish_reason": "stop"}]}
        for piece in (f"data: {json.dumps(chunk)}\n\n", "data: [DONE]\n\n", ": bye\n\n"):
            await turns(3)
            yield piece.encode()


class InMemory(Memo):
    """A memo whose writes take a few turns of the loop, and no thread: they end as soon on every machine."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "local", "a")
        self.states: dict[int, str] = {}
        self.kept: Completion | None = None

    async def recall(self, *_: object) -> Completion | None:
        """What is kept."""
        await turns(2)
        return self.kept

    async def sent(self, *_: object) -> int:
        """Note a request."""
        await turns(3)
        self.states[len(self.states) + 1] = "sent"
        return len(self.states)

    async def ended(self, key: str, repetition: int, number: int, **ended: Any) -> None:  # noqa: ARG002
        """Note its end."""
        await turns(3)
        self.states[number] = ended["state"]

    async def answered(self, completion: Completion, repetition: int, number: int, **_: Any) -> None:  # noqa: ARG002
        """Note its answer and keep it."""
        await turns(3)
        self.states[number], self.kept = "answered", completion


async def turns(count: int) -> None:
    """So many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_wherever_a_call_is_cancelled_what_came_is_journalled_and_remembered_or_neither(
    wire: Wire, store: Store
) -> None:
    """At every turn of the loop; once a request was sent its end is written, and an answer is never lost in between."""
    wire.answer = lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Trickling())
    asking, outcomes = wired(wire), list[tuple[str, ...]]()
    for count in range(60):
        memo = InMemory(store)
        call = asyncio.create_task(
            Complete(asking, memo, PINNED, tenant="local", paid=frozenset())(question(), COUNTED)
        )
        await turns(count)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        states = tuple(memo.states.values())
        assert (states == ("answered",)) == (memo.kept is not None)
        assert states == ("answered",) or call.cancelled()
        outcomes.append(states)
    told = [state for state, before in zip(outcomes, [None, *outcomes], strict=False) if state != before]
    assert told == [(), ("unknown",), ("answered",)]


# --- budgets ---------------------------------------------------------------------------------------------------------


async def test_a_call_that_may_exceed_the_budget_is_not_sent(wire: Wire, store: Store) -> None:
    """An answer counts as long as it may become."""
    for budget in ({"max_tokens": 1_099}, {"max_cost": 0.0100}):
        with pytest.raises(BudgetSpent, match=next(iter(budget))):
            await (await complete(wire, store, **budget))(question(), COUNTED)
    assert wire.asked == []
    for budget in ({"max_tokens": 1_100}, {"max_cost": 0.0101}):
        await (await complete(wire, store, mode="record", **budget))(question(), COUNTED)
    assert len(wire.asked) == 2


async def test_calls_under_way_are_waited_for_before_a_budget_is_spent(wire: Wire, store: Store) -> None:
    """Most answers are shorter than they may be: three follow one another where one at a time fits."""
    answering = await complete(wire, store, max_tokens=1_400)
    await asyncio.gather(*(answering(question(text, stage="merge"), COUNTED) for text in "abc"))
    assert wire.most_in_flight == 1
    with pytest.raises(BudgetSpent, match="1,421 tokens"):
        await answering(question("d", stage="merge"), COUNTED)
    assert len(wire.asked) == 3


async def test_a_call_that_waits_for_its_budget_keeps_nobody_from_asking_the_same(wire: Wire, store: Store) -> None:
    """And finds what others were answered meanwhile, at no cost."""
    asking = wired(wire)
    bounded = replace(PINNED, budget=Budget(max_tokens=1_400))
    narrow, wide = [await asking.for_summary(store, "local", "ab"[n], one) for n, one in enumerate((bounded, PINNED))]
    with closed(wire.gate):
        calls = [asyncio.create_task(narrow(question(text, stage="merge"), COUNTED)) for text in "xy"]
        await wire.arrived.wait()
        wire.arrived.clear()
        calls.append(asyncio.create_task(wide(question("y", stage="merge"), COUNTED)))
        async with asyncio.timeout(5):
            await wire.arrived.wait()
    found = await asyncio.gather(*calls)
    assert found[1] == found[2]
    assert len(wire.asked) == 2


async def test_what_is_not_reported_counts_as_counted_here(wire: Wire, store: Store) -> None:
    """Not as long as it might have become."""
    wire.answer = lambda _: answered()
    answering = await complete(wire, store, max_tokens=1_202)
    for text in "ab":
        await answering(question(text, stage="merge"), COUNTED)
    with pytest.raises(BudgetSpent, match="1,302 tokens"):
        await answering(question("c", stage="merge"), COUNTED)


async def test_what_an_endpoint_refuses_costs_nothing_and_what_it_may_have_done_does(wire: Wire, store: Store) -> None:
    """A rejected call leaves the budget as it was; one that timed out may be on the bill."""
    wire.answer = lambda _: replied(402, {})
    answering = await complete(wire, store, max_tokens=1_100)
    for _ in range(2):
        with pytest.raises(EndpointRejected):
            await answering(question(), COUNTED)
    hung = wired(wire, deadline_s=0.05)
    answering = await hung.for_summary(store, "local", "a", Conditions(model="m", budget=Budget(max_tokens=1_100)))
    with closed(wire.gate), pytest.raises(EndpointTimeout):
        await answering(question(), COUNTED)
    with pytest.raises(BudgetSpent):
        await answering(question("Again?"), COUNTED)


async def test_room_is_kept_for_the_merge_that_several_parts_need(wire: Wire, store: Store) -> None:
    """One part needs none; without room to merge it, a second is not read."""
    answering = await complete(wire, store, max_tokens=6_000)
    await answering(question("one", most=4_000), COUNTED)
    with pytest.raises(BudgetSpent, match="what must follow"):
        await answering(question("two", most=4_000), COUNTED)
    await answering(question("merge", stage="merge", most=4_000), COUNTED)
    assert len(wire.asked) == 2


async def test_what_was_paid_before_a_restart_counts(wire: Wire, store: Store) -> None:
    """For the summary that paid it, and not for another that finds it there."""
    await (await complete(wire, store, max_tokens=1_200))(question(), COUNTED)
    restarted = await complete(wire, store, max_tokens=1_200)
    await restarted(question(), COUNTED)
    with pytest.raises(BudgetSpent, match="1,207 tokens"):
        await restarted(question("merge", stage="merge"), COUNTED)
    other = await complete(wire, store, "b", max_tokens=1_200)
    await other(question(), COUNTED)
    await other(question("merge", stage="merge"), COUNTED)
    assert len(wire.asked) == 2


def test_amounts_are_added_and_taken_away() -> None:
    """Each kind for itself."""
    assert Amount(prompt=1, answer=2) + Amount(prompt=3) - Amount(answer=1) == Amount(prompt=4, answer=1)


async def test_a_cost_is_bounded_only_where_prices_are_known(wire: Wire) -> None:
    """Otherwise the bound would hold nothing."""
    asking = wired(wire)
    bounded = Conditions(budget=Budget(max_cost=1.0))
    assert asking.pinned(bounded).prompt == "news@4"
    asking.prices = Prices(prompt=1.0)
    with pytest.raises(InvalidRequest, match="PRECIS_PRICE_COMPLETION"):
        asking.pinned(bounded)


# --- the prompt ------------------------------------------------------------------------------------------------------


LABELLED = replace(
    library.load(ROOT / "prompts").catalogue,
    labels={"news": {"production": 3}},
    withdrawn={"news": {2: "It loses numbers."}},
)


def labelled(wire: Wire) -> Asking:
    """An endpoint with a label and a withdrawn version among its prompts."""
    asking = wired(wire)
    asking.catalogue = LABELLED
    return asking


def test_a_label_is_pinned_to_its_version_and_kept(wire: Wire) -> None:
    """What is pinned stays so, whatever is pinned again."""
    asking = labelled(wire)
    once = asking.pinned(Conditions(prompt="news@production"))
    assert (once.prompt, once.label) == ("news@3", "production")
    assert asking.pinned(once) == once
    assert asking.pinned(Conditions(prompt="news@3")).label is None


def test_a_withdrawn_version_is_pinned_for_who_asks_for_it_on_purpose_only(wire: Wire) -> None:
    """A comparison may; and what was accepted before runs."""
    asking = labelled(wire)
    wanted = Conditions(prompt="news@2")
    with pytest.raises(PromptWithdrawn, match="It loses numbers"):
        asking.pinned(wanted)
    kept = asking.pinned(wanted, withdrawn_too=True)
    assert kept.prompt == "news@2"
    assert asking.version(kept).id == "news@2"


def test_what_was_accepted_for_a_draft_is_not_found_without_dev(wire: Wire) -> None:
    """The summary then fails with a reason, and with no other version."""
    with pytest.raises(NotFound, match="no released prompt"):
        labelled(wire).version(Conditions(prompt="news@9+dirty.00000000"))


# --- the window ------------------------------------------------------------------------------------------------------


async def test_the_window_is_asked_for_once_where_it_is_not_set(wire: Wire, store: Store) -> None:
    """What the endpoint says is what texts are cut to, less the margin."""
    asking = wired(wire)
    answering = await asking.for_summary(store, "local", "a", PINNED)
    assert asking.model(PINNED, answering).window == 14_400
    await asyncio.gather(asking.look(PINNED), asking.look(PINNED))
    assert (asking.model(PINNED, answering).window, wire.listings) == (8_100, 1)


async def test_nobody_is_asked_for_a_window_that_is_set_or_replayed(wire: Wire) -> None:
    """A replay goes out to no network."""
    await wired(wire, context_window=32_000).look(PINNED)
    await wired(wire, mode="replay").look(PINNED)
    assert wire.listings == 0


async def test_an_endpoint_that_does_not_say_is_asked_again_only_after_a_while(wire: Wire) -> None:
    """Its silence is no error: the summary is made with a window that is assumed."""
    moments = [NOON]
    other = Conditions(prompt="news@1", model="unlisted")
    asking = wired(wire, now=lambda: moments[-1])
    for minutes, listings in ((0, 1), (4, 1), (6, 2)):
        moments.append(NOON + timedelta(minutes=minutes))
        await asking.look(other)
        assert wire.listings == listings
