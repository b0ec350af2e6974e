"""Callbacks that record the size, the learning curve and the cost of a training."""

import time
from typing import Any, cast

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_only

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.size import as_table, sizes
from sdsiqa.runs.folder import START, RunFolder
from sdsiqa.training.scores import data_of
from sdsiqa.training.step_sync import StepSync


class Summary(Callback):
    """Says how large the network is, part by part."""

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Count parameters and operations."""
        if trainer.is_global_zero:
            print(as_table(sizes(cast(QualityNetwork, pl_module.network))))


class History(Callback):
    """Keeps the learning curve of the run in `metrics.csv`, one row per epoch, exact over stops and restarts.

    The validation before the first step is the row of epoch -1 and step 0.

    Args:
        folder: The run's.
        step_sync: Knows the mean loss of an epoch over all its steps and devices.
    """

    def __init__(self, folder: RunFolder, step_sync: StepSync) -> None:
        self.folder, self.step_sync = folder, step_sync
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from the checkpoint."""
        self.rows = list(state_dict["rows"])

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the start; `validate` counts its steps from 0 and adds nothing."""
        if trainer.state.fn == TrainerFn.FITTING and trainer.global_step == 0 and not trainer.sanity_checking:
            values = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")}
            self.rows = [{"epoch": float(START), "step": 0.0, **values}]
            self._write()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch."""
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if not name.endswith("_step")}
        rate, loss = trainer.optimizers[0].param_groups[-1]["lr"], self.step_sync.mean
        row = {"epoch": float(trainer.current_epoch), "step": float(trainer.global_step), "train/lr": rate, **values}
        row["train/loss"] = loss
        self.rows = [kept for kept in self.rows if kept["epoch"] < row["epoch"]] + [row]
        speed = {name: values[name] for name in ("train/images_per_second",) if name in values}
        for logger in trainer.loggers:
            # by Lightning's own way this would come after the epoch's checkpoint, which counts what is logged
            logger.log_metrics({"train/lr": rate, "train/loss_epoch": loss, **speed}, step=trainer.global_step - 1)
        self._write()

    @rank_zero_only
    def _write(self) -> None:
        columns = dict.fromkeys([*self.rows[-1], *self.rows[0]])  # the start has fewer
        content = pd.DataFrame(self.rows, columns=list(columns)).to_csv(index=False, lineterminator="\n")
        self.folder.write("metrics.csv", content.encode())


class Cost(Callback):
    """Records throughput, memory and hours, which tables and headers of configurations quote.

    Wall time is that of `sdsiqa fit` from its start to its last score: data, validation and test included, over all starts
    that led to the result. What a killed process did after its last checkpoint is not in it.

    Args:
        folder: The run's.
        begun: When this process began, on the clock of `time.perf_counter`.
    """

    def __init__(self, folder: RunFolder, begun: float) -> None:
        self.folder, self.begun, self.before = folder, begun, 0.0
        self.images, self.seconds = 0, 0.0
        self._since = self._begun = 0.0
        self._is_spent = False

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint."""
        return {"images": self.images, "seconds": self.seconds, "wall": self.wall}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from the checkpoint; the best one, which is loaded for the test, would count its time twice."""
        if not self._is_spent:
            self.images, self.seconds, self.before = state_dict["images"], state_dict["seconds"], state_dict.get("wall", 0.0)

    @property
    def wall(self) -> float:
        """Seconds of wall time until now, those of earlier starts included."""
        return self.before + time.perf_counter() - self.begun

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock of what is fitted before the first step."""
        self._begun = time.perf_counter()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock; an epoch that resumes does not start."""
        self._since = time.perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the images of all devices, and stop the clock before validation."""
        self.images += len(batch["index"]) * trainer.world_size
        elapsed = time.perf_counter() - self._since
        self.seconds += elapsed
        self._since += elapsed

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Give images per second to `History`, which comes next."""
        if self.seconds > 0:
            pl_module.log("train/images_per_second", self.images / self.seconds, sync_dist=True, logger=False)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the record; without steps there is but what the closed form took."""
        self._is_spent = True
        solved = getattr(pl_module, "closed_form", None) is not None and trainer.ckpt_path is None
        if not trainer.is_global_zero or not (self.seconds or solved):
            return
        crops, images = data_of(trainer).patches_per_image, self.images
        speeds = {"images_per_second": images / self.seconds, "crops_per_second": crops * images / self.seconds} if images else {}
        facts: dict[str, Any] = {
            "training_hours": (self.seconds or time.perf_counter() - self._begun) / 3600,
            **speeds,
            "devices": trainer.world_size,
            "device": str(trainer.strategy.root_device),
            "threads": torch.get_num_threads(),
        }
        if torch.cuda.is_available():
            facts["peak_gpu_bytes"] = torch.cuda.max_memory_allocated()
        self.folder.update(cost=facts)
