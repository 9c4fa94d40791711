"""Whether a prompt version may take the place of another: a list of rules, each of which says how it came out.

It fails closed: what was not measured is never a pass.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import get_args

from service.core.comparison import (
    GateReason,
    GateResult,
    Outcome,
    PairComparison,
    Rules,
    SetComparison,
    Trial,
)
from service.core.scoring import LATENCIES, check_metrics
from service.core.statistics import BOOTSTRAP_LEAST

_WORST_FIRST: tuple[Outcome, ...] = ("not_comparable", "regression", "inconclusive", "pass")
_SHOWN = 5
"""Of what a rule found, how many are named."""


def gate(
    pair: PairComparison,
    trials: Sequence[Trial],
    expected: int,
    rules: Rules,
    *,
    primary: str,
    names: Mapping[str, str],
) -> GateResult:
    """Hold the second version of a pair against every rule.

    Args:
        pair: the two versions, compared.
        trials: of both, those that failed too.
        expected: how many trials there have to be of both together.
        rules: what is asked for beside the standing rules.
        primary: the metric that the comparison is about.
        names: of the document sets, by their ids.

    Raises:
        InvalidRequest: a margin is of no metric that is judged.
    """
    check_metrics(rules.margins)
    reasons = tuple(_reasons(pair, trials, expected, rules, primary=primary, names=names))
    worst = min((reason.outcome for reason in reasons), key=_WORST_FIRST.index)
    return GateResult(a=pair.a, b=pair.b, outcome=worst, reasons=reasons)


def _reasons(
    pair: PairComparison,
    trials: Sequence[Trial],
    expected: int,
    rules: Rules,
    *,
    primary: str,
    names: Mapping[str, str],
) -> Iterator[GateReason]:
    yield _rule(
        "comparable",
        [one.detail for one in pair.differences],
        "Same documents, model, parameters and pipeline.",
        otherwise="not_comparable",
    )
    yield _rule("trials", _failed(trials, expected, names), f"All {len(trials)} trials have a result.")
    if any(one.facts for one in pair.sets) or _has(pair, "must_recall"):
        lost = [
            f"{fact.id}: {fact.text.rstrip('.')}" for one in pair.sets for fact in one.facts if fact.covered_by == "a"
        ]
        yield _rule("reference_facts", lost, "No fact of a reference that was covered is lost.")
    unsupported = [f"{one.kind}: {one.detail}" for found in pair.sets for one in found.unsupported]
    yield _rule("unsupported", unsupported, "No new quote that stands nowhere, and no new number without support.")
    regressed = [_regressed(one, names) for one in pair.sets if "regressed" in one.tags]
    yield _rule("documents", regressed, "No document set lost a claim that matters.")
    contradicting = [
        f"{names.get(one.set, one.set)}: {one.counts.contradicts} of {pair.b} against {pair.a}"
        for one in pair.sets
        if one.counts.contradicts
    ]
    yield _rule("contradictions", contradicting, "No claim says the opposite of what the baseline says.")
    worse = [f"{row.name} {row.a:.3f} → {row.b:.3f}" for row in pair.metrics if row.verdict == "worse"]
    yield _rule("metrics", worse, _none_worse(pair))
    yield from _primary(pair, primary)
    for name, margin in rules.margins.items():
        yield _margin(pair, name, margin)
    yield from _budgets(pair, trials, rules)


def _none_worse(pair: PairComparison) -> str:
    """That no metric is worse; and where that could not have been shown, so much."""
    shown = {row.verdict for row in pair.metrics} - {None}
    if shown <= {"too_few_documents"}:
        most = max((row.n for row in pair.metrics), default=0)
        return f"No metric is worse, and {most} document set{'s' * (most != 1)} could not have shown that one is."
    return "No metric is worse by more than chance and noise."


def _primary(pair: PairComparison, primary: str) -> Iterator[GateReason]:
    """What the comparison is about has to have been measured."""
    if not _has(pair, primary):
        detail = f"{primary} is what the comparison is about, and no document set has it in both versions."
        yield GateReason(rule="primary_metric", outcome="inconclusive", detail=detail)


def _rule(name: str, found: Sequence[str], passed: str, *, otherwise: Outcome = "regression") -> GateReason:
    if not found:
        return GateReason(rule=name, outcome="pass", detail=passed)
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return GateReason(rule=name, outcome=otherwise, detail="; ".join(found[:_SHOWN]) + more)


def _failed(trials: Sequence[Trial], expected: int, names: Mapping[str, str]) -> list[str]:
    failed = [
        f"{trial.version} on {names.get(trial.set, trial.set)}: {trial.failure.title if trial.failure else 'no result'}"
        for trial in trials
        if trial.result is None
    ]
    missing = expected - len(trials)
    return failed + ([f"{missing} of {expected} trials are missing"] if missing > 0 else [])


def _has(pair: PairComparison, metric: str) -> bool:
    return any(row.name == metric and row.n for row in pair.metrics)


def _regressed(one: SetComparison, names: Mapping[str, str]) -> str:
    material = one.counts.lost_material
    facts = sum(fact.covered_by == "a" for fact in one.facts)
    found = [
        f"{number} {noun} lost"
        for number, noun in (
            (material, "claim that matters" if material == 1 else "claims that matter"),
            (facts, "reference fact" if facts == 1 else "reference facts"),
        )
        if number
    ]
    if one.unsupported:
        found.append(f"{len(one.unsupported)} unsupported")
    return f"{names.get(one.set, one.set)}: {', '.join(found)}"


def _margin(pair: PairComparison, name: str, margin: float) -> GateReason:
    """Non-inferiority: the whole interval has to lie on the better side of the margin."""
    row = next((row for row in pair.metrics if row.name == name), None)
    rule = f"margin {name}"
    if row is None or row.interval is None or row.n == 0:
        have = row.n if row else 0
        detail = f"An interval takes {BOOTSTRAP_LEAST} document sets with a value, and there are {have}."
        return GateReason(rule=rule, outcome="inconclusive", detail=detail)
    sign = 1.0 if row.direction == "higher" else -1.0
    worst, best = sorted((sign * row.interval.low, sign * row.interval.high))
    detail = (
        f"{name} changes by {row.delta:+.3f}, [{row.interval.low:+.3f}, {row.interval.high:+.3f}]; margin {margin:g}."
    )
    outcome: Outcome = "pass" if worst >= -margin else "regression" if best < -margin else "inconclusive"
    return GateReason(rule=rule, outcome=outcome, detail=detail)


def _budgets(pair: PairComparison, trials: Sequence[Trial], rules: Rules) -> Iterator[GateReason]:
    mine = [trial for trial in trials if trial.version == pair.b and trial.result is not None]
    results = [trial.result for trial in mine if trial.result is not None]
    latency = next((row.b for row in pair.metrics if row.name == max(LATENCIES)), None)
    for name, most, found in (
        ("words", rules.max_words, _mean(result.length.abstract_words for result in results)),
        ("cost", rules.max_cost, _mean(result.usage.cost for result in results)),
        ("latency_s", rules.max_latency_s, latency),
    ):
        if most is None:
            continue
        if found is None:
            detail = f"{name} was not measured; its budget is {most:g}."
            yield GateReason(rule=f"budget {name}", outcome="regression", detail=detail)
            continue
        outcome: Outcome = "pass" if found <= most else "regression"
        yield GateReason(rule=f"budget {name}", outcome=outcome, detail=f"{name} is {found:g}; its budget is {most:g}.")


def _mean(found: Iterable[float | None]) -> float | None:
    """The mean, where every one is known."""
    every = list(found)
    known = [one for one in every if one is not None]
    return fmean(known) if known and len(known) == len(every) else None


assert set(_WORST_FIRST) == set(get_args(Outcome))  # noqa: S101 - a new outcome needs its place
