"""A run that is stopped or killed anywhere goes on at the exact step, and ends as an unbroken one."""

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from runs import fit, words
from sdsiqa.cli import main
from sdsiqa.data.sampler import EpochSampler
from sdsiqa.runs.folder import RunFolder

pytestmark = pytest.mark.filterwarnings("default")
EPOCHS = 3


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "helpers"))


def settings(tmp: Path, *events: str) -> list[str]:
    """Averaged weights, a schedule over steps, dropout; and what happens to the run."""
    overlay = tmp / f"exact-{len(events)}.yaml"
    average = "    - class_path: sdsiqa.training.EMA\n      init_args: {decay: 0.9}\n"
    overlay.write_text("trainer:\n  callbacks:\n" + average + "".join(f"    - {event}\n" for event in events))
    schedule = ("--model.schedule", "one_cycle", "--model.network.init_args.fusion.dropout", "0.3")
    return ["-c", str(overlay), *schedule, "--data.batch_size", "2"]


def event(step: int, name: str) -> str:
    return f"{{class_path: signals.SignalAt, init_args: {{step: {step}, name: {name}}}}}"


def same(one: Path, other: Path) -> None:
    (mine,), (its,) = ((folder / "scores").glob("*-test.csv") for folder in (one, other))
    assert mine.read_bytes() == its.read_bytes()
    courses = [pd.read_csv(folder / "metrics.csv").drop(columns="train/images_per_second") for folder in (one, other)]
    pd.testing.assert_frame_equal(*courses)


@pytest.mark.slow
def test_a_stopped_run_goes_on_at_the_exact_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = fit(tmp_path, *settings(tmp_path), "--run.name", "whole", epochs=EPOCHS)
    for name, step, status, workers in (("SIGUSR1", 9, 75, "0"), ("SIGTERM", 3, 143, "1")):
        more = [*settings(tmp_path, event(step, name)), "--run.name", name, "--data.num_workers", workers]
        events = words(tmp_path, "livec", *more, epochs=EPOCHS)
        assert main(["fit", *events]) == status
        assert f"sdsiqa fit: stopped after step {step + 1} of epoch" in capsys.readouterr().err
        (broken,) = (tmp_path / "runs").glob(f"{name}-*")
        kept = torch.load(RunFolder(broken).last, weights_only=True)  # noqa: TID251
        assert kept["global_step"] == step + 1
        assert signal.getsignal(signal.Signals[name]) == signal.SIG_DFL  # nothing is left behind
        assert main(["fit", *events]) == 0
        same(whole, broken)


@pytest.mark.slow
def test_a_stopped_run_remembers_that_its_start_is_the_best(tmp_path: Path) -> None:
    more = ("-c", str(tmp_path / "ridge.yaml"), "--model.optimizer.init_args.lr", "0")
    ridge = "ridge_start: {penalties: [1, 100]}, network: {init_args: {fusion: {linear_path: true}}}"
    (tmp_path / "ridge.yaml").write_text(f"model: {{{ridge}}}\n")
    forget = "{class_path: signals.Forget}"
    whole = fit(tmp_path, *settings(tmp_path, forget), *more, "--run.name", "whole", benchmark="demo", epochs=EPOCHS)
    broken = words(
        tmp_path, "demo", *settings(tmp_path, forget, event(3, "SIGTERM")), *more, "--run.name", "broken", epochs=EPOCHS
    )
    assert main(["fit", *broken]) == 143
    assert main(["fit", *broken]) == 0
    (folder,) = (tmp_path / "runs").glob("broken-*")
    same(whole, folder)
    assert RunFolder(folder).record["best"] == RunFolder(whole).record["best"]
    assert RunFolder(folder).record["best"]["epoch"] == -1


@pytest.mark.slow
def test_checkpoints_within_an_epoch_do_not_change_the_result(tmp_path: Path) -> None:
    whole = fit(tmp_path, *settings(tmp_path), "--run.name", "whole", epochs=EPOCHS)
    often = fit(tmp_path, *settings(tmp_path), "--run.name", "often", "--run.checkpoint_every", "2", epochs=EPOCHS)
    same(whole, often)


def test_a_broken_epoch_goes_on_behind_what_is_done() -> None:
    for world in (1, 2):
        whole = EpochSampler(10, True, 3, 0, world)
        whole.set_epoch(4)
        rest = EpochSampler(10, True, 3, 0, world)
        rest.go_on(4, 2)
        assert list(rest) == list(whole)[2:]
        assert len(rest) == len(whole)
        rest.set_epoch(5)
        assert len(list(rest)) == len(rest)  # the next epoch is whole again


def test_the_images_of_a_step_are_the_same_on_any_number_of_devices() -> None:
    for step in range(3):
        sets = []
        for world in (1, 2, 4):
            share = 8 // world
            parts = [list(EpochSampler(24, True, 0, rank, world))[step * share : (step + 1) * share] for rank in range(world)]
            sets.append(sorted(position for part in parts for _, position in part))
        assert np.array_equal(sets[0], sets[1])
        assert np.array_equal(sets[0], sets[2])
