"""What differences between two versions prove, pair by pair of document, and honest about few documents.

A delta is the second version's value minus the first's, of one document set, repetitions averaged. Nothing here is left
to chance: what is drawn is drawn from a fixed seed, over the deltas in order of size. So the same deltas give the same
numbers, in whatever order they come, on every machine, and with every version of numpy.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import fsum, isfinite, ldexp, sqrt
from statistics import NormalDist, fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.comparison import Direction, Interval, PairVerdict

ALPHA = 0.05
"""A p below it, after Holm, is a change."""
LEVEL = 0.95
"""Of confidence intervals."""
TIE = 1e-9
"""A delta of at most this much, in whatever unit, is none: sums of shares differ by 1e-16 for the order they are in."""
LARGEST = 1e100
"""Larger values are refused, so that no sum is ever infinite."""
EXACT_MOST = 20
"""Documents that differ: up to here every assignment of signs is counted, 2**19 of them; beyond, some are drawn."""
FLIPS = 49_999
"""Assignments of signs that are drawn: a p of 0.05 then has a standard error of 0.001, and no p is below 0.00002."""
BOOTSTRAP_LEAST = 20
"""Fewer deltas have no interval, as it would promise too much. Where deltas are normal, a nominal 95% interval of 3
misses the mean one time in four, of 6 one time in seven, of 20 one time in 12, of 50 one time in 17. Where four
documents of five do not change and the fifth gets better, it is more than half of the time for 3 and one time in eight
for 20. Over 4,000 samples each; `test_the_interval_misses_about_as_often_as_is_said` repeats it with fewer."""
RESAMPLES = 4_999
"""That an interval is read off: its ends then have a standard error of 4% of the mean's own."""

_SEED = 20_250_101
_ROUNDING = 1e-12
"""Of the sum of all sizes: two sums of signed deltas that differ by less are one, added up in another order."""
_TABLED = 8
"""Deltas whose signs one random byte decides."""

Values = NDArray[np.float64]


class WinLoss(NamedTuple):
    """On how many documents the second version is better, alike, worse."""

    wins: int
    ties: int
    losses: int


def smallest_p(documents: int) -> float:
    """The smallest two-sided p that a sign-flip test over so many documents can have: all deltas of one sign.

    >>> [smallest_p(documents) for documents in (1, 3, 5, 6)]
    [1.0, 0.25, 0.0625, 0.03125]
    """
    return ldexp(1.0, 1 - max(documents, 1))


def sign_flip(deltas: Sequence[float]) -> float | None:
    """Two-sided p of the mean delta: how many assignments of signs have a mean at least as far from 0.

    It assumes only that a document's delta could as well have had the other sign if the versions did not differ. Exact
    up to EXACT_MOST deltas other than 0; beyond, (1 + hits) / (1 + FLIPS) of assignments drawn. A delta of 0 stays 0
    under either sign: it makes no p smaller. None for fewer than two deltas: with one, p is 1 whatever it is.

    Fisher, The Design of Experiments, 1935, section 21; Pitman, JRSS supplement 4, 1937. The correction of drawn
    assignments is that of Phipson and Smyth, 2010.

    Raises:
        ValueError: a delta is not finite, or beyond LARGEST.

    >>> sign_flip([0.1, 0.2, 0.3]), sign_flip([0.1, 0.2, -0.3]), sign_flip([0.0, 0.0])
    (0.25, 1.0, 1.0)
    """
    _refuse(deltas)
    if len(deltas) < 2:  # noqa: PLR2004 - a pair
        return None
    differing = [delta for delta in deltas if abs(delta) > TIE]
    if not differing:
        return 1.0
    sizes = np.sort(np.abs(np.array(differing, np.float64)))
    least = abs(fsum(differing)) - _ROUNDING * fsum(sizes)
    if len(sizes) <= EXACT_MOST:
        # The other half of the assignments, the first sign turned, mirrors this one.
        means = _signed(sizes[1:]) + sizes[0]
        return float(np.mean(np.abs(means) >= least))
    hits = int(np.count_nonzero(np.abs(_drawn_signs(sizes)) >= least))
    return (1 + hits) / (1 + FLIPS)


