"""Learning curves, and the spread over splits."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sdsiqa.plots.style import COLOURS, FAINT, INK, new_figure, styled, write_aside

NAMES: Final = {"srcc": "SRCC", "krcc": "KRCC", "plcc": "PLCC", "plcc_fit": "PLCC after fit", "rmse": "RMSE (quality 0 to 1)"}
"""Labels of measures in figures; others have their own name."""

PARTS: Final = ("train", "val")


@styled
def curves(history: pd.DataFrame, title: str = "") -> Figure:
    """Plot loss, SRCC and PLCC over epochs, with the epoch that validation chose.

    Args:
        history: One row per epoch: `epoch` (-1 before the first step), and what there is of `train/loss`, `val/loss`,
            `train/srcc`, `val/srcc`, `train/plcc`, `val/plcc` (with or without Lightning's `_epoch` at the end); gaps are NaN.
        title: Above both plots.
    """
    figure = new_figure(6.6, 2.8)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    left, right = figure.subplots(1, 2)
    _draw(left, history, ["loss"])
    _draw(right, history, ["srcc", "plcc"])
    left.set_ylabel("loss")
    right.set_ylabel("correlation")
    best = _best(history)
    if best is not None:
        epoch, value = best
        for axes in (left, right):
            axes.axvline(epoch, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        right.plot([epoch], [value], "o", color="white", markeredgecolor=INK, markersize=6, zorder=6)
        when = f"epoch {epoch:g}" if epoch >= 0 else "before the first step"
        right.set_title(f"best: {when}, SRCC {value:.3f}", fontsize=8)
    return figure


@styled
def box_over_splits(table: pd.DataFrame, *, measure: str = "srcc", title: str = "") -> Figure:
    """Plot the spread of a measure over splits: a box per method, a point per run, one plot per benchmark.

    Args:
        table: One row per run: `method`, the measure, and `benchmark` if there are several. Methods keep the order in
            which they appear, from top to bottom.
        measure: Column to show.
        title: Above the plots.
    """
    table = table.assign(benchmark="") if "benchmark" not in table else table
    benchmarks, methods = (list(dict.fromkeys(table[name])) for name in ("benchmark", "method"))
    figure = new_figure(1.6 + 2.6 * max(1, len(benchmarks)), 1.0 + 0.32 * max(2, len(methods)))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    plots = figure.subplots(1, max(1, len(benchmarks)), sharey=True, squeeze=False)[0]
    for axes, benchmark in zip(plots, benchmarks, strict=True):
        rows = table[table["benchmark"] == benchmark]
        groups = [rows.loc[rows["method"] == method, measure].dropna().to_numpy() for method in methods]
        _draw_boxes(axes, groups)
        axes.set_yticks(range(len(methods)), methods)
        axes.set(title=str(benchmark), xlabel=NAMES.get(measure, measure), ylim=(len(methods) - 0.5, -0.5))
        axes.grid(visible=True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    return figure


def _draw(axes: Axes, history: pd.DataFrame, measures: Sequence[str]) -> None:
    """Draw each measure of each part: colours are measures (losses: parts), broken lines are training."""
    axes.grid(visible=True)
    for number, measure in enumerate(measures):
        for part in PARTS:
            values = _column(history, f"{part}/{measure}")
            if values is None or not values.notna().any():
                continue
            known = values.notna()
            colour = COLOURS[PARTS.index(part) if len(measures) == 1 else number]
            axes.plot(
                history["epoch"][known],
                values[known],
                color=colour,
                linewidth=1.4,
                linestyle="-" if part == "val" or len(measures) == 1 else (0, (3, 2)),
                marker="o" if known.sum() < 25 else None,
                markersize=2.5,
                label=f"{'validation' if part == 'val' else 'training'} {NAMES.get(measure, measure)}",
            )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    if axes.lines:
        axes.legend(loc="best")
    else:
        write_aside(axes, f"no {' or '.join(NAMES.get(measure, measure) for measure in measures)} yet")


def _column(history: pd.DataFrame, name: str) -> "pd.Series[float] | None":
    found = next((column for column in (f"{name}_epoch", name) if column in history), None)
    return None if found is None else history[found].astype(float)


def _best(history: pd.DataFrame) -> tuple[float, float] | None:
    """Epoch and value of the best validation SRCC; of equal ones the later, as checkpoints are chosen."""
    values = _column(history, "val/srcc")
    if values is None or not values.notna().any():
        return None
    row = np.flatnonzero((values == values.max()).to_numpy())[-1]
    return float(history["epoch"].iloc[row]), float(values.iloc[row])


def _draw_boxes(axes: Axes, groups: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> None:
    """Draw a box over the quartiles, its whiskers over the whole range, and every value."""
    for place, values in enumerate(groups):
        if not len(values):
            continue
        colour = COLOURS[place % len(COLOURS)]
        box = axes.boxplot(
            values,
            positions=[place],
            orientation="horizontal",
            widths=0.5,
            whis=(0, 100),  # few splits: nothing is an outlier
            patch_artist=True,
            manage_ticks=False,
        )
        box["boxes"][0].set(facecolor=f"{colour}33", edgecolor=colour, linewidth=1)
        box["medians"][0].set(color=INK, linewidth=1.4)
        for line in (*box["whiskers"], *box["caps"]):
            line.set(color=colour, linewidth=1)
        # spread across the box so that equal values stay visible; no chance, so that a figure can be made again
        aside = (np.arange(len(values)) % 5 - 2) * 0.06
        axes.scatter(values, place + aside, 9, colour, alpha=0.9, linewidths=0, zorder=3)
