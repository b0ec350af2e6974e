"""What a network looked at: image, saliency, attention per level, gates."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sdsiqa.images import resize_short_side
from sdsiqa.plots.style import COLOURS, FAINT, INK, new_figure, styled

Map = NDArray[np.floating]

SHORT_SIDE = 320
"""Pixels of an image's short side in a figure; more would only make the file large."""

CELL, GAP, HEAD, TOP, MARGIN = 1.45, 0.06, 0.3, 0.16, 0.08  # inches
BAR, GATES = 0.5, 1.25  # inches, of colour bar and gates with their labels
CHARACTER = 0.075  # inches, of a letter of a caption
FLATTEST, TALLEST = 0.3, 1.4  # height over width of a cell; beyond, the image gets narrower or leaves space


@dataclass(frozen=True)
class PanelRow:
    """One image and what the network made of it.

    Args:
        image: RGB `(H, W, 3)` uint8.
        saliency: Map of the whole image, `(H, W)` in [0, 1].
        guides: Attention of each level, `(h, w)` in [0, 1], from fine to coarse; none for a network without.
        score: Prediction, on the scale of `mos` if that is given.
        mos: Opinion score; none for an image nobody rated.
        gates: Gate of each channel, `(C,)` per level; none leaves that column out.
        title: Name of the image.
        opinion: What the opinion score is called.
    """

    image: NDArray[np.uint8]
    saliency: Map
    guides: Sequence[Map]
    score: float
    mos: float | None
    gates: Sequence[Map] | None = None
    title: str = ""
    opinion: str = "MOS"


def panel(
    image: NDArray[np.uint8],
    saliency: Map,
    guides: Sequence[Map],
    *,
    score: float,
    mos: float | None,
    gates: Sequence[Map] | None = None,
    title: str = "",
) -> Figure:
    """Show one image; arguments are those of `PanelRow`."""
    return panels([PanelRow(image, saliency, guides, score, mos, gates, title)])


