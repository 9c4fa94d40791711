"""The loop that acts: sends a request, has the policy decide about what came of it, and does that."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal, Self

import httpx
from msgspec.structs import replace

from service.adapters.endpoint import failures, network, probing
from service.adapters.endpoint.configuration import Attempt, EndpointSettings, Hold
from service.adapters.endpoint.connection import Answer, Connection
from service.adapters.endpoint.limits import Announced, Clock, RetryBudget, Share, Slots, Window
from service.adapters.endpoint.memory import Memory, Peer
from service.adapters.endpoint.policy import (
    Give,
    Outcome,
    Policy,
    Refused,
    Retry,
    Spent,
    StepDown,
    Wait,
    after,
)
from service.adapters.endpoint.probing import Probe
from service.core.errors import (
    ContextOverflow,
    ContextTruncated,
    EndpointError,
    EndpointThrottled,
    PrecisError,
)
from service.core.types import Completion, CompletionRequest, Value
from service.core.wire import (
    DEFAULT,
    Profile,
    encode,
    request_key,
    suspicious_truncation,
)

PATH = "/chat/completions"
"""Under the base URL. Keys are made with it, so that what was recorded at one base URL is found at another."""
_MOST_ERROR_BYTES = 64 * 1024
_GRACE_S = 1.0
"""After the last event of a stream, for the connection to come to its end and be used again."""
_CHARACTERS_PER_TOKEN = 3

Journal = Callable[[Attempt], Awaitable[None]]


class _Call(Value, frozen=True, kw_only=True):
    """One request as it is sent."""

    request: CompletionRequest
    profile: Profile
    body: dict[str, object]
    key: str
    number: int
    tokens: int
    """That it may take, the answer included."""
    journal: Journal | None


class Endpoint:
    """An OpenAI-compatible endpoint; one for each process.

    Args:
        settings: where it is, how to get in, how long to wait.
        transport: in place of the network, such as one that records or replays.
        memory: what is known of endpoints already.
        clock: seconds that only ever grow.
        now: the moment, aware.
        sleep: waits for so many seconds.
        uniform: draws between its bounds.

    Raises:
        BadSettings: the base URL, key, proxy or file of authorities cannot be used.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        memory: Memory | None = None,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._settings = settings
        self._memory = memory or Memory(clock=clock)
        self._clock, self._now, self._sleep, self._uniform = clock, now, sleep, uniform
        self._policy = Policy(attempts=settings.attempts, patience_s=settings.patience_s, overrides=settings.overrides)
        self._slots = Slots(settings.slots)
        self._requests = Window(settings.rpm, clock=clock) if settings.rpm else None
        self._tokens = Window(settings.tpm, clock=clock) if settings.tpm else None
        self._announced = Announced(longest_s=settings.patience_s, clock=clock)
        self._budget = RetryBudget(clock=clock)
        self._paused_until = 0.0
        self._connection = Connection(
            settings,
            transport=transport or network.open_transport(settings),
            observe=self._announced.observe,
            now=now,
        )
        self._url = self._connection.url

    def __repr__(self) -> str:
        return f"Endpoint({self._url!r}, model={self._settings.model!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def slots(self) -> int:
        """How many requests may be in flight now."""
        return self._slots.limit

    def profile(self, *, model: str | None = None) -> Profile:
        """Give what the endpoint is sent, by what is known of it now."""
        return self._memory.profile(self._peer(model), self._settings.start)

    def context_window(self, *, model: str | None = None) -> int | None:
        """Give the context window in tokens: as set, or as the endpoint said; None where neither is known."""
        return self._settings.context_window or self._memory.window(self._peer(model))

    def key(self, request: CompletionRequest, *, model: str | None = None) -> str:
        """Give the key of a request as it would be sent now."""
        return request_key("POST", PATH, self._body(request, self.profile(model=model), model))

    async def complete(
        self,
        request: CompletionRequest,
        *,
        counted_tokens: int | None = None,
        journal: Journal | None = None,
        model: str | None = None,
        background: bool = False,
        held: Hold | None = None,
    ) -> Completion:
        """Have a request answered.

        Args:
            request: what is asked.
            counted_tokens: of the prompt, by our own count.
            journal: told of every request before it is sent, and again straight after.
            model: in place of the configured one.
            background: whether it lets other requests go first.
            held: told when the request waits for the endpoint for long, and when it goes on.

        Returns:
            A complete answer, not yet validated; say `invalid` when it does not validate.

        Raises:
            EndpointError: the kind that says what is to be done about it.
        """
        answer = await self._ask(request, counted_tokens=counted_tokens, journal=journal, model=model)
        return answer.completion

    def invalid(self, request: CompletionRequest, *, model: str | None = None) -> None:
        """Report that the answer to a request did not validate; where that is usual, the next are asked otherwise."""
        self._memory.invalid(self._peer(model), _question(request))

    async def models(self, *, model: str | None = None) -> tuple[str, ...]:
        """Give the models that the endpoint lists; empty where it has no such list.

        Raises:
            EndpointError: it cannot be reached, or does not accept the key.
        """
        found = await self._connection.models()
        peer = self._peer(model)
        window = found.windows.get(peer.model)
        if window is not None:
            self._memory.learn_window(peer, window, self._settings.start)
        return found.models

    async def probe(self, *, model: str | None = None) -> Probe:
        """Try the endpoint for real: list its models, and ask small questions until an answer has the form asked for.

        Raises:
            EndpointError: it cannot be reached, or will not answer.
        """
        models = await self.models(model=model)
        name = self._peer(model).model
        for repetition in range(probing.ROUNDS):
            request, before, began = probing.question(repetition), self.profile(model=model), self._clock()
            answer = await self._ask(request, model=model)
            took_s, profile = self._clock() - began, self.profile(model=model)
            valid = probing.fits(answer.completion.text)
            if not valid:
                self.invalid(request, model=model)
            if valid or self.profile(model=model) == before:
                break
        probe = Probe(
            url=self._url,
            models=models,
            model_listed=name in models,
            model_answered=answer.completion.model,
            rung=profile.rung,
            valid=valid,
            cap=profile.cap,
            system_role=profile.system_role,
            temperature=profile.temperature,
            streams=answer.streamed,
            usage=answer.completion.reported is not None,
            context_window=self.context_window(model=model),
            round_trip_s=took_s,
            advice=(),
        )
        return replace(probe, advice=probing.advice(probe, model=name))

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        request: CompletionRequest,
        *,
        counted_tokens: int | None = None,
        journal: Journal | None = None,
        model: str | None = None,
    ) -> Answer:
        peer, spent, number, whole = self._peer(model), Spent(), 0, False
        tokens = _tokens(request) if counted_tokens is None else counted_tokens
        while True:
            number += 1
            known = self.profile(model=model)
            profile = replace(known, stream=False, stream_usage=False) if whole else known
            body = self._body(request, profile, model)
            call = _Call(
                request=request,
                profile=profile,
                body=body,
                key=request_key("POST", PATH, body),
                number=number,
                tokens=tokens + request.max_output_tokens,
                journal=journal,
            )
            outcome = await self._attempt(call)
            if isinstance(outcome, Answer):
                self._memory.answered(peer, _question(request), known)
                self._check_read(outcome.completion, counted_tokens)
                return outcome
            decision = self._policy.decide(
                outcome, spent=spent, profile=profile, retries_left=self._budget.left, uniform=self._uniform
            )
            spent = after(spent, outcome, decision)
            match decision:
                case Give(error=error):
                    raise await self._final(error, outcome, peer=peer, requests=number)
                case StepDown(profile=below):
                    # another call may have learned something meanwhile; then that is tried first
                    if self.profile(model=model) == known:
                        kept = replace(below, stream=known.stream, stream_usage=known.stream_usage) if whole else below
                        self._memory.learn(peer, kept)
                case Wait(wait_s=wait_s, stated=stated):
                    self._pause(wait_s)
                    if not stated:
                        self._budget.retry()
                case Retry(wait_s=wait_s):
                    whole = whole or decision.whole
                    self._budget.retry()
                    await self._sleep(wait_s)

    async def _attempt(self, call: _Call) -> Answer | Outcome:
        """Wait until the request may go, send it once, and journal both."""
        async with self._slots.taken() as halvings:
            share = await self._pace(call.tokens)
            self._budget.request()
            await self._note(call, "sent", None)
            try:
                sent = await self._connection.ask(PATH, call.body, key=call.key, extensions=_recording(call.request))
            except PrecisError:
                await self._note(call, "failed", None)
                raise
            await self._note(call, sent.state, sent.status)
            outcome = sent.outcome
            if isinstance(outcome, Refused) and outcome.fault.kind == "throttled":
                self._slots.throttled(halvings)
            if isinstance(outcome, Answer):
                self._slots.clean()
                reported = outcome.completion.reported
                if share is not None and self._tokens is not None and reported is not None:
                    self._tokens.settle(share, reported.prompt + reported.completion)
            return outcome

    async def _pace(self, tokens: int) -> Share | None:
        """Wait for the endpoint's pause to end, and for a place within the limits of a minute."""
        now = self._clock()
        paused_s = self._paused_until - now
        if paused_s > self._settings.patience_s:
            raise EndpointThrottled(
                f"{self._url} asked to wait for another {paused_s:.0f} s; nothing is sent until then.", wait_s=paused_s
            )
        share = self._tokens.reserve(tokens) if self._tokens is not None else None
        place = self._requests.reserve() if self._requests is not None else None
        turns_s = [turn.at - now for turn in (share, place) if turn is not None]
        wait_s = max(0.0, paused_s, self._announced.wait_s(tokens=tokens), *turns_s)
        if wait_s > 0:
            await self._sleep(wait_s)
        return share

    def _check_read(self, completion: Completion, counted_tokens: int | None) -> None:
        """Refuse an answer to a prompt of which the endpoint read less than was sent."""
        reported = completion.reported
        if reported is None or counted_tokens is None or not suspicious_truncation(reported.prompt, counted_tokens):
            return
        raise ContextTruncated(
            f"{self._url} read {reported.prompt} tokens of a prompt of about {counted_tokens}: it cut the prompt "
            "without a word. Set PRECIS_CONTEXT_WINDOW to what the model really has, or give it a larger context there."
        )

    async def _final(self, error: EndpointError, outcome: Outcome, *, peer: Peer, requests: int) -> EndpointError:
        """Complete the error that a call ends with: the models there are, how often it was tried, and no secret."""
        if isinstance(outcome, Refused) and outcome.fault.kind == "model":
            error = failures.unknown_model(error, model=peer.model, url=self._url, models=await self._names())
        if isinstance(error, EndpointThrottled):
            self._pause(error.wait_s)
        if isinstance(error, ContextOverflow) and error.window is not None:
            self._memory.learn_window(peer, error.window, self._settings.start)
        if requests > 1:
            error.detail += f" ({requests} requests were made.)"
        return self._connection.without_secrets(error)

    # --- small things ------------------------------------------------------------------------------------------------

    def _peer(self, model: str | None) -> Peer:
        return Peer(base_url=self._url, model=model or self._settings.model)

    def _body(self, request: CompletionRequest, profile: Profile, model: str | None) -> dict[str, object]:
        return encode(request, profile, model=model or self._settings.model)

    def _pause(self, wait_s: float) -> None:
        """Send nothing for a while: a throttle is meant for all calls."""
        self._paused_until = max(self._paused_until, self._clock() + wait_s)

    async def _note(
        self, call: _Call, state: Literal["sent", "answered", "failed", "unknown"], status: int | None
    ) -> None:
        if call.journal is not None:
            await call.journal(
                Attempt(
                    key=call.key,
                    repetition=call.request.repetition,
                    number=call.number,
                    state=state,
                    status=status,
                    at=self._now(),
                )
            )

    async def _names(self) -> tuple[str, ...]:
        """Give the models that are listed, where they can be had."""
        try:
            return (await self._connection.models()).models
        except EndpointError:
            return ()


def _question(request: CompletionRequest) -> str:
    """Identify what is asked, however it is sent."""
    return f"{request_key('POST', PATH, encode(request, DEFAULT, model=''))}-{request.repetition}"


def _recording(request: CompletionRequest) -> dict[str, object]:
    """Say to a transport that records or replays what it is about; probes are not recorded."""
    if not request.prompt:
        return {}
    about = {"prompt": request.prompt, "stage": request.stage, "repetition": request.repetition, "path": PATH}
    return {"recording": about}


def _tokens(request: CompletionRequest) -> int:
    """Guess the tokens of a prompt, rather too many than too few."""
    return sum(len(message.content) for message in request.messages) // _CHARACTERS_PER_TOKEN
