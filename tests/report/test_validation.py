"""Runs that tested nothing are told apart by their validation parts, as what they are."""

import shutil
from pathlib import Path

import pytest
import yaml
from report_runs import column, make_run

from sdsiqa.cli import main
from sdsiqa.files import write_bytes
from sdsiqa.report.validation import read_validated, validation_tables
from sdsiqa.runs.folder import RunFolder

CURVE = """epoch,step,train/loss,val/srcc,val/plcc
-1.0,0,,{0},.5
0.0,4,.2,,
1.0,8,.1,{1},.6
2.0,12,.1,{1},.7
3.0,16,.1,{2},.8
"""


def searched(runs: Path, ablation: str, srcc: tuple[object, ...], split: int = 9, method: str = "sdsiqa") -> Path:
    """Write a run that validated each second epoch, and tested nothing."""
    folder = make_run(runs, ablation=ablation, split=split, method=method)
    shutil.rmtree(folder / "scores")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["run"]["test"] = False
    write_bytes(folder / "config.yaml", yaml.safe_dump(config).encode())
    write_bytes(folder / "metrics.csv", CURVE.format(*srcc).encode())
    RunFolder(folder).update(cost={"wall_hours": 0.1})
    return folder


def test_the_chosen_epoch_of_each_setting_stands_beside_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    searched(tmp_path, "fast", (0.1, 0.8, 0.7))
    searched(tmp_path, "fast", (0.1, 0.5, 0.6), split=8)
    searched(tmp_path, "slow", (0.1, 0.4, 0.4), split=8)
    searched(tmp_path, "slow", (0.3, 0.2, 0.1), method="other")
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "LIVE, validation part" in said
    assert "figures to choose settings by, not results" in said
    (table,) = validation_tables(read_validated([tmp_path]))
    assert column(table, "method") == ["other (slow)", "sdsiqa (fast)", "sdsiqa (slow)"]
    assert column(table, "SRCC") == ["0.300", "0.700 ± 0.141", "0.500 ± 0.141"]
    assert column(table, "PLCC") == ["0.500", "0.750", "0.750"]
    assert column(table, "epoch") == ["0", "3, 4", "3, 4"]  # of equal ones the later; 0 is the start
    assert column(table, "split") == ["9", "8, 9", "8, 9"]
    assert column(table, "minutes") == ["6.0", "6.0", "6.0"]
    assert table.strong == {(1, 1)}  # nothing was chosen of a method with one setting
    assert "0.700 ± 0.141 *" in said


def test_settings_that_ran_on_other_splits_are_not_ranked(tmp_path: Path) -> None:
    searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    searched(tmp_path, "fast", (0.1, 0.8, 0.7), split=8)
    (table,) = validation_tables(read_validated([tmp_path]))
    assert not table.strong


def test_the_figures_are_written_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(tmp_path / "runs", "slow", (0.1, 0.123456789, 0.1))
    assert main(["report", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out" / "validation.md") in capsys.readouterr().out
    assert "0.123456789" in (tmp_path / "out" / "validation-live.csv").read_text()
    assert "| sdsiqa (slow) | 0.123 |" in (tmp_path / "out" / "validation.md").read_text()


def test_a_run_that_tested_is_reported_by_its_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    make_run(tmp_path, ablation="full", split=9)
    assert read_validated([tmp_path]) == []
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "live-test" in said
    assert "validation" not in said


@pytest.mark.parametrize("more", [["--full"], ["--baseline", "slow"], ["--format", "csv"], ["--remark", "sdsiqa=x"]])
def test_what_only_a_test_can_answer_is_refused(tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder = searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    assert main(["report", str(folder), *more]) != 0
    assert "holds no scores/*.csv" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"val/srcc,epoch\nx,y\n"])
def test_a_damaged_curve_is_named(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    folder = searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    write_bytes(folder / "metrics.csv", content)
    assert main(["report", str(folder)]) != 0
    assert f"{folder / 'metrics.csv'} cannot be read" in capsys.readouterr().err


def test_a_run_that_validated_nothing_has_nothing_to_show(tmp_path: Path) -> None:
    folder = searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    write_bytes(folder / "metrics.csv", b"epoch,step,train/loss\n0.0,4,.2\n")
    assert read_validated([folder]) == []
    (folder / "metrics.csv").unlink()
    assert read_validated([folder]) == []


def test_what_is_not_shown_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(tmp_path, "slow", (0.1, 0.6, 0.5))
    stopped = searched(tmp_path, "fast", (0.1, 0.6, 0.5))
    RunFolder(stopped).update(state="running")
    (stopped / "config.yaml").unlink()  # as before the first step
    empty = searched(tmp_path, "none", (0.1, 0.6, 0.5))
    (empty / "metrics.csv").unlink()
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "sdsiqa (slow)" in said.out
    assert "sdsiqa (fast)" not in said.out
    assert f"left out: {stopped} is not finished: its state is 'running'" in said.err
    assert f"left out: {empty} has validated nothing" in said.err
    assert main(["report", str(tmp_path), str(tmp_path / "nowhere")]) == 1
    assert "nowhere does not exist" in capsys.readouterr().err


def test_a_reconstruction_is_called_one(tmp_path: Path) -> None:
    folder = searched(tmp_path, "slow", (0.1, 0.6, 0.5), method="setnet")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"] = {"network": {"class_path": "sdsiqa.models.SETNet"}}
    write_bytes(folder / "config.yaml", yaml.safe_dump(config).encode())
    (table,) = validation_tables(read_validated([folder]))
    assert column(table, "method") == ["setnet (reconstruction, slow)"]


def test_what_is_undefined_is_shown_as_such(tmp_path: Path) -> None:
    searched(tmp_path, "slow", ("", "", ""))
    searched(tmp_path, "fast", ("", "", ""))
    (table,) = validation_tables(read_validated([tmp_path]))
    assert column(table, "SRCC") == ["NaN", "NaN"]
    assert not table.strong
