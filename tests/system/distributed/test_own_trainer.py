"""A plain `Trainer` on several processes takes every image once, and gives the figures of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes import distorted, scene

from sdsiqa.images import write_image

SCRIPT = Path(__file__).parent / "own_trainer.py"
IMAGES = 65
"""Of which 13 are tested and 6 or 7 validated: they divide by no number of processes tried here."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with their scores."""
    folder = tmp_path_factory.mktemp("own")
    names = [f"{number}.png" for number in range(IMAGES)]
    for number, name in enumerate(names):
        write_image(folder / "pictures" / name, distorted(scene(number), number % 5))
    scores = 5 - np.arange(IMAGES) % 5 * 0.9 - np.linspace(0, 0.4, IMAGES)
    pd.DataFrame({"image": names, "score": scores}).to_csv(folder / "pictures" / "scores.csv", index=False)
    return folder


def run(folder: Path, devices: int, *checkpoint: str) -> dict[str, Any]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "WANDB_SILENT": "true"}
    command = [sys.executable, str(SCRIPT), str(folder), str(devices), *checkpoint]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "DistributedSampler" not in done.stderr
    said: dict[str, Any] = json.loads((folder / f"{'test' if checkpoint else 'fit'}-{devices}.json").read_text())
    return said


def test_a_trainer_of_ones_own_gives_exact_figures_on_any_number_of_devices(folder: Path) -> None:
    two = run(folder, 2)
    assert two["steps"] == 2 * -(-two["images"] // 6)  # every image in every epoch
    assert two["wandb"] == pytest.approx(two["last"], abs=1e-7)
    assert two["val/srcc"] == pytest.approx(two["best"], abs=1e-6)  # the checkpoint is the network that was validated
    figures = {name: value for name, value in two.items() if name.startswith(("val/", "test/"))}
    assert len(figures) == 12
    assert np.isfinite(list(figures.values())).all()
    for devices in (1, 3):
        assert run(folder, devices, two["checkpoint"]) == pytest.approx(figures, abs=1e-7)
