"""What differences prove: the same as scipy says, nothing from few documents, and nothing from what is no number."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from service.core import statistics
from service.core.comparison import Direction, Interval
from service.core.statistics import (
    ALPHA,
    BOOTSTRAP_LEAST,
    EXACT_MOST,
    FLIPS,
    LARGEST,
    RESAMPLES,
    WinLoss,
    bootstrap,
    holm,
    noise_floor,
    sign_flip,
    smallest_p,
    verdict,
    wilson,
    win_loss,
)

Draw = Callable[[np.random.Generator, int], Sequence[float]]

DELTAS = st.floats(-10, 10)
ANY = st.floats(-LARGEST, LARGEST)
SHARES = st.integers(-8, 8).map(lambda eighths: eighths / 8)
"""As few documents with few facts have them: many ties, and no rounding."""
DECIMALS = st.integers(-10, 10).map(lambda tenths: tenths / 10)
"""Whose sums are rounded, so that ties have to be found within a tolerance."""
BROKEN = (math.nan, math.inf, -math.inf, 1e101)


def alternating(count: int) -> list[float]:
    """So many deltas that cancel out nearly, with a mean above 0."""
    return [(-1) ** position * (position % 7 + 1) / 10 + 0.02 for position in range(count)]


def judged(
    deltas: Sequence[float],
    *,
    direction: Direction = "higher",
    interval: Interval | None = None,
    noise: float | None = None,
    p_holm: float | None = 0.03125,
) -> str:
    """The verdict on deltas, with a p that is small enough unless a test gives one."""
    return verdict(deltas=deltas, direction=direction, p_holm=p_holm, interval=interval, noise=noise)


# --- sign flips ------------------------------------------------------------------------------------------------------


def test_three_documents_prove_nothing() -> None:
    """All three better by far: 2 of the 8 assignments of signs are as extreme, so p is 0.25."""
    assert sign_flip([0.9, 0.8, 1.0]) == 0.25


def test_six_documents_are_the_fewest_that_prove_something() -> None:
    """All six better: 2 of 64, below 0.05; all five better: 2 of 32, above."""
    assert sign_flip([0.1, 0.2, 0.3, 0.1, 0.2, 0.3]) == 0.03125 < ALPHA
    assert sign_flip([0.1, 0.2, 0.3, 0.1, 0.2]) == 0.0625 > ALPHA


def test_the_smallest_p_halves_with_every_document() -> None:
    """1, 1/2, 1/4 ...; none and one alike prove nothing, and ten thousand do not overflow."""
    assert [smallest_p(documents) for documents in (0, 1, 2, 3, 4)] == [1, 1, 0.5, 0.25, 0.125]
    assert smallest_p(10_000) == 0


def test_signs_are_counted_as_by_hand() -> None:
    """Of ±3 ±2 ±1, the sums 4, 6, -4 and -6 are at least as far from 0 as 3 + 2 - 1: 4 of 8."""
    assert sign_flip([3, 2, -1]) == 0.5


@pytest.mark.parametrize("deltas", [[], [0.5], [0.0]])
def test_fewer_than_two_deltas_have_no_p(deltas: list[float]) -> None:
    """With one, p is 1 whatever it is: that says nothing of it."""
    assert sign_flip(deltas) is None


@pytest.mark.parametrize("count", [2, 6, 20, 21, 10_000])
def test_no_change_anywhere_has_a_p_of_one(count: int) -> None:
    """Deltas that are all 0, or nothing but rounding of either sign."""
    assert sign_flip([0.0] * count) == 1
    assert sign_flip([0.1 + 0.2 - 0.3] * count) == 1


def test_an_unchanged_document_makes_no_p_smaller() -> None:
    """0 stays 0 under either sign, so that six documents with a tie have the p of the other five."""
    assert sign_flip([0.1, 0.2, 0.3, 0.1, 0.2, 0.0]) == sign_flip([0.1, 0.2, 0.3, 0.1, 0.2]) == 0.0625


@given(st.lists(st.one_of(SHARES, DECIMALS, st.integers(-100, 100)), min_size=2, max_size=11))
def test_p_is_what_scipy_says(deltas: list[float]) -> None:
    """Exactly, ties by rounding among them."""
    oracle = stats.permutation_test(
        (np.array(deltas),), lambda signed: np.round(np.mean(signed), 12), permutation_type="samples", n_resamples=1e6
    )
    assert sign_flip(deltas) == pytest.approx(float(oracle.pvalue), abs=1e-12)


def test_sums_that_differ_by_rounding_alone_are_ties() -> None:
    """0.1 + 0.2 - 0.3 is 5.6e-17 in floating point and 0 in truth: every assignment is as extreme."""
    assert sign_flip([0.1, 0.2, -0.3]) == 1
    assert sign_flip([0.7, 0.1, -0.8, 0.3, -0.1, -0.2]) == 1


@pytest.mark.parametrize("count", [EXACT_MOST + 1, EXACT_MOST + 2])
def test_what_is_drawn_agrees_with_what_is_counted(count: int) -> None:
    """Just beyond where all are counted: within four standard errors of the exact p."""
    deltas = alternating(count)
    sums = statistics._signed(np.abs(np.array(deltas)))
    exact = float(np.mean(np.abs(sums) >= abs(math.fsum(deltas)) - 1e-9))
    drawn = sign_flip(deltas)
    assert 0.1 < exact < 0.9
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / FLIPS))
    assert drawn != exact


def test_what_is_drawn_agrees_with_scipy_far_out() -> None:
    """40 deltas with a p near 0.016, where it matters."""
    deltas = np.array([position % 9 / 10 - 0.27 for position in range(40)])
    oracle = stats.permutation_test(
        (deltas,), np.mean, permutation_type="samples", n_resamples=100_000, vectorized=True, rng=5
    )
    assert 0.01 < oracle.pvalue < 0.02
    assert sign_flip(deltas.tolist()) == pytest.approx(float(oracle.pvalue), rel=0.1)


def test_a_p_that_is_drawn_is_never_zero() -> None:
    """None of the assignments that are drawn is as extreme, and p is 1 in FLIPS + 1."""
    assert sign_flip([1.0] * 60) == 1 / (1 + FLIPS)


def test_what_is_drawn_is_pinned() -> None:
    """The same on every machine and with every version of numpy, as it is made of raw bits."""
    assert sign_flip(alternating(30)) == 0.84424


def test_ten_thousand_deltas_have_a_p_and_an_interval() -> None:
    """Of a size that no comparison reaches."""
    deltas = alternating(10_000)
    p, interval = sign_flip(deltas), bootstrap(deltas)
    assert p is not None
    assert interval is not None
    assert 0 < p < ALPHA
    assert 0 < interval.low < 0.02 < interval.high


@given(st.lists(ANY, min_size=2, max_size=12))
def test_p_is_a_probability_and_no_smaller_than_it_can_be(deltas: list[float]) -> None:
    """Whatever the deltas are: above 0, at most 1, at least 2 of all assignments of signs of those that differ."""
    p = sign_flip(deltas)
    assert p is not None
    assert smallest_p(len(deltas)) <= smallest_p(win_loss(deltas, "higher").wins + win_loss(deltas, "lower").wins) <= p
    assert 0 < p <= 1


@given(st.data(), st.lists(DELTAS, min_size=2, max_size=EXACT_MOST + 4))
def test_neither_order_nor_side_changes_p(data: st.DataObject, deltas: list[float]) -> None:
    """Documents come in any order, and B against A is as surprising as A against B."""
    p = sign_flip(deltas)
    assert sign_flip(data.draw(st.permutations(deltas))) == p
    assert sign_flip([-delta for delta in deltas]) == p
    assert sign_flip(deltas) == p


def test_small_deltas_beside_a_huge_one_do_not_make_p_smaller() -> None:
    """What is lost in rounding counts as a tie, which is the careful side."""
    assert sign_flip([1e100, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == 1


# --- intervals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 3, BOOTSTRAP_LEAST - 1])
def test_few_documents_have_no_interval(count: int) -> None:
    """Below 20 it would be wrong more often than it says."""
    assert bootstrap(alternating(count)) is None


def _normal(rng: np.random.Generator, count: int) -> Sequence[float]:
    return list(map(float, rng.normal(size=count)))


def _sparse(rng: np.random.Generator, count: int) -> Sequence[float]:
    return list(map(float, (rng.random(count) < 0.2) * rng.normal(size=count)))


def _sparse_up(rng: np.random.Generator, count: int) -> Sequence[float]:
    return list(map(float, (rng.random(count) < 0.2) * rng.random(count)))


@pytest.mark.parametrize(
    ("count", "draw", "mean", "said"),
    [
        (3, _normal, 0.0, 0.75),
        (3, _sparse_up, 0.1, 0.43),
        (6, _normal, 0.0, 0.855),
        (20, _normal, 0.0, 0.92),
        (20, _sparse, 0.0, 0.94),
        (20, _sparse_up, 0.1, 0.88),
        (50, _normal, 0.0, 0.94),
    ],
)
def test_the_interval_misses_about_as_often_as_is_said(count: int, draw: Draw, mean: float, said: float) -> None:
    """How often a 95% interval holds the mean, over 400 samples from a fixed seed.

    Over 4,000 samples: 0.75 (normal) and 0.43 (four of five unchanged, the fifth better) of 3 deltas, 0.855 (normal) of
    6; of 20, 0.92 (normal), 0.94 (four of five unchanged, the fifth either way) and 0.88 (the fifth better); 0.94
    (normal) of 50. That is why there is none below 20. 400 samples come within 0.045 of these.
    """
    rng = np.random.default_rng(count)
    found = [statistics._percentile(draw(rng, count), 0.95) for _ in range(400)]
    assert np.mean([one.low - 1e-9 <= mean <= one.high + 1e-9 for one in found]) == pytest.approx(said, abs=0.045)


def test_bca_is_wrong_where_most_documents_do_not_change() -> None:
    """Why the interval is none: over 200 samples of 20 deltas, four of five 0, it misses a mean of 0 twice as often."""
    rng = np.random.default_rng(20)
    missed = {"BCa": 0, "percentile": 0}
    for _ in range(200):
        deltas = np.array(_sparse(rng, 20))
        if np.ptp(deltas) == 0:
            continue
        for method in missed:
            end = stats.bootstrap((deltas,), np.mean, method=method, n_resamples=999, rng=1).confidence_interval
            missed[method] += not end.low <= 0 <= end.high
    assert missed["BCa"] > 2 * missed["percentile"]


@pytest.mark.parametrize("count", [20, 21, 60, 300])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_the_interval_is_what_scipy_says(count: int, level: float) -> None:
    """Ends within a fifth of the standard error of the mean: both are drawn."""
    deltas = [float(delta) for delta in np.random.default_rng(count).gamma(2.0, size=count) - 1]
    found = bootstrap(deltas, level)
    oracle = stats.bootstrap(
        (np.array(deltas),), np.mean, method="percentile", confidence_level=level, n_resamples=RESAMPLES, rng=7
    ).confidence_interval
    near = 0.2 * float(np.std(deltas)) / math.sqrt(count)
    assert found is not None
    assert found.level == level
    assert (found.low, found.high) == pytest.approx((float(oracle.low), float(oracle.high)), abs=near)


@pytest.mark.parametrize("delta", [0.0, 0.1, -1 / 3, 1e100])
@pytest.mark.parametrize("count", [20, 1000])
def test_deltas_that_are_all_the_same_give_a_point(count: int, delta: float) -> None:
    """There is nothing to resample, and nothing that warns."""
    found = bootstrap([delta] * count)
    assert found is not None
    assert found.low == found.high == pytest.approx(delta, rel=1e-15)


def test_the_interval_is_pinned() -> None:
    """The same on every machine and with every version of numpy, as it is made of raw bits."""
    found = bootstrap(alternating(30))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-0.4 / 3, 0.52 / 3), abs=1e-12)


@given(st.data(), st.lists(ANY, min_size=20, max_size=40))
def test_neither_order_nor_side_changes_the_interval(data: st.DataObject, deltas: list[float]) -> None:
    """Any order gives the same, the other side gives the mirror image; the ends are in order and within the deltas."""
    found = bootstrap(deltas)
    assert found is not None
    assert bootstrap(data.draw(st.permutations(deltas))) == found
    assert bootstrap([-delta for delta in deltas]) == Interval(low=-found.high, high=-found.low)
    slack = 1e-9 + 1e-12 * max(map(abs, deltas))
    assert min(deltas) - slack <= found.low <= found.high <= max(deltas) + slack


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 3), (3, 3), (2, 3), (5, 6), (13, 20), (999, 1000)]
)
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_wilson_is_what_scipy_says(successes: int, trials: int, level: float) -> None:
    """For none, some and all, and at several levels."""
    found = wilson(successes, trials, level)
    oracle = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert found is not None
    assert (found.low, found.high, found.level) == pytest.approx((oracle.low, oracle.high, level), abs=1e-12)


def test_no_trials_have_no_interval() -> None:
    """Ties only: there is no share of wins."""
    assert wilson(0, 0) is None


def test_three_wins_of_three_may_be_less_than_half() -> None:
    """The interval goes down to 0.44."""
    found = wilson(3, 3)
    assert found is not None
    assert (round(found.low, 2), found.high) == (0.44, 1.0)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.001, 0.999_999))
def test_wilson_lies_within_0_and_1_and_around_the_share(some: int, more: int, level: float) -> None:
    """However few or many trials there are."""
    found = wilson(some, some + more, level)
    if found is None:
        assert some + more == 0
    else:
        assert 0 <= found.low <= some / (some + more) <= found.high <= 1


@pytest.mark.parametrize("trials", [2, 3, 6, 9, 10, 18])
def test_none_and_all_end_at_0_and_1_exactly(trials: int) -> None:
    """Where the formula is over by a rounding for some of these."""
    none, every = wilson(0, trials, 0.5), wilson(trials, trials, 0.5)
    assert none is not None
    assert every is not None
    assert (none.low, every.high) == (0, 1)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (1, 0), (0, -1)])
def test_what_is_no_share_is_refused(successes: int, trials: int) -> None:
    """Fewer than none, more than all."""
    with pytest.raises(ValueError, match="is no share"):
        wilson(successes, trials)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, math.nan])
def test_what_is_no_level_is_refused(level: float) -> None:
    """95 among them, where 0.95 is meant; whether or not there is enough for an interval."""
    with pytest.raises(ValueError, match="no level of confidence"):
        bootstrap([], level)
    with pytest.raises(ValueError, match="no level of confidence"):
        wilson(0, 0, level)


# --- several metrics -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ps", "corrected"),
    [
        ({}, {}),
        ({"a": 0.25}, {"a": 0.25}),
        # 3 x 0.01, 2 x 0.02, 1 x 0.03, which would be smaller than the one before it.
        ({"a": 0.01, "b": 0.02, "c": 0.03}, {"a": 0.03, "b": 0.04, "c": 0.04}),
        # Given out of order: 4 x 0.005, 3 x 0.01, 2 x 0.03, then 0.04, which rises to 0.06.
        ({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}, {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}),
        # Ties share what the first of them gets.
        ({"a": 0.25, "b": 0.25}, {"a": 0.5, "b": 0.5}),
        ({"a": 0.75, "b": 0.5, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}),
        ({"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0}),
    ],
)
def test_holm_is_as_worked_by_hand(ps: dict[str, float], corrected: dict[str, float]) -> None:
    """The smallest times how many there are, the next times one fewer, never falling, at most 1, in the order given."""
    found = holm(ps)
    assert found == pytest.approx(corrected)
    assert list(found) == list(ps)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=12))
def test_holm_never_makes_a_p_smaller_and_keeps_the_order(ps: dict[str, float]) -> None:
    """At least the p itself, at most Bonferroni's, and of two the smaller one stays the smaller."""
    found = holm(ps)
    assert all(ps[name] <= found[name] <= min(1, len(ps) * ps[name]) for name in ps)
    assert all(found[one] <= found[other] for one, other in itertools.permutations(ps, 2) if ps[one] <= ps[other])


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf])
def test_what_is_no_p_is_refused(p: float) -> None:
    """By Holm and by the verdict."""
    with pytest.raises(ValueError, match="is not a p"):
        holm({"a": 0.5, "b": p})
    with pytest.raises(ValueError, match="is not a p"):
        judged([0.1] * 6, p_holm=p)


