"""Metrics are averaged within a document set, then over the sets; a pair says what the difference proves."""

import pytest
from making import point, summary, trials

from service.core import scoring
from service.core.comparison import MetricRow, Trial
from service.core.metrics import evaluate
from service.core.types import Dropped

SOUND = summary(point("k1", "The council will close the old bridge.", "voted on Tuesday to close the old bridge"))
DROP = Dropped(text="It fell.", reason="not_found", detail="The quote stands nowhere.")
BROKEN = summary(*SOUND.key_points, dropped=[DROP])


def measured(found: tuple[Trial, ...]) -> scoring.Values:
    """The metrics of one version's trials."""
    return scoring.values(found, {one.id: evaluate(one.result) for one in found if one.result})


def row(rows: tuple[MetricRow, ...], name: str) -> MetricRow:
    """The row of a metric."""
    return next(one for one in rows if one.name == name)


def test_repetitions_are_averaged_within_their_document_set() -> None:
    """One of two repetitions dropped one of two points: that set has 0.75, and counts once."""
    values = measured(trials({"news@1": [SOUND, BROKEN, SOUND, SOUND]}, repetitions=2))
    assert scoring.averaged(values["cited_points"]) == {"s1": 0.75, "s2": 1.0}


def test_document_sets_count_alike_whatever_they_hold() -> None:
    """The mean is over sets: one with two of two and one with one of two give 0.75, not three of four."""
    rows = scoring.rows(
        measured(trials({"news@1": [SOUND, SOUND]})),
        measured(trials({"news@2": [BROKEN, SOUND]})),
        primary="cited_points",
        noise={},
        comparable=True,
    )
    found = row(rows, "cited_points")
    assert (found.a, found.b, found.delta, found.n) == (1.0, 0.75, -0.25, 2)
    assert (found.wins, found.ties, found.losses) == (0, 1, 1)


def test_a_failed_trial_is_in_no_average() -> None:
    """Only sets that have a value in both versions are paired."""
    ours, theirs = trials({"news@1": [SOUND, SOUND]}), trials({"news@2": [None, BROKEN]})
    rows = scoring.rows(measured(ours), measured(theirs), primary="cited_points", noise={}, comparable=True)
    assert (row(rows, "cited_points").n, row(rows, "cited_points").delta) == (1, -0.5)


def test_three_documents_are_too_few_for_every_claim() -> None:
    """No metric that is judged says better or worse, however large the difference is."""
    rows = scoring.rows(
        measured(trials({"news@1": [SOUND] * 3})),
        measured(trials({"news@2": [BROKEN] * 3})),
        primary="cited_points",
        noise={},
        comparable=True,
    )
    assert {one.verdict for one in rows if one.name in scoring.JUDGED and one.n} == {"too_few_documents"}
    assert {one.verdict for one in rows if one.name not in scoring.JUDGED} == {None}


def test_twenty_documents_can_be_worse_and_have_an_interval() -> None:
    """Every one of them lost half of its points."""
    rows = scoring.rows(
        measured(trials({"news@1": [SOUND] * 20})),
        measured(trials({"news@2": [BROKEN] * 20})),
        primary="cited_points",
        noise={},
        comparable=True,
    )
    found = row(rows, "cited_points")
    assert found.verdict == "worse"
    assert found.interval is not None
    assert found.interval.high < 0
    assert found.p is not None
    assert found.p_holm is not None
    assert found.p <= found.p_holm < 0.05


def test_the_primary_metric_is_not_corrected_and_the_others_are() -> None:
    """Six documents can say something of what was named beforehand, and nothing of six metrics looked at together."""
    ours, theirs = measured(trials({"news@1": [SOUND] * 6})), measured(trials({"news@2": [BROKEN] * 6}))
    rows = scoring.rows(ours, theirs, primary="quote_validity", noise={}, comparable=True)
    assert (row(rows, "quote_validity").p_holm, row(rows, "quote_validity").verdict) == (0.03125, "worse")
    assert row(rows, "cited_points").p == 0.03125
    assert row(rows, "cited_points").verdict == "too_few_documents"


def test_a_delta_inside_the_noise_is_no_change() -> None:
    """What a version differs from itself by proves nothing of another."""
    ours, theirs = measured(trials({"news@1": [SOUND] * 20})), measured(trials({"news@2": [BROKEN] * 20}))
    rows = scoring.rows(ours, theirs, primary="cited_points", noise={"cited_points": 0.5}, comparable=True)
    assert row(rows, "cited_points").verdict == "no_detectable_change"
    assert row(rows, "cited_points").noise == 0.5


def test_what_cannot_be_compared_is_never_better_or_worse() -> None:
    """Numbers are shown all the same."""
    ours, theirs = measured(trials({"news@1": [SOUND] * 20})), measured(trials({"news@2": [BROKEN] * 20}))
    rows = scoring.rows(ours, theirs, primary="cited_points", noise={}, comparable=False)
    assert row(rows, "cited_points").verdict == "not_comparable"
    assert row(rows, "cited_points").delta == -0.5


def test_a_metric_that_nobody_has_is_neither_nought_nor_one() -> None:
    """Without a reference there is no recall."""
    rows = scoring.rows(
        measured(trials({"news@1": [SOUND]})),
        measured(trials({"news@2": [SOUND]})),
        primary="cited_points",
        noise={},
        comparable=True,
    )
    found = row(rows, "must_recall")
    assert (found.a, found.b, found.delta, found.n, found.verdict) == (None, None, None, 0, None)


def test_latency_is_told_by_quantiles_over_trials() -> None:
    """And not at all where nobody timed them."""
    timed = tuple(trials({"news@1": [SOUND] * 3}, wall_s=2.0))
    assert [(one.name, one.a, one.b) for one in scoring.latency_rows(timed, timed)] == [
        ("latency_p50", 2.0, 2.0),
        ("latency_p95", 2.0, 2.0),
    ]
    assert scoring.latency_rows(trials({"news@1": [SOUND]}), timed) == ()


def test_every_metric_has_a_name_of_its_own() -> None:
    """A row is found by it."""
    names = [spec.name for spec in scoring.SPECS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("asked_back", [0, 1])
def test_replies_asked_back_count_against_the_form(asked_back: int) -> None:
    """Of two first questions, one had to be asked again."""
    used = type(SOUND.usage)(calls=2 + asked_back, asked_back=asked_back)
    values = measured(trials({"news@1": [summary(*SOUND.key_points, usage=used)]}))
    assert values["schema_valid"][0]["s1"] == (0.5 if asked_back else 1.0)
