"""The prompts folder: versions, lock, labels, withdrawn versions and history, read as one and changed one at a time."""

from service.adapters.library.changing import label, release, withdraw
from service.adapters.library.evidence import evidence
from service.adapters.library.reading import Library, load, read_lock

__all__ = ["Library", "evidence", "label", "load", "read_lock", "release", "withdraw"]
