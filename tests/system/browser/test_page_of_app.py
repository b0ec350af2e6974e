"""The page of `sdsiqa app` in a browser, served by the command itself: `make test-browser`."""

import base64
import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fakes import scene

from sdsiqa.images import write_image

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
DROP = """
([names, contents]) => {
  const transfer = new DataTransfer();
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  names.forEach((name, place) => transfer.items.add(new File([bytes(contents[place])], name)));
  const drop = document.getElementById("drop");
  for (const type of ["dragenter", "dragover", "drop"]) {
    drop.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page of the model that ships, as the command opens it."""
    command = [sys.executable, "-m", "sdsiqa", "app", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stderr
        said = running.stdout.readline()
        yield said.split()[0]
        running.terminate()
        assert running.wait(60) == 143
        assert running.stderr.read().splitlines()[1:] == ["sdsiqa app: ended; no picture was kept"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, suffix in enumerate((".jpg", ".png", ".png")):
        write_image(folder / f"scene {number}{suffix}", scene(number, 260 + 40 * number, 380))
    (folder / "notes.txt").write_text("no picture\n")
    (folder / "broken.png").write_bytes((folder / "scene 1.png").read_bytes()[:500])
    return folder


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    yield from visit(browser, address)


def visit(browser: Any, address: str, **context_of: Any) -> Iterator[Any]:
    """Open the page, empty; a request to another place, or what the console complains of, fails the test."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 1000}, **context_of})
    page = context.new_page()
    page.set_default_timeout(120_000)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    # a picture that is refused is an answer with status 422, which a console lists
    page.on("console", lambda message: complaints.append(message.text) if _is_fault(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.locator("#limits", has_text="stay on this machine").wait_for()
    yield page
    if page.locator("#clear").is_visible():
        page.click("#clear")
        page.locator("#table").wait_for(state="hidden")
    context.close()
    assert complaints == []
    places = {urlsplit(url).netloc for url in asked if not url.startswith("data:")}
    assert places == {urlsplit(address).netloc}
    assert urlsplit(address).hostname == "127.0.0.1"


def _is_fault(message: Any) -> bool:
    return message.type == "error" and "status of 422" not in message.text


def drop(page: Any, *files: Path) -> None:
    page.evaluate(DROP, [[file.name for file in files], [base64.b64encode(file.read_bytes()).decode() for file in files]])


def scored(*files: Path) -> dict[str, str]:
    """Score files by the command; as the page writes scores."""
    command = [sys.executable, "-m", "sdsiqa", "score", "--format", "csv", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {Path(row["image"]).name: f"{float(row['score']):.3f}" for row in csv.DictReader(io.StringIO(done.stdout))}


def test_a_dropped_picture_has_the_score_of_the_command_and_a_slider(opened: Any, photos: Path) -> None:
    file = photos / "scene 0.jpg"
    drop(opened, file)
    opened.locator("#pictures tbody tr").wait_for()
    assert opened.inner_text("#score strong") == opened.inner_text("#pictures td.score") == scored(file)[file.name]
    opened.locator("#maps figure").nth(5).wait_for()
    captions = opened.locator("#maps figcaption").all_inner_texts()
    assert [caption.partition(":")[0] for caption in captions] == ["saliency", *(f"attention {level}" for level in range(1, 6))]
    opened.locator("#caption", has_text="score at each strength").wait_for()
    opened.locator("#curve circle").nth(12).wait_for()
    before = opened.get_attribute("#whole", "src")
    opened.locator("#slider").fill("12")
    said = opened.inner_text("#at")
    assert said.startswith("5: score ")
    assert said.split()[-1] != opened.inner_text("#score strong")
    assert opened.get_attribute("#whole", "src") != before
    opened.wait_for_function("() => ['whole', 'before', 'after'].every((id) => document.getElementById(id).naturalWidth > 100)")
    opened.select_option("#kind", "blur")
    assert opened.inner_text("#label") == "blur, σ in pixels"
    opened.locator("#slider").fill("3")
    opened.locator("#at", has_text="1.5: score").wait_for()


def test_what_is_no_picture_is_a_sentence_and_costs_the_others_nothing(opened: Any, photos: Path) -> None:
    drop(opened, photos / "notes.txt", photos / "scene 1.png", photos / "broken.png")
    opened.locator("#faults li").nth(1).wait_for()
    said = opened.locator("#faults li").all_inner_texts()
    assert said[0].startswith("notes.txt: is no picture that can be read; expected JPEG, PNG")
    assert said[1] == "broken.png: the file is truncated; copy or download it again"
    assert opened.locator("#pictures td.text").all_inner_texts() == ["scene 1.png"]
    opened.click("#dismiss")
    assert opened.locator("#faults").is_hidden()


def test_a_folder_becomes_a_table_that_sorts(opened: Any, photos: Path) -> None:
    opened.locator("#folder").set_input_files(photos)
    opened.locator("#faults li", has_text="broken.png").wait_for()
    opened.locator("#pictures tbody tr").nth(2).wait_for()
    assert opened.locator("#faults li").count() == 1  # notes.txt is passed over
    names = opened.locator("#pictures td.text")
    assert names.all_inner_texts() == [f"{photos.name}/scene 0.jpg", f"{photos.name}/scene 1.png", f"{photos.name}/scene 2.png"]
    opened.click("#pictures th[data-key=score]")
    scores = [float(text) for text in opened.locator("#pictures td.score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    assert opened.get_attribute("#pictures th[data-key=score]", "aria-sort") == "descending"
    opened.focus("#pictures th[data-key=name]")
    opened.keyboard.press("Enter")
    assert names.all_inner_texts() == sorted(names.all_inner_texts())
    expected = scored(*photos.glob("scene*"))
    shown = zip(names.all_inner_texts(), opened.locator("#pictures td.score").all_inner_texts(), strict=True)
    assert {Path(name).name: score for name, score in shown} == expected
    opened.wait_for_function("() => [...document.querySelectorAll('#pictures img')].every((i) => i.naturalWidth > 50)")
    opened.locator("#pictures tbody tr").nth(2).click()
    assert opened.inner_text("#score strong") == expected["scene 2.png"]
    opened.reload()
    opened.locator("#pictures tbody tr").nth(2).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_both_colour_schemes(browser: Any, address: str, photos: Path, scheme: str) -> None:
    small = {"viewport": {"width": 360, "height": 780}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    for page in visit(browser, address, color_scheme=scheme, **small):
        drop(page, photos / "scene 0.jpg")
        page.locator("#maps figure").first.wait_for()
        page.locator("#slider").fill("6")
        page.wait_for_function("() => document.getElementById('after').naturalWidth > 100")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        lightness = "(text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number).reduce((sum, value) => sum + value) / (3 * 255)"
        paper, ink = (
            page.evaluate(f"({lightness})(getComputedStyle(document.body).{what})") for what in ("backgroundColor", "color")
        )
        assert (paper < 0.2) == (scheme == "dark")
        assert abs(paper - ink) > 0.7
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/phone-{scheme}.png", full_page=True)
