"""Figures of reports: what they show of the numbers they got."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import scene
from matplotlib.colors import to_hex
from report_runs import make_run

from sdsiqa import metrics, plots
from sdsiqa.plots.bars import SURE, UNSURE
from sdsiqa.plots.heat import heat_map
from sdsiqa.report.figures.build import drawings
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence
from sdsiqa.runs.scores import read_scores


def bars(**changes: list[float]) -> pd.DataFrame:
    rows = {"name": ["a", "b", "c"], "difference": [-0.1, 0.02, np.nan], "low": [-0.15, -0.02, np.nan]}
    more = {"high": [-0.05, 0.06, np.nan], "is_significant": [True, False, False]}
    return pd.DataFrame(rows | more | changes)


def test_bars_are_in_colour_where_a_difference_is_one() -> None:
    axes = plots.difference_bars(bars(), title="t").axes[0]
    found = {round(bar.get_width(), 3): to_hex(bar.get_facecolor()) for bar in axes.patches}
    assert found == {-0.1: SURE.lower(), 0.02: UNSURE.lower()}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]  # the NaN has no bar
    ends = {float(x) for line in axes.lines for x in np.asarray(line.get_xdata(), float)}
    assert {-0.15, -0.05, -0.02, 0.06} <= ends


def test_splits_have_a_panel_each_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for split in (9, 2, 0):
        make_run(tmp_path, split=split)
        make_run(tmp_path, split=split, ablation="no_gate")  # variants have tables
    make_run(tmp_path, split=0, seed=1)
    make_run(tmp_path, split=0, method="dbcnn")
    results = read_results([tmp_path])
    drawn = {drawing.name: drawing for drawing in drawings(results, Evidence(), [], ImageFinder(results))}
    assert [name for name in drawn if "splits" in name] == ["scatter-splits-live-test-sdsiqa"]  # the other has one split
    figure = drawn["scatter-splits-live-test-sdsiqa"].draw()
    count = len(read_scores(next(tmp_path.glob("live-sdsiqa-full-9-0*/scores/live-test.csv"))))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"split {split} ({count})" for split in (0, 2, 9)]


@pytest.mark.parametrize(("kinds", "rows"), [(2, 1), (9, 3), (10, 2), (24, 4)])
def test_a_grid_of_scatters_is_filled(kinds: int, rows: int) -> None:
    figure = plots.scatter_grid(
        np.arange(5.0 * kinds), np.arange(5.0 * kinds), [f"{n // 5:02}" for n in range(5 * kinds)], title="t"
    )
    assert figure.axes[0].get_gridspec().nrows == rows
    assert len(figure.axes) == kinds


def test_an_absurd_interval_runs_off_the_axis_in_an_arrow() -> None:
    axes = plots.difference_bars(bars(low=[-9.0, -0.02, np.nan], high=[9.0, 0.06, np.nan])).axes[0]
    low, high = axes.get_xlim()
    assert -1 < low < -0.1 < 0.06 < high < 1
    assert {"<", ">"} <= {line.get_marker() for line in axes.lines}
    empty = plots.difference_bars(bars(difference=[np.nan] * 3))
    assert empty.axes[0].texts[0].get_text() == "no differences"


def test_a_heat_map_has_its_numbers_and_leaves_gaps_blank() -> None:
    table = pd.DataFrame([[0.9, np.nan], [-0.2, 0.5]], index=["x", "y"], columns=["one", "two"])
    axes = heat_map(table, outlined=frozenset({(0, 0)})).axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.900", "-0.200", "0.500"]
    assert len(axes.patches) == 1
    image = axes.images[0]
    assert image.norm.vmin == pytest.approx(-0.2)
    assert bool(np.ma.getmaskarray(image.get_array())[0, 1])


def test_a_contact_sheet_shows_each_image_or_says_that_it_is_not_here() -> None:
    prints = [plots.Print(scene(1), "one\nline"), plots.Print(None, "two"), plots.Print(scene(2, 200, 40), "three")]
    figure = plots.contact_sheet(prints, title="worst", columns=2)
    assert [len(axes.images) for axes in figure.axes] == [1, 0, 1]
    assert figure.axes[1].texts[0].get_text() == "image not here"
    assert [text.get_text() for text in figure.texts] == ["worst", "one\nline", "two", "three"]
    with pytest.raises(ValueError, match=r"prints is \[\]"):
        plots.contact_sheet([], title="none")


def test_each_distortion_has_its_own_fit_on_the_same_axes() -> None:
    rng = np.random.default_rng(0)
    mos = rng.uniform(0, 100, 120)
    kind = ["jpeg", "wn"] * 60
    score = np.where(np.arange(120) % 2, mos + 5 * rng.normal(size=120), 50.0)
    figure = plots.scatter_grid(score, mos, kind, title="t")
    jpeg, wn = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["jpeg (60)", "wn (60)"]
    assert "SRCC NaN" in jpeg.texts[0].get_text()  # constant
    assert f"SRCC {metrics.srcc(score[1::2], mos[1::2]):.3f}" in wn.texts[0].get_text()
    assert len(jpeg.lines) == 0
    assert len(wn.lines) == 1
    assert jpeg.get_xlim() == wn.get_xlim()
