"""When the next request may go: how many at once, how many and how much a minute, and how many of them retries."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import isfinite

MINUTE_S = 60.0
CLEAN_CALLS = 10
"""After so many calls without a throttle, one more may be in flight."""
LEAST_RETRIES = 10
SHARE_OF_RETRIES = 0.1
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:(?:\d+(?:\.\d+)?)(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")

Clock = Callable[[], float]
"""Seconds that only ever grow."""


class Slots:
    """How many requests are in flight: as many as configured, half at a throttle, one more when all is well."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._clean = 0
        self._halvings = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.limit = most

    @property
    def busy(self) -> int:
        """Requests in flight."""
        return self._busy

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[int]:
        """Wait for a slot, first come, first served, and hold it. Gives the number of halvings so far."""
        await self._acquire()
        try:
            yield self._halvings
        finally:
            self._release()

    def throttled(self, halvings: int) -> None:
        """Halve the limit, once for all requests that were in flight together: `halvings` is what `taken` gave."""
        self._clean = 0
        if halvings == self._halvings:
            self._halvings += 1
            self.limit = max(1, self.limit // 2)

    def clean(self) -> None:
        """Count a call that went well."""
        self._clean += 1
        if self._clean >= CLEAN_CALLS and self.limit < self._most:
            self._clean = 0
            self.limit += 1
            self._admit()

    async def _acquire(self) -> None:
        if self._busy < self.limit and not self._waiting:
            self._busy += 1
            return
        ticket = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket.cancelled():
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
            else:
                # the slot was handed over in the moment of the cancellation
                self._release()
            raise

    def _release(self) -> None:
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._busy < self.limit:
            ticket = self._waiting.popleft()
            if not ticket.done():
                self._busy += 1
                ticket.set_result(None)


class Share:
    """A place in a `Window`: when it was for, and how much of it."""

    __slots__ = ("amount", "at")

    def __init__(self, at: float, amount: float) -> None:
        self.at = at
        self.amount = amount


class Window:
    """At most so much in any minute. Places are given in the order in which they are asked for."""

    def __init__(self, per_minute: float, *, clock: Clock) -> None:
        self._most = per_minute
        self._clock = clock
        self._shares: deque[Share] = deque()
        self._total = 0.0

    def reserve(self, amount: float = 1.0) -> Share:
        """Take a place; its `at` is when it may be used. More than fits a minute gets one to itself."""
        start = max(self._clock(), self._shares[-1].at if self._shares else 0.0)
        while self._shares and (self._total + amount > self._most or self._shares[0].at <= start - MINUTE_S):
            gone = self._shares.popleft()
            self._total -= gone.amount
            start = max(start, gone.at + MINUTE_S)
        share = Share(start, amount)
        self._shares.append(share)
        self._total += amount
        return share

    def settle(self, share: Share, amount: float) -> None:
        """Correct the amount of a place to what was used."""
        if share in self._shares:
            self._total += amount - share.amount
            share.amount = amount


class _Level:
    """What was left of a limit when the endpoint last said so, less what was sent since."""

    def __init__(self, *, left: float, of: float | None, reset_s: float, at: float) -> None:
        self.left = left
        self._back = at + reset_s
        self._rate = (of - left) / reset_s if of is not None and of > left and reset_s > 0 else None
        self._of = of

    def wait_s(self, amount: float, now: float) -> float:
        """Take an amount; give how long to wait until it is there again, as far as is known."""
        missing = (amount if self._of is None else min(amount, self._of)) - self.left
        self.left -= amount
        if missing <= 0 or now >= self._back:
            return 0.0
        until_back = self._back - now
        return until_back if self._rate is None else min(until_back, missing / self._rate)


class Announced:
    """Limits as the endpoint announces them in `x-ratelimit-*`. It is advice: what it cannot mean is left aside."""

    def __init__(self, *, longest_s: float, clock: Clock) -> None:
        self._longest_s = longest_s
        self._clock = clock
        self._levels: dict[str, _Level] = {}

    def observe(self, headers: Mapping[str, str]) -> None:
        """Read the headers of a reply."""
        for what in ("requests", "tokens"):
            left = number(headers.get(f"x-ratelimit-remaining-{what}"))
            reset_s = duration_s(headers.get(f"x-ratelimit-reset-{what}"))
            if left is not None and reset_s is not None:
                of = number(headers.get(f"x-ratelimit-limit-{what}"))
                self._levels[what] = _Level(left=left, of=of, reset_s=reset_s, at=self._clock())

    def wait_s(self, *, tokens: float) -> float:
        """Take one request of so many tokens; give how long to wait before it is sent."""
        now = self._clock()
        waits = [
            level.wait_s(amount, now)
            for what, amount in (("requests", 1.0), ("tokens", tokens))
            if (level := self._levels.get(what)) is not None
        ]
        # some announce the limit of a day, or a moment in place of a duration: then a 429 has the last word
        return max((wait for wait in waits if wait <= self._longest_s), default=0.0)


class RetryBudget:
    """Retries of all calls together: at most a tenth of the requests of the last minute, and at least ten."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    @property
    def left(self) -> bool:
        """Whether another retry is within the budget."""
        since = self._clock() - MINUTE_S
        for moments in (self._requests, self._retries):
            while moments and moments[0] <= since:
                moments.popleft()
        return len(self._retries) < max(LEAST_RETRIES, SHARE_OF_RETRIES * len(self._requests))

    def request(self) -> None:
        """Count a request."""
        self._requests.append(self._clock())

    def retry(self) -> None:
        """Count a retry."""
        self._retries.append(self._clock())


def number(text: str | None) -> float | None:
    """Read a plain number that is not negative; None for anything else.

    >>> number("12"), number("-1"), number("many")
    (12.0, None, None)
    """
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def duration_s(text: str | None) -> float | None:
    """Read a duration as `x-ratelimit-reset-*` has it; None for anything else.

    >>> duration_s("6m0s"), duration_s("20ms"), duration_s("1.5"), duration_s("soon")
    (360.0, 0.02, 1.5, None)
    """
    text = (text or "").strip()
    if _DURATION.fullmatch(text):
        return sum(float(amount) * _UNIT_S[unit] for amount, unit in _PART.findall(text))
    return number(text)
