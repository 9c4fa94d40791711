"""Batches as the API answers them, and the results of their lines as both the API and `precis batch` write them."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from service.adapters.store import BatchStatus, Counts, Refusal, StoredBatch
from service.core.types import Value
from service.jobs.batches import Ended
from service.rendering import resource
from service.rendering.resource import Problem, Summary


class Batch(Value, frozen=True, kw_only=True):
    """One shape, whether it is finished or not."""

    id: str
    status: BatchStatus
    created_at: datetime
    finished_at: datetime | None
    expires_at: Annotated[
        datetime | None, Meta(description="When it will be deleted, once it is finished; null where it is kept.")
    ]
    counts: Counts


class BatchPage(Value, frozen=True, kw_only=True):
    """Batches, newest first."""

    data: tuple[Batch, ...]
    has_more: bool
    next_cursor: str | None


class LineResult(Value, frozen=True, kw_only=True):
    """What has become of a line: the summary, or the problem for which there is none."""

    line: Annotated[int, Meta(description="Of the body, counted from 1, blank ones included.")]
    custom_id: Annotated[str | None, Meta(description="As it was sent; null where the line could not be read so far.")]
    input_sha256: Annotated[
        str | UnsetType, Meta(description="Of the line, in the files that `precis batch` writes.")
    ] = UNSET
    summary: Summary | UnsetType = UNSET
    error: Problem | UnsetType = UNSET


def batch(stored: StoredBatch) -> Batch:
    """The resource of a stored batch."""
    return Batch(
        id=stored.id,
        status=stored.status,
        created_at=stored.created_at,
        finished_at=stored.finished_at,
        expires_at=stored.expires_at,
        counts=stored.counts,
    )


def line(ended: Ended, *, input_sha256: str | UnsetType = UNSET) -> bytes:
    """The result of a line, as a line of NDJSON with its end."""
    result = LineResult(line=ended.line, custom_id=ended.custom_id, input_sha256=input_sha256)
    if ended.summary is not None:
        summary = resource.summary(ended.summary, resource.progress(ended.summary, None))
        result = replace(result, summary=summary)
    elif ended.refusal is not None:
        result = replace(result, error=_problem(ended.refusal))
    return msgspec.json.encode(result) + b"\n"


def _problem(refusal: Refusal) -> Problem:
    fields = tuple({"pointer": field.pointer, "detail": field.detail} for field in refusal.errors)
    return replace(resource.problem(refusal), errors=fields)
