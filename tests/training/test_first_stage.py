"""A first stage is a run of its own that the second names; what it has seen decides whether it may."""

import json
import shutil
from pathlib import Path

import pytest
import stages
import torch
import yaml
from fakes import write_fake

from runs import CONFIGS, QUICK, run_file, stand_in
from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.cli import main
from sdsiqa.experiments.resolve_config import resolve
from sdsiqa.runs.first_stage import FirstStage
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import RUN

pytestmark = pytest.mark.filterwarnings("default")
FIRST = """
network: {class_path: stages.First}
objective: {class_path: stages.Error}
optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1, weight_decay: 0.01}}
"""
SECOND = """
network: {class_path: stages.Second}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1.0e-3}}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SDSIQA_CACHE", str(tmp_path / "cache"))
    stages.seen.clear()


def words(tmp: Path, model: str, *more: str, benchmark: str = "tid2013", epochs: int = 1) -> list[str]:
    fake = tmp / "data" / benchmark
    if not fake.exists():
        write_fake(benchmark, fake)
    (tmp / "first.yaml").write_text(FIRST)
    (tmp / "second.yaml").write_text(SECOND)
    return [
        *("fit", *run_file(benchmark), "--model", str(tmp / f"{model}.yaml")),
        *("--data.benchmark.init_args.root", str(fake), "--run.root", str(tmp / "runs"), "--data.batch_size", "4"),
        *("--trainer.max_epochs", str(epochs), *QUICK, *more),
    ]


def first(tmp: Path, *more: str, benchmark: str = "tid2013", name: str = "first") -> Path:
    folder = tmp / name
    more = ("--run.test", "false", "--run.folder", str(folder), "--data.batch_size", "2", *more)
    assert main(words(tmp, "first", *more, benchmark=benchmark, epochs=2)) == 0
    return folder


def second(tmp: Path, place: Path | str, *more: str, benchmark: str = "tid2013", epochs: int = 1) -> list[str]:
    return words(tmp, "second", "--model.init_from", str(place), *more, benchmark=benchmark, epochs=epochs)


def run(tmp: Path, name: str) -> Path:
    (folder,) = (tmp / "runs").glob(f"{name}-*")
    return folder


def weights(file: Path | None) -> dict[str, torch.Tensor]:
    assert file is not None
    return dict(torch.load(file, weights_only=True)["state_dict"])  # noqa: TID251


def scores(folder: Path) -> bytes:
    return next((folder / "scores").glob("*-test.csv")).read_bytes()


def said_by(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_the_weights_of_the_first_stage_arrive_and_its_record_stays(tmp_path: Path) -> None:
    stage = first(tmp_path)
    assert main(second(tmp_path, stage, "--run.name", "none", epochs=0)) == 0
    learned, got = weights(RunFolder(stage).best), weights(run(tmp_path, "none") / "checkpoints" / "last.ckpt")
    for name in ("weight", "bias"):
        assert torch.equal(got[f"network.body.0.{name}"], learned[f"network.body.0.{name}"])
    assert main(second(tmp_path, stage, "--run.name", "two", epochs=2)) == 0
    facts, record = RunFolder(stage).record, RunFolder(run(tmp_path, "two")).record["stage_one"]
    assert {name: record[name] for name in ("hash", "data_version", "split_hash", "code_version")} == {
        name: facts[name] for name in ("hash", "data_version", "split_hash", "code_version")
    }
    assert (record["run"], record["benchmark"], record["checkpoint"]) == ("first", "tid2013", "best")
    assert record["wall_hours"] == facts["cost"]["wall_hours"] > facts["cost"]["training_hours"]


def test_where_it_lies_changes_neither_the_run_nor_its_scores(tmp_path: Path) -> None:
    stage = first(tmp_path)
    assert main(second(tmp_path, stage, "--run.name", "one")) == 0
    moved = Path(shutil.move(stage, tmp_path / "elsewhere"))
    with pytest.raises(SystemExit, match="0"):  # it is the same run, and finished already
        main(second(tmp_path, moved, "--run.name", "one"))
    assert main(second(tmp_path, moved / "checkpoints" / "best.ckpt", "--run.name", "two")) == 0
    one, two = run(tmp_path, "one"), run(tmp_path, "two")
    assert one.name.removeprefix("one") == two.name.removeprefix("two")
    assert scores(one) == scores(two)


def test_the_first_stage_sees_the_training_part_alone_and_tests_nothing(tmp_path: Path) -> None:
    stage = first(tmp_path, "--data.split", "1")
    table = BENCHMARKS["tid2013"](tmp_path / "data" / "tid2013").table()
    assert stages.seen == set(make_split("tid2013", table, 1).train)
    assert not (stage / "scores").exists()
    assert RunFolder(stage).record["split_hash"] == make_split("tid2013", table, 1).sha256


def test_the_identity_of_a_run_is_that_of_its_first_stage(tmp_path: Path) -> None:
    stages_of = {
        "one": first(tmp_path, name="one"),
        "same": first(tmp_path, name="same"),
        "seed": first(tmp_path, "--seed_everything", "5", name="seed"),
    }
    jobs = [second(tmp_path, folder)[1:] for folder in stages_of.values()]
    jobs += [second(tmp_path, stages_of["one"] / "checkpoints" / "last.ckpt")[1:], second(tmp_path, "nothing")[1:]]
    one, same, seed, last, nothing = [answer.hash for answer in resolve(jobs)]
    assert one == same
    assert len({one, seed, last, nothing}) == 4
    record = RunFolder(stages_of["same"])
    record.update(code_version="another")  # weights of other code are other weights
    assert resolve([jobs[1]])[0].hash not in (one, seed, last, nothing)
    assert not (tmp_path / "runs").exists()


def test_a_first_stage_on_another_benchmark_and_what_a_test_of_that_one_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fake("demo", tmp_path / "data" / "demo")
    stage = first(tmp_path, "--data.crop", "32", benchmark="demo")
    assert main(second(tmp_path, stage, "--run.name", "other", benchmark="livec")) == 0
    folder = run(tmp_path, "other")
    shutil.rmtree(stage)  # what the run recorded is enough to test it
    other = ["--data", str(CONFIGS / "data" / "demo.yaml"), "--data.cache", "null"]
    test = ["test", "-c", str(folder / "config.yaml")]
    assert main(test) == 0
    assert main([*test, *other, "--data.test_on", "all"]) == 1
    assert "first trained on demo, all of which this run tests" in said_by(capsys)
    assert main([*test, *other, "--data.split", "1"]) == 1
    assert "first trained on demo, parts of which this run tests" in said_by(capsys)
    assert not list(folder.glob("scores/demo-*"))


def test_a_leak_is_refused_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = first(tmp_path)
    assert main(second(tmp_path, stage, "--data.split", "1")) == 1
    said = said_by(capsys)
    assert "the first stage first trained on tid2013, parts of which this run tests: this run has the split_hash" in said
    assert "train a first stage on the same data.split, or on another benchmark" in said
    assert not (tmp_path / "runs").exists()
    (answer,) = resolve([second(tmp_path, stage, "--data.split", "1")[1:]])
    assert "trained on tid2013, parts of which" in answer.error
    # nor by way of another first stage, which started from one that has seen the test part
    between = tmp_path / "between"
    assert main(second(tmp_path, stage, "--run.folder", str(between), "--run.test", "false")) == 0
    chain = FirstStage.of(between)
    assert chain.stage_one is not None
    assert chain.stage_one["run"] == "first"
    record = json.loads((between / "run.json").read_text())
    (between / "run.json").write_text(json.dumps({**record, "data_version": "x", "split_hash": "y"}))
    config = yaml.safe_load((between / "config.yaml").read_text())
    config["data"]["benchmark"]["class_path"] = "sdsiqa.benchmarks.KADID10k"
    (between / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(second(tmp_path, between, "--data.split", "1", "--run.name", "third")) == 1
    assert "the first stage first trained on tid2013" in said_by(capsys)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("absent", "and there is no such run; name a folder that `sdsiqa fit` made"),
        ("empty", "no run's folder: it has no run.json, so nothing says which images its weights have seen"),
        ("stray", "a checkpoint outside of a run's folder"),
        ("started", "is not finished; finish it with `sdsiqa fit -c"),
        ("locked", "was stopped before its first step; start it again with the same command"),
        ("bare", "holds no checkpoints/*.ckpt; train it again"),
        ("a: [", "config.yaml cannot be read (while parsing"),
        ("- 1", "config.yaml cannot be read (it holds list, not keys and values); put it back"),
        ("caf\xe9", "config.yaml cannot be read ('utf-8' codec"),
        ("data: {benchmark: 3}", "config.yaml names no benchmark (data.benchmark.class_path), so nothing says which images"),
    ],
)
def test_what_cannot_be_started_from_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, said: str
) -> None:
    place = tmp_path / "first"
    if change in ("empty", "locked"):
        place.mkdir()
    if change == "locked":
        (place / RUN).write_text("")
    if change not in ("absent", "empty", "locked"):
        first(tmp_path)
    if not change.isalpha() or not change.isascii():
        (place / "config.yaml").write_text(change, encoding="latin-1")
    if change == "started":
        RunFolder(place).update(state="started")
    if change == "bare":
        shutil.rmtree(place / "checkpoints")
    if change == "stray":
        place = Path(shutil.copy(place / "checkpoints" / "best.ckpt", tmp_path / "stray.ckpt"))
    assert main(second(tmp_path, place)) == 1
    told = said_by(capsys)
    assert said in told
    assert not (tmp_path / "runs").exists()
    if change == "started":  # the command in the message finishes it
        command = told[told.rindex("sdsiqa fit") : told.rindex("`")].split()
        assert main(command[1:]) == 0
        assert main(second(tmp_path, place)) == 0


def test_a_method_of_two_stages_asks_for_its_first_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(tmp_path, "second")) == 2
    said = said_by(capsys)
    assert "Second starts from a first stage, and model.init_from names none; train it with `sdsiqa fit" in said
    assert not (tmp_path / "runs").exists()
    assert resolve([words(tmp_path, "second")[1:]])[0].error in said
    assert main(second(tmp_path, "nothing", epochs=0)) == 0  # told to
    assert "stage_one" not in RunFolder(next((tmp_path / "runs").iterdir())).record


@pytest.mark.parametrize("model", ["dbcnn", "rankiqa"])
def test_a_shipped_method_starts_from_its_shipped_first_stage(tmp_path: Path, model: str) -> None:
    assert main(["fit", *stand_in(tmp_path, model, "livec", "--run.name", model, epochs=0)]) == 0
    learned = weights(RunFolder(tmp_path / "first" / model).best)
    got = weights(run(tmp_path, model) / "checkpoints" / "last.ckpt")
    shared = {"dbcnn": "network.scnn.", "rankiqa": "network.body."}[model]
    names = [name for name in got if name.startswith(shared)]
    assert names
    assert all(torch.equal(got[name], learned[name]) for name in names)


def test_a_stopped_second_stage_resumes_without_its_first_one(tmp_path: Path) -> None:
    stage = first(tmp_path)
    folder = tmp_path / "runs" / "two"
    args = second(tmp_path, stage, "--run.folder", str(folder), epochs=2)
    overlay = tmp_path / "signal.yaml"
    overlay.write_text("trainer:\n  callbacks:\n    - {class_path: signals.SignalAt, init_args: {step: 4, name: SIGTERM}}\n")
    assert main([*args, "-c", str(overlay)]) == 143
    shutil.rmtree(stage)
    assert main([*args, "-c", str(overlay)]) == 0
    assert RunFolder(folder).record["stage_one"]["run"] == "first"


def test_other_networks_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = first(tmp_path)
    assert main(second(tmp_path, stage, "--model.network.init_args.width", "5")) == 1
    assert "its 'body' is not the one of Second" in capsys.readouterr().err
    assert main(words(tmp_path, "first", "--model.init_from", str(stage))) == 1
    assert "First takes no weights from a first stage, and model.init_from is" in said_by(capsys)
    assert not (tmp_path / "runs").exists()
