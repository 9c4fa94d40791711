"""What to do about what came of a request: a value that decides, without I/O, clock or chance of its own."""

from collections.abc import Callable

from msgspec.structs import replace

from service.adapters.endpoint.configuration import Overrides
from service.core.errors import EndpointError, EndpointRejected, EndpointThrottled, MalformedCompletion
from service.core.types import Value
from service.core.wire import Fault, Profile, backoff_s, step_down

MOST_REQUESTS = 10
"""Requests of one call, steps down aside, however short the waits are that an endpoint asks for."""
MOST_STEPS = 12


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


class Unreached(Value, frozen=True, kw_only=True):
    """Nothing was sent."""

    error: EndpointError
    hopeless: bool = False
    """Whether it will be the same the next time, as with a certificate that is not trusted."""


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


class Give(Value, frozen=True, kw_only=True):
    """Give up."""

    error: EndpointError


Decision = Retry | Wait | StepDown | Give


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
    ) -> Decision:
        """Decide what to do about an outcome.

        Args:
            outcome: of the last request.
            spent: before that request.
            profile: that it was sent with.
            retries_left: whether the budget for retries of all calls together has one left.
            uniform: draws between its bounds.
        """
        match outcome:
            case Refused(fault=fault, error=error):
                return self._refused(fault, error, spent=spent, profile=profile, left=retries_left, uniform=uniform)
            case Unreached(hopeless=True, error=error) | Late(error=error) | Unusable(oversized=True, error=error):
                return Give(error=error)
            case Unusable(error=error) if not isinstance(error, MalformedCompletion) or spent.unusable:
                return Give(error=error)
            case Lost(stale=False, error=error) if spent.lost:
                return Give(error=error)
        whole = isinstance(outcome, Unusable) and outcome.empty and not self.overrides.stream
        return self._retry(outcome.error, spent=spent, left=retries_left, uniform=uniform, whole=whole)

    def _refused(
        self,
        fault: Fault,
        error: EndpointError,
        *,
        spent: Spent,
        profile: Profile,
        left: bool,
        uniform: Callable[[float, float], float],
    ) -> Decision:
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

    def _step(self, fault: Fault, error: EndpointError, *, spent: Spent, profile: Profile) -> Decision:
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
    ) -> Decision:
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
    ) -> Decision:
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
        case _:
            return replace(
                spent,
                attempts=spent.attempts + 1,
                lost=spent.lost + (isinstance(outcome, Lost) and not outcome.stale),
                unusable=spent.unusable + isinstance(outcome, Unusable),
            )


def _wait_elsewhere(error: EndpointError, wait_s: float) -> EndpointThrottled:
    """Say that the wait is too long for a worker to wait in place."""
    if isinstance(error, EndpointThrottled) and error.wait_s == wait_s:
        return error
    return EndpointThrottled(error.detail, wait_s=wait_s)
