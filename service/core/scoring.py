"""The metrics that versions are compared by: each with its unit and the way that is better, paired by document set.

Repetitions are averaged within a document set first, and document sets count alike: never pooled over claims.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np

from service.core import statistics
from service.core.comparison import Direction, MetricRow, PairVerdict, Trial, Unit
from service.core.errors import FieldError, InvalidRequest
from service.core.metrics import Evaluation, Share
from service.core.types import Value


class MetricSpec(Value, frozen=True, kw_only=True):
    """A metric of one trial."""

    name: str
    direction: Direction
    unit: Unit
    of: Callable[[Evaluation], Share | float | None]


def check_metrics(names: Iterable[str], pointer: str = "/margins") -> None:
    """Refuse what is no metric that a verdict is about; raises InvalidRequest with those there are."""
    known = ", ".join(spec.name for spec in SPECS if spec.name in JUDGED)
    for name in names:
        if name not in JUDGED:
            fault = FieldError(pointer, f"one of {known}")
            raise InvalidRequest(f"{name[:80]!r} is no metric that is judged. There are: {known}.", errors=(fault,))


def _schema_valid(found: Evaluation) -> float | None:
    """Of the replies to first questions, how many had the form that was asked for."""
    usage = found.operations.usage
    first = usage.calls - usage.asked_back
    return 1 - usage.asked_back / first if first > 0 else None


def _tokens_in(found: Evaluation) -> float:
    return found.operations.usage.prompt_tokens + found.operations.usage.estimated_prompt_tokens


def _tokens_out(found: Evaluation) -> float:
    return found.operations.usage.completion_tokens + found.operations.usage.estimated_completion_tokens


SPECS: tuple[MetricSpec, ...] = (
    MetricSpec(name="must_recall", direction="higher", unit="share", of=lambda found: found.metrics.must_recall),
    MetricSpec(name="must_cited", direction="higher", unit="share", of=lambda found: found.metrics.must_cited),
    MetricSpec(name="cited_points", direction="higher", unit="share", of=lambda found: found.metrics.cited_points),
    MetricSpec(name="quote_validity", direction="higher", unit="share", of=lambda found: found.metrics.quote_validity),
    MetricSpec(name="numbers_exact", direction="higher", unit="share", of=lambda found: found.metrics.numbers_exact),
    MetricSpec(name="hedge_drop", direction="lower", unit="share", of=lambda found: found.metrics.hedge_drop),
    MetricSpec(name="masked_leak", direction="lower", unit="share", of=lambda found: found.metrics.masked_leak),
    MetricSpec(
        name="conflict_recall", direction="higher", unit="share", of=lambda found: found.metrics.conflict_recall
    ),
    MetricSpec(
        name="conflict_precision", direction="higher", unit="share", of=lambda found: found.metrics.conflict_precision
    ),
    MetricSpec(name="coverage", direction="higher", unit="share", of=lambda found: found.metrics.coverage),
    MetricSpec(
        name="claims_per_100_words",
        direction="higher",
        unit="ratio",
        of=lambda found: found.metrics.claims_per_100_words,
    ),
    MetricSpec(name="middle_share", direction="context", unit="ratio", of=lambda found: found.metrics.middle_share),
    MetricSpec(name="conflicts", direction="context", unit="count", of=lambda found: found.metrics.conflicts_found),
    MetricSpec(name="points", direction="context", unit="count", of=lambda found: found.operations.points_kept),
    MetricSpec(name="words", direction="context", unit="count", of=lambda found: found.metrics.words),
    MetricSpec(name="compression", direction="context", unit="ratio", of=lambda found: found.metrics.compression),
    MetricSpec(name="novel_bigrams", direction="context", unit="share", of=lambda found: found.metrics.novel_bigrams),
    MetricSpec(
        name="fragment_density", direction="context", unit="ratio", of=lambda found: found.metrics.fragment_density
    ),
    MetricSpec(name="schema_valid", direction="context", unit="share", of=_schema_valid),
    MetricSpec(name="repairs", direction="context", unit="count", of=lambda found: found.operations.repaired),
    MetricSpec(
        name="drops", direction="context", unit="count", of=lambda found: sum(found.operations.dropped.values())
    ),
    MetricSpec(name="truncated", direction="context", unit="count", of=lambda found: found.operations.truncated),
    MetricSpec(name="calls", direction="context", unit="count", of=lambda found: found.operations.usage.calls),
    MetricSpec(name="tokens_in", direction="context", unit="tokens", of=_tokens_in),
    MetricSpec(name="tokens_out", direction="context", unit="tokens", of=_tokens_out),
    MetricSpec(
        name="tokens_cached", direction="context", unit="tokens", of=lambda found: found.operations.usage.cached_tokens
    ),
    MetricSpec(name="cost", direction="context", unit="money", of=lambda found: found.operations.usage.cost),
)
"""What is judged first, then context, then what it took."""
JUDGED: frozenset[str] = frozenset(spec.name for spec in SPECS if spec.direction != "context")
LATENCIES: Mapping[str, float] = {"latency_p50": 0.50, "latency_p95": 0.95}
"""Quantiles of the wall time of a version's trials."""


Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Of one version: by metric, repetition and document set."""


def values(trials: Sequence[Trial], evaluations: Mapping[str, Evaluation]) -> Values:
    """The metrics of one version's trials, evaluated by their ids; a trial that failed, or lacks one, has no value."""
    found: dict[str, dict[int, dict[str, float]]] = {spec.name: {} for spec in SPECS}
    for trial in trials:
        if trial.id not in evaluations:
            continue
        for spec in SPECS:
            value = spec.of(evaluations[trial.id])
            if value is not None:
                number = value.value if isinstance(value, Share) else float(value)
                found[spec.name].setdefault(trial.repetition, {})[trial.set] = number
    return found


