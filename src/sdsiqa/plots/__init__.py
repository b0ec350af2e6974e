"""Figures as matplotlib objects: without pyplot, so that they share no state and need no screen."""

from sdsiqa.plots.bars import difference_bars
from sdsiqa.plots.boxes import box_over_splits
from sdsiqa.plots.contact import Print, contact_sheet
from sdsiqa.plots.heading import heading
from sdsiqa.plots.heat import heat_map
from sdsiqa.plots.panel import PanelRow, coloured, overlay, panel, panels, range_of
from sdsiqa.plots.scatter import scatter, scatter_grid
from sdsiqa.plots.style import publish, save

__all__ = [
    "PanelRow",
    "Print",
    "box_over_splits",
    "coloured",
    "contact_sheet",
    "difference_bars",
    "heading",
    "heat_map",
    "overlay",
    "panel",
    "panels",
    "publish",
    "range_of",
    "save",
    "scatter",
    "scatter_grid",
]


def __dir__() -> list[str]:
    """Name what is listed here, and not the files that it comes from."""
    return __all__
