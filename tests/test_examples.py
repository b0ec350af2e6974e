"""The worked examples of CONTRIBUTING.md run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fakes import scene

from sdsiqa.images import write_image

pytestmark = pytest.mark.filterwarnings("default")
TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
FILES = re.findall(r"<!-- example file (\S+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"<!-- example command -->\n```sh\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples' files and the benchmark that one of them describes.

    Files named like packages lie beside them, as they may in a person's folder, and must replace none.
    """
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for name in ("torch", "random", "yaml", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the current folder was imported')\n")
    for name, content in FILES:
        (tmp_path / name).write_text(content)
    rows = []
    for number in range(10):
        write_image(tmp_path / "garden" / "photos" / f"{number}.png", scene(number))
        rows.append({"file": f"{number}.png", "mos": 1 + 0.4 * number})
    pd.DataFrame(rows).to_csv(tmp_path / "garden" / "scores.csv", index=False)
    return tmp_path


def run_installed(words: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, as a person would."""
    command = [str(Path(sys.executable).with_name("sdsiqa")), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[-1])
def test_every_example_runs(command: str, place: Path) -> None:
    quiet = ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
    done = run_installed([*shlex.split(command)[1:], *quiet], place)
    assert done.returncode == 0, done.stderr
    (folder,) = (place / "runs").iterdir()
    assert len(pd.read_csv(folder / "scores" / "garden-test.csv")) == 2


def test_a_loss_and_an_overlay_do_what_they_say() -> None:
    assert {name for name, _ in FILES} == {"garden.py", "garden.yaml", "small.yaml", "only_deep.yaml", "cubic.py"}
    assert len(COMMANDS) == 3
