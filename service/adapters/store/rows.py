"""What the store keeps, as values, and how they are written into columns and read again."""

import base64
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import msgspec
import sqlalchemy as sa

from service.core.comparison import Comparison, Experiment
from service.core.errors import FieldError, InternalError, InvalidRequest
from service.core.types import Conditions, Options, SummaryResult, Value

Status = Literal["queued", "running", "waiting", "succeeded", "partial", "failed", "cancelling", "cancelled"]
Outcome = Literal["succeeded", "partial", "failed", "cancelled"]
UNFINISHED = ("queued", "running", "waiting", "cancelling")
SUSPECT_TRIES = 2
"""Whose work was under way at so many ends of a process may be what ended it."""
LEFT_KEPT = timedelta(days=1)
"""At least, of what a process left undone."""
FINISHED: frozenset[Status] = frozenset(get_args(Outcome))


class Failure(Value, frozen=True, kw_only=True):
    """Why a summary failed: the fields of the error that ended it."""

    code: str
    status: int
    title: str
    detail: str


class Keep(Value, frozen=True, kw_only=True):
    """How long what is finished is kept; None for ever."""

    texts: timedelta | None = None
    """Of documents. Zero deletes them with the moment in which their summary is finished."""
    results: timedelta | None = None
    """Summaries, comparisons and batches with all that belongs to them."""

    @property
    def left(self) -> timedelta | None:
        """After which is given up what a process left undone when it died.

        That is when something of it would be deleted were it finished; a day at least, so that a restart of the server
        that is to take it up is in time.
        """
        times = [time for time in (self.texts, self.results) if time is not None]
        return max(min(times), LEFT_KEPT) if times else None

    def expires_at(self, finished_at: datetime) -> datetime | None:
        """When something is deleted that was finished at a moment."""
        return None if self.results is None else finished_at + self.results


FOR_EVER = Keep()
NO_TIME = timedelta(0)


class StoredSummary(Value, frozen=True, kw_only=True):
    """A row of `summaries`. Times are aware and in UTC."""

    tenant: str
    id: str
    status: Status
    options: Options
    created_at: datetime
    conditions: Conditions = Conditions()
    comparison: str | None = None
    """That it is a trial of."""
    batch: str | None = None
    """That it is a line of."""
    tries: int = 0
    """How often work on it was begun and has neither ended nor been put back: more than one after a crash."""
    next_attempt_at: datetime | None = None
    """While the endpoint is waited for."""
    expires_at: datetime | None = None
    """When it will be deleted, once it is finished."""
    purged_at: datetime | None = None
    """When the texts of its documents were deleted."""
    result: SummaryResult | None = None
    """Missing in the rows of a `Page`, whatever became of the summary: a listing reads no results."""
    error: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Page(Value, frozen=True, kw_only=True):
    """A part of a listing, newest first."""

    data: tuple[StoredSummary, ...]
    next_cursor: str | None
    """Give it as `after` to read on; missing on the last page."""


class StoredTrial(Value, frozen=True, kw_only=True):
    """A row of `trials`: which summary a trial of a comparison is."""

    set: str
    version: str
    repetition: int
    summary_id: str


class StoredComparison(Value, frozen=True, kw_only=True):
    """A row of `comparisons`. Times are aware and in UTC."""

    tenant: str
    id: str
    status: Status
    experiment: Experiment
    created_at: datetime
    result: Comparison | None = None
    """Missing in the rows of a `ComparisonPage`."""
    error: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    tries: int = 0
    expires_at: datetime | None = None


BatchStatus = Literal["running", "cancelling", "finished", "cancelled"]


class Counts(Value, frozen=True, kw_only=True):
    """Lines of a batch by what has become of them; one whose summary was deleted is in `total` only."""

    total: int
    queued: int = 0
    running: int = 0
    waiting: int = 0
    succeeded: int = 0
    partial: int = 0
    failed: int = 0
    cancelled: int = 0
    invalid: int = 0
    """They were not accepted; the result says why."""


