"""The prompts folder: versions, lock, labels, withdrawn versions and history, read as one and changed one at a time."""

from service.adapters.library.changing import label, release, remove, withdraw
from service.adapters.library.decided import DECIDED
from service.adapters.library.evidence import Evidence, evidence
from service.adapters.library.reading import Fault, Library, load, read_lock, survey

__all__ = [
    "DECIDED",
    "Evidence",
    "Fault",
    "Library",
    "evidence",
    "label",
    "load",
    "read_lock",
    "release",
    "remove",
    "survey",
    "withdraw",
]
