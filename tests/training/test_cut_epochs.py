"""Weights are judged by a validation of their own, also where an epoch ends without one or before its end."""

from pathlib import Path

import pandas as pd
import pytest

from runs import fit, words
from sdsiqa.cli import main
from sdsiqa.runs.folder import RunFolder

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")


def course(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv").set_index("step")


@pytest.mark.parametrize("steps", [1, 5])
def test_an_epoch_that_is_cut_short_is_validated_where_it_ends(tmp_path: Path, steps: int) -> None:
    folder = fit(tmp_path, "--trainer.max_steps", str(steps), "--data.batch_size", "4", benchmark="demo", epochs=4)
    rows = course(folder)
    assert rows.index[-1] == steps
    assert rows["val/rmse"].notna().all()
    assert rows["val/rmse"].nunique() == len(rows)  # none has the values of another
    best = RunFolder(folder).record["best"]
    assert best["val/srcc"] == rows["val/srcc"][best["step"]] == rows["val/srcc"].max()


def test_a_run_that_time_ends_is_validated_where_it_ends_and_chooses_by_that(tmp_path: Path) -> None:
    """However long a step takes, one is taken, and a thousand epochs are not."""
    folder = fit(tmp_path, "--trainer.max_time", "00:00:00:01", "--data.batch_size", "4", benchmark="demo", epochs=1000)
    rows, record = course(folder), RunFolder(folder).record
    assert rows["val/srcc"].notna().all()
    assert record["chosen_by"] == "val/srcc"
    assert record["best"]["val/srcc"] == rows["val/srcc"][record["best"]["step"]] == rows["val/srcc"].max()
    assert rows.index[-1] > 0


def test_an_epoch_without_a_validation_has_no_values_and_is_not_chosen(tmp_path: Path) -> None:
    folder = fit(tmp_path, "--trainer.check_val_every_n_epoch", "2", benchmark="demo", epochs=3)
    rows = course(folder)
    assert rows["val/rmse"].notna().tolist() == [True, False, True, False]
    assert RunFolder(folder).record["chosen_by"] == "val/srcc"
    assert RunFolder(folder).record["best"]["step"] in rows.index[rows["val/rmse"].notna()]


def test_what_a_user_adds_to_the_trainer_is_obeyed_and_recorded(tmp_path: Path) -> None:
    early = "lightning.pytorch.callbacks.EarlyStopping"  # one class, where a list may stand too
    options = ["--trainer.callbacks", early, "--trainer.callbacks.monitor", "val/srcc", "--trainer.callbacks.patience", "1"]
    options += ["--trainer.callbacks.min_delta", "2", "--trainer.logger", "lightning.pytorch.loggers.CSVLogger"]
    options += ["--trainer.logger.save_dir", str(tmp_path / "logged"), "--seed_everything", "false"]
    folder = fit(tmp_path, *options, benchmark="demo", epochs=6)
    record = RunFolder(folder).record
    assert (record["chosen_by"], record["seed"]) == ("val/srcc", None)
    assert len(course(folder)) < 7  # no epoch is better by two, so it stops early
    (logged,) = (tmp_path / "logged").rglob("metrics.csv")
    assert "val/srcc" in logged.read_text()


def test_more_steps_between_validations_than_an_epoch_has_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *words(tmp_path, "livec", "--trainer.val_check_interval", "500")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sdsiqa fit: ")]
    assert "trainer.val_check_interval is 500, and an epoch has " in line
    assert not (tmp_path / "runs").exists()
