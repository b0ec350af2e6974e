"""`sdsiqa saliency`: fills a folder, goes on where it was stopped, and `Stored` reads it back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdsiqa.errors import ImageError, RunMismatchError
from sdsiqa.images import read_image, write_image
from sdsiqa.saliency import SDSP, Random, SpectralResidual, Stored, Uniform
from sdsiqa.saliency.choice import provider_from_words
from sdsiqa.saliency.fill import fill, main

NAMES = ["a/deep/one.png", "a/two.bmp", "three.jpg", "four.v2.PNG"]


def photograph(height: int = 40, width: int = 60, seed: int = 0) -> NDArray[np.uint8]:
    grid = np.random.default_rng(seed).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for i, name in enumerate(NAMES):
        write_image(tmp_path / "images" / name, photograph(seed=i))
    (tmp_path / "images" / "scores.csv").write_text("no image")
    (tmp_path / "images" / "._three.jpg").write_text("what macOS leaves behind")
    return tmp_path / "images"


def maps_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


FILLED = {"a/deep/one.png", "a/two.png", "three.png", "four.v2.png", "settings.json"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_stored_reads_back_what_the_provider_gave(root: Path, tmp_path: Path, jobs: int) -> None:
    words = ["--root", str(root), "--out", str(tmp_path / "maps"), "--jobs", str(jobs)]
    for provider in (SDSP("vsi"), Random(3)):
        out = tmp_path / type(provider).__name__
        words[3] = str(out)
        settings = [f"--set={key}={value}" for key, value in provider.settings().items()]
        assert main([*words, "--provider", type(provider).__name__.lower(), *settings]) == 0
        assert maps_in(out) == FILLED
        for name in NAMES:
            image = read_image(root / name)
            assert np.abs(Stored(out)(image, name) - provider(image, name)).max() <= 0.5 / 255 + 1e-6


def test_what_is_there_is_not_made_again(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "maps"
    assert fill(SDSP(), root, out) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    (out / "three.png").unlink()
    monkeypatch.setattr("sdsiqa.saliency.fill.read_image", lambda path: made.append(path) or read_image(path))
    made: list[Path] = []
    assert fill(SDSP(), root, out) == 0
    assert made == [root / "three.jpg"]
    assert all(path.stat().st_mtime_ns == then for path, then in before.items() if path.name != "three.png")
    assert "4 maps of SDSP(preset='icip2013'), 1 of them new, 0 missing" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", [1, 2])
def test_broken_images_are_listed_and_the_rest_is_done(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: int
) -> None:
    (root / "a" / "broken.jpg").write_text("no picture")
    (root / "cut.png").write_bytes((root / "a/deep/one.png").read_bytes()[:-200])
    write_image(root / "three.png", photograph())  # would share the map of three.jpg
    words = ["--root", str(root), "--out", str(tmp_path / "maps"), "--jobs", str(jobs)]
    assert main(words) == 1
    assert maps_in(tmp_path / "maps") == FILLED - {"three.png"}
    captured = capsys.readouterr()
    assert "3 of them new, 3 missing" in captured.out
    assert all(name in captured.err for name in ("broken.jpg: is not", "cut.png: the file is truncated"))
    assert "three.jpg, three.png: would share the map three.png" in captured.err
    assert main(words) == 1  # they stay broken: the next run must not call the folder complete
    write_image(root / "a" / "broken.jpg", photograph())
    (root / "cut.png").unlink()
    (root / "three.png").unlink()
    assert main(words) == 0


def test_another_providers_folder_is_refused_with_the_difference(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "maps"
    fill(SDSP(), root, out)
    with pytest.raises(RunMismatchError, match="preset is 'icip2013' there and 'vsi' here"):
        fill(SDSP("vsi"), root, out)
    with pytest.raises(RunMismatchError, match="provider is 'SDSP' there and 'Uniform' here"):
        fill(Uniform(), root, out)
    settings = json.loads((out / "settings.json").read_text())
    assert settings["settings"] == {"preset": "icip2013"}
    assert settings["fingerprint"] == SDSP().fingerprint()
    (out / "settings.json").write_text("{}")
    with pytest.raises(RunMismatchError, match="cannot be read"):
        fill(SDSP(), root, out)
    (out / "settings.json").unlink()
    with pytest.raises(RunMismatchError, match=r"no settings\.json"):
        fill(SDSP(), root, out)


def test_a_folder_without_maps_may_change_hands(root: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "settings.json").write_text('{"fingerprint": "of a provider that failed at once"}')
    assert fill(Uniform(), root, tmp_path / "maps") == 0


def test_maps_never_lie_among_the_images(root: Path) -> None:
    for out in (root, root.parent):
        with pytest.raises(RunMismatchError, match="among the images"):
            fill(SDSP(), root, out)
    assert fill(Uniform(), root, root / "maps") == 0
    assert fill(Uniform(), root, root / "maps") == 0  # and are not taken for images
    assert maps_in(root / "maps") == FILLED


def test_some_images_only(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "maps"
    assert main([str(root / "a"), str(root / "three.jpg"), "--root", str(root), "--out", str(out)]) == 0
    assert maps_in(out) == {"a/deep/one.png", "a/two.png", "three.png", "settings.json"}
    with pytest.raises(ImageError, match="not below"):
        main([str(tmp_path), "--root", str(root), "--out", str(out)])


def test_empty_and_missing_roots_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="nowhere: no such folder"):
        fill(SDSP(), tmp_path / "nowhere", tmp_path / "maps")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        fill(SDSP(), tmp_path / "empty", tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("sdps", [], "choose one of centreprior, "),
        ("sdsp", ["preset=best"], "expected icip2013 | vsi"),
        ("sdsp", ["rho=1"], "takes preset=icip2013"),
        ("uniform", ["rho=1"], "takes no settings"),
        ("random", ["seed=x"], "expected int"),
        ("onnx", [], "needs --set path"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(
    name: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        provider_from_words(name, words)
    with pytest.raises(SystemExit):
        main(["--root", ".", "--out", "x", "--provider", name, *(f"--set={word}" for word in words)])
    assert message in capsys.readouterr().err


def test_words_become_what_the_constructor_asks_for() -> None:
    assert provider_from_words("Spectral-Residual", ["sigma=8", "width=32"]).settings() == {"width": 32, "sigma": 8.0}
    assert isinstance(provider_from_words("spectral_residual", []), SpectralResidual)
    dino = provider_from_words("dino", ["weights=a/b.safetensors", "long_side=64"])
    assert dino.settings()["weights"] == Path("a/b.safetensors")
    assert provider_from_words("dino", ["weights=none", "pretrained=timm"]).settings()["pretrained"] == "timm"


def test_help_answers_what_providers_and_settings_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("sdsp preset=icip2013", "dino name=", "onnx path=...", "rho: Standard deviation", "--jobs", "Stored"):
        assert word in text
    assert "cachedmaps" not in text


def running(session: int) -> list[int]:
    """Processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its_session) == session and state not in "ZX":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks into /proc for left-over workers")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_fill_leaves_whole_maps_and_no_workers_and_goes_on(tmp_path: Path, jobs: int) -> None:
    root, out = tmp_path / "images", tmp_path / "maps"
    for i in range(60):
        write_image(root / f"{i:02d}.bmp", photograph(300, 400, seed=i))
    command = [sys.executable, "-m", "sdsiqa", "saliency", "--root", str(root), "--out", str(out), "--jobs", str(jobs)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    while len(list(out.glob("*.png"))) < 8 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while running(process.pid):  # left-over workers would keep this until the test's own limit
        time.sleep(0.05)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 8 <= len(kept) < 60
    assert fill(SDSP(), root, out) == 0
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items())
    for i in range(60):
        image = read_image(root / f"{i:02d}.bmp")
        assert np.abs(Stored(out)(image, f"{i:02d}.bmp") - SDSP()(image, "")).max() <= 0.5 / 255 + 1e-6
