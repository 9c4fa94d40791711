"""Two journals of the same calls, the endpoint's and the service's, held against each other."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

Key = tuple[str, int]
"""Of a request, with its repetition."""


class Call(NamedTuple):
    """A call that the endpoint accepted."""

    number: int
    key: str
    repetition: int
    at: float
    status: int | None
    """That was sent; 0 where nothing was, None where the call had not ended."""
    sent: bool
    """Whether a whole completion was."""


class Attempt(NamedTuple):
    """A call that the service meant to make."""

    summary: str
    key: str
    repetition: int
    number: int
    state: Literal["sent", "answered", "failed", "unknown"]
    status: int | None


def calls_in(journal: Path) -> list[Call]:
    """Read the journal of the endpoint; a record that is being written is left out."""
    accepted: dict[int, Call] = {}
    for line in journal.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        record = json.loads(line)
        number = record["call"]
        if record["event"] == "accepted":
            accepted[number] = Call(number, record["key"], record["repetition"], record["at"], None, sent=False)
        else:
            accepted[number] = accepted[number]._replace(status=record["status"], sent=record["sent"])
    return list(accepted.values())


class Coming:
    """Counts the calls in the journal of an endpoint while they come."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._read = self._calls = 0

    def calls(self) -> int:
        """So many came until now."""
        if self._journal.exists():
            with self._journal.open("rb") as file:
                file.seek(self._read)
                *whole, _ = file.read().split(b"\n")
            self._read += sum(len(line) + 1 for line in whole)
            self._calls += sum(b'"accepted"' in line for line in whole)
        return self._calls


def attempts_in(database: Path) -> list[Attempt]:
    """Read the journal of the service."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT summary_id, key, repetition, number, state, status FROM attempts ORDER BY sent_at"
        return [Attempt(*row) for row in connection.execute(query)]


def differences(calls: Iterable[Call], attempts: Iterable[Attempt]) -> list[str]:
    """Say what one journal holds that the other does not bear out; nothing where all is explained.

    Every call must have an attempt: one that was answered, where it was sent whole; one that failed with the same
    status; or one of which the service does not know what became of it. Nothing may be answered twice.
    """
    called: dict[Key, list[Call]] = defaultdict(list)
    tried: dict[Key, list[Attempt]] = defaultdict(list)
    for call in calls:
        called[call.key, call.repetition].append(call)
    for attempt in attempts:
        tried[attempt.key, attempt.repetition].append(attempt)
    return [
        f"{key[:12]}-{repetition}: {fault}"
        for key, repetition in called.keys() | tried.keys()
        for fault in _faults(called[key, repetition], tried[key, repetition])
    ]


def _faults(calls: Sequence[Call], attempts: Sequence[Attempt]) -> list[str]:
    """Say what is wrong with the calls for one request."""
    found: list[str] = []
    left = list(calls)
    for attempt in attempts:
        if attempt.state in ("answered", "failed") and attempt.status is not None:
            whole = attempt.state == "answered"
            match = next((call for call in left if call.sent == whole and call.status == attempt.status), None)
            if match is None:
                found.append(f"{attempt.state} with {attempt.status} by the service, and no such call of the endpoint")
            else:
                left.remove(match)
    answered = sum(attempt.state == "answered" for attempt in attempts)
    if answered > 1:
        found.append(f"answered {answered} times")
    unclear = sum(attempt.state in ("sent", "unknown") for attempt in attempts)
    if len(left) > unclear:
        found.append(f"{len(left)} calls beyond those that ended, and {unclear} attempts that did not")
    return found


def paid_again(calls: Iterable[Call]) -> int:
    """Count the whole answers to requests that had one before."""
    whole = [(call.key, call.repetition) for call in calls if call.sent]
    return len(whole) - len(set(whole))