def averaged(by_repetition: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """By document set: the mean over the repetitions that have a value.

    >>> averaged({0: {"s1": 1.0, "s2": 0.5}, 1: {"s1": 0.0}})
    {'s1': 0.5, 's2': 0.5}
    """
    every: dict[str, list[float]] = {}
    for one in by_repetition.values():
        for name, value in one.items():
            every.setdefault(name, []).append(value)
    return {name: fmean(found) for name, found in every.items()}


def rows(
    a: Values, b: Values, *, primary: str, noise: Mapping[str, float | None], comparable: bool
) -> tuple[MetricRow, ...]:
    """Each metric of two versions, with what the difference proves.

    The primary metric was named beforehand, and stands by itself; the others are looked at together, and corrected for
    how many they are.

    Args:
        a: of the first version.
        b: of the second.
        primary: the metric that the comparison is about.
        noise: the largest delta of a version against itself, by metric; None where it was not measured.
        comparable: whether the two can be compared at all; if not, no verdict says better or worse.
    """
    paired = {spec.name: _paired(a[spec.name], b[spec.name]) for spec in SPECS}
    ps = {
        name: p
        for name in JUDGED
        if (p := statistics.sign_flip([other - one for one, other in paired[name]])) is not None
    }
    others = {name: p for name, p in ps.items() if name != primary}
    holm = statistics.holm(others) | ({primary: ps[primary]} if primary in ps else {})
    return tuple(
        _row(
            spec,
            paired[spec.name],
            noise=noise.get(spec.name),
            ps=(ps.get(spec.name), holm.get(spec.name)),
            family=1 if spec.name == primary else max(1, len(others)),
            comparable=comparable,
        )
        for spec in SPECS
    )


def _paired(a: Mapping[int, Mapping[str, float]], b: Mapping[int, Mapping[str, float]]) -> list[tuple[float, float]]:
    ours, theirs = averaged(a), averaged(b)
    return [(ours[name], theirs[name]) for name in ours if name in theirs]


def _row(
    spec: MetricSpec,
    paired: Sequence[tuple[float, float]],
    *,
    noise: float | None,
    ps: tuple[float | None, float | None],
    family: int,
    comparable: bool,
) -> MetricRow:
    p, p_holm = ps
    deltas = [other - one for one, other in paired]
    wins, ties, losses = statistics.win_loss(deltas, spec.direction)
    judged = spec.name in JUDGED and bool(paired)
    interval = statistics.bootstrap(deltas) if judged else None
    verdict: PairVerdict | None = None
    if judged and not comparable:
        verdict = "not_comparable"
    elif judged:
        verdict = statistics.verdict(
            deltas=deltas, direction=spec.direction, p_holm=p_holm, interval=interval, noise=noise, family=family
        )
    return MetricRow(
        name=spec.name,
        direction=spec.direction,
        unit=spec.unit,
        a=fmean(one for one, _ in paired) if paired else None,
        b=fmean(other for _, other in paired) if paired else None,
        delta=fmean(deltas) if paired else None,
        n=len(paired),
        wins=wins,
        ties=ties,
        losses=losses,
        win_rate=statistics.wilson(wins, wins + losses) if judged else None,
        interval=interval,
        p=p,
        p_holm=p_holm,
        noise=noise,
        verdict=verdict,
    )


def latency_rows(a: Sequence[Trial], b: Sequence[Trial]) -> tuple[MetricRow, ...]:
    """Quantiles of the wall time over the trials of two versions; no rows where nobody measured it."""
    ours, theirs = (
        [trial.wall_s for trial in trials if trial.wall_s is not None and trial.result] for trials in (a, b)
    )
    if not ours or not theirs:
        return ()
    found: list[MetricRow] = []
    for name, quantile in LATENCIES.items():
        one, other = (float(np.quantile(seconds, quantile)) for seconds in (ours, theirs))
        found.append(
            MetricRow(
                name=name,
                direction="context",
                unit="seconds",
                a=one,
                b=other,
                delta=other - one,
                n=min(len(ours), len(theirs)),
            )
        )
    return tuple(found)
