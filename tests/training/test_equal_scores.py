"""Images of one size are scored together where each keeps its score, which accelerators do and these tests force on a CPU."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from fakes import scene, write_fake
from lightning.pytorch import Trainer
from torch import Tensor, nn

from runs import fit
from sdsiqa.benchmarks import LIVEC
from sdsiqa.cli import main
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.data.loader import EqualSizeLoader
from sdsiqa.images import write_image
from sdsiqa.models import SDSIQA, FusionHead, ImageBranch, SaliencyBranch
from sdsiqa.models.base import QualityNetwork
from sdsiqa.saliency import Uniform
from sdsiqa.training import QualityTask
from sdsiqa.training.equal_scores import TOLERANCE

pytestmark = pytest.mark.filterwarnings("default")


class Watched(QualityNetwork):
    """Counts the images of each call; `share` of the score comes from the neighbours in the batch."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.calls = share, list[int]()
        self.layer = nn.Conv2d(3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        self.calls.append(len(image))
        own = self.layer(image).mean((1, 2, 3))
        return own + self.share * own.mean()

    def pretrained_parts(self) -> list[nn.Module]:
        return []


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LIVEC:
    """Twenty images, every seventh larger than the others."""
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    found = LIVEC(write_fake("livec", tmp_path / "livec"))
    for number, image in enumerate(found.table()["image"]):
        if number % 7 == 3:
            write_image(found.root / image, scene(number, 90, 100))
    return found


@pytest.fixture
def joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an accelerator."""
    monkeypatch.setattr(QualityDataModule, "joins", True)


def data_of(benchmark: LIVEC, **more: Any) -> QualityDataModule:
    settings = {"crop": 64, "patches_per_image": 2, "batch_size": 8, "num_workers": 0, "test_on": "all", "view": "whole"}
    return QualityDataModule(benchmark, Uniform(), **(settings | more))  # type: ignore[arg-type]


def trainer() -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return Trainer(accelerator="cpu", **quiet)  # type: ignore[arg-type]


def scored(network: QualityNetwork, data: QualityDataModule) -> dict[str, Tensor]:
    batches = trainer().predict(QualityTask(network), datamodule=data)
    assert batches is not None
    return {name: torch.cat([batch[name] for batch in batches]) for name in ("index", "score", "quality")}  # type: ignore[call-overload, index]


def batches_of(benchmark: LIVEC) -> list[tuple[int, tuple[int, ...]]]:
    """Give the images of each batch of `data_of`, whose training step has 65 536 pixels, with their size."""
    sizes = [benchmark.load(image).shape[:2] for image in benchmark.table()["image"]]
    found = []
    for size, same in itertools.groupby(sizes):
        count, most = len(list(same)), 65_536 // (size[0] * size[1])
        found += [(min(most, count - start), size) for start in range(0, count, most)]
    return found


def first(benchmark: LIVEC) -> int:
    """Give the images of the first batch that holds several."""
    return next(count for count, _ in batches_of(benchmark) if count > 1)


def small() -> SDSIQA:
    torch.manual_seed(0)
    branches = (ImageBranch("test_resnet", weights=None), SaliencyBranch("test_resnet", weights=None))
    return SDSIQA(*branches, FusionHead(proj_dim=8, head_dim=8))


@pytest.mark.parametrize("more", [{}, {"view": "grid", "grid": (2, 2)}, {"num_workers": 2}])
def test_scores_rows_and_order_are_those_of_images_by_themselves(
    benchmark: LIVEC, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    network = small()
    alone = scored(network, data_of(benchmark, **more))
    monkeypatch.setattr(QualityDataModule, "joins", True)
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    together = scored(network, data_of(benchmark, **more))
    crops = 4 if "grid" in more else 1
    assert max(sizes) > crops
    assert alone["index"].tolist() == list(range(20))
    for name in ("index", "quality"):
        assert torch.equal(alone[name], together[name])
    torch.testing.assert_close(together["score"], alone["score"], rtol=0, atol=TOLERANCE)
    assert alone["score"].unique().numel() == 20


def test_each_shape_is_checked_once_in_each_evaluation_and_then_computed_once(benchmark: LIVEC, joins: None) -> None:
    network = Watched(0.0)
    expected: list[int] = []
    known = set()
    for count, size in batches_of(benchmark):
        expected += [*([1] * count if count > 1 and (count, size) not in known else []), count]
        known.add((count, size))
    assert max(expected) > 2
    assert len(expected) > len(known)  # a shape comes again
    task, data, own = QualityTask(network), data_of(benchmark), trainer()
    for _ in range(2):
        network.calls.clear()
        own.test(task, datamodule=data, verbose=False)
        assert network.calls == expected


def test_a_score_that_depends_on_its_batch_is_computed_alone(
    benchmark: LIVEC, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = Watched(1e-3)
    alone = scored(network, data_of(benchmark))
    monkeypatch.setattr(QualityDataModule, "joins", True)
    network.calls.clear()
    together = scored(network, data_of(benchmark))
    assert torch.equal(together["score"], alone["score"])
    assert [count for count in network.calls if count > 1] == [first(benchmark)]
    assert "with their batch, more than 1e-06: images are scored one at a time" in caplog.text


def test_a_score_that_is_not_finite_is_computed_alone(benchmark: LIVEC, joins: None) -> None:
    network = Watched(0.0)
    nn.init.constant_(network.layer.weight, float("nan"))
    assert scored(network, data_of(benchmark))["score"].isnan().all()
    assert [count for count in network.calls if count > 1] == [first(benchmark)]


def test_on_a_cpu_every_image_is_by_itself(benchmark: LIVEC) -> None:
    network = Watched(0.0)
    scored(network, data_of(benchmark))
    assert network.calls == [1] * 20


def test_a_batch_holds_no_more_than_a_training_step(benchmark: LIVEC, joins: None) -> None:
    for images, batch_size in ((1, 1), (2, 4)):  # of 7680 pixels; a step has 8192 or 32768
        data = data_of(benchmark, batch_size=batch_size)
        loader = data.test_dataloader()
        assert isinstance(loader, EqualSizeLoader)
        found = [batch["image"] for batch in loader]
        assert max(len(batch) for batch in found) == (1 if images == 1 else 4)
        assert sum(len(batch) for batch in found) == 20
        assert all(batch.stride(2) == 1 for batch in found)  # channels last in memory, as one image has them


def test_each_device_joins_its_own_share(benchmark: LIVEC, joins: None) -> None:
    shares = []
    for rank in range(3):
        data = data_of(benchmark, num_workers=0)
        loader = data.test_dataloader()
        loader.sampler.rank, loader.sampler.world = rank, 3  # type: ignore[attr-defined]
        shares.append([int(place) for batch in loader for place in batch["index"]])
    assert shares == [[place % 20 for place in range(rank, 21, 3)] for rank in range(3)]


def test_a_run_chooses_tests_and_keeps_what_it_would_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "other").mkdir()
    alone = fit(tmp_path, "--run.name", "alone")
    with monkeypatch.context() as patch:
        patch.setattr(QualityDataModule, "joins", True)
        together = fit(tmp_path, "--run.name", "together")
    tables = [pd.read_csv(folder / "scores" / "livec-test.csv") for folder in (alone, together)]
    pd.testing.assert_frame_equal(tables[0].drop(columns="score"), tables[1].drop(columns="score"))
    np.testing.assert_allclose(tables[0]["score"], tables[1]["score"], rtol=0, atol=TOLERANCE)
    curves = [pd.read_csv(folder / "metrics.csv")[["epoch", "val/srcc"]].dropna() for folder in (alone, together)]
    pd.testing.assert_frame_equal(*curves)
    before = (together / "scores" / "livec-test.csv").read_bytes()
    assert main(["test", "-c", str(together / "config.yaml")]) == 0  # alone, and the first test stands
    assert (together / "scores" / "livec-test.csv").read_bytes() == before
