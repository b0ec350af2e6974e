"""Weights & Biases, behind one door.

Everything that goes there lies in the run's folder as well; nothing needs a server.
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import wandb
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_info

from sdsiqa.run import RunSettings


@dataclasses.dataclass
class WandbSettings:
    """What of a run goes to Weights & Biases.

    Args:
        project: Project of the runs.
        mode: `auto` is online for whoever is logged in and offline otherwise; `WANDB_MODE` wins over all.
    """

    project: str = "sdsiqa"
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"


def open_logger(settings: WandbSettings, run: RunSettings, folder: Path, config: Mapping[str, Any]) -> WandbLogger | None:
    """Start the run's W&B run; call on rank zero only.

    Args:
        settings: Project and mode.
        run: Group, job type and tags.
        folder: The run's folder; its name is the id, so a restarted run goes on as the same one.
        config: The whole resolved configuration.

    Returns:
        A logger that owns the run, or none if W&B is disabled.
    """
    mode = _mode(settings.mode)
    if mode == "disabled":
        return None
    identity = re.sub(r"[^A-Za-z0-9_.-]", "-", folder.name)[-64:]  # W&B refuses other characters in an id
    experiment = wandb.init(
        project=settings.project,
        id=identity,
        name=folder.name,
        dir=folder,
        group=run.group,
        job_type=run.job_type,
        tags=run.tags,
        config={**config, **_flat(config)},
        resume="allow",
        mode=mode,
        settings=wandb.Settings(console="off", silent=True),
    )
    # WandbLogger does this only for runs it starts itself
    experiment.define_metric("trainer/global_step")
    experiment.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    experiment.define_metric("val/srcc", summary="max")
    if mode == "offline":
        rank_zero_info(f"W&B is offline; `wandb sync {folder / 'wandb'}/offline-run-*` uploads this run")
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


def close(exit_code: int = 0) -> None:
    """End the W&B run, if there is one.

    Args:
        exit_code: Zero for a run that came to its end.
    """
    if wandb.run is not None:
        wandb.finish(exit_code=exit_code)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Repeat at the top level what dashboards filter by; they reach only three dots deep."""
    data, network = config["data"], config["model"]["init_args"]["network"]
    return {
        "benchmark": data["benchmark"]["class_path"].rsplit(".", 1)[-1].lower(),
        "split": data["split"],
        "seed": config["seed_everything"],
        "saliency": data["saliency"]["class_path"].rsplit(".", 1)[-1],
        "method": network["class_path"].rsplit(".", 1)[-1],
        "backbone": (network.get("init_args") or {}).get("backbone"),
    }


def _mode(wanted: str) -> Literal["online", "offline", "disabled"]:
    mode = os.environ.get("WANDB_MODE") or wanted
    if mode == "auto":
        return "online" if wandb.login(prompt=False) else "offline"  # False: nobody is logged in, and nobody is asked
    if mode in ("online", "offline", "disabled"):
        return mode  # type: ignore[return-value]
    return "offline"
