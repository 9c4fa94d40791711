"""Summaries and the texts they were made from, kept in one SQLite file."""

from service.adapters.store.memo import AttemptState, Memo, StoredAttempt
from service.adapters.store.rows import UNFINISHED, Failure, Page, Status, StoredSummary, new_id
from service.adapters.store.store import Store

__all__ = [
    "UNFINISHED",
    "AttemptState",
    "Failure",
    "Memo",
    "Page",
    "Status",
    "Store",
    "StoredAttempt",
    "StoredSummary",
    "new_id",
]
