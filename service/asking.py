"""The endpoint, asked on behalf of a summary: what was paid for is not paid again, and no call goes unexplained.

In order: the memo, the summary's budget, the journal, the endpoint, the journal again, the memo.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from service.adapters.endpoint import Attempt, Endpoint
from service.adapters.store import Memo, Store
from service.core import chunking, prompts
from service.core.errors import BudgetSpent, FieldError, InvalidRequest
from service.core.types import Completion, CompletionRequest, Conditions, Usage, Value
from service.drafting import Model

ASSUMED_WINDOW_TOKENS = 16_000
"""Where an endpoint does not say how long its context is; a prompt that does not fit is cut again."""
_MILLION = 1_000_000


class Prices(Value, frozen=True, kw_only=True):
    """Price of a million tokens, in any currency; None where it is not known."""

    prompt: float | None = None
    completion: float | None = None

    def of(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost.

        >>> Prices(prompt=2.0, completion=8.0).of(1_000_000, 500_000)
        6.0
        """
        if self.prompt is None or self.completion is None:
            return None
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / _MILLION


class Asking:
    """A configured endpoint with the prompts it may be sent.

    Args:
        endpoint: the client.
        url: of the endpoint, for the record; no secret in it.
        model: the one that is asked when a request names none.
        models: those that a request may name.
        versions: the released prompts.
        prompt: reference of the one that is used when a request names none.
        count: tokens of a text.
        token_ends: where they end.
        chunk_tokens: most tokens of a chunk.
        margin: share of the context window that is left free, since models count by other vocabularies.
        slots: calls that may be in flight.
        prices: of tokens.
        now: the moment, aware.
    """

    def __init__(  # noqa: PLR0913 - wired in one place, by name
        self,
        *,
        endpoint: Endpoint,
        url: str,
        model: str,
        models: tuple[str, ...],
        versions: tuple[prompts.PromptVersion, ...],
        prompt: str,
        count: Callable[[str], int],
        token_ends: chunking.Ends,
        chunk_tokens: int,
        margin: float,
        slots: int,
        prices: Prices,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.endpoint = endpoint
        self.url = url
        self.prices = prices
        self.models = models
        self.versions = versions
        self._default_model = model
        self._default_prompt = prompt
        self._count = count
        self._token_ends = token_ends
        self._chunk_tokens = chunk_tokens
        self._margin = margin
        self._slots = slots
        self._now = now

    def pinned(self, conditions: Conditions) -> Conditions:
        """The conditions with their prompt pinned to a version and their model named.

        Raises:
            NotFound: there is no such prompt.
            InvalidRequest: the model is not one that a request may name.
        """
        wanted = prompts.reference(conditions.prompt or self._default_prompt)
        front = prompts.find(wanted, self.versions).front
        model = conditions.model or self._default_model
        if model not in (self._default_model, *self.models):
            allowed = ", ".join((self._default_model, *self.models))
            fault = FieldError("/model", f"one of {allowed}")
            raise InvalidRequest(f"A request may not name the model {model[:80]!r}.", errors=(fault,))
        return Conditions(
            prompt=f"{front.name}@{front.version}",
            model=model,
            budget=conditions.budget,
            fallback=conditions.fallback,
            strict=conditions.strict,
        )

    def model(
        self, conditions: Conditions, complete: Callable[[CompletionRequest, int], Awaitable[Completion]]
    ) -> Model:
        """What drafting is given, for pinned conditions."""
        version = prompts.find(prompts.reference(conditions.prompt or self._default_prompt), self.versions)
        window = self.endpoint.context_window(model=conditions.model) or ASSUMED_WINDOW_TOKENS
        return Model(
            prompt=version,
            complete=complete,
            invalid=lambda request: self.endpoint.invalid(request, model=conditions.model),
            count=self._count,
            token_ends=self._token_ends,
            chunk_tokens=self._chunk_tokens,
            window=int(window * (1 - self._margin)),
            slots=self._slots,
        )

    def for_summary(self, store: Store, tenant: str, summary: str, conditions: Conditions) -> "Complete":
        """What answers the requests of one summary."""
        return Complete(self, Memo(store, tenant, summary), conditions, self._now)

    def cost(self, usage: Usage) -> float | None:
        """What a summary cost by the configured prices, with what was estimated in it."""
        return self.prices.of(
            usage.prompt_tokens + usage.estimated_prompt_tokens,
            usage.completion_tokens + usage.estimated_completion_tokens,
        )


class Complete:
    """Answers the requests of one summary; called as a function."""

    def __init__(self, asking: Asking, memo: Memo, conditions: Conditions, now: Callable[[], datetime]) -> None:
        self._asking = asking
        self._memo = memo
        self._conditions = conditions
        self._now = now
        self._tokens = 0
        self._cost = 0.0

    async def __call__(self, request: CompletionRequest, counted_tokens: int) -> Completion:
        """The completion of a request, from the memo or the endpoint.

        Raises:
            EndpointError: there is none to be had.
        """
        endpoint, model = self._asking.endpoint, self._conditions.model
        known = await self._memo.recall(endpoint.key(request, model=model), request.repetition)
        if known is not None:
            return known
        self._spend(counted_tokens, request.max_output_tokens)
        numbers: dict[int, int] = {}

        async def journal(attempt: Attempt) -> None:
            if attempt.state == "sent":
                numbers[attempt.number] = await self._memo.sent(attempt.key, attempt.repetition, attempt.at)
            else:
                await self._memo.ended(
                    attempt.key,
                    attempt.repetition,
                    numbers[attempt.number],
                    state=attempt.state,
                    status=attempt.status,
                    at=attempt.at,
                )

        completion = await endpoint.complete(request, counted_tokens=counted_tokens, journal=journal, model=model)
        await self._memo.remember(completion, request.repetition, self._now())
        if completion.reported is not None:
            self._settle(counted_tokens, request.max_output_tokens, completion)
        return completion

    def _spend(self, prompt_tokens: int, most_answer_tokens: int) -> None:
        """Reserve what a call may take; raises BudgetSpent where that is more than is left."""
        budget = self._conditions.budget
        tokens = self._tokens + prompt_tokens + most_answer_tokens
        cost = self._cost + (self._asking.prices.of(prompt_tokens, most_answer_tokens) or 0.0)
        if budget.max_tokens is not None and tokens > budget.max_tokens:
            raise BudgetSpent(
                f"Another call may take the summary to {tokens:,} tokens; its budget is {budget.max_tokens:,}. Raise "
                "`budget.max_tokens`, or send less."
            )
        if budget.max_cost is not None and cost > budget.max_cost:
            raise BudgetSpent(
                f"Another call may take the summary to a cost of {cost:.4f}; its budget is {budget.max_cost:.4f}. "
                "Raise `budget.max_cost`, or send less."
            )
        self._tokens, self._cost = tokens, cost

    def _settle(self, prompt_tokens: int, most_answer_tokens: int, completion: Completion) -> None:
        """Put what a call took in place of what was reserved for it."""
        assert completion.reported is not None  # noqa: S101 - for mypy: the caller looked
        took = completion.reported
        prices = self._asking.prices
        self._tokens += took.prompt + took.completion - prompt_tokens - most_answer_tokens
        self._cost += (prices.of(took.prompt, took.completion) or 0.0) - (
            prices.of(prompt_tokens, most_answer_tokens) or 0.0
        )