# --- a version against itself ----------------------------------------------------------------------------------------


def test_the_noise_is_the_largest_mean_delta_between_two_repetitions() -> None:
    """Means of 0.5, 0.75 and 0.375: the last two are farthest apart, whichever way."""
    runs = {0: {"s1": 0.5, "s2": 0.5}, 1: {"s1": 1.0, "s2": 0.5}, 2: {"s1": 0.25, "s2": 0.5}}
    assert noise_floor(runs) == 0.375
    assert noise_floor(dict(reversed(runs.items()))) == 0.375


def test_the_noise_is_over_the_documents_that_both_repetitions_have() -> None:
    """s2 failed once, and s3 the other time: only s1 tells."""
    assert noise_floor({0: {"s1": 0.5, "s2": 9.0}, 1: {"s1": 0.75, "s3": -9.0}}) == 0.25


def test_opposite_noise_of_documents_cancels_out_as_it_does_in_a_delta() -> None:
    """What is compared with the floor is a mean too."""
    assert noise_floor({0: {"s1": 0.0, "s2": 1.0}, 1: {"s1": 1.0, "s2": 0.0}}) == 0


@pytest.mark.parametrize(
    "runs", [{}, {0: {"s1": 0.5}}, {0: {}, 1: {}}, {0: {"s1": 0.5}, 1: {"s2": 0.5}}, {0: {"s1": 0.5}, 1: {}}]
)
def test_noise_that_was_not_measured_is_none_and_not_zero(runs: dict[int, dict[str, float]]) -> None:
    """One repetition, or two with nothing in common."""
    assert noise_floor(runs) is None


