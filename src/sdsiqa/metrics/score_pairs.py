"""Scores and labels side by side, and what makes them unusable for a measure of agreement."""

import numpy as np
from numpy.typing import ArrayLike

from sdsiqa.metrics.correlation import EPS, ULPS, is_constant
from sdsiqa.metrics.logistic import Array

FEWEST = 3
"""Images below which no agreement is computed: any two points lie on a line."""


class AgreementWarning(UserWarning):
    """A measure of agreement is NaN, or the raw one stands in for a fitted one; the message names the cause."""


def pair(score: ArrayLike, quality: ArrayLike, constant: bool = True) -> tuple[Array, Array, str]:
    """Bring both to float64, and say what makes them unusable.

    Args:
        score: Predictions, `(n,)`.
        quality: Labels, `(n,)`.
        constant: Whether constant values are a fault, as they are for a correlation.

    Scores of a collapsed network differ in the last digits of float32, by batch and processor: they are constant, too.

    Returns:
        Both as float64, and the fault for a person to read: empty if there is none.

    Raises:
        ValueError: They are not two arrays `(n,)`: a bug of the caller's, no result.
    """
    x, y = np.asarray(score, np.float64), np.asarray(quality, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"scores have shape {x.shape!r} and qualities {y.shape!r}; give two arrays (n,) of one length")
    if len(x) < FEWEST:
        return x, y, f"{len(x)} images are too few; give at least {FEWEST}"
    for values, name in ((x, "scores"), (y, "qualities")):
        bad = len(values) - int(np.isfinite(values).sum())
        if bad:
            return x, y, f"{bad} of {len(values)} {name} are NaN or infinite; look for a diverged training"
        if constant and is_constant(values, _ulps(values)):
            return x, y, f"all {len(values)} {name} are {float(values[0])!r}; constant {name} have no correlation"
    return x, y, ""


def _ulps(values: Array) -> float:
    """Units in the last place of float64 that rounding leaves: those of float32 for values that float32 holds exactly."""
    with np.errstate(over="ignore"):
        single = bool((values.astype(np.float32) == values).all())
    return ULPS * float(np.finfo(np.float32).eps) / EPS if single else ULPS
