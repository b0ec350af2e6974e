"""Linear and rank correlation, and which values are constant, equal or perfectly correlated but for rounding.

The last digits of a sum differ between processors, for each adds in another order. So nothing computed is compared with
0 or 1 exactly. Ranks are the exception: their sums of products are whole multiples of 1/4, which float64 holds exactly in
any order up to 300 000 images.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EPS: Final = float(np.finfo(np.float64).eps)
"""Distance from 1 to the next larger float64."""

ULPS: Final = 4
"""Units in the last place that an operation on two rounded numbers may be off: one for each, one for its own, one spare."""


def rounding(*values: Array, ulps: float = ULPS) -> float:
    """Say how far sums and differences of values may be off by rounding alone.

    Args:
        values: Arrays of any shape, not empty, finite.
        ulps: Units in the last place of the largest.
    """
    return ulps * EPS * max(float(np.abs(some).max()) for some in values)


def is_constant(values: Array, ulps: float = ULPS) -> bool:
    """Say whether values, `(n,)`, differ by no more than rounding.

    Args:
        values: Finite.
        ulps: Units in the last place of the largest value that count as rounding.
    """
    return float(np.ptp(values)) <= rounding(values, ulps=ulps)


def is_perfect(correlation: float, n: int = 1, noise: float = 0.0) -> bool:
    """Say whether a correlation is 1 or −1 but for rounding.

    Args:
        correlation: In [-1, 1].
        n: How many products were added up; 1 for ranks, whose sums are exact.
        noise: Rounding of the values themselves, in standard deviations; it takes `noise²` from a perfect correlation.
    """
    return 1 - abs(correlation) <= ULPS * EPS * n + noise * noise


def pearson(x: Array, y: Array) -> float:
    """Correlate two arrays linearly.

    Args:
        x: `(n,)`, finite.
        y: `(n,)`, finite.

    Returns:
        A value in [-1, 1]; NaN if either is constant but for rounding.
    """
    if is_constant(x) or is_constant(y):
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    # dividing first keeps the squares of tiny deviations from vanishing
    x, y = x / np.abs(x).max(), y / np.abs(y).max()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))


def spearman(x: Array, y: Array) -> float:
    """Correlate the mid-ranks of two arrays, exactly but for one root and one quotient.

    Args:
        x: `(n,)`, finite, not constant.
        y: `(n,)`, finite, not constant.
    """
    from scipy.stats import rankdata  # a second of imports that light tools do without

    middle = (len(x) + 1) / 2
    a, b = rankdata(x) - middle, rankdata(y) - middle
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))
