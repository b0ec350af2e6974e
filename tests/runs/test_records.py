"""A damaged file of a run's folder is named, with the remedy, by whoever reads it."""

import json
from pathlib import Path

import pytest

from sdsiqa.cli import main
from sdsiqa.errors import RunMismatchError
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.records import read_config, read_record
from sdsiqa.tracking.log_rows import LogRows


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe"])
def test_a_damaged_record_is_named(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_record(tmp_path / "none.json") == {}
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    for name, read in (
        ("run.json", lambda: RunFolder(folder).record),
        ("metrics.json", lambda: RunFolder(folder).summary()),
        ("metrics.json", lambda: RunFolder(folder).add_metrics("x", {})),
    ):
        (folder / name).write_bytes(content)
        with pytest.raises(RunMismatchError, match=rf"{name} cannot be read \(.*\); put it back, or remove the folder"):
            read()
        (folder / name).unlink()
    (folder / "config.yaml").write_bytes(content)
    with pytest.raises(RunMismatchError, match=r"config\.yaml cannot be read \(.*\); put it back, or remove the folder"):
        read_config(folder)
    (folder / "config.yaml").write_text("wandb: {project: sdsiqa}\n")
    (folder / "run.json").write_text("{}")
    (folder / "metrics.json").write_bytes(content)
    assert main(["dashboard", "sdsiqa", "--runs", str(folder.parent), "--out", str(tmp_path / "board.json")]) == 1
    assert f"sdsiqa dashboard: {folder / 'metrics.json'} cannot be read (" in capsys.readouterr().err


def test_a_damaged_row_of_a_learning_curve_is_named(tmp_path: Path) -> None:
    (tmp_path / "course.jsonl").write_bytes(b'{"a": 1}\n[1]\n')
    with pytest.raises(RunMismatchError, match=r"course.jsonl cannot be read \(.*\); remove it, and rows are logged anew"):
        LogRows(tmp_path / "course.jsonl").read()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("split_hash", {"a": 1}, "a text"),
        ("state", 3, "a text"),
        ("cost", "much", "keys and values"),
        ("best", [1], "keys and values"),
    ],
)
def test_a_fact_of_another_type_is_named(tmp_path: Path, name: str, value: object, expected: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps({name: value}))
    with pytest.raises(RunMismatchError, match=rf"run\.json: {name} is .*; expected {expected}; put the file back"):
        _ = RunFolder(tmp_path).record
