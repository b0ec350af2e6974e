"""Image, saliency map and attention per level of a network, side by side."""

from __future__ import annotations  # signatures show names, not what they stand for

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sdsiqa.images import resize_short_side
from sdsiqa.plots.style import FAINT, new_figure, styled

Map = NDArray[np.floating]

SHORT_SIDE = 320
"""Pixels of an image's short side in a figure; more would only make the file large."""

CELL, GAP, HEAD, FOOT, TOP, MARGIN = 1.45, 0.06, 0.3, 0.17, 0.16, 0.08  # inches
TITLE = 0.19  # inches, of a line of the title
BAR = 0.5  # inches, of the colour bar with its labels
CHARACTER = 0.075  # inches, of a letter of a caption
SCALE = Normalize(0, 1)
"""Colours of every attention map in every figure: a scale that followed the values would make noise look like attention."""

NEARLY_CONSTANT = 0.15
"""Range of a map below which the figure says that it hardly varies; attention starts at 0.5 everywhere."""

FLATTEST, TALLEST = 0.3, 1.4  # height over width of a cell; beyond, the image gets narrower or leaves space


@dataclass(frozen=True)
class PanelRow:
    """One image and what the network made of it.

    Args:
        image: RGB `(H, W, 3)` uint8.
        saliency: Map of the whole image, `(H, W)` in [0, 1].
        guides: Attention of each level, `(h, w)` in [0, 1], from fine to coarse; none for a network without.
        score: Prediction, on the scale of `mos` if that is given, else on the one that `scale` names.
        mos: Opinion score; `None` for an image without opinion scores.
        title: Name of the image.
        opinion: What the opinion score is called.
        scale: Scale of the score of an image without opinion scores, such as `0 to 100, higher is better`.
    """

    image: NDArray[np.uint8]
    saliency: Map
    guides: Sequence[Map]
    score: float
    mos: float | None
    title: str = ""
    opinion: str = "MOS"
    scale: str = ""


def panel(
    image: NDArray[np.uint8],
    saliency: Map,
    guides: Sequence[Map],
    *,
    score: float,
    mos: float | None,
    title: str = "",
    scale: str = "",
) -> Figure:
    """Show one image; arguments are those of `PanelRow`."""
    return panels([PanelRow(image, saliency, guides, score, mos, title, scale=scale)])


