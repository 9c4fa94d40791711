"""The endpoint, asked on behalf of a summary: what was paid for is not paid again, and no call goes unexplained.

In order: the memo, the summary's budget, the journal, the endpoint, the journal again, the memo.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal
from weakref import WeakValueDictionary

from msgspec.structs import replace

from service.adapters.endpoint import PATH, Attempt, Endpoint, Hold, to_its_end
from service.adapters.store import Memo, Store
from service.asking.allowance import Allowance, Amount, Prices
from service.asking.alone import Alone
from service.core import chunking, prompts
from service.core.catalogue import Catalogue, pinned, resolve
from service.core.errors import (
    ContextOverflow,
    EndpointError,
    EndpointRejected,
    EndpointThrottled,
    FieldError,
    InvalidRequest,
    PrecisError,
)
from service.core.types import Budget, Completion, CompletionRequest, Conditions, Usage
from service.core.watching import Watch, unwatched
from service.core.wire import encode, request_key
from service.drafting import Model

ASSUMED_WINDOW_TOKENS = 16_000
"""Where an endpoint does not say how long its context is; a prompt that does not fit is cut again."""
LOOK_S = 5.0
"""Longest that an endpoint is waited for to say how long its context is."""
LOOK_AGAIN = timedelta(minutes=5)
_NOT_BILLED = (EndpointRejected, EndpointThrottled, ContextOverflow)
"""Errors by which an endpoint says that it has done nothing. What came of other failed calls may be on the bill."""
_MERGED_TOKENS = 480
"""Of the points of one part in a merge prompt, for what is kept free."""
_MERGED_FROM = 2
"""Parts, as one alone is not merged."""

Mode = Literal["live", "record", "replay"]

__all__ = ["Allowance", "Amount", "Asking", "Complete", "Journal", "Mode", "Prices"]


class Asking:
    """A configured endpoint with the prompts it may be sent.

    Args:
        endpoint: the client.
        url: of the endpoint, for the record; no secret in it.
        model: the one that is asked when a request names none.
        models: those that a request may name.
        catalogue: of the prompts.
        prompt: reference of the one that is used when a request names none.
        count: tokens of a text.
        token_ends: where they end.
        chunk_tokens: most tokens of a chunk.
        margin: share of the context window that is left free, since models count by other vocabularies.
        slots: calls that may be in flight.
        prices: of tokens.
        mode: with `record` and `replay`, recordings stand in for the memo, and the form in which answers are asked for
            stays as it was at the beginning, so that the same requests come out.
        now: the moment, aware.
    """

    def __init__(  # noqa: PLR0913 - wired in one place, by name
        self,
        *,
        endpoint: Endpoint,
        url: str,
        model: str,
        models: tuple[str, ...],
        catalogue: Catalogue,
        prompt: str,
        count: Callable[[str], int],
        token_ends: chunking.Ends,
        chunk_tokens: int,
        margin: float,
        slots: int,
        prices: Prices,
        mode: Mode = "live",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.endpoint = endpoint
        self.url = url
        self.prices = prices
        self.models = models
        self.catalogue = catalogue
        self.count = count
        self.mode = mode
        self.now = now
        self._default_model = model
        self._default_prompt = prompt
        self._token_ends = token_ends
        self._chunk_tokens = chunk_tokens
        self._margin = margin
        self._slots = slots
        # Before anything is learned of the endpoint: what the next process begins with, too.
        self._start = endpoint.profile()
        self._looking = asyncio.Lock()
        self._looked: dict[str, datetime] = {}
        self._under_way: WeakValueDictionary[tuple[str, str, int], asyncio.Lock] = WeakValueDictionary()

    def pinned(self, conditions: Conditions, *, withdrawn_too: bool = False) -> Conditions:
        """The conditions with their prompt pinned to a version and their model named.

        Args:
            conditions: as they were asked for.
            withdrawn_too: whether a withdrawn version may be used once more.

        Raises:
            NotFound: there is no such prompt.
            ConflictingReference: the prompt is named by a label and a number, or two of either.
            InvalidRequest: the prompt is no reference or withdrawn, the model is not one that a request may name, or a
                cost is bounded that nobody knows.
        """
        found = resolve(conditions.prompt or self._default_prompt, self.catalogue, withdrawn_too=withdrawn_too)
        model = conditions.model or self._default_model
        if model not in (self._default_model, *self.models):
            allowed = ", ".join((self._default_model, *self.models))
            fault = FieldError("/model", f"one of {allowed}")
            raise InvalidRequest(f"A request may not name the model {model[:80]!r}.", errors=(fault,))
        if conditions.budget.max_cost is not None and self.prices.of(0, 0) is None:
            raise InvalidRequest(
                "The request bounds its cost, but what tokens cost is not configured. Bound `max_tokens`, or set "
                "PRECIS_PRICE_PROMPT and PRECIS_PRICE_COMPLETION.",
                errors=(FieldError("/budget/max_cost", "needs prices"),),
            )
        return replace(conditions, prompt=found.version.id, label=found.label or conditions.label, model=model)

    async def look(self, conditions: Conditions) -> None:
        """Ask the endpoint how long the context of a model is, where that is not known; it need not answer."""
        model = conditions.model or self._default_model
        if self.mode == "replay":
            return
        async with self._looking:
            looked = self._looked.get(model)
            if self.endpoint.context_window(model=model) or (looked and self.now() < looked + LOOK_AGAIN):
                return
            self._looked[model] = self.now()
            with suppress(EndpointError, TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.endpoint.models(model=model)

    def model(
        self,
        conditions: Conditions,
        complete: Callable[[CompletionRequest, int], Awaitable[Completion]],
        watch: Watch = unwatched,
    ) -> Model:
        """What drafting is given, for pinned conditions; `watch` is told of what happens."""
        window = self.endpoint.context_window(model=conditions.model) or ASSUMED_WINDOW_TOKENS
        return Model(
            prompt=self.version(conditions),
            complete=complete,
            invalid=lambda request: self._judge(request, conditions.model),
            count=self.count,
            token_ends=self._token_ends,
            chunk_tokens=self._chunk_tokens,
            window=int(window * (1 - self._margin)),
            slots=self._slots,
            repetition=conditions.repetition,
            watch=watch,
        )

    def version(self, conditions: Conditions) -> prompts.PromptVersion:
        """The prompt version that pinned conditions name, withdrawn since or not; raises NotFound."""
        return pinned(conditions.prompt or self._default_prompt, self.catalogue)

    async def for_summary(
        self,
        store: Store,
        tenant: str,
        summary: str,
        conditions: Conditions,
        *,
        background: bool = False,
        held: Hold | None = None,
    ) -> "Complete":
        """What answers the requests of one summary, which may have been worked on before.

        Args:
            store: that remembers.
            tenant: whose summary it is.
            summary: its id.
            conditions: pinned.
            background: whether its calls let those of others go first.
            held: told when a call waits for the endpoint for long, and when it goes on.
        """
        memo = Memo(store, tenant, summary)
        # Only a budget asks what was paid before.
        before = await memo.attempts() if conditions.budget != Budget() else ()
        paid = frozenset((one.key, one.repetition) for one in before if one.state == "answered")
        return Complete(self, memo, conditions, tenant=tenant, paid=paid, background=background, held=held)

    def key(self, request: CompletionRequest, conditions: Conditions) -> str:
        """What a request is remembered by, whatever the endpoint was found to refuse meanwhile."""
        body = encode(request, self._start, model=conditions.model or self._default_model)
        return request_key("POST", PATH, body)

    def alone(self, tenant: str, key: str, repetition: int) -> asyncio.Lock:
        """Held while a request is answered, but not while it waits for an endpoint that is down, or for its budget."""
        return self._under_way.setdefault((tenant, key, repetition), asyncio.Lock())

    def cost(self, usage: Usage) -> float | None:
        """What a summary cost by the configured prices, with what was estimated in it."""
        return self.prices.of(
            usage.prompt_tokens + usage.estimated_prompt_tokens,
            usage.completion_tokens + usage.estimated_completion_tokens,
        )

    def _judge(self, request: CompletionRequest, model: str | None) -> None:
        """Tell the endpoint's memory that an answer did not validate; not where that would change what is recorded."""
        if self.mode == "live":
            self.endpoint.invalid(request, model=model)


