"""The command of a finished run is answered without torch; what may mean another run is left to the run itself."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runs import words
from sdsiqa.runs.folder import RunFolder
from sdsiqa.training import rerun


@pytest.fixture
def same(run: Path) -> list[str]:
    """The words that made the run."""
    return words(run.parent.parent, epochs=1)


def said(capsys: pytest.CaptureFixture[str], asked: list[str]) -> str:
    """What the early answer to a command is; empty where there is none."""
    with contextlib.suppress(SystemExit):
        rerun.end_if_finished(asked)
    return capsys.readouterr().out


def test_the_same_command_is_answered_without_torch(run: Path, same: list[str], tmp_path: Path) -> None:
    code = "import sys, sdsiqa.cli\ntry: sdsiqa.cli.main(['fit', *sys.argv[1:]])\nfinally: print('torch' in sys.modules)"
    few = os.environ | {"SDSIQA_TEST_SUBSET": "1"}
    done = subprocess.run([sys.executable, "-c", code, *same], capture_output=True, text=True, check=False, cwd=tmp_path, env=few)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == f"{run} is finished already; nothing to do"
    assert rest[-1] == "False"
    assert "\n".join(rest[:-1]) == RunFolder(run).summary()


def test_the_configuration_of_a_finished_run_is_its_name(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, ["-c", str(run / "config.yaml")]).startswith(f"{run} is finished already")
    assert not said(capsys, ["-c", str(run / "config.yaml"), "--trainer.max_epochs", "9"])


@pytest.mark.parametrize(
    "more",
    [
        *(["--seed_everything", "1"], ["--data.split", "1"], ["--seed_everything=true"], ["--run.name", "other"]),
        *(["--data.saliency", "garden.Edges"], ["--model.init_from", "runs/first"], ["--ckpt_path", "last"]),
        *(["-c", "nowhere.yaml"], ["--run.root", "elsewhere"]),
    ],
    ids=" ".join,
)
def test_another_command_is_left_to_the_run(same: list[str], more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, same)
    assert not said(capsys, [*same, *more])


@pytest.mark.parametrize(("name", "value"), [("LOCAL_RANK", "0"), ("SLURM_PROCID", "1"), ("PL_GLOBAL_SEED", "4")])
def test_what_surrounds_the_command_counts(
    same: list[str], name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert not said(capsys, same)


def test_other_code_or_libraries_may_mean_another_run(
    same: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerun, "_LIBRARIES", (*rerun._LIBRARIES, "numpy-of-another-version"))
    assert not said(capsys, same)


def test_a_variable_of_a_file_counts_by_its_value(
    same: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("run: {remark: '${oc.env:SURELY_MINE,none}'}")
    asked = [*same, "-c", str(overlay)]
    before = rerun.request(asked)
    monkeypatch.setenv("SURELY_MINE", "another")
    assert before != rerun.request(asked)
    overlay.write_text("run: {remark: '${oc.env:SURELY_UNSET}'}")
    assert rerun.request(asked) is None


def test_a_copy_and_a_run_that_is_not_finished_are_not_taken_for_it(
    run: Path, same: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*same, "--run.root", str(tmp_path / "runs")]
    record = {**json.loads((run / "run.json").read_text()), "request": rerun.request(asked)}

    def keep(name: str, **facts: str) -> None:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(run / "config.yaml", folder)
        (folder / "run.json").write_text(json.dumps(record | facts))

    keep("copy")
    keep(run.name, state="started")
    assert not said(capsys, asked)
    keep(run.name)
    assert said(capsys, asked).startswith(f"{tmp_path / 'runs' / run.name} is finished already")
