"""Weights & Biases, behind one door.

Everything that goes there lies in the run's folder as well; nothing needs a server.
"""

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import wandb
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from sdsiqa.run import RunSettings


@dataclasses.dataclass
class WandbSettings:
    """What of a run goes to Weights & Biases.

    Args:
        project: Project of the runs.
        checkpoints: Whether the weights that validation chose go up too, as an artifact.
        mode: `auto` is online for whoever is logged in and offline otherwise; `WANDB_MODE` wins over all.
    """

    project: str = "sdsiqa"
    checkpoints: bool = True
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"


def open_logger(
    settings: WandbSettings, run: RunSettings, folder: Path, config: Mapping[str, Any] | None = None
) -> WandbLogger | None:
    """Start the run's W&B run; call on rank zero only.

    Args:
        settings: Project and mode.
        run: Group, job type and tags.
        folder: The run's folder; group and name are the id, so a restarted run goes on as the same one.
        config: The whole resolved configuration; none leaves what the training said, for a test on another benchmark is
            no other training.

    Returns:
        A logger that owns the run, or none if W&B is disabled.
    """
    mode = _mode(settings.mode)
    if mode == "disabled":
        return None
    experiment = wandb.init(
        project=settings.project,
        id=_identity(run.group, folder.name),
        name=folder.name,
        dir=folder,
        group=run.group,
        job_type=run.job_type,
        tags=run.tags,
        config=None if config is None else {**config, **_flat(config)},
        resume="allow",
        mode=mode,
        settings=wandb.Settings(console="off", silent=True),
    )
    # WandbLogger does this only for runs it starts itself
    experiment.define_metric("trainer/global_step")
    experiment.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    experiment.define_metric("val/srcc", summary="max")
    if mode == "offline":
        rank_zero_info(f"W&B is offline; `sdsiqa sync {folder}` uploads this run")
    return WandbLogger(experiment=experiment)


def add_facts(loggers: list[Logger], facts: Mapping[str, Any]) -> None:
    """Add to the run's configuration what is known only after it was started.

    Args:
        loggers: The trainer's.
        facts: Hash of the split, version of the data, commit of the code.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.config.update(dict(facts), allow_val_change=True)


def log_figure(loggers: list[Logger], key: str, file: Path) -> None:
    """Send a figure that lies in the run's folder.

    Args:
        loggers: The trainer's.
        key: Its name on dashboards.
        file: The PNG.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.log({key: wandb.Image(str(file))})


def log_table(loggers: list[Logger], key: str, table: pd.DataFrame) -> None:
    """Send a table.

    Args:
        loggers: The trainer's.
        key: Its name on dashboards.
        table: Its rows.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.log({key: wandb.Table(dataframe=table)})


def log_summary(loggers: list[Logger], values: Mapping[str, Any]) -> None:
    """Set final values, in full precision.

    Args:
        loggers: The trainer's.
        values: Values by name.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(dict(values))


def use_data(loggers: list[Logger], benchmark: str, facts: Mapping[str, Any]) -> None:
    """Say which version of which annotation the run stands on: the start of the lineage of its scores.

    Args:
        loggers: The trainer's.
        benchmark: Name of the benchmark.
        facts: Has `data_version`; no image and no score of the benchmark goes up.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            data = wandb.Artifact(benchmark, type="dataset", metadata={"data_version": facts["data_version"]})
            with data.new_file("data.json", encoding="utf-8") as file:
                file.write(json.dumps({"benchmark": benchmark, "data_version": facts["data_version"]}))
            if logger.experiment.offline:
                # `use_artifact` refuses offline, since it waits for the server; this is what it does for a new artifact online
                logger.experiment._log_artifact(
                    data, aliases=[facts["data_version"]], is_user_created=True, use_after_commit=True
                )
            else:
                logger.experiment.use_artifact(data, aliases=[facts["data_version"]])


def log_results(loggers: list[Logger], folder: Path, checkpoint: Path | None = None) -> None:
    """Send score tables, and the weights that made them, as artifacts.

    Args:
        loggers: The trainer's.
        folder: The run's folder.
        checkpoint: The weights that validation chose; none leaves them here.
    """
    for experiment in _experiments(loggers):
        with _at_most_a_warning():
            scores = wandb.Artifact(f"scores-{experiment.id}", type="scores")
            for file in [*sorted((folder / "scores").glob("*.csv")), folder / "split.json"]:
                scores.add_file(str(file.resolve()), policy="immutable", skip_cache=True)  # where it lies: no second copy
            experiment.log_artifact(scores)
            if checkpoint is not None:
                model = wandb.Artifact(f"model-{experiment.id}", type="model")
                model.add_file(str(checkpoint.resolve()), name="best.ckpt", policy="immutable", skip_cache=True)
                experiment.log_artifact(model, aliases=["best"])


def account() -> str | None:
    """Name the user or team of whoever is logged in; none if nobody is, or if W&B is to stay offline."""
    if _mode("auto") != "online":
        return None
    entity: str | None = wandb.Api().default_entity
    return entity


def close(exit_code: int = 0) -> None:
    """End the W&B run, if there is one.

    Args:
        exit_code: Zero for a run that came to its end.
    """
    if wandb.run is not None:
        wandb.finish(exit_code=exit_code)


def _experiments(loggers: list[Logger]) -> list[Any]:
    """Runs of W&B among some loggers."""
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]


@contextlib.contextmanager
def _at_most_a_warning() -> Iterator[None]:
    """Let a run end well although W&B has gone: its folder has everything."""
    try:
        yield
    except Exception as error:
        rank_zero_warn(f"W&B did not take an artifact ({type(error).__name__}: {error}); the run's folder has it")


def _identity(group: str | None, name: str) -> str:
    """Name a run on the server; an agent of a sweep has named it already, and waits for that name."""
    if os.environ.get("WANDB_SWEEP_ID") and os.environ.get("WANDB_RUN_ID"):
        return os.environ["WANDB_RUN_ID"]
    whole = f"{group}-{name}" if group else name
    return re.sub(r"[^A-Za-z0-9_.-]", "-", whole)[-64:]  # W&B refuses other characters, and longer ones


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Repeat at the top level what dashboards filter by; they reach only three dots deep."""
    data, network = config["data"], config["model"]["init_args"]["network"]
    return {
        "benchmark": data["benchmark"]["class_path"].rsplit(".", 1)[-1].lower(),
        "split": data["split"],
        "seed": config["seed_everything"],
        "saliency": data["saliency"]["class_path"].rsplit(".", 1)[-1],
        "method": config["run"]["method"],
        "ablation": config["run"]["ablation"],
        "network": network["class_path"].rsplit(".", 1)[-1],
        "backbone": (network.get("init_args") or {}).get("backbone"),
    }


def _mode(wanted: str) -> Literal["online", "offline", "disabled"]:
    mode = os.environ.get("WANDB_MODE") or wanted
    if mode == "auto":
        return "online" if wandb.login(prompt=False) else "offline"  # False: nobody is logged in, and nobody is asked
    if mode in ("online", "offline", "disabled"):
        return mode  # type: ignore[return-value]
    return "offline"
