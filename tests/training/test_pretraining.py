"""Two stages: the first is a run of its own, learnt once, stopped and gone on with, and never sees what is tested."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import stages
import torch
import yaml
from fakes import write_fake

from runs import CONFIGS, QUICK, run_file
from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.cli import main
from sdsiqa.experiments.resolve_config import resolve
from sdsiqa.runs.folder import RunFolder

pytestmark = pytest.mark.filterwarnings("default")
MODEL = """
network: {class_path: stages.Second}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1.0e-3}}
pretraining:
  class_path: sdsiqa.training.Pretraining
  init_args:
    network: {class_path: stages.First}
    objective: {class_path: stages.Error}
    optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1}}
    epochs: 2
    batch_size: 2
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "helpers"))
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SDSIQA_CACHE", str(tmp_path / "cache"))
    stages.seen.clear()


def words(tmp: Path, *more: str, benchmark: str = "tid2013", epochs: int = 1) -> list[str]:
    fake = tmp / "data" / benchmark
    if not fake.exists():
        write_fake(benchmark, fake)
    (tmp / "model.yaml").write_text(MODEL)
    return [
        *("fit", *run_file(benchmark), "--model", str(tmp / "model.yaml")),
        *("--data.benchmark.init_args.root", str(fake), "--run.root", str(tmp / "runs"), "--data.batch_size", "4"),
        *("--trainer.max_epochs", str(epochs), *QUICK, *more),
    ]


def first(tmp: Path) -> RunFolder:
    (folder,) = (tmp / "runs" / "stage-one").iterdir()
    return RunFolder(folder)


def run(tmp: Path, name: str) -> Path:
    (folder,) = (tmp / "runs").glob(f"{name}-*")
    return folder


def weights(file: Path | None) -> dict[str, torch.Tensor]:
    assert file is not None
    return dict(torch.load(file, weights_only=True)["state_dict"])  # noqa: TID251


def scores(folder: Path) -> bytes:
    return next((folder / "scores").glob("*-test.csv")).read_bytes()


def test_the_first_stage_is_learnt_once_and_arrives(tmp_path: Path) -> None:
    assert main(words(tmp_path, "--run.name", "none", epochs=0)) == 0
    stage = first(tmp_path)
    assert stage.finished
    learnt, got = weights(stage.best), weights(run(tmp_path, "none") / "checkpoints" / "last.ckpt")
    for name in ("weight", "bias"):
        assert torch.equal(got[f"network.body.0.{name}"], learnt[f"network.body.0.{name}"])
    when = stage.record["finished"]
    assert main(words(tmp_path, "--run.name", "two", epochs=2)) == 0
    assert first(tmp_path).record["finished"] == when
    record = RunFolder(run(tmp_path, "two")).record
    assert record["stage_one"]["run"] == stage.path.name
    assert record["stage_one"]["training_hours"] > 0
    # a run that learns the first stage on its way draws what one draws that finds it
    assert main(words(tmp_path, "--run.name", "alone", "--run.root", str(tmp_path / "other"), epochs=2)) == 0
    assert scores(next((tmp_path / "other").glob("alone-*"))) == scores(run(tmp_path, "two"))


def test_the_first_stage_sees_the_training_part_alone_and_tests_nothing(tmp_path: Path) -> None:
    assert main(words(tmp_path, "--data.split", "1", epochs=0)) == 0
    table = BENCHMARKS["tid2013"](tmp_path / "data" / "tid2013").table()
    assert stages.seen == set(make_split("tid2013", table, 1).train)
    assert not (first(tmp_path).path / "scores").exists()
    assert first(tmp_path).record["split_hash"] == make_split("tid2013", table, 1).sha256


def test_another_benchmark_by_a_file(tmp_path: Path) -> None:
    write_fake("demo", tmp_path / "data" / "demo")
    more = ["-c", str(CONFIGS / "pretrain" / "demo.yaml"), "--model.pretraining.init_args.crop", "32"]
    assert main(words(tmp_path, *more, benchmark="livec")) == 0
    stage = first(tmp_path)
    assert stage.path.name.startswith("first-demo-0-0-")
    config = yaml.safe_load((stage.path / "config.yaml").read_text())
    assert config["data"]["benchmark"]["class_path"] == "sdsiqa.benchmarks.Demo"
    assert (config["data"]["crop"], config["data"]["batch_size"], config["trainer"]["max_epochs"]) == (32, 2, 2)
    (folder,) = (tmp_path / "runs").glob("livec-0-0-*")
    kept = yaml.safe_load((folder / "config.yaml").read_text())["model"]["pretraining"]["init_args"]["data"]
    assert kept["benchmark"]["init_args"]["root"] == str(tmp_path / "data" / "demo")  # the content, not the file's name


def test_authentic_images_cannot_teach_a_first_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(tmp_path, benchmark="livec")) == 1
    assert "LIVE In the Wild has none; choose a benchmark with references" in capsys.readouterr().err.replace("\n", " ")


