"""Paired tests of two methods on the same images, and Holm's correction for several tests.

Always paired, and never an F-test of residual variances, which assumes independent samples. Which test answers which
question: `docs/protocol.md`.
"""

from __future__ import annotations  # signatures show names, not what they stand for

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sdsiqa import metrics
from sdsiqa.metrics.agreement import AgreementWarning, pair
from sdsiqa.metrics.bootstrap import FEWEST_UNITS, RESAMPLES, PartScores, bootstrap, interval, observed
from sdsiqa.metrics.correlation import is_perfect, pearson, rounding
from sdsiqa.metrics.logistic import Array
from sdsiqa.metrics.resampled import Measure, rounding_of

NAN = float("nan")

TEST_PER_TRAIN = 0.2 / 0.7
"""Test images per training image of the protocol's splits, where a run does not say."""

POWER = 0.8
"""Share of repetitions in which a difference is to be found for a design to see it."""


@dataclass(frozen=True)
class Comparison:
    """A difference between two methods.

    Args:
        difference: Value of A minus value of B.
        low: Lower end of its 95 % interval; NaN where the test gives none.
        high: Upper end.
        p: Two-sided probability of such a difference by chance; NaN if it cannot be computed.
        test: Name of the test.
    """

    difference: float
    low: float
    high: float
    p: float
    test: str