@styled
def panels(rows: Sequence[PanelRow], title: str = "") -> Figure:
    """Show images below each other; colours mean the same in all rows, and in all figures.

    Below each map stands the range of its values, and that it is nearly constant where it is.

    Args:
        rows: At least one.
        title: Above all of them, such as `heading` gives it.

    Raises:
        ValueError: There is no row.
    """
    if not rows:
        raise ValueError("rows is []; give at least one image")
    levels = max(len(row.guides) for row in rows)
    heights = [CELL * float(np.clip(row.image.shape[0] / row.image.shape[1], FLATTEST, TALLEST)) for row in rows]
    maps = MARGIN + (2 + levels) * (CELL + GAP)
    width = maps + (BAR if levels else 0) + MARGIN
    above = TITLE * (title.count("\n") + 1) if title else 0.0
    height = above + TOP + sum(heights) + len(rows) * (HEAD + FOOT) + MARGIN
    figure = new_figure(width, height)
    figure.set_layout_engine("none")

    def cell(left: float, bottom: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    if title:
        figure.text(MARGIN / width, 1 - 0.06 / height, title, ha="left", va="top", fontsize=9)
    heads = 1 - (above + 0.06) / height
    for column, name in enumerate(["image", "saliency", *(f"attention {level + 1}" for level in range(levels))]):
        center = MARGIN + column * (CELL + GAP) + CELL / 2
        figure.text(center / width, heads, name, ha="center", va="top", color=FAINT)
    top = height - above - TOP
    for row, high in zip(rows, heights, strict=True):
        bottom = top - HEAD - high
        caption = _caption(row, int((width - MARGIN) / CHARACTER))
        figure.text(MARGIN / width, (bottom + high + 0.05) / height, caption, ha="left", va="bottom", fontsize=8)
        image = resize_short_side(row.image, min(SHORT_SIDE, *row.image.shape[:2]))
        pictures: list[NDArray[np.uint8] | Map] = [image, overlay(image, row.saliency), *row.guides]
        for column, picture in enumerate(pictures):
            axes = cell(MARGIN + column * (CELL + GAP), bottom, CELL, high)
            _show(axes, picture, image.shape[:2])
        for column, values in enumerate([row.saliency, *row.guides], start=1):
            center = MARGIN + column * (CELL + GAP) + CELL / 2
            figure.text(center / width, (bottom - 0.03) / height, range_of(values), ha="center", va="top", fontsize=6.5)
        top = bottom - FOOT
    if levels:
        bar = cell(maps + 0.04, height - above - TOP - HEAD - heights[0], 0.1, heights[0])
        figure.colorbar(ScalarMappable(SCALE, mpl.colormaps["viridis"]), cax=bar)
        bar.set_yticks([0, 0.5, 1])
        bar.tick_params(length=2)
    return figure


def range_of(values: Map) -> str:
    """Write the range of a map, and whether it hardly varies.

    Args:
        values: Of a map in [0, 1], `(h, w)`.
    """
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        return "no finite values"
    low, high = float(finite.min()), float(finite.max())
    return f"{low:.2f} to {high:.2f}" + (", nearly constant" if high - low < NEARLY_CONSTANT else "")


def overlay(image: NDArray[np.uint8], saliency: Map) -> NDArray[np.uint8]:
    """Lay a saliency map in colours over the grey image.

    Args:
        image: RGB `(H, W, 3)` uint8.
        saliency: `(h, w)` in [0, 1]; stretched to the image's size.

    Returns:
        RGB `(H, W, 3)` uint8.
    """
    height, width = image.shape[:2]
    fitted = cv2.resize(np.asarray(saliency, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 255
    heat = mpl.colormaps["inferno"](np.clip(fitted, 0, 1))[..., :3]
    return np.rint(255 * (0.35 * grey + 0.65 * heat)).astype(np.uint8)


def coloured(values: Map, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Show an attention map in the colours of `SCALE`.

    Args:
        values: `(h, w)` in [0, 1].
        size: Height and width of the result.

    Returns:
        RGB `(H, W, 3)` uint8.
    """
    fitted = cv2.resize(np.asarray(values, np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(255 * mpl.colormaps["viridis"](SCALE(fitted))[..., :3]), np.uint8)


def _caption(row: PanelRow, room: int) -> str:
    """Name, score and opinion with their scale; a name too long for the room loses its middle."""
    if row.mos is None:
        values = f"score {row.score:.3f}" + (f" ({row.scale})" if row.scale else "")  # as `sdsiqa score` prints it
    else:
        digits = 1 if max(abs(row.score), abs(row.mos)) >= 10 else 3
        values = f"predicted {row.opinion} {row.score:.{digits}f}   {row.opinion} {row.mos:.{digits}f}"
    room = max(8, room - len(values) - 3)
    title = row.title if len(row.title) <= room else f"{row.title[: room // 2 - 1]}…{row.title[-(room // 2) :]}"
    return f"{title}   {values}" if title else values


def _show(axes: Axes, picture: NDArray[np.uint8] | Map, size: tuple[int, ...]) -> None:
    """Fill a cell with a picture, a small map stretched to the image's size."""
    extent = (0.0, float(size[1]), float(size[0]), 0.0)
    if picture.ndim == 3:
        axes.imshow(picture, extent=extent)
    else:
        axes.imshow(picture, cmap="viridis", norm=SCALE, extent=extent, interpolation="bilinear")
    axes.set_axis_off()
