"""Bootstrap intervals: how much a measure of agreement varies when the test images are resampled.

What is drawn, with replacement, is a *unit*: a content with all its images where a benchmark has references, an image
otherwise (`docs/protocol.md`). A resample is kept as the number of times each image was drawn, so a measure of
thousands of resamples is a few array operations on counts, and nothing is sorted twice.
"""

from __future__ import annotations  # signatures show names, not what they stand for

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sdsiqa.metrics.agreement import AgreementWarning, pair
from sdsiqa.metrics.correlation import is_constant
from sdsiqa.metrics.logistic import Array
from sdsiqa.metrics.resampled import MEASURES, Counts, Measure

RESAMPLES: Final = 2000
FEWEST_UNITS: Final = 5
"""Units below which there is no interval. With four or fewer the percentiles that few units ask for lie beyond the rarest
resample, one unit drawn every time: `Φ(−t √(k/(k−1)))` is below `k^−k`. The ends are then the best and the worst unit, and in
simulations hold the true value hardly more often than not (2 units 23 %, 3: 37 %, 4: 53 %; 5: 68 %, 6: 72 %)."""

CHUNK: Final = 1 << 19
"""Counts worked on at a time: 4 MB, about what a processor keeps close by."""


@dataclass(frozen=True)
class PartScores:
    """Scores of one method on one test part.

    Args:
        score: Predictions, `(n,)`.
        quality: Labels, `(n,)`, higher is better.
        unit: What is drawn together, `(n,)`: the content's name, or the image's; `None` draws image by image.
    """

    score: Array
    quality: Array
    unit: Sequence[str] | None = None


@dataclass(frozen=True)
class Interval:
    """A range that holds the true value with a probability.

    Args:
        low: Lower end; NaN if it is unknown.
        high: Upper end.
        units: How many units were drawn from.
    """

    low: float
    high: float
    units: int


def bootstrap(parts: Sequence[PartScores], measure: Measure, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Array, int]:
    """Compute a measure in resamples of the units, as the mean over some test parts.

    A unit that stands in several parts, as contents do in the test parts of several splits, is drawn once for all of
    them: the parts share images, and pretending otherwise would make the interval too narrow. For the same reason two
    methods are compared by calling this twice with one seed: equal units give equal draws.

    Args:
        parts: Scores, such as of one method on the test parts of its splits.
        measure: `srcc`, `krcc`, `plcc` (raw), `rmse`, or `plcc_fit`: after the logistic with four parameters, fitted again
            in each resample.
        resamples: How many.
        seed: Of the draws.

    Returns:
        The values, `(resamples,)`, and the number of units. NaN where a resample leaves a part without two different
        values; all NaN, with an `AgreementWarning` that names the cause, for scores of which nothing can be computed.

    Raises:
        ValueError: There is no part.
    """
    if not parts:
        raise ValueError("parts is []; give the scores of at least one test part")
    named = [np.asarray(part.unit if part.unit is not None else range(len(part.score)), str) for part in parts]
    names, places = np.unique(np.concatenate(named), return_inverse=True)
    starts = np.cumsum([0, *(len(unit) for unit in named)])
    faults = [fault for part in parts if (fault := pair(part.score, part.quality, measure != "rmse")[2])]
    if faults:
        warnings.warn(faults[0], AgreementWarning, stacklevel=2)
        return np.full(resamples, np.nan), len(names)
    judges = [MEASURES[measure](part.score, part.quality) for part in parts]
    values = np.empty((resamples, len(parts)))
    step = max(1, CHUNK // max(len(names), *(len(unit) for unit in named)))
    for rows, drawn in _draws(len(names), resamples, seed, step):
        for column, judge in enumerate(judges):
            with np.errstate(invalid="ignore", divide="ignore"):  # NaN is the answer where nothing varies
                values[rows, column] = judge(drawn[:, places[starts[column] : starts[column + 1]]])
    return values.mean(1), len(names)


def interval(values: Array, units: int, estimate: float | None = None, level: float = 0.95) -> Interval:
    """Take the percentile interval of resampled values, widened for few units.

    Percentiles of a bootstrap ignore that a spread estimated from few units is itself uncertain: with six contents, a
    nominal 95 % covers about 80 %. The percentiles are therefore taken further out, by the ratio of Student's to the
    normal quantile and `√(k/(k−1))` for `k` units [Hesterberg, The American Statistician 2015, expanded percentile]. With
    hundreds of units this is the plain percentile interval.

    Args:
        values: Resampled values, `(B,)`; NaN are left out.
        units: How many units were drawn from.
        estimate: The value of the images as they are, which the interval must hold; `None` asks nothing.
        level: Nominal coverage.

    Returns:
        The interval; NaN where none means anything: for fewer than `FEWEST_UNITS` units, for values without any spread
        beyond rounding, and where the estimate does not lie between the ends, for then the resamples are no picture of it.
    """
    from scipy.special import ndtr, stdtrit  # a light tool's `--help` does without scipy

    known, none = values[np.isfinite(values)], Interval(float("nan"), float("nan"), units)
    if units < FEWEST_UNITS or not len(known) or is_constant(known):
        return none
    reach = float(np.sqrt(units / (units - 1)) * -stdtrit(units - 1, (1 - level) / 2))
    low, high = (float(end) for end in np.quantile(known, [ndtr(-reach), ndtr(reach)]))
    return Interval(low, high, units) if estimate is None or low < estimate < high else none


def observed(parts: Sequence[PartScores], measure: Measure) -> float:
    """Compute a measure on the images as they are, as the mean over some test parts.

    Args:
        parts: As for `bootstrap`.
        measure: As for `bootstrap`.

    Returns:
        What `sdsiqa.metrics` gives; NaN with an `AgreementWarning` that names the cause if it is undefined.
    """
    values = []
    for part in parts:
        x, y, fault = pair(part.score, part.quality, measure != "rmse")
        if fault:
            warnings.warn(fault, AgreementWarning, stacklevel=2)
        values.append(float("nan") if fault else float(MEASURES[measure](x, y)(np.ones((1, len(x))))[0]))
    return float(np.mean(values))


def _draws(units: int, resamples: int, seed: int, step: int) -> Iterator[tuple[slice, Counts]]:
    """Draw as many units as there are, with replacement, and count how often each came: `(step, units)` at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(units, size=(rows, units))
        drawn += units * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        yield slice(start, start + rows), counts.astype(np.float64)
