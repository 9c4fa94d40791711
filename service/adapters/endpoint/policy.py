"""What to do about what came of a request: a value that decides, without I/O, clock or chance of its own."""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from service.adapters.endpoint.configuration import Overrides
from service.core.errors import (
    CompletionCut,
    CompletionRefused,
    EndpointError,
    EndpointRejected,
    EndpointThrottled,
    EndpointUnavailable,
    MalformedCompletion,
)
from service.core.types import Value
from service.core.wire import Fault, Profile, backoff_s, step_down

MOST_REQUESTS = 10
"""Requests of one call, steps down aside, however short the waits are that an endpoint asks for."""
MOST_STEPS = 12
_UNAUTHORIZED, _REQUEST_TIMEOUT, _CONFLICT = 401, 408, 409

Gate = Literal["none", "open", "shut"]
"""How the gate stands that calls wait at while the endpoint is down; `none` for a call that does not wait there."""
Sign = Literal["up", "barred", "down", "throttled", "unclear"]
"""What an outcome says about the endpoint, whoever asked: `barred` where it takes the key no more."""


class Spent(Value, frozen=True, kw_only=True):
    """What one call has used up so far."""

    attempts: int = 0
    """Requests that failed; those that were only told to wait are not among them."""
    throttles: int = 0
    waited_s: float = 0.0
    """For throttles."""
    lost: int = 0
    """Requests that were sent and whose connection broke, stale connections aside."""
    unusable: int = 0
    steps: int = 0


# --- what came of a request ------------------------------------------------------------------------------------------


class Refused(Value, frozen=True, kw_only=True):
    """The endpoint said no, by a status or by an error in a 200."""

    fault: Fault
    error: EndpointError
    status: int | None = None


class Unreached(Value, frozen=True, kw_only=True):
    """Nothing was sent."""

    error: EndpointError
    hopeless: bool = False
    """Whether it will be the same the next time, as with a certificate that is not trusted."""
    down: bool = False
    """Whether it was the endpoint, or the way to it, that was not there."""


class Lost(Value, frozen=True, kw_only=True):
    """The request was sent and the connection broke."""

    error: EndpointError
    stale: bool = False
    """Whether it was a kept connection on which nothing was answered: most likely closed before it was used."""


class Late(Value, frozen=True, kw_only=True):
    """A time limit was reached after the request was sent."""

    error: EndpointError


class Unusable(Value, frozen=True, kw_only=True):
    """There was a reply, and no completion in it."""

    error: EndpointError
    empty: bool = False
    """Whether a stream held nothing at all: asked for whole, the endpoint may say why."""
    oversized: bool = False


Outcome = Refused | Unreached | Lost | Late | Unusable


def sign(outcome: Outcome) -> Sign:
    """What an outcome other than an answer says about the endpoint."""
    match outcome:
        case Unreached(down=True):
            return "down"
        case Unusable(error=CompletionCut() | CompletionRefused()):
            return "up"
        case Refused(fault=fault, status=status):
            return _sign(fault, status)
    return "unclear"


def _sign(fault: Fault, status: int | None) -> Sign:
    if fault.kind == "throttled":
        return "throttled"
    if fault.kind == "credentials":
        return "barred" if status == _UNAUTHORIZED else "up"
    if fault.kind != "retry" or status == _CONFLICT:
        return "up"
    return "unclear" if status == _REQUEST_TIMEOUT else "down"


# --- what to do ------------------------------------------------------------------------------------------------------


class Retry(Value, frozen=True, kw_only=True):
    """Ask again after a while; it counts as an attempt and takes from the retry budget."""

    wait_s: float
    whole: bool = False
    """Without streaming."""


class Wait(Value, frozen=True, kw_only=True):
    """The endpoint asks everybody to wait; no attempt is used up."""

    wait_s: float
    stated: bool
    """Whether the endpoint said for how long; otherwise asking again takes from the retry budget."""


class StepDown(Value, frozen=True, kw_only=True):
    """Ask again at once, without what was refused; remember it. No attempt is used up."""

    profile: Profile


class Hold(Value, frozen=True, kw_only=True):
    """Wait at the gate until the endpoint is there again, and begin anew then, but for what was lost or of no use."""

    error: EndpointError
    """What the call would end with."""
    wait_s: float | None = None
    """What the endpoint asks for."""
    throttled: bool = False
    """Whether it is there, and asks to wait for longer than a call waits in place."""
    whole: bool = False
    """Without streaming."""


class Give(Value, frozen=True, kw_only=True):
    """Give up."""

    error: EndpointError


Decision = Retry | Wait | StepDown | Hold | Give


