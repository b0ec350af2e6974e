"""BLIINDS-II: its features against known values, its regression against scikit-learn, a run of it."""

import math
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import fft
from scipy.stats import gennorm
from sklearn.svm import SVR
from torch import Tensor

from runs import stand_in
from sdsiqa.cli import main
from sdsiqa.errors import MissingExtraError
from sdsiqa.inference.scorer import load
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models import bliinds2 as parts
from sdsiqa.models.bliinds2 import BLIINDS2
from sdsiqa.models.components.kernel_map import KernelMap
from sdsiqa.runs.folder import RunFolder
from sdsiqa.training.solvers.feature_regression import FeatureRegression, Fold, LeastSquares, SupportVectorRegression

KNOWN = [
    *(1.304247, 2.729577, 1.013056, 0.363000, 0.647446, 0.982487, 0.122119, 0.432992),
    *(1.690848, 2.412443, 0.613404, 0.392900, 0.924959, 0.990796, 0.260259, 0.672982),
    *(1.593816, 1.923577, 0.661417, 0.409000, 0.917296, 0.979616, 0.116393, 0.417921),
]


def pattern() -> Tensor:
    r, c = torch.arange(50.0, dtype=torch.float64)[:, None], torch.arange(65.0, dtype=torch.float64)
    return 100 + 50 * torch.sin(r / 3) + 40 * torch.cos(c / 5) + (31 * r + 17 * c + r * c) % 64


def noisy(count: int, seed: int = 2) -> tuple[Tensor, Tensor]:
    """Smooth pictures with ever more noise, and their quality."""
    generator = torch.Generator().manual_seed(seed)
    strength = torch.linspace(0, 0.3, count)
    smooth = torch.nn.functional.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (48, 60), mode="bicubic")
    noise = torch.randn(count, 3, 48, 60, generator=generator)
    return (smooth + strength.view(-1, 1, 1, 1) * noise).clamp(0, 1), 1 - strength / 0.3


def test_features_of_a_known_picture() -> None:
    found = parts.features(pattern()[None])
    np.testing.assert_allclose(found[0].numpy(), KNOWN, atol=1e-5, rtol=0)


def test_features_of_a_picture_do_not_depend_on_its_batch() -> None:
    planes = torch.stack([pattern(), pattern().flip(0), 128 + 0 * pattern()])
    together = parts.features(planes)
    torch.testing.assert_close(together, torch.cat([parts.features(plane[None]) for plane in planes]))
    assert torch.isfinite(together).all()


