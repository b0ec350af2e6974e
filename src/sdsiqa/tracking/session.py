"""The only module that opens a Weights & Biases run.

Everything that goes there lies in the run's folder as well; nothing needs a server, and a lost server stops no run.
"""

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import wandb
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_info

from sdsiqa.errors import in_short
from sdsiqa.runs.class_paths import benchmark_name, class_name
from sdsiqa.runs.folder import RunSettings
from sdsiqa.tracking import names
from sdsiqa.tracking.log_rows import LogRows
from sdsiqa.tracking.logger import RunLogger
from sdsiqa.tracking.offline import rows_on_disk


@dataclasses.dataclass
class WandbSettings:
    """Settings of Weights & Biases for a run.

    Args:
        project: Project of the runs.
        checkpoints: Whether the weights that validation chose go up too, as an artifact.
        mode: `auto` is online with a login and offline without; `WANDB_MODE` wins over all.

    Raises:
        SettingError: W&B takes no project of this name, or there is no such mode.
    """

    project: str = "sdsiqa"
    checkpoints: bool = True
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"

    def __post_init__(self) -> None:
        names.check_project(self.project)
        names.mode(os.environ.get("WANDB_MODE") or self.mode, "WANDB_MODE")


def open_logger(
    settings: WandbSettings, run: RunSettings, folder: Path, config: Mapping[str, Any] | None = None
) -> RunLogger | None:
    """Start the run's W&B run; call on rank zero only.

    Args:
        settings: Project and mode.
        run: Group, job type and tags.
        folder: The run's folder; group and name are the id, so a restarted run is the same one on W&B.
        config: The whole resolved configuration; `None` leaves what the training said, for a test on another benchmark is
            no other training.

    Returns:
        A logger that owns the run, or none if W&B is disabled, or does not start at all.
    """
    mode = _mode(settings.mode)
    if mode == "disabled":
        return None
    options: dict[str, Any] = {
        "project": settings.project,
        "id": _identity(run.group, folder.name),
        "name": names.fitting("name", folder.name),
        "dir": folder,
        "group": names.fitting("group", run.group or "") or None,
        "job_type": names.fitting("job type", run.job_type) or None,
        "tags": names.tags(run.tags),
        "config": None if config is None else {**config, **_flat(config)},
        "resume": "allow",
    }
    if options["tags"] != run.tags or options["group"] != run.group:
        rank_zero_info(f"W&B takes tags of 1 to 64 letters and groups up to 128: {options['tags']}, group {options['group']}")
    known = rows_on_disk(folder / "wandb") if mode == "offline" else 0
    try:
        experiment = wandb.init(mode=mode, settings=_settings(), **options)
    except Exception as error:  # of a dozen kinds: the server's, its service's, those of settings in the environment
        rank_zero_info(f"W&B cannot be reached ({in_short(error)}); this run is logged offline, `sdsiqa sync` uploads it later")
        wandb.teardown()  # the service has given the id to the run that failed
        mode, known = "offline", rows_on_disk(folder / "wandb")
        try:
            experiment = wandb.init(mode=mode, settings=_settings(), **options)
        except Exception as again:
            rank_zero_info(f"W&B does not start ({in_short(again)}); the run goes on without it, its folder has everything")
            return None
    # WandbLogger does this only for runs it starts itself
    experiment.define_metric("trainer/global_step")
    steps = "trainer/global_step"
    experiment.define_metric("*", step_metric=steps, step_sync=True)
    # a metric that is defined by itself takes nothing over from `*`
    experiment.define_metric("val/srcc", step_metric=steps, step_sync=True, summary="max")
    if mode == "offline":
        rank_zero_info(f"W&B is offline; `sdsiqa sync {folder}` uploads this run")
    # the server knows how many rows of a resumed run it has
    return RunLogger(experiment, LogRows(folder / "course.jsonl"), known if mode == "offline" else experiment.step)