class Complete:
    """Answers the requests of one summary; called as a function.

    Args:
        asking: the endpoint.
        memo: of the summary.
        conditions: of the summary, pinned.
        tenant: whose summary it is.
        paid: keys and repetitions of the requests that were answered for it before.
        background: whether its calls let those of others go first.
        held: told when a call waits for the endpoint for long, and when it goes on.
    """

    def __init__(
        self,
        asking: Asking,
        memo: Memo,
        conditions: Conditions,
        *,
        tenant: str,
        paid: frozenset[tuple[str, int]],
        background: bool = False,
        held: Hold | None = None,
    ) -> None:
        self._background = background
        self._held = held
        self._asking = asking
        self._memo = memo
        self._conditions = conditions
        self._tenant = tenant
        self._paid = paid
        self._allowance = Allowance(conditions.budget, asking.prices)
        self._parts: set[str] = set()
        """Keys of the map requests that were sent or recalled, questions back aside."""

    async def __call__(self, request: CompletionRequest, counted_tokens: int) -> Completion:
        """The completion of a request, from the memo or the endpoint.

        Raises:
            EndpointError: there is none to be had.
        """
        asked = self._asking.key(request, self._conditions)
        lock = self._asking.alone(self._tenant, asked, request.repetition)
        async with Alone(lock, lambda: self._recall(asked, request.repetition)) as alone:
            if (known := alone.found) is not None:
                self._parts |= _parts(request, asked)
                if (known.key, request.repetition) in self._paid:
                    self._allowance.settle(Amount(), self._taken(known, counted_tokens))
                return known
            return await self._answered(request, counted_tokens, asked, alone)

    async def _recall(self, asked: str, repetition: int) -> Completion | None:
        # Recordings are what is remembered, where there are any.
        return await self._memo.recall(asked, repetition) if self._asking.mode == "live" else None

    async def _answered(self, request: CompletionRequest, counted_tokens: int, asked: str, alone: Alone) -> Completion:
        """Send a request within the budget, journal every attempt, and remember what came."""
        reserved = took = Amount(prompt=counted_tokens, answer=request.max_output_tokens)
        kept_free = partial(self._kept_free, request, asked)
        await self._allowance.reserve(reserved, kept_free=kept_free, waits=alone.let_go)
        self._parts |= _parts(request, asked)
        journal = Journal(self._memo)
        try:
            completion = await alone.take() or await self._asking.endpoint.complete(
                request,
                counted_tokens=counted_tokens,
                journal=journal,
                model=self._conditions.model,
                background=self._background,
                held=self._held,
                alone=alone,
            )
            took = Amount() if completion is alone.found else self._taken(completion, counted_tokens)
        except _NOT_BILLED:
            took = Amount()
            raise
        except EndpointError:
            await journal.close()
            raise
        except asyncio.CancelledError:
            if journal.completion is not None:
                # whoever was cancelled is cancelled, though the store fails
                with suppress(PrecisError):
                    await self._keep(journal, journal.completion, asked)
            raise
        finally:
            self._allowance.settle(reserved, took)
        if completion is not alone.found:
            await self._keep(journal, completion, asked)
        return completion

    async def _keep(self, journal: "Journal", completion: Completion, asked: str) -> None:
        """Remember what was paid for, whoever is cancelled meanwhile."""
        if self._asking.mode == "replay":
            await journal.close()
        else:
            await to_its_end(journal.remember(completion, asked))

    def _taken(self, completion: Completion, counted_tokens: int) -> "Amount":
        """The tokens that a call took: as reported, else as counted here."""
        reported = completion.reported
        if reported is None:
            return Amount(prompt=counted_tokens, answer=self._asking.count(completion.text))
        return Amount(prompt=reported.prompt, answer=reported.completion)

    def _kept_free(self, request: CompletionRequest, asked: str) -> "Amount":
        """What is kept for the merge that must follow where there are several parts: without it, all is lost."""
        parts = len(self._parts | _parts(request, asked))
        if self._conditions.budget == Budget() or request.stage == "merge" or parts < _MERGED_FROM:
            return Amount()
        version = self._asking.version(self._conditions)
        instructions = version.stages["merge"]
        schema = prompts.schema_text("merge", version.front.order)
        around = sum(map(self._asking.count, (instructions.system, instructions.user, schema)))
        return Amount(prompt=around + parts * _MERGED_TOKENS, answer=version.front.params.max_output_tokens)


