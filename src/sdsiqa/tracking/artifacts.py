"""Artifacts on Weights & Biases: the data of a run, its scores and its weights."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_warn

from sdsiqa.tracking.logger import RunLogger


def use_data(loggers: list[Logger], benchmark: str, facts: Mapping[str, Any]) -> None:
    """Say which version of which annotation the run stands on: the start of the lineage of its scores.

    Args:
        loggers: The trainer's.
        benchmark: Name of the benchmark.
        facts: Has `data_version`; no image and no score of the benchmark goes up.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger) and logger.alive:
            with _at_most_a_warning():
                _use(logger.experiment, benchmark, facts["data_version"])


def log_results(loggers: list[Logger], folder: Path, checkpoint: Path | None = None) -> None:
    """Send score tables, and the weights that made them, as artifacts.

    Args:
        loggers: The trainer's.
        folder: The run's folder.
        checkpoint: The weights that validation chose; `None` leaves them here.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger) and logger.alive:
            with _at_most_a_warning():
                _send(logger.experiment, folder, checkpoint)


@contextlib.contextmanager
def _at_most_a_warning() -> Iterator[None]:
    """Let a run end well although W&B has gone: its folder has everything."""
    try:
        yield
    except Exception as error:
        rank_zero_warn(f"W&B did not take an artifact ({type(error).__name__}: {error}); the run's folder has it")


def _use(experiment: Any, benchmark: str, version: str) -> None:
    data = wandb.Artifact(benchmark, type="dataset", metadata={"data_version": version})
    with data.new_file("data.json", encoding="utf-8") as file:
        file.write(json.dumps({"benchmark": benchmark, "data_version": version}))
    if experiment.offline:
        # `use_artifact` refuses offline, since it waits for the server; this is what it does for a new artifact online
        experiment._log_artifact(data, aliases=[version], is_user_created=True, use_after_commit=True)
    else:
        experiment.use_artifact(data, aliases=[version])


def _send(experiment: Any, folder: Path, checkpoint: Path | None) -> None:
    scores = wandb.Artifact(f"scores-{experiment.id}", type="scores")
    for file in [*sorted((folder / "scores").glob("*.csv")), folder / "split.json"]:
        scores.add_file(str(file.resolve()), policy="immutable", skip_cache=True)  # where it lies: no second copy
    experiment.log_artifact(scores)
    if checkpoint is not None:
        model = wandb.Artifact(f"model-{experiment.id}", type="model")
        model.add_file(str(checkpoint.resolve()), name="best.ckpt", policy="immutable", skip_cache=True)
        experiment.log_artifact(model, aliases=["best"])
