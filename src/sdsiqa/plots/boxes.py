"""The spread of a measure over splits, as boxes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sdsiqa.plots.heading import room_for
from sdsiqa.plots.style import COLOURS, INK, new_figure, styled

NAMES: Final = {"srcc": "SRCC", "krcc": "KRCC", "plcc": "PLCC", "plcc_fit": "PLCC after fit", "rmse": "RMSE (quality 0 to 1)"}
"""Labels of measures in figures; others have their own name."""


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
    figure = new_figure(max(1.6, room_for(methods)) + 2.6 * max(1, len(benchmarks)), 1.0 + 0.32 * max(2, len(methods)))
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