@styled
def panels(rows: Sequence[PanelRow]) -> Figure:
    """Show images below each other; colours and gates mean the same in all rows.

    Args:
        rows: At least one.

    Raises:
        ValueError: There is no row.
    """
    if not rows:
        raise ValueError("rows is []; give at least one image")
    levels = max(len(row.guides) for row in rows)
    shows_gates = any(row.gates for row in rows)
    heights = [CELL * float(np.clip(row.image.shape[0] / row.image.shape[1], FLATTEST, TALLEST)) for row in rows]
    maps = MARGIN + (2 + levels) * (CELL + GAP)
    width = maps + (BAR if levels else 0) + (GATES if shows_gates else 0) + MARGIN
    height = TOP + sum(heights) + len(rows) * HEAD + MARGIN + (0.15 if shows_gates else 0)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")

    def cell(left: float, bottom: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    norm = _range([guide for row in rows for guide in row.guides])
    span = _range([np.percentile(gate, [5, 95]) for row in rows for gate in row.gates or ()])
    for column, name in enumerate(["image", "saliency", *(f"attention {level + 1}" for level in range(levels))]):
        center = MARGIN + column * (CELL + GAP) + CELL / 2
        figure.text(center / width, 1 - 0.06 / height, name, ha="center", va="top", color=FAINT)
    left = maps + (BAR if levels else 0) + 0.2
    if shows_gates:
        center = left + (GATES - 0.28) / 2
        figure.text(center / width, 1 - 0.06 / height, "channel gates", ha="center", va="top", color=FAINT)
    top = height - TOP
    for place, (row, high) in enumerate(zip(rows, heights, strict=True)):
        bottom = top - HEAD - high
        caption = _caption(row, int((width - MARGIN) / CHARACTER))
        figure.text(MARGIN / width, (bottom + high + 0.05) / height, caption, ha="left", va="bottom", fontsize=8)
        image = resize_short_side(row.image, min(SHORT_SIDE, *row.image.shape[:2]))
        pictures: list[NDArray[np.uint8] | Map] = [image, _overlay(image, row.saliency), *row.guides]
        for column, picture in enumerate(pictures):
            axes = cell(MARGIN + column * (CELL + GAP), bottom, CELL, high)
            _show(axes, picture, image.shape[:2], norm)
        if shows_gates:
            axes = cell(left, bottom + 0.04, GATES - 0.28, high - 0.08)
            _show_gates(axes, row.gates or (), span, last=place == len(rows) - 1)
        top = bottom
    if levels:
        bar = cell(maps + 0.04, height - TOP - HEAD - heights[0], 0.1, heights[0])
        figure.colorbar(ScalarMappable(norm, mpl.colormaps["viridis"]), cax=bar)
        bar.yaxis.set_major_locator(MaxNLocator(4))
        bar.tick_params(length=2)
    return figure


def _caption(row: PanelRow, room: int) -> str:
    """Name, score and opinion; digits follow the scale, and a name too long for the room loses its middle."""
    digits = 1 if max(abs(row.score), abs(row.mos or 0)) >= 10 else 3
    values = f"score {row.score:.{digits}f}" + ("" if row.mos is None else f"   {row.opinion} {row.mos:.{digits}f}")
    room = max(8, room - len(values) - 3)
    title = row.title if len(row.title) <= room else f"{row.title[: room // 2 - 1]}…{row.title[-(room // 2) :]}"
    return f"{title}   {values}" if title else values


def _range(values: Sequence[NDArray[np.floating]]) -> Normalize:
    """One range for all maps; a flat one is widened, so that its colour bar still has two ends."""
    finite = [value[np.isfinite(value)] for value in map(np.asarray, values)]
    everything = np.concatenate(finite) if finite else np.zeros(0)
    low, high = (float(everything.min()), float(everything.max())) if len(everything) else (0.0, 1.0)
    return Normalize(low - 0.005, high + 0.005) if high - low < 0.01 else Normalize(low, high)


def _overlay(image: NDArray[np.uint8], saliency: Map) -> NDArray[np.uint8]:
    """Lay a map in [0, 1] in colours over the grey image."""
    height, width = image.shape[:2]
    fitted = cv2.resize(np.asarray(saliency, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 255
    heat = mpl.colormaps["inferno"](np.clip(fitted, 0, 1))[..., :3]
    return np.rint(255 * (0.35 * grey + 0.65 * heat)).astype(np.uint8)


def _show(axes: Axes, picture: NDArray[np.uint8] | Map, size: tuple[int, ...], norm: Normalize) -> None:
    """Fill a cell with a picture, a small map stretched to the image's size."""
    extent = (0.0, float(size[1]), float(size[0]), 0.0)
    if picture.ndim == 3:
        axes.imshow(picture, extent=extent)
    else:
        axes.imshow(picture, cmap="viridis", norm=norm, extent=extent, interpolation="bilinear")
    axes.set_axis_off()


def _show_gates(axes: Axes, gates: Sequence[Map], span: Normalize, last: bool) -> None:
    """Show each level's gates: a thin line for 5 to 95 %, a thick one for 25 to 75 %, a point for the median."""
    for level, gate in enumerate(gates):
        low, lower, middle, upper, high = np.percentile(gate, [5, 25, 50, 75, 95])
        axes.plot([low, high], [level, level], color=COLOURS[0], linewidth=1)
        axes.plot([lower, upper], [level, level], color=COLOURS[0], linewidth=3.5, solid_capstyle="butt")
        axes.plot([middle], [level], "o", color="white", markeredgecolor=INK, markersize=3.5, markeredgewidth=0.8)
    low, high = float(span.vmin or 0), float(span.vmax or 0)
    margin = 0.05 * (high - low)
    axes.axvline(1, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set(xlim=(low - margin, high + margin), ylim=(max(len(gates), 1) - 0.5, -0.5))
    axes.set_yticks(range(len(gates)), [str(level + 1) for level in range(len(gates))])
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(length=2, labelbottom=last)
