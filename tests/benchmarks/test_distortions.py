"""The distortion sets: every level is stronger than the one before, seeded, and what its parameter says."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from fakes import scene
from scipy.signal import convolve2d

from sdsiqa.benchmarks import Demo, Distorted
from sdsiqa.benchmarks import demo as demo_module
from sdsiqa.benchmarks import distorted as module
from sdsiqa.benchmarks import proxy as proxy_module
from sdsiqa.benchmarks.distortions import other_types as kinds
from sdsiqa.benchmarks.distortions.live_types import distort
from sdsiqa.benchmarks.distortions.sets import DBCNN, SETS, TID
from sdsiqa.benchmarks.proxy import gmsd
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError, RunMismatchError
from sdsiqa.images import write_image

IMAGE = scene(1, 96, 112)
NEW = [(kind, name) for kind in ("dbcnn", "tid") for name in SETS[kind]]
RANDOM = {"wn", "pink", "colournoise", "hfnoise", "impulse", "multiplicative", "denoised", "blocks", "eccentric"}


@pytest.mark.parametrize(("kind", "name"), NEW, ids=str)
def test_levels_grow_and_repeat(kind: str, name: str) -> None:
    table = SETS[kind]  # type: ignore[index]
    errors = []
    for level in range(1, len(table[name].strengths) + 1):
        made = [distort(IMAGE, name, level, seed, table) for seed in range(6 if name in RANDOM else 1)]
        assert all(image.shape == IMAGE.shape and image.dtype == np.uint8 for image in made)
        errors.append(np.mean([np.square(image.astype(float) - IMAGE).mean() for image in made]))
    assert errors[0] > 0
    assert errors == sorted(errors)
    made = [distort(IMAGE, name, 2, seed, table) for seed in (7, 7, 8)]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2]) == (name not in RANDOM)


def test_the_benches_are_the_published_ones() -> None:
    assert len(DBCNN) == 9
    assert {len(kind.strengths) for kind in DBCNN.values()} == {5}
    assert [round(ratio) for ratio in DBCNN["jp2k"].strengths] == [52, 150, 343, 600, 1200]
    assert len(TID) == 17 + 2
    assert {len(kind.strengths) for kind in TID.values()} == {4}


def test_parameters_mean_what_they_say() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    assert (kinds.noise(grey, 0.005, rng).astype(float) / 255).var() == pytest.approx(0.005, rel=0.03)
    salted = kinds.impulse_noise(grey, 0.1, rng)
    assert np.isin(salted, (0, 255)).mean() == pytest.approx(0.1, abs=0.005)
    assert len(np.unique(kinds.dither(IMAGE, 8, rng).reshape(-1, 3), axis=0)) == 8
    assert set(np.unique(kinds.quantised(IMAGE, 55, rng))) <= {28, 82, 138, 192, 248}
    stretched = kinds.compressed_contrast(IMAGE, 0.45, rng)
    assert (stretched.min(), stretched.max()) == (round(0.45 * 255), round(0.55 * 255))
    np.testing.assert_array_equal(kinds.mean_shift(grey, -30, rng), grey - 30)
    shifted = kinds.chromatic_aberration(IMAGE, 6, rng)
    np.testing.assert_array_equal(shifted[:, 6:, 0], IMAGE[:, :-6, 0])
    np.testing.assert_array_equal(shifted[:, :-3, 2], IMAGE[:, 3:, 2])
    np.testing.assert_array_equal(shifted[..., 1], IMAGE[..., 1])
    pink = kinds.pink_noise(grey, 0.3, rng).astype(float)[..., 0] - 128
    assert np.abs(pink).max() == pytest.approx(76.5, abs=1)
    power = np.abs(np.fft.rfft2(pink)) ** 2
    assert power[2:4, 2:4].mean() > 30 * power[30:40, 30:40].mean()  # amplitude ~ 1/f
    high = kinds.high_frequency_noise(grey, 0.005, rng).astype(float)[..., 0] - 128
    assert (np.abs(np.fft.rfft2(high)) ** 2)[:20, :20].mean() < 0.02 * (np.abs(np.fft.rfft2(high)) ** 2)[50:70, 50:].mean()


def photographs(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        write_image(folder / f"Photo{number}.png", scene(number, 70, 90))
    return folder


def test_photographs_become_a_benchmark(tmp_path: Path) -> None:
    benchmark = Distorted(tmp_path / "made", photographs(tmp_path / "photos"), "live", longest=64)
    table = benchmark.table()
    assert len(table) == 3 * 25
    assert set(table["content"]) == {"photo0", "photo1", "photo2"}
    row = table[(table["distortion"] == "gblur") & (table["level"] == 3)].iloc[0]
    image, reference = benchmark.load(row["image"]), benchmark.load(row["reference"])
    assert min(image.shape[:2]) == 64
    assert row["quality"] == pytest.approx(1 - np.sqrt(gmsd(reference, image) / 0.32), abs=1e-6)
    (tmp_path / "photos").rename(tmp_path / "gone")  # made: the photographs are not needed any more
    assert len(Distorted(tmp_path / "made", tmp_path / "photos", "live", longest=64).table()) == 75


def test_a_broken_off_making_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, calls = photographs(tmp_path / "photos"), []

    def counted(*arguments: object) -> np.ndarray:
        calls.append(arguments[1:4])
        if len(calls) == 40:
            raise KeyboardInterrupt
        return distort(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "distort", counted)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        Distorted(tmp_path / "made", folder, "live").table()
    assert not (tmp_path / "made" / "proxy.csv").exists()
    calls.append(())  # past the fortieth
    assert len(Distorted(tmp_path / "made", folder, "live").table()) == 75
    assert sum(call[:2] == ("jpeg", 1) for call in calls if call) == 3 + 1  # what was broken off is made again, and it alone


def test_damaged_records_of_a_making_are_named_or_made_again(tmp_path: Path) -> None:
    folder, root = photographs(tmp_path / "photos", 1), tmp_path / "made"
    labels = Distorted(root, folder, "live").table()
    facts, table, rows = root / "distorted.json", root / "proxy.csv", root / "rows" / "photo0.json"
    for content in (b"\xff", b"[1]", b"{"):
        whole = facts.read_bytes()
        facts.write_bytes(content)
        with pytest.raises(RunMismatchError, match=r"distorted\.json cannot be read \(.*\); put it back, or remove the folder"):
            Distorted(root, folder, "live").table()
        facts.write_bytes(whole)
        table.write_bytes(content)
        with pytest.raises(BenchmarkMismatchError, match=rf"cannot be read \(.*\); remove {root}, and it is made again"):
            Distorted(root, folder, "live").table()
        table.unlink()
        rows.write_bytes(content)
        pd.testing.assert_frame_equal(Distorted(root, folder, "live").table(), labels)


@pytest.mark.parametrize("name", ["gblur", "jpeg", "wn"])
def test_gmsd_averages_the_pixels_that_the_authors_average(name: str) -> None:
    """The authors' script in its own words: `conv2(..., 'same')` of a window of 2×2, then `1:2:end`."""
    image = distort(IMAGE, name, 3, 0)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), float)
    halves = convolve2d(grey, np.full((2, 2), 0.25))[1:, 1:][::2, ::2]  # `same` begins at the second row and column
    prewitt = np.array([[1.0, 0, -1]] * 3) / 3
    expected = np.hypot(convolve2d(halves, prewitt, "same"), convolve2d(halves, prewitt.T, "same"))
    inner = np.s_[1:-1, 1:-1]  # the script pads with zeros, which shows at the border alone
    np.testing.assert_allclose(proxy_module._gradient(image)[inner], expected[inner], atol=1e-9)


