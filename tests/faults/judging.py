"""What became of many jobs, and what is wrong with that."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from articles import article
from calling import FINISHED, Caller, Resource
from flaky import headline
from journals import Call, attempts_in, differences, paid_again
from lives import Fail


class After(NamedTuple):
    """The server is killed from outside once so many more calls have come to the endpoint."""

    calls: int


Kill = Fail | After


class Restart(NamedTuple):
    """How a server took up what the one before had left."""

    unfinished: int
    """Rows that were there before it started."""
    resumed: int | None
    """Rows that it says it took up; None where it was killed before it said so."""
    resumed_s: float | None
    """From the start of the process, and so with the start of Python."""
    called_s: float | None
    """From the start of the process to the first call at the endpoint."""


@dataclass
class Report:
    """What became of the jobs, and what is wrong with that."""

    jobs: int = 0
    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    conflicting: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    misquoted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    """Summaries that nobody was told of."""
    statuses: Counter[str] = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    calls: int = 0
    faulty: int = 0
    """Calls that did not end with a whole answer, those that were killed with the server included."""
    paid_again: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    most_tries: int = 0
    most_in_flight: int = 0
    """Calls that the kills can have caught, all together."""
    results: dict[int, Resource] = field(default_factory=dict)
    """By the number of their article."""
    took_s: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """Everything that must not be."""
        return [
            *(f"lost: {one}" for one in self.lost),
            *(f"stuck: {one}" for one in self.stuck),
            *(f"conflicting: {one}" for one in self.conflicting),
            *(f"unexplained: {one}" for one in self.unexplained),
            *(f"misquoted: {one}" for one in self.misquoted),
            *(f"refused: {one}" for one in self.refused),
            *(f"stray: {one}" for one in self.strays),
            *(
                f"not taken up: {one.unfinished} were unfinished and {one.resumed} taken up"
                for one in self.restarts
                if one.resumed not in (None, one.unfinished)
            ),
        ]


# --- the judgement ---------------------------------------------------------------------------------------------------


def judge(
    report: Report, caller: Caller, finals: dict[str, Resource | None], calls: Sequence[Call], database: Path
) -> None:
    """Find what is wrong."""
    attempts = attempts_in(database)
    report.accepted = len(caller.accepted)
    report.refused = [*caller.refused, *(f"{number} never answered" for number in caller.unanswered)]
    report.calls, report.paid_again = len(calls), paid_again(calls)
    report.faulty = sum(not call.sent for call in calls)
    report.attempts = Counter(attempt.state for attempt in attempts)
    report.unexplained = differences(calls, attempts)
    report.lost = [summary for summary, found in finals.items() if found is None]
    there = {summary: found for summary, found in finals.items() if found is not None}
    report.statuses = Counter(found["status"] for found in there.values())
    report.stuck = [f"{summary} is {found['status']}" for summary, found in there.items() if not _is_finished(found)]
    report.conflicting = [
        *(
            f"{summary} changed after it was finished"
            for summary, seen in caller.seen.items()
            if there.get(summary, seen) != seen
        ),
        *_unlike(caller, there),
        *_not_borne_out(there, calls),
    ]
    report.results = {
        number: there[summary]["result"] for number, summary in caller.accepted.items() if summary in there
    }
    texts = {summary: article(number) for number, summary in caller.accepted.items()}
    report.misquoted = [summary for summary, found in there.items() if _is_misquoted(found, texts[summary])]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        known = set(caller.accepted.values())
        report.strays = [row[0] for row in connection.execute("SELECT id FROM summaries") if row[0] not in known]
        report.most_tries = connection.execute("SELECT max(tries) FROM summaries").fetchone()[0]


def _is_finished(found: Resource) -> bool:
    return found["status"] in FINISHED and found["finished_at"] is not None


def _unlike(caller: Caller, there: dict[str, Resource]) -> list[str]:
    """Name summaries of the same text whose results differ."""
    of_text: dict[str, list[str]] = defaultdict(list)
    for number, summary in caller.accepted.items():
        if summary in there and there[summary]["status"] == "succeeded":
            of_text[article(number)].append(summary)
    return [
        f"{other} is not as {first}, of the same text"
        for first, *others in of_text.values()
        for other in others
        if there[other]["result"] != there[first]["result"]
    ]


def _not_borne_out(there: dict[str, Resource], calls: Sequence[Call]) -> list[str]:
    """Name results that rest on an answer that the endpoint did not give in whole, or to another request."""
    key_of = {headline(call.number): call.key for call in calls if call.sent}
    return [
        f"{summary} has a headline that no whole answer to its requests had"
        for summary, found in there.items()
        if (result := found["result"]) is not None
        and key_of.get(result["headline"]) not in result["manifest"]["request_keys"]
    ]


def _is_misquoted(found: Resource, text: str) -> bool:
    """Whether a quote is not the text's own at its place; a finished summary without any is, too."""
    points = (found["result"] or {}).get("key_points", ())
    quotes = [quote for point in points for quote in point["evidence"]]
    whole = all(text[quote["start"] : quote["end"]] == quote["quote"] for quote in quotes)
    return found["status"] in ("succeeded", "partial") and not (quotes and whole)
