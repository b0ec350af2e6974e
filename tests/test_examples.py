"""The worked examples of CONTRIBUTING.md: only the files that it names are written, and its commands run as they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml
from fakes import scene

from sdsiqa.images import write_image

pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parent.parent
QUIET = ("--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu")


class Example(NamedTuple):
    """A section of the document: the files that it adds or appends to, and its commands."""

    files: dict[str, str]
    appended: dict[str, str]
    commands: list[list[str]]


def read_examples() -> dict[str, Example]:
    """Take the document apart, by the heading of each section."""
    found = {}
    for section in (ROOT / "CONTRIBUTING.md").read_text().split("\n## ")[1:]:
        files = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)```", section, re.DOTALL | re.MULTILINE))
        appended = dict(re.findall(r"^At the end of `(\S+)`:\n\n```\w+\n(.*?)```", section, re.DOTALL | re.MULTILINE))
        blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        commands = [shlex.split(line) for block in blocks for line in block.replace("\\\n", "").splitlines()]
        if files or appended:
            found[section.splitlines()[0]] = Example(files, appended, commands)
    return found


EXAMPLES = read_examples()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project as it is, with the photographs of the example's benchmark."""
    for name in ("src", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    photographs(tmp_path / "data" / "garden")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    return tmp_path


def photographs(folder: Path) -> None:
    """Draw the ten images of the example's benchmark, with its label file."""
    rows = []
    for number in range(10):
        write_image(folder / "photos" / f"{number}.png", scene(number))
        rows.append({"file": f"{number}.png", "mos": 1 + 0.4 * number})
    pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)


def add(example: Example, project: Path) -> None:
    """Write the files of a section, all of them new, and nothing else."""
    for name, content in example.files.items():
        assert not (project / name).exists(), f"{name} is there already"
        (project / name).write_text(content)
    for name, content in example.appended.items():
        with (project / name).open("a") as file:
            file.write(f"\n\n{content}")


def run_installed(words: list[str], folder: Path) -> str:
    """Run the installed command in a folder, as a person would; give what it printed."""
    command = [str(Path(sys.executable).with_name("sdsiqa")), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    environment.pop("SDSIQA_DATA", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_all(example: Example, folder: Path) -> dict[str, Any]:
    """Run the commands of a section; give the configuration of the run that they made, which has scored its test part."""
    for _, *words in example.commands:
        run_installed([*words, *(QUIET if words[0] == "fit" else ())], folder)
    (run,) = (folder / "runs").iterdir()
    assert len(pd.read_csv(run / "scores" / "garden-test.csv")) == 2
    return dict(yaml.safe_load((run / "config.yaml").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        ("A benchmark", "data.benchmark.class_path", "sdsiqa.benchmarks.Garden"),
        ("A method", "model.network.class_path", "sdsiqa.models.Contrast"),
        ("A saliency source", "data.saliency.class_path", "sdsiqa.saliency.Edges"),
        ("A loss", "model.loss.class_path", "sdsiqa.losses.Cubic"),
        ("An ablation", "model.network.init_args.fusion.head_dim", 4),
    ],
)
def test_the_files_of_an_example_are_enough(kind: str, setting: str, value: object, project: Path) -> None:
    add(EXAMPLES["A benchmark"], project)
    if kind != "A benchmark":
        add(EXAMPLES[kind], project)
    found: Any = run_all(EXAMPLES[kind], project)
    for key in setting.split("."):
        found = found[key]
    assert found == value
    if kind == "A benchmark":  # a run to report
        add(EXAMPLES["A report table"], project)
        ((_, *words),) = EXAMPLES["A report table"].commands
        assert re.search(r"Largest error\n.*\| sdsiqa[^|]*\| garden *\| 0\.\d{3} \|", run_installed(words, project), re.DOTALL)


@pytest.mark.slow
def test_classes_of_the_current_folder_need_no_project(tmp_path: Path) -> None:
    """Files named like packages lie beside them, as they may in a person's folder, and must replace none."""
    for name in ("torch", "random", "yaml", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the current folder was imported')\n")
    photographs(tmp_path / "data" / "garden")
    loss = "from torch import Tensor\n\nfrom sdsiqa.losses import QualityLoss\n\n\n"
    files = {Path(name).name: text for kind in EXAMPLES.values() for name, text in kind.files.items()}
    files["cubic.py"] = loss + EXAMPLES["A loss"].appended["src/sdsiqa/losses.py"]
    files["garden.yaml"] = files["garden.yaml"].replace("sdsiqa.benchmarks.Garden", "garden.Garden")
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    words = ["fit", "--data", "garden.yaml", "--data.saliency", "edges.Edges", "--model.network", "contrast.Contrast"]
    run_installed([*words, "--model.loss", "cubic.Cubic", "--trainer.max_epochs", "1", *QUIET], tmp_path)
    (run,) = (tmp_path / "runs").iterdir()
    assert len(pd.read_csv(run / "scores" / "garden-test.csv")) == 2


def test_every_kind_that_the_document_shows_is_run() -> None:
    assert set(EXAMPLES) == {"A benchmark", "A method", "A saliency source", "A loss", "An ablation", "A report table"}
    assert all(example.commands for example in EXAMPLES.values())