def test_a_step_between_two_averaged_pixels_is_halved() -> None:
    flat = np.full((16, 16, 3), 100, np.uint8)
    odd, even = flat.copy(), flat.copy()
    odd[:, 7:] = even[:, 8:] = 140  # 7 shares its average with 6, 8 with 9
    magnitude = [np.unique(proxy_module._gradient(picture).round(6)).tolist() for picture in (odd, even)]
    assert magnitude == [[0.0, 20.0, 40.0], [0.0, 40.0]]


def test_data_of_an_older_version_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, root = photographs(tmp_path / "photos", 1), tmp_path / "made"
    labels = Distorted(root, folder, "live").table()["quality"]
    facts, table = root / "distorted.json", root / "proxy.csv"
    stale = pd.read_csv(table).assign(mos=1.0)

    def age() -> None:
        facts.write_text(json.dumps(json.loads(facts.read_text()) | {"version": module.VERSION - 1}))
        stale.to_csv(table, index=False)

    age()
    pd.testing.assert_series_equal(Distorted(root, folder, "live").table()["quality"], labels)
    assert json.loads(facts.read_text())["version"] == module.VERSION
    age()
    with pytest.raises(BenchmarkMismatchError, match="was made by another version of sdsiqa"):
        Distorted(root, tmp_path / "gone", "live").table()

    monkeypatch.setattr(demo_module, "pictures", lambda: iter([demo_module.Picture("cat", 0, False, IMAGE[:64, :64])]))
    labels = Demo(tmp_path / "demo").table()["quality"]
    facts, table = tmp_path / "demo" / "demo.json", tmp_path / "demo" / "proxy.csv"
    stale, module_version = pd.read_csv(table).assign(mos=1.0), json.loads(facts.read_text())["version"]
    facts.write_text(json.dumps({"version": module_version - 1}))
    stale.to_csv(table, index=False)
    pd.testing.assert_series_equal(Demo(tmp_path / "demo").table()["quality"], labels)


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "photographs" / "holiday.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(BenchmarkMismatchError, match="holds files that are not the Demo benchmark's"):
        Demo(mine.parent).table()
    assert mine.read_text() == "mine"


def test_other_photographs_or_settings_are_refused(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "photos", 1)
    Distorted(tmp_path / "made", folder, "live").table()
    with pytest.raises(BenchmarkMismatchError, match="was made from other photographs or with other settings"):
        Distorted(tmp_path / "made", folder, "tid").table()
    with pytest.raises(BenchmarkNotFoundError, match="no photographs in"):
        Distorted(tmp_path / "new", tmp_path / "empty").table()
    write_image(folder / "photo0.bmp", scene(4))
    with pytest.raises(BenchmarkMismatchError, match="would have one name"):
        Distorted(tmp_path / "new", folder).table()
    assert json.loads((tmp_path / "made" / "distorted.json").read_text())["distortions"] == "live"
