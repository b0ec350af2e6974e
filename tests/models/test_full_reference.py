"""PSNR and SSIM: torchmetrics' figures to the last bit, and runs that have nothing to train."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from fakes import write_fake
from scipy.ndimage import uniform_filter
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from runs import CONFIGS, stand_in
from sdsiqa import report
from sdsiqa.benchmarks import LIVE
from sdsiqa.cli import main
from sdsiqa.errors import CheckpointError
from sdsiqa.experiments.resolve_config import resolve
from sdsiqa.inference.scorer import load
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.psnr import PSNR
from sdsiqa.models.ssim import SSIM, reduced
from sdsiqa.runs.folder import RunFolder


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")


def pair(count: int = 3, height: int = 97, width: int = 131) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    reference = torch.rand(count, 3, height, width, generator=generator)
    noise = torch.linspace(0.02, 0.2, count).view(-1, 1, 1, 1)
    return (reference + noise * torch.randn(reference.shape, generator=generator)).clamp(0, 1), reference


@pytest.mark.parametrize("channels", ["y", "rgb"])
def test_psnr_is_that_of_torchmetrics(channels: Any) -> None:
    image, reference = pair()
    view = luma if channels == "y" else lambda picture: picture
    expected = [peak_signal_noise_ratio(view(a[None]), view(b[None]), data_range=1.0, reduction="none", dim=(1, 2, 3))
                for a, b in zip(image, reference, strict=True)]  # fmt: skip
    # a mean over one picture and over several are summed in another order by some kernels
    torch.testing.assert_close(PSNR(channels).decibels(image, reference), torch.cat(expected), rtol=1e-6, atol=0)
    torch.testing.assert_close(PSNR(channels)(image, reference), torch.cat(expected) / 100, rtol=1e-6, atol=0)
    assert PSNR(channels)(reference, reference).tolist() == [1.0] * 3


def test_psnr_of_a_hand_worked_pair() -> None:
    reference = torch.zeros(1, 3, 8, 8)
    image = reference.clone()
    image[:, 1] = 0.1  # green alone: luma differs by 0.0587
    assert PSNR("y").decibels(image, reference).item() == pytest.approx(-20 * np.log10(0.0587), abs=1e-4)
    assert PSNR("rgb").decibels(image, reference).item() == pytest.approx(-10 * np.log10(0.01 / 3), abs=1e-4)


def test_ssim_is_that_of_torchmetrics() -> None:
    image, reference = pair()
    own = SSIM(downsample=False, border="reflect")(image, reference)
    expected = structural_similarity_index_measure(luma(image), luma(reference), data_range=1.0, reduction="none")
    torch.testing.assert_close(own, expected, rtol=1e-6, atol=1e-7)
    assert own.tolist() == sorted(own.tolist(), reverse=True)  # more noise, less similarity


def test_the_authors_average_where_the_window_lies_inside() -> None:
    image, reference = pair()
    _, places = structural_similarity_index_measure(
        luma(image), luma(reference), data_range=1.0, reduction="none", return_full_image=True
    )
    assert places.shape[-2:] == (97, 131)
    own = SSIM()(image, reference)
    torch.testing.assert_close(own, places[..., 5:-5, 5:-5].mean((1, 2, 3)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(97, 131, 1), (383, 500, 1), (384, 500, 2), (513, 641, 2), (641, 650, 3), (897, 901, 4), (1152, 1153, 5)],
)
def test_large_images_are_reduced_as_the_authors_do(height: int, width: int, factor: int) -> None:
    image, reference = pair(1, height, width)
    # MATLAB's imfilter(…, 'symmetric', 'same'): scipy's mirroring `reflect` is its `symmetric`; the middle of a window of even
    # side is the pixel before its centre there, and the one after it in scipy
    origin = 0 if factor % 2 else -1
    small = [
        uniform_filter(np.asarray(luma(picture), float), (1, 1, factor, factor), mode="reflect", origin=(0, 0, origin, origin))
        for picture in (image, reference)
    ]
    small = [torch.from_numpy(picture[..., ::factor, ::factor]).float() for picture in small]
    torch.testing.assert_close(reduced(luma(image), factor), small[0])
    expected = SSIM(downsample=False)(*(picture.expand(-1, 3, -1, -1) for picture in small))
    torch.testing.assert_close(SSIM()(image, reference), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("method", ["psnr", "ssim"])
def test_a_run_is_its_test_on_whole_images(method: str, tmp_path: Path) -> None:
    args = stand_in(tmp_path, method, "live", "--data.view", "grid", "--run.method", method, epochs=16)
    assert main(["fit", *args]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    record = RunFolder(folder).record
    assert (record["state"], record["chosen_by"]) == ("finished", "nothing to choose")
    assert {"metrics.json", "split.json", "config.yaml"} <= {file.name for file in folder.iterdir()}
    benchmark = LIVE(tmp_path / "data" / "live")
    table, scores = benchmark.table(), pd.read_csv(folder / "scores" / "live-test.csv")
    assert set(scores["image"]) == set(json.loads((folder / "split.json").read_text())["test"]["images"])
    network = {"psnr": PSNR, "ssim": SSIM}[method]()
    for index, score in zip(scores["index"], scores["score"], strict=True):
        names = table.loc[index, ["image", "reference"]]
        image, reference = (torch.from_numpy(benchmark.load(n)).permute(2, 0, 1)[None].float().div(255) for n in names)
        assert score == pytest.approx(network(image, reference).item(), rel=1e-6)
    report.write([folder], tmp_path / "report", with_images=False)
    assert method in (tmp_path / "report" / "report.md").read_text()
    with pytest.raises(CheckpointError, match="compares with references, so a single image has no score"):
        load(folder / "checkpoints" / "last.ckpt")


@pytest.mark.filterwarnings("default")
def test_without_references_there_is_a_reason_and_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = stand_in(tmp_path, "psnr", "livec")
    (answer,) = resolve([args])
    assert "compared with their references here, and LIVE In the Wild has none" in answer.error
    assert main(["fit", *args]) == 1
    assert "compared with their references here, and LIVE In the Wild has none" in capsys.readouterr().err
    (answer,) = resolve([stand_in(tmp_path, "psnr", "live")])
    assert (answer.error, len(answer.hash)) == ("", 8)


def test_the_demo_has_references(tmp_path: Path) -> None:
    write_fake("demo", tmp_path / "data" / "demo")
    (answer,) = resolve(
        [["-c", str(CONFIGS / "demo.yaml"), "--model", str(CONFIGS / "model" / "ssim.yaml"),
          "--data.benchmark.init_args.root", str(tmp_path / "data" / "demo")]]
    )  # fmt: skip
    assert answer.error == ""
