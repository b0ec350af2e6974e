"""A sheet of images with captions."""

from __future__ import annotations  # signatures show names, not what they stand for

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sdsiqa.plots.style import FAINT, INK, new_figure, styled

CELL, CAPTION, GAP, TOP = 1.5, 0.42, 0.1, 0.34  # inches
TALLEST = 1.2
"""Height over width of a cell; taller images get narrower."""


@dataclass(frozen=True)
class Print:
    """One image of a sheet.

    Args:
        image: RGB `(H, W, 3)` uint8; `None` if the image is not at hand.
        caption: What is said of it, at most two lines.
    """

    image: NDArray[np.uint8] | None
    caption: str


@styled
def contact_sheet(prints: Sequence[Print], *, title: str, columns: int = 4) -> Figure:
    """Show images in rows, each fitted into a square, with its caption below.

    Args:
        prints: The images, in reading order.
        title: Above them.
        columns: How many stand beside each other.

    Raises:
        ValueError: There is no image.
    """
    if not prints:
        raise ValueError("prints is []; give at least one image")
    columns = min(columns, len(prints))
    rows = [prints[start : start + columns] for start in range(0, len(prints), columns)]
    heights = [CELL * max(_aspect(one) for one in row) for row in rows]
    width, height = max(columns * (CELL + GAP) + GAP, 3.2), TOP + sum(heights) + len(rows) * CAPTION
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    figure.text(GAP / width, 1 - 0.1 / height, title, ha="left", va="top", fontsize=9)
    top = height - TOP
    for row, high in zip(rows, heights, strict=True):
        for column, one in enumerate(row):
            left = GAP + column * (CELL + GAP)
            axes = figure.add_axes((left / width, (top - high) / height, CELL / width, high / height))
            axes.set_axis_off()
            if one.image is None:
                axes.text(0.5, 0.5, "image not here", ha="center", va="center", color=FAINT, transform=axes.transAxes)
            else:
                axes.imshow(one.image)
                axes.set_anchor("S")
            figure.text(left / width, (top - high - 0.05) / height, one.caption, ha="left", va="top", fontsize=6.5, color=INK)
        top -= high + CAPTION
    return figure


def _aspect(one: Print) -> float:
    return 0.75 if one.image is None else min(one.image.shape[0] / one.image.shape[1], TALLEST)
