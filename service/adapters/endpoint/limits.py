"""When the next request may go: how many at once, how many and how much a minute, and how many of them retries."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import isfinite

from service.core.types import Value

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
    """How many requests are in flight: as many as configured, half at a throttle, one more when all is well.

    First come, first served, but for requests in the background, which get what no other waits for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._clean = 0
        self._halvings = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._behind: deque[asyncio.Future[None]] = deque()
        """In the background."""
        self.limit = most

    @property
    def busy(self) -> int:
        """Requests in flight."""
        return self._busy

    @asynccontextmanager
    async def taken(self, *, background: bool = False) -> AsyncIterator[int]:
        """Wait for a slot and hold it. Gives the number of halvings so far.

        Args:
            background: whether all that are not in the background go first.
        """
        await self._acquire(self._behind if background else self._waiting)
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

    async def _acquire(self, queue: deque[asyncio.Future[None]]) -> None:
        ticket = asyncio.get_running_loop().create_future()
        queue.append(ticket)
        self._admit()
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket.cancelled():
                if ticket in queue:
                    queue.remove(ticket)
            else:
                # the slot was handed over in the moment of the cancellation
                self._release()
            raise

    def _release(self) -> None:
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._busy < self.limit and (queue := self._waiting or self._behind):
            ticket = queue.popleft()
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


class Place(Value, frozen=True, kw_only=True):
    """When a request may go."""

    wait_s: float
    asked_s: float
    """Of that, what the endpoint asks for; the rest is what is configured."""
    shares: tuple[tuple[Window, Share], ...] = ()
    tokens: tuple[Window, Share] | None = None
    """The one of `shares` that is corrected to what was really used."""


class Pace:
    """Limits of a minute, as they are configured and as the endpoint announces them, and the pause that it asks for.

    Args:
        rpm: most requests in any minute.
        tpm: most tokens in any minute.
        longest_s: wait beyond which an announced limit is left aside.
        clock: seconds that only ever grow.
    """

    def __init__(self, *, rpm: float | None, tpm: float | None, longest_s: float, clock: Clock) -> None:
        self._clock = clock
        self._requests = Window(rpm, clock=clock) if rpm else None
        self._tokens = Window(tpm, clock=clock) if tpm else None
        self._announced = Announced(longest_s=longest_s, clock=clock)
        self._paused_until = 0.0

    @property
    def paused_s(self) -> float:
        """How long the endpoint asks everybody to wait from now on; nothing or less where it does not."""
        return self._paused_until - self._clock()

    def pause(self, wait_s: float) -> None:
        """Send nothing for a while: a throttle is meant for all calls."""
        self._paused_until = max(self._paused_until, self._clock() + wait_s)

    def observe(self, headers: Mapping[str, str]) -> None:
        """Read what a reply announces."""
        self._announced.observe(headers)

    def place(self, tokens: float) -> Place:
        """Take a place for a request of so many tokens."""
        now = self._clock()
        of_tokens = (self._tokens, self._tokens.reserve(tokens)) if self._tokens is not None else None
        of_requests = (self._requests, self._requests.reserve()) if self._requests is not None else None
        shares = tuple(share for share in (of_tokens, of_requests) if share is not None)
        asked_s = max(0.0, self.paused_s, self._announced.wait_s(tokens=tokens))
        return Place(
            wait_s=max(asked_s, *(share.at - now for _, share in shares)) if shares else asked_s,
            asked_s=asked_s,
            shares=shares,
            tokens=of_tokens,
        )

    def give_back(self, place: Place) -> None:
        """Take nothing after all."""
        for window, share in place.shares:
            window.settle(share, 0.0)

    def settle(self, place: Place, tokens: float) -> None:
        """Correct a place to the tokens that were used."""
        if place.tokens is not None:
            window, share = place.tokens
            window.settle(share, tokens)


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