def add_facts(loggers: list[Logger], facts: Mapping[str, Any]) -> None:
    """Add to the run's configuration what is known only after it was started.

    Args:
        loggers: The trainer's.
        facts: Hash of the split, version of the data, commit of the code.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            update = functools.partial(logger.experiment.config.update, dict(facts), allow_val_change=True)
            logger.attempt(update)


def log_figure(loggers: list[Logger], key: str, file: Path) -> None:
    """Send a figure that lies in the run's folder.

    Args:
        loggers: The trainer's.
        key: Its name on dashboards.
        file: The PNG.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            logger.log_object(key, wandb.Image(str(file)))


def log_table(loggers: list[Logger], key: str, table: pd.DataFrame) -> None:
    """Send a table.

    Args:
        loggers: The trainer's.
        key: Its name on dashboards.
        table: Its rows.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            logger.log_object(key, wandb.Table(dataframe=table))


def log_summary(loggers: list[Logger], values: Mapping[str, Any]) -> None:
    """Set final values, in full precision.

    Args:
        loggers: The trainer's.
        values: Values by name.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            logger.attempt(functools.partial(logger.experiment.summary.update, dict(values)))


def account() -> str | None:
    """Name the user or team that is logged in; `None` without a login, or if W&B is to stay offline."""
    if _mode("auto") != "online":
        return None
    entity: str | None = wandb.Api().default_entity
    return entity


def close(exit_code: int = 0) -> None:
    """End the W&B run, if there is one; wait for its server, but not for ever.

    Args:
        exit_code: Zero for a run that came to its end.
    """
    if wandb.run is None:
        return
    try:
        wandb.finish(exit_code=exit_code)
    except Exception as error:
        rank_zero_info(f"W&B did not end the run properly ({in_short(error)}); `wandb sync` uploads what is in its folder")


def _settings() -> "wandb.Settings":
    """Quiet, and with an end to every wait, unless the environment says otherwise."""
    waits = {"init_timeout": ("WANDB_INIT_TIMEOUT", 60), "finish_timeout": ("WANDB_FINISH_TIMEOUT", 120)}
    chosen: dict[str, Any] = {name: value for name, (variable, value) in waits.items() if variable not in os.environ}
    if "x_transaction_log_flush_interval" in wandb.Settings.model_fields:
        chosen["x_transaction_log_flush_interval"] = 2  # seconds; what a killed machine loses at most
    return wandb.Settings(console="off", silent=True, **chosen)


def _identity(group: str | None, name: str) -> str:
    """Name a run on the server; an agent of a sweep has named it already, and waits for that name."""
    if os.environ.get("WANDB_SWEEP_ID") and os.environ.get("WANDB_RUN_ID"):
        return os.environ["WANDB_RUN_ID"]
    return names.identity(f"{group}-{name}" if group else name)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Repeat at the top level what dashboards filter by; they reach only three dots deep."""
    data, network = config["data"], config["model"]["network"]
    return {
        "benchmark": benchmark_name(data),
        "split": data["split"],
        "seed": config["seed_everything"],
        "saliency": class_name(data["saliency"]["class_path"]),
        "method": config["run"]["method"],
        "ablation": config["run"]["ablation"],
        "network": class_name(network["class_path"]),
        "backbone": _backbone(network.get("init_args") or {}),
    }


def _backbone(arguments: Mapping[str, Any]) -> str | None:
    """Name the backbone of a network; where it has branches, that of the image branch."""
    branch = arguments.get("image_branch") or arguments.get("saliency_branch") or arguments
    return branch.get("backbone")


def _mode(wanted: str) -> Literal["online", "offline", "disabled"]:
    given = os.environ.get("WANDB_MODE")
    mode = names.mode(given or wanted, "WANDB_MODE" if given else "wandb.mode")
    if given:
        os.environ["WANDB_MODE"] = "" if mode == "auto" else mode  # W&B itself takes no other spelling
    if mode == "auto":
        try:
            return "online" if wandb.login(prompt=False) else "offline"  # False: there is no login, and no prompt
        except Exception as error:
            rank_zero_info(f"W&B cannot be reached ({in_short(error)}); this run is logged offline")
            return "offline"
    return mode  # type: ignore[return-value]
