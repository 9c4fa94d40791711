"""Trials in, a `Comparison` out: claims aligned, facts counted, metrics paired, and what it proves said.

Gather, then decide: nothing here asks a model, reads a file or knows the time.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from service.core import ledger, scoring, statistics
from service.core.comparable import differences, notes
from service.core.comparison import (
    COMPARISON_VERSION,
    ComparedVersion,
    Comparison,
    DocumentSet,
    Experiment,
    LedgerCounts,
    MetricRow,
    PairComparison,
    PairVerdict,
    PromptDiff,
    Trial,
)
from service.core.errors import InvalidRequest
from service.core.gate import gate
from service.core.metrics import METRICS_VERSION, Evaluation, evaluate
from service.core.set_comparing import Carried, Material, Run, compare_set
from service.core.types import OFFSET_UNIT, SummaryResult, Value

FEWEST_VERSIONS = 2
DEFAULT_PRIMARY = "cited_points"
WITH_REFERENCES = "must_recall"
"""The primary metric where every document set has a reference, and none was named."""


def compare(
    experiment: Experiment,
    versions: Sequence[ComparedVersion],
    trials: Sequence[Trial],
    material: Material,
    *,
    service_version: str,
    diffs: Mapping[tuple[str, str], PromptDiff],
) -> Comparison:
    """The versions over the document sets, the last against the first, and each against the one before it.

    Args:
        experiment: what was asked for; its metric is the one that the verdict is about, named beforehand.
        versions: what is compared, in order; the first is the baseline.
        trials: of every version over every set; one that failed says so, one that is missing is told.
        material: references, texts and sentences, where they are at hand.
        service_version: of the service, for the record.
        diffs: of prompts, by the two versions, where they are at hand.

    Raises:
        InvalidRequest: there are fewer than two versions or no set, or the metric is none that is judged.
    """
    sets = experiment.sets
    if len(versions) < FEWEST_VERSIONS or not sets:
        raise InvalidRequest("A comparison needs two versions and one document set at least.")
    primary = _primary(experiment.metric, sets, material)
    evaluations = {
        trial.id: evaluate(trial.result, material.references.get(trial.set), _texts(trial.result, material))
        for trial in trials
        if trial.result is not None
    }
    runs = [_run(version, trials, evaluations) for version in versions]
    around = _Around(noise=_noise(runs), carried=_carried(sets, runs), primary=primary, diffs=diffs)
    pairs = tuple(_pair(one, other, sets, material, around=around) for one, other in _pairs(runs))
    first, last = runs[0], runs[-1]
    repetitions = 1 + max((trial.repetition for trial in trials), default=0)
    return Comparison(
        schema_version=COMPARISON_VERSION,
        metrics_version=METRICS_VERSION,
        service_version=service_version,
        offset_unit=OFFSET_UNIT,
        primary_metric=primary,
        versions=tuple(run.version for run in runs),
        sets=sets,
        trials=tuple(trials),
        pairs=pairs,
        gate=gate(
            pairs[0],
            (*first.trials, *last.trials),
            2 * len(sets) * repetitions,
            experiment.rules,
            primary=primary,
            names={one.id: one.name for one in sets},
        ),
        rules=experiment.rules,
        references=tuple(material.references.values()),
        prompt_diffs=tuple(diffs[pair.a, pair.b] for pair in pairs if (pair.a, pair.b) in diffs),
    )


def _primary(wanted: str | None, sets: Sequence[DocumentSet], material: Material) -> str:
    if wanted is None:
        return WITH_REFERENCES if all(one.id in material.references for one in sets) else DEFAULT_PRIMARY
    scoring.check_metrics([wanted], "/metric")
    return wanted


def _texts(result: SummaryResult, material: Material) -> dict[str, str] | None:
    """The texts of a result by its ids for them, where all are at hand."""
    found = {facts.id: material.texts[facts.sha256] for facts in result.documents if facts.sha256 in material.texts}
    return found if len(found) == len(result.documents) else None


def _run(version: ComparedVersion, trials: Sequence[Trial], evaluations: Mapping[str, Evaluation]) -> Run:
    own = tuple(trial for trial in trials if trial.version == version.id)
    return Run(version=version, trials=own, evaluations=evaluations, values=scoring.values(own, evaluations))


def _pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """The last against the first; then, where there are more than two, each against the one before it."""
    ends = [(runs[0], runs[-1])]
    return ends if len(runs) == FEWEST_VERSIONS else [*ends, *pairwise(runs)]


# --- over all --------------------------------------------------------------------------------------------------------


class _Noise(Value, frozen=True, kw_only=True):
    """How far versions differ from themselves."""

    by_metric: Mapping[str, float | None]
    repetitions: int
    """Distinct ones of the version that has the most; 0 where none has two."""


def _noise(runs: Sequence[Run]) -> _Noise:
    """The largest delta of any version against itself, by metric."""
    found: dict[str, float | None] = {}
    for spec in scoring.SPECS:
        floors = [statistics.noise_floor(run.values[spec.name]) for run in runs]
        found[spec.name] = max((floor for floor in floors if floor is not None), default=None)
    most = max((len({trial.repetition for trial in run.trials if trial.result}) for run in runs), default=0)
    return _Noise(by_metric=found, repetitions=most if most > 1 else 0)


def _carried(sets: Sequence[DocumentSet], runs: Sequence[Run]) -> Carried:
    """By document set and version: in how many versions each claim of its shown trial stands."""
    found: dict[tuple[str, str], Mapping[str, int]] = {}
    if len(runs) < ledger.FEWEST_VERSIONS:
        # of fewer, "most versions carry it" says nothing
        return found
    for one in sets:
        shown = [(run.version.id, trials[0].result) for run in runs if (trials := run.of(one.id))]
        results = [result for _, result in shown if result is not None]
        for (version, _), counts in zip(shown, ledger.carried(results), strict=True):
            found[one.id, version] = counts
    return found


class _Around(Value, frozen=True, kw_only=True):
    """What holds for every pair."""

    noise: _Noise
    carried: Carried
    primary: str
    diffs: Mapping[tuple[str, str], PromptDiff]


def _pair(a: Run, b: Run, sets: Sequence[DocumentSet], material: Material, *, around: _Around) -> PairComparison:
    noise, primary = around.noise, around.primary
    different = differences(a, b)
    compared = [compare_set(one, a, b, material, around.carried) for one in sets]
    metrics = (
        *scoring.rows(a.values, b.values, primary=primary, noise=noise.by_metric, comparable=not different),
        *scoring.latency_rows(a.trials, b.trials),
    )
    counts = sum((one.counts for one in compared), LedgerCounts())
    row = next(row for row in metrics if row.name == primary)
    verdict: PairVerdict = "not_comparable" if different else row.verdict or "too_few_documents"
    changes = [change for one in compared for change in ledger.changed(one.ledger)]
    said = ledger.sentence(a.version.id, b.version.id, counts, changes)
    return PairComparison(
        a=a.version.id,
        b=b.version.id,
        sentence=f"{said}. {_proved(row, verdict)}",
        verdict=verdict,
        differences=different,
        notes=tuple(
            notes(
                a,
                b,
                compared,
                repetitions=noise.repetitions,
                diff=around.diffs.get((a.version.id, b.version.id)),
            )
        ),
        counts=counts,
        metrics=metrics,
        sets=tuple(sorted(compared, key=lambda one: ("failed" not in one.tags, -one.loss))),
        noise_repetitions=noise.repetitions,
    )


def _proved(row: MetricRow, verdict: PairVerdict) -> str:
    """What the primary metric says, in a sentence."""
    words = verdict.replace("_", " ")
    if row.a is None or row.b is None:
        return f"{row.name}: no document set has it in both; {words}."
    times = f"{row.n} document set{'s' * (row.n != 1)}"
    return f"{row.name} {row.a:.2f} → {row.b:.2f} over {times}: {words}."