def test_repetitions_that_agree_have_no_noise() -> None:
    """A model at temperature 0 may well do that."""
    assert noise_floor({0: {"s1": 0.5}, 1: {"s1": 0.5}, 7: {"s1": 0.5}}) == 0


# --- wins and losses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("higher", WinLoss(2, 3, 1)), ("lower", WinLoss(1, 3, 2)), ("context", WinLoss(2, 3, 1))],
)
def test_wins_follow_the_direction_and_rounding_is_a_tie(direction: Direction, expected: WinLoss) -> None:
    """Two higher, one lower, three alike but for rounding; of what is context, higher counts as a win."""
    assert win_loss([0.5, 0.25, -0.5, 0.0, 0.1 + 0.2 - 0.3, 0.3 - 0.1 - 0.2], direction) == expected


def test_no_documents_have_neither_wins_nor_losses() -> None:
    """Nothing to count."""
    assert win_loss([], "higher") == (0, 0, 0)


@given(st.lists(ANY, max_size=30))
def test_every_document_is_won_tied_or_lost(deltas: list[float]) -> None:
    """Once each, and the other direction swaps wins and losses."""
    found = win_loss(deltas, "higher")
    assert sum(found) == len(deltas)
    assert win_loss(deltas, "lower") == WinLoss(found.losses, found.ties, found.wins)


