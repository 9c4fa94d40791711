"""The gate: which rules there are, how each comes out, and that it fails closed."""

import pytest
from making import summary, trials
from msgspec.structs import replace

from service.core.comparison import (
    Difference,
    FactChange,
    GateResult,
    Interval,
    LedgerCounts,
    MetricRow,
    Outcome,
    PairComparison,
    Rules,
    SetComparison,
    Trial,
    Unsupported,
)
from service.core.errors import InvalidRequest
from service.core.gate import gate

RESULT = summary()
BOTH = trials({"news@1": [RESULT] * 3, "news@2": [RESULT] * 3}, wall_s=2.0)
FINE = SetComparison(set="s1", a="t1", b="t4")


def row(name: str = "must_recall", *, n: int = 3, **fields: object) -> MetricRow:
    """A metric of two versions."""
    made: dict[str, object] = {"direction": "higher", "unit": "share", "a": 0.9, "b": 0.9, "delta": 0.0, **fields}
    return MetricRow(name=name, n=n, **made)  # type: ignore[arg-type]


def pair(
    *sets: SetComparison, metrics: tuple[MetricRow, ...] = (row("cited_points"),), **fields: object
) -> PairComparison:
    """news@2 against news@1."""
    made: dict[str, object] = {
        "sentence": "",
        "verdict": "too_few_documents",
        "differences": (),
        "notes": (),
        "counts": LedgerCounts(),
        **fields,
    }
    return PairComparison(a="news@1", b="news@2", metrics=metrics, sets=sets or (FINE,), **made)  # type: ignore[arg-type]


def held(
    one: PairComparison, found: tuple[Trial, ...] = BOTH, rules: Rules | None = None, expected: int = 6
) -> GateResult:
    """The gate over a pair."""
    return gate(one, found, expected, rules or Rules(), primary="cited_points", names={"s2": "bridge.txt"})


def outcome(result: GateResult, rule: str) -> Outcome:
    """How one rule came out."""
    return next(reason.outcome for reason in result.reasons if reason.rule == rule)


def test_three_documents_without_a_regression_pass() -> None:
    """Too few documents for a claim is no reason to refuse a version that lost nothing."""
    assert held(pair()).outcome == "pass"


def test_a_document_set_that_lost_a_claim_that_matters_is_a_regression() -> None:
    """However few documents there are, and the reason names the set."""
    lost = SetComparison(set="s2", a="t2", b="t5", counts=LedgerCounts(lost=1, lost_material=1), tags=("regressed",))
    found = held(pair(FINE, lost))
    assert found.outcome == "regression"
    assert "bridge.txt: 1 claim that matters lost" in next(
        one.detail for one in found.reasons if one.rule == "documents"
    )


def test_lost_filler_is_no_regression() -> None:
    """A claim that weighs little may go."""
    lost = SetComparison(set="s2", a="t2", b="t5", counts=LedgerCounts(lost=4), tags=("different",))
    assert held(pair(lost)).outcome == "pass"


def test_a_lost_reference_fact_is_a_regression() -> None:
    """Any that the baseline covers and the candidate does not; one that was gained is none."""
    fact = FactChange(id="f1", text="The bridge closes.", importance="should", covered_by="a")
    lost = SetComparison(set="s1", a="t1", b="t4", facts=(fact,))
    gained = SetComparison(set="s1", a="t1", b="t4", facts=(replace(fact, covered_by="b"),))
    assert outcome(held(pair(lost)), "reference_facts") == "regression"
    assert outcome(held(pair(gained)), "reference_facts") == "pass"


@pytest.mark.parametrize("kind", ["quote", "number"])
def test_a_new_invalid_quote_or_unsupported_number_is_a_regression(kind: str) -> None:
    """One is enough."""
    found = Unsupported(kind=kind, text="It costs 430 million.", detail="not found")  # type: ignore[arg-type]
    assert (
        outcome(held(pair(SetComparison(set="s1", a="t1", b="t4", unsupported=(found,)))), "unsupported")
        == "regression"
    )


def test_a_claim_that_says_the_opposite_is_a_regression() -> None:
    """However many are the same."""
    one = SetComparison(set="s2", a="t2", b="t5", counts=LedgerCounts(same=9, contradicts=1), tags=("different",))
    found = held(pair(FINE, one))
    assert outcome(found, "contradictions") == "regression"


def test_a_worse_metric_is_a_regression() -> None:
    """One that is beyond chance and noise."""
    assert outcome(held(pair(metrics=(row("hedge_drop", verdict="worse"),))), "metrics") == "regression"


