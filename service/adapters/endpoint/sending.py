"""Sends one request when it may go: past its own slot, the pace of a minute and the gate, and into the journal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

from service.adapters.endpoint.configuration import Alone, EndpointSettings
from service.adapters.endpoint.connection import Answer, Connection
from service.adapters.endpoint.holding import TOLD_S
from service.adapters.endpoint.journalling import Notes
from service.adapters.endpoint.limits import Clock, Pace, Place, RetryBudget, Slots
from service.adapters.endpoint.outage import Gate, Turn
from service.adapters.endpoint.policy import Hold, Outcome, Refused, Retry, Wait, sign
from service.core.errors import EndpointThrottled, PrecisError
from service.core.types import Completion, CompletionRequest, Value
from service.core.wire import request_key, suspicious_truncation

PATH = "/chat/completions"
"""Under the base URL. Keys are made with it, so that what was recorded at one base URL is found at another."""
_CHARACTERS_PER_TOKEN = 3


class Call(Value, frozen=True, kw_only=True):
    """One request as it is sent."""

    body: Mapping[str, object]
    key: str
    repetition: int
    recording: Mapping[str, object]
    """What a transport that records or replays is told of it; nothing for a probe."""
    counted: int | None
    """Tokens of its prompt, by our own count."""
    tokens: int
    """That it may take, the answer included."""

    @classmethod
    def of(cls, request: CompletionRequest, body: Mapping[str, object], counted: int | None) -> Self:
        """Make a request ready."""
        about = {"prompt": request.prompt, "stage": request.stage, "repetition": request.repetition, "path": PATH}
        # rather too many than too few
        guessed = sum(len(message.content) for message in request.messages) // _CHARACTERS_PER_TOKEN
        return cls(
            body=body,
            key=request_key("POST", PATH, body),
            repetition=request.repetition,
            recording={"recording": about} if request.prompt else {},
            counted=counted,
            tokens=(guessed if counted is None else counted) + request.max_output_tokens,
        )


class Sender:
    """What all calls of a process share on their way to the endpoint.

    Args:
        settings: the limits.
        connection: to the endpoint.
        pace: of a minute.
        gate: that is shut while the endpoint is down.
        clock: seconds that only ever grow.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        connection: Connection,
        pace: Pace,
        gate: Gate,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.slots = Slots(settings.slots)
        self.budget = RetryBudget(clock=clock)
        self._patience_s = settings.patience_s
        self._connection = connection
        self._pace = pace
        self._gate = gate
        self._clock, self._sleep = clock, sleep

    async def ready(self, turn: Turn, alone: Alone | None) -> Completion | None:
        """Wait at the gate, and for the end of a pause that is long enough to be told; a slot is not held meanwhile.

        Returns:
            What others who asked the same were answered while it waited at the gate, if they were.

        Raises:
            EndpointError: the endpoint is not waited for any longer.
        """
        while not turn.may_go():
            if alone is not None:
                # whoever asks the same waits at the gate too, where its own holder and its own limit count
                alone.let_go()
            await turn.wait()
            if alone is not None and (found := await self._again(turn, alone)) is not None:
                return found
        if self._waits_aside(turn):
            await self._pass(self._pace.paused_s, turn)
        return None

    async def send(self, call: Call, turn: Turn, notes: Notes) -> Answer | Outcome | None:
        """Wait until a request may go, send it once, and journal both; None where it is to be made ready again."""
        async with self.slots.taken(background=turn.background) as halvings:
            place = await self._placed(call, turn)
            if place is None:
                return None
            self.budget.request()
            await notes.sent(call.key, call.repetition)
            turn.sent()
            try:
                sent = await self._connection.ask(PATH, call.body, key=call.key, extensions=call.recording)
            except PrecisError:
                await notes.ended("failed", None)
                raise
            outcome, completion = sent.outcome, None
            if isinstance(outcome, Answer):
                turn.note("up")
                self.slots.clean()
                completion = None if cut_silently(outcome.completion, call.counted) else outcome.completion
                if (reported := outcome.completion.reported) is not None:
                    self._pace.settle(place, reported.prompt + reported.completion)
            else:
                turn.note(sign(outcome), self._connection.without_secrets(outcome.error))
                if isinstance(outcome, Refused) and self._throttles(outcome):
                    self.slots.throttled(halvings)
            try:
                await notes.ended(sent.state, sent.status, completion=completion)
            except PrecisError:
                if not sent.cancelled:
                    raise
            if sent.cancelled:
                raise asyncio.CancelledError
            return outcome

    async def wait(self, decision: Wait | Retry | Hold, turn: Turn) -> None:
        """Do what must be done before a request is sent again, as far as it is not done when it is."""
        match decision:
            case Wait(wait_s=wait_s, stated=stated):
                self._pace.pause(wait_s)
                if not stated:
                    self.budget.retry()
            case Retry(wait_s=wait_s):
                self.budget.retry()
                await self._pass(wait_s, turn)
            case Hold(error=error, wait_s=asked_s, throttled=throttled):
                if throttled and asked_s is not None:
                    self._pace.pause(asked_s)
                turn.hold(error, asked_s)

    async def _again(self, turn: Turn, alone: Alone) -> Completion | None:
        """Be the only one who asks again; one that was to try hands that on where it cannot, or need not."""
        if alone.busy:
            self._gate.leave(turn, cancelled=True)
        if (found := await alone.take()) is not None:
            self._gate.leave(turn, cancelled=True)
        return found

    async def _placed(self, call: Call, turn: Turn) -> Place | None:
        """Wait for a pause to end, and for a place in the minute; None where that is to be done without a slot."""
        paused_s = self._pace.paused_s
        if turn.may_go() and paused_s > self._patience_s:
            error = EndpointThrottled(
                f"{self._connection.url} asked to wait for another {paused_s:.0f} s; nothing is sent until then.",
                wait_s=paused_s,
            )
            if turn.gate == "none":
                raise error
            turn.hold(error, paused_s)
        if not turn.may_go() or self._waits_aside(turn):
            return None
        place, goes = self._pace.place(call.tokens), False
        try:
            if place.wait_s > 0:
                await self._pass(place.wait_s, turn, asked_s=place.asked_s)
            goes = turn.may_go()
        finally:
            if not goes:
                self._pace.give_back(place)
        return place if goes else None

    async def _pass(self, wait_s: float, turn: Turn, *, asked_s: float | None = None) -> None:
        """Let time pass, and tell of what the endpoint asks for, or needs."""
        async with self._gate.told(turn.held) as told:
            until = self._clock() + wait_s
            await told.until(self._clock() + (wait_s if asked_s is None else asked_s))
            # to tell it may have taken a while
            await self._sleep(max(0.0, until - self._clock()))

    def _waits_aside(self, turn: Turn) -> bool:
        """Whether the endpoint has asked for a pause that is told, and is short enough to be waited for in place."""
        return turn.held is not None and TOLD_S <= self._pace.paused_s <= self._patience_s

    def _throttles(self, refused: Refused) -> bool:
        """Whether a refusal asks for fewer requests at once."""
        return refused.fault.kind == "throttled" or (refused.fault.wait_s or 0.0) > self._patience_s


def cut_silently(completion: Completion, counted: int | None) -> bool:
    """Whether the endpoint read less of a prompt than was sent."""
    reported = completion.reported
    return reported is not None and counted is not None and suspicious_truncation(reported.prompt, counted)
