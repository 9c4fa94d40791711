"""The resources: what the API answers, and what `precis summarise --json` prints."""

from datetime import datetime

from service.adapters.store import Failure, Status, StoredComparison, StoredSummary
from service.core.comparison import Comparison, Progress
from service.core.types import Gap, SummaryResult, Value


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


class Summary(Value, frozen=True, kw_only=True):
    """One shape, whether it is finished or not."""

    id: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
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


def summary(stored: StoredSummary) -> Summary:
    """The resource of a stored summary."""
    return Summary(
        id=stored.id,
        status=stored.status,
        created_at=stored.created_at,
        started_at=stored.started_at,
        finished_at=stored.finished_at,
        prompt=stored.conditions.prompt,
        result=stored.result,
        gaps=stored.result.gaps if stored.result else (),
        error=problem(stored.error) if stored.error else None,
    )


class ComparisonResource(Value, frozen=True, kw_only=True):
    """One shape, whether it is finished or not."""

    id: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
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
        prompts=stored.experiment.prompts,
        repetitions=stored.experiment.repetitions,
        progress=progress,
        result=stored.result,
        error=problem(stored.error) if stored.error else None,
    )


def problem(failure: Failure) -> Problem:
    """The problem object of a failure."""
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
