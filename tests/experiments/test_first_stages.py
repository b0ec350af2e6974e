"""An experiment trains each first stage once, before the cells that start from it."""

import io
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from fakes import write_fake
from rich.console import Console

from runs import CONFIGS, QUICK
from sdsiqa.cli import main
from sdsiqa.errors import ExperimentError
from sdsiqa.experiments import plan
from sdsiqa.experiments.cell import Cell, State
from sdsiqa.experiments.definition import Experiment
from sdsiqa.experiments.grid import run_all
from sdsiqa.experiments.resolve_config import resolve
from sdsiqa.runs.folder import RunFolder

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two splits of one benchmark for a method of two stages, whose first one learns from Demo."""
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path / "data"))
    helpers = Path(__file__).parents[1] / "helpers"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(helpers), os.environ.get("PYTHONPATH", "")]))
    # torch is loaded here, so no process is needed to keep it away
    monkeypatch.setattr(plan, "_resolve", lambda *asked: {"gpus": 0, "runs": [asdict(answer) for answer in resolve(*asked)]})
    for name in ("tid2013", "demo"):
        write_fake(name, tmp_path / "data" / name)
    (tmp_path / "second.yaml").write_text("network: {class_path: stages.Second}\n")
    (tmp_path / "model.yaml").write_text(
        "network: {class_path: stages.First}\nobjective: {class_path: stages.Error}\n"
        "optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1}}\n"
    )
    (tmp_path / "first.yaml").write_text("model: model.yaml\ndata: {batch_size: 2}\n")
    options = {key.removeprefix("--"): value for key, value in zip(QUICK[::2], QUICK[1::2], strict=True) if "enable" not in key}
    settings = {**options, "trainer.max_epochs": 1}
    (tmp_path / "tid.yaml").write_text(f"data: {{benchmark: {{init_args: {{root: {tmp_path}/data/tid2013}}}}}}\n")
    file = tmp_path / "two.yaml"
    file.write_text(
        f"base: {CONFIGS}/base.yaml\nbenchmarks: {{tid2013: [{CONFIGS}/data/tid2013.yaml, tid.yaml]}}\n"
        "methods: {second: second.yaml}\n"
        f"first_stages: {{second: {{benchmark: {CONFIGS}/demo.yaml, files: first.yaml}}}}\n"
        f"splits: [0, 1]\nsettings: {json.dumps(settings)}\n"
    )
    return file


def own_benchmark(file: Path) -> None:
    """Let the first stage learn from the benchmark of each cell."""
    text = file.read_text()
    file.write_text(text.replace(f"{{benchmark: {CONFIGS}/demo.yaml, files: first.yaml}}", "[first.yaml]"))


def cells_of(file: Path) -> list[Cell]:
    return plan.plan(Experiment.load(file), file.parent / "runs")[0]


def starts(cell: Cell) -> int:
    return cell.log.read_text().count("$ sdsiqa fit")


@pytest.mark.slow
def test_a_grid_trains_a_first_stage_once_and_before_what_starts_from_it(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["grid", str(experiment), "--runs", str(experiment.parent / "runs"), "--no-images"]
    assert main([*words, "--dry-run"]) == 0
    listed = capsys.readouterr().out
    assert listed.index("demo-second-first-0-0") < listed.index("tid2013-second-full-0-0")
    assert "--model.init_from" in listed
    assert main([*words, "--only", "full-1"]) == 0  # brings its first stage with it
    first, zero, one = cells_of(experiment)
    assert [first.state, zero.state, one.state] == [State.DONE, State.NEW, State.DONE]
    assert main(words) == 0
    assert [starts(cell) for cell in (first, zero, one)] == [1, 1, 1]
    assert not (first.folder / "scores").exists()
    facts = RunFolder(first.folder).record
    for cell in (zero, one):
        record = RunFolder(cell.folder).record
        assert {name: record[name] for name in cell.facts} == cell.facts  # planned before the first stage ran
        assert record["stage_one"]["run"] == first.folder.name
        assert record["stage_one"]["hash"] == facts["hash"]
    said = capsys.readouterr()
    assert "from 2 of 2 cells" in said.out.replace("\n", " ")
    assert main(["report", str(experiment.parent / "runs" / "two"), "--out", str(experiment.parent / "out")]) == 0
    assert "left out" not in capsys.readouterr().err


def test_a_first_stage_is_shared_by_all_that_would_run_the_same(experiment: Path) -> None:
    text = experiment.read_text()
    experiment.write_text(text.replace("methods: {second: second.yaml}", "methods: {second: second.yaml, other: null}"))
    found = Experiment.load(experiment)
    variants, firsts = found.variants(), found.first_stages_of_variants()
    assert [first.name for first in firsts] == ["demo-second-first-0-0"]
    assert [variant.first and variant.first.name for variant in variants] == [firsts[0].name] * 2 + [None] * 2
    assert firsts[0].index == len(variants)  # numbers of cells stay as they are
    own_benchmark(experiment)
    names = [first.name for first in Experiment.load(experiment).first_stages_of_variants()]
    assert names == ["tid2013-second-first-0-0", "tid2013-second-first-1-0"]


def test_an_ablation_is_laid_over_the_first_stage_where_the_experiment_says_so(experiment: Path) -> None:
    experiment.write_text(experiment.read_text() + "ablations: {full: [], slow: [{model.warmup: 0.5}]}\n")
    own_benchmark(experiment)
    plain = {first.name: first.words for first in Experiment.load(experiment).first_stages_of_variants()}
    assert list(plain) == ["tid2013-second-first-0-0", "tid2013-second-first-1-0"]
    experiment.write_text(experiment.read_text().replace("[first.yaml]", "{files: [first.yaml], ablated: true}"))
    found = Experiment.load(experiment)
    ablated = {first.name: first.words for first in found.first_stages_of_variants()}
    assert plain.items() < ablated.items()
    assert set(ablated) - set(plain) == {"tid2013-second-first_slow-0-0", "tid2013-second-first_slow-1-0"}
    words = ablated["tid2013-second-first_slow-1-0"]
    assert words[words.index("--model.warmup") + 1] == "0.5"
    assert {variant.ablation: variant.first and variant.first.ablation for variant in found.variants()} == {
        "full": "first",
        "slow": "first_slow",
    }


def test_a_method_that_goes_takes_its_first_stage_with_it(experiment: Path) -> None:
    more = experiment.with_name("more.yaml")
    more.write_text("extends: two.yaml\nmethods: {sdsiqa: null}\n")
    assert not Experiment.load(more).first_stages
    more.write_text("extends: two.yaml\n")
    assert Experiment.load(more).first_stages == Experiment.load(experiment).first_stages


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ("{other: first.yaml}", "has a first stage of 'other', which is none of its methods: second"),
        ("{second: {file: first.yaml}}", "expected a list of files, or {benchmark: run file, files:"),
        ("{second: {files: first.yaml, ablated: 1}}", "ablated: true or false}"),
        ("{second: absent.yaml}", "names 'absent.yaml', and"),
        ("[second]", "first_stages is ['second']; expected {method: [file, ...]}"),
    ],
)
def test_what_makes_no_first_stage_is_refused(experiment: Path, stages: str, said: str) -> None:
    lines = experiment.read_text().splitlines()
    changed = [f"first_stages: {stages}" if line.startswith("first_stages") else line for line in lines]
    experiment.write_text("\n".join(changed))
    with pytest.raises(ExperimentError) as error:
        Experiment.load(experiment)
    assert said in str(error.value)


def test_what_starts_from_a_failed_first_stage_cannot_run(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_benchmark(experiment)
    cells, ran = cells_of(experiment), []

    def run(cell: Cell, environment: Mapping[str, str], stop: threading.Event) -> State:
        ran.append(cell.name)
        return State.FAILED if cell.name == "tid2013-second-first-1-0" else State.DONE

    monkeypatch.setattr("sdsiqa.experiments.grid.run_cell", run)
    screen = io.StringIO()
    states = run_all(cells, [{}, {}], Console(file=screen, width=200))
    assert states["tid2013-second-full-0-0"] is State.DONE
    assert states["tid2013-second-full-1-0"] is State.BLOCKED
    assert ran.index("tid2013-second-first-0-0") < ran.index("tid2013-second-full-0-0")
    assert "tid2013-second-full-1-0 cannot run: its first stage tid2013-second-first-1-0 is failed" in screen.getvalue()


def test_a_cell_waits_for_its_first_stage(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, done = threading.Event(), threading.Event()
    order: list[str] = []

    def run(cell: Cell, environment: Mapping[str, str], stop: threading.Event) -> State:
        if cell.variant.is_first:
            other.wait()
            done.set()
        else:
            assert done.is_set()
        order.append(cell.name)
        return State.DONE

    monkeypatch.setattr("sdsiqa.experiments.grid.run_cell", run)
    threading.Timer(1, other.set).start()  # both places are free all the while
    assert set(run_all(cells_of(experiment), [{}, {}], Console(file=io.StringIO())).values()) == {State.DONE}
    assert order[0] == "demo-second-first-0-0"


def test_a_first_stage_that_cannot_run_blocks_its_cells(experiment: Path) -> None:
    text = experiment.read_text()
    experiment.write_text(text.replace(f"{CONFIGS}/demo.yaml", f"{CONFIGS}/data/livec.yaml"))
    first, *cells = cells_of(experiment)
    assert first.state is State.BLOCKED
    assert all(cell.blocked.startswith("its first stage cannot run: ") for cell in cells)
    experiment.write_text("\n".join(line for line in text.splitlines() if not line.startswith("first_stages")))
    assert all("let an experiment name it under first_stages" in cell.blocked for cell in cells_of(experiment))


def test_a_job_array_of_first_stages_comes_before_that_of_the_cells(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = experiment.parent / "runs"
    tool = experiment.parent / "bin" / "sbatch"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >> {experiment.parent}/asked\nwc -l < {experiment.parent}/asked\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    assert main(["submit", str(experiment), "--runs", str(root), "--gpus", "0"]) == 0
    jobs = root / "two" / "jobs"
    first, *cells = cells_of(experiment)
    assert (experiment.parent / "asked").read_text().splitlines() == [
        f"--parsable {jobs}/two-first.sh",
        f"--parsable --dependency=afterany:1 {jobs}/two.sh",
    ]
    assert (jobs / "two-first.cells").read_text() == f"2 {first.folder}\n"
    assert (jobs / "two.cells").read_text() == "".join(f"{place} {cell.folder}\n" for place, cell in enumerate(cells))
    assert "--array=0-0" in (jobs / "two-first.sh").read_text()
    assert "job 2, after job 1: " in capsys.readouterr().out
