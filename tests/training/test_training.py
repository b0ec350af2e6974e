"""Training is exact: the same seed gives the same scores, whatever happens on the way."""

import json
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from network_fakes import build

from runs import fit, words
from sdsiqa.benchmarks import LIVEC
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.cli import main
from sdsiqa.errors import RunMismatchError
from sdsiqa.losses import L1
from sdsiqa.metrics.agreement import srcc
from sdsiqa.runs.folder import RunFolder
from sdsiqa.training import cli

# whole runs pass through Lightning, jsonargparse and torch, whose own deprecations are not ours to fail on
pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "helpers"))


def scores(folder: Path) -> bytes:
    return next((folder / "scores").glob("*-test.csv")).read_bytes()


@pytest.mark.slow
def test_one_seed_gives_one_table_of_scores(tmp_path: Path) -> None:
    first = fit(tmp_path, "--run.name", "first")
    second = fit(tmp_path, "--run.name", "second")
    other = fit(tmp_path, "--seed_everything", "1")
    assert scores(first) == scores(second)
    assert scores(first) != scores(other)
    assert not (first / "figures").exists()  # run.figures is off


def test_a_run_folder_is_complete_and_is_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.perf_counter()
    folder = fit(tmp_path, "--data.split", "3", "--run.figures", "true")
    took = time.perf_counter() - begun
    assert folder.name.startswith("livec-3-0-")  # ${data.split} follows the command line
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {
        *("config.yaml", "run.json", "split.json", "metrics.json", "metrics.csv", "tests.json", "manifest.json"),
        *(".run.lock", ".manifest.lock"),
        *("checkpoints/best.ckpt", "checkpoints/last.ckpt", "scores/livec-test.csv"),
        *(f"figures/{name}-livec-test.{kind}" for name in ("scatter", "panel") for kind in ("png", "pdf")),
    }
    record = RunFolder(folder).record
    assert record["state"] == "finished"
    assert record["cost"]["wall_hours"] * 3600 <= took  # the test loads the best checkpoint, whose time is in it already
    assert record["split_hash"] == json.loads((folder / "split.json").read_text())["sha256"]
    assert {"commit", "dirty"} <= set(record["git"])
    assert pd.read_csv(folder / "metrics.csv")["epoch"].tolist() == [-1, 0, 1]
    before = scores(folder)
    with pytest.raises(SystemExit) as stop:
        main(["fit", "-c", str(folder / "config.yaml")])
    assert stop.value.code == 0
    assert "is finished already; nothing to do" in capsys.readouterr().out
    assert scores(folder) == before


def test_validation_chooses_and_the_last_of_equals_wins(tmp_path: Path) -> None:
    folder = fit(tmp_path, benchmark="live", epochs=4)
    course = pd.read_csv(folder / "metrics.csv", dtype=str).astype(float).fillna({"val/srcc": -2})  # no digit is lost
    best = course[course["val/srcc"] == course["val/srcc"].max()].iloc[-1]
    chosen = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)  # noqa: TID251
    assert chosen["global_step"] == best["step"]
    assert RunFolder(folder).record["best"] == {"epoch": best["epoch"], "step": best["step"], "val/srcc": best["val/srcc"]}
    assert "hyper_parameters" not in chosen


def hopeless(tmp: Path) -> list[str]:
    """A ridge regression as the start, and a training that only undoes it; averaged weights."""
    overlay = tmp / "hopeless.yaml"
    overlay.write_text(
        "model:\n    ridge_start: {penalties: [1, 100]}\n    network: {init_args: {fusion: {linear_path: true}}}\n"
        "    optimizer: {init_args: {lr: 0}}\n"
        "trainer:\n  callbacks:\n    - class_path: sdsiqa.training.EMA\n      init_args: {decay: 0.5}\n"
        "    - class_path: signals.Forget\n"
    )
    return ["-c", str(overlay)]


@pytest.mark.slow
def test_the_start_is_tested_where_no_epoch_reaches_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    folder = fit(tmp_path, *hopeless(tmp_path), "--run.name", "trained", benchmark="demo")
    said = caplog.records[-1].getMessage().splitlines()[-1]
    start = fit(tmp_path, *hopeless(tmp_path), "--run.name", "start", benchmark="demo", epochs=0)
    assert scores(folder) == scores(start)
    course = pd.read_csv(folder / "metrics.csv")
    assert course["epoch"].tolist() == [-1, 0, 1]
    assert course["step"][0] == 0
    value = course["val/srcc"][0]
    assert course["val/srcc"].notna().tolist() == [True, False, False]
    assert RunFolder(folder).record["best"] == {"epoch": -1, "step": 0, "val/srcc": value}
    assert said == f"no epoch reached the val/srcc of {value:.4f} before the first step: the weights of the start were tested"


