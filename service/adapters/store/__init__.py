"""Summaries and the texts they were made from, kept in one SQLite file."""

from service.adapters.store.rows import UNFINISHED, Failure, Page, Status, StoredSummary, new_id
from service.adapters.store.store import Store

__all__ = ["UNFINISHED", "Failure", "Page", "Status", "Store", "StoredSummary", "new_id"]
