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
from sdsiqa.experiments.definition import Experiment, Variant, benchmark_of_test
from sdsiqa.runs.class_paths import benchmark_name
from sdsiqa.runs.environment import code_version
from sdsiqa.runs.fingerprint import hash_of
from sdsiqa.runs.folder import RunFolder


def plan(experiment: Experiment, root: Path, variants: Sequence[Variant] | None = None) -> tuple[list[Cell], int]:
    """Work out the cells of an experiment.

    Args:
        experiment: The experiment.
        root: Folder of all runs.
        variants: Which ones, to which their first stages are added; `None` takes all.

    Returns:
        The cells in order, first stages before those that start from them, and the number of GPUs here.

    Raises:
        ExperimentError: Planning itself failed.
    """
    chosen = experiment.variants() if variants is None else list(variants)
    firsts = {variant.name: variant for chosen_one in chosen if (variant := chosen_one.first) is not None}
    ordered = [*firsts.values(), *(variant for variant in chosen if variant.name not in firsts)]
    places = [list(firsts).index(variant.first.name) if variant.first is not None else None for variant in ordered]
    answers = _resolve([list(variant.words) for variant in ordered], places)
    code = code_version()
    cells: dict[str, Cell] = {}
    for variant, answer in zip(ordered, answers["runs"], strict=True):
        facts = {**{name: str(answer[name]) for name in FACTS[:-1]}, "code_version": code}
        mark = "blocked" if answer["error"] else hash_of(facts)[:8]
        folder = root / experiment.group / f"{variant.name}-{mark}"
        first = None if variant.first is None else cells[variant.first.name]
        argv = (*variant.words, *_named(experiment, variant, folder, first), *QUIET)
        tests = {} if variant.is_first else experiment.tests
        cells[variant.name] = cell = Cell(variant, folder, facts, answer["config"], argv, tests, answer["error"], first)
        _refuse_leak(experiment, cell)
    return list(cells.values()), int(answers["gpus"])


def _refuse_leak(experiment: Experiment, cell: Cell) -> None:
    """Refuse a test on all images of a benchmark that a cell, or its first stage, learns from."""
    for name, file in cell.tests.items():
        tested = benchmark_name({"benchmark": benchmark_of_test(name, file)})
        for part in (cell, cell.first):
            if part is not None and part.benchmark == tested:
                raise ExperimentError(
                    f"{experiment.name}: tests.{name} scores all images of {tested}, and {part.name} learns from "
                    f"them; leave it out of tests, or test it in an experiment without {part.variant.benchmark}"
                )


def _named(experiment: Experiment, variant: Variant, folder: Path, first: Cell | None) -> list[str]:
    """Give the words that say where a cell lies, what it is called, and what it starts from."""
    kind = "first-stage" if variant.is_first else "cell"
    run = {"name": variant.name, "folder": folder, "group": experiment.group, "job_type": kind}
    run |= {"method": variant.method, "ablation": variant.ablation}
    if variant.method in experiment.remarks and not variant.is_first:
        run["remark"] = experiment.remarks[variant.method]
    words = [word for key, value in run.items() for word in (f"--run.{key}", str(value))]
    tags = [experiment.name, variant.benchmark, variant.method, variant.ablation]
    words += ["--run.tags", json.dumps(list(dict.fromkeys(tags)))]
    if variant.is_first:
        words += ["--run.test", "false", "--wandb.checkpoints", "false"]
    return words if first is None else [*words, "--model.init_from", str(first.folder)]


def folder_of_run(words: Sequence[str]) -> RunFolder:
    """Find out where a command line would put its run.

    Args:
        words: Words after `sdsiqa fit`.

    Raises:
        ExperimentError: The words are wrong, or the benchmark is not here.
    """
    (answer,) = _resolve([list(words)], [None])["runs"]
    if answer["error"]:
        raise ExperimentError(str(answer["error"]))
    settings = answer["config"]["run"]
    return RunFolder(Path(settings["folder"] or Path(settings["root"]) / f"{settings['name']}-{answer['hash']}"))


def _resolve(jobs: list[list[str]], firsts: list[int | None]) -> dict[str, Any]:
    """Ask a process that may load torch what these command lines would run."""
    with tempfile.TemporaryDirectory(prefix="sdsiqa-") as name:
        asked, answered = Path(name) / "jobs.json", Path(name) / "answers.json"
        asked.write_text(json.dumps({"jobs": jobs, "firsts": firsts}), encoding="utf-8")
        command = [sys.executable, "-P", "-W", "ignore", "-m", "sdsiqa.experiments.resolve_config", str(asked), str(answered)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
            raise ExperimentError(f"the cells cannot be planned: {said}")
        return dict(json.loads(answered.read_text(encoding="utf-8")))
