"""Bars of differences with their intervals, as for ablations."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sdsiqa.plots.heading import room_for, wrapped
from sdsiqa.plots.style import COLOURS, INK, new_figure, styled, write_aside

SURE: Final = COLOURS[1]
UNSURE: Final = "#B8C4CE"
WIDEST: Final = 8.0
"""Largest interval that sets the range of the axis, in multiples of the largest difference; wider ones run off it."""


@styled
def difference_bars(table: pd.DataFrame, *, title: str = "", label: str = "Δ SRCC to the full method") -> Figure:
    """Plot differences as bars with intervals, the largest loss at the bottom; only significant ones are in colour.

    Args:
        table: A row per bar: `name`, `difference`, `low`, `high` (NaN for none), `is_significant`.
        title: Above the plot.
        label: Of the axis.

    Returns:
        A figure, 5 inches wide, or wider with long names. An interval that runs off the axis ends in an arrow; a report's table
        has its ends.
    """
    rows = table[np.isfinite(table["difference"])].sort_values("difference", ascending=False, kind="stable")
    room = room_for(rows["name"])
    width = max(5.0, 3.5 + room)
    figure = new_figure(width, 0.95 + 0.3 * max(2, len(rows)))
    axes = figure.add_subplot()
    axes.set_title(wrapped(title, width - room))
    if not len(rows):
        write_aside(axes, "no differences")
        return figure
    low, high = _range(rows)
    axes.grid(visible=True, axis="x")
    axes.axvline(0, color=INK, linewidth=0.8, zorder=3)
    for place, row in enumerate(rows.to_dict("records")):
        difference, sure = float(row["difference"]), bool(row["is_significant"])
        axes.barh(place, difference, 0.6, color=SURE if sure else UNSURE, zorder=2)
        if np.isfinite(row["low"]) and np.isfinite(row["high"]):
            _draw_interval(axes, place, float(row["low"]), float(row["high"]), low, high)
    axes.set_yticks(range(len(rows)), list(rows["name"]))
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.4, -0.6), xlabel=f"{label} (grey: inside the noise)")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    return figure


def _range(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: zero, all bars, and intervals that are not absurdly wide."""
    largest = max(float(rows["difference"].abs().max()), 1e-3)
    ends = np.clip(rows[["low", "high"]].to_numpy(np.float64), -WIDEST * largest, WIDEST * largest)
    values = np.concatenate([[0.0], rows["difference"].to_numpy(np.float64), ends[np.isfinite(ends)]])
    margin = 0.06 * (values.max() - values.min())
    return float(values.min() - margin), float(values.max() + margin)


def _draw_interval(axes: Axes, place: int, bottom: float, top: float, low: float, high: float) -> None:
    """Draw an interval; an end beyond the axis becomes an arrow."""
    ends = (
        (max(bottom, low), "<" if bottom < low else "|"),
        (min(top, high), ">" if top > high else "|"),
    )
    axes.plot([end for end, _ in ends], [place, place], color=INK, linewidth=1.1, zorder=4)
    for end, marker in ends:
        axes.plot([end], [place], marker, color=INK, markersize=5, clip_on=False, zorder=5)