class Journal:
    """Writes down every attempt at a call before it is sent and when it has ended; called as a function.

    An answer is written down together with the completion, so that what is journalled as answered is remembered.
    """

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._numbers: dict[int, int] = {}
        self._last: Attempt | None = None
        self.completion: Completion | None = None
        """What was answered last, if it is of use."""

    async def __call__(self, attempt: Attempt) -> None:
        """Journal an attempt, but for an answer."""
        if attempt.state == "sent":
            number = await self._memo.sent(attempt.key, attempt.repetition, attempt.at)
            self._numbers[attempt.number] = number
        elif attempt.state == "answered":
            self._last, self.completion = attempt, attempt.completion
        else:
            await self._write(attempt)

    async def remember(self, completion: Completion, asked: str) -> None:
        """Journal the answer and remember it, by the key that was asked for."""
        if (last := self._last) is not None:
            number = self._numbers[last.number]
            await self._memo.answered(completion, last.repetition, number, asked=asked, status=last.status, at=last.at)

    async def close(self) -> None:
        """Journal an answer that is not remembered, if there was one."""
        if self._last is not None:
            await self._write(self._last)

    async def _write(self, attempt: Attempt) -> None:
        number = self._numbers[attempt.number]
        await self._memo.ended(
            attempt.key, attempt.repetition, number, state=attempt.state, status=attempt.status, at=attempt.at
        )


def _parts(request: CompletionRequest, key: str) -> set[str]:
    """The part of the text that a request is about, by its key; none for other stages and for questions back."""
    asked_back = any(message.role == "assistant" for message in request.messages)
    return {key} if request.stage == "map" and not asked_back else set()
