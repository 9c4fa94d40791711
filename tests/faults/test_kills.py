"""A server is killed with -9 again and again while it works, and nothing is lost, done twice or left undone.

A kill ends a process, not the machine: that what is committed also stands a loss of power rests on SQLite's
`synchronous = FULL`, which the tests of the store assert, and on a disk that keeps what it says it has written.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from articles import article
from judging import After, Report
from lives import QUEUES, Fail
from ordeal import ordeal

JOBS, LINES = 400, 100
"""Asked for one by one, and as a batch."""
SEED = 20_260_301
KILLS = (
    After(40),
    Fail("after_accept", 30),
    Fail("after_claim", 35),
    Fail("after_sent", 45),
    After(1),
    Fail("before_answer", 40),
    Fail("before_end", 35),
    After(40),
)
"""At points that the service does not know of, and at moments that depend on how far it is."""
UNDISTURBED = 40

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]


@pytest.fixture(scope="module", params=QUEUES)
def queue(request: pytest.FixtureRequest) -> str:
    """A queue that must pass all of this."""
    return str(request.param)


@pytest.fixture(scope="module")
def report(queue: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What became of the jobs."""
    folder = tmp_path_factory.mktemp("killed")
    return asyncio.run(ordeal(folder, queue=queue, jobs=JOBS, lines=LINES, kills=KILLS, seed=SEED))


def test_every_job_is_accepted_in_the_end(report: Report) -> None:
    """A caller that is not answered asks the next server, and no request gets an answer that it should not get."""
    assert report.refused == []
    assert report.accepted == JOBS + LINES


def test_nothing_that_was_accepted_is_lost(report: Report) -> None:
    """Every summary that a caller was told of is there."""
    assert report.lost == []


def test_nothing_is_stuck(report: Report) -> None:
    """And is finished; well, as the endpoint fails now and then only."""
    assert report.stuck == []
    assert report.statuses == {"succeeded": JOBS + LINES}


def test_no_result_conflicts_with_another(report: Report) -> None:
    """A finished summary never changes, one of the same text is the same, and each rests on answers given in whole."""
    assert report.conflicting == []


def test_every_call_is_explained_by_an_attempt(report: Report) -> None:
    """Whatever was paid a second time was under way when the server died, or its answer never came whole."""
    assert report.unexplained == []
    assert 0 < report.paid_again <= report.attempts["sent"] + report.attempts["unknown"]
    assert report.attempts["sent"] <= report.most_in_flight


def test_every_quote_is_the_text_s_own(report: Report) -> None:
    """At its place, letter by letter."""
    assert report.misquoted == []


def test_everything_unfinished_is_taken_up_at_the_next_start(report: Report) -> None:
    """Of every server, as many as were left by the one before; one may be dead before it can say so."""
    said = [one for one in report.restarts if one.resumed is not None]
    assert len(said) >= len(KILLS) - 1
    assert [one.resumed for one in said] == [one.unfinished for one in said]
    assert min(one.unfinished for one in said) > 0


def test_nothing_is_made_twice_under_one_key(report: Report) -> None:
    """Requests that were sent again, because the server died before it answered, made no second summary."""
    assert report.strays == []


def test_no_job_is_given_up_for_deaths_that_are_not_its_own(report: Report) -> None:
    """Each was under way in few enough of them."""
    assert 1 < report.most_tries <= 5


async def test_killed_servers_give_what_an_undisturbed_one_gives(queue: str, report: Report, tmp_path: Path) -> None:
    """But for the endpoint's address and what its answers say differently each time."""
    calm = await ordeal(tmp_path, queue=queue, jobs=UNDISTURBED, kills=(), seed=SEED, faults=0.0)
    assert calm.wrong == []
    assert calm.calls == calm.attempts["answered"] == calm.attempts.total()
    assert calm.results.keys() <= report.results.keys()
    for number, result in calm.results.items():
        assert same(report.results[number]) == same(result), article(number)


def same(result: dict[str, Any]) -> dict[str, Any]:
    """What of a result does not depend on the endpoint, nor on how long its headlines are."""
    manifest, usage = result["manifest"], result["usage"]
    return {
        **result,
        "headline": None,
        "manifest": {**manifest, "endpoint": None},
        "usage": {**usage, "estimated_completion_tokens": None},
    }