def _signed(sizes: Values) -> Values:
    """The sums under every assignment of signs, shape (2 ** len(sizes),)."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate((sums + size, sums - size))
    return sums


def _drawn_signs(sizes: Values) -> Values:
    """The sums under signs that are drawn, shape (FLIPS,). Raw bits, which are alike under every version of numpy."""
    bits = np.random.PCG64(_SEED)
    sums = np.zeros(FLIPS)
    for start in range(0, len(sizes), _TABLED):
        table = _signed(sizes[start : start + _TABLED])
        drawn = bits.random_raw(-(-FLIPS // 8)).astype("<u8").view(np.uint8)[:FLIPS]
        sums += table[drawn & np.uint8(len(table) - 1)]
    return sums


def bootstrap(deltas: Sequence[float], level: float = LEVEL) -> Interval | None:
    """A percentile interval of the mean delta, from RESAMPLES resamples; None below BOOTSTRAP_LEAST deltas.

    Deltas that are all the same give a point. Turning every sign mirrors the interval, so that comparing B with A says
    what comparing A with B does. Not BCa: where four documents of five do not change, which is usual between versions
    of a prompt, a 95% BCa interval of 20 deltas held the mean 83% of the time, this one 94%.

    Efron, Annals of Statistics 7, 1979; the percentile interval: Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 13; BCa: Efron, JASA 82, 1987.

    Raises:
        ValueError: a delta is not finite, or beyond LARGEST, or the level is not between 0 and 1.

    >>> bootstrap([0.25] * 20)
    Interval(low=0.25, high=0.25, level=0.95)
    >>> bootstrap([0.25] * 19) is None
    True
    """
    _refuse(deltas)
    _refuse_level(level)
    return _percentile(deltas, level) if len(deltas) >= BOOTSTRAP_LEAST else None


def _percentile(deltas: Sequence[float], level: float) -> Interval:
    mean = fmean(deltas)
    if max(deltas) - min(deltas) <= TIE:
        return Interval(low=mean, high=mean, level=level)
    side = -1.0 if mean < 0 else 1.0
    means = _resampled(np.sort(side * np.array(deltas, np.float64)))
    low, high = sorted(side * float(end) for end in np.quantile(means, ((1 - level) / 2, (1 + level) / 2)))
    return Interval(low=low, high=high, level=level)


def _resampled(values: Values) -> Values:
    """The means of resamples, shape (RESAMPLES,), each of as many values as there are, drawn with replacement."""
    bits = np.random.PCG64(_SEED)
    count = np.uint64(len(values))
    sums = np.zeros(RESAMPLES)
    for _ in range(len(values)):
        drawn = bits.random_raw(-(-RESAMPLES // 2)).astype("<u8").view(np.uint32)[:RESAMPLES]
        # The upper half of 32 random bits times the count is a position: even to within count / 2**32.
        sums += values[(drawn.astype(np.uint64) * count) >> np.uint64(32)]
    return sums / len(values)


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval | None:
    """The score interval of a share, such as wins among wins and losses; None where there were no trials.

    Within 0 and 1, and around the share, however few trials there are. Wilson, JASA 22, 1927.

    Raises:
        ValueError: successes are negative or more than the trials, or the level is not between 0 and 1.

    >>> found = wilson(3, 3)
    >>> round(found.low, 3), found.high
    (0.439, 1.0)
    """
    _refuse_level(level)
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share; give successes from 0 up to the trials")
    if trials == 0:
        return None
    share = successes / trials
    z = -NormalDist().inv_cdf((1 - level) / 2)
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return Interval(
        low=min(share, max(0.0, centre - half)),
        high=max(share, min(1.0, centre + half)),
        level=level,
    )


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """Each p, corrected for how many there are: below ALPHA any of them is by chance in at most one family of twenty.

    The smallest of k is multiplied by k, the next by k - 1 and so on; none is smaller than the one before it, none is
    over 1. In the order given. Holm, Scandinavian Journal of Statistics 6, 1979.

    Raises:
        ValueError: a p is not within 0 and 1.

    >>> holm({"coverage": 0.25, "must_recall": 0.125})
    {'coverage': 0.25, 'must_recall': 0.25}
    """
    for p in ps.values():
        _refuse_p(p)
    corrected: dict[str, float] = {}
    floor = 0.0
    for rank, name in enumerate(sorted(ps, key=lambda name: ps[name])):
        floor = min(1.0, max(floor, (len(ps) - rank) * ps[name]))
        corrected[name] = floor
    return {name: corrected[name] for name in ps}


def noise_floor(by_repetition: Mapping[int, Mapping[str, float]]) -> float | None:
    """The largest mean delta, either way, of a version against itself: between two repetitions, over what both have.

    In the unit of the values. None where no two repetitions have a document in common: the noise is unmeasured, not 0.
    Repetitions have to be asked anew each; an answer that is remembered differs from itself by nothing.

    Args:
        by_repetition: of one version, by repetition and document.

    Raises:
        ValueError: a value is not finite, or beyond LARGEST.

    >>> noise_floor({0: {"s1": 0.5, "s2": 1.0}, 1: {"s1": 0.75, "s2": 1.0}})
    0.125
    """
    for repetition in by_repetition.values():
        _refuse(repetition.values())
    found = [
        abs(fmean(other[name] - one[name] for name in shared))
        for one, other in combinations(by_repetition.values(), 2)
        if (shared := one.keys() & other.keys())
    ]
    return max(found, default=None)


def win_loss(deltas: Sequence[float], direction: Direction) -> WinLoss:
    """On how many documents the second version is better, alike, worse; of what is context, higher counts as a win.

    Raises:
        ValueError: a delta is not finite, or beyond LARGEST.

    >>> win_loss([0.5, 0.0, 0.1 + 0.2 - 0.3, -0.25], "lower")
    WinLoss(wins=1, ties=2, losses=1)
    """
    _refuse(deltas)
    higher = sum(delta > TIE for delta in deltas)
    lower = sum(delta < -TIE for delta in deltas)
    wins, losses = (lower, higher) if direction == "lower" else (higher, lower)
    return WinLoss(wins=wins, ties=len(deltas) - wins - losses, losses=losses)


def verdict(
    *,
    deltas: Sequence[float],
    direction: Direction,
    p_holm: float | None,
    interval: Interval | None,
    noise: float | None,
    family: int = 1,
) -> PairVerdict:
    """What the deltas of two comparable versions prove.

    `too_few_documents` where no outcome over so many could have been below ALPHA, which is so below 6, and below 9
    where a metric is one of ten that are looked at together. All documents
    count, those too on which nothing changed: they speak for no change, and by making p larger they can only lead to
    `no_detectable_change`. That it is where the mean delta is within the noise, or p is not below ALPHA, or the
    interval holds 0. Otherwise `better` or `worse`.

    Args:
        deltas: one for each document set.
        direction: which way is better.
        p_holm: of `sign_flip`, corrected by `holm`; None proves nothing.
        interval: of `bootstrap`; None where there are too few documents for one.
        noise: of `noise_floor`; None where it was not measured.
        family: how many metrics `holm` corrected for.

    Raises:
        ValueError: a number is not finite or beyond LARGEST, p is not within 0 and 1, the noise is negative, or the
            direction is `context`, of which neither way is better.

    >>> verdict(deltas=[0.25] * 6, direction="higher", p_holm=0.03125, interval=None, noise=0.125)
    'better'
    >>> verdict(deltas=[0.25] * 5, direction="higher", p_holm=0.0625, interval=None, noise=0.125)
    'too_few_documents'
    """
    _refuse(deltas)
    _refuse(() if interval is None else (interval.low, interval.high))
    _refuse(() if noise is None else (noise,))
    _refuse_p(1.0 if p_holm is None else p_holm)
    if noise is not None and noise < 0:
        raise ValueError(f"a noise of {noise} is negative; give its size, either way")
    if direction == "context":
        raise ValueError("of what is context neither way is better; give `higher` or `lower`, or ask for no verdict")
    if smallest_p(len(deltas)) * family > ALPHA:
        return "too_few_documents"
    mean = fmean(deltas)
    within_noise = abs(mean) <= (noise or 0.0) + TIE
    by_chance = p_holm is None or p_holm >= ALPHA
    holds_zero = interval is not None and interval.low <= TIE and interval.high >= -TIE
    if within_noise or by_chance or holds_zero:
        return "no_detectable_change"
    return "better" if (mean > 0) == (direction == "higher") else "worse"


def _refuse(values: Iterable[float]) -> None:
    for value in values:
        if not isfinite(value) or abs(value) > LARGEST:
            raise ValueError(f"{value} is not a number to calculate with; leave out documents that have no value")


def _refuse_p(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{p} is not a p; give a number from 0 to 1")


def _refuse_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"{level} is no level of confidence; give a number between 0 and 1, such as {LEVEL}")