class Policy(Value, frozen=True, kw_only=True):
    """How persistent a call is."""

    attempts: int = 4
    patience_s: float = 60.0
    overrides: Overrides = Overrides()

    def decide(
        self,
        outcome: Outcome,
        *,
        spent: Spent,
        profile: Profile,
        retries_left: bool,
        uniform: Callable[[float, float], float],
        gate: Gate = "none",
        others_answered: bool = False,
    ) -> Decision:
        """Decide what to do about an outcome.

        Args:
            outcome: of the last request.
            spent: before that request.
            profile: that it was sent with.
            retries_left: whether the budget for retries of all calls together has one left.
            uniform: draws between its bounds.
            gate: how it stands, this outcome included.
            others_answered: whether others were that asked after this call had failed first.
        """
        decision = self._in_place(outcome, spent=spent, profile=profile, left=retries_left, uniform=uniform)
        if gate == "none":
            return decision
        match decision:
            case Give(error=EndpointThrottled() as error):
                return Hold(error=error, wait_s=error.wait_s, throttled=True)
            case Retry() | Wait() if gate == "shut":
                whole = isinstance(decision, Retry) and decision.whole
                return Hold(error=outcome.error, wait_s=_stated_s(outcome), whole=whole)
            # where others are answered it is the request, and not the endpoint
            case Give(error=error) if sign(outcome) == "down" and (gate == "shut" or not others_answered):
                return Hold(error=error, wait_s=_stated_s(outcome))
            case Give(error=EndpointUnavailable() as error) if not retries_left and _waited_for(outcome):
                # so many calls fail that no more retries are allowed: then they wait, in place of failing
                freely = self._in_place(outcome, spent=spent, profile=profile, left=True, uniform=uniform)
                return Hold(error=error, wait_s=_stated_s(outcome)) if isinstance(freely, Retry) else decision
        return decision

    def _in_place(
        self,
        outcome: Outcome,
        *,
        spent: Spent,
        profile: Profile,
        left: bool,
        uniform: Callable[[float, float], float],
    ) -> Retry | Wait | StepDown | Give:
        """Decide as if there were no gate."""
        match outcome:
            case Refused(fault=fault, error=error):
                return self._refused(fault, error, spent=spent, profile=profile, left=left, uniform=uniform)
            case Unreached(hopeless=True, error=error) | Late(error=error) | Unusable(oversized=True, error=error):
                return Give(error=error)
            case Unusable(error=error) if not isinstance(error, MalformedCompletion) or spent.unusable:
                return Give(error=error)
            case Lost(stale=False, error=error) if spent.lost:
                return Give(error=error)
        whole = isinstance(outcome, Unusable) and outcome.empty and not self.overrides.stream
        return self._retry(outcome.error, spent=spent, left=left, uniform=uniform, whole=whole)

    def _refused(
        self,
        fault: Fault,
        error: EndpointError,
        *,
        spent: Spent,
        profile: Profile,
        left: bool,
        uniform: Callable[[float, float], float],
    ) -> Retry | Wait | StepDown | Give:
        match fault.kind:
            case "parameter" | "response_format":
                return self._step(fault, error, spent=spent, profile=profile)
            case "throttled":
                return self._throttled(fault, error, spent=spent, left=left, uniform=uniform)
            case "retry":
                if fault.wait_s is not None and fault.wait_s > self.patience_s:
                    return Give(error=_wait_elsewhere(error, fault.wait_s))
                return self._retry(error, spent=spent, left=left, uniform=uniform, stated_s=fault.wait_s)
            case _:
                return Give(error=error)

    def _step(self, fault: Fault, error: EndpointError, *, spent: Spent, profile: Profile) -> StepDown | Give:
        below = step_down(profile, fault)
        if below is None or spent.steps >= MOST_STEPS:
            return Give(error=error)
        if self.overrides.applied(below) != below:
            changed = [name for name in Overrides.__struct_fields__ if getattr(below, name) != getattr(profile, name)]
            return Give(
                error=EndpointRejected(
                    f"{error.detail} What it refuses is set by hand ({', '.join(changed)}): "
                    "leave that setting out, and it is learned from the endpoint."
                )
            )
        return StepDown(profile=below)

    def _throttled(
        self,
        fault: Fault,
        error: EndpointError,
        *,
        spent: Spent,
        left: bool,
        uniform: Callable[[float, float], float],
    ) -> Wait | Give:
        wait_s = backoff_s(spent.throttles, uniform=uniform)
        if fault.wait_s is not None:
            # an endpoint that says "0 seconds" again and again is not to be hammered
            wait_s = max(fault.wait_s, wait_s) if spent.throttles else fault.wait_s
        too_long = spent.waited_s + wait_s > self.patience_s
        too_often = spent.throttles + spent.attempts + 1 >= MOST_REQUESTS
        if too_long or too_often or (fault.wait_s is None and not left):
            return Give(error=_wait_elsewhere(error, wait_s))
        return Wait(wait_s=wait_s, stated=fault.wait_s is not None)

    def _retry(
        self,
        error: EndpointError,
        *,
        spent: Spent,
        left: bool,
        uniform: Callable[[float, float], float],
        stated_s: float | None = None,
        whole: bool = False,
    ) -> Retry | Give:
        if spent.attempts + 1 >= self.attempts or not left:
            return Give(error=error)
        return Retry(wait_s=backoff_s(spent.attempts, uniform=uniform) if stated_s is None else stated_s, whole=whole)


def after(spent: Spent, outcome: Outcome, decision: Decision) -> Spent:
    """Count what an outcome and the decision about it have used up."""
    match decision:
        case Wait(wait_s=wait_s):
            return replace(spent, throttles=spent.throttles + 1, waited_s=spent.waited_s + wait_s)
        case StepDown():
            return replace(spent, steps=spent.steps + 1)
    asked = replace(
        spent,
        attempts=spent.attempts + 1,
        lost=spent.lost + (isinstance(outcome, Lost) and not outcome.stale),
        unusable=spent.unusable + isinstance(outcome, Unusable),
    )
    return replace(asked, attempts=0, throttles=0, waited_s=0.0) if isinstance(decision, Hold) else asked


def _waited_for(outcome: Outcome) -> bool:
    """Whether waiting may help: not where nothing was sent for a reason of our own."""
    return not isinstance(outcome, Unreached) or outcome.down


def _stated_s(outcome: Outcome) -> float | None:
    """How long the endpoint asks to wait."""
    return outcome.fault.wait_s if isinstance(outcome, Refused) else None


def _wait_elsewhere(error: EndpointError, wait_s: float) -> EndpointThrottled:
    """Say that the wait is too long for a worker to wait in place."""
    if isinstance(error, EndpointThrottled) and error.wait_s == wait_s:
        return error
    return EndpointThrottled(error.detail, wait_s=wait_s)
