"""The resources: what the API answers, and what `precis summarise --json` prints."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from service.adapters.store import FINISHED, Failure, Status, StoredComparison, StoredSummary
from service.core.comparison import Comparison, Progress
from service.core.errors import PrecisError
from service.core.types import Gap, KeyPoint, SummaryResult, Value
from service.core.watching import Phase
from service.core.watching import Progress as Seen


class Problem(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A problem object after RFC 9457, with a `code` to branch on."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[dict[str, str], ...] = ()
    """`pointer` and `detail` for each field at fault."""


class SummaryProgress(Value, frozen=True, kw_only=True):
    """How far a summary is; what this process does not know is null, as of one that another process works on."""

    phase: Annotated[
        Phase | None, Meta(description="`drafting`: a model reads the parts; `merging`: it makes one of several.")
    ]
    total: Annotated[
        int | None, Meta(description="Parts for a model to read, so far: a part that has to be cut adds to it.")
    ]
    completed: int | None
    failed: int | None
    tokens: Annotated[
        int | None, Meta(description="Of prompts and answers so far, remembered ones too; counted where not reported.")
    ]
    cost: Annotated[float | None, Meta(description="Of these tokens, by the configured prices.")]
    next_attempt_at: Annotated[
        datetime | None, Meta(description="While it is `waiting`: when the endpoint is tried again at the earliest.")
    ]


_UNKNOWN = SummaryProgress(
    phase=None, total=None, completed=None, failed=None, tokens=None, cost=None, next_attempt_at=None
)


class Summary(Value, frozen=True, kw_only=True):
    """One shape, whether it is finished or not."""

    id: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: Annotated[
        datetime | None, Meta(description="When it will be deleted, once it is finished; null where it is kept.")
    ]
    progress: Annotated[SummaryProgress | None, Meta(description="Null in a listing.")]
    prompt: str | None
    """The version that was or will be used, such as `news@1`; null for an extractive summary."""
    result: SummaryResult | None
    gaps: tuple[Gap, ...]
    """What was not read; `status` is then `partial`."""
    error: Problem | None


class SummaryPage(Value, frozen=True, kw_only=True):
    """Summaries, newest first, without their results."""

    data: tuple[Summary, ...]
    has_more: bool
    next_cursor: str | None


class Progressed(Value, frozen=True, kw_only=True):
    """The data of an event `progress`."""

    status: Status
    progress: SummaryProgress


class Provisional(Value, frozen=True, kw_only=True):
    """The data of an event `points`: what stands in the texts, while the summary is being made."""

    points: Annotated[
        tuple[KeyPoint, ...],
        Meta(
            description="Located and without a blocking fault. Merging and the last checks may still join, flag or "
            "drop them; the ids are p1, p2, ..., and not those of the result."
        ),
    ]
    provisional: Literal[True] = True


def summary(stored: StoredSummary, progress: SummaryProgress | None = None) -> Summary:
    """The resource of a stored summary; `progress` is left out in listings."""
    return Summary(
        id=stored.id,
        status=stored.status,
        created_at=stored.created_at,
        started_at=stored.started_at,
        finished_at=stored.finished_at,
        expires_at=stored.expires_at,
        progress=progress,
        prompt=stored.conditions.prompt,
        result=stored.result,
        gaps=stored.result.gaps if stored.result else (),
        error=problem(stored.error) if stored.error else None,
    )


def progress(stored: StoredSummary, seen: Seen | None) -> SummaryProgress:
    """How far a stored summary is, as `seen` by the process that works on it; else as far as its row says."""
    if stored.status in FINISHED:
        return replace(_UNKNOWN, phase="done", **_spent(stored.result))
    if seen is not None:
        return seen_progress(seen, stored.next_attempt_at)
    phase: Phase | None = "queued" if stored.status == "queued" else None
    return replace(_UNKNOWN, phase=phase, next_attempt_at=stored.next_attempt_at)


def seen_progress(seen: Seen, next_attempt_at: datetime | None) -> SummaryProgress:
    """How far a summary is that this process works on."""
    return SummaryProgress(
        phase=seen.phase,
        total=seen.total,
        completed=seen.completed,
        failed=seen.failed,
        tokens=seen.tokens,
        cost=seen.cost,
        next_attempt_at=next_attempt_at,
    )


def _spent(result: SummaryResult | None) -> dict[str, float | None]:
    """The tokens and the cost of a result."""
    if result is None:
        return {}
    usage = result.usage
    reported = usage.prompt_tokens + usage.completion_tokens
    return {
        "tokens": reported + usage.estimated_prompt_tokens + usage.estimated_completion_tokens,
        "cost": usage.cost,
    }


class ComparisonResource(Value, frozen=True, kw_only=True):
    """One shape, whether it is finished or not."""

    id: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: Annotated[
        datetime | None, Meta(description="When it will be deleted, once it is finished; null where it is kept.")
    ]
    prompts: tuple[str, ...]
    """The versions, pinned; empty where summaries that were there are compared."""
    repetitions: int
    progress: Progress | None
    """Null in a listing."""
    result: Comparison | None
    error: Problem | None


class ComparisonPage(Value, frozen=True, kw_only=True):
    """Comparisons, newest first, without their results."""

    data: tuple[ComparisonResource, ...]
    has_more: bool
    next_cursor: str | None


def comparison(stored: StoredComparison, progress: Progress | None) -> ComparisonResource:
    """The resource of a stored comparison."""
    return ComparisonResource(
        id=stored.id,
        status=stored.status,
        created_at=stored.created_at,
        started_at=stored.started_at,
        finished_at=stored.finished_at,
        expires_at=stored.expires_at,
        prompts=stored.experiment.prompts,
        repetitions=stored.experiment.repetitions,
        progress=progress,
        result=stored.result,
        error=problem(stored.error) if stored.error else None,
    )


def problem(failure: Failure | PrecisError) -> Problem:
    """The problem object of a failure, or of an error outside of any request."""
    return Problem(
        type=problem_type(failure.code),
        title=failure.title,
        status=failure.status,
        detail=failure.detail,
        code=failure.code,
    )


def problem_type(code: str) -> str:
    """The URI reference that names a kind of problem.

    >>> problem_type("not_found")
    '/docs/problems#not_found'
    """
    return f"/docs/problems#{code}"
