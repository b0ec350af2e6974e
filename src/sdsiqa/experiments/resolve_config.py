"""The resolved configuration of a command line of `sdsiqa fit`, without running it.

A program of its own, `python -m sdsiqa.experiments.resolve_config JOBS ANSWERS`: parsing needs torch and every class that a
configuration names, which planning many runs should not need.
"""

import contextlib
import dataclasses
import io
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser

from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.data.dataset import check_references
from sdsiqa.errors import SdsiqaError, in_short
from sdsiqa.files import write_bytes
from sdsiqa.runs.class_paths import benchmark_name, include_current_folder
from sdsiqa.runs.environment import code_version
from sdsiqa.runs.fingerprint import fingerprint
from sdsiqa.runs.first_stage import FirstStage
from sdsiqa.training.cli import QualityCLI
from sdsiqa.training.first_stage import check_first_stage, first_stage
from sdsiqa.training.task import QualityTask


@dataclasses.dataclass(frozen=True)
class Resolved:
    """The facts that decide the result of a run.

    Args:
        config: The resolved configuration as plain values; empty where there is an error.
        hash: Fingerprint of that configuration, and of its first stage.
        data_version: Version of the benchmark's annotation.
        split_hash: Hash of the split.
        error: Why nothing can be run; empty if it can.
    """

    config: dict[str, Any]
    hash: str = ""
    data_version: str = ""
    split_hash: str = ""
    error: str = ""


class ResolvingCLI(QualityCLI):
    """Parses as a run would, and stops before anything is built."""

    def before_instantiate_classes(self) -> None:
        """Touch no folder."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing."""

    def _set_seed(self) -> None:
        """Leave seeds alone."""


def resolve(jobs: Sequence[Sequence[str]], firsts: Sequence[int | None] = ()) -> list[Resolved]:
    """Find out what command lines would run.

    Args:
        jobs: Words after `sdsiqa fit`, per run.
        firsts: For each run the place of its first stage among those before it, which need not have run yet; `None`: what the
            words say. Empty: so for all.

    Returns:
        As many answers, in that order.
    """
    known: dict[str, tuple[str, str, QualityDataModule]] = {}
    cli: ResolvingCLI | None = None
    answers: list[Resolved] = []
    for words, place in zip(jobs, firsts or [None] * len(jobs), strict=True):
        said = io.StringIO()
        config: dict[str, Any] = {}
        try:
            with contextlib.redirect_stderr(said):
                if cli is None:
                    cli = ResolvingCLI.start(["fit", *words])
                else:
                    cli.parse_arguments(cli.parser, ["fit", *words])
            config = cli.to_plain(cli.config["fit"])
            data = json.dumps(config["data"], sort_keys=True)
            if data not in known:
                known[data] = _data_facts(config["data"])
            version, split, module = known[data]
            check_references(module.benchmark.table(), module.benchmark, _fields(config["model"]))
            stage = first_stage(config) if place is None else _planned(answers[place], config)
            if stage is not None:
                stage.refuse_leak(config["data"], version, split)
            answers.append(Resolved(config, fingerprint(config, None if stage is None else stage.identity), version, split))
        except SystemExit:  # the parser has said why, in one line
            answers.append(Resolved({}, error=said.getvalue().strip().rpartition("\n")[2].removeprefix("sdsiqa fit: ")))
        except SdsiqaError as error:
            answers.append(Resolved(config, fingerprint(config) if config else "", error=str(error)))
        except Exception as error:  # the run itself would end in it; the others are planned all the same
            answers.append(Resolved({}, error=f"{type(error).__name__}: {in_short(error, 300)}"))
    return answers


def _planned(answer: Resolved, config: dict[str, Any]) -> FirstStage:
    """Say what a first stage that need not have run yet will be, for the run that starts from it."""
    if answer.error:
        raise SdsiqaError(f"its first stage cannot run: {answer.error}")
    name = str(answer.config["run"]["name"])
    check_first_stage({**config["model"], "init_from": name})
    benchmark = benchmark_name(answer.config["data"])
    return FirstStage(benchmark, answer.hash, answer.data_version, answer.split_hash, code_version(), run=name)


class BuildingCLI(ResolvingCLI):
    """Parses as a run would and builds network and data, without a folder, a trainer or a logger."""

    def instantiate_classes(self) -> None:
        """Build the two."""
        self.config_init = self.parser.instantiate_classes(self.config)
        self.datamodule = self._get(self.config_init, "data")
        self.model = self._get(self.config_init, "model")


def build(words: list[str]) -> tuple[QualityTask, QualityDataModule]:
    """Build what a command line would train, and on what.

    Args:
        words: Words after `sdsiqa fit`.
    """
    cli = BuildingCLI.start(["fit", *words])
    return cli.model, cli.datamodule


def _fields(model: dict[str, Any]) -> list[str]:
    """Give the fields of a sample that a run asks for, as the classes of its network and objective say."""
    paths = [part["class_path"] for name in ("network", "objective") if (part := model.get(name)) is not None]
    places = [path.rpartition(".") for path in paths]
    return [field for module, _, name in places for field in getattr(import_module(module), name).inputs]


def _data_facts(config: dict[str, Any]) -> tuple[str, str, QualityDataModule]:
    """Give version of the annotation and hash of the split, as the run itself would find them, and the data."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(QualityDataModule, "data")
    data: QualityDataModule = parser.instantiate_classes(parser.parse_object({"data": config})).data
    return data.benchmark.data_version(), data.make_split().sha256, data


def main(jobs: Path, answers: Path) -> None:
    """Resolve what one file asks into another, with the number of GPUs here.

    Args:
        jobs: JSON of the arguments of `resolve`.
        answers: Where to write `{"gpus": …, "runs": […]}`.
    """
    include_current_folder()
    found = resolve(**json.loads(jobs.read_text(encoding="utf-8")))
    gpus = torch.cuda.device_count()
    write_bytes(answers, json.dumps({"gpus": gpus, "runs": [dataclasses.asdict(item) for item in found]}).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
