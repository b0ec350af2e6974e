"""The page as a file: whole, small, without addresses, and never markup from somebody's names."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from report_runs import draw_images, make_run

from sdsiqa.images import read_image, write_image
from sdsiqa.plots import save, scatter
from sdsiqa.report import write
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.page import build as page_module
from sdsiqa.report.page import pictures
from sdsiqa.report.page.build import page
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence
from sdsiqa.runs.scores import read_scores, write_scores

ROOT = Path(__file__).parents[2]


def made(runs: Path) -> str:
    results = read_results([runs])
    return page(results, Evidence(50), [], ImageFinder(results))


def block(text: str, name: str) -> object:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    return None if found is None else json.loads(found[1])


def test_runs_share_images_pictures_and_sets(tmp_path: Path) -> None:
    root = draw_images("live", tmp_path / "live")
    for ablation in ("full", "no_gate"):
        make_run(tmp_path / "runs", ablation=ablation, root=root)
    text = made(tmp_path / "runs")
    data = block(text, "data")
    assert isinstance(data, dict)
    assert len(data["runs"]) == 2
    assert len(data["sets"]) == 1
    small = block(text, "whole-live")
    assert isinstance(small, list)
    names = data["images"]["live"]["name"]
    assert len(small) == len(names) == len(data["runs"][0]["score"]) == 80
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(small[5]), np.uint8), cv2.IMREAD_COLOR_RGB)
    shown = cv2.imread(str(root / names[5]), cv2.IMREAD_COLOR_RGB)  # noqa: TID251 - the oracle is OpenCV itself
    assert picture.shape == shown.shape
    assert np.abs(picture.astype(float) - shown).mean() < 12  # the right image, compressed


def test_the_page_names_no_address_and_forbids_itself_any(tmp_path: Path) -> None:
    make_run(tmp_path)
    text = made(tmp_path)
    assert not re.search(r"https?://|src=\"(?!data:)|@import|url\(", text)
    assert "default-src 'none'" in text
    assert "connect-src" not in text


def test_images_that_are_not_here_leave_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path / "nowhere"))
    make_run(tmp_path / "runs")
    assert block(made(tmp_path / "runs"), "whole-live") is None
    draw_images("live", tmp_path / "nowhere" / "live")
    assert block(made(tmp_path / "runs"), "whole-live")  # found below SDSIQA_DATA


def test_no_path_leads_out_of_the_benchmark(tmp_path: Path) -> None:
    root = draw_images("livec", tmp_path / "livec")
    secret = tmp_path / "secret.png"
    secret.write_bytes((root / "photos" / "c000--1.png").read_bytes())
    run = make_run(tmp_path / "runs", "livec", root=root)
    results = read_results([run])
    finder = ImageFinder(results)
    assert finder.thumbnail("livec", "photos/c000--1.png", 64) is not None
    assert finder.thumbnail("livec", "../secret.png", 64) is None
    assert finder.thumbnail("livec", "photos/none.png", 64) is None
    assert finder.thumbnail("koniq10k", "photos/c000--1.png", 64) is None


def test_demo_is_not_made_for_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path / "data"))
    results = read_results([make_run(tmp_path / "runs", "demo", root=tmp_path / "data" / "demo")])
    assert not ImageFinder(results).has("demo")
    assert not (tmp_path / "data").exists()


def test_names_are_text_in_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("method: sdsiqa", "method: '</script><img src=x onerror=alert(1)>'"))
    text = made(tmp_path)
    assert "</script><img" not in text
    assert "<img src=x" not in text
    assert json.loads(json.dumps(block(text, "data")))["runs"][0]["method"] == "</script><img src=x onerror=alert(1)>"


def test_nan_scores_are_null(tmp_path: Path) -> None:
    file = make_run(tmp_path) / "scores" / "live-test.csv"
    table = read_scores(file)
    write_scores(file, table.assign(score=np.where(np.arange(len(table)) == 3, np.nan, table["score"])))
    data = block(made(tmp_path), "data")
    assert isinstance(data, dict)
    run = data["runs"][0]
    assert run["srcc"] is None
    assert run["fit"] is None
    assert sum(score is None for score in run["score"]) == 1
    assert "1 of 80 scores are NaN" in run["fault"]


def decoded(coded: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(coded), np.uint8), cv2.IMREAD_COLOR_RGB)


def test_a_budget_gives_pictures_to_the_worst_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = draw_images("live", tmp_path / "live")
    results = read_results([make_run(tmp_path / "runs", root=root)])
    finder, names = ImageFinder(results), results[0].table["image"].tolist()
    errors = [float(place) for place in range(len(names))]
    everything = pictures.pictures("live", names, errors, finder)
    assert everything is not None
    sizes = [len(base64.b64decode(coded)) for coded in everything.whole]
    for share in (1, 2):
        monkeypatch.setattr(pictures, "BUDGET", 2 * share * (sum(sizes[-10:]) + 1))
        some = pictures.pictures("live", names, errors, finder, share=share)
        assert some is not None
        assert some.whole[-10:] == everything.whole[-10:]
        assert not any(some.whole[:-10])
        parts = [place for place, part in enumerate(some.parts) if part is not None]
        assert parts == list(range(80 - len(parts), 80))
        assert sum(len(base64.b64decode(some.parts[place][0])) for place in parts) <= sum(sizes[-10:]) + 1  # type: ignore[index]


def test_a_part_is_the_image_pixel_for_pixel_where_it_has_most_detail(tmp_path: Path) -> None:
    root = draw_images("livec", tmp_path / "livec")
    results = read_results([make_run(tmp_path / "runs", "livec", root=root)])
    image = np.full((500, 700, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (60, 60), np.uint8), (180, 180), interpolation=cv2.INTER_LINEAR)[..., None]
    image[260:440, 460:640] = texture
    name = results[0].table["image"][0]
    write_image(root / name, image)
    found = pictures.pictures("livec", [name], [1.0], ImageFinder(results))
    assert found is not None
    coded, left, top, wide, high, width, height = found.parts[0]  # type: ignore[misc]
    assert (wide, high, width, height) == (256, 256, 700, 500)
    assert left % 8 == top % 8 == 0  # whole blocks of a JPEG
    assert left <= 460 < 640 <= left + 256
    assert top <= 260 < 440 <= top + 256
    part = decoded(coded)
    assert part.shape == (256, 256, 3)
    assert np.abs(part.astype(float) - image[top : top + 256, left : left + 256]).mean() < 3
    assert max(decoded(found.whole[0]).shape) == 192


def test_the_page_holds_every_figure_until_its_budget_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs", root=draw_images("live", tmp_path / "live"))
    files = write([tmp_path / "runs"], tmp_path / "out")
    drawn = [file.stem for file in files if file.suffix == ".png"]
    assert {"scatter-live-test-sdsiqa", "scatter-distortions-live-test-sdsiqa", "worst-live-test-sdsiqa"} <= set(drawn)
    assert (tmp_path / "out" / "report.html").read_text().count("<figure><img") == len(drawn)
    figure = tmp_path / "scatter-x.png"
    save(scatter(np.arange(20.0), np.arange(20.0) ** 2, title="t"), figure)
    shown = page_module._figures([(figure, "x")])
    coded = re.search(r"data:image/webp;base64,([^\"]+)", shown)
    assert coded
    assert np.array_equal(decoded(coded[1]), read_image(figure))  # without loss
    assert len(coded[1]) < figure.stat().st_size * 4 / 3
    monkeypatch.setattr(page_module, "FIGURES", 10)
    left = page_module._figures([(figure, "x")])
    assert "<img" not in left
    assert "figures/scatter-x.png" in left


def test_colours_come_from_two_schemes_alone(tmp_path: Path) -> None:
    make_run(tmp_path)
    text = made(tmp_path)
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    names = [set(re.findall(r"--[a-z0-9-]+(?=:)", scheme)) for scheme in (light, dark)]
    assert names[0] == names[1]
    assert set(re.findall(r"var\((--[a-z-]+)\)", text)) <= names[0]
    scripts = "".join(re.findall(r"<script>(.*?)</script>", text, re.DOTALL))
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", scripts)


@pytest.mark.slow
def test_fifty_runs_of_two_thousand_images_stay_small(tmp_path: Path) -> None:
    for split in range(10):
        for ablation in ("full", "no_gate", "image_only", "saliency_only", "no_guidance"):
            make_run(tmp_path, "livec", ablation=ablation, split=split, contents=10_000)
    results = read_results([tmp_path])
    assert {len(result.table) for result in results} == {2000}
    text = page(results, Evidence(2), [], ImageFinder(results))
    assert len(text) < 6e6


@pytest.mark.slow
def test_a_locale_without_other_letters_gives_the_same_page(tmp_path: Path) -> None:
    for name, own in (("utf8", {"LC_ALL": "C.UTF-8"}), ("ascii", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})):
        environment = {**os.environ, **own}
        words = ["report", str(ROOT / "results" / "livec"), "--out", str(tmp_path / name), "--no-images"]
        done = subprocess.run(
            [sys.executable, "-m", "sdsiqa", *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    pages = [(tmp_path / name / "report.html").read_bytes().replace(name.encode(), b"") for name in ("utf8", "ascii")]
    assert pages[0] == pages[1]
