"""Scatter plots of score against opinion."""

from __future__ import annotations  # signatures show names, not what they stand for

import itertools
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sdsiqa import metrics
from sdsiqa.metrics.agreement import AgreementWarning, LogisticFit
from sdsiqa.plots.heading import wrapped
from sdsiqa.plots.style import COLOURS, FAINT, INK, MARKERS, new_figure, styled, write_aside

Array = NDArray[np.float64]

DENSE = 500
"""Points beyond which the curve needs a white edge to stand out; among few it would hide some."""

MANY = 3000
"""Points beyond which a PDF keeps them as pixels: it would open slowly otherwise."""


@styled
def scatter(
    score: Array,
    mos: Array,
    *,
    title: str,
    fit: LogisticFit | None = None,
    distortion: Sequence[str] | None = None,
    label: str = "MOS",
    axes_labels: tuple[str, str] | None = None,
) -> Figure:
    """Plot opinion against predicted score, with the fitted curve and the values of the metrics.

    The curve is drawn over the range of the scores, and only where it lies within the range of the opinions: a logistic
    may leave the scale on which people rated.

    Args:
        score: Predictions on the authors' scale and in its direction, `(n,)`.
        mos: Opinion scores on the authors' scale, `(n,)`.
        title: Above the plot: method, benchmark, part, split, seed (`heading`).
        fit: Curve from score to MOS; `None` fits the logistic with four parameters.
        distortion: Kind of each image, `(n,)`, which gives the colour; `None` has one colour.
        label: What the opinion is called, and the unit of the RMSE: `MOS`, `DMOS`, or `proxy`.
        axes_labels: What the horizontal and the vertical axis show, in words (`Benchmark.axes_labels`); `None` makes them of
            `label`.

    Returns:
        A figure, 4 inches wide, with a legend on its right if there are kinds.
    """
    score, mos = np.asarray(score, np.float64), np.asarray(mos, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgreementWarning)  # the figure itself shows NaN
        fit = metrics.fit_logistic4(score, mos) if fit is None else fit
        fitted = metrics.plcc_fit(score, mos, fit)
        values = metrics.agreement(score, mos)
    kinds = sorted(set(distortion)) if distortion is not None else []
    width = 5.2 if kinds else 4.0  # room for the legend
    figure = new_figure(width, max(3.8, 0.155 * len(kinds) + 0.4))
    axes = figure.add_subplot()
    axes.grid(visible=True)
    good = np.isfinite(score) & np.isfinite(mos)
    _draw_points(axes, score[good], mos[good], np.asarray(distortion)[good] if distortion is not None else None, kinds)
    if good.any():
        _frame(axes, score[good], mos[good])
        if fit.which != "raw":
            line, curve = _curve(fit, score[good], mos[good])
            if good.sum() > DENSE:
                axes.plot(line, curve, color="white", linewidth=3.2, zorder=4)
            axes.plot(line, curve, color=INK, linewidth=1.5, zorder=5)
    else:
        write_aside(axes, "no finite scores")
    across, up = axes_labels or (f"predicted {label}", label)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_title(wrapped(title, width - 0.5), x=0, ha="left")
    _write_box(axes, score[good], mos[good], _numbers(values, fitted, fit, len(score), int(good.sum()), label))
    if kinds:
        legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0, handletextpad=0.2)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
    return figure


