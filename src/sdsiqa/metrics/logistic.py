"""The logistic curves from scores to opinion that the VQEG tradition fits before it correlates.

The fit sees the test labels: that is the convention, and why the raw correlation stays the main one. Formulas, starts
and limits: `docs/protocol.md`.
"""

from __future__ import annotations  # signatures show names, not what they stand for

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sdsiqa.metrics.correlation import EPS, ULPS, is_constant

Array = NDArray[np.float64]
Kind = Literal["logistic4", "logistic5"]

EVALUATIONS = 2000
"""Evaluations after which a start ends; its best iterate still counts."""

EXPONENT = 60.0
"""Exponents are clipped to ±60: exp(60) is far beyond the precision of 1 + exp."""

NARROWEST = 1e-12
"""Width below which a logistic counts as a step; keeps the quotient finite."""

TOLERANCE = 1e-8
"""Relative fall of the cost at which a fit ends. Where the best five-parameter curve lies at infinity (nearly straight data, or a
step) the cost creeps towards it; what is left then is worth less than 5e-4 of correlation in every table of `results/`."""

STEEPNESS = np.geomspace(0.1, 60.0, 12)
"""Steepness of the curves among which five-parameter starts are searched, per deviation of the scores: a line … a step."""

PLACES = 256
"""Most images, or means of neighbouring ones, that the search looks at; their middles are where it puts the curve."""

SEARCHED = 4
"""Starts that the search gives at most."""

TRIAL = 100
"""Evaluations after which only the best start is continued."""


@dataclass(frozen=True)
class LogisticFit:
    """A curve from scores to quality, or the scores themselves where no curve could be fitted.

    Args:
        which: `logistic4` or `logistic5`; `raw` if the fit failed, and then the curve is the identity.
        parameters: β₁ … β₄ or β₁ … β₅ on the scale of the scores; none for `raw`.
        converged: Whether the best start ended by a tolerance, not by the limit of evaluations.
        residual: Root mean square of curve minus quality, on the scale of quality.
        monotone: Whether the curve keeps one direction over the range of the scores; four parameters always do.
    """

    which: Literal["logistic4", "logistic5", "raw"]
    parameters: tuple[float, ...]
    converged: bool
    residual: float
    monotone: bool = True

    def __call__(self, score: ArrayLike) -> Array:
        """Map scores, any shape, to the scale of quality."""
        x = np.asarray(score, np.float64)
        if self.which == "raw":
            return x.copy()
        return CURVES[self.which](x, np.array(self.parameters))


def logistic4(x: Array, beta: Array) -> Array:
    """Evaluate `(β₁ − β₂) / (1 + exp(−(x − β₃)/|β₄|)) + β₂`.

    Args:
        x: Scores, any shape.
        beta: `(4,)`.

    Returns:
        The curve, of the shape of `x`.
    """
    high, low, middle, width = beta
    return np.asarray(low + (high - low) * _share((x - middle) / max(abs(width), NARROWEST)))


def jacobian4(x: Array, beta: Array) -> Array:
    """Differentiate `logistic4` by its parameters: `(n,)` scores give `(n, 4)`."""
    high, low, middle, width = beta
    scale = max(abs(width), NARROWEST)
    distance = (x - middle) / scale
    share = _share(distance)
    by_middle = (low - high) * share * (1 - share) / scale
    return np.stack([share, 1 - share, by_middle, by_middle * distance * np.sign(width)], -1)


def logistic5(x: Array, beta: Array) -> Array:
    """Evaluate `β₁ (1/2 − 1/(1 + exp(β₂ (x − β₃)))) + β₄ x + β₅`.

    Args:
        x: Scores, any shape.
        beta: `(5,)`.

    Returns:
        The curve, of the shape of `x`.
    """
    height, steep, middle, tilt, offset = beta
    return np.asarray(height * (_share(steep * (x - middle)) - 0.5) + tilt * x + offset)


