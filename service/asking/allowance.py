"""What a summary may take of its budget, in tokens and in money."""

import asyncio
from collections.abc import Callable

from service.core.errors import BudgetSpent
from service.core.types import Budget, Value

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


class Amount(Value, frozen=True, kw_only=True):
    """Tokens of prompts and answers."""

    prompt: int = 0
    answer: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(prompt=self.prompt + other.prompt, answer=self.answer + other.answer)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(prompt=self.prompt - other.prompt, answer=self.answer - other.answer)


class Allowance:
    """What a summary may still take of its budget: reserved before a call is sent, and settled when it has ended."""

    def __init__(self, budget: Budget, prices: Prices) -> None:
        self._budget = budget
        self._prices = prices
        self._settled = Amount()
        self._reserved = Amount()
        self._changed = asyncio.Event()

    async def reserve(
        self, amount: Amount, *, kept_free: Callable[[], Amount], waits: Callable[[], None] = lambda: None
    ) -> None:
        """Reserve what a call may take at most; waits for calls under way, which mostly take less.

        Args:
            amount: of the call.
            kept_free: what must be left when it has ended.
            waits: called before it waits.

        Raises:
            BudgetSpent: it is more than is left.
        """
        while fault := self._fault(self._settled + self._reserved + amount + kept_free()):
            if self._reserved == Amount():
                raise BudgetSpent(fault)
            waits()
            await self._changed.wait()
        self._reserved += amount

    def settle(self, reserved: Amount, took: Amount) -> None:
        """Put what a call took in place of what was reserved for it."""
        self._reserved -= reserved
        self._settled += took
        self._changed.set()
        self._changed = asyncio.Event()

    def _fault(self, total: Amount) -> str | None:
        """Say what is over the budget."""
        most_tokens, most_cost = self._budget.max_tokens, self._budget.max_cost
        tokens = total.prompt + total.answer
        if most_tokens is not None and tokens > most_tokens:
            return (
                f"Another call, with what must follow it, may take the summary to {tokens:,} tokens; its budget is "
                f"{most_tokens:,}. Raise `budget.max_tokens`, or send less."
            )
        cost = self._prices.of(total.prompt, total.answer) or 0.0
        if most_cost is not None and cost > most_cost:
            return (
                f"Another call, with what must follow it, may take the summary to a cost of {cost:.4f}; its budget is "
                f"{most_cost:.4f}. Raise `budget.max_cost`, or send less."
            )
        return None