@styled
def scatter_grid(
    score: Array,
    mos: Array,
    kind: Sequence[str],
    *,
    title: str,
    label: str = "MOS",
    axes_labels: tuple[str, str] | None = None,
) -> Figure:
    """Plot opinion against score for each kind apart, each with its own fitted curve, all on the same axes.

    Args:
        score: Predictions on the authors' scale and in its direction, `(n,)`.
        mos: Opinion scores on the authors' scale, `(n,)`.
        kind: Distortion of each image, `(n,)`.
        title: Above the plots.
        label: What the opinion is called.
        axes_labels: As in `scatter`.
    """
    kinds = sorted(set(kind))
    rows = -(-len(kinds) // (3 if len(kinds) <= 9 else 6))
    columns = -(-len(kinds) // rows)
    width = 0.4 + 1.75 * columns
    figure = new_figure(width, 0.85 + 1.65 * rows)
    figure.suptitle(wrapped(title, width), x=0.01, ha="left", fontsize=9)
    plots = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    good, which = np.isfinite(score) & np.isfinite(mos), np.asarray(kind)
    for place, (axes, name) in enumerate(itertools.zip_longest(plots.flat, kinds)):
        axes.tick_params(labelbottom=place + columns >= len(kinds))  # the lowest of its column
        if name is None:
            axes.set_axis_off()
            continue
        own = good & (which == name)
        axes.grid(visible=True)
        _draw_points(axes, score[own], mos[own], None, [])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AgreementWarning)  # the figure itself shows NaN
            fit, srcc, plcc = (
                metrics.fit_logistic4(score[own], mos[own]),
                *(m(score[own], mos[own]) for m in (metrics.srcc, metrics.plcc)),
            )
        if fit.which != "raw":
            axes.plot(*_curve(fit, score[own], mos[own]), color=INK, linewidth=1.2, zorder=5)
        axes.set_title(f"{name or 'none'} ({int(own.sum())})", fontsize=8, pad=2)
        numbers = f"SRCC {srcc:.3f}\nPLCC {plcc:.3f}".replace("nan", "NaN")
        axes.text(0.97, 0.04, numbers, transform=axes.transAxes, ha="right", va="bottom", fontsize=6.5, family="DejaVu Sans Mono")
    across, up = axes_labels or (f"predicted {label}", label)
    figure.supxlabel(across, fontsize=8)
    figure.supylabel(up, fontsize=8)
    return figure


def _curve(fit: LogisticFit, score: Array, mos: Array) -> tuple[Array, Array]:
    """Points of the curve over the range of scores, `(200,)` each; NaN where it leaves the range of opinions."""
    line = np.linspace(score.min(), score.max(), 200)
    curve = np.asarray(fit(line), np.float64)
    return line, np.where((curve >= mos.min()) & (curve <= mos.max()), curve, np.nan)


def _draw_points(axes: Axes, score: Array, mos: Array, distortion: NDArray[np.str_] | None, kinds: list[str]) -> None:
    """Draw points whose size and opacity follow their number."""
    n = max(1, len(score))
    size, alpha = 60 * n**-0.3, float(np.clip(3 * n**-0.25, 0.25, 0.85))
    if distortion is None:
        axes.scatter(score, mos, size, COLOURS[0], alpha=alpha, linewidths=0, rasterized=n > MANY, zorder=2)
        return
    looks = itertools.cycle(itertools.product(MARKERS, COLOURS))
    for kind, (marker, colour) in zip(kinds, looks, strict=False):
        own = distortion == kind
        name = f"{kind or 'none'} ({int(own.sum())})"
        axes.scatter(
            score[own],
            mos[own],
            size,
            colour,
            marker=marker,
            alpha=alpha,
            linewidths=0,
            rasterized=n > MANY,
            label=name,
            zorder=2,
        )


def _frame(axes: Axes, score: Array, mos: Array) -> None:
    """Give both axes one range and their diagonal if scores are on the scale of opinions."""
    ranges = [(float(values.min()), float(values.max())) for values in (score, mos)]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    shared = min(r[1] for r in ranges) - max(r[0] for r in ranges)
    if shared > 0.4 * (high - low):
        ranges = [(low, high)] * 2
        axes.axline((low, low), slope=1, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    margins = [0.04 * (top - bottom) or 0.5 for bottom, top in ranges]
    axes.set_xlim(ranges[0][0] - margins[0], ranges[0][1] + margins[0])
    axes.set_ylim(ranges[1][0] - margins[1], ranges[1][1] + margins[1])


def _numbers(values: Mapping[str, float], fitted: float, fit: LogisticFit, count: int, finite: int, unit: str) -> str:
    """Lay the values of the metrics out in columns; the RMSE has the unit of the axes."""
    rows = [f"SRCC {values['srcc']:7.3f}", f"PLCC {values['plcc']:7.3f} raw"]
    if fit.which == "raw":
        rows.append(f"RMSE {values['rmse']:7.3g} raw")
    else:
        rows += [f"     {fitted:7.3f} after fit", f"RMSE {fit.residual:7.3g} after fit"]
    rows.append(f"     on the {unit} scale")
    rows.append(f"n    {count:7d}" + ("" if finite == count else f" ({count - finite} not finite)"))
    return "\n".join(rows).replace("nan", "NaN")


def _write_box(axes: Axes, score: Array, mos: Array, text: str) -> None:
    """Put the numbers into the corner that hides the fewest points."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    across, up = (score - left) / (right - left), (mos - bottom) / (top - bottom)
    corners = [(True, False), (False, True), (False, False), (True, True)]  # right?, top?

    def hidden(corner: tuple[bool, bool]) -> int:
        beside = across > 0.55 if corner[0] else across < 0.45
        return int((beside & (up > 0.72 if corner[1] else up < 0.28)).sum())

    on_right, on_top = min(corners, key=hidden)
    axes.text(
        0.98 if on_right else 0.02,
        0.98 if on_top else 0.02,
        text,
        transform=axes.transAxes,
        ha="right" if on_right else "left",
        va="top" if on_top else "bottom",
        multialignment="left",
        family="DejaVu Sans Mono",
        fontsize=7,
        bbox={"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "#D0D0D0", "alpha": 0.85},
        zorder=6,
    )