class StoredBatch(Value, frozen=True, kw_only=True):
    """A row of `batches` with its lines counted. Times are aware and in UTC."""

    tenant: str
    id: str
    status: BatchStatus
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    counts: Counts


class BatchPage(Value, frozen=True, kw_only=True):
    """A part of a listing, newest first."""

    data: tuple[StoredBatch, ...]
    next_cursor: str | None


class Refusal(Failure, frozen=True, kw_only=True):
    """Why a line of a batch was not accepted."""

    errors: tuple[FieldError, ...] = ()


class StoredLine(Value, frozen=True, kw_only=True):
    """A row of `batch_lines`, with what its summary has come to."""

    line: int
    """Of the body, counted from 1, blank ones included."""
    custom_id: str | None
    refusal: Refusal | None = None
    summary: str | None = None
    """Missing where the line was refused."""
    status: Status | None = None
    """Missing where there is no summary, or no longer."""


class Key(Value, frozen=True, kw_only=True):
    """Under which a request is made once, however often it is sent."""

    key: str
    digest: str
    """Of the request, so that another one under the same key is told apart."""


class ComparisonPage(Value, frozen=True, kw_only=True):
    """A part of a listing, newest first."""

    data: tuple[StoredComparison, ...]
    next_cursor: str | None


def new_id(kind: Literal["sum", "cmp", "bat"] = "sum") -> str:
    """Make an id, such as `sum_` and 26 characters, the time first, so that ids sort by it."""
    moment = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    return f"{kind}_" + base64.b32hexencode(moment + secrets.token_bytes(10)).decode().rstrip("=").lower()


def as_text(moment: datetime) -> str:
    """Write an aware moment as ISO 8601 in UTC with microseconds and `Z`, which sorts as text.

    >>> as_text(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01T12:00:00.000000Z'
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be stored; pass one that has it, such as UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def cursor_after(row: StoredSummary | StoredComparison | StoredBatch) -> str:
    """Write the place after a row of a listing; opaque to callers."""
    return base64.urlsafe_b64encode(f"{as_text(row.created_at)}|{row.id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Read a place in a listing. Raises InvalidRequest when it was not written by `cursor_after`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        moment, _, summary = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
        as_written = as_text(created_at) == moment and summary.isprintable() and summary != ""
    except (ValueError, OverflowError):
        as_written = False
    if not as_written:
        detail = (
            "The cursor is not one of this service's. Give a next_cursor as it was, or none to start from the newest."
        )
        raise InvalidRequest(detail, errors=(FieldError("cursor", detail),))
    return created_at, summary


def read_summary(row: sa.Row[Any]) -> StoredSummary:
    """Read a row of `summaries`. Raises InternalError when this version does not understand it."""
    kinds = {"options": Options, "conditions": Conditions, "error": Failure, "result": SummaryResult}
    return StoredSummary(**_read(row, kinds, "Summary"))


def read_comparison(row: sa.Row[Any]) -> StoredComparison:
    """Read a row of `comparisons`. Raises InternalError when this version does not understand it."""
    kinds: dict[str, type] = {"experiment": Experiment, "error": Failure, "result": Comparison}
    return StoredComparison(**_read(row, kinds, "Comparison"))


def _read(row: sa.Row[Any], kinds: Mapping[str, type], what: str) -> dict[str, Any]:
    """The columns of a row, those of some kinds read from JSON."""
    fields = row._asdict()
    try:
        bodies: dict[str, Any] = {
            name: msgspec.json.decode(fields[name], type=kind) for name, kind in kinds.items() if fields.get(name)
        }
    except msgspec.MsgspecError as error:
        raise InternalError(
            f"{what} {fields['id']} is stored in a form that this version does not read, although the database is of "
            "this version. Delete it and submit it again; report this."
        ) from error
    fields.pop("owner", None)  # whose work it is matters to queries only
    return {**fields, **bodies}


def as_json(value: Value | None) -> str | None:
    """Write a value as JSON text."""
    return None if value is None else msgspec.json.encode(value).decode()
