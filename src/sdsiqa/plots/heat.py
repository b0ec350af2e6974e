"""A matrix of numbers in colours."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sdsiqa.plots.heading import room_for, wrapped
from sdsiqa.plots.style import FAINT, INK, new_figure, styled


@styled
def heat_map(
    table: pd.DataFrame, *, title: str = "", label: str = "SRCC", outlined: frozenset[tuple[int, int]] = frozenset()
) -> Figure:
    """Show a matrix: colour and number in each cell, blank where there is none.

    Args:
        table: Numbers in [-1, 1], NaN for an empty cell; index and columns are the labels.
        title: Above it.
        label: Of the colour bar.
        outlined: Cells with a frame, by row and column: a method's own test part.

    Returns:
        A figure whose size follows the number of cells and the length of names.
    """
    rows, columns = table.shape
    width = max(1.4, room_for(table.index)) + 0.85 * columns + 0.8
    heading = wrapped(title, width)
    figure = new_figure(width, 1.2 + 0.36 * rows + 0.15 * heading.count("\n"))
    if heading:
        figure.suptitle(heading, x=0.01, ha="left", fontsize=9)
    axes = figure.add_subplot()
    values = table.to_numpy(np.float64)
    known = values[np.isfinite(values)]
    norm = Normalize(min(0.0, float(known.min())) if len(known) else 0.0, 1.0)
    colours = mpl.colormaps["viridis"]
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, aspect="auto")
    for row in range(rows):
        for column in range(columns):
            value = values[row, column]
            if not np.isfinite(value):
                continue
            red, green, blue, _ = colours(norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            axes.text(column, row, f"{value:.3f}", ha="center", va="center", color="white" if dark else INK)
            if (row, column) in outlined:
                axes.add_patch(
                    mpl.patches.Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, fill=False, edgecolor="white", linewidth=1.4)
                )
    axes.set_xticks(
        range(columns), list(table.columns), rotation=30 if columns > 3 else 0, ha="right" if columns > 3 else "center"
    )
    axes.set_yticks(range(rows), list(table.index))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor("#F4F4F4")
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(label, color=FAINT)
    return figure
