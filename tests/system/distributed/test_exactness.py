"""Any number of processes and any batch size give the scores and figures of one process, to the last bit."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from many import LARGE, SMALL, draw

HERE = Path(__file__).parent
CONFIGS = HERE.parents[2] / "configs"
BATCH = {1: 5, 2: 6, 3: 9, 4: 8}
"""Images per step on so many processes: no two alike, and none divides both parts."""
STAGES = ("validate", "test", "predict")


def words(
    root: Path, data: str, folder: Path, world: int, *more: str, backbone: str = "test_resnet", batch: int = 0
) -> list[str]:
    branch = {"backbone": backbone, "weights": None}
    fusion = {"proj_dim": 8, "head_dim": 8, "dropout": 0.0}
    network = {"image_branch": branch, "saliency_branch": branch, "fusion": fusion}
    overlay = root / f"{backbone}.yaml"
    overlay.write_text(json.dumps({"model": {"network": {"init_args": network}}}))
    return [
        *("-c", str(CONFIGS / "demo.yaml"), "-c", str(overlay), "--run.folder", str(folder)),
        *(
            "--data.benchmark",
            "many.More" if data == "large" else "many.Many",
            "--data.benchmark.root",
            str(root / data),
            "--data.split",
            "official",
        ),
        *("--data.batch_size", str(batch or BATCH[world]), "--data.num_workers", "0", "--data.cache", "null"),
        *("--data.crop", "48", "--data.view", "grid" if data == "small" else "whole", "--data.grid", "[2, 2]"),
        *("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--trainer.log_every_n_steps", "1"),
        *("--trainer.enable_model_summary", "false", "--wandb.mode", "disabled", *more),
    ]


def launch(
    root: Path, world: int, commands: Sequence[Sequence[str]], check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    file = root / f"commands-{world}-{len(commands)}.json"
    file.write_text(json.dumps(commands))
    # as many threads in every process: a sum's last digits depend on how it is shared out
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE}:{HERE.parent}", "GLOO_SOCKET_IFNAME": "lo", **environment}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    done = subprocess.run([*command, str(HERE / "work.py"), str(file)], env=env, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr[-4000:]
    return done


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two benchmarks and a trained checkpoint."""
    root = tmp_path_factory.mktemp("many")
    draw(root / "small", val=SMALL, test=LARGE, seed=1)
    draw(root / "large", val=LARGE, test=SMALL, seed=2)
    fit = ["fit", *words(root, "small", root / "fit", 1, "--trainer.max_epochs", "2")]
    launch(root, 1, [fit])
    return root


def evaluations(root: Path, world: int) -> list[list[str]]:
    checkpoint = ("--ckpt_path", str(root / "fit" / "checkpoints" / "best.ckpt"))
    return [
        [stage, *words(root, data, root / f"{stage}-{data}-{world}", world, *checkpoint)]
        for data in ("small", "large")
        for stage in STAGES
    ]


@pytest.fixture(scope="session")
def alone(root: Path) -> Path:
    """What one process gives."""
    launch(root, 1, evaluations(root, 1))
    return root


def table(root: Path, stage: str, data: str, world: int) -> bytes:
    (file,) = (root / f"{stage}-{data}-{world}" / "scores").glob("*.csv")
    return file.read_bytes()


def figures(root: Path, stage: str, data: str, world: int) -> dict[str, float]:
    (values,) = json.loads((root / f"{stage}-{data}-{world}" / "metrics.json").read_text()).values()
    return {name: value for name, value in values.items() if name != "of"}


@pytest.mark.parametrize("world", [2, 3, 4])
def test_scores_and_figures_are_those_of_one_process(alone: Path, world: int) -> None:
    launch(alone, world, evaluations(alone, world))
    for data, val, test in (("small", SMALL, LARGE), ("large", LARGE, SMALL)):
        for stage in STAGES:
            expected = table(alone, stage, data, 1)
            assert expected.count(b"\n") == 1 + (val if stage == "validate" else test)
            assert table(alone, stage, data, world) == expected, (stage, data)
            if stage != "predict":  # which judges nothing
                assert figures(alone, stage, data, world) == pytest.approx(figures(alone, stage, data, 1), abs=1e-12, rel=0)


def test_without_removing_repeats_the_comparison_fails(alone: Path) -> None:
    checkpoint = ("--ckpt_path", str(alone / "fit" / "checkpoints" / "best.ckpt"))
    command = ["validate", *words(alone, "small", alone / "repeats", 4, *checkpoint)]
    done = launch(alone, 4, [command], check=False, KEEP_REPEATS="1")
    assert done.returncode != 0
    # 155 images on 4 processes are padded to 156: the count is checked before anything is written
    assert f"{SMALL + 1} images were scored and the val part has {SMALL}" in done.stderr


def test_training_on_two_processes_takes_the_steps_of_one(root: Path) -> None:
    for world in (1, 2):
        more = ("--trainer.max_epochs", "2", "--model.optimizer.init_args.lr", "1e-4")
        # a network without batch normalisation and dropout sees no difference but rounding; this gate's fusion has none
        for branch in ("image_branch", "saliency_branch"):
            more += (f"--model.network.init_args.{branch}.levels", "[0, 1, 2, 3]")
        more += ("--model.network.init_args.fusion.gate", "glu")
        command = ["fit", *words(root, "small", root / f"steps-{world}", world, *more, backbone="test_convnext", batch=4)]
        launch(root, world, [command])
    one, two = (pd.read_csv(root / f"steps-{world}" / "metrics.csv") for world in (1, 2))
    assert one["step"].tolist() == [0, 5, 10]
    for column, tolerance in (("step", 0), ("train/lr", 0), ("train/loss", 1e-5), ("val/rmse", 1e-4)):
        assert two[column].tolist() == pytest.approx(one[column].tolist(), rel=tolerance, nan_ok=True), column


def test_validation_sees_the_network_that_the_checkpoint_keeps(root: Path) -> None:
    """Each process's batch normalisation has other statistics; those of the first one count, on all."""
    folder = root / "statistics"
    fit = ["fit", *words(root, "small", folder, 2, "--trainer.max_epochs", "1", batch=4)]
    launch(root, 2, [fit])
    again = ["validate", *words(root, "small", folder, 1, batch=4)]
    launch(root, 1, [again])
    course = pd.read_csv(folder / "metrics.csv")
    kept = json.loads((folder / "metrics.json").read_text())["many-val"]
    for name in ("srcc", "plcc", "rmse"):  # the course holds what loggers get: float32
        assert course[f"val/{name}"].iloc[-1] == pytest.approx(kept[name], rel=1e-6), name


def test_a_start_in_closed_form_is_that_of_one_process(root: Path) -> None:
    for world in (1, 2):
        more = ("--trainer.max_epochs", "1", "--model.ridge_start", "sdsiqa.training.RidgeStart", "--model.ridge_start.folder")
        more += (str(root / f"features-{world}"), "--model.network.init_args.fusion.linear_path", "true")
        launch(root, world, [["fit", *words(root, "small", root / f"ridge-{world}", world, *more, batch=4)]])
    one, two = (pd.read_csv(root / f"ridge-{world}" / "metrics.csv").iloc[0] for world in (1, 2))
    assert one["epoch"] == -1  # before the first step
    assert two.dropna().to_dict() == pytest.approx(one.dropna().to_dict(), rel=1e-6)
