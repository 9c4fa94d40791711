"""When the next request may go."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.endpoint.limits import Announced, RetryBudget, Slots, Window


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
