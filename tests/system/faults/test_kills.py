"""SIGKILL at twenty moments of a training: each time the run goes on, and ends with the scores of an unbroken one."""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "helpers")]

from lives import Survivals, live  # noqa: E402
from offline_runs import rows  # noqa: E402

from runs import words  # noqa: E402
from sdsiqa.runs.folder import RunFolder  # noqa: E402
from sdsiqa.runs.manifest import Manifest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
KILLS, EVERY, EPOCHS = 20, 3, 4
LOGGED = 5
"""Every so many-th run logs to W&B, whose service takes a second to start."""
MOMENTS: dict[int, Callable[[Path], object]] = {
    1: Path.exists,
    2: lambda folder: RunFolder(folder).last,
    3: lambda folder: next((folder / "scores").glob("*"), None),
}
"""Of four runs, one dies at any moment; the others once they have a folder, a checkpoint or scores, however fast the machine."""


def command(tmp: Path, name: str) -> list[str]:
    overlay = tmp / "exact.yaml"
    overlay.write_text("trainer:\n  callbacks:\n    - {class_path: sdsiqa.training.EMA, init_args: {decay: 0.9}}\n")
    more = ["-c", str(overlay), "--model.schedule", "one_cycle", "--model.network.init_args.fusion.dropout", "0.3"]
    more += ["--data.batch_size", "2", "--run.checkpoint_every", str(EVERY), "--trainer.log_every_n_steps", "1"]
    return ["fit", *words(tmp, "livec", *more, "--run.name", name, epochs=EPOCHS)]


def course(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv").drop(columns="train/images_per_second")


@pytest.mark.timeout(600)
def test_a_killed_run_ends_as_an_unbroken_one(tmp_path: Path, settings: dict[str, Any], survived: Survivals) -> None:
    log = tmp_path / "log.txt"
    unbroken = live(command(tmp_path, "whole"), log, **settings)
    assert unbroken.status == 0, unbroken.said[-3000:]
    (whole,) = (tmp_path / "runs").glob("whole-*")
    expected, its_course = (whole / "scores" / "livec-test.csv").read_bytes(), course(whole)
    logged = live(command(tmp_path, "logged"), log, **{**settings, "WANDB_MODE": "offline"})
    (whole,) = (tmp_path / "runs").glob("logged-*")
    its_rows = rows(whole)
    moments = random.Random(5)
    states: Counter[str] = Counter()
    slowest = 0.0
    for number in range(KILLS):
        mode = "offline" if number % LOGGED == 0 else "disabled"
        environment = {**settings, "WANDB_MODE": mode}
        moment = moments.uniform(0.1, 0.97) * (logged if mode == "offline" else unbroken).seconds
        name = f"kill{number:02}"
        begun = MOMENTS.get(number % 4)
        when: dict[str, Any] = {"after": moment} if begun is None else {"watch": _killer(tmp_path / "runs", name, begun)}
        end = live(command(tmp_path, name), log, **when, **environment)
        for folder in (tmp_path / "runs").glob(f"{name}-*"):
            assert end.status == -9 or RunFolder(folder).finished, end
            assert Manifest(folder).problems() == [], (number, moment)  # whatever it was just writing
            states[_state(folder)] += 1
        again = live(command(tmp_path, name), log, **environment)
        assert again.status == 0, again.said[-3000:]
        slowest = max(slowest, again.seconds)
        (folder,) = (tmp_path / "runs").glob(f"{name}-*")
        assert (folder / "scores" / "livec-test.csv").read_bytes() == expected, (number, moment)
        pd.testing.assert_frame_equal(course(folder), its_course)
        if mode == "offline":
            found = rows(folder)
            assert [row["_step"] for row in found] == list(range(len(found))), (number, moment)
            assert found == its_rows, (number, moment)
    assert len(states) >= 3, states  # spread over a run
    where = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    survived.add(
        "SIGKILL at a random moment",
        f"{KILLS} runs killed ({where})",
        slowest,
        f"all {KILLS} end with the scores and the course of an unbroken run, byte for byte; no file is half-written; W&B has "
        f"every row once ({KILLS // LOGGED} runs)",
    )


def _killer(root: Path, name: str, begun: Callable[[Path], object]) -> Callable[[int, float], None]:
    """Kill the process as soon as its run has begun what is asked for."""

    def watch(child: int, seconds: float) -> None:
        folder = next(root.glob(f"{name}-*"), None)
        if folder is not None and begun(folder):
            os.kill(child, signal.SIGKILL)

    return watch


def _state(folder: Path) -> str:
    """Say where a run was when it was killed."""
    run = RunFolder(folder)
    if run.finished:
        return "just finished"
    if (folder / "scores").exists():
        return "after the test"
    if run.last is None:
        return "before the first checkpoint"
    return "between checkpoints"
