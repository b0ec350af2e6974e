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

from sdsiqa.cli import main as command
from sdsiqa.errors import ImageError, RunMismatchError
from sdsiqa.images import read_image, write_image
from sdsiqa.saliency import SDSP, Random, Stored, Uniform
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
    words = [str(root), "--jobs", str(jobs), "--out", ""]
    for provider in (SDSP("vsi"), Random(3)):
        out = tmp_path / type(provider).__name__
        words[-1] = str(out)
        settings = [f"--provider.{key}={value}" for key, value in provider.settings().items()]
        assert main([*words, "--provider", type(provider).__name__.lower(), *settings]) == 0
        assert maps_in(out) == FILLED
        for name in NAMES:
            image = read_image(root / name)
            assert np.array_equal(Stored(out).seen(image, name), provider.seen(image, name))


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
    words = [str(root), "--out", str(tmp_path / "maps"), "--jobs", str(jobs)]
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
    assert main([str(root), "--only", "a/*o", "--out", str(out)]) == 0
    assert maps_in(out) == {"a/deep/one.png", "a/two.png", "settings.json"}
    with pytest.raises(ImageError, match="holds no image with 'zebra' in its path"):
        main([str(root), "--only", "zebra", "--out", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()


def test_empty_and_missing_roots_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="nowhere: no such folder"):
        fill(SDSP(), tmp_path / "nowhere", tmp_path / "maps")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        fill(SDSP(), tmp_path / "empty", tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sdps", "there is no provider 'sdps'; did you mean 'SDSP'? choose one of "),
        ("SDSP --provider.preset best", "provider.preset is 'best'; expected one of icip2013, vsi"),
        ("sdsp --provider.prest vsi", "there is no 'provider.prest'; did you mean 'provider.preset'?"),
        ("uniform --provider.rho 1", "there is no 'provider.rho'"),
        ("random --provider.seed x", "provider.seed is 'x'; expected a whole number"),
        ("onnx", "provider: the following arguments are required: path"),
        ("centreprior --provider.rho -1", "--provider: rho is -1.0; expected a number above 0"),
        ("sdsiqa.saliency.Nope", "there is no 'Nope' in sdsiqa.saliency"),
        ("nowhere.yaml", "nowhere.yaml does not exist; give a data file"),
        ("sdsp --provder.preset vsi", "there is no '--provder.preset'"),
        ("sdsp --jobs 0", "--jobs: '0' is not possible; expected a whole number, at least 1"),
        ("sdsp --out {file}", "--out: {file} is a file; expected a folder"),
    ],
)
def test_what_is_wrong_with_a_provider_is_told_in_one_line_before_anything_is_made(
    words: str, message: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    line = ["saliency", str(root), "--out", str(tmp_path / "maps"), "--provider", *words.format(file=file).split()]
    try:
        status = command(line)
    except SystemExit as stop:
        status = stop.code  # type: ignore[assignment]
    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("sdsiqa saliency: ")
    assert message.format(file=file) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("Spectral-Residual --provider.sigma=8 --provider.width 32", "SpectralResidual(width=32, sigma=8.0)"),
        ("sdsiqa.saliency.spectral_residual.SpectralResidual", "SpectralResidual(width=64, sigma=2.5)"),
        ("spectral_residual --provider.width 32", "SpectralResidual(width=32, sigma=2.5)"),
        ("data.yaml", "Random(seed=7)"),
        ("data.yaml --provider.seed 8", "Random(seed=8)"),
    ],
)
def test_a_provider_is_named_shortly_by_path_or_by_data_file(
    words: str, made: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.yaml").write_text("saliency: {class_path: sdsiqa.saliency.Random, init_args: {seed: 7}}")
    assert main([str(root), "--out", "maps", "--provider", *words.split()]) == 0
    assert f"4 maps of {made}" in capsys.readouterr().out


def test_help_answers_what_providers_and_settings_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("SDSP", "CentrePrior", "Onnx", "--jobs", "--provider.help", "Stored"):
        assert word in text
    assert "CachedMaps" not in text
    for name, words in {"centreprior": ["--provider.rho", "Standard deviation"], "Onnx": ["--provider.path", "required"]}.items():
        with pytest.raises(SystemExit, match="0"):
            main(["--provider.help", name])
        text = capsys.readouterr().out
        assert all(word in text for word in words)


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
    command = [sys.executable, "-m", "sdsiqa", "saliency", str(root), "--out", str(out), "--jobs", str(jobs)]
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
