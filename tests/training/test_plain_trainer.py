"""Task and data work with a trainer of one's own: no command line, no run folder, no further callback."""

import inspect
import runpy
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fakes import distorted, scene, write_fake
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

import sdsiqa
from sdsiqa import SDSIQA, QualityDataModule, QualityTask, metrics
from sdsiqa.benchmarks import LIVEC
from sdsiqa.errors import SdsiqaError
from sdsiqa.images import read_image, write_image
from sdsiqa.models import CNNIQA, FusionHead, ImageBranch, SaliencyBranch
from sdsiqa.saliency import SDSP
from sdsiqa.training import TimmSyncBatchNorm

pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parents[2]


def test_a_trainer_of_ones_own_logs_chooses_and_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    write_fake("livec", tmp_path / "livec")
    data = QualityDataModule(LIVEC(tmp_path / "livec"), SDSP(), crop=64, patches_per_image=2, grid=(2, 2), num_workers=0)
    branches = (ImageBranch("test_resnet", weights=None), SaliencyBranch("test_resnet", weights=None))
    best = ModelCheckpoint(tmp_path, monitor="val/rmse", mode="min")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=2, callbacks=[best], **quiet)  # type: ignore[arg-type]
    trainer.fit(QualityTask(SDSIQA(*branches, FusionHead(proj_dim=8, head_dim=8))), data)
    assert {"val/srcc", "val/plcc", "val/krcc", "val/rmse"} <= set(trainer.callback_metrics)
    assert Path(best.best_model_path).is_file()
    assert repr(data) == f"QualityDataModule(LIVE In the Wild in {tmp_path / 'livec'}, split 0, SDSP)"
    (said,) = trainer.test(datamodule=data, verbose=False)
    batches = trainer.predict(datamodule=data)
    assert batches is not None
    score, quality = (torch.cat([batch[name] for batch in batches]).double().numpy() for name in ("score", "quality"))  # type: ignore[call-overload, index]
    for name, value in metrics.agreement(score, quality).items():
        assert said[f"test/{name}"] == pytest.approx(value, abs=1e-6, nan_ok=True)
    assert np.isfinite(said["test/srcc"])


@pytest.mark.parametrize(("parts", "is_same"), [(4, True), (2, False)])
def test_a_step_in_parts_is_the_step_of_all_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int, is_same: bool
) -> None:
    """What `little_memory.yaml` stands on, where no layer looks at other images; with fewer images it is another step."""
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    write_fake("livec", tmp_path / "livec")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    learned = []
    for batch, accumulated in ((4, 1), (1, parts)):
        torch.manual_seed(0)
        network = CNNIQA(dropout=0.0)
        task = QualityTask(network, optimizer=partial(torch.optim.SGD, lr=0.5), schedule="constant", warmup=0)
        trainer = Trainer(max_steps=1, accumulate_grad_batches=accumulated, limit_val_batches=0, accelerator="cpu", **quiet)  # type: ignore[arg-type]
        data = LIVEC(tmp_path / "livec")
        trainer.fit(task, QualityDataModule(data, SDSP(), crop=64, patches_per_image=1, batch_size=batch, num_workers=0))
        learned.append(torch.cat([parameter.detach().flatten() for parameter in network.parameters()]))
    apart = float((learned[0] - learned[1]).abs().max())
    assert (apart < 1e-6) == is_same, apart


def test_a_trainer_that_would_change_the_network_is_refused() -> None:
    """PyTorch's `SyncBatchNorm` takes the place of timm's layers that hold their activation."""
    two = {"devices": 2, "strategy": "ddp", "accelerator": "cpu", "logger": False}
    for backbone, options, is_refused in (
        ("mobilenetv2_035", {"sync_batchnorm": True}, True),
        ("mobilenetv2_035", {"plugins": [TimmSyncBatchNorm()]}, False),
        ("test_resnet", {"sync_batchnorm": True}, False),
    ):
        task = QualityTask(SDSIQA(ImageBranch(backbone), None, FusionHead(proj_dim=8, head_dim=8)))
        task.trainer = Trainer(**two, **options)  # type: ignore[arg-type]
        if is_refused:
            with pytest.raises(SdsiqaError, match=r"use Trainer\(plugins=\[sdsiqa\.training\.TimmSyncBatchNorm"):
                task.setup("fit")
        else:
            task.setup("fit")


SMALL = (  # neither weights nor an hour are at hand
    ('"resnet50", weights="timm"', '"test_resnet", weights=None'),
    ("crop=224", "crop=64, patches_per_image=1, grid=(1, 1), num_workers=0"),
    ("max_epochs=10", 'max_epochs=1, accelerator="cpu"'),
)


def run_example(
    name: str, words: list[str], changes: tuple[tuple[str, str], ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a script of `examples/` in a folder, a few of its words changed."""
    text = (ROOT / "examples" / name).read_text()
    for there, here in changes:
        assert there in text
        text = text.replace(there, here)
    (place / "example.py").write_text(text)
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["example.py", *words])
    runpy.run_path("example.py")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures with their scores."""
    names = [f"{number}.png" for number in range(20)]
    for number, name in enumerate(names):
        write_image(tmp_path / "pictures" / name, distorted(scene(number), number % 5))
    pd.DataFrame({"image": names, "score": [5 - number % 5 for number in range(20)]}).to_csv(tmp_path / "pictures" / "scores.csv")
    return tmp_path


def test_the_example_trains_and_tests(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("own_trainer.py", ["pictures"], SMALL, pictures, monkeypatch)
    said = capsys.readouterr().out
    assert "'val/srcc'" in said
    assert "test/plcc" in said


def test_the_example_compares(pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("compare_methods.py", ["pictures"], SMALL, pictures, monkeypatch)
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.startswith("SRCC of CNNIQA ")
    assert "95 % [" in second


def test_the_example_explains(
    pictures: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["pictures/0.png", "pictures/4.png"]
    run_example("explain_picture.py", [str(run / "checkpoints" / "best.ckpt"), *names], (), pictures, monkeypatch)
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == names
    assert read_image(pictures / "explained.png").shape[0] > 300


def test_every_example_is_run() -> None:
    """The notebook by `make test-docs`."""
    tested = Path(__file__).read_text() + (ROOT / "tests" / "system" / "docs" / "test_notebook.py").read_text()
    assert [file.name for file in (ROOT / "examples").iterdir() if file.is_file() and f'"{file.name}"' not in tested] == []


def test_public_names_are_there() -> None:
    named = {"SDSIQA", "QualityDataModule", "QualityTask", "Scorer", "load", "score"}
    assert {*named, *sdsiqa.__all__} <= set(dir(sdsiqa))
    for name in named:
        assert getattr(sdsiqa, name) is not None


def test_signatures_read_well() -> None:
    assert "numpy.ndarray" not in str(inspect.signature(sdsiqa.Scorer.__call__))
    assert str(inspect.signature(sdsiqa.score)).startswith("(images: 'Image | Iterable[Image]'")