def paired_bootstrap(
    a: Sequence[PartScores], b: Sequence[PartScores], measure: Measure = "srcc", resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare a measure of two methods by drawing the same units for both.

    Example:
        >>> quality = np.arange(30.0)
        >>> a = PartScores(quality + np.tile([1, -1, 2], 10), quality)
        >>> b = PartScores(quality[::-1] % 7, quality)
        >>> found = paired_bootstrap([a], [b], resamples=200)
        >>> found.difference > 0.5, found.low > 0, found.p < 0.05
        (True, True, True)

    Args:
        a: Scores of the first method, a test part each; several are averaged.
        b: Scores of the second on the same images, in the same order.
        measure: What is compared.
        resamples: How many.
        seed: Of the draws.

    Returns:
        The mean difference on the images as they are, its interval, and `p = 2 min(share ≤ 0, share ≥ 0)` with one
        resample added to each share, so that no finite number of resamples gives 0. Differences of rounding alone are 0.
        NaN with an `AgreementWarning` for fewer than `FEWEST_UNITS` units, whose resamples say nothing of chance.

    Raises:
        ValueError: The two do not pair.
    """
    if [len(part.score) for part in a] != [len(part.score) for part in b]:
        raise ValueError("the two methods have different numbers of images; compare them on the same ones")
    (first, units), (second, _) = (bootstrap(parts, measure, resamples, seed) for parts in (a, b))
    both, difference = np.isfinite(first - second), observed(a, measure) - observed(b, measure)
    first, second = first[both], second[both]
    moved, name = first - second, "paired bootstrap"
    if units < FEWEST_UNITS and len(moved):
        cause = f"{units} contents or images are too few for a paired bootstrap; give at least {FEWEST_UNITS}"
        return Comparison(difference, NAN, NAN, _nan(cause), name)
    level = rounding_of(measure, max(len(part.score) for part in a)) * np.maximum(np.abs(first), np.abs(second))
    moved[np.abs(moved) <= level] = 0  # methods that agree but for rounding are equal, whatever its sign
    spread, rarer = interval(moved, units, difference), min(int((moved <= 0).sum()), int((moved >= 0).sum()))
    p = min(1.0, 2 * (rarer + 1) / (len(moved) + 1)) if len(moved) else NAN
    return Comparison(difference, spread.low, spread.high, p, name)


def meng_rosenthal_rubin(score_a: ArrayLike, score_b: ArrayLike, quality: ArrayLike) -> Comparison:
    """Compare the rank correlations of two methods with the same labels, in closed form [Psychological Bulletin 1992].

    Example:
        >>> quality = np.arange(30.0)
        >>> found = meng_rosenthal_rubin(quality + np.tile([1, -1, 2], 10), quality[::-1] % 7, quality)
        >>> found.difference > 0.5, found.p < 0.05
        (True, True)

    Args:
        score_a: Predictions of the first method, `(n,)`.
        score_b: Predictions of the second for the same images, `(n,)`.
        quality: Labels, `(n,)`.

    Returns:
        The difference of the two SRCC, without an interval. Methods that rank all images alike give `p = 1`; NaN with an
        `AgreementWarning` if a correlation is undefined or perfect, or there are fewer than four images.
    """
    a, b, both = metrics.srcc(score_a, quality), metrics.srcc(score_b, quality), metrics.srcc(score_a, score_b)
    n, name, difference = len(np.asarray(quality)), "Meng-Rosenthal-Rubin", a - b
    if both > 0 and is_perfect(both):
        return Comparison(difference, NAN, NAN, 1.0, name)
    if n < 4 or is_perfect(a) or is_perfect(b):
        return Comparison(difference, NAN, NAN, _nan("a perfect correlation, or three images, have no standard error"), name)
    square = (a * a + b * b) / 2
    f = min(1.0, (1 - both) / (2 * (1 - square)))
    h = (1 - f * square) / (1 - square)
    z = (np.arctanh(a) - np.arctanh(b)) * np.sqrt((n - 3) / (2 * (1 - both) * h))
    return Comparison(difference, NAN, NAN, _two_sided_normal(float(z)), name)


def pitman_morgan(error_a: ArrayLike, error_b: ArrayLike, noise: float = 0.0) -> Comparison:
    """Compare the spread of two methods' errors on the same images [Pitman 1939, Morgan 1939].

    Example:
        >>> small, large = np.tile([1.0, -1.0, 0.5], 10), np.tile([-3.0, 2.0, 3.0, -2.0, 0.0], 6)
        >>> found = pitman_morgan(small, large)
        >>> found.difference < 0, found.p < 0.05
        (True, True)

    Args:
        error_a: Errors of the first method, `(n,)`, such as the residuals of its logistic fit.
        error_b: Errors of the second on the same images, `(n,)`.
        noise: How far each error may be off by the way it was computed, in its unit, beside the rounding of float64.

    Returns:
        The difference of the two standard deviations (negative: the first errs less), without an interval. Errors that are
        equal or opposite but for a constant give `p = 1`; NaN with an `AgreementWarning` for errors that are NaN, fewer
        than three, or a multiple of each other: then the test knows no chance.
    """
    a, b, fault = pair(error_a, error_b, constant=False)
    name = "Pitman-Morgan"
    if fault:
        return Comparison(NAN, NAN, NAN, _nan(fault.replace("scores", "errors").replace("qualities", "errors")), name)
    difference, total, apart = float(a.std(ddof=1) - b.std(ddof=1)), a + b, a - b
    noise, spreads = rounding(a, b) + 2 * noise, (float(total.std()), float(apart.std()))
    if min(spreads) <= 2 * noise:
        return Comparison(difference, NAN, NAN, 1.0, name)  # equal, or opposite: the spreads are the same
    r = pearson(total, apart)
    if is_perfect(r, len(a), noise / min(spreads)):
        return Comparison(difference, NAN, NAN, _nan("one method's errors are a multiple of the other's"), name)
    return Comparison(difference, NAN, NAN, _two_sided_t(r * np.sqrt((len(a) - 2) / (1 - r * r)), len(a) - 2), name)


def corrected_t(values: ArrayLike, test_per_train: float = TEST_PER_TRAIN, noise: float = 0.0) -> Comparison:
    """Test a mean over splits whose training parts overlap: the corrected resampled t [Nadeau and Bengio, 2003].

    Example:
        >>> found = corrected_t([0.02, 0.03, 0.01, 0.02])  # differences of two methods on four splits
        >>> round(found.difference, 3), found.low < 0 < found.high, round(found.p, 2)
        (0.02, False, 0.04)

    Args:
        values: One per split, `(K,)`: differences between two methods, or a measure of one whose interval is wanted.
        test_per_train: Test images per training image; it makes up for the overlap, without which the test is too sure.
        noise: How far each value may be off by the way it was computed: a difference of two measures by the rounding of
            both, which is large beside a small difference.

    Returns:
        The mean, its 95 % interval, and the probability of a mean so far from zero. One split has no interval, and splits
        without any spread beyond rounding have neither interval nor test: `p` is 1 if all are zero, else NaN with an
        `AgreementWarning`.
    """
    x = np.asarray(values, np.float64)
    mean, k, name = (float(x.mean()) if len(x) else NAN), len(x), "corrected resampled t"
    if k < 2 or not np.isfinite(x).all():
        return Comparison(mean, NAN, NAN, NAN, name)
    noise += rounding(x)
    if np.ptp(x) <= 2 * noise:
        return Comparison(mean, NAN, NAN, _nan(f"all {k} splits give {mean!r}") if abs(mean) > noise else 1.0, name)
    error = float(np.sqrt((1 / k + test_per_train) * x.var(ddof=1)))
    reach = error * float(_quantile_t(0.975, k - 1))
    return Comparison(mean, mean - reach, mean + reach, _two_sided_t(mean / error, k - 1), name)


def visible_difference(found: Comparison, splits: int, level: float = 0.05, power: float = POWER) -> float:
    """Say how large a true difference must be for a test like this one to find it.

    Args:
        found: A comparison with a 95 % interval, which says how far such differences scatter.
        splits: How many splits it is of; 1: of images, by the paired bootstrap.
        level: Probability below which a difference is called one; with Holm's correction that of the least probable.
        power: Share of repetitions that find it.

    Returns:
        The difference, without a sign; NaN where there is no interval.
    """
    from scipy.special import nctdtrinc, ndtri  # a light tool's `--help` does without scipy

    reach = (found.high - found.low) / 2
    if not reach > 0:
        return NAN
    if splits == 1:
        return float(reach / ndtri(0.975) * (ndtri(1 - level / 2) + ndtri(power)))
    freedom = splits - 1
    return reach / _quantile_t(0.975, freedom) * float(nctdtrinc(freedom, 1 - power, _quantile_t(1 - level / 2, freedom)))


def holm(p: ArrayLike) -> Array:
    """Correct probabilities for having looked at many of them [Holm 1979].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])

    Args:
        p: Probabilities, `(m,)`; NaN are no comparisons and stay NaN.

    Returns:
        Adjusted probabilities, `(m,)`: those below 0.05 may be called significant together.
    """
    values = np.asarray(p, np.float64)
    adjusted, known = np.full(values.shape, np.nan), np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    scaled = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return adjusted


def _two_sided_normal(z: float) -> float:
    from scipy.special import ndtr  # a light tool's `--help` does without scipy

    return float(2 * ndtr(-abs(z)))


def _two_sided_t(t: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(t)))


def _quantile_t(share: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def _nan(cause: str) -> float:
    warnings.warn(cause, AgreementWarning, stacklevel=3)
    return NAN
