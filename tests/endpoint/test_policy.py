"""What the policy decides, whatever comes."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.endpoint.configuration import Overrides
from service.adapters.endpoint.policy import (
    MOST_REQUESTS,
    MOST_STEPS,
    Gate,
    Give,
    Hold,
    Late,
    Lost,
    Outcome,
    Policy,
    Refused,
    Retry,
    Spent,
    StepDown,
    Unreached,
    Unusable,
    Wait,
    after,
    sign,
)
from service.core.errors import (
    CompletionCut,
    CompletionRefused,
    EndpointThrottled,
    EndpointTimeout,
    EndpointUnavailable,
    MalformedCompletion,
)
from service.core.wire import DEFAULT, Fault, FaultKind, named_error

POLICY = Policy()
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(
        lambda kind, wait_s, parameter: refused(kind, wait_s=wait_s, parameter=parameter),
        st.sampled_from(["retry", "throttled", "parameter", "response_format", "overflow", "credentials", "final"]),
        st.none() | st.floats(0, 100),
        st.sampled_from(["max_tokens", "max_completion_tokens", "temperature", "stream", "system_role", "other"]),
    ),
    st.builds(Unreached, error=st.just(EndpointUnavailable("x")), hopeless=st.booleans()),
    st.builds(Lost, error=st.just(EndpointUnavailable("x")), stale=st.booleans()),
    st.builds(Late, error=st.just(EndpointTimeout("x"))),
    st.builds(Unusable, error=st.just(MalformedCompletion("x")), empty=st.booleans(), oversized=st.booleans()),
)


def refused(
    kind: FaultKind, *, wait_s: float | None = None, parameter: str | None = None, status: int | None = None
) -> Refused:
    """A refusal of a kind."""
    fault = Fault(kind=kind, message="no.", wait_s=wait_s, parameter=parameter)
    return Refused(fault=fault, error=named_error(fault), status=status)


@given(outcomes=st.lists(OUTCOMES, min_size=40, max_size=40), left=st.booleans(), share=st.floats(0, 1))
def test_every_call_ends_soon(outcomes: list[Outcome], left: bool, share: float) -> None:
    """Whatever comes: at most four attempts, ten requests without the steps down, a minute of waiting."""
    spent, profile, requests = Spent(), DEFAULT, 0
    for outcome in outcomes:
        requests += 1
        decision = POLICY.decide(
            outcome,
            spent=spent,
            profile=profile,
            retries_left=left,
            uniform=lambda low, high: low + share * (high - low),
        )
        spent = after(spent, outcome, decision)
        if isinstance(decision, StepDown):
            profile = decision.profile
        if isinstance(decision, Give):
            break
    assert isinstance(decision, Give)
    assert spent.attempts <= POLICY.attempts
    assert spent.waited_s <= POLICY.patience_s
    assert requests - spent.steps <= MOST_REQUESTS
    assert spent.steps <= MOST_STEPS


def decide(
    outcome: Outcome, *, spent: Spent | None = None, left: bool = True, gate: Gate = "none", others: bool = False
) -> object:
    """The decision about an outcome; backoff is the longest."""
    return POLICY.decide(
        outcome,
        spent=spent or Spent(),
        profile=DEFAULT,
        retries_left=left,
        uniform=lambda _low, high: high,
        gate=gate,
        others_answered=others,
    )


@pytest.mark.parametrize("kind", ["overflow", "refused", "credentials", "model", "final"])
def test_what_is_final_is_given_up(kind: FaultKind) -> None:
    """With the error that says what it is."""
    outcome = refused(kind)
    assert decide(outcome) == Give(error=outcome.error)


def test_a_throttle_without_a_stated_wait_takes_from_the_budget() -> None:
    """Where the budget is spent it is left to somebody who waits longer."""
    assert decide(refused("throttled")) == Wait(wait_s=0.5, stated=False)
    given_up = decide(refused("throttled"), left=False)
    assert isinstance(given_up, Give)
    assert isinstance(given_up.error, EndpointThrottled)


def test_a_throttle_that_states_its_wait_does_not_take_from_the_budget() -> None:
    """It is the endpoint's own wish."""
    assert decide(refused("throttled", wait_s=4.0), left=False) == Wait(wait_s=4.0, stated=True)


def test_an_endpoint_that_says_no_wait_again_and_again_is_not_hammered() -> None:
    """From the second throttle on there is a wait of our own."""
    assert decide(refused("throttled", wait_s=0.0), spent=Spent(throttles=3)) == Wait(wait_s=4.0, stated=True)


@pytest.mark.parametrize("kind", ["retry", "throttled"])
def test_a_long_wait_is_for_somebody_else(kind: Literal["retry", "throttled"]) -> None:
    """Over the patience, whatever the reason."""
    decision = decide(refused(kind, wait_s=61.0))
    assert isinstance(decision, Give)
    assert isinstance(decision.error, EndpointThrottled)
    assert decision.error.wait_s == 61.0


