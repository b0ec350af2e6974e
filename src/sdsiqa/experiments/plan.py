"""The cells of an experiment, and the command of each."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdsiqa.errors import ExperimentError
from sdsiqa.experiments.cell import FACTS, QUIET, Cell
from sdsiqa.experiments.definition import Experiment, Variant
from sdsiqa.runs.environment import code_version
from sdsiqa.runs.fingerprint import hash_of
from sdsiqa.runs.folder import RunFolder


def plan(experiment: Experiment, root: Path, variants: Sequence[Variant] | None = None) -> tuple[list[Cell], int]:
    """Work out the cells of an experiment.

    Args:
        experiment: The experiment.
        root: Folder of all runs.
        variants: Which ones; `None` takes all.

    Returns:
        The cells in order, and the number of GPUs here.

    Raises:
        ExperimentError: Planning itself failed.
    """
    chosen = experiment.variants() if variants is None else list(variants)
    answers = _resolve([list(variant.words) for variant in chosen])
    code = code_version()
    cells = []
    for variant, answer in zip(chosen, answers["runs"], strict=True):
        facts = {**{name: str(answer[name]) for name in FACTS[:-1]}, "code_version": code}
        mark = "blocked" if answer["error"] else hash_of(facts)[:8]
        folder = root / experiment.group / f"{variant.name}-{mark}"
        named = {"name": variant.name, "folder": folder, "group": experiment.group, "job_type": "cell"}
        labels = {"method": variant.method, "ablation": variant.ablation}
        if variant.method in experiment.remarks:
            labels["remark"] = experiment.remarks[variant.method]
        tags = [experiment.name, variant.benchmark, variant.method, variant.ablation]
        words = [word for key, value in {**named, **labels}.items() for word in (f"--run.{key}", str(value))]
        argv = (*variant.words, *words, "--run.tags", json.dumps(list(dict.fromkeys(tags))), *QUIET)
        cells.append(Cell(variant, folder, facts, answer["config"], argv, experiment.tests, answer["error"]))
    return cells, int(answers["gpus"])


def folder_of_run(words: Sequence[str]) -> RunFolder:
    """Find out where a command line would put its run.

    Args:
        words: Words after `sdsiqa fit`.

    Raises:
        ExperimentError: The words are wrong, or the benchmark is not here.
    """
    (answer,) = _resolve([list(words)])["runs"]
    if answer["error"]:
        raise ExperimentError(str(answer["error"]))
    settings = answer["config"]["run"]
    return RunFolder(Path(settings["folder"] or Path(settings["root"]) / f"{settings['name']}-{answer['hash']}"))


def _resolve(jobs: list[list[str]]) -> dict[str, Any]:
    """Ask a process that may load torch what these command lines would run."""
    with tempfile.TemporaryDirectory(prefix="sdsiqa-") as name:
        asked, answered = Path(name) / "jobs.json", Path(name) / "answers.json"
        asked.write_text(json.dumps(jobs))
        command = [sys.executable, "-P", "-W", "ignore", "-m", "sdsiqa.experiments.resolve_config", str(asked), str(answered)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ExperimentError(f"the cells cannot be planned: {done.stderr.strip()}")
        return dict(json.loads(answered.read_text()))
