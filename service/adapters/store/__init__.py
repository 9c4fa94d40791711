"""Summaries, the texts they were made from, and comparisons of them, kept in one SQLite file."""

from service.adapters.store.comparisons import ComparisonStore
from service.adapters.store.memo import AttemptState, Memo, StoredAttempt
from service.adapters.store.rows import (
    FINISHED,
    UNFINISHED,
    ComparisonPage,
    Failure,
    Key,
    Outcome,
    Page,
    Status,
    StoredComparison,
    StoredSummary,
    StoredTrial,
    new_id,
)
from service.adapters.store.store import Store

__all__ = [
    "FINISHED",
    "UNFINISHED",
    "AttemptState",
    "ComparisonPage",
    "ComparisonStore",
    "Failure",
    "Key",
    "Memo",
    "Outcome",
    "Page",
    "Status",
    "Store",
    "StoredAttempt",
    "StoredComparison",
    "StoredSummary",
    "StoredTrial",
    "new_id",
]
