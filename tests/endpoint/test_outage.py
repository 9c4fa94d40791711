"""What calls do while the endpoint is down, or asks everybody to wait."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import question
from structlog.testing import capture_logs
from timed import Book, Holder, Mode, Net, Timeline, refusal, start, unless_cut, wired

from service.adapters.endpoint import Endpoint
from service.core.errors import (
    EndpointError,
    EndpointThrottled,
    EndpointTimeout,
    EndpointUnavailable,
    StoreFull,
)
from service.core.types import Completion

Call = asyncio.Task[Completion]
BEGIN = 15.0
THIRTY_FIVE_MINUTES = 2_100.0
FOR_EVER = 1e9


@pytest.fixture
def now() -> Timeline:
    """A time that passes when nothing else is left to do."""
    return Timeline()


@pytest.fixture
def net(now: Timeline) -> Net:
    """An endpoint in memory."""
    return Net(now)


@asynccontextmanager
async def calls(
    net: Net, count: int, *, held: Callable[[], Holder] | None = None, **given: Any
) -> AsyncIterator[tuple[Endpoint, list[Call]]]:
    """So many calls, begun at once; at the end nothing is held, and nobody is told that anybody waits."""
    holders = [held() if held else Holder(net.time) for _ in range(count)]
    async with wired(net, **given) as client:
        tasks = [start(client.complete(question(f"q{number}"), held=holder)) for number, holder in enumerate(holders)]
        yield client, tasks
        for task in tasks:
            task.cancel()
        await net.time.stand()
        assert client._sender.slots.busy == 0
        assert [holder.waiting for holder in holders] == [0] * count
        assert client._gate._waiting == []
        assert client._gate._trying is None


def kinds(outcomes: list[Any]) -> set[str]:
    """What calls ended as."""
    return {type(outcome).__name__ for outcome in outcomes}


# --- an outage is waited out -----------------------------------------------------------------------------------------


async def run(net: Net, count: int = 40, **given: Any) -> list[Any]:
    """Have calls made to their end."""
    async with calls(net, count, **given) as (_, tasks):
        return await net.time.all(tasks)


@pytest.mark.parametrize("mode", ["refused", "503", "500", "lost"])
async def test_a_35_minute_outage_is_waited_out_with_at_most_1_1_times_the_calls(mode: Mode) -> None:
    """Probes apart, and apart from what was in flight and broke when it went down: nobody can help that."""
    takes_s = lambda number: 10 + number % 16 / 4  # noqa: E731 - shown here, not far away
    undisturbed = Net(Timeline(), takes_s)
    assert kinds(await run(undisturbed)) == {"Completion"}
    net = Net(Timeline(), takes_s, down=[(BEGIN, BEGIN + THIRTY_FIVE_MINUTES)], mode=mode)
    in_flight = 0

    async def look() -> None:
        nonlocal in_flight
        await net.time.sleep(BEGIN - 0.01)
        in_flight = net.in_flight

    looking = start(look())
    assert kinds(await run(net, seed=1)) == {"Completion"}
    await looking
    broken = in_flight if mode == "lost" else 0
    made = [request for request in net.asked if not request.trying]
    assert in_flight == 16
    assert len(undisturbed.asked) == 40
    assert len(made) - broken <= 44
    assert sum(request.answered for request in net.asked) == 40
    assert net.time.at < BEGIN + THIRTY_FIVE_MINUTES + 60 + 40


async def test_calls_that_all_fail_in_the_same_moment_are_not_retried_one_by_one(net: Net) -> None:
    """Sixteen in flight are sixteen requests, and three may follow before the fourth has failed; then one at a time."""
    net.down, net.fails_s = [(0, 1_000)], 0.1
    assert kinds(await run(net)) == {"Completion"}
    assert len([request for request in net.asked if request.at < 1_000 and not request.trying]) == 16 + 3
    assert sum(request.answered for request in net.asked) == 40


async def test_tries_are_single_and_5_10_20_40_60_60_s_apart(net: Net) -> None:
    """Counted from the moment the gate shut, and from the end of each try."""
    net.down = [(0, 400)]
    assert kinds(await run(net)) == {"Completion"}
    assert [after - before for before, after in pairwise([0.0, *net.tries])] == [5, 10, 20, 40, 60, 60, 60, 60, 60, 60]
    assert net.most_trying == 1


async def test_an_outage_is_in_the_log_from_its_beginning_to_its_end(net: Net) -> None:
    """Once each, with when the next try is; nothing that the endpoint said is in it, which may be of a document."""
    net.down = [(0, 30)]
    with capture_logs() as logged:
        assert kinds(await run(net)) == {"Completion"}
    where = {"endpoint": "http://h/v1"}
    assert logged == [
        {
            "event": "endpoint_waited_for",
            "log_level": "error",
            "code": "endpoint_unavailable",
            "failures": 4,
            "at_most_s": 3600.0,
            **where,
        },
        {"event": "endpoint_tried", "log_level": "info", "failures": 5, "next_in_s": 10.0, **where},
        {"event": "endpoint_tried", "log_level": "info", "failures": 6, "next_in_s": 20.0, **where},
        {"event": "endpoint_is_back", "log_level": "info", "code": None, "away_s": 45.0, **where},
    ]


async def test_one_call_alone_spends_its_attempts_first(net: Net) -> None:
    """As it would without a gate; then it tries, and no try is an attempt."""
    net.down = [(0, 100)]
    assert kinds(await run(net, 1)) == {"Completion"}
    assert [request.at for request in net.asked] == [0, 0.5, 1.5, 3.5, 8.5, 18.5, 38.5, 78.5, 138.5]


async def test_the_limit_ends_the_waiting(net: Net) -> None:
    """For all at once, an hour after the gate shut; with since when, how often it was tried, why, and the setting."""
    net.down = [(BEGIN, FOR_EVER)]
    found = [error for error in await run(net) if not isinstance(error, Completion)]
    assert kinds(found) == {"EndpointUnavailable"}
    shut = next(request.at for request in net.asked if request.at >= BEGIN)
    assert net.time.at == shut + 3_600
    tried = len([request for request in net.asked if request.at >= BEGIN])
    assert len({str(error) for error in found}) == 1
    assert "http://h/v1 has been down since 2026-03-01 12:00:20 UTC" in str(found[0])
    assert f"Failed requests: {tried}" in str(found[0])
    assert "3600 s (PRECIS_OUTAGE_S)" in str(found[0])
    assert "the connection was refused" in str(found[0])


async def test_after_the_limit_the_next_call_has_its_own_time(net: Net) -> None:
    """It tries at once, and is waited for anew; it is not told of an hour that others have waited."""
    net.down = [(0, 5_000)]
    async with calls(net, 1) as (client, tasks):
        assert kinds(await net.time.all(tasks)) == {"EndpointUnavailable"}
        await net.time.to(4_900)
        late = start(client.complete(question("late"), held=Holder(net.time)))
        await net.time.stand()
        assert net.tries[-1] == 4_900
        assert kinds(await net.time.all([late])) == {"Completion"}
        assert net.time.at < 5_000 + 60 + 10


async def test_when_nobody_waits_any_more_the_next_has_its_own_time(net: Net) -> None:
    """Though the endpoint has been down for most of an hour."""
    net.down = [(0, 5_000)]
    async with calls(net, 2) as (client, tasks):
        await net.time.to(50)
        for task in tasks:
            await cancelled(task, net.time)
        await net.time.to(3_500)
        late = start(client.complete(question("late"), held=Holder(net.time)))
        assert kinds(await net.time.all([late])) == {"Completion"}
        assert net.time.at > 5_000


async def test_a_call_that_tries_beyond_the_limit_ends_with_its_try_and_others_have_their_own_time(net: Net) -> None:
    """One that came when the time was over is not told of it, and does not make it longer for the one that tries."""
    net.down = [(0, FOR_EVER)]
    async with calls(net, 1, outage_s=30, attempts=1) as (client, (first,)):
        await net.time.to(14)
        net.fails_s = 50
        await net.time.to(50)
        assert not first.done()
        second = start(client.complete(question("second"), held=Holder(net.time)))
        await net.time.to(65)
        assert isinstance(first.exception(), EndpointUnavailable)
        assert not second.done()
        assert kinds(await net.time.all([second])) == {"EndpointUnavailable"}
        assert net.time.at == 80


async def test_who_comes_while_others_wait_for_the_limit_waits_with_them(net: Net) -> None:
    """The hour is counted from when the endpoint went down."""
    net.down = [(0, FOR_EVER)]
    async with calls(net, 4) as (client, tasks):
        await net.time.to(3_000)
        late = start(client.complete(question("late"), held=Holder(net.time)))
        assert kinds(await net.time.all([*tasks, late])) == {"EndpointUnavailable"}
        assert net.time.at == 3_600


async def test_without_an_outage_limit_a_call_fails_as_soon_as_its_attempts_are_spent(net: Net) -> None:
    """As a call does that nobody holds."""
    net.down = [(0, FOR_EVER)]
    found = await run(net, 1, outage_s=0)
    assert kinds(found) == {"EndpointUnavailable"}
    assert (net.time.at, len(net.asked)) == (3.5, 4)


async def test_a_call_that_nobody_holds_does_not_wait(net: Net) -> None:
    """`precis doctor` is quick while others wait, and does not open the gate for them."""
    net.down = [(0, FOR_EVER)]
    async with calls(net, 4) as (client, tasks):
        await net.time.to(10)
        assert kinds(await net.time.all([start(client.complete(question("doctor")))])) == {"EndpointUnavailable"}
        assert net.time.at < 20
        assert not any(task.done() for task in tasks)


async def test_two_outages_in_a_row_are_two(net: Net) -> None:
    """Each with tries of its own, and a limit of its own."""
    net.down = [(BEGIN, 2_500), (2_590, 5_500)]
    assert kinds(await run(net, 80, slots=4)) == {"Completion"}
    second = [at for at in net.tries if at > 2_580]
    assert [after - before for before, after in pairwise(second)][:4] == [10, 20, 40, 60]


async def test_an_outage_while_a_call_tries_goes_on(net: Net) -> None:
    """The try was accepted and broke; it is lost, and the gate stays shut."""
    net.down, net.mode = [(0, 12), (18, 300)], "lost"
    found = await run(net, 8)
    assert kinds(found) == {"Completion"}
    assert net.most_trying == 1
    # accepted at 15, lost at 25; the next 20 s after that
    assert net.tries[:4] == [5, 15, 45, 85]


async def test_a_call_whose_try_reaches_its_deadline_fails_alone(net: Net) -> None:
    """It may still be worked on, so it is not asked again; the others go on trying."""
    net.down = [(0, 12)]
    hangs = {"q1": httpx.ReadTimeout("x")}
    net.says = hangs.get
    async with calls(net, 3, attempts=1) as (_, tasks):
        found = await net.time.all(tasks)
    assert [type(one) for one in found] == [Completion, EndpointTimeout, Completion]
    assert net.most_trying == 1


async def test_what_is_lost_at_once_is_not_more_than_may_be_retried(net: Net) -> None:
    """Sixteen broken connections are over the budget of ten retries: those over it wait, and do not fail."""
    net.down, net.mode = [(5, 200)], "lost"
    assert kinds(await run(net, 16)) == {"Completion"}
    assert net.most_trying == 1


async def test_calls_that_have_waited_longest_in_vain_let_others_try(net: Net) -> None:
    """A request that brings the endpoint down by itself does not keep all others waiting."""
    net.says = lambda asked: refusal(500) if asked == "q0" else None
    async with calls(net, 1, attempts=2) as (client, tasks):
        await net.time.to(4)
        more = [start(client.complete(question(f"more{number}"), held=Holder(net.time))) for number in range(3)]
        assert kinds(await net.time.all(more)) == {"Completion"}
        assert net.time.at < 40
        found = await net.time.all(tasks)
    assert kinds(found) == {"EndpointUnavailable"}


async def test_a_request_that_fails_while_others_are_answered_fails_alone(net: Net) -> None:
    """The endpoint is there; the gate stays open."""
    net.says = lambda asked: refusal(500) if asked == "q0" else None
    net.takes_s = lambda _: 0.3
    found = await run(net, 40, slots=2)
    assert kinds(found[:1]) == {"EndpointUnavailable"}
    assert kinds(found[1:]) == {"Completion"}
    assert net.tries == []


async def test_answers_to_what_was_asked_before_do_not_show_that_the_endpoint_is_there(net: Net) -> None:
    """One that shuts down orderly ends what it has begun, and takes nothing new: then a call waits."""
    net.takes_s, net.down = lambda number: 8 + number, [(1, 100)]
    async with calls(net, 6) as (client, tasks):
        await net.time.to(8.9)
        late = start(client.complete(question("late"), held=Holder(net.time)))
        await net.time.to(14)
        assert [request.at for request in net.asked if request.question == "late"] == [8.9, 9.4, 10.4, 12.4]
        assert kinds(await net.time.all([*tasks, late])) == {"Completion"}


async def test_a_request_that_brings_the_endpoint_down_again_and_again_is_given_up(net: Net) -> None:
    """After three outages that it began or was caught in."""
    net.says = lambda asked: refusal(500) if asked == "bad" else None
    async with calls(net, 0, attempts=2) as (client, _):
        bad = start(client.complete(question("bad"), held=Holder(net.time)))
        good: list[Call] = []
        for at in range(1, 200):
            await net.time.to(at * 2)
            if bad.done():
                break
            good.append(start(client.complete(question(f"good{at}"), held=Holder(net.time))))
        assert isinstance(bad.exception(), EndpointUnavailable)
        assert net.time.at < 100
        assert kinds(await net.time.all(good)) == {"Completion"}


async def test_a_call_that_has_waited_out_enough_keeps_to_the_times_of_the_tries(net: Net) -> None:
    """It has its attempts, and then it fails; the others wait on."""
    net.down = [(0, FOR_EVER)]
    async with calls(net, 1, attempts=3) as (client, (first,)):
        await net.time.to(3)
        client._gate._waiting[0]._outages, client._gate._waiting[0]._failed_in = 99, None
        assert kinds(await net.time.all([first])) == {"EndpointUnavailable"}
        assert "(6 requests were made.)" in str(first.exception())
    assert net.tries == [6.5, 16.5, 36.5]


# --- what opens the gate ---------------------------------------------------------------------------------------------


async def test_a_restart_of_the_endpoint_lets_all_go_on(net: Net) -> None:
    """In the order they came, those in the background after the others."""
    net.down = [(0, 12)]
    async with wired(net, slots=3) as client:
        tasks = []
        for number in range(9):
            background = number < 4
            asked = question(f"{'back' if background else 'fore'}{number}")
            tasks.append(start(client.complete(asked, held=Holder(net.time), background=background)))
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    order = [request.question for request in net.asked if request.answered]
    assert [name[:4] for name in order] == ["fore"] * 5 + ["back"] * 4
    assert sorted(order[1:5]) == order[1:5]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
async def test_a_refusal_shows_that_somebody_is_there(net: Net, status: int) -> None:
    """The one who tried has its answer, and the others go on."""
    net.down = [(0, 4)]
    said = [refusal(status)]
    net.says = lambda _: said.pop() if said else None
    found = await run(net, 6)
    assert kinds(found) <= {"Completion", "EndpointRejected"}
    assert kinds(found) >= {"Completion"}
    assert net.tries == [5]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
async def test_a_refusal_for_now_does_not_open_the_gate(net: Net, status: int) -> None:
    """The next try is 10 s later."""
    net.down = [(0, 4)]
    said = [refusal(status)]
    net.says = lambda _: said.pop() if said else None
    assert kinds(await run(net, 6)) == {"Completion"}
    assert net.tries == [5, 15]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_try_waits_as_long_as_it_is_told_to(net: Net, status: int) -> None:
    """Longer than the next try would have."""
    net.down = [(0, 4)]
    said = [refusal(status, after_s=40)]
    net.says = lambda _: said.pop() if said else None
    assert kinds(await run(net, 6)) == {"Completion"}
    assert net.tries == [5, 45]


async def test_a_key_that_was_revoked_meanwhile_is_told_at_once_to_all(net: Net) -> None:
    """By one request; asking again with it would be no use to anybody."""
    net.down = [(0, 100)]
    net.says = lambda _: refusal(401)
    found = await run(net, 16)
    assert kinds(found) == {"EndpointRejected"}
    assert all("PRECIS_API_KEY" in str(error) for error in found)
    assert len([request for request in net.asked if request.at >= 100]) == 1
    assert net.time.at == 135


async def test_credit_that_is_spent_is_told_to_each(net: Net) -> None:
    """As soon as one is told."""
    net.down = [(0, 100)]
    net.says = lambda _: refusal(402)
    assert kinds(await run(net, 16)) == {"EndpointRejected"}
    assert net.time.at == 135


@pytest.mark.parametrize(
    "error",
    [httpx.PoolTimeout("x"), httpx.ReadTimeout("x"), httpx.WriteTimeout("x"), httpx.UnsupportedProtocol("x")],
)
async def test_what_says_nothing_about_the_endpoint_does_not_shut_the_gate(net: Net, error: Exception) -> None:
    """No free connection here, a request that takes too long, or one that is not for the endpoint."""
    net.says = lambda _: error
    found = await run(net, 16)
    assert not kinds(found) & {"Completion"}
    assert net.tries == []
    assert net.time.at < 10


# --- throttles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_a_throttle_of_300_s_is_waited_out(net: Net, status: int) -> None:
    """Nothing is sent until then, though only one attempt is allowed; then one goes, and then half as many at once."""
    net.fails_s = 0.1
    net.says = lambda _: refusal(status, after_s=300) if net.time.at < 300 else None
    holders = [Holder(net.time) for _ in range(40)]
    each = iter(holders)
    async with calls(net, 40, held=lambda: next(each), attempts=1) as (client, tasks):
        await net.time.to(305)
        assert client.slots == 8
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    assert len([request for request in net.asked if request.at < 300]) == 16
    assert [request.at for request in net.asked[16:26]] == [300.1] + [310.1] * 8 + [320.1]
    assert {holder.told[0] for holder in holders} == {(0.1, 300.1)}


async def test_a_throttle_longer_than_anybody_waits_fails_at_once(net: Net) -> None:
    """It would only fail later; all who wait are told, and the next does not even ask."""
    net.says, net.fails_s = lambda _: refusal(429, after_s=7_200), 0.1
    found = await run(net, 40)
    assert kinds(found) == {"EndpointThrottled"}
    assert {error.wait_s for error in found} == {7_200.0}
    assert (net.time.at, len(net.asked)) == (0.1, 16)


async def test_a_throttle_as_long_as_anybody_waits_is_waited_for_by_all(net: Net) -> None:
    """Though each is asked to wait from a moment of its own; and the first try has time for its answer."""
    net.says, net.fails_s = lambda _: refusal(429, after_s=3_600) if net.time.at < 3_600 else None, 0.5
    async with calls(net, 0) as (client, _):
        tasks: list[Call] = []
        for number in range(12):
            tasks.append(start(client.complete(question(f"q{number}"), held=Holder(net.time))))
            await net.time.to(net.time.at + 0.01)
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    assert net.time.at < 3_600 + 60


async def test_a_throttle_that_turns_out_longer_than_anybody_waits_fails_all_at_once(net: Net) -> None:
    """When the one who tried was told."""
    net.down = [(0, 100)]
    net.says = lambda _: refusal(429, after_s=7_200)
    assert kinds(await run(net, 10)) == {"EndpointThrottled"}
    assert net.time.at == 135


async def test_a_throttle_that_never_ends_ends_at_the_limit(net: Net) -> None:
    """As a throttle, with how long it asks to wait on."""
    net.says = lambda _: refusal(429, after_s=300)
    found = await run(net, 20)
    assert kinds(found) == {"EndpointThrottled"}
    assert "has asked to wait since 2026-03-01 12:00:00 UTC" in str(found[0])
    assert net.time.at == 3_600
    # one at the beginning, then one every 300 s, also when that is just the limit
    assert len(net.asked) == 1 + 12


async def test_throttles_that_do_not_say_for_how_long_are_waited_out_too(net: Net) -> None:
    """In place while the patience lasts, then at the gate."""
    net.says = lambda _: refusal(429) if net.time.at < 600 else None
    assert kinds(await run(net, 3)) == {"Completion"}
    assert net.tries[-1] >= 600
    assert net.most_trying == 1


async def test_a_throttle_that_a_call_without_a_holder_met_is_waited_out_by_the_others(net: Net) -> None:
    """The first is told at once, as ever."""
    said = [refusal(429, after_s=300)]
    net.says = lambda _: said.pop() if said else None
    async with calls(net, 0) as (client, _):
        (alone,) = await net.time.all([start(client.complete(question("alone")))])
        assert isinstance(alone, EndpointThrottled)
        held = Holder(net.time)
        later = [start(client.complete(question(f"{number}"), held=held)) for number in range(3)]
        assert kinds(await net.time.all(later)) == {"Completion"}
    assert [request.at for request in net.asked] == [0, 300, 310, 310]
    assert held.told[0] == (0, 300)


# --- who is told -----------------------------------------------------------------------------------------------------


async def test_whoever_waits_is_told_until_when_and_again_when_that_moves(net: Net) -> None:
    """Every beginning has its end; nothing looks as if nobody waited in between."""
    net.down = [(0, 50)]
    holders = [Holder(net.time) for _ in range(4)]
    each = iter(holders)
    async with calls(net, 4, held=lambda: next(each)) as (_, tasks):
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    # tries at 5, 15, 35 and 75
    told = sorted({moment for holder in holders for moment in holder.told})
    assert told == [(0, 5), (5, 15), (15, 35), (35, 75)]
    assert all(len(holder.told) == len(holder.ended) for holder in holders)
    assert all(holder.most <= 2 for holder in holders)


async def test_a_call_that_tries_waits_no_longer(net: Net) -> None:
    """It is told so before it is sent, and told anew when the try has failed."""
    net.down = [(0, 12)]
    held = Holder(net.time)
    async with calls(net, 1, held=lambda: held, attempts=1) as (_, tasks):
        await net.time.all(tasks)
    assert held.told == [(0, 5), (5, 15)]
    assert held.ended == [5, 15]


async def test_a_moment_that_moves_while_it_is_told_is_told_anew(net: Net) -> None:
    """A store takes its time."""
    net.down = [(0, 12)]
    slow = Holder(net.time, takes_s=7)
    each = iter([slow, Holder(net.time)])
    async with calls(net, 2, held=lambda: next(each), attempts=1) as (_, tasks):
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    # the other tries at 5, and then it is 15 that is waited for
    assert slow.told == [(0, 5), (7, 15)]


@pytest.mark.parametrize(("wait_s", "told"), [(4.9, []), (5.0, [(0, 5)]), (60.0, [(0, 60)])])
async def test_short_waits_are_told_to_nobody(net: Net, wait_s: float, told: list[tuple[float, float]]) -> None:
    """Under 5 s it is not worth the writing; a longer throttle is told, also where it is waited for in place."""
    net.says = lambda _: refusal(429, after_s=wait_s) if net.time.at < wait_s else None
    held = Holder(net.time)
    async with calls(net, 1, held=lambda: held) as (_, tasks):
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    assert held.told == told


@pytest.mark.parametrize(("wait_s", "told"), [(4.9, []), (45.0, [(0, 45)])])
async def test_a_long_wait_before_a_retry_is_told_too(net: Net, wait_s: float, told: list[tuple[float, float]]) -> None:
    """An endpoint that is unavailable may say for how long."""
    net.says = lambda _: refusal(503, after_s=wait_s) if net.time.at < wait_s else None
    held = Holder(net.time)
    async with calls(net, 1, held=lambda: held) as (_, tasks):
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    assert held.told == told
    assert [request.at for request in net.asked] == [0, wait_s]


async def test_who_waits_for_a_slot_while_the_endpoint_asks_for_a_pause_is_told_too(net: Net) -> None:
    """A pause is for all, not only for those in flight; then they go on, as many at once as there are slots."""
    net.says = lambda _: refusal(429, after_s=30) if net.time.at < 30 else None
    holders = [Holder(net.time) for _ in range(3)]
    each = iter(holders)
    async with calls(net, 3, held=lambda: next(each), slots=1) as (client, tasks):
        await net.time.to(1)
        assert client._sender.slots.busy == 0
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    assert [holder.told for holder in holders] == [[(0, 30)]] * 3
    assert [request.at for request in net.asked] == [0, 30, 40, 50]


async def test_limits_of_our_own_are_no_waiting_for_the_endpoint(net: Net) -> None:
    """Two a minute are two a minute."""
    held = Holder(net.time)
    async with calls(net, 6, held=lambda: held, rpm=2) as (_, tasks):
        assert kinds(await net.time.all(tasks)) == {"Completion"}
    assert net.time.at == 130
    assert held.told == []


@pytest.mark.parametrize("what", ["begin", "end"])
async def test_a_holder_that_fails_fails_the_call_and_still_has_its_end(net: Net, what: str) -> None:
    """A store that cannot be written ends one call; the others try."""
    net.down = [(0, 30)]
    bad, good = Holder(net.time, fails={what: StoreFull("full")}), Holder(net.time)
    each = iter([bad, good, good])
    async with calls(net, 3, held=lambda: next(each), attempts=1) as (_, tasks):
        found = await net.time.all(tasks)
    assert kinds(found[:1]) == {"StoreFull"}
    assert kinds(found[1:]) == {"Completion"}


# --- being cancelled -------------------------------------------------------------------------------------------------


async def cancelled(task: Call, time: Timeline) -> None:
    """Cancel a call; no time passes."""
    at = time.at
    task.cancel()
    await time.stand()
    assert task.cancelled()
    assert time.at == at


async def test_a_call_that_is_cancelled_while_it_waits_is_gone(net: Net) -> None:
    """The others do not notice."""
    net.down = [(0, 100)]
    async with calls(net, 5, attempts=1) as (_, tasks):
        await net.time.to(20)
        await cancelled(tasks[3], net.time)
        await cancelled(tasks[0], net.time)
        found = await net.time.all([task for task in tasks if not task.done()])
        assert kinds(found) == {"Completion"}
        assert len(found) == 3


async def test_a_try_that_is_cancelled_is_handed_on_at_once(net: Net) -> None:
    """The next who waits tries in its place; the one that was cancelled is journalled as unknown."""
    net.down = [(0, 4)]
    book = Book()
    async with calls(net, 4, attempts=4) as (client, tasks):
        await net.time.to(3)
        first = start(client.complete(question("first"), held=Holder(net.time), journal=book))
        await net.time.to(8)
        assert [request.question for request in net.asked if request.trying] == ["first"]
        await cancelled(first, net.time)
        assert book.states == [(1, "sent"), (1, "unknown")]
        assert net.tries == [5, 8]
        assert kinds(await net.time.all(tasks)) == {"Completion"}


async def test_when_all_who_wait_are_cancelled_the_next_tries(net: Net) -> None:
    """Whenever that comes."""
    net.down = [(0, 100)]
    async with calls(net, 5) as (client, tasks):
        await net.time.to(50)
        for task in tasks:
            await cancelled(task, net.time)
        asked = len(net.asked)
        await net.time.to(9_000)
        assert len(net.asked) == asked
        assert kinds(await net.time.all([start(client.complete(question("next"), held=Holder(net.time)))])) == {
            "Completion"
        }
        assert net.asked[-1].at == 9_000


async def test_a_try_that_is_cancelled_while_it_waits_for_its_slot_is_handed_on(net: Net) -> None:
    """The slot is held by a call that hangs."""
    net.takes_s = lambda number: 1_000 if number == 1 else 10
    async with calls(net, 1, slots=2) as (client, (hung,)):
        await net.time.to(1)
        net.down = [(1, 4)]
        others = [start(client.complete(question(f"o{number}"), held=Holder(net.time))) for number in range(4)]
        await net.time.to(3)
        client._sender.slots.limit = 1
        await net.time.to(20)
        trying = client._gate._trying
        assert trying is not None
        assert net.tries == []
        for task in others[:3]:
            await cancelled(task, net.time)
        client._sender.slots.limit = 2
        await net.time.to(21)
        assert kinds(await net.time.all([hung, others[3]])) == {"Completion"}


async def test_a_place_in_the_minute_is_given_back_by_who_is_cancelled(net: Net) -> None:
    """And a call that waited for its place when the gate shut goes to the gate, not to the endpoint."""
    net.down = [(1, 100)]
    async with calls(net, 6, rpm=2, attempts=1, slots=6) as (_, tasks):
        await net.time.to(61)
        assert [request.at for request in net.asked] == [0, 0, 60]
        await cancelled(tasks[5], net.time)
        assert kinds(await net.time.all(tasks[:5])) == {"Completion"}
    assert net.most_trying == 1


@pytest.mark.parametrize("what", ["begin", "end"])
async def test_a_call_that_is_cancelled_while_its_holder_is_told_has_its_end(net: Net, what: str) -> None:
    """A store takes its time; the end is written whoever is cancelled."""
    net.down = [(0, 14)]
    slow = Holder(net.time, takes_s=1)
    async with wired(net, attempts=1) as client:
        task = start(client.complete(question(), held=slow))
        other = start(client.complete(question("other"), held=Holder(net.time)))
        await net.time.to(0.5 if what == "begin" else 5.5)
        task.cancel()
        assert (await net.time.all([task]))[0].__class__ is asyncio.CancelledError
        assert slow.waiting == 0
        assert kinds(await net.time.all([other])) == {"Completion"}


def others_answered(net: Net, name: str) -> bool:
    """Whether others were that were asked between the requests of a question that failed."""
    own = [request.at for request in net.asked if request.question == name]
    return any(request.answered and own[0] < request.at < own[-1] for request in net.asked)


OUTAGES = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 200)), max_size=3)
ASKED = st.lists(
    st.tuples(st.integers(0, 200), st.booleans(), st.none() | st.integers(0, 400)), min_size=1, max_size=12
)


@given(outages=OUTAGES, asked=ASKED, mode=st.sampled_from(["refused", "503", "lost"]), slots=st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_nothing_is_lost_and_one_at_a_time_tries(
    outages: list[tuple[int, int]], asked: list[tuple[int, bool, int | None]], mode: Mode, slots: int
) -> None:
    """Calls come and are cancelled, and the endpoint goes, at any moment.

    What is not cancelled is answered, lost twice, or fails while others are answered.
    """

    async def live() -> None:
        net = Net(Timeline(), lambda number: 1 + number % 7, down=[(at, at + long) for at, long in outages], mode=mode)
        holders: list[Holder] = []
        books: list[Book] = []
        async with wired(net, slots=slots, attempts=2) as client:

            async def one(number: int, at: int, background: bool, until: int | None) -> Completion | None:
                holders.append(held := Holder(net.time))
                books.append(book := Book())
                await net.time.sleep(at)
                work = start(client.complete(question(f"q{number}"), held=held, background=background, journal=book))
                return await unless_cut(net.time, work, until)

            tasks = [start(one(number, *each)) for number, each in enumerate(asked)]
            found = await net.time.all(tasks)
            for number, (outcome, (_, _, until)) in enumerate(zip(found, asked, strict=True)):
                if until is None and not isinstance(outcome, Completion):
                    assert isinstance(outcome, EndpointUnavailable)
                    lost = mode == "lost" and "broke before" in str(outcome)
                    assert lost or others_answered(net, f"q{number}")
            assert net.most_trying <= 1
            assert all(holder.waiting == 0 for holder in holders)
            assert client._sender.slots.busy == 0
            assert client._gate._waiting == []
            assert client._gate._trying is None
            for book in books:
                states = [state for _, state in book.states]
                assert states.count("sent") == len(states) / 2
                assert all(state == "sent" for state in states[::2])

    asyncio.run(live())


async def test_a_gate_that_is_closed_lets_nobody_wait_for_ever(net: Net) -> None:
    """A client that ends ends those who wait."""
    net.down = [(0, FOR_EVER)]
    async with wired(net) as client:
        task = start(client.complete(question(), held=Holder(net.time)))
        await net.time.to(20)
    await net.time.stand()
    assert isinstance(task.exception(), EndpointUnavailable)
    assert isinstance(task.exception(), EndpointError)