# --- verdicts --------------------------------------------------------------------------------------------------------


def test_higher_on_six_documents_is_better() -> None:
    """Where higher is better."""
    assert judged([0.25] * 6, direction="higher") == "better"


def test_higher_on_six_documents_is_worse_where_lower_is_better() -> None:
    """Such as hedges that were dropped."""
    assert judged([0.25] * 6, direction="lower") == "worse"


def test_lower_on_six_documents_is_worse_or_better_by_direction() -> None:
    """The other way round."""
    assert judged([-0.25] * 6, direction="higher") == "worse"
    assert judged([-0.25] * 6, direction="lower") == "better"


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_five_documents_are_too_few_for_any_verdict(count: int) -> None:
    """Even where every one of them is better by far."""
    assert judged([1.0] * count, p_holm=0.001) == "too_few_documents"


def test_a_delta_inside_the_noise_is_no_change() -> None:
    """A version differs from itself by as much: 0.25 against 0.25, and against 0.2499 it is a change."""
    assert judged([0.25] * 6, noise=0.25) == "no_detectable_change"
    assert judged([0.25] * 6, noise=0.2499) == "better"


def test_a_delta_at_the_noise_but_for_rounding_is_no_change() -> None:
    """0.1 + 0.2 is above 0.3 in floating point only."""
    assert judged([0.1 + 0.2] * 6, noise=0.3) == "no_detectable_change"