def jacobian5(x: Array, beta: Array) -> Array:
    """Differentiate `logistic5` by its parameters: `(n,)` scores give `(n, 5)`."""
    height, steep, middle, _, _ = beta
    share = _share(steep * (x - middle))
    slope = height * share * (1 - share)
    return np.stack([share - 0.5, slope * (x - middle), -slope * steep, x, np.ones_like(x)], -1)


def _share(power: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(power, -EXPONENT, EXPONENT))))


CURVES: dict[str, Callable[[Array, Array], Array]] = {"logistic4": logistic4, "logistic5": logistic5}
JACOBIANS: dict[str, Callable[[Array, Array], Array]] = {"logistic4": jacobian4, "logistic5": jacobian5}


def fit_curve(which: Kind, x: Array, y: Array, start: LogisticFit | None = None) -> LogisticFit:
    """Fit a curve by least squares and keep the best of its starts.

    A sum of squares has several minima, and five parameters have many: beside the protocol's starts, theirs come from a search
    (`_searched`).

    Args:
        which: The curve.
        x: Scores, `(n,)`, finite and not constant.
        y: Quality, `(n,)`, finite and not constant.
        start: Fit to start from; `None`, or a raw one, takes the starts of the protocol.

    Returns:
        The curve with the smallest residual; `raw` if there are no more images than parameters, or no start succeeded.
    """
    curve = CURVES[which]
    center, scale = float(x.mean()), float(x.std())
    raw = LogisticFit("raw", (), False, float(np.sqrt(np.mean(np.square(x - y)))))
    if is_constant(x) or not scale > 0 or not np.isfinite(scale):
        return raw
    z = (x - center) / scale
    starts = _starts(which, z, y) if start is None or start.which != which else [_moved(start, center, scale)]
    if len(x) <= len(starts[0]):
        return raw
    trials = [found for begin in starts if (found := _least_squares(which, z, y, begin, TRIAL))]
    if not trials:
        return raw
    beta, cost, converged = min(trials, key=lambda trial: trial[1])
    if not converged and (more := _least_squares(which, z, y, beta, EVALUATIONS)) and more[1] <= cost:
        beta, cost, converged = more
    if is_constant(curve(z, beta)):
        return raw
    parameters = tuple(float(value) for value in _unmoved(which, beta, center, scale))
    return LogisticFit(which, parameters, converged, float(np.sqrt(2 * cost / len(x))), _monotone(which, z, beta))


def _least_squares(which: Kind, z: Array, y: Array, start: Array, limit: int) -> tuple[Array, float, bool] | None:
    """Descend from a start: parameters, half the squared error, whether a tolerance was reached; `None` on failure."""
    from scipy.optimize import least_squares  # a third of a second of imports that light tools do without

    curve, jacobian = CURVES[which], JACOBIANS[which]

    def error(beta: Array) -> Array:
        return curve(z, beta) - y

    def slope(beta: Array) -> Array:
        return jacobian(z, beta)

    try:
        # MINPACK gives its best iterate back even at the limit
        found = least_squares(error, start, jac=slope, method="lm", ftol=TOLERANCE, max_nfev=limit)
    except (ValueError, np.linalg.LinAlgError):  # errors beyond the range of float64
        return None
    return (found.x, float(found.cost), found.status > 0) if np.isfinite(found.x).all() else None


def direction(correlation: float, n: int) -> float:
    """Give the sign of a linear correlation: −1 if it is negative, else 1, also where it is zero but for rounding.

    Args:
        correlation: In [-1, 1].
        n: Of how many images.
    """
    return -1.0 if correlation < -ULPS * EPS * n else 1.0


