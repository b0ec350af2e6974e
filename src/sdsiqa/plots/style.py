"""Colours and fonts of all figures, and how they are saved."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sdsiqa.files import write_bytes
from sdsiqa.runs.image_search import DRAWN_BY
from sdsiqa.runs.manifest import Manifest

COLOURS: Final[Sequence[str]] = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5E4FA2")
"""Told apart with every kind of colour vision [Okabe and Ito 2008]; yellow, faint on white, made way for a violet."""

MARKERS: Final[Sequence[str]] = ("o", "s", "^", "D", "v")
"""Used after all colours."""

INK: Final = "#222222"
FAINT: Final = "#8A8A8A"

STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # names of files have dollar signs
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.grid": False,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # text in a PDF stays text, as journals ask
}
"""Settings of every figure, in force only while one is made or saved."""

styled = mpl.rc_context(rc=STYLE)
"""Decorator of functions that make figures."""


class _Shown(Figure):
    """A figure that a notebook shows, although pyplot knows nothing of it."""

    @styled
    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches, drawn by Agg."""
    figure = _Shown(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_aside(axes: Axes, text: str) -> None:
    """Say in the middle of an empty plot why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)


@styled
def save(figure: Figure, path: Path, pdf: bool = False, dpi: int = 150) -> None:
    """Write a figure atomically; equal figures give equal bytes.

    Args:
        figure: The figure.
        path: Where the PNG goes.
        pdf: Also write a PDF beside it.
        dpi: Pixels per inch of the PNG.
    """
    for suffix, metadata in ((".png", {"Software": DRAWN_BY}), (".pdf", {"CreationDate": None, "Producer": None})):
        if suffix == ".png" or pdf:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=metadata)
            write_bytes(path if suffix == ".png" else path.with_suffix(suffix), buffer.getvalue())


def publish(figure: Figure, path: Path, folder: Path) -> None:
    """Write a figure of a run, as PNG and PDF, with its checksums.

    Args:
        figure: The figure.
        path: Where the PNG goes.
        folder: The run's folder.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".figures-") as name:
        save(figure, Path(name) / path.name, pdf=True)
        for made in sorted(Path(name).iterdir()):
            Manifest(folder).publish(path.with_name(made.name), made.replace)
