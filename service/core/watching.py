"""What is seen while a summary is made, for those who wait for it."""

from collections.abc import Callable
from typing import Literal

from service.core.types import KeyPoint, Value

Phase = Literal["queued", "reading", "drafting", "merging", "finishing", "done"]


class Progress(Value, frozen=True, kw_only=True):
    """How far a summary is."""

    phase: Phase = "queued"
    total: int = 0
    """Parts of the texts that a model is to read."""
    completed: int = 0
    failed: int = 0
    tokens: int = 0
    """Of the calls answered so far, prompts and answers together."""
    cost: float | None = None
    """By the configured prices; None where none is configured."""


class PhaseBegun(Value, frozen=True, kw_only=True):
    """A phase has begun; with `parts`, so many parts are to be read in it."""

    phase: Phase
    parts: int = 0


class PartEnded(Value, frozen=True, kw_only=True):
    """A part was read, or could not be."""

    failed: bool = False


class CallAnswered(Value, frozen=True, kw_only=True):
    """A call was answered, from memory too."""

    prompt_tokens: int
    completion_tokens: int


class PointsStood(Value, frozen=True, kw_only=True):
    """Points of one part whose quotes stand in its text; merging and the last checks may still take them away."""

    points: tuple[KeyPoint, ...]


Seen = PhaseBegun | PartEnded | CallAnswered | PointsStood
Watch = Callable[[Seen], None]
"""Told of what happens while a summary is made; it returns at once and raises nothing."""


def unwatched(_: Seen) -> None:
    """Nobody watches."""