def test_waits_for_throttles_add_up() -> None:
    """A minute in all, not a minute each."""
    assert isinstance(decide(refused("throttled", wait_s=31.0), spent=Spent(waited_s=30.0)), Give)


def test_a_stream_without_anything_is_asked_for_whole() -> None:
    """Unless streaming was set by hand."""
    outcome = Unusable(error=MalformedCompletion("x"), empty=True)
    assert decide(outcome) == Retry(wait_s=0.5, whole=True)
    by_hand = Policy(overrides=Overrides(stream=True)).decide(
        outcome, spent=Spent(), profile=DEFAULT, retries_left=True, uniform=lambda _low, high: high
    )
    assert by_hand == Retry(wait_s=0.5)


def test_a_stale_connection_does_not_use_up_the_one_retry_of_a_lost_one() -> None:
    """Several kept connections may have been closed at once."""
    stale = Lost(error=EndpointUnavailable("x"), stale=True)
    spent = after(Spent(), stale, Retry(wait_s=0.0))
    assert (spent.lost, spent.attempts) == (0, 1)
    assert isinstance(decide(Lost(error=EndpointUnavailable("x")), spent=spent), Retry)


# --- the gate --------------------------------------------------------------------------------------------------------

DOWN = Unreached(error=EndpointUnavailable("x"), down=True)
LAST = Spent(attempts=POLICY.attempts - 1)


@given(outcome=OUTCOMES, gate=st.sampled_from(["open", "shut"]), left=st.booleans(), others=st.booleans())
def test_a_call_that_waits_for_outages_never_ends_as_throttled_or_retries_while_the_gate_is_shut(
    outcome: Outcome, gate: Gate, left: bool, others: bool
) -> None:
    """It steps down, waits at the gate or ends; what would have ended it otherwise still does, or is waited out."""
    decision = decide(outcome, gate=gate, left=left, others=others)
    otherwise = decide(outcome, left=left)
    assert not (isinstance(decision, Give) and isinstance(decision.error, EndpointThrottled))
    if gate == "shut":
        assert isinstance(decision, Hold | StepDown | Give)
    assert isinstance(decision, Hold) or decision == otherwise


def test_a_call_whose_attempts_are_spent_waits_unless_others_are_answered() -> None:
    """Then it is the request that fails, and not the endpoint; while the gate is shut it waits all the same."""
    assert isinstance(decide(DOWN, spent=LAST), Give)
    assert isinstance(decide(DOWN, spent=LAST, gate="open"), Hold)
    assert isinstance(decide(DOWN, spent=LAST, gate="open", others=True), Give)
    assert isinstance(decide(DOWN, spent=LAST, gate="shut", others=True), Hold)


def test_a_call_for_which_no_retry_is_left_waits() -> None:
    """So many fail that something is wrong; but not with what no waiting helps, nor with one that has had its retry."""
    lost = Lost(error=EndpointUnavailable("x"))
    for gate in ("open", "shut"):
        assert isinstance(decide(lost, left=False, gate=gate), Hold)
        assert isinstance(decide(lost, left=False, gate=gate, spent=Spent(lost=1)), Give)
        unusable = Unusable(error=MalformedCompletion("x"))
        assert isinstance(decide(unusable, left=False, gate=gate), Give)
    ours = Unreached(error=EndpointUnavailable("x"))
    assert isinstance(decide(ours, left=False, gate="open"), Give)


def test_who_waits_begins_anew_but_for_what_was_lost() -> None:
    """A request that was sent twice and lost twice may have been paid twice; no waiting makes that good."""
    spent = Spent(attempts=2, throttles=3, waited_s=50.0, lost=1, unusable=1, steps=2)
    held = after(spent, DOWN, Hold(error=DOWN.error))
    assert held == Spent(lost=1, unusable=1, steps=2)
    assert after(Spent(), Lost(error=DOWN.error), Hold(error=DOWN.error)).lost == 1


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (DOWN, "down"),
        (Unreached(error=EndpointUnavailable("x")), "unclear"),
        (Lost(error=EndpointUnavailable("x")), "unclear"),
        (Late(error=EndpointTimeout("x")), "unclear"),
        (Unusable(error=MalformedCompletion("x")), "unclear"),
        (Unusable(error=CompletionCut("x")), "up"),
        (Unusable(error=CompletionRefused("x")), "up"),
        (refused("throttled", status=429), "throttled"),
        (refused("credentials", status=401), "barred"),
        (refused("credentials", status=403), "up"),
        (refused("final", status=402), "up"),
        (refused("response_format", status=500), "up"),
        (refused("retry", status=408), "unclear"),
        (refused("retry", status=409), "up"),
        *((refused("retry", status=status), "down") for status in (200, 500, 502, 503, 504, 529)),
    ],
)
def test_each_outcome_says_something_about_the_endpoint_or_nothing(outcome: Outcome, says: str) -> None:
    """Whoever asked."""
    assert sign(outcome) == says
