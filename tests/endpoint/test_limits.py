"""When the next request may go."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.endpoint.limits import Announced, Pace, RetryBudget, Slots, Window


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.at


@given(
    asks=st.lists(st.tuples(st.floats(0, 50), st.integers(1, 12)), max_size=40),
    most=st.integers(10, 30),
)
def test_no_minute_holds_more_than_its_limit(asks: list[tuple[float, int]], most: int) -> None:
    """Wherever the minute begins, unless one request alone is more than a minute takes; turns keep their order."""
    clock = Clock()
    window = Window(most, clock=clock)
    given: list[tuple[float, int]] = []
    for pause_s, amount in asks:
        clock.at += pause_s
        share = window.reserve(amount)
        assert share.at >= clock.at
        given.append((share.at, amount))
    assert [at for at, _ in given] == sorted(at for at, _ in given)
    for begin, first in given:
        within = sum(amount for at, amount in given if begin <= at < begin + 60 - 1e-6)
        assert within <= max(most, first)


def test_what_was_not_used_is_given_back() -> None:
    """A place is corrected to what it took."""
    window = Window(100, clock=Clock())
    window.settle(window.reserve(100), 10)
    assert window.reserve(90).at == 0.0
    assert window.reserve(1).at == 60.0


def test_an_announced_limit_fills_up_evenly() -> None:
    """Half of what is missing is there after half of the time."""
    clock = Clock()
    announced = Announced(longest_s=60, clock=clock)
    announced.observe(
        {
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "40s",
        }
    )
    assert announced.wait_s(tokens=500) == 20.0
    clock.at = 41.0
    assert announced.wait_s(tokens=500) == 0.0


@pytest.mark.parametrize("reset", ["1732150000", "soon", "-1", "", "nan", "6h"])
def test_an_announcement_that_makes_no_sense_is_left_aside(reset: str) -> None:
    """A moment in place of a duration must not stop the service for years."""
    announced = Announced(longest_s=60, clock=Clock())
    announced.observe({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset})
    assert announced.wait_s(tokens=1) == 0.0


def retried(budget: RetryBudget) -> bool:
    """Retry where the budget allows it."""
    if budget.left:
        budget.retry()
        return True
    return False


def test_retries_are_a_tenth_of_the_requests_of_a_minute_and_at_least_ten() -> None:
    """What is older than a minute no longer counts."""
    clock = Clock()
    budget = RetryBudget(clock=clock)
    for _ in range(200):
        budget.request()
    assert [retried(budget) for _ in range(22)] == [True] * 20 + [False] * 2
    clock.at = 61.0
    assert [retried(budget) for _ in range(12)] == [True] * 10 + [False] * 2


async def hold(slots: Slots, *, until: asyncio.Event) -> None:
    """Hold a slot."""
    async with slots.taken():
        await until.wait()


async def turn() -> None:
    """Let everybody come to a standstill."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_slots_are_never_lost_however_calls_are_cancelled() -> None:
    """While waiting, while holding, and in the moment of the handover."""
    slots, release = Slots(2), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, until=release)) for _ in range(6)]
    await turn()
    assert slots.busy == 2
    tasks[3].cancel()
    tasks[0].cancel()
    await asyncio.sleep(0)
    tasks[2].cancel()
    await turn()
    assert slots.busy == 2
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert slots.busy == 0
    await asyncio.wait_for(hold(slots, until=release), 1)


async def test_calls_that_were_throttled_together_halve_once() -> None:
    """Eight refusals of one moment are one sign, not eight; one slot always stays."""
    slots = Slots(8)
    async with slots.taken() as first, slots.taken() as second:
        slots.throttled(first)
        slots.throttled(second)
    assert slots.limit == 4
    for expected in (2, 1, 1):
        async with slots.taken() as halvings:
            slots.throttled(halvings)
        assert slots.limit == expected


# --- in the background -----------------------------------------------------------------------------------------------


