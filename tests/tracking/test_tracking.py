"""What Weights & Biases gets, read back from an offline run; and that nothing needs it."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import wandb
from offline_runs import FLAT, records, rows

from runs import fit, words
from sdsiqa.cli import main
from sdsiqa.errors import SettingError
from sdsiqa.runs.folder import RunFolder, RunSettings
from sdsiqa.tracking import session
from sdsiqa.tracking.artifacts import log_results
from sdsiqa.tracking.log_rows import LogRows
from sdsiqa.tracking.logger import RunLogger

pytestmark = pytest.mark.filterwarnings("default")


def artifacts(folder: Path) -> list[dict[str, Any]]:
    """Artifacts of an offline run, without those that W&B makes of tables by itself."""
    found = [record["artifact"] for record in records(folder) if record["type"] == "artifact"]
    return [artifact for artifact in found if artifact["type"] != "run_table"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "offline")
        more = ["--run.group", "ablation", "--run.job_type", "cell", "--run.tags", '["quick", "tiny"]', "--run.ablation", "bare"]
        more += ["--run.figures", "true"]
        return fit(tmp_path_factory.mktemp("wandb"), *more, benchmark="live")


def test_an_offline_run_holds_everything(run: Path) -> None:
    found = records(run)
    text = json.dumps(found)
    begun = [record["run"] for record in found if record["type"] == "run"]
    assert len({entry["run_id"] for entry in begun}) == 1
    assert begun[0]["run_id"] == f"ablation-{run.name}"
    assert begun[0]["run_group"] == "ablation"
    assert begun[0]["job_type"] == "cell"
    assert set(begun[0]["tags"]) == {"quick", "tiny"}
    config = begun[0]["config"]["update"]
    assert {name: config[name] for name in FLAT} == {
        "benchmark": "live",
        "split": 0,
        "seed": 0,
        "saliency": "SDSP",
        "method": "sdsiqa",
        "ablation": "bare",
        "network": "SDSIQA",
        "backbone": "test_resnet",
    }
    assert config["model"]["network"]["init_args"]["fusion"]["gate"] == "gct"
    record = RunFolder(run).record
    for value in (record["split_hash"], record["data_version"], record["git"]["commit"]):
        assert value in text
    for key in (
        "val/srcc",
        "train/loss_epoch",
        "train/lr",
        "figures/scatter",
        "figures/panel",
        "scores/live-test",
        "distortions/live-test",
    ):
        assert key in text, key
    metrics = [record["metric"] for record in found if record["type"] == "metric"]
    axes = {metric.get("name") or metric["glob_name"]: metric.get("step_metric") for metric in metrics}
    assert axes == {"trainer/global_step": None, "*": "trainer/global_step", "val/srcc": "trainer/global_step"}
    media = {file.suffixes[-1] for file in (run / "wandb").rglob("media/**/*") if file.is_file()}
    assert media == {".png", ".json"}


def test_scores_and_weights_go_up_with_what_they_stand_on(run: Path) -> None:
    found = {artifact["type"]: artifact for artifact in artifacts(run)}
    assert set(found) == {"dataset", "scores", "model"}
    version = RunFolder(run).record["data_version"]
    assert found["dataset"]["name"] == "live"
    assert set(found["dataset"]["aliases"]) == {"latest", version}
    assert found["dataset"]["use_after_commit"] is True  # an input of the run, the others are its outputs
    assert not found["scores"].get("use_after_commit")
    assert set(found["model"]["aliases"]) == {"latest", "best"}
    places = {entry["path"]: entry["local_path"] for kind in ("scores", "model") for entry in found[kind]["manifest"]["contents"]}
    assert places == {
        "live-test.csv": str(run / "scores" / "live-test.csv"),
        "split.json": str(run / "split.json"),
        "best.ckpt": str(run / "checkpoints" / "best.ckpt"),
    }


@pytest.mark.slow
def test_a_test_on_another_benchmark_leaves_what_the_training_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = fit(tmp_path, "--wandb.checkpoints", "false", epochs=1)
    other = words(tmp_path, "bid")
    root = other[other.index("--data.benchmark.init_args.root") + 1]
    more = ["--data.benchmark.class_path", "sdsiqa.benchmarks.BID", "--data.benchmark.init_args.root", root]
    assert main(["test", "-c", str(folder / "config.yaml"), *more, "--data.test_on", "all"]) == 0
    found = records(folder)
    begun = [record["run"] for record in found if record["type"] == "run"]
    assert {entry["run_id"] for entry in begun} == {folder.name}
    assert "bid-all/srcc" in json.dumps(found)
    told = [update for entry in begun for update in [(entry.get("config") or {}).get("update") or {}] if "benchmark" in update]
    assert [update["benchmark"] for update in told] == ["livec"]
    assert [artifact["type"] for artifact in artifacts(folder)] == ["dataset", "scores", "scores"]


def test_artifacts_that_wandb_does_not_take_stop_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger = session.open_logger(session.WandbSettings(), RunSettings(), tmp_path)
    assert logger is not None
    session.close()
    with pytest.warns(UserWarning, match=r"W&B did not take an artifact \(ValueError: Path is not a file"):
        log_results([logger], tmp_path)


def test_a_run_of_a_sweep_has_the_name_that_its_agent_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    logger = session.open_logger(session.WandbSettings(), RunSettings(), tmp_path)
    assert logger is not None
    session.close()
    assert logger.experiment.id == "abc123"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"tags": ["", "  ", "a", "a", "t" * 65]}, {"run_tags": ("a", "t" * 55 + "-" + sha256(b"t" * 65).hexdigest()[:8])}),
        ({"group": "g" * 200}, {"run_group": "g" * 119 + "-" + sha256(b"g" * 200).hexdigest()[:8]}),
        ({"group": ""}, {"run_group": None}),
        ({"group": "a/b: c", "job_type": "j" * 99, "tags": ["two\nlines"]}, {"run_group": "a/b: c", "run_tags": ("two lines",)}),
    ],
)
def test_names_that_wandb_does_not_take_are_made_to_fit(
    given: dict[str, Any], kept: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", " OFFLINE ")
    folder = tmp_path / ("long" * 40 + "-0a1b2c3d")
    logger = session.open_logger(session.WandbSettings(), RunSettings(**given), folder)
    assert logger is not None
    settings = logger.experiment.settings
    session.close()
    assert {name: getattr(settings, name) for name in kept} == kept
    assert len(settings.run_id) <= 64
    assert len(settings.run_name) <= 128
    assert session._identity("a" * 90, folder.name) != session._identity("b" + "a" * 89, folder.name)


@pytest.mark.parametrize("name", ["", " ", "team/iqa", "a:b", "x" * 129, "a\nb"])
def test_a_project_that_wandb_does_not_take_is_refused_before_the_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError, match=r"wandb\.project is .*; expected 1 to 128 letters without / "):
        session.WandbSettings(project=name)
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    if name == "team/iqa":
        assert main(["fit", *words(tmp_path, "livec", "--wandb.project", name)]) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("sdsiqa fit: wandb.project is 'team/iqa'; expected ")
        assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("word", "mode"), [("ONLINE", "online"), ("Offline", "offline"), ("dryrun", "offline"), ("run", "online"), ("onlin", None)]
)
def test_wandb_mode_is_read_in_any_spelling(word: str, mode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", word)
    if mode is None:
        with pytest.raises(SettingError, match="WANDB_MODE is 'onlin'; expected online, offline or disabled"):
            session.WandbSettings()
    else:
        session.WandbSettings()
        assert session._mode("auto") == mode


def test_wandb_that_does_not_start_at_all_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()  # the variables are read once
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "soon")
    with caplog.at_level("INFO"):
        assert session.open_logger(session.WandbSettings(), RunSettings(), tmp_path) is None
    wandb.teardown()
    assert "the run goes on without it, its folder has everything" in caplog.text


def test_without_wandb_the_run_folder_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    folder = fit(tmp_path, epochs=1)
    assert not (folder / "wandb").exists()
    for name in ("config.yaml", "split.json", "metrics.json", "metrics.csv", "scores/livec-test.csv"):
        assert (folder / name).exists()


@pytest.mark.slow
def test_a_broken_run_logs_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "helpers"))
    overlay = tmp_path / "stop.yaml"
    overlay.write_text("trainer:\n  callbacks:\n    - {class_path: signals.SignalAt, init_args: {step: 4, name: SIGUSR1}}\n")
    more = ["--trainer.log_every_n_steps", "1", "--data.batch_size", "4"]
    whole = fit(tmp_path, *more, "--run.name", "whole")
    command = ["fit", *words(tmp_path, "livec", *more, "-c", str(overlay), "--run.name", "broken")]
    assert main(command) == 75
    (broken,) = (tmp_path / "runs").glob("broken-*")
    # what a life behind the checkpoint has logged is cut off and written again; what W&B has lost is sent again
    course = LogRows(broken / "course.jsonl")
    assert [row["trainer/global_step"] for row in course.read() if "train/loss_step" in row] == [0, 1, 2, 3, 4]
    course.add({"train/loss_step": -1.0, "trainer/global_step": 99})
    assert main(command) == 0
    found = rows(broken)
    assert [row["_step"] for row in found] == list(range(len(found)))
    assert found == rows(whole)
    assert len({record["run"]["run_id"] for record in records(broken) if record["type"] == "run"}) == 1


def test_rows_that_wandb_has_lost_are_sent_again(tmp_path: Path) -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[int] = []

        def log(self, row: dict[str, Any], step: int, commit: bool) -> None:
            assert commit
            self.heard.append(step)

    course = LogRows(tmp_path / "course.jsonl")
    for number in range(6):
        course.add({"value": number})
    listener = Listener()
    logger = RunLogger(listener, LogRows(course.path), known=2)
    logger.go_on(4)  # the checkpoint counts four rows, of which W&B has two
    assert listener.heard == [2, 3]
    assert [row["value"] for row in course.read()] == [0, 1, 2, 3]
    logger.log_metrics({"value": 4}, step=4)
    assert listener.heard == [2, 3, 4]
    ahead = RunLogger(listener, LogRows(course.path), known=7)  # W&B has rows that the checkpoint does not know yet
    ahead.go_on(5)
    ahead.log_metrics({"value": 5}, step=5)
    ahead.log_metrics({"value": 6}, step=6)
    assert listener.heard == [2, 3, 4]
    ahead.log_metrics({"value": 7}, step=7)
    assert listener.heard == [2, 3, 4, 7]


def test_a_half_written_row_is_cut_off(tmp_path: Path) -> None:
    course = LogRows(tmp_path / "course.jsonl")
    course.add({"value": 1.0})
    with course.path.open("ab") as file:
        file.write(b'{"value": 2')
    course.go_on(5)
    course.add({"value": 3.0})
    assert [row["value"] for row in course.read()] == [1.0, 3.0]


def test_wandb_that_dies_does_not_end_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Dead:
        def log(self, *args: Any, **kwargs: Any) -> None:
            raise BrokenPipeError("the service is gone")

    logger = RunLogger(Dead(), LogRows(tmp_path / "course.jsonl"), known=0)
    with caplog.at_level("INFO"):
        logger.log_metrics({"value": 1}, step=0)
    assert "W&B takes nothing any more (the service is gone); the run continues" in caplog.text
    logger.log_metrics({"value": 2}, step=1)
    assert len(logger.log_rows.read()) == 2
