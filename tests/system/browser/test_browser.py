"""The page in a browser: `make test-browser` (Playwright drives Debian's Chromium; neither is needed for `make test`)."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from report_runs import draw_images, labels, make_run

from sdsiqa.report import write
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.page.build import page as html_page
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence
from sdsiqa.runs.scores import read_scores, write_scores

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
ABLATIONS = ("full", "no_gate", "image_only", "saliency_only", "no_guidance")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    root = draw_images("live", folder / "live")
    for split in range(2):
        make_run(folder / "runs", split=split, root=root, tested=("livec",))
        make_run(folder / "runs", ablation="no_gate", split=split, noise=0.2, root=root)
    bad = make_run(folder / "runs", ablation="image_only", root=root) / "scores" / "live-test.csv"
    write_scores(bad, read_scores(bad).assign(score=np.nan))
    write([folder / "runs"], folder / "out", "sdsiqa", Path("results/quoted.csv"))
    return folder / "out" / "report.html"


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Any]:
    yield from visit(browser, report)


def visit(browser: Any, file: Path, **context_of: Any) -> Iterator[Any]:
    """Open a file without a network; whatever the console complains of, or the page asks for, fails the test."""
    context = browser.new_context(**{"viewport": {"width": 1360, "height": 1000}, "offline": True, **context_of})
    page = context.new_page()
    page.set_default_timeout(60_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(file.as_uri())
    yield page
    context.close()
    assert complaints == []


def column(page: Any, place: int) -> list[str]:
    return list(page.locator(f"#runs tbody tr.run td:nth-child({place})").all_inner_texts())


def until(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own wait evaluates text inside the page, which its content policy forbids."""
    for _ in range(1200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within a minute: {condition}")


def ink(page: Any) -> int:
    """Count the pixels of the scatter that are not blank."""
    count = (
        "() => { const c = byId('scatter'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"
    )
    return int(page.evaluate(count))


def test_it_opens_with_a_run_drawn(opened: Any) -> None:
    assert opened.locator("#runs tbody tr.run").count() == 7
    assert opened.locator("#runs tr.chosen").count() == 1
    assert "7 score tables of 3 methods on 2 benchmarks" in opened.inner_text("#overview")
    assert ink(opened) > 5000
    assert opened.locator("nav a").all_inner_texts() == ["Runs", "Tables", "Figures"]
    assert opened.locator("#tables table").count() > 5
    opened.locator("#figures img").first.scroll_into_view_if_needed()
    until(opened, "document.querySelector('#figures img').naturalWidth > 100")


def test_headings_sort_in_both_directions(opened: Any) -> None:
    values = column(opened, 8)
    assert values[-1] == "NaN"  # the missing come last
    numbers = [float(value) for value in values[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    opened.click("#runs th[data-key=srcc]")
    again = column(opened, 8)
    assert again == [*reversed(values[:-1]), "NaN"]
    assert opened.get_attribute("#runs th[data-key=srcc]", "aria-sort") == "ascending"
    opened.focus("#runs th[data-key=split]")
    opened.keyboard.press("Enter")
    splits = column(opened, 5)
    assert splits == sorted(splits)


def test_filters_narrow_the_runs(opened: Any) -> None:
    opened.select_option("#filter-ablation", "no_gate")
    assert set(column(opened, 2)) == {"no_gate"}
    assert opened.inner_text("#count") == "2 of 7 runs"
    opened.fill("#search", "split 1")
    assert column(opened, 5) == ["1"]
    opened.select_option("#filter-ablation", "")
    opened.fill("#search", "livec-all")
    assert set(column(opened, 3)) == {"livec-all"}
    opened.fill("#search", "nothing at all")
    assert column(opened, 1) == []


def test_runs_are_grouped_by_ablation(opened: Any) -> None:
    opened.select_option("#filter-group", "live-test")
    opened.check("#grouped")
    heads = opened.locator("#runs tr.group").all_inner_texts()
    assert [head.split("\t")[0].split(" ")[0] for head in heads] == ["full", "no_gate", "image_only"]
    own = [float(value) for value, name in zip(column(opened, 8), column(opened, 2), strict=True) if name == "full"]
    assert f"⌀ {np.mean(own):.4f}"[:7] in heads[0]
    assert "NaN" in heads[2]


def test_a_click_on_a_point_shows_its_image_and_numbers(opened: Any, report: Path) -> None:
    opened.select_option("#filter-group", "live-test")
    opened.fill("#search", "no_gate")
    opened.locator("#runs tr.run").first.click()
    opened.locator("#scatter").scroll_into_view_if_needed()
    box = opened.locator("#scatter").bounding_box()
    x, y, image = opened.evaluate("() => { const p = view.good[0]; return [...place(p), p.image]; }")  # far from the others
    opened.mouse.click(box["x"] + x, box["y"] + y)
    shown = dict(zip(*(opened.locator(f"#detail {tag}").all_inner_texts() for tag in ("dt", "dd")), strict=True))
    assert shown["image"] == image
    split = column(opened, 5)[0]
    file = next((report.parent.parent / "runs").glob(f"live-sdsiqa-no_gate-{split}-0-*/scores/live-test.csv"))
    row = read_scores(file).set_index("image").loc[image]
    assert float(shown["DMOS"]) == pytest.approx(row["mos"], abs=0.01)
    assert float(shown["score"].replace("−", "-")) == pytest.approx(row["score"], abs=1e-4)
    assert float(shown["error"].replace("−", "-")) == pytest.approx(row["score"] - row["quality"], abs=1e-4)
    assert [shown["distortion"], shown["level"], shown["content"]] == [row["distortion"], str(row["level"]), row["content"]]
    until(opened, "document.querySelector('#detail img').complete")
    size = opened.evaluate(
        "(() => { const i = document.querySelector('#detail img'); return [i.naturalWidth, i.naturalHeight, i.alt]; })()"
    )
    assert size == [80, 60, image]


def test_points_are_walked_hidden_and_magnified(opened: Any) -> None:
    opened.select_option("#filter-group", "live-test")
    opened.locator("#runs tr.run").first.click()
    opened.focus("#scatter")
    opened.keyboard.press("ArrowRight")
    first = opened.inner_text("#detail dd >> nth=0")
    opened.keyboard.press("ArrowRight")
    assert opened.inner_text("#detail dd >> nth=0") != first
    assert opened.locator("#worst button.chosen").count() == 1
    whole = ink(opened)
    opened.locator("#legend button").first.click()
    assert opened.evaluate("shown().length") == 64
    assert ink(opened) < whole
    box, before = opened.locator("#scatter").bounding_box(), opened.evaluate("view.x")
    opened.mouse.move(box["x"] + 150, box["y"] + 100)
    opened.mouse.down()
    opened.mouse.move(box["x"] + 300, box["y"] + 250, steps=4)
    opened.mouse.up()
    near = opened.evaluate("view.x")
    assert near[1] - near[0] < 0.5 * (before[1] - before[0])
    opened.mouse.dblclick(box["x"] + 200, box["y"] + 200)
    assert opened.evaluate("view.x") == before


def test_images_that_are_not_here_and_scores_that_are_none_are_said(opened: Any) -> None:
    opened.select_option("#filter-group", "livec-all")
    opened.locator("#runs tr.run").first.click()
    opened.locator("#worst button").first.click()
    assert "image not here" in opened.inner_text("#detail")
    opened.select_option("#filter-group", "live-test")
    opened.fill("#search", "image_only")
    opened.locator("#runs tr.run").first.click()
    assert "80 scores not finite" in opened.inner_text("#caption")
    assert "80 of 80 scores are NaN or infinite" in opened.inner_text("#detail")


def test_figures_of_every_kind_are_in_the_page(opened: Any, report: Path) -> None:
    drawn = {file.stem for file in (report.parent / "figures").glob("*.png")}
    assert any(name.startswith("worst-") for name in drawn)
    assert any(name.startswith("scatter-distortions-") for name in drawn)
    assert opened.locator("#figures img").count() == len(drawn)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on images that are larger than what the page shows of them."""
    folder = tmp_path_factory.mktemp("large")
    make_run(folder / "runs", "livec", root=draw_images("livec", folder / "livec", 400, 600))
    write([folder / "runs"], folder / "out")
    return folder / "out" / "report.html"


@pytest.mark.parametrize("ratio", [1, 1.5, 2, 3])
def test_a_part_is_shown_in_whole_screen_pixels_and_nothing_is_enlarged(browser: Any, large: Path, ratio: float) -> None:
    for page in visit(browser, large, device_scale_factor=ratio):
        page.locator("#worst button").first.click()
        until(page, "[...document.querySelectorAll('#detail img')].every((i) => i.complete && i.naturalWidth)")
        sizes = page.evaluate(
            "[...document.querySelectorAll('#detail img')].map((i) => [i.getBoundingClientRect().width, i.naturalWidth,"
            "getComputedStyle(i).imageRendering])"
        )
        (part, pixels, rendering), (whole, stored, _) = sizes
        assert (pixels, stored) == (256, 192)
        assert part * ratio / pixels == pytest.approx(round(ratio), abs=0.01)
        assert rendering == "pixelated"
        assert whole <= stored
        assert "256 × 256 pixels at 1:1" in page.inner_text("#detail")
        box, frame = (page.locator(f"#detail .{name}").bounding_box() for name in ("box", "frame"))
        assert box["width"] / frame["width"] == pytest.approx(256 / 600, abs=0.02)


def test_on_a_phone_tables_scroll_and_the_page_does_not(browser: Any, report: Path) -> None:
    for page in visit(
        browser, report, viewport={"width": 360, "height": 780}, device_scale_factor=3, is_mobile=True, has_touch=True
    ):
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.locator("#worst button").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for table in page.locator(".wide").all():
            width, inner = table.evaluate("(e) => [e.clientWidth, e.scrollWidth]")
            assert width <= 360
            assert ("more" in (table.get_attribute("class") or "").split()) == (inner > width)
        table = page.locator(".wide").first
        assert table.evaluate("(e) => e.scrollWidth > e.clientWidth")
        table.evaluate("(e) => { e.scrollLeft = e.scrollWidth; }")
        until(page, "!document.querySelector('.wide').classList.contains('more')")
        right = page.locator("#runs th[data-key=minutes]").bounding_box()
        assert right["x"] + right["width"] <= 360
        method = page.locator("#runs tbody tr.run td").first.bounding_box()
        assert 0 <= method["x"] < 40  # stays in sight


def test_both_colour_schemes_are_readable(browser: Any, report: Path) -> None:
    lightness = "(text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number).reduce((sum, value) => sum + value) / (3 * 255)"
    drawings: dict[str, set[str]] = {"dark": set(), "light": set()}
    for page in visit(browser, report, color_scheme="dark"):
        for scheme, is_dark in (("dark", True), ("light", False), ("dark", True)):  # a change draws again
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(100)
            style = "getComputedStyle(document.querySelector('{}')).{}"
            paper, ink, field = (
                page.evaluate(f"({lightness})({style.format(*what)})")
                for what in (("body", "backgroundColor"), ("#runs td", "color"), ("#search", "backgroundColor"))
            )
            assert (paper < 0.2) == (field < 0.2) == (ink > 0.8) == is_dark
            assert abs(paper - ink) > 0.7
            drawings[scheme].add(page.evaluate("byId('scatter').toDataURL()"))
    assert [len(drawn) for drawn in drawings.values()] == [1, 1]
    assert drawings["dark"] != drawings["light"]


def test_fifty_runs_of_two_thousand_images_open(browser: Any, tmp_path: Path) -> None:
    root, rng = tmp_path / "livec", np.random.default_rng(0)
    codes = [cv2.imencode(".jpg", rng.integers(0, 255, (60, 80, 3), np.uint8))[1].tobytes() for _ in range(5)]
    for number, image in enumerate(labels("livec", 10_000)["image"]):
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).write_bytes(codes[number % 5])  # noise: as large as pictures get
    (root / "Data").mkdir()
    (root / "Data" / "AllImages_release.mat").write_bytes(b"")
    for split in range(10):
        for ablation in ABLATIONS:
            make_run(tmp_path / "runs", "livec", ablation=ablation, split=split, contents=10_000, root=root)
    results = read_results([tmp_path / "runs"])
    file = tmp_path / "report.html"
    file.write_text(html_page(results, Evidence(2), [], ImageFinder(results)))
    assert file.stat().st_size > 12e6
    start = time.monotonic()
    for page in visit(browser, file):
        until(page, "document.querySelectorAll('#runs tr.run').length === 50")
        took = time.monotonic() - start
        page.locator("#worst button").first.click()
        until(page, "document.querySelector('#detail img').naturalWidth > 0")
        clicked = time.monotonic() - start - took
        page.select_option("#filter-ablation", "no_gate")
        assert page.inner_text("#count") == "10 of 50 runs"
    print(json.dumps({"megabytes": file.stat().st_size / 1e6, "opened_s": took, "first_image_s": clicked}))