class Crowd:
    """Calls at slots, by name; those whose names begin with `b` are in the background."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.served: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, asyncio.Event] = {}

    async def come(self, *names: str) -> None:
        """Calls come, one after the other."""
        for name in names:
            self._done[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._call(name))
            await turn()

    async def end(self, *names: str) -> None:
        """Calls in flight end."""
        for name in names:
            self._done[name].set()
            await turn()

    async def cancel(self, *names: str) -> None:
        """Calls are cancelled."""
        for name in names:
            self.tasks[name].cancel()
        await turn()

    async def _call(self, name: str) -> None:
        async with self.slots.taken(background=name.startswith("b")):
            self.served.append(name)
            await self._done[name].wait()


async def test_a_call_waits_for_no_more_than_one_in_flight_however_many_are_behind() -> None:
    """Ten thousand in the background do not delay it further; nothing that is in flight is broken off for it."""
    crowd = Crowd(Slots(2))
    await crowd.come("b0", "b1", "b2", "b3", "b4", "f0")
    assert crowd.served == ["b0", "b1"]
    await crowd.end("b1")
    assert crowd.served == ["b0", "b1", "f0"]
    await crowd.come("f1", "f2")
    await crowd.end("f0", "b0")
    assert crowd.served[3:] == ["f1", "f2"]


async def test_calls_in_the_background_get_what_no_other_waits_for() -> None:
    """In the order in which they came, and as soon as nobody else waits."""
    crowd = Crowd(Slots(1))
    await crowd.come("f0", "b0", "b1", "f1", "b2")
    await crowd.end("f0", "f1", "b0", "b1")
    assert crowd.served == ["f0", "f1", "b0", "b1", "b2"]


async def test_cancelling_in_either_queue_loses_no_slot() -> None:
    """The one in front, the one in the middle, and one that was just handed its slot."""
    crowd = Crowd(Slots(1))
    await crowd.come("f0", "b0", "b1", "b2", "f1", "f2")
    await crowd.cancel("f1", "b0")
    crowd._done["f0"].set()
    await asyncio.sleep(0)
    await crowd.cancel("f2")
    assert crowd.served == ["f0", "b1"]
    await crowd.end("b1")
    assert crowd.served == ["f0", "b1", "b2"]
    await crowd.end("b2")
    assert crowd.slots.busy == 0


@given(
    steps=st.lists(st.tuples(st.sampled_from(["fore", "back", "end", "cancel"]), st.integers(0, 30)), max_size=60),
    most=st.integers(1, 4),
)
def test_whatever_comes_first_come_is_first_served_and_nobody_is_forgotten(
    steps: list[tuple[str, int]], most: int
) -> None:
    """Within each of the two queues; a slot is never free while somebody waits; at the end everybody was served."""

    async def live() -> None:
        crowd, came = Crowd(Slots(most)), 0
        for what, which in steps:
            unfinished = [name for name, task in crowd.tasks.items() if not task.done()]
            in_flight = [name for name in unfinished if name in crowd.served]
            if what in ("fore", "back"):
                came += 1
                await crowd.come(f"{what[0]}{came:03}")
            elif what == "end" and in_flight:
                await crowd.end(in_flight[which % len(in_flight)])
            elif what == "cancel" and unfinished:
                await crowd.cancel(unfinished[which % len(unfinished)])
            unfinished = [name for name, task in crowd.tasks.items() if not task.done()]
            assert crowd.slots.busy == min(most, len(unfinished))
        for event in crowd._done.values():
            event.set()
        await asyncio.gather(*crowd.tasks.values(), return_exceptions=True)
        for lane in "fb":
            served = [name for name in crowd.served if name.startswith(lane)]
            assert served == sorted(served)
        cancelled = {name for name, task in crowd.tasks.items() if task.cancelled()}
        assert set(crowd.served) | cancelled == set(crowd.tasks)
        assert crowd.slots.busy == 0

    asyncio.run(live())


# --- a place in the minute -------------------------------------------------------------------------------------------


def test_a_place_that_is_given_back_may_be_used_by_others() -> None:
    """Of tokens as of requests, though nobody is moved up who has a place already."""
    clock = Clock()
    pace = Pace(rpm=2, tpm=1_000, longest_s=60, clock=clock)
    first, second = pace.place(400), pace.place(400)
    assert (first.wait_s, second.wait_s) == (0, 0)
    pace.give_back(second)
    assert pace.place(600).wait_s == 0
    assert pace.place(1).wait_s == 60


def test_a_pause_is_asked_for_and_a_limit_of_our_own_is_not() -> None:
    """Both are waited for."""
    clock = Clock()
    pace = Pace(rpm=1, tpm=None, longest_s=60, clock=clock)
    pace.place(1)
    pace.pause(20)
    place = pace.place(1)
    assert (place.wait_s, place.asked_s) == (60, 20)
    pace.pause(5)
    assert pace.paused_s == 20
