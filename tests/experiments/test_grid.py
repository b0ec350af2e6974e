"""A grid runs each cell once, whatever kills it on the way, and mixes no results."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import write_fake
from rich.console import Console

from runs import CONFIGS, QUICK, TINY
from sdsiqa import report
from sdsiqa.cli import main
from sdsiqa.errors import ExperimentError
from sdsiqa.experiments import grid, plan
from sdsiqa.experiments.cell import Cell, State
from sdsiqa.experiments.definition import Experiment
from sdsiqa.experiments.grid import environments, run_all
from sdsiqa.experiments.progress import Board
from sdsiqa.experiments.resolve_config import resolve
from sdsiqa.experiments.runner import run_cell
from sdsiqa.files import write_json
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import CELL, RunLock

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    # torch is loaded here, so no process is needed to keep it away
    monkeypatch.setattr(plan, "_resolve", lambda *asked: {"gpus": 0, "runs": [asdict(answer) for answer in resolve(*asked)]})


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Two cells on a fake benchmark: one that works and is tested on another benchmark, one whose weights are missing."""
    for name in ("livec", "bid"):
        write_fake(name, tmp_path / "data" / name)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "broken.yaml").write_text(TINY.replace("weights: null", f"weights: {tmp_path}/nowhere.safetensors"))
    (tmp_path / "bid.yaml").write_text(
        f"benchmark: {{class_path: sdsiqa.benchmarks.BID, init_args: {{root: {tmp_path}/data/bid}}}}\nsplit: 5\ncrop: 999\n"
    )
    options = {key.removeprefix("--"): value for key, value in zip(QUICK[::2], QUICK[1::2], strict=True) if "enable" not in key}
    settings = {**options, "data.benchmark.init_args.root": str(tmp_path / "data" / "livec"), "trainer.max_epochs": 3}
    file = tmp_path / "try.yaml"
    file.write_text(
        f"base: {CONFIGS}/base.yaml\nbenchmarks: {{livec: {CONFIGS}/data/livec.yaml}}\n"
        "ablations: {full: [tiny.yaml], broken: [broken.yaml]}\n"
        f"tests: {{bid: bid.yaml}}\nsettings: {json.dumps(settings)}\n"
    )
    return file


def cells_of(file: Path) -> list[Cell]:
    return plan.plan(Experiment.load(file), file.parent / "runs")[0]


def starts(cell: Cell) -> list[str]:
    """What was run in a cell, in order."""
    return [line.split()[2] for line in cell.log.read_text().splitlines() if line.startswith("$ sdsiqa ")]


