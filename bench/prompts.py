"""What each released prompt version did in its recordings: `python -m bench.prompts`, a table for prompts/README.md."""

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from service import bootstrap, logs
from service.core import ledger, scoring, statistics
from service.core.comparison import Trial
from service.core.metrics import Evaluation, Share, evaluate
from service.core.references import Reference
from service.core.types import Conditions, Document, Options, SummaryResult
from service.settings import Settings

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "tests/recordings"
REFERENCES = ROOT / "tests/references"
SEEDS = tuple(sorted((ROOT / "seeds").glob("*.txt")))
LONG = ROOT / "tests/texts/harbour-inquiry.txt"
VERSIONS = ("news@1", "news@2", "news@3", "news@4")
REPEATED, REPETITIONS = "news@3", 3
"""The version that was asked several times, of the second sample article."""
NOISY = ("must_recall", "must_cited", "cited_points", "quote_validity", "coverage", "claims_per_100_words", "words")
COLUMNS = (
    "quotes valid",
    "must cited",
    "must recall",
    "conflicts found",
    "in the reference",
    "hedge drop",
    "numbers",
    "middle",
    "points",
    "flagged",
    "calls",
)


@dataclass(frozen=True, slots=True)
class Run:
    """What was recorded: some files, where, and the reference to hold their summary against."""

    name: str
    files: tuple[Path, ...]
    recordings: Path
    reference: Path


RUNS = (
    *(Run(seed.stem[:3], (seed,), RECORDINGS, REFERENCES / f"{seed.stem[:3]}.json") for seed in SEEDS),
    Run("together", SEEDS, RECORDINGS, REFERENCES / "together.json"),
    Run("long", (LONG,), RECORDINGS / "harbour-inquiry", LONG.with_suffix(".json")),
)


async def replayed(run: Run, version: str, database: Path, repetition: int = 0) -> SummaryResult:
    """The summary that a version's recordings give."""
    configured = Settings(
        database_url=f"sqlite:///{database}", endpoint_mode="replay", recordings_dir=str(run.recordings)
    )
    documents = [
        Document(id=f"d{number}", text=file.read_bytes().decode(), name=file.name)
        for number, file in enumerate(run.files, 1)
    ]
    async with bootstrap.open_jobs(configured) as jobs:
        summary = await jobs.submit("local", documents, Options(), Conditions(prompt=version, repetition=repetition))
        stored = await jobs.wait("local", summary.id, wait_s=60)
    assert stored.result is not None, stored.error
    return stored.result


def measured(run: Run, result: SummaryResult) -> Evaluation:
    """A summary, held against the reference of its run."""
    return evaluate(result, msgspec.json.decode(run.reference.read_bytes(), type=Reference))


def table(evaluations: Mapping[tuple[str, str], Evaluation]) -> list[str]:
    """Rows of Markdown: for each run, by name, every version."""
    names = dict.fromkeys(name for name, _ in evaluations)
    rows = [_row(["text", "version", *COLUMNS]), _row(["---"] * (len(COLUMNS) + 2))]
    return rows + [
        _row([name, version, *_cells(evaluations[name, version])])
        for name in names
        for version in VERSIONS
        if (name, version) in evaluations
    ]


def noise(results: Sequence[SummaryResult], reference: Reference) -> list[str]:
    """Rows of Markdown: what one version says of one text, asked anew each time, and how far that differs."""
    trials = [
        Trial(id=f"t{at}", set="s1", version=REPEATED, repetition=at, result=result)
        for at, result in enumerate(results)
    ]
    found = scoring.values(
        trials, {trial.id: evaluate(result, reference) for trial, result in zip(trials, results, strict=True)}
    )
    rows = [
        _row(["metric", *(f"repetition {at}" for at in range(len(results))), "noise"]),
        _row(["---"] * (len(results) + 2)),
    ]
    for name in NOISY:
        values = [found[name][at]["s1"] for at in range(len(results))]
        floor = statistics.noise_floor(found[name])
        rows.append(_row([name, *(f"{value:.2f}" for value in values), f"{floor:.2f}"]))
    points = [len(result.key_points) for result in results]
    rows.append(_row(["points", *map(str, points), str(max(points) - min(points))]))
    return [
        *rows,
        "",
        f"Claims that not all {len(results)} make: {len(ledger.unstable(results))} of {len(_distinct(results))}.",
    ]


def _distinct(results: Sequence[SummaryResult]) -> list[str]:
    """Claims that differ: those of the first, and what each of the others has beside."""
    told = [point.text for point in results[0].key_points]
    for at, result in enumerate(results[1:], 1):
        known = [ledger.ledger(before, result) for before in results[:at]]
        new = set.intersection(*({one.b for one in entries if one.label == "gained"} for entries in known))
        told += [point.text for point in result.key_points if point.id in new]
    return told


def _cells(found: Evaluation) -> Sequence[str]:
    metrics, did = found.metrics, found.operations
    return (
        _of(metrics.quote_validity),
        _of(metrics.must_cited),
        _of(metrics.must_recall),
        str(metrics.conflicts_found),
        _of(metrics.conflict_precision),
        _of(metrics.hedge_drop),
        _of(metrics.numbers_exact),
        "-" if metrics.middle_share is None else f"{metrics.middle_share:.2f}",
        f"{did.points_kept}",
        f"{did.flagged}",
        f"{did.usage.calls}",
    )


def _of(share: Share | None) -> str:
    return "-" if share is None else f"{share.count}/{share.of}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def repeated() -> list[SummaryResult]:
    """The three recorded repetitions."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            asyncio.run(replayed(RUNS[1], REPEATED, Path(folder) / f"{at}.db", repetition=at))
            for at in range(REPETITIONS)
        ]


def main() -> None:
    """Replay everything and print the table."""
    logs.configure(level="warning", fmt="console", stream=sys.stderr)
    found: dict[tuple[str, str], Evaluation] = {}
    with tempfile.TemporaryDirectory() as folder:
        for run in RUNS:
            for version in VERSIONS:
                database = Path(folder) / f"{run.name}-{version}.db"
                found[run.name, version] = measured(run, asyncio.run(replayed(run, version, database)))
    print("\n".join(table(found)))
    print()
    print("\n".join(noise(repeated(), msgspec.json.decode(RUNS[1].reference.read_bytes(), type=Reference))))


if __name__ == "__main__":
    main()
