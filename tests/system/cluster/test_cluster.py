"""On a real SLURM of two nodes: a run that is put back into the queue, and an array with cells that are killed."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE))

from slurm import Slurm  # noqa: E402

STEPS = 24
OVERLAY = """
trainer:
  max_epochs: 2
  limit_train_batches: 12
  enable_model_summary: false
  callbacks:
    - class_path: sdsiqa.training.EMA
      init_args: {decay: 0.9}
    - class_path: slow.Slow
data:
  batch_size: 8
  crop: 96
  view: grid
  grid: [2, 2]
  num_workers: 0
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    reason = Slurm.install()
    if reason:
        pytest.fail(f"no SLURM: {reason}")
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:  # short: a socket's path has 108 characters
        slurm = Slurm(Path(folder))
        slurm.environment |= {
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "PYTHONPATH": f"{ROOT / 'src'}:{HERE}",
            "SDSIQA_DATA": str(ROOT / "data"),
            "SDSIQA_CACHE": str(ROOT / "data" / "cache"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
        }
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.stop()


def submit(cluster: Slurm, *words: str, **environment: str) -> str:
    """Run `sdsiqa submit`; give the job's number, or what it said instead."""
    command = [sys.executable, "-W", "ignore", "-m", "sdsiqa", "submit", *words]
    env = {**cluster.environment, **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"^job (\d+): ", done.stdout, re.MULTILINE)
    return found[1] if found else done.stdout


def train(cluster: Slurm, tmp: Path, name: str, minutes: str, lead: str, **environment: str) -> tuple[str, Path]:
    overlay = tmp / "cluster.yaml"
    overlay.write_text(OVERLAY)
    options = ["--nodes", "2", "--gpus", "0", "--cpus", "1", "--time", minutes, "--lead", lead, "--partition", "main"]
    more = ["-c", str(overlay), "--run.root", str(tmp / "runs"), "--run.name", name, "--trainer.accelerator", "cpu"]
    job = submit(cluster, "configs/demo.yaml", *options, "--", *more, **environment)
    (folder,) = (tmp / "runs").glob(f"{name}-*")
    return job, folder


def said(folder: Path) -> str:
    return "".join(file.read_text(errors="replace") for file in sorted(folder.glob("slurm-*.log")))


def until(what: object, seconds: float, folder: Path) -> None:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline, said(folder)[-4000:]
        time.sleep(0.5)


def steps(folder: Path) -> int:
    file = folder / "course.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return sum("train/loss_step" in row for row in rows)


@pytest.mark.timeout(3600)
def test_a_run_on_two_nodes_goes_on_after_a_requeue_and_a_time_limit(cluster: Slurm, tmp_path: Path) -> None:
    start = time.monotonic()
    job, whole = train(cluster, tmp_path, "whole", "15", "60")
    until(lambda: steps(whole), 900, whole)
    busy = time.monotonic() - start  # how long this machine takes to come to the first step
    assert cluster.wait(job, 900) == ["COMPLETED"], said(whole)[-4000:]
    # SLURM counts minutes, and sends its signal up to a minute before it is asked to: the limit leaves time to begin, and
    # steps are so long that it falls among them
    minutes = 2 + int(busy > 35) + int(busy > 90)
    environment = {"STEP_SECONDS": str(minutes * 60 / (STEPS - 2))}  # the last step of each epoch is short
    job, broken = train(cluster, tmp_path, "broken", str(minutes), "20", **environment)
    until(lambda: steps(broken) >= 2, 900, broken)  # in the middle of the first epoch
    cluster.run("scontrol", "requeue", job)
    until(lambda: "stopped after step" in said(broken), 300, broken)
    assert cluster.wait(job, 600) == ["COMPLETED"], said(broken)[-4000:]
    log = said(broken)
    saved = [int(number) for number in re.findall(r"sdsiqa fit: stopped after step (\d+)", log)]
    assert saved == sorted(saved), log[-4000:]
    assert len(saved) >= 2, log[-4000:]  # the requeue, and a time limit at least
    assert all(step % (STEPS // 2) for step in saved), saved  # in the middle of an epoch
    (mine,), (its,) = ((folder / "scores").glob("*.csv") for folder in (whole, broken))
    assert mine.read_bytes() == its.read_bytes()
    assert json.loads((whole / "metrics.json").read_text()) == json.loads((broken / "metrics.json").read_text())
    record = json.loads((broken / "run.json").read_text())
    assert (record["state"], record["devices"]) == ("finished", 2)
    # one W&B run, however many lives
    assert {file.name for file in broken.glob("wandb/offline-run-*/run-*.wandb")} == {f"run-{broken.name}.wandb"}
    assert subprocess.run([sys.executable, "-m", "sdsiqa", "verify", str(broken)], cwd=ROOT, check=False).returncode == 0
    print(f"\nstopped and requeued after steps {saved} of {STEPS}; scores equal those of an undisturbed run")


@pytest.mark.timeout(3600)
def test_an_array_ends_with_all_cells_though_two_are_killed(cluster: Slurm, tmp_path: Path) -> None:
    options = ["--gpus", "0", "--cpus", "1", "--time", "10", "--partition", "main", "--runs", str(tmp_path / "runs")]
    command = ["tests/system/cluster/cells.yaml", *options, "--array-parallel", "2"]
    job = submit(cluster, *command)
    table = (tmp_path / "runs" / "cells" / "jobs" / "cells.cells").read_text().splitlines()
    folders = [Path(line.partition(" ")[2]) for line in table]
    assert len(folders) == 6
    for task in (0, 1):
        until(lambda: (folders[task] / "log.txt").exists(), 300, folders[task])  # noqa: B023 - used at once
        cluster.run("scancel", "--signal=KILL", f"{job}_{task}")
    states = cluster.wait(job, 600)
    done = [folder for folder in folders if _finished(folder)]
    assert len(done) == 4, (states, [said(folder)[-1500:] for folder in folders])
    before = {folder: (folder / "run.json").stat().st_mtime_ns for folder in done}
    again = submit(cluster, *command)  # the locks of the dead keep nobody out, and what is done is left alone
    assert len((tmp_path / "runs" / "cells" / "jobs" / "cells.cells").read_text().splitlines()) == 2
    cluster.wait(again, 400)
    assert all(_finished(folder) for folder in folders), [said(folder)[-1500:] for folder in folders]
    assert {folder: (folder / "run.json").stat().st_mtime_ns for folder in done} == before
    assert "all 6 cells are done; nothing to submit" in submit(cluster, *command)
    print("\n6 cells as an array, 2 killed: 4 done; submitted again: 2 run, 6 done")


def _finished(folder: Path) -> bool:
    file = folder / "run.json"
    return file.exists() and json.loads(file.read_text()).get("state") == "finished"