@pytest.mark.parametrize(("height", "width"), [(6, 9), (7, 8), (50, 65)])
def test_windows_are_tiles_with_a_border_and_nothing_outside(height: int, width: int) -> None:
    plane = torch.arange(1.0, height * width + 1, dtype=torch.float64).view(1, height, width)
    found = parts.windows(plane)
    rows, columns = -(-height // 3), -(-width // 3)
    assert found.shape == (1, 25, rows * columns)
    framed = np.zeros((3 * rows + 2, 3 * columns + 2))
    framed[1 : height + 1, 1 : width + 1] = plane[0]
    for i in range(rows):
        for j in range(columns):
            window = framed[3 * i : 3 * i + 5, 3 * j : 3 * j + 5]
            assert np.array_equal(found[0, :, i * columns + j].view(5, 5).numpy(), window)


def test_coefficients_are_those_of_scipy_and_the_statistics_those_of_the_paper() -> None:
    window = torch.from_numpy(np.random.default_rng(3).uniform(0, 255, (5, 5)))
    coefficients = parts.dct(window.reshape(1, 25, 1))
    expected = fft.dctn(window.numpy(), norm="ortho")
    np.testing.assert_allclose(coefficients[0, :, 0].numpy(), expected.reshape(-1)[1:], atol=1e-10)
    c = np.abs(expected.reshape(-1)[1:])
    assert parts.variation(coefficients).item() == pytest.approx(c.std(ddof=1) / (c.mean() + 1e-7))
    low = expected[[0, 1, 0, 2, 1], [1, 0, 2, 0, 1]].var(ddof=1)
    high = expected[[2, 3, 4, 3, 4, 4], [4, 3, 2, 4, 3, 4]].var(ddof=1)
    rest = [(i, j) for i in range(5) for j in range(5) if (i, j) not in
            {(0, 0), (0, 1), (1, 0), (0, 2), (2, 0), (1, 1), (2, 4), (3, 3), (4, 2), (3, 4), (4, 3), (4, 4)}]  # fmt: skip
    middle = np.array([expected[place] for place in rest]).var(ddof=1)
    first = abs(high - (low + middle) / 2) / (high + (low + middle) / 2 + 1e-8)
    second = abs(middle - low) / (high + low + 1e-8)
    assert parts.energy_ratio(coefficients).item() == pytest.approx((first + second) / 2)


def test_the_orientations_are_all_coefficients_once() -> None:
    places = [place for some in parts._ORIENTATIONS for place in parts._places(some)]
    assert sorted(places) == list(range(24))
    assert sorted(place for band in parts._BANDS for place in parts._places(band)) == list(range(24))
    flat = torch.zeros(1, 5, 5, dtype=torch.float64)
    flat[0, 0, 3] = 7.0  # one horizontal frequency: a set of one orientation varies, the others do not
    spread = math.sqrt(8) / (1 + 1e-7 * 8 / 7)
    turned = flat.transpose(1, 2)
    for window in (flat, turned):
        found = parts.orientation(window.reshape(1, 25, 1)[:, 1:])
        assert found.item() == pytest.approx(np.var([spread, 0, 0], ddof=1), rel=1e-5)


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_the_shape_of_a_generalised_gaussian_is_recovered(shape: float) -> None:
    drawn = gennorm.ppf((np.arange(200_000) + 0.5) / 200_000, shape)
    assert parts.shape(torch.from_numpy(100 * drawn)[None, :, None]).item() == pytest.approx(shape, rel=0.02)


def test_what_has_no_shape_is_called_eleven() -> None:
    assert parts.shape(torch.zeros(1, 24, 1, dtype=torch.float64)).item() == 11
    shapes, ratios = parts._table()
    assert (shapes[0].item(), shapes[-1].item(), len(shapes)) == (0.03, 10.0, 9971)
    assert (np.diff(ratios) < 0).all()


def test_worst_is_the_tenth_rounded_up() -> None:
    values = torch.arange(1.0, 22.0, dtype=torch.float64)[None]  # 21 windows: three of them
    assert parts.worst_mean(values, worst_is_large=True).item() == 20
    assert parts.worst_mean(values, worst_is_large=False).item() == 2
    assert parts.worst_mean(values[:, :20], worst_is_large=True).item() == 19.5


def test_the_next_scale_keeps_every_second_row_and_column() -> None:
    plane = torch.zeros(1, 6, 8, dtype=torch.float64)
    plane[0, 3, 5] = 1.0
    side = math.exp(-2) / (1 + 2 * math.exp(-2))
    small = parts.half(plane)
    assert small.shape == (1, 3, 4)
    assert small[0, 1, 2].item() == pytest.approx((1 - 2 * side) ** 2)
    assert parts.half(plane.roll(-1, 1))[0, 1, 2].item() == pytest.approx(side * (1 - 2 * side))


def test_five_images_a_second_on_one_core() -> None:
    plane = torch.rand(1, 384, 512, dtype=torch.float64) * 255
    parts.features(plane)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    begun = time.thread_time()
    for _ in range(3):
        parts.features(plane)
    took = (time.thread_time() - begun) / 3
    torch.set_num_threads(threads)
    assert took < 0.2


def test_red_or_luma() -> None:
    image = torch.rand(1, 3, 40, 40)
    assert torch.equal(BLIINDS2().pooled_features(image), parts.features(255 * image[:, 0].double()))
    assert not torch.allclose(BLIINDS2().pooled_features(image), BLIINDS2("luma").pooled_features(image))


def test_buffers_predict_what_scikit_learn_predicts() -> None:
    generator = np.random.default_rng(1)
    x, held = generator.normal(size=(60, 24)), generator.normal(size=(40, 24))
    y = np.tanh(x[:, 0]) / 3 + x[:, 1] ** 2 / 9
    regressor = KernelMap(24)
    for cost, gamma in ((1.0, 0.125), (8.0, 0.01)):
        fit = SupportVectorRegression([cost], [gamma]).candidates()
        (solution,) = [candidate(x, y) for candidate in fit.values()]
        regressor.set(mean=np.zeros(24), scale=np.ones(24), **solution)
        expected = SVR(kernel="rbf", C=cost, gamma=gamma, epsilon=0.05).fit(x, y).predict(held)
        np.testing.assert_allclose(regressor(torch.from_numpy(held)).numpy(), expected, atol=1e-10)


def test_distances_shared_by_all_candidates_choose_what_each_on_its_own_would() -> None:
    generator = np.random.default_rng(2)
    x, held = generator.normal(size=(60, 24)), generator.normal(size=(40, 24))
    quality = [np.tanh(part[:, 0] + part[:, 1]) for part in (x, held)]
    regression = SupportVectorRegression([0.25, 1.0], [0.003, 0.3, 30.0])
    folds = [Fold(x, quality[0], held, quality[1]), Fold(held, quality[1], x, quality[0])]
    found, alone = regression.merits(folds), FeatureRegression.merits(regression, folds)
    assert list(found) == list(alone) == list(regression.candidates())
    assert len({round(merit, 3) for merit in found.values()}) > 3
    for name, merit in alone.items():
        assert found[name] == pytest.approx(merit, abs=1e-3), name


def test_least_squares_are_those_of_numpy() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(60, 24))
    x -= x.mean(0)
    y = x @ generator.normal(size=24) + 0.4 + 0.1 * generator.normal(size=60)
    regressor = KernelMap(24)
    regressor.set(mean=np.zeros(24), scale=np.ones(24), **LeastSquares().candidates()["least squares"](x, y))
    ones = np.hstack([x, np.ones((60, 1))])
    np.testing.assert_allclose(regressor(torch.from_numpy(x)).numpy(), ones @ np.linalg.lstsq(ones, y)[0], atol=1e-10)