def wait_for(what: Callable[[], Any]) -> None:
    """Wait as long as a loaded machine takes; the test's own limit ends it."""
    while not what():
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_grid_goes_on_and_runs_nothing_twice(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["grid", str(experiment), "--runs", str(experiment.parent / "runs")]
    full, broken = cells_of(experiment)
    assert [full.state, broken.state] == [State.NEW, State.NEW]
    killed = subprocess.Popen([sys.executable, "-m", "sdsiqa", *words, "--only", "full"], start_new_session=True)
    wait_for((full.folder / "config.yaml").exists)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # the training outlives its launcher and keeps the folder; the next grid waits for it
    assert full.state is State.RUNNING
    assert run_cell(full, os.environ) is State.RUNNING
    assert main(words) == 1
    assert [full.state, broken.state] == [State.DONE, State.FAILED]
    assert starts(full) == ["fit", "test"]
    assert starts(broken) == ["fit"]
    assert len((full.folder / "scores" / "bid-all.csv").read_text().splitlines()) == 21
    said = capsys.readouterr().out
    assert "nowhere.safetensors" in said.replace("\n", "")
    assert str(broken.log) in said.replace("\n", "")
    report = experiment.parent / "runs" / "try" / "report" / "try"
    assert "| sdsiqa (reconstruction) |" in (report / "report.md").read_text()
    assert (report / "report.html").exists()

    assert main(words) == 1
    assert starts(full) == ["fit", "test"]
    assert starts(broken) == ["fit"]

    record = RunFolder(full.folder).record
    assert {name: record[name] for name in full.facts} == full.facts
    experiment.write_text(experiment.read_text().replace('"trainer.max_epochs": 3', '"trainer.max_epochs": 4'))
    assert main(words) == 1
    said = capsys.readouterr().err
    assert f"1 cells were made from something else than they would be now (folder's → now):\n{full.folder}" in said
    assert "trainer.max_epochs: 3 → 4" in said
    assert f"hash: {full.facts['hash']} → " in said
    assert starts(full) == ["fit", "test"]


def test_what_failed_is_run_again_only_if_asked(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, ran = cells_of(experiment), []
    write_json(cells[1].folder / "failed.json", {"step": "fit", "status": 1, "said": "no"})

    def run(cell: Cell, environment: Mapping[str, str], stop: threading.Event) -> State:
        ran.append((cell.name, environment["SLOT"]))
        return State.DONE

    monkeypatch.setattr("sdsiqa.experiments.grid.run_cell", run)
    console = Console(file=io.StringIO())
    assert run_all(cells, [{"SLOT": "a"}], console) == {cells[0].name: State.DONE, cells[1].name: State.FAILED}
    assert ran == [(cells[0].name, "a")]
    assert set(run_all(cells, [{"SLOT": "a"}, {"SLOT": "b"}], console, retry_failed=True).values()) == {State.DONE}
    assert [name for name, _ in ran[1:]] == [cell.name for cell in cells]


def test_a_cell_runs_once_and_only_as_planned(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = cells_of(experiment)[0]
    lock = RunLock(cell.folder, CELL)
    assert lock.owner is None
    assert lock.try_acquire()
    assert not RunLock(cell.folder, CELL).try_acquire()
    owner = RunLock(cell.folder, CELL).owner or {}
    assert (owner["host"], owner["pid"]) == (os.uname().nodename, os.getpid())
    assert run_cell(cell, os.environ) is State.RUNNING
    lock.release()
    monkeypatch.setattr("sdsiqa.experiments.runner.code_version", lambda: "another")
    with pytest.raises(ExperimentError, match="the code of sdsiqa has changed since this was planned"):
        run_cell(cell, os.environ)


def test_all_of_a_benchmark_that_a_cell_learns_from_is_no_test(experiment: Path) -> None:
    text = experiment.read_text()
    experiment.write_text(text.replace("tests: {bid: bid.yaml}", f"tests: {{bid: bid.yaml, own: {CONFIGS}/data/livec.yaml}}"))
    with pytest.raises(
        ExperimentError, match=r"try: tests\.own scores all images of livec, and livec-sdsiqa-full-0-0 learns from"
    ):
        cells_of(experiment)
    assert not (experiment.parent / "runs").exists()


def test_a_stopped_cell_is_interrupted_and_not_failed(experiment: Path) -> None:
    cell, stop = cells_of(experiment)[0], threading.Event()
    stop.set()
    assert run_cell(cell, os.environ, stop) is State.INTERRUPTED
    assert not cell.failure
    assert cell.state is State.NEW  # it had not begun to train


def test_data_that_are_not_here_block_a_cell_and_not_the_list(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment.write_text(experiment.read_text().replace('/data/livec"', '/data/elsewhere"'))
    assert main(["grid", str(experiment), "--dry-run", "--runs", str(experiment.parent / "runs")]) == 0
    said = capsys.readouterr().out
    assert "2 cells: 2 blocked" in said
    assert "/data/elsewhere does not exist" in said
    with pytest.raises(ExperimentError, match=r"livec-sdsiqa-full-0-0: .*elsewhere does not exist"):
        run_cell(cells_of(experiment)[0], os.environ)


def test_a_method_that_needs_references_leaves_a_row_blank(
    experiment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load(experiment.read_text()) | {
        "methods": {"sdsiqa": None, "SSIM": str(CONFIGS / "model" / "ssim.yaml")},
        "ablations": {},
        "tests": {},
    }
    experiment.write_text(yaml.safe_dump(content))
    written: list[Any] = []
    monkeypatch.setattr(grid, "run_cell", lambda *_: State.DONE)
    monkeypatch.setattr(report, "write", lambda folders, *_, **options: written.append((folders, options["blanks"])))
    assert main(["grid", str(experiment), "--runs", str(experiment.parent / "runs")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "livec-SSIM-full-0-0 cannot run: images are compared with their references here, and LIVE In the Wild has none" in said
    assert said.index("cannot run") < said.index("2 cells: 1 new · 1 blocked")  # before hours have passed
    ((folders, (blank,)),) = written
    assert [folder.name[:19] for folder in folders] == ["livec-sdsiqa-full-0"]
    assert (blank.benchmark, blank.variant) == ("livec", ("SSIM", "full"))
    assert blank.reason.startswith("images are compared with their references here")


def test_a_part_without_the_baseline_is_reported_without_it(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = yaml.safe_load(experiment.read_text())
    content |= {"methods": {"sdsiqa": None, "other": None}, "ablations": {}, "tests": {}, "baseline": "sdsiqa"}
    experiment.write_text(yaml.safe_dump(content))
    baselines: list[Any] = []
    monkeypatch.setattr(grid, "run_cell", lambda *_: State.DONE)
    monkeypatch.setattr(report, "write", lambda folders, out, baseline, **_: baselines.append(baseline))
    for only in ([], ["--only", "other"]):
        assert main(["grid", str(experiment), "--runs", str(experiment.parent / "runs"), *only]) == 0
    assert baselines == ["sdsiqa", None]


@pytest.mark.slow
def test_a_search_that_tests_nothing_ends_with_its_validation_figures(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(experiment.read_text())
    rates = {f"rate{rate}": ["tiny.yaml", {"model.optimizer.init_args.lr": rate}] for rate in (0.01, 0.001)}
    content |= {"ablations": rates, "tests": {}, "settings": {**content["settings"], "run.test": False}}
    experiment.write_text(yaml.safe_dump(content))
    assert main(["grid", str(experiment), "--runs", str(experiment.parent / "runs")]) == 0
    said = capsys.readouterr().out
    assert "LIVE In the Wild, validation part" in said
    out = experiment.parent / "runs" / "try" / "report" / "try"
    assert f"from 2 of 2 cells: {out / 'validation.md'}, {out / 'validation-livec.csv'}" in said
    assert not (out / "report.md").exists()
    rows = (out / "validation-livec.csv").read_text().splitlines()
    assert sorted(row.split(",")[1] for row in rows) == ["ablation", "rate0.001", "rate0.01"]

    for file in (experiment.parent / "runs").rglob("metrics.csv"):
        file.unlink()
    assert main(["grid", str(experiment), "--runs", str(experiment.parent / "runs")]) == 0
    assert "from 2 of 2 cells: no report, for they test and validate nothing" in capsys.readouterr().out


def test_a_remark_goes_with_the_runs_of_its_method(experiment: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(experiment.read_text())
    content |= {"methods": {"sdsiqa": None, "other": None}, "remarks": {"other": "learnt for too short a time"}}
    experiment.write_text(yaml.safe_dump(content))
    words = [cell.argv for cell in cells_of(experiment) if cell.variant.ablation == "full"]
    (other,) = [some for some in words if "--run.remark" in some]
    assert len(words) == 2
    assert other[other.index("--run.method") + 1] == "other"
    assert other[other.index("--run.remark") + 1] == "learnt for too short a time"


def test_devices_and_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    here = {"PATH": "/bin", "MKL_NUM_THREADS": "1"}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # one number for all: torch takes MKL's over OpenMP's
    for given, kept in (({}, "8"), ({"OMP_NUM_THREADS": "1"}, "1"), ({"MKL_NUM_THREADS": "3", "OMP_NUM_THREADS": "64"}, "3")):
        (alone,) = environments(None, 0, {"PATH": "/bin", **given})
        assert alone == {"PATH": "/bin", **dict.fromkeys(names, kept)}
    assert [one["OMP_NUM_THREADS"] for one in environments(3, 0, {})] == ["2", "2", "2"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments(None, 2, here)] == ["0", "1"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments(2, 3, {"CUDA_VISIBLE_DEVICES": "4, 6,7"})] == ["4", "6"]
    with pytest.raises(ExperimentError, match="--jobs is 3 and there are 2 GPUs, one for each cell; ask for at most 2"):
        environments(3, 2, here)
    with pytest.raises(ExperimentError, match="--jobs is 0; expected 1 or more"):
        environments(0, 0, here)


def test_what_cannot_run_is_said_at_the_start_and_each_reason_once(experiment: Path) -> None:
    cells = [replace(cell, blocked="no such part") for cell in cells_of(experiment)]
    console = Console(record=True, force_terminal=False, width=100)
    with Board(cells, {cell.name: State.BLOCKED for cell in cells}, 1, console):
        pass
    first, *told = console.export_text().splitlines()
    assert first == f"{cells[0].name} and 1 more cannot run: no such part"
    assert told == ["2 cells: 2 blocked"] * 2


def test_the_board_counts_and_guesses_what_is_left(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = cells = cells_of(experiment)
    clock = [0.0]
    monkeypatch.setattr("sdsiqa.experiments.progress.time.monotonic", lambda: clock[0])
    console = Console(record=True, force_terminal=False, width=100)
    with Board(cells, {cell.name: State.NEW for cell in cells}, 1, console) as board:
        assert board.left() is None
        board.change(first, State.RUNNING)
        board.change(first, State.RUNNING)  # it waits for another process, and says so once
        first.folder.mkdir(parents=True)
        (first.folder / "metrics.csv").write_text("epoch\n-1.0\n0.0\n1.0\n")  # two of three epochs in 20 s, four to go
        clock[0] = 20.0
        assert board.left() == 40
        board.change(first, State.DONE)
        board.change(second, State.BLOCKED)
    said = console.export_text()
    assert "2 cells: 2 new" in said
    assert said.count("running     livec-sdsiqa-full-0-0") == 1
    assert "done        livec-sdsiqa-full-0-0 after 20 s" in said
    assert "2 cells: 1 done · 1 blocked" in said
