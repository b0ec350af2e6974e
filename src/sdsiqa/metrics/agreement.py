"""Agreement of scores with human opinion: functions of two arrays, one value per image.

Everything is computed in float64. What cannot be computed is NaN with an `AgreementWarning` that names the cause: a
collapsed model must not look merely bad, and must not stop a run. Definitions: `docs/protocol.md`.
"""

from __future__ import annotations  # signatures show names, not what they stand for

import warnings

import numpy as np
from numpy.typing import ArrayLike

from sdsiqa.metrics.correlation import EPS, ULPS, is_constant, pearson, spearman
from sdsiqa.metrics.logistic import Array, Kind, LogisticFit, direction, fit_curve

FEWEST = 3
"""Images below which no agreement is computed: any two points lie on a line."""


__all__ = [
    "AgreementWarning",
    "LogisticFit",
    "agreement",
    "fit_logistic4",
    "fit_logistic5",
    "krcc",
    "outlier_ratio",
    "plcc",
    "plcc_fit",
    "rmse",
    "srcc",
]

NO_FIT = "no logistic fits these {n} images; the raw PLCC and RMSE stand in for the fitted ones"


class AgreementWarning(UserWarning):
    """A measure of agreement is NaN, or the raw one stands in for a fitted one; the message names the cause."""


NAMES = ("srcc", "krcc", "plcc", "rmse", "plcc_fit", "rmse_fit")
"""What `agreement` gives."""


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