@pytest.mark.slow
def test_the_validation_of_the_start_changes_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = ("--model.network.init_args.fusion.dropout", "0.3", "--data.num_workers", "1", "--run.name")
    folders = [fit(tmp_path, *more, "with", benchmark="demo")]
    monkeypatch.setattr("sdsiqa.training.checkpoints._validate", lambda trainer: None)
    folders.append(fit(tmp_path, *more, "without", benchmark="demo"))
    one, other = (pd.read_csv(folder / "metrics.csv").drop(columns="train/images_per_second") for folder in folders)
    assert one["epoch"].tolist() == [-1, 0, 1]
    pd.testing.assert_frame_equal(one[1:].reset_index(drop=True), other)
    last = [torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in folders]  # noqa: TID251
    for name, value in last[0]["state_dict"].items():
        assert torch.equal(value, last[1]["state_dict"][name]), name


def test_training_on_all_but_the_test_part_ends_with_the_last_weights(tmp_path: Path) -> None:
    folder = fit(tmp_path, "--data.fit_on", "train+val")
    assert RunFolder(folder).record["chosen_by"] == "last"
    assert "best" not in RunFolder(folder).record
    assert pd.read_csv(folder / "metrics.csv")["epoch"].tolist() == [0, 1]
    assert not (folder / "checkpoints" / "best.ckpt").exists()


def test_training_starts_from_the_mean_quality(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        folder = fit(tmp_path, "--model.network.init_args.fusion.dropout", "0", epochs=0)
    assert "weights_only" not in caplog.text  # Lightning's word for another thing than opening files without running code
    weights = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]  # noqa: TID251
    labels = LIVEC(tmp_path / "data" / "livec")
    rows = make_split("livec", labels.table(), 0).train
    assert weights["network.fusion.head.output.bias"].item() == pytest.approx(
        labels.table().loc[list(rows), "quality"].mean(), rel=1e-6
    )


def test_the_start_from_ridge_regression_needs_no_epoch(tmp_path: Path) -> None:
    overlay = tmp_path / "ridge.yaml"
    overlay.write_text(
        "model:\n  ridge_start: {penalties: [1, 100]}\n  network:\n    init_args:\n"
        "      fusion: {linear_path: true}\n      guidance: centered\n      saliency_branch: {attention: none}\n"
    )
    folder = fit(tmp_path, "-c", str(overlay), epochs=0)
    table = pd.read_csv(folder / "scores" / "livec-test.csv")
    assert table["score"].nunique() == len(table)
    assert (table["score"].between(-1, 2)).all()


def test_twelve_images_are_learnt_by_heart() -> None:
    generator = torch.Generator().manual_seed(3)
    image, saliency = torch.rand(12, 3, 32, 32, generator=generator), torch.rand(12, 1, 32, 32, generator=generator)
    quality = torch.rand(12, generator=generator)
    torch.manual_seed(0)
    network = build(fusion={"head_dim": 32, "dropout": 0.0})
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        L1()(network(image, saliency), quality).backward()
        optimizer.step()
    assert srcc(network(image, saliency).detach().numpy(), quality.numpy()) > 0.95


@pytest.mark.parametrize("more", [["--trainer.precision", "bf16-mixed"], ["--model.channels_last", "true"]])
def test_other_precisions_and_layouts_train(tmp_path: Path, more: list[str]) -> None:
    table = pd.read_csv(fit(tmp_path, *more, epochs=1) / "scores" / "livec-test.csv")
    assert table["score"].notna().all()


def test_a_folder_of_other_data_is_refused(tmp_path: Path) -> None:
    folder = fit(tmp_path, epochs=1)
    record = RunFolder(folder)
    record.update(state="started", data_version="another")
    with pytest.raises(RunMismatchError, match="holds a run whose data_version is 'another'"):
        cli.main(["fit", *words(tmp_path, epochs=1)])


def test_untrained_weights_are_not_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", *words(tmp_path)]) == 1
    assert "has no checkpoint, and untrained weights are not tested; train first" in capsys.readouterr().err


def test_another_benchmark_is_tested_into_the_same_folder(tmp_path: Path) -> None:
    folder = fit(tmp_path, epochs=1)
    other = words(tmp_path, "bid")
    root = other[other.index("--data.benchmark.init_args.root") + 1]
    more = ["--data.benchmark.class_path", "sdsiqa.benchmarks.BID", "--data.benchmark.init_args.root", root]
    assert main(["test", "-c", str(folder / "config.yaml"), *more, "--data.test_on", "all"]) == 0
    assert len(pd.read_csv(folder / "scores" / "bid-all.csv")) == 20
    assert set(json.loads((folder / "metrics.json").read_text())) == {"livec-test", "bid-all"}
