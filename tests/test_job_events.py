"""Events of jobs: kept for who follows, told once and in order, and held up by nobody."""

import asyncio
import gc
import weakref
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import point

from service.adapters.queue import Job
from service.core.types import KeyPoint
from service.core.watching import CallAnswered, PartEnded, PhaseBegun, PointsStood, Progress, Seen
from service.jobs.events import MOST_KEPT, Event, Events, Follower
from service.jobs.running import Watcher

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stood(number: int) -> KeyPoint:
    """A point that stands."""
    return point(f"p{number}", "Residents protested on the square.", "Residents protested on the square.")


def happen(events: Events, number: int, *, job: str = "a", points: int = 0) -> None:
    """Something happens: so many parts are done, or one point stands."""
    given = (stood(points),) if points else ()
    events.tell("local", job, status="running", progress=Progress(completed=number), points=given)


def begun(job: str = "a") -> Events:
    """The events of one job."""
    events = Events()
    events.begin("local", job)
    return events


def followed(events: Events, *, job: str = "a", after: str | None = None) -> Follower:
    """A follower of a job that is here."""
    follower = events.follow("local", job, after=after)
    assert follower is not None
    return follower


def completed(taken: tuple[Event, ...]) -> list[int]:
    """The parts that were done at each event."""
    return [event.progress.completed for event in taken]


def ids_of_points(taken: tuple[Event, ...]) -> list[str]:
    """The points that were told."""
    return [one.id for event in taken for one in event.points]


def test_a_new_follower_is_told_at_once_how_things_stand() -> None:
    """One event of the progress, although nothing has happened yet; then nothing until something does."""
    events = begun()
    follower = followed(events)
    (first,) = follower.take()
    assert (first.kind, first.status, first.progress) == ("progress", "queued", Progress())
    assert follower.take() == ()
    happen(events, 1)
    assert completed(follower.take()) == [1]


def test_a_follower_who_comes_late_gets_every_point_and_the_newest_progress() -> None:
    """What stands is not lost to them; how far it was in between is."""
    events = begun()
    for number in range(1, 7):
        happen(events, number, points=number if number % 2 else 0)
    taken = followed(events).take()
    assert [event.kind for event in taken] == ["progress", "points", "points", "points"]
    assert taken[0].progress.completed == 6
    assert ids_of_points(taken) == ["p1", "p3", "p5"]


@given(cuts=st.lists(st.integers(1, 30), max_size=5), kinds=st.lists(st.booleans(), min_size=1, max_size=30))
def test_going_on_after_an_id_loses_and_repeats_nothing(cuts: list[int], kinds: list[bool]) -> None:
    """Wherever a follower is cut off, and however often, they get each event once and in order."""
    events, got = begun(), list[Event]()
    follower = followed(events)
    got += follower.take()
    for number, is_points in enumerate(kinds, 1):
        happen(events, number, points=number if is_points else 0)
        if number in cuts:
            follower = followed(events, after=got[-1].id)
        got += follower.take()
    assert completed(tuple(got)) == list(range(len(kinds) + 1))
    assert len({event.id for event in got}) == len(got)


@given(at=st.integers(0, 8))
def test_whoever_is_cut_off_while_they_catch_up_gets_every_point_once(at: int) -> None:
    """The id of each event that tells how things stand is a place to go on from."""
    events = begun()
    for number in range(1, 5):
        happen(events, number, points=number)
    taken = followed(events).take()[: at + 1]
    rest = followed(events, after=taken[-1].id).take()
    assert ids_of_points(taken) + ids_of_points(rest) == ["p1", "p2", "p3", "p4"]


def test_what_is_too_long_ago_is_told_as_how_things_stand() -> None:
    """A follower who has missed more than is kept gets the points they have not seen, and no other twice."""
    events = begun()
    follower = followed(events)
    happen(events, 1, points=1)
    seen = follower.take()
    happen(events, 2, points=2)
    for number in range(3, MOST_KEPT + 10):
        happen(events, number)
    for late in (follower, followed(events, after=seen[-1].id)):
        taken = late.take()
        assert [event.kind for event in taken] == ["progress", "points"]
        assert (taken[0].progress.completed, ids_of_points(taken)) == (MOST_KEPT + 9, ["p2"])
        happen(events, MOST_KEPT + 9)
        assert len(late.take()) == 1


@pytest.mark.parametrize(
    "after", ["", ".", "1", "a.1", "é.٣", "{name}.", "{name}.-1", "{name}.99", "{name}.1x", "{name}." + "9" * 5_000]
)
def test_an_id_that_is_not_of_this_job_is_told_how_things_stand(after: str) -> None:
    """Unknown, of another job, of the future or nonsense: the progress first, and then it goes on."""
    events = begun()
    happen(events, 1)
    name = followed(events).take()[0].id.partition(".")[0]
    follower = followed(events, after=after.format(name=name))
    assert completed(follower.take()) == [1]
    happen(events, 2)
    assert completed(follower.take()) == [2]