def test_a_leak_is_refused_in_training_and_in_a_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = ["--model.pretraining.init_args.data", str(CONFIGS / "data" / "tid2013.yaml")]
    assert main(words(tmp_path, *file)) == 1
    assert "the first stage trains on tid2013, parts of which this run tests; set model.pretraining's" in capsys.readouterr().err
    write_fake("demo", tmp_path / "data" / "demo")
    assert main(words(tmp_path, "-c", str(CONFIGS / "pretrain" / "demo.yaml"), epochs=0)) == 0
    (folder,) = (tmp_path / "runs").glob("tid2013-*")
    other = ["--data", str(CONFIGS / "data" / "demo.yaml"), "--data.test_on", "all", "--data.cache", "null"]
    assert main(["test", "-c", str(folder / "config.yaml"), *other]) == 1
    assert "the first stage trains on demo, parts of which this run tests" in capsys.readouterr().err


def test_the_identity_of_a_run_covers_its_first_stage(tmp_path: Path) -> None:
    base = words(tmp_path)[1:]
    data = tmp_path / "data.yaml"
    (tmp_path / "elsewhere").mkdir()
    write_fake("demo", tmp_path / "data" / "demo")

    def on(text: str, name: str = "data.yaml") -> list[str]:
        (tmp_path / name).write_text(text)
        return [*base, "--model.pretraining.init_args.data", str(tmp_path / name)]

    text = (CONFIGS / "data" / "demo.yaml").read_text()
    jobs = [base, [*base, "--model.pretraining.init_args.epochs", "3"], on(text)]
    hashes = [answer.hash for answer in resolve(jobs)]
    hashes.append(resolve([on(text.replace("crop: 128", "crop: 96"))])[0].hash)
    assert len(set(hashes)) == 4
    assert resolve([on(text, "elsewhere/same.yaml")])[0].hash == hashes[2]
    moved = text.replace("${oc.env:SDSIQA_DATA,data}/demo", str(tmp_path / "elsewhere"))
    assert moved != text
    assert resolve([on(moved)])[0].hash == hashes[2]  # wherever it lies
    assert not data.with_name("runs").exists()


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGUSR1", 75)])
def test_a_stopped_first_stage_is_saved_and_gone_on_with(tmp_path: Path, name: str, status: int) -> None:
    whole = words(tmp_path, "--run.root", str(tmp_path / "whole"))
    overlay = tmp_path / "signal.yaml"
    overlay.write_text(f"trainer:\n  callbacks:\n    - {{class_path: signals.SignalAt, init_args: {{step: 4, name: {name}}}}}\n")
    broken = words(tmp_path, "-c", str(overlay))
    assert main(broken) == status
    stage = first(tmp_path)
    assert not stage.finished
    assert torch.load(stage.last, weights_only=True)["global_step"] == 5  # noqa: TID251
    assert not list((tmp_path / "runs").glob("tid2013-*/checkpoints/*"))
    assert main(broken) in (0, status)  # the second stage may be long enough to be stopped, too
    assert first(tmp_path).finished
    assert main(whole) == 0
    (other,) = (tmp_path / "whole" / "stage-one").iterdir()
    one, two = weights(first(tmp_path).last), weights(other / "checkpoints" / "last.ckpt")
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_several_processes_are_told_what_to_run_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = words(tmp_path, "--trainer.devices", "2")
    assert main(args) == 1
    said = capsys.readouterr().err
    assert "is not finished, and 2 processes do not run it on their way" in said
    command = said[said.rindex("sdsiqa fit") :].split()
    assert main([*command[1:], "--trainer.devices", "1"]) == 0
    assert first(tmp_path).finished


def test_who_finds_it_in_work_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(words(tmp_path, "--run.name", "one", epochs=0)) == 0
    stage = first(tmp_path)
    stage.update(state="started")
    code = (
        "import sys; from pathlib import Path; from sdsiqa.runs.folder import RunFolder\n"
        "folder = RunFolder(Path(sys.argv[1])); folder.lock.acquire(); print('taken', flush=True); sys.stdin.readline()\n"
        "folder.update(state='finished')"
    )
    pipe = subprocess.PIPE
    holder = subprocess.Popen([sys.executable, "-c", code, str(stage.path)], stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "taken\n"
    waits: list[float] = []

    def finish(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:  # it has looked twice
            holder.communicate("\n")

    monkeypatch.setattr("sdsiqa.training.pretraining.time", SimpleNamespace(sleep=finish))
    assert main(words(tmp_path, "--run.name", "two", epochs=0)) == 0
    assert len(waits) == 2
    said = capsys.readouterr().out
    assert f"waiting for the first stage: {stage.path} is in use by another process" in said
    assert json.loads((run(tmp_path, "two") / "run.json").read_text())["state"] == "finished"


def test_other_networks_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(tmp_path, "--model.network.init_args.width", "5")) == 1
    assert "its 'body' is not the one of Second" in capsys.readouterr().err
    assert main(words(tmp_path, "--model.network", "stages.First")) == 1
    assert "First takes no weights from a first stage; set model.pretraining to null" in capsys.readouterr().err
