"""`make soak`: thousands of jobs, a flaky endpoint, a server that is killed twenty times, and what became of it all.

Ends with 1 where anything is lost, stuck, conflicting or unexplained. All traffic is on loopback.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from judging import After, Kill, Report
from lives import QUEUES, Fail
from ordeal import ordeal

RESUME_TARGET_S = 5.0
POINTS = ("after_accept", "after_claim", "after_sent", "before_answer", "before_end")
CALLS_A_JOB = 1.5
"""A little less than there are."""
LINES = 5
"""One job in so many is a line of a batch."""


def drawn(jobs: int, kills: int, *, seed: int) -> list[Kill]:
    """How the servers die: at every point in turn, and between two of them at a random moment."""
    chance = random.Random(seed)  # noqa: S311 - to be the same again
    share = jobs // (kills + 1)
    found: list[Kill] = []
    for number in range(kills):
        if number % 2:
            found.append(Fail(POINTS[number // 2 % len(POINTS)], chance.randint(share // 10 + 1, share * 3 // 4 + 1)))
        else:
            found.append(After(chance.randint(1, int(CALLS_A_JOB * share) + 1)))
    return found


def show(report: Report) -> None:
    """Print what became of the jobs."""
    taken_up = [one.resumed_s for one in report.restarts if one.resumed_s is not None]
    called = [one.called_s for one in report.restarts if one.called_s is not None and one.unfinished]
    rows = (
        ("jobs accepted", f"{report.accepted:,} of {report.jobs:,}"),
        ("servers killed", f"{len(report.kills)}"),
        ("became of them", ", ".join(f"{count:,} {status}" for status, count in report.statuses.most_common())),
        ("lost", f"{len(report.lost)}"),
        ("stuck", f"{len(report.stuck)}"),
        ("conflicting results", f"{len(report.conflicting)}"),
        ("quotes that are not the text's", f"{len(report.misquoted)}"),
        ("made twice under one key", f"{len(report.strays)}"),
        ("calls at the endpoint", f"{report.calls:,}, of which {report.faulty:,} without a whole answer"),
        ("attempts in the journal", ", ".join(f"{count:,} {state}" for state, count in report.attempts.most_common())),
        ("paid again", f"{report.paid_again:,}"),
        ("calls that no attempt explains", f"{len(report.unexplained)}"),
        ("most tries of a job", f"{report.most_tries}"),
        ("left by a server, at most", f"{max((one.unfinished for one in report.restarts), default=0):,} jobs"),
        ("seconds", f"{report.took_s:,.0f} on {os.cpu_count()} cores"),
    )
    for name, value in rows:
        print(f"{name:<36}{value}")  # noqa: T201
    for name, seconds in (("start to all jobs lined up", taken_up), ("start to the first call", called)):
        if seconds:
            reached = "reached" if max(seconds) <= RESUME_TARGET_S else "MISSED"
            print(  # noqa: T201
                f"{name:<36}{median(seconds):.1f} s median, {max(seconds):.1f} s at most; "
                f"target {RESUME_TARGET_S:g} s  {reached}"
            )
    for one in report.wrong:
        print(f"WRONG  {one}")  # noqa: T201


async def soak(folder: Path, *, queue: str, jobs: int, kills: Sequence[Kill], seed: int, most_s: float) -> Report:
    """Run it, within a time."""
    async with asyncio.timeout(most_s):
        lines = jobs // LINES
        return await ordeal(folder, queue=queue, jobs=jobs - lines, lines=lines, kills=kills, seed=seed)


def main() -> int:
    """Run it and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queue", choices=tuple(QUEUES), default="local")
    parser.add_argument("--most-s", type=float, default=3_600.0, help="seconds after which it is given up")
    given = parser.parse_args()
    # so that the processes it has started end with it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with TemporaryDirectory() as name:
        kills = drawn(given.jobs, given.kills, seed=given.seed)
        report = asyncio.run(
            soak(Path(name), queue=given.queue, jobs=given.jobs, kills=kills, seed=given.seed, most_s=given.most_s)
        )
    show(report)
    return 1 if report.wrong or report.statuses.keys() - {"succeeded"} else 0


if __name__ == "__main__":
    sys.exit(main())
