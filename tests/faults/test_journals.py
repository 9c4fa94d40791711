"""Two journals held against each other: what explains a call, and what does not."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import Attempt, Call, Coming, calls_in, differences, paid_again


def call(number: int = 1, *, key: str = "k", status: int | None = 200, sent: bool = True) -> Call:
    """A call at the endpoint."""
    return Call(number, key, 0, 0.0, status, sent)


def attempt(state: str, status: int | None = None, *, key: str = "k", summary: str = "s", number: int = 1) -> Attempt:
    """An attempt of the service."""
    return Attempt(summary, key, 0, number, state, status)  # type: ignore[arg-type]


WHOLE, CUT, NOTHING = call(), call(sent=False), call(status=0, sent=False)
REFUSED, OPEN = call(status=503, sent=False), call(status=None, sent=False)


@pytest.mark.parametrize(
    ("calls", "attempts"),
    [
        ([], []),
        ([WHOLE], [attempt("answered", 200)]),
        ([REFUSED, WHOLE], [attempt("failed", 503), attempt("answered", 200)]),
        ([CUT, WHOLE], [attempt("failed", 200), attempt("answered", 200)]),
        ([WHOLE, WHOLE], [attempt("sent"), attempt("answered", 200)]),
        ([WHOLE, WHOLE], [attempt("unknown", 200), attempt("answered", 200, summary="other")]),
        ([NOTHING, WHOLE], [attempt("unknown"), attempt("answered", 200)]),
        ([OPEN], [attempt("sent")]),
        ([], [attempt("sent")]),
        ([REFUSED], [attempt("sent")]),
        ([], [attempt("failed")]),
    ],
)
def test_calls_that_the_service_knows_of_are_explained(calls: list[Call], attempts: list[Attempt]) -> None:
    """Answered or failed as it says, or left open by it."""
    assert differences(calls, attempts) == []


@pytest.mark.parametrize(
    ("calls", "attempts", "fault"),
    [
        ([WHOLE], [], "1 calls beyond those that ended, and 0 attempts"),
        ([WHOLE, WHOLE], [attempt("answered", 200)], "1 calls beyond"),
        ([WHOLE, WHOLE], [attempt("answered", 200), attempt("failed")], "1 calls beyond"),
        ([WHOLE, WHOLE, WHOLE], [attempt("answered", 200), attempt("sent")], "2 calls beyond those that ended, and 1"),
        ([WHOLE, WHOLE], [attempt("answered", 200), attempt("answered", 200, summary="other")], "answered 2 times"),
        ([], [attempt("answered", 200)], "no such call"),
        ([CUT], [attempt("answered", 200)], "no such call"),
        ([WHOLE], [attempt("failed", 503)], "no such call"),
        ([call(key="other")], [attempt("sent")], "1 calls beyond"),
    ],
)
def test_calls_that_the_service_does_not_know_of_are_told(
    calls: list[Call], attempts: list[Attempt], fault: str
) -> None:
    """So is an answer that the endpoint did not give, and a request that was answered twice."""
    assert any(fault in found for found in differences(calls, attempts))


@given(st.lists(st.sampled_from(["answered", "failed", "sent", "unknown"]), max_size=6))
def test_an_attempt_that_is_missing_is_always_missed(states: list[str]) -> None:
    """However the calls ended: without one attempt that was behind a call, the journals differ."""
    behind = {"answered": WHOLE, "failed": REFUSED, "sent": WHOLE, "unknown": NOTHING}
    once = [state for at, state in enumerate(states) if state != "answered" or "answered" not in states[:at]]
    calls = [behind[state]._replace(number=at) for at, state in enumerate(once)]
    attempts = [attempt(state, behind[state].status, number=at) for at, state in enumerate(once)]
    assert differences(calls, attempts) == []
    for at in range(len(attempts)):
        assert differences(calls, attempts[:at] + attempts[at + 1 :]) != []


def test_only_whole_answers_are_paid_again() -> None:
    """A call that was refused or broke off costs nothing that was there before."""
    assert paid_again([WHOLE, REFUSED, CUT, OPEN]) == 0
    assert paid_again([WHOLE, WHOLE, WHOLE, call(key="other")]) == 2


def test_a_record_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    """Half a line is no call yet."""
    journal = tmp_path / "calls"
    accepted = {"event": "accepted", "call": 1, "key": "k", "repetition": 0, "at": 1.5}
    whole, half = json.dumps(accepted), json.dumps({**accepted, "call": 2})
    coming = Coming(journal)
    assert coming.calls() == 0
    journal.write_text(f"{whole}\n{half[:20]}")
    assert coming.calls() == 1
    assert calls_in(journal) == [Call(1, "k", 0, 1.5, None, sent=False)]
    with journal.open("a") as file:
        file.write(f"{half[20:]}\n" + json.dumps({"event": "ended", "call": 1, "status": 200, "sent": True}) + "\n")
    assert coming.calls() == 2
    assert [one.sent for one in calls_in(journal)] == [True, False]