def test_an_id_holds_for_one_job_only() -> None:
    """The number alone would be a place in another job's events too."""
    events = begun()
    events.begin("local", "b")
    for number in (1, 2, 3):
        happen(events, number)
        happen(events, number, job="b")
    foreign = followed(events).take()[-1].id
    assert len(followed(events, job="b", after=foreign).take()) == 1


async def test_a_follower_waits_until_something_happens() -> None:
    """And not at all where there is something to take."""
    events = begun()
    follower = followed(events)
    await follower.wait()
    follower.take()
    waiting = asyncio.create_task(follower.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    happen(events, 1)
    await waiting
    assert completed(follower.take()) == [1]


async def test_the_end_wakes_who_waits_and_leaves_nothing_unsaid() -> None:
    """What happened before the end can still be taken after it."""
    events = begun()
    quick, slow = followed(events), followed(events)
    quick.take()
    waiting = asyncio.create_task(quick.wait())
    await asyncio.sleep(0)
    happen(events, 1, points=1)
    events.end("local", "a")
    await waiting
    before, taken = quick.is_done, quick.take()
    assert (before, ids_of_points(taken), quick.is_done) == (False, ["p1"], True)
    assert ids_of_points(slow.take()) == ["p1"]
    await slow.wait()
    assert slow.is_done


def test_a_job_that_has_ended_is_not_here() -> None:
    """Nobody can follow it any more, nothing is told of it, and ending it again is no error."""
    events = begun()
    events.end("local", "a")
    events.end("local", "a")
    happen(events, 1)
    assert events.follow("local", "a") is None
    assert events.progress("local", "a") is None


def test_a_job_that_has_ended_is_kept_for_its_followers_only() -> None:
    """With the last of them, its events go."""
    events = begun()
    follower = followed(events)
    happen(events, 1)
    kept = weakref.ref(follower._log.kept)
    events.end("local", "a")
    gc.collect()
    assert kept() is not None
    del follower
    gc.collect()
    assert kept() is None


def test_tenants_do_not_see_one_another() -> None:
    """A job of one is not here for another."""
    events = begun()
    assert events.follow("other", "a") is None
    assert events.progress("other", "a") is None


def test_closing_ends_every_job() -> None:
    """Whoever follows one is let go."""
    events = begun()
    events.begin("local", "b")
    followers = [followed(events, job=job) for job in "ab"]
    events.close()
    assert [len(follower.take()) for follower in followers] == [1, 1]
    assert all(follower.is_done for follower in followers)


# --- adding up -------------------------------------------------------------------------------------------------------


def watched(*seen: Seen) -> tuple[Event, ...]:
    """What a follower is told of what was seen."""
    events = begun()
    follower = followed(events)
    follower.take()
    watcher = Watcher(events, Job(tenant="local", id="a"), None)
    for one in seen:
        watcher(one)
    return follower.take()


def test_parts_and_tokens_are_added_up() -> None:
    """A part that is cut again adds to the total, and every answer adds its tokens."""
    taken = watched(
        PhaseBegun(phase="reading"),
        PhaseBegun(phase="drafting", parts=2),
        CallAnswered(prompt_tokens=100, completion_tokens=10),
        PartEnded(),
        PhaseBegun(phase="drafting", parts=1),
        PartEnded(failed=True),
        PartEnded(),
        CallAnswered(prompt_tokens=50, completion_tokens=5),
    )
    assert [event.status for event in taken] == ["running"] * 8
    assert taken[0].progress == Progress(phase="reading")
    assert taken[-1].progress == Progress(phase="drafting", total=3, completed=2, failed=1, tokens=165)


def test_points_are_told_with_the_progress_they_came_at() -> None:
    """As an event of their own, which changes no number."""
    (begun_, points) = watched(PhaseBegun(phase="drafting", parts=1), PointsStood(points=(stood(1),)))
    assert (points.kind, ids_of_points((points,))) == ("points", ["p1"])
    assert points.progress == begun_.progress


def test_waiting_for_the_endpoint_is_a_status_with_a_time() -> None:
    """It is told when it begins and when it ends."""
    events = begun()
    follower = followed(events)
    follower.take()
    watcher = Watcher(events, Job(tenant="local", id="a"), None)
    watcher.begin()
    watcher.wait(NOON)
    watcher(PartEnded())
    watcher.go_on()
    told = [(event.status, event.next_attempt_at) for event in follower.take()]
    assert told == [("running", None), ("waiting", NOON), ("waiting", NOON), ("running", None)]
    watcher.end()
    assert follower.is_done
