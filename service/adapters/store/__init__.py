"""Summaries, the texts they were made from, and comparisons of them, kept in one SQLite file."""

from service.adapters.store.batches import BatchPlace, BatchStore
from service.adapters.store.comparisons import ComparisonStore
from service.adapters.store.memo import AttemptState, Memo, StoredAttempt
from service.adapters.store.retention import Removed, Retention
from service.adapters.store.rows import (
    FINISHED,
    FOR_EVER,
    NO_TIME,
    SUSPECT_TRIES,
    UNFINISHED,
    BatchPage,
    BatchStatus,
    ComparisonPage,
    Counts,
    Failure,
    Keep,
    Key,
    Outcome,
    Page,
    Refusal,
    Status,
    StoredBatch,
    StoredComparison,
    StoredLine,
    StoredSummary,
    StoredTrial,
    new_id,
)
from service.adapters.store.serving import serving
from service.adapters.store.store import Store

__all__ = [
    "FINISHED",
    "FOR_EVER",
    "NO_TIME",
    "SUSPECT_TRIES",
    "UNFINISHED",
    "AttemptState",
    "BatchPage",
    "BatchPlace",
    "BatchStatus",
    "BatchStore",
    "ComparisonPage",
    "ComparisonStore",
    "Counts",
    "Failure",
    "Keep",
    "Key",
    "Memo",
    "Outcome",
    "Page",
    "Refusal",
    "Removed",
    "Retention",
    "Status",
    "Store",
    "StoredAttempt",
    "StoredBatch",
    "StoredComparison",
    "StoredLine",
    "StoredSummary",
    "StoredTrial",
    "new_id",
    "serving",
]
