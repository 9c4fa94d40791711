"""What all calls do while the endpoint is down or asks everybody to wait: they wait together, at one gate.

While the gate is shut one call at a time is let through, to try; what comes of it opens the gate or keeps it shut.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal, Self

import structlog

from service.adapters.endpoint import policy
from service.adapters.endpoint.configuration import Hold
from service.adapters.endpoint.holding import Told
from service.adapters.endpoint.limits import Clock
from service.core.errors import EndpointError, EndpointRejected, EndpointThrottled, EndpointUnavailable

FIRST_S = 5.0
"""From the shutting of the gate to the first call that tries."""
LONGEST_S = 60.0
"""To which that grows, doubling each time."""
MOST_OUTAGES = 3
"""That one call waits out; one that fails again and again while others are answered is at fault itself."""

log = structlog.stdlib.get_logger(__name__)


class _Outage:
    """One time during which the gate is shut."""

    def __init__(self, *, since: datetime, tries: int, at: float, limit_s: float, error: EndpointError) -> None:
        self.since = since
        self.tries = tries
        """Requests that failed."""
        self.last, self.throttled = error.detail, isinstance(error, EndpointThrottled)
        """What the last of them said, and whether that was to wait."""
        self.next_at = at + FIRST_S
        """When the next call may try; in the past while one does."""
        self.asked_until = at
        """The moment up to which the endpoint asks to wait."""
        self.limit_at: float | None = at + limit_s
        """When those who wait fail; None while nobody does, and then counted from the next on."""
        self._interval_s = FIRST_S * 2

    def failed(self, error: EndpointError) -> None:
        """Count a request that failed."""
        self.tries += 1
        self.last, self.throttled = error.detail, isinstance(error, EndpointThrottled)

    def tried(self, at: float) -> None:
        """Set the moment for the next try after one that failed."""
        self.next_at = at + self._interval_s
        self._interval_s = min(LONGEST_S, self._interval_s * 2)

    def asked(self, until: float) -> None:
        """Wait as long as the endpoint asks to."""
        self.asked_until = max(self.asked_until, until)
        self.next_at = max(self.next_at, until)


class Gate:
    """Open while all is well; shut while the endpoint is down, for all calls of the process that wait.

    It shuts when so many requests in a row failed as if nobody were there, whoever made them, or when a call may not
    try again so soon. The first call that is answered, or refused by somebody, opens it.

    Args:
        url: of the endpoint, as messages name it.
        failures: requests in a row that shut it.
        limit_s: longest that a call waits; 0 where none does.
        clock: seconds that only ever grow.
        now: the moment, aware.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        *,
        url: str,
        failures: int,
        limit_s: float,
        clock: Clock,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._url = url
        self._failures = failures
        self._limit_s = limit_s
        self.clock = clock
        self._now, self._sleep = now, sleep
        self._turns = self._in_a_row = 0
        self.answered_of = float("-inf")
        """When the latest request was sent that was answered."""
        self._outage: _Outage | None = None
        self._waiting: list[Turn] = []
        self._trying: Turn | None = None
        self._timer: asyncio.Task[None] | None = None

    @property
    def outage(self) -> _Outage | None:
        """The one during which the gate is shut now."""
        return self._outage

    def turn(self, *, background: bool, held: Hold | None) -> "Turn":
        """What leads a call past the gate; one without `held` goes past it as if there were none."""
        self._turns += 1
        waits = held is not None and self._limit_s > 0
        return Turn(self, number=self._turns, background=background, held=held, waits=waits)

    def told(self, held: Hold | None) -> "Told":
        """What tells a `Hold` of one wait."""
        return Told(held, clock=self.clock, now=self._now)

    def close(self) -> None:
        """Have nobody wait any more."""
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            turn.go(EndpointUnavailable(f"The client of {self._url} was closed while a call waited for it."))
        self._arm()

    # --- for turns ---------------------------------------------------------------------------------------------------

    def lets(self, turn: "Turn") -> bool:
        """Whether a call may be sent."""
        return self._outage is None or self._trying is turn

    def join(self, turn: "Turn") -> None:
        """Line a call up.

        Raises:
            EndpointThrottled: the endpoint asks to wait for longer than anybody does.
            EndpointUnavailable: the call has waited for as long as it may.
        """
        outage = self._outage
        if outage is None:
            return
        now = self.clock()
        if outage.limit_at is None or (outage.limit_at <= now and turn.outage is not outage):
            outage.limit_at = now + self._limit_s
        if turn.outage is not outage:
            turn.outage, turn.joined_limit_at = outage, outage.limit_at
        if now >= turn.limit_at or outage.asked_until > turn.limit_at:
            raise self._given_up(outage)
        self._waiting.append(turn)
        self._due()

    def moment(self, turn: "Turn") -> float:
        """When something may change for a call that waits."""
        return min(self._outage.next_at, turn.limit_at) if self._outage is not None else turn.limit_at

    def note(self, turn: "Turn", sign: policy.Sign, error: EndpointError | None) -> None:
        """Take in what came of a request of a call."""
        outage = self._outage
        if sign in ("up", "barred"):
            self._in_a_row = 0
            self.answered_of = max(self.answered_of, turn.sent_at)
            if sign == "barred" or turn is self._trying:
                self._open(error if sign == "barred" else None)
        elif outage is not None:
            if error is not None and (turn is self._trying or sign == "down"):
                outage.failed(error)
            if turn is self._trying:
                self._tried(outage)
        elif sign == "down" and error is not None:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._shut(error, tries=self._in_a_row)

    def hold(self, turn: "Turn", error: EndpointError, wait_s: float | None) -> None:
        """Shut the gate if it is not, and keep it shut for as long as the endpoint asks to."""
        outage = self._outage or self._shut(error, tries=1)
        outage.last, outage.throttled = error.detail, isinstance(error, EndpointThrottled)
        if turn is self._trying:
            self._tried(outage)
        if wait_s is not None:
            outage.asked(self.clock() + wait_s)
            self._moved()

    def leave(self, turn: "Turn", *, cancelled: bool) -> None:
        """A call has ended; one that was to try hands that on, at once where it was cancelled."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        outage = self._outage
        if outage is None:
            return
        if turn is self._trying and cancelled:
            self._trying = None
            outage.next_at = self.clock()
        elif turn is self._trying:
            self._tried(outage)
        if not self._waiting and self._trying is None:
            outage.limit_at = None
        self._due()

    # --- opening and shutting ----------------------------------------------------------------------------------------

    def _shut(self, error: EndpointError, *, tries: int) -> _Outage:
        self._outage = _Outage(since=self._now(), tries=tries, at=self.clock(), limit_s=self._limit_s, error=error)
        # all stands still meanwhile; whoever looks at the log should not have to guess why
        say = log.warning if self._outage.throttled else log.error
        say("endpoint_waited_for", endpoint=self._url, code=error.code, failures=tries, at_most_s=self._limit_s)
        return self._outage

    def _open(self, error: EndpointError | None) -> None:
        """Let everybody go on, or tell everybody that it is no use."""
        if self._outage is not None:
            away_s = round((self._now() - self._outage.since).total_seconds(), 1)
            log.info("endpoint_is_back", endpoint=self._url, code=error.code if error else None, away_s=away_s)
        self._outage = self._trying = None
        self._in_a_row = 0
        waiting, self._waiting = self._waiting, []
        for turn in sorted(waiting, key=lambda turn: (turn.background, turn.number)):
            turn.go(EndpointRejected(error.detail) if error is not None else None)
        self._arm()

    def _tried(self, outage: _Outage) -> None:
        """The call that tried has failed."""
        self._trying = None
        outage.tried(self.clock())
        next_in_s = round(outage.next_at - self.clock(), 1)
        log.info("endpoint_tried", endpoint=self._url, failures=outage.tries, next_in_s=next_in_s)
        self._moved()

    def _moved(self) -> None:
        """The moment of the next try is another one."""
        for turn in self._waiting:
            turn.wake()
        self._arm()

    def _due(self) -> None:
        """Do what it is time for."""
        outage, now = self._outage, self.clock()
        if outage is None:
            return
        late = [turn for turn in self._waiting if now >= turn.limit_at or outage.asked_until > turn.limit_at]
        self._waiting = [turn for turn in self._waiting if turn not in late]
        for turn in late:
            turn.go(self._given_up(outage))
        if self._waiting and self._trying is None and now >= outage.next_at:
            # rather one that has not failed yet: what fails may be at fault itself
            turn = min(self._waiting, key=lambda turn: (turn.failed, turn.background))
            self._waiting.remove(turn)
            self._trying = turn
            turn.go(None)
        self._arm()

    def _given_up(self, outage: _Outage) -> EndpointError:
        since = f"{outage.since:%Y-%m-%d %H:%M:%S} UTC"
        last = f"Failed requests: {outage.tries}; the last: {outage.last}"
        limit = f"{self._limit_s:g} s (PRECIS_OUTAGE_S)"
        if outage.throttled:
            wait_s = max(0.0, outage.next_at - self.clock())
            return EndpointThrottled(
                f"{self._url} has asked to wait since {since}, and is waited for at most {limit}. {last}", wait_s=wait_s
            )
        return EndpointUnavailable(
            f"{self._url} has been down since {since}, and is waited for at most {limit}. {last}"
        )

    # --- time --------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Have the timer ring when there is something to do next; there is one for all who wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        outage = self._outage
        if outage is None or not self._waiting:
            return
        at = min(turn.limit_at for turn in self._waiting)
        if self._trying is None:
            at = min(at, outage.next_at)
        self._timer = asyncio.create_task(self._ring(max(0.0, at - self.clock())))

    async def _ring(self, wait_s: float) -> None:
        await self._sleep(wait_s)
        self._timer = None
        self._due()


class Turn:
    """Leads one call past the gate, as a context around all of its requests.

    Args:
        gate: that it passes.
        number: of the call, in the order in which they came.
        background: whether it lets others go first.
        held: told when it waits.
        waits: whether it does; else the gate is always open to it, and learns nothing from it.
    """

    def __init__(self, gate: Gate, *, number: int, background: bool, held: Hold | None, waits: bool) -> None:
        self._gate = gate
        self.number = number
        self.background = background
        self.held, self.waits = held, waits
        self.outage: _Outage | None = None
        """The last one that it waited in."""
        self.joined_limit_at = 0.0
        """When it fails, in that one, as that was when it joined."""
        self.failed = False
        """Whether a request of it ever failed so that it says nothing good about the endpoint."""
        self._failed_in: _Outage | None = None
        """The last outage that it failed in or began."""
        self._outages = 0
        self.sent_at = 0.0
        """When its last request was."""
        self._failing_since: float | None = None
        """The moment of its first request that failed, since it last waited."""
        self._went: EndpointError | Literal["on"] | None = None
        self._woken: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._gate.leave(self, cancelled=kind is not None and issubclass(kind, asyncio.CancelledError))

    @property
    def limit_at(self) -> float:
        """When it fails; later where it is asked to wait for just as long, so that a try has time for its answer."""
        # each who was in flight is asked to from a moment of its own, a little after the limit began
        near = self.outage is not None and abs(self.outage.asked_until - self.joined_limit_at) <= 1
        return self.joined_limit_at + (LONGEST_S if near else 0)

    def may_go(self) -> bool:
        """Whether it may be sent now."""
        return not self.waits or self._gate.lets(self)

    @property
    def gate(self) -> policy.Gate:
        """How the gate stands for it: it does not wait at the next one when it has waited out enough."""
        outage = self._gate.outage
        if not self.waits or (self._outages >= MOST_OUTAGES and outage is not self._failed_in):
            return "none"
        return "open" if outage is None else "shut"

    @property
    def others_answered(self) -> bool:
        """Whether requests were answered that were sent after the first of its own had failed."""
        return self._failing_since is not None and self._gate.answered_of > self._failing_since

    async def wait(self) -> None:
        """Wait until it may go: not at all while the gate is open, else until that opens or it is its turn to try.

        Raises:
            EndpointUnavailable: it has waited for as long as it may.
            EndpointThrottled: as above, for an endpoint that asks to wait.
            EndpointRejected: the endpoint was found to take the key no more.
        """
        if self.may_go():
            return
        self._went = None
        self._gate.join(self)
        async with self._gate.told(self.held) as told:
            while (went := self._how()) is None:
                moment = self._gate.moment(self)
                await told.until(moment)
                if self._how() is None and self._gate.moment(self) == moment:
                    self._woken = asyncio.get_running_loop().create_future()
                    await self._woken
        if went != "on":
            raise went

    def _how(self) -> EndpointError | Literal["on"] | None:
        """How its wait has ended, if it has."""
        return self._went

    def sent(self) -> None:
        """Note that a request of it is sent."""
        self.sent_at = self._gate.clock()

    def note(self, sign: policy.Sign, error: EndpointError | None = None) -> None:
        """Take in what came of its request."""
        if not self.waits:
            return
        if sign not in ("up", "barred"):
            self.failed = True
            if self._failing_since is None:
                self._failing_since = self._gate.clock()
        self._gate.note(self, sign, error)

    def hold(self, error: EndpointError, wait_s: float | None) -> None:
        """Have it wait: `wait` will, from now on."""
        self._gate.hold(self, error, wait_s)
        outage = self._gate.outage
        if self._failed_in is not outage:
            self._outages += 1
        self._failed_in, self._failing_since = outage, None

    def go(self, error: EndpointError | None) -> None:
        """Let it go on, or have it fail."""
        self._went = error or "on"
        self.wake()

    def wake(self) -> None:
        """Have it look how things stand."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
