"""Runs that were stopped and folders of other programs lie among finished runs: they are left out, with a line each."""

import json
import subprocess
from pathlib import Path

import pytest
from report_runs import make_run

from sdsiqa.cli import main
from sdsiqa.files import write_bytes
from sdsiqa.report.read import read_results
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import RunLock
from sdsiqa.tracking.dashboard import survey

ROOT = Path(__file__).parents[2]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two finished runs among all else that a pattern such as `runs/*` finds."""
    root = tmp_path / "runs"
    for split in range(2):
        make_run(root, split=split)
    stopped = make_run(root, split=2)
    RunFolder(stopped).update(state="started")
    lock = RunLock(root / "live-sdsiqa-full-3-0-00000000")  # stopped before its record was written
    lock.acquire()
    lock.release()
    RunFolder(root / "demo-net-first-0-0-00000000").update(state="finished")
    write_bytes(root / "demo-net-first-0-0-00000000" / "config.yaml", b"run: {test: false}")
    write_bytes(root / "foreign" / "run.json", b"[1, 2]")
    write_bytes(root / "foreign" / "config.yaml", b"- 1")
    write_bytes(root / "report" / "report.md", b"# Report")
    write_bytes(root / "notes.txt", b"x")
    return root


def everything(runs: Path) -> list[str]:
    return [str(path) for path in sorted(runs.iterdir())]


def test_a_report_leaves_out_what_is_not_finished_with_a_line_each(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([str(runs)], everything(runs)):
        assert main(["report", *words]) == 0
        said = capsys.readouterr()
        assert "2 splits" in said.out
        lines = [line for line in said.err.splitlines() if line.startswith("sdsiqa report: left out: ")]
        told = {Path(line.split()[4]).name: line for line in lines}
        assert len(told) == len(lines)
        (stopped,) = (name for name in told if name.startswith("live-sdsiqa-full-2-0"))
        assert f"is not finished: its state is 'started'; `sdsiqa fit -c {runs / stopped / 'config.yaml'}`" in told[stopped]
        assert "stopped before its first step" in told["live-sdsiqa-full-3-0-00000000"]
        assert "is no run of sdsiqa" in told["foreign"]
        if len(words) > 1:
            assert "is no score table" in told["notes.txt"]
            assert set(told) >= {"report", "notes.txt"}
        else:
            assert set(told) == {stopped, "live-sdsiqa-full-3-0-00000000", "foreign"}


def test_a_score_table_of_a_run_that_is_not_finished_is_left_out_too(runs: Path) -> None:
    tables = sorted(runs.glob("live-*/scores/live-test.csv"))
    assert len(tables) == 3
    assert [result.split for result in read_results(tables)] == ["0", "1"]


def test_a_report_of_unfinished_runs_alone_says_what_each_lacks(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stopped,) = runs.glob("live-sdsiqa-full-2-0-*")
    assert main(["report", str(stopped)]) == 1
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith(f"sdsiqa report: {stopped} is not finished: its state is 'started'")
    )
    assert main(["report", str(stopped), str(runs / "report")]) == 1
    assert "none of these can be used; name a folder that `sdsiqa fit` made" in capsys.readouterr().err


def test_verify_looks_at_every_folder_that_has_checksums(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *everything(runs)]) == 1  # the runs' tables were not written by a run
    said = capsys.readouterr()
    assert sum("live-sdsiqa-full-" in line for line in said.out.splitlines()) == 3
    assert "left out: " + str(runs / "report") + " has no manifest.json" in said.err
    next(runs.glob("live-sdsiqa-full-0-*/manifest.json")).write_text("{")
    assert main(["verify", str(runs)]) == 1
    said = capsys.readouterr()
    assert "manifest.json is no manifest" in said.out
    assert sum("live-sdsiqa-full-" in line and "files" in line for line in said.out.splitlines()) == 2


def test_sync_uploads_the_runs_that_have_something(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = runs.glob("live-sdsiqa-full-0-0-*")
    write_bytes(first / "wandb" / "offline-run-20260101_000000-abcdefgh" / "run-abcdefgh.wandb", b"")
    assert main(["sync", *everything(runs), "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "0 of 1 offline logs are on the server already" in said.out
    assert f"left out: {runs / 'report'} holds no wandb/offline-run-*" in said.err


def test_a_dashboard_is_made_among_foreign_configurations(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = runs.glob("live-sdsiqa-full-0-0-*")
    write_bytes(first / "config.yaml", (first / "config.yaml").read_bytes() + b"wandb: {project: mine}\n")
    write_bytes(first / "wandb" / "files" / "config.yaml", b"{")
    assert survey(runs, "mine").runs == 1
    assert f"left out: {runs / 'foreign'} has a config.yaml that cannot be read" in capsys.readouterr().err
    (table,) = (first / "scores").glob("*.csv")
    for content in (b"", b"image,score\na,1\n", b"index,image,distortion\n1\n", b"caf\xe9\n"):
        table.write_bytes(content)
        assert survey(runs, "mine").distorted == ()
        assert f"left out: {table} is no table of scores (" in capsys.readouterr().err


def test_a_damaged_record_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = runs.glob("live-sdsiqa-full-0-0-*")
    (first / "run.json").write_text("{")
    assert main(["report", str(runs)]) == 0
    assert f"{first} is no run of sdsiqa: its run.json cannot be read (JSONDecodeError)" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "documents"), [("kept", ""), ("livec", " --readme docs/results.md")])
def test_keep_copies_finished_runs_alone_and_fills_the_documents_that_name_them(
    runs: Path, tmp_path: Path, name: str, documents: str
) -> None:
    (venv := tmp_path / "venv" / "bin").mkdir(parents=True)
    (venv / "sdsiqa").write_text('#!/bin/sh\necho "$@"\n')
    (venv / "sdsiqa").chmod(0o755)
    (venv.parent / ".installed").touch()
    words = ["make", "--no-print-directory", "keep", f"RUNS={runs}/*", f"TO={tmp_path / name}", f"VENV={venv.parent}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    kept = sorted(path.name[:20] for path in (tmp_path / name).iterdir())
    assert kept == ["demo-net-first-0-0-0", "live-sdsiqa-full-0-0", "live-sdsiqa-full-1-0"]
    assert done.stderr.count("is no finished run") == 5
    assert done.stdout.splitlines()[-1] == f"report {tmp_path / name}{documents}"


def test_a_script_is_told_which_runs_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_RUN_LIST", str(tmp_path / "made"))
    for name in ("one", "two"):
        RunFolder(tmp_path / name).list_as_made()
    assert (tmp_path / "made").read_text().splitlines() == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_records_written_before_there_were_states_count_as_finished(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    record = json.loads((run / "run.json").read_text())
    del record["state"]
    (run / "run.json").write_text(json.dumps(record))
    assert len(read_results([run])) == 1