def test_rounding_brings_scores_to_the_releases_grid() -> None:
    network = BLIINDS2(rounding=True)
    for score, expected in ((0.512, 0.51), (0.5151, 0.515), (1.3, 0.99), (-2.0, 0.0)):
        network.regressor.bias.fill_(score)
        assert network(torch.rand(1, 3, 32, 32)).item() == pytest.approx(expected)


@pytest.mark.parametrize("regression", [SupportVectorRegression([1.0, 64.0], [0.01, 0.1]), LeastSquares()])
def test_twelve_images_are_learnt_by_heart_and_loaded_again(regression: FeatureRegression) -> None:
    image, quality = noisy(12)
    network = BLIINDS2()
    features = network.pooled_features(image).numpy()
    mean, scale = features.mean(0), features.std(0)
    *_, last = regression.candidates().values()
    network.regressor.set(mean=mean, scale=scale, **last((features - mean) / scale, quality.numpy()))
    assert srcc(network(image).numpy(), quality.numpy()) > 0.95
    other = BLIINDS2()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(image), network(image))
    assert not list(network.parameters())


def test_scikit_learn_comes_with_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(MissingExtraError, match=r"needs scikit-learn: pip install 'sdsiqa\[svr\]'"):
        SupportVectorRegression().candidates()


@pytest.mark.filterwarnings("default")
def test_a_run_fits_and_scores_without_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_CACHE", str(tmp_path / "cache"))
    overlay = tmp_path / "few.yaml"
    overlay.write_text("model: {regression: {init_args: {costs: [1, 8], gammas: [0.01, 0.1]}}}\n")
    args = stand_in(tmp_path, "bliinds2", "live", "-c", str(overlay), epochs=3)
    assert main(["fit", *args]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    record = RunFolder(folder).record
    assert (record["state"], record["chosen_by"]) == ("finished", "val/srcc")
    assert record["cost"]["training_hours"] > 0
    assert len(list((tmp_path / "cache" / "features").glob("*.npz"))) >= 1
    table = pd.read_csv(folder / "scores" / "live-test.csv")
    assert table["score"].nunique() > 1
    monkeypatch.setitem(sys.modules, "sklearn", None)  # a checkpoint scores without it
    scorer = load(folder / "checkpoints" / "last.ckpt")
    (root,) = (tmp_path / "data" / "live").rglob("refimgs")
    files = [root.parent / name for name in table["image"]]
    np.testing.assert_allclose(scorer(files), table["score"], atol=1e-6)