def _starts(which: Kind, z: Array, y: Array) -> list[Array]:
    """Starts on z-scored scores, in the direction of the raw correlation."""
    apart = y - y.mean()
    slope = float(z @ apart) / len(z)  # of the least-squares line, for z has unit variance
    sign = direction(slope / float(np.abs(apart).max()), len(z))
    top, bottom = float(y.max()), float(y.min())
    if which == "logistic4":
        high, low = (top, bottom) if sign > 0 else (bottom, top)
        return [np.array([high, low, 0.0, width]) for width in (0.25, 1.0)]
    mean, span = float(y.mean()), sign * (top - bottom)
    flat = [np.array([span, steep, middle, 0.0, mean]) for steep, middle in ((1.0, 0.0), (4.0, 0.0), (4.0, -1.0), (4.0, 1.0))]
    return [*flat, np.array([0.1 * sign, 1.0, 0.0, slope, mean]), *_searched(z, y)]


def _searched(z: Array, y: Array) -> list[Array]:
    """Search starts of the five-parameter curve, all over the scores and from nearly straight to a step.

    With steepness and middle given, the other parameters are linear: what the logistic part takes off the residual of the
    straight line is known in closed form. The largest local maxima over the grid are starts.

    Args:
        z: Scores of mean 0 and deviation 1, `(n,)`.
        y: Quality, `(n,)`.

    Returns:
        At most `SEARCHED` times `(5,)`.
    """
    order, count = np.argsort(z, kind="stable"), min(len(z), PLACES)
    x, level = (np.array([part.mean() for part in np.array_split(values[order], count)]) for values in (z, y))
    edges = np.unique((x[1:] + x[:-1]) / 2)
    line = np.linalg.qr(np.stack([np.ones_like(x), x], 1))[0]  # (n, 2)
    rest = level - line @ (line.T @ level)
    share = _share(STEEPNESS[:, None, None] * (x - edges[:, None]))  # (steepness, middle, n)
    apart = share - (share @ line) @ line.T
    size = np.square(apart).sum(-1)
    gain = np.where(size > EPS * len(x), (apart @ rest) ** 2 / np.maximum(size, EPS), 0.0)
    around = np.pad(gain, 1, constant_values=-1.0)
    rows, columns = gain.shape
    sides = [around[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    peaks = np.argwhere((gain >= np.max(sides, 0)) & (gain > 0))
    best = sorted(peaks.tolist(), key=lambda peak: -gain[tuple(peak)])[:SEARCHED]
    found = []
    for row, column in best:
        steep, middle = STEEPNESS[row], edges[column]
        linear = np.stack([share[row, column] - 0.5, x, np.ones_like(x)], 1)
        height, tilt, offset = np.linalg.lstsq(linear, level)[0]
        found.append(np.array([height, steep, middle, tilt, offset]))
    return found


def _unmoved(which: Kind, beta: Array, center: float, scale: float) -> Array:
    """Bring parameters from z-scored scores to the scale of the scores."""
    if which == "logistic4":
        return np.array([beta[0], beta[1], center + scale * beta[2], scale * abs(beta[3])])
    tilt = beta[3] / scale
    return np.array([beta[0], beta[1] / scale, center + scale * beta[2], tilt, beta[4] - tilt * center])


def _moved(fit: LogisticFit, center: float, scale: float) -> Array:
    """Bring parameters from the scale of the scores to z-scored ones."""
    beta = np.array(fit.parameters)
    if fit.which == "logistic4":
        return np.array([beta[0], beta[1], (beta[2] - center) / scale, beta[3] / scale])
    return np.array([beta[0], beta[1] * scale, (beta[2] - center) / scale, beta[3] * scale, beta[4] + beta[3] * center])


def _monotone(which: Kind, z: Array, beta: Array) -> bool:
    """Say whether the slope keeps its sign between the smallest and the largest score."""
    if which == "logistic4":
        return True
    height, steep, middle, tilt, _ = beta
    ends = np.array([z.min(), z.max()])
    # the slope of the logistic part is steepest in the middle and falls to both sides
    points = np.append(ends, np.clip(middle, *ends))
    share = _share(steep * (points - middle))
    slope = height * steep * share * (1 - share) + tilt
    level = TOLERANCE * np.abs(slope).max()  # a flat end comes out of the fit with a slope of either sign
    return bool(np.all(slope >= -level) or np.all(slope <= level))