def test_failed_and_missing_trials_fail_closed() -> None:
    """What was not measured is never a pass."""
    failed = trials({"news@1": [RESULT] * 3, "news@2": [RESULT, None, RESULT]})
    assert outcome(held(pair(), failed), "trials") == "regression"
    assert outcome(held(pair(), BOTH[:5]), "trials") == "regression"
    assert "1 of 6 trials are missing" in held(pair(), BOTH[:5]).reasons[1].detail


def test_what_cannot_be_compared_is_neither_pass_nor_regression() -> None:
    """Whatever else was found, the difference is what is told first."""
    other = (Difference(code="model", detail="Model that answered: a in news@1, b in news@2."),)
    lost = SetComparison(set="s2", a="t2", b="t5", tags=("regressed",))
    assert held(pair(lost, differences=other)).outcome == "not_comparable"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.02, 0.10, "pass"), (-0.08, 0.10, "inconclusive"), (-0.30, -0.10, "regression")],
)
def test_a_margin_is_held_by_the_whole_interval(low: float, high: float, expected: Outcome) -> None:
    """May be at most 0.05 worse: surely not, perhaps, surely."""
    rules = Rules(margins={"must_recall": 0.05})
    found = held(pair(metrics=(row(n=25, delta=(low + high) / 2, interval=Interval(low=low, high=high)),)), rules=rules)
    assert outcome(found, "margin must_recall") == expected


def test_a_margin_of_what_should_be_low_looks_the_other_way() -> None:
    """A hedge drop that rises by more than the margin is a regression, one that falls is none."""
    rules = Rules(margins={"hedge_drop": 0.05})
    for low, high, expected in ((0.1, 0.3, "regression"), (-0.3, -0.1, "pass")):
        metric = row("hedge_drop", n=25, direction="lower", delta=low, interval=Interval(low=low, high=high))
        assert outcome(held(pair(metrics=(metric,)), rules=rules), "margin hedge_drop") == expected


def test_a_margin_without_enough_documents_is_inconclusive() -> None:
    """An interval of three documents would be wrong one time in four."""
    found = held(pair(metrics=(row(n=3),)), rules=Rules(margins={"must_recall": 0.05}))
    assert found.outcome == "inconclusive"


def test_a_margin_of_an_unknown_metric_is_refused() -> None:
    """It would otherwise look like a gate that passes."""
    with pytest.raises(InvalidRequest, match="must_recal'"):
        held(pair(), rules=Rules(margins={"must_recal": 0.05}))


@pytest.mark.parametrize(
    ("rules", "rule", "expected"),
    [
        (Rules(max_words=20), "budget words", "pass"),
        (Rules(max_words=19), "budget words", "regression"),
        (Rules(max_cost=1.0), "budget cost", "regression"),
        (Rules(max_latency_s=3.0), "budget latency_s", "pass"),
        (Rules(max_latency_s=1.0), "budget latency_s", "regression"),
    ],
)
def test_budgets_are_held_and_what_nobody_measured_is_over(rules: Rules, rule: str, expected: Outcome) -> None:
    """The summaries have 20 words and took 2 s; what they cost is not known, so no bound on it is kept."""
    slow = row("latency_p95", direction="context", unit="seconds", a=2.0, b=2.0)
    assert outcome(held(pair(metrics=(row("cited_points"), slow)), rules=rules), rule) == expected


def test_a_primary_metric_that_was_not_measured_is_inconclusive() -> None:
    """What the comparison is about has no value: that is no pass."""
    found = held(pair(metrics=(row("must_recall"), row("cited_points", n=0, a=None, b=None, delta=None))))
    assert (found.outcome, outcome(found, "primary_metric")) == ("inconclusive", "inconclusive")


def test_a_pass_over_few_documents_says_what_they_could_not_show() -> None:
    """That no metric is worse proves nothing where none could have been."""
    found = held(pair(metrics=(row("cited_points", verdict="too_few_documents"),)))
    assert "3 document sets could not have shown" in next(one.detail for one in found.reasons if one.rule == "metrics")


def test_every_rule_that_was_held_is_listed() -> None:
    """Those that passed too, so that a reader sees what was looked at."""
    rules = [reason.rule for reason in held(pair(), rules=Rules(max_words=20)).reasons]
    assert rules == ["comparable", "trials", "unsupported", "documents", "contradictions", "metrics", "budget words"]
