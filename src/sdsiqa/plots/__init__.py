"""Figures as matplotlib objects: without pyplot, so that none shares state with another or needs a screen."""

from sdsiqa.plots.course import box_over_splits, curves
from sdsiqa.plots.panel import PanelRow, panel, panels
from sdsiqa.plots.scatter import scatter
from sdsiqa.plots.style import save

__all__ = ["PanelRow", "box_over_splits", "curves", "panel", "panels", "save", "scatter"]
