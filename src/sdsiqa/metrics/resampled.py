"""Measures of agreement of resamples, from how often each image was drawn.

Values are sorted once, not once per resample; thousands of resamples are then a few array operations on counts `(b, n)`,
a row per resample and a column per image. With every count 1 each measure is that of `sdsiqa.metrics`.
"""

from __future__ import annotations  # signatures show names, not what they stand for

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sdsiqa.metrics.correlation import EPS, ULPS, is_constant, pearson
from sdsiqa.metrics.logistic import TOLERANCE, Array, direction, fit_curve

Measure = Literal["srcc", "krcc", "plcc", "rmse", "plcc_fit"]
Counts = NDArray[np.float64]

COLUMNS: Final = 2048
"""Columns of the matrix of pairs that are in memory at a time; 10 073 images would need 400 MB for all."""


class Groups:
    """Values sorted once, equal ones in one group."""

    def __init__(self, values: Array) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        first = np.r_[True, ordered[1:] != ordered[:-1]]
        self.starts = np.flatnonzero(first)
        self.place = np.empty(len(values), np.int64)
        self.place[self.order] = np.cumsum(first) - 1

    def counts(self, counts: Counts) -> Counts:
        """Count each group, `(b, groups)`."""
        ordered = counts[:, self.order]
        return ordered if len(self.starts) == len(self.order) else np.add.reduceat(ordered, self.starts, axis=1)

    def midranks(self, counts: Counts) -> Counts:
        """Rank each image within its resample, `(b, n)`; equal ones share the mean of their ranks."""
        group = self.counts(counts)
        middle = np.cumsum(group, axis=1) - (group - 1) / 2
        return np.asarray(middle[:, self.place])


def _srcc(score: Array, quality: Array) -> Callable[[Counts], Array]:
    x, y = Groups(score), Groups(quality)

    def judge(counts: Counts) -> Array:
        mean = (counts.sum(1, keepdims=True) + 1) / 2
        a, b = x.midranks(counts) - mean, y.midranks(counts) - mean
        weighted_a, weighted_b = a * counts, b * counts
        top = np.einsum("bn,bn->b", weighted_a, b)
        return np.asarray(top / np.sqrt(np.einsum("bn,bn->b", weighted_a, a) * np.einsum("bn,bn->b", weighted_b, b)), np.float64)

    return judge


def _plcc(score: Array, quality: Array) -> Callable[[Counts], Array]:
    # centred and scaled first: sums of squares of values far from zero would lose their digits
    x, y = ((values - values.mean()) / (values.std() or 1.0) for values in (score, quality))

    def judge(counts: Counts) -> Array:
        n = counts.sum(1)
        a, b = (x - (counts @ x / n)[:, None], y - (counts @ y / n)[:, None])
        weighted = a * counts
        top, aa = np.einsum("bn,bn->b", weighted, b), np.einsum("bn,bn->b", weighted, a)
        bb = np.einsum("bn,bn->b", b * counts, b)
        # a mean of equal values is off by the rounding of its sum, which leaves the squares of that instead of zero
        level = n * np.square(ULPS * EPS * len(x) * max(np.abs(x).max(), np.abs(y).max()))
        return np.where((aa <= level) | (bb <= level), np.nan, top / np.sqrt(aa * bb))

    return judge


def _rmse(score: Array, quality: Array) -> Callable[[Counts], Array]:
    squares = np.square(score - quality)

    def judge(counts: Counts) -> Array:
        return np.asarray(np.sqrt(counts @ squares / counts.sum(1)), np.float64)

    return judge


def _krcc(score: Array, quality: Array) -> Callable[[Counts], Array]:
    x, y = Groups(score), Groups(quality)

    def ties(groups: Groups, counts: Counts) -> Array:
        size = groups.counts(counts)
        return np.asarray(np.einsum("bg,bg->b", size, size - 1) / 2)

    def judge(counts: Counts) -> Array:
        # float32 holds these sums of ±1 exactly, up to 2²⁴ images
        single, surplus = counts.astype(np.float32), np.zeros(len(counts))
        for start in range(0, len(score), COLUMNS):
            some = slice(start, start + COLUMNS)
            signs = np.sign(score[:, None] - score[some]).astype(np.float32)
            signs *= np.sign(quality[:, None] - quality[some])
            surplus += np.einsum("bn,bn->b", (single @ signs).astype(np.float64), counts[:, some])
        n = counts.sum(1)
        pairs = n * (n - 1) / 2
        return np.asarray(surplus / 2 / np.sqrt((pairs - ties(x, counts)) * (pairs - ties(y, counts))), np.float64)

    return judge


def _plcc_fit(score: Array, quality: Array) -> Callable[[Counts], Array]:
    start = fit_curve("logistic4", score, quality) if not (is_constant(score) or is_constant(quality)) else None

    def judge(counts: Counts) -> Array:
        return np.array([one(np.repeat(score, times), np.repeat(quality, times)) for times in counts.astype(np.int64)])

    def one(x: Array, y: Array) -> float:
        if len(x) < 3 or is_constant(x) or is_constant(y):
            return float("nan")
        raw = pearson(x, y)
        fit = fit_curve("logistic4", x, y, start)
        return raw if fit.which == "raw" else direction(raw, len(x)) * abs(pearson(fit(x), y))

    return judge


MEASURES: Final[dict[str, Callable[[Array, Array], Callable[[Counts], Array]]]] = {
    "srcc": _srcc,
    "krcc": _krcc,
    "plcc": _plcc,
    "rmse": _rmse,
    "plcc_fit": _plcc_fit,
}


def rounding_of(measure: Measure, images: int) -> float:
    """Say how far two values of a measure that are equal may lie apart, as a share of the larger.

    Args:
        measure: The measure. Sums of ranks and signs are exact; a fit ends where it gains no more than its tolerance.
        images: How many were added up.
    """
    if measure == "plcc_fit":
        return TOLERANCE
    return ULPS * EPS * (1 if measure in ("srcc", "krcc") else images)