def test_noise_that_was_not_measured_or_is_zero_stands_in_no_ones_way() -> None:
    """The report says `unmeasured`; the verdict rests on p."""
    assert judged([0.25] * 6, noise=None) == judged([0.25] * 6, noise=0.0) == "better"


def test_a_p_that_is_not_below_alpha_is_no_change() -> None:
    """0.05 itself is not below, and no p at all proves nothing."""
    assert judged([0.25] * 6, p_holm=0.05) == "no_detectable_change"
    assert judged([0.25] * 6, p_holm=0.0499) == "better"
    assert judged([0.25] * 6, p_holm=None) == "no_detectable_change"


def test_an_interval_that_holds_zero_is_no_change() -> None:
    """At its very end too, and whichever side it leans to."""
    deltas = [0.25] * 20
    assert judged(deltas, interval=Interval(low=-0.01, high=0.5)) == "no_detectable_change"
    assert judged(deltas, interval=Interval(low=0.0, high=0.5)) == "no_detectable_change"
    assert judged(deltas, interval=Interval(low=0.01, high=0.5)) == "better"
    assert judged(deltas, direction="lower", interval=Interval(low=0.01, high=0.5)) == "worse"
    assert judged([-0.25] * 20, interval=Interval(low=-0.5, high=0.0)) == "no_detectable_change"
    assert judged([-0.25] * 20, interval=Interval(low=-0.5, high=-0.01)) == "worse"