def srcc(score: ArrayLike, quality: ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of mid-ranks, ties taking the average rank.

    Example:
        >>> srcc([0.2, 0.4, 0.5, 0.9], [10, 50, 40, 80])
        0.8

    Args:
        score: Predictions, `(n,)`, any scale.
        quality: Labels, `(n,)`, any scale, in the same direction.

    Returns:
        A value in [-1, 1]; NaN with a warning for fewer than 3 images, constant or non-finite values.
    """
    x, y, fault = pair(score, quality)
    return _nan(fault) if fault else spearman(x, y)


def krcc(score: ArrayLike, quality: ArrayLike) -> float:
    """Kendall's rank correlation τ-b, which discounts ties on either side.

    Example:
        >>> round(krcc([0.2, 0.4, 0.5, 0.9], [10, 50, 40, 80]), 3)
        0.667

    Args:
        score: Predictions, `(n,)`, any scale.
        quality: Labels, `(n,)`, any scale, in the same direction.

    Returns:
        As `srcc`.
    """
    x, y, fault = pair(score, quality)
    return _nan(fault) if fault else _kendall(x, y)


def plcc(score: ArrayLike, quality: ArrayLike) -> float:
    """Pearson's linear correlation of the scores as they are, without a fit.

    Example:
        >>> round(plcc([0.2, 0.4, 0.5, 0.9], [10, 50, 40, 80]), 3)
        0.941

    Args:
        score: Predictions, `(n,)`, any scale.
        quality: Labels, `(n,)`, any scale, in the same direction.

    Returns:
        As `srcc`.
    """
    x, y, fault = pair(score, quality)
    return _nan(fault) if fault else pearson(x, y)


def rmse(score: ArrayLike, quality: ArrayLike) -> float:
    """Root mean square of score minus quality.

    Example:
        >>> round(rmse([0.2, 0.4, 0.5, 0.9], [0.1, 0.5, 0.4, 0.8]), 3)
        0.1

    Args:
        score: Predictions, `(n,)`, on the scale of `quality`.
        quality: Labels, `(n,)`.

    Returns:
        A value ≥ 0 in the unit of `quality`; constant scores have one too. NaN with a warning for fewer than 3 images
        and non-finite values.
    """
    x, y, fault = pair(score, quality, constant=False)
    return _nan(fault) if fault else _rms(x - y)


def agreement(score: ArrayLike, quality: ArrayLike) -> dict[str, float]:
    """Compute what a table of results shows.

    Example:
        >>> score, quality = np.linspace(0, 1, 9), np.linspace(0, 1, 9) ** 2
        >>> {name: round(value, 3) for name, value in agreement(score, quality).items()}
        {'srcc': 1.0, 'krcc': 1.0, 'plcc': 0.962, 'rmse': 0.172, 'plcc_fit': 1.0, 'rmse_fit': 0.006}

    Args:
        score: Predictions, `(n,)`, on the scale of `quality`.
        quality: Labels, `(n,)`, higher is better.

    Returns:
        `srcc, krcc, plcc, rmse` of the scores as they are, then `plcc_fit, rmse_fit` after the logistic with four
        parameters. What is undefined is NaN; one `AgreementWarning` names the cause.
    """
    x, y, fault = pair(score, quality)
    if fault:
        _warn(fault)
        _, _, worse = pair(x, y, constant=False)
        undefined = dict.fromkeys(NAMES, float("nan"))
        return undefined if worse else {**undefined, "rmse": _rms(x - y)}
    fit = fit_curve("logistic4", x, y)
    if fit.which == "raw":
        _warn(NO_FIT.format(n=len(x)))
    return {
        "srcc": spearman(x, y),
        "krcc": _kendall(x, y),
        "plcc": pearson(x, y),
        "rmse": _rms(x - y),
        "plcc_fit": _fitted_plcc(x, y, fit),
        "rmse_fit": fit.residual,
    }


def plcc_fit(score: ArrayLike, quality: ArrayLike, fit: LogisticFit) -> float:
    """Pearson's correlation after a fit, with a minus sign if the raw one is negative.

    A free fit can turn any curve over, and would hide a wrong direction of the scores.

    Example:
        >>> score, quality = np.linspace(0, 1, 9), np.linspace(0, 1, 9) ** 2
        >>> round(plcc_fit(score, quality, fit_logistic4(score, quality)), 3)
        1.0

    Args:
        score: Predictions, `(n,)`.
        quality: Labels, `(n,)`.
        fit: Curve fitted to both.

    Returns:
        As `srcc`.
    """
    x, y, fault = pair(score, quality)
    return _nan(fault) if fault else _fitted_plcc(x, y, fit)


def outlier_ratio(predicted: ArrayLike, mos: ArrayLike, mos_std: ArrayLike) -> float:
    """Share of images whose error exceeds twice the standard deviation of their opinion scores [VQEG 2000].

    Example:
        >>> outlier_ratio(predicted=[50, 60, 90, 20], mos=[52, 58, 70, 21], mos_std=[5, 5, 5, 5])
        0.25

    Args:
        predicted: Scores on the authors' scale, `(n,)`, such as after a logistic fit.
        mos: Opinion scores, `(n,)`, on that scale.
        mos_std: Standard deviation of each image's opinion scores, `(n,)`, on that scale; NaN where it is not published.

    Returns:
        A value in [0, 1]; NaN without a warning if no deviation is known, and as `rmse` with one for other faults.

    Raises:
        ValueError: `mos_std` has another shape.
    """
    x, y, fault = pair(predicted, mos, constant=False)
    spread = np.asarray(mos_std, np.float64)
    if spread.shape != x.shape:
        raise ValueError(f"mos_std has shape {spread.shape!r} and mos {y.shape!r}; give one deviation per image")
    if fault:
        return _nan(fault)
    known = np.isfinite(spread)
    rounding = ULPS * EPS * np.maximum(np.abs(x), np.abs(y))  # an error of two deviations does not exceed them
    return float(np.mean((np.abs(x - y) - 2 * spread > rounding)[known])) if known.any() else float("nan")


def fit_logistic4(score: ArrayLike, quality: ArrayLike, start: LogisticFit | None = None) -> LogisticFit:
    """Fit `(β₁ − β₂) / (1 + exp(−(x − β₃)/|β₄|)) + β₂` by least squares [VQEG 2000].

    Example:
        >>> curve = fit_logistic4(np.linspace(0, 1, 9), np.linspace(0, 1, 9) ** 2)
        >>> curve([0.25, 0.75]).round(2)
        array([0.07, 0.56])

    Args:
        score: Predictions `x`, `(n,)`.
        quality: Labels, `(n,)`.
        start: Fit to start from, as inside a bootstrap; `None` tries the starts of the protocol.

    Returns:
        The curve with the smallest residual; `raw`, with a warning, if none could be fitted.
    """
    return _fit("logistic4", score, quality, start)


def fit_logistic5(score: ArrayLike, quality: ArrayLike, start: LogisticFit | None = None) -> LogisticFit:
    """Fit `β₁ (1/2 − 1/(1 + exp(β₂ (x − β₃)))) + β₄ x + β₅` by least squares [Sheikh et al., TIP 2006].

    Example:
        >>> curve = fit_logistic5(np.linspace(0, 1, 9), np.linspace(0, 1, 9) ** 2)
        >>> curve([0.25, 0.75]).round(2)
        array([0.06, 0.56])

    Args:
        score: Predictions `x`, `(n,)`.
        quality: Labels, `(n,)`.
        start: As in `fit_logistic4`.

    Returns:
        As `fit_logistic4`; the curve may be non-monotone, and says so.
    """
    return _fit("logistic5", score, quality, start)


def _fit(which: Kind, score: ArrayLike, quality: ArrayLike, start: LogisticFit | None) -> LogisticFit:
    x, y, fault = pair(score, quality)
    if fault:
        _, _, worse = pair(x, y, constant=False)
        fit = LogisticFit("raw", (), False, float("nan") if worse else _rms(x - y))
    else:
        fit = fit_curve(which, x, y, start)
        fault = NO_FIT.format(n=len(x)) if fit.which == "raw" else ""
    if fault:
        warnings.warn(fault, AgreementWarning, stacklevel=3)
    return fit


def _warn(cause: str) -> None:
    warnings.warn(cause, AgreementWarning, stacklevel=3)


def _nan(cause: str) -> float:
    warnings.warn(cause, AgreementWarning, stacklevel=3)  # at the caller of the measure
    return float("nan")


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _kendall(x: Array, y: Array) -> float:
    from scipy.stats import kendalltau  # a second of imports that light tools do without

    return float(kendalltau(x, y, method="asymptotic").statistic)


def _fitted_plcc(x: Array, y: Array, fit: LogisticFit) -> float:
    raw = pearson(x, y)
    return raw if fit.which == "raw" else direction(raw, len(x)) * abs(pearson(fit(x), y))
