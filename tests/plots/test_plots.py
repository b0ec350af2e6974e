import dataclasses
import io
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from sdsiqa import metrics, plots
from sdsiqa.benchmarks.demo import Demo
from sdsiqa.benchmarks.live import LIVE
from sdsiqa.images import read_image

KINDS = ["jp2k", "jpeg", "wn", "gblur", "fastfading"]


def points(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mos = rng.uniform(0, 100, n)
    return mos * 0.8 + 8 + 8 * rng.normal(size=n), mos


def texts(figure: Figure) -> str:
    """All letters of a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def drawn_inside(figure: Figure) -> None:
    """No letter and no axis is cut by the figure's edge."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes if axes.axison]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    assert boxes
    for box in boxes:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1


def row(size: tuple[int, int] = (60, 90), levels: int = 3, title: str = "a.png") -> plots.PanelRow:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    guides = [rng.uniform(0.2, 0.9, (8 >> k, 12 >> k)).astype(np.float32) for k in range(levels)]
    return plots.PanelRow(image, rng.random(size, np.float32), guides, 41.25, 43.75, title)


def test_a_scatter_prints_the_numbers_of_the_metrics() -> None:
    score, mos = points(160)
    figure = plots.scatter(score, mos, title="LIVE, test", distortion=KINDS * 32, label="DMOS")
    values, written = metrics.agreement(score, mos), texts(figure)
    for name in ("srcc", "plcc", "plcc_fit"):
        assert f"{values[name]:.3f}" in written
    assert f"{values['rmse_fit']:.3g} after fit\n     on the DMOS scale" in written
    assert "LIVE, test" in written
    assert "predicted DMOS" in written
    for kind in KINDS:
        assert f"{kind} (32)" in written
    drawn_inside(figure)


def test_a_title_names_the_run_and_axes_speak_in_words() -> None:
    title = plots.heading("sdsiqa (no_gate)", "Demo", "test", 3, 0)
    assert title == "sdsiqa (no_gate) on Demo\ntest part, split 3, seed 0"
    assert plots.heading("x", "Demo", "all", "", "") == "x on Demo\nall images"
    figure = plots.scatter(*points(60), title=title, label="proxy", axes_labels=Demo.axes_labels())
    (axes,) = figure.axes
    assert axes.get_title("left") == title
    assert axes.get_xlabel() == "predicted quality (higher is better)"
    assert axes.get_ylabel() == "quality by GMSD, a proxy (higher is better)"
    assert LIVE.axes_labels() == ("predicted DMOS (lower is better)", "DMOS (lower is better)")
    for n in (60, 240):
        long = plots.heading("a method of a long name (without its gates and its guidance)", "LIVE In the Wild", "test", 3, 0)
        drawn_inside(plots.scatter(*points(n), title=long, distortion=KINDS * (n // 5) if n > 60 else None))
        drawn_inside(plots.scatter_grid(*points(n), KINDS * (n // 5), title=long))


def test_a_curve_stays_within_the_scores_and_the_opinions() -> None:
    mos = np.concatenate([np.full(30, 0.0), np.linspace(0, 100, 60)])  # the logistic undershoots the pile at 0
    score = np.concatenate([np.linspace(-40, 0, 30), np.linspace(0, 100, 60)]) + np.random.default_rng(0).normal(size=90)
    fit = metrics.fit_logistic5(score, mos)
    assert fit(score).min() < 0
    for figure in (plots.scatter(score, mos, title="t", fit=fit), plots.scatter_grid(score, mos, ["one"] * 90, title="t")):
        x, y = (np.asarray(values, np.float64) for values in figure.axes[0].lines[-1].get_data())
        assert (x.min(), x.max()) == (score.min(), score.max())
        assert np.nanmin(y) >= 0
        assert np.nanmax(y) <= 100
        assert np.isfinite(y).sum() > 20


def test_a_scatter_draws_the_given_curve() -> None:
    score, mos = points(100)
    fit = metrics.fit_logistic5(score, mos)
    line = plots.scatter(score, mos, title="t", fit=fit).axes[0].lines[-1]
    drawn = np.isfinite(np.asarray(line.get_ydata(), np.float64))
    assert drawn.mean() > 0.8
    assert np.asarray(line.get_ydata())[drawn] == pytest.approx(fit(np.asarray(line.get_xdata()))[drawn])
    assert (np.min(line.get_xdata()), np.max(line.get_xdata())) == (score.min(), score.max())


@pytest.mark.parametrize("n", [30, 160, 2015, 10_000])
def test_points_shrink_and_fade_as_they_become_many(n: int) -> None:
    figure = plots.scatter(*points(n), title="t")
    (cloud,) = figure.axes[0].collections
    assert len(np.asarray(cloud.get_offsets())) == n
    assert 3 < cloud.get_sizes()[0] < 25  # type: ignore[attr-defined]
    assert (cloud.get_alpha() < 0.5) == (n > 2000)
    assert bool(cloud.get_rasterized()) == (n > 3000)


def test_the_box_of_numbers_hides_no_points() -> None:
    score, mos = points(500)
    for sign in (1, -1):
        figure = plots.scatter(sign * score, mos, title="t")
        figure.draw_without_rendering()
        axes = figure.axes[0]
        box = next(t for t in axes.texts if "SRCC" in t.get_text()).get_window_extent()
        places = axes.transData.transform(np.stack([sign * score, mos], -1))
        assert not sum(box.contains(x, y) for x, y in places)


def test_a_diagonal_needs_a_common_scale() -> None:
    score, mos = points(50)
    lines: list[int] = []
    for factor in (1, 0.01):
        axes = plots.scatter(factor * score, mos, title="t").axes[0]
        lines.append(len(axes.lines))
    assert lines == [2, 1]


def test_a_collapsed_network_is_drawn_with_nan() -> None:
    _, mos = points(20)
    figure = plots.scatter(np.full(20, 50.0), mos, title="t")
    assert "SRCC     NaN" in texts(figure)
    assert "after fit" not in texts(figure)
    drawn_inside(figure)


def test_scores_that_are_not_finite_are_counted() -> None:
    score, mos = points(20)
    score[3] = np.nan
    figure = plots.scatter(score, mos, title="t", distortion=["wn"] * 20)
    assert "20 (1 not finite)" in texts(figure)
    assert "no finite scores" in texts(plots.scatter(np.full(20, np.nan), mos, title="t"))


def test_more_kinds_than_colours_differ_in_their_markers() -> None:
    score, mos = points(240)
    figure = plots.scatter(score, mos, title="TID2013", distortion=[f"kind {i % 24:02d}" for i in range(240)])
    looks = {
        (tuple(np.asarray(c.get_facecolor())[0, :3]), c.get_paths()[0].vertices.tobytes()) for c in figure.axes[0].collections
    }
    assert len(looks) == 24
    drawn_inside(figure)


def test_a_panel_shows_every_level_in_the_scale_of_every_other_panel() -> None:
    first, second = row(), row((90, 60), levels=2)
    figure = plots.panels([first, second], "sdsiqa on LIVE\ntest part")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    maps = [image for image in images if image.cmap.name == "viridis" and image.get_array().ndim == 2]
    assert len(images) == (2 + 3) + (2 + 2)
    assert len(maps) == 5
    assert {image.get_clim() for image in maps} == {(0.0, 1.0)}
    written = texts(figure)
    assert "a.png   predicted MOS 41.2   MOS 43.8" in written
    for guide in first.guides:
        assert f"{guide.min():.2f} to {guide.max():.2f}" in written
    assert "nearly constant" not in written
    assert "sdsiqa on LIVE\ntest part" in written
    assert "attention 3" in written
    assert "attention 4" not in written
    drawn_inside(figure)


def test_pictures_of_a_row_cover_the_same_ground() -> None:
    figure = plots.panels([row((200, 50))])
    figure.draw_without_rendering()
    extents = {tuple(axes.images[0].get_extent()) for axes in figure.axes if axes.images}
    assert extents == {(0.0, 50.0, 200.0, 0.0)}
    boxes = [axes.get_window_extent() for axes in figure.axes if axes.images]
    assert all(box.height / box.width == pytest.approx(4, rel=0.02) for box in boxes)


def test_a_panel_may_lack_attention_and_opinion() -> None:
    given = row()
    figure = plots.panel(given.image, given.saliency, [], score=0.6534, mos=None, title="x" * 200 + ".png", scale="0 to 1")
    written = texts(figure)
    assert "score 0.653 (0 to 1)" in written
    assert "MOS" not in written
    assert "…" in written
    assert "xxx.png" in written
    assert len([axes for axes in figure.axes if axes.images]) == 2
    with pytest.raises(ValueError, match=r"^rows is \[\]; give at least one image$"):
        plots.panels([])


def test_a_map_that_hardly_varies_is_said_to_and_looks_so() -> None:
    start = np.random.default_rng(0).uniform(0.41, 0.51, (40, 60)).astype(np.float32)  # as after a short training
    start[0, :2] = 0.41, 0.51
    figure = plots.panels([dataclasses.replace(row(), guides=[start, np.full((4, 6), 0.5), np.full((4, 6), np.nan)])])
    written = texts(figure)
    assert "0.41 to 0.51, nearly constant" in written
    assert "0.50 to 0.50, nearly constant" in written
    assert "no finite values" in written
    first = next(axes.images[0] for axes in figure.axes if axes.images and axes.images[0].cmap.name == "viridis")
    colours = first.cmap(first.norm(np.array([0.41, 0.51])))[:, :3]
    assert np.abs(np.diff(colours, axis=0)).max() < 0.2
    drawn_inside(figure)


def test_boxes_show_every_split() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {"method": method, "benchmark": benchmark, "srcc": rng.uniform(0.7, 0.9)}
            for benchmark in ("LIVE", "LIVEC")
            for method in ("SDS-IQA", "ridge on frozen features")
            for _ in range(10)
        ]
    )
    figure = plots.box_over_splits(table, title="ten splits")
    assert [axes.get_title("left") for axes in figure.axes] == ["LIVE", "LIVEC"]
    for axes, benchmark in zip(figure.axes, ("LIVE", "LIVEC"), strict=True):
        dots = np.concatenate([np.asarray(c.get_offsets())[:, 0] for c in axes.collections])
        assert dots == pytest.approx(table.loc[table["benchmark"] == benchmark, "srcc"].to_numpy())
    drawn_inside(figure)
    one = plots.box_over_splits(table[table["benchmark"] == "LIVE"].drop(columns="benchmark"), measure="srcc")
    assert len(one.axes) == 1


def test_long_names_take_their_room_and_leave_the_plot_its_own() -> None:
    name = "sdsiqa (reconstruction, no_guidance_and_no_gate) ← koniq10k"
    index = ["probe ← livec", name]
    matrix = pd.DataFrame([[0.9], [np.nan]], index=index, columns=["live-test"])
    bars = pd.DataFrame(
        {"name": index, "difference": [0.1, -0.1], "low": [0.0, -0.2], "high": [0.2, 0.1], "is_significant": False}
    )
    boxes = pd.DataFrame({"method": index * 2, "srcc": [0.7, 0.8, 0.75, 0.85]})
    title = "Ablations of sdsiqa (reconstruction): LIVE In the Wild, livec-test"
    for figure in (
        plots.heat_map(matrix, title=title),
        plots.difference_bars(bars, title=title),
        plots.box_over_splits(boxes, title=title),
    ):
        drawn_inside(figure)  # where the layout leaves no room, matplotlib warns
        place = figure.axes[0].get_position()
        assert place.width * figure.get_size_inches()[0] > 0.7


def test_saved_files_are_whole_and_repeat(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        path = tmp_path / name / "scatter.png"
        plots.save(plots.scatter(*points(60), title="t"), path, pdf=True)
        files.append((path.read_bytes(), path.with_suffix(".pdf").read_bytes()))
        assert sorted(file.name for file in path.parent.iterdir()) == ["scatter.pdf", "scatter.png"]
    assert files[0] == files[1]
    assert files[0][1].startswith(b"%PDF")
    assert read_image(tmp_path / "a" / "scatter.png").shape == (570, 600, 3)  # 4.0 by 3.8 inches at 150 dpi


def test_no_state_is_left_behind() -> None:
    before = dict(mpl.rcParams)
    axes: Axes = plots.scatter(*points(30), title="t").axes[0]
    assert dict(mpl.rcParams) == before
    assert not axes.spines["top"].get_visible()
    code = "import sys, sdsiqa.plots; print([m for m in ('matplotlib.pyplot', 'torch', 'lightning') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_notebook_shows_a_figure() -> None:
    figure = plots.panels([row()])
    drawn = io.BytesIO(figure._repr_png_())  # type: ignore[attr-defined]
    with Image.open(drawn) as image:
        assert image.size == pytest.approx(100 * figure.get_size_inches(), abs=1)
