"""The loop that acts: sends a request, has the policy decide about what came of it, and does that."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self

import httpx
from msgspec.structs import replace

from service.adapters.endpoint import failures, network, probing
from service.adapters.endpoint.configuration import Alone, EndpointSettings, Hold
from service.adapters.endpoint.connection import Answer, Connection
from service.adapters.endpoint.journalling import Journal, Notes
from service.adapters.endpoint.limits import Clock, Pace
from service.adapters.endpoint.memory import Memory, Peer
from service.adapters.endpoint.outage import Gate, Turn
from service.adapters.endpoint.policy import (
    Decision,
    Give,
    Outcome,
    Policy,
    Refused,
    Spent,
    StepDown,
    Wait,
    after,
)
from service.adapters.endpoint.probing import Probe
from service.adapters.endpoint.sending import PATH, Call, Sender, cut_silently
from service.core.errors import (
    ContextOverflow,
    ContextTruncated,
    EndpointError,
    EndpointThrottled,
)
from service.core.types import Completion, CompletionRequest
from service.core.wire import (
    DEFAULT,
    Profile,
    encode,
    request_key,
)


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
        self._clock, self._now, self._uniform = clock, now, uniform
        self._policy = Policy(attempts=settings.attempts, patience_s=settings.patience_s, overrides=settings.overrides)
        self._pace = Pace(rpm=settings.rpm, tpm=settings.tpm, longest_s=settings.patience_s, clock=clock)
        self._connection = Connection(
            settings,
            transport=transport or network.open_transport(settings),
            observe=self._pace.observe,
            now=now,
        )
        self._url = self._connection.url
        self._gate = Gate(
            url=self._url,
            failures=settings.attempts,
            limit_s=settings.outage_s,
            clock=clock,
            now=now,
            sleep=sleep,
        )
        self._sender = Sender(
            settings, connection=self._connection, pace=self._pace, gate=self._gate, clock=clock, sleep=sleep
        )

    def __repr__(self) -> str:
        return f"Endpoint({self._url!r}, model={self._settings.model!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def slots(self) -> int:
        """How many requests may be in flight now."""
        return self._sender.slots.limit

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
        alone: Alone | None = None,
    ) -> Completion:
        """Have a request answered.

        Args:
            request: what is asked.
            counted_tokens: of the prompt, by our own count.
            journal: told of every request before it is sent, and again straight after.
            model: in place of the configured one.
            background: whether it lets other requests go first.
            held: told when the request waits for the endpoint for long, and when it goes on; without it the request
                does not wait for an endpoint that is down.
            alone: taken already; let go while the request waits for an endpoint that is down.

        Returns:
            A complete answer, not yet validated, or what `alone` found; say `invalid` when it does not validate.

        Raises:
            EndpointError: the kind that says what is to be done about it.
            asyncio.CancelledError: its connection is closed and its slot free; a request that was sent is journalled
                as `unknown`, and one whose answer was complete with that.
        """
        answer = await self._ask(
            request,
            counted_tokens=counted_tokens,
            model=model,
            journal=journal,
            turn=self._gate.turn(background=background, held=held),
            alone=alone,
        )
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
        """Close the connections; nobody waits any more."""
        self._gate.close()
        await self._connection.close()

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        request: CompletionRequest,
        *,
        counted_tokens: int | None = None,
        model: str | None = None,
        journal: Journal | None = None,
        turn: Turn | None = None,
        alone: Alone | None = None,
    ) -> Answer:
        peer, spent, whole = self._peer(model), Spent(), False
        turn = turn or self._gate.turn(background=False, held=None)
        async with Notes(journal, now=self._now) as notes, turn:
            while True:
                if (found := await self._sender.ready(turn, alone)) is not None:
                    return Answer(completion=found, streamed=False)
                known = self.profile(model=model)
                profile = replace(known, stream=False, stream_usage=False) if whole else known
                call = Call.of(request, self._body(request, profile, model), counted_tokens)
                outcome = await self._sender.send(call, turn, notes)
                if outcome is None:
                    continue
                if isinstance(outcome, Answer):
                    self._memory.answered(peer, _question(request), known)
                    self._check_read(outcome.completion, counted_tokens)
                    return outcome
                decision = self._decide(outcome, spent, profile, turn)
                spent = after(spent, outcome, decision)
                match decision:
                    case Give(error=error):
                        raise await self._final(error, outcome, peer=peer, requests=notes.requests)
                    case StepDown(profile=below):
                        # another call may have learned something meanwhile; then that is tried first
                        if self.profile(model=model) == known:
                            stream = known if whole else below
                            self._memory.learn(
                                peer, replace(below, stream=stream.stream, stream_usage=stream.stream_usage)
                            )
                    case _:
                        whole = whole or (not isinstance(decision, Wait) and decision.whole)
                        await self._sender.wait(decision, turn)

    def _decide(self, outcome: Outcome, spent: Spent, profile: Profile, turn: Turn) -> Decision:
        return self._policy.decide(
            outcome,
            spent=spent,
            profile=profile,
            retries_left=self._sender.budget.left,
            uniform=self._uniform,
            gate=turn.gate,
            others_answered=turn.others_answered,
        )

    def _check_read(self, completion: Completion, counted: int | None) -> None:
        """Refuse an answer to a prompt of which the endpoint read less than was sent."""
        if (reported := completion.reported) is not None and cut_silently(completion, counted):
            raise ContextTruncated(
                f"{self._url} read {reported.prompt} tokens of a prompt of about {counted}: it cut the prompt without "
                "a word. Set PRECIS_CONTEXT_WINDOW to what the model really has, or give it a larger context there."
            )

    async def _final(self, error: EndpointError, outcome: Outcome, *, peer: Peer, requests: int) -> EndpointError:
        """Complete the error that a call ends with: the models there are, how often it was tried, and no secret."""
        if isinstance(outcome, Refused) and outcome.fault.kind == "model":
            error = failures.unknown_model(error, model=peer.model, url=self._url, models=await self._names())
        if isinstance(error, EndpointThrottled):
            self._pace.pause(error.wait_s)
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

    async def _names(self) -> tuple[str, ...]:
        """Give the models that are listed, where they can be had."""
        try:
            return (await self._connection.models()).models
        except EndpointError:
            return ()


def _question(request: CompletionRequest) -> str:
    """Identify what is asked, however it is sent."""
    return f"{request_key('POST', PATH, encode(request, DEFAULT, model=''))}-{request.repetition}"