def test_unchanged_documents_are_documents() -> None:
    """Six, of which one is unchanged, are not too few: but p is 0.0625, and nothing is proved."""
    deltas = [0.25, 0.25, 0.25, 0.25, 0.25, 0.0]
    assert judged(deltas, p_holm=sign_flip(deltas)) == "no_detectable_change"
    assert judged([0.0] * 6, p_holm=sign_flip([0.0] * 6)) == "no_detectable_change"


def test_a_mean_of_rounding_alone_is_no_change() -> None:
    """Whatever p somebody gives."""
    assert judged([0.1 + 0.2 - 0.3] * 6, p_holm=0.0) == "no_detectable_change"


def test_of_context_there_is_no_verdict() -> None:
    """More words are neither better nor worse."""
    with pytest.raises(ValueError, match="neither way is better"):
        judged([0.25] * 6, direction="context")


def test_a_negative_noise_is_refused() -> None:
    """It would let every delta through."""
    with pytest.raises(ValueError, match="is negative"):
        judged([0.25] * 6, noise=-0.1)


@given(
    st.lists(ANY, max_size=5),
    st.sampled_from(["higher", "lower"]),
    st.one_of(st.none(), st.floats(0, 1)),
    st.one_of(st.none(), st.builds(Interval, low=ANY, high=ANY)),
    st.one_of(st.none(), st.floats(0, LARGEST)),
)
def test_few_documents_never_have_a_better_or_a_worse(
    deltas: list[float], direction: Direction, p_holm: float | None, interval: Interval | None, noise: float | None
) -> None:
    """Whatever the other numbers say."""
    assert judged(deltas, direction=direction, p_holm=p_holm, interval=interval, noise=noise) == "too_few_documents"


@given(st.lists(SHARES, min_size=6, max_size=24), st.sampled_from([None, 0.0, 0.125]))
def test_the_other_side_and_the_other_direction_turn_the_verdict(deltas: list[float], noise: float | None) -> None:
    """A is worse than B where B is better than A, by the numbers of this module from end to end."""

    def found(values: list[float], direction: Direction) -> str:
        return judged(values, direction=direction, p_holm=sign_flip(values), interval=bootstrap(values), noise=noise)

    turned = {"better": "worse", "worse": "better"}
    one = found(deltas, "higher")
    assert found([-delta for delta in deltas], "higher") == turned.get(one, one)
    assert found(deltas, "lower") == turned.get(one, one)


# --- what is no number -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("count", [0, 5, 30])
def test_what_is_no_number_is_refused(broken: float, count: int) -> None:
    """Not a number, infinite, or too large to add up: by each function, however many others there are."""
    deltas = [0.5] * count + [broken]
    calls: list[Callable[[], object]] = [
        lambda: sign_flip(deltas),
        lambda: bootstrap(deltas),
        lambda: win_loss(deltas, "higher"),
        lambda: noise_floor({0: {"s1": broken}}),
        lambda: judged(deltas),
        lambda: judged([0.5] * 6, noise=broken),
        lambda: judged([0.5] * 6, interval=Interval(low=0.1, high=broken)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="not a number to calculate with"):
            call()


def test_the_largest_values_are_calculated_with() -> None:
    """No overflow, no warning, at the very bound."""
    deltas = [LARGEST] * 30 + [-LARGEST] * 10
    found = bootstrap(deltas)
    assert found is not None
    assert 0 < found.low < LARGEST / 2 < found.high < LARGEST
    assert (sign_flip(deltas) or 1) < ALPHA
    assert noise_floor({0: {"s1": LARGEST}, 1: {"s1": 0.0}}) == LARGEST


def test_more_metrics_looked_at_together_need_more_documents() -> None:
    """Of ten, the smallest corrected p of eight documents is 0.08, and of nine 0.04."""
    for documents, expected in ((8, "too_few_documents"), (9, "better")):
        p = 10 * smallest_p(documents)
        found = verdict(deltas=[0.5] * documents, direction="higher", p_holm=p, interval=None, noise=None, family=10)
        assert found == expected
