"""What happens around training: checkpoints, averages, seeds, the course, the cost."""

import time
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.callbacks.weight_averaging import WeightAveraging
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sdsiqa.epoch_scores import data_of, folder_of
from sdsiqa.pulse import Pulse
from sdsiqa.recipe import Recipe
from sdsiqa.run import RunFolder


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights that the validation part chose (`best.ckpt`) and the newest ones (`last.ckpt`).

    Args:
        monitor: Figure of the validation part; none keeps only the newest weights.
    """

    def __init__(self, monitor: str | None = "val/srcc") -> None:
        super().__init__(
            monitor=monitor,
            mode="max",
            filename="best",
            save_top_k=1 if monitor else 0,
            save_last=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Live in the run's folder, whatever the loggers do."""
        self.dirpath = str(folder_of(trainer) / "checkpoints")
        if stage == "fit" and data_of(trainer).fit_on == "train+val":
            self.monitor, self.save_top_k, self._save_on_train_epoch_end = None, 0, True
        super().setup(trainer, pl_module, stage)

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Say whether this epoch is kept: of equal ones the later (`docs/protocol.md`)."""
        if current is None or self.save_top_k == 0:
            return False
        if self.best_model_score is None or not self.best_k_models:
            return True
        return bool(current >= self.best_model_score.to(current.device))


class EMA(WeightAveraging):
    """Exponential moving average of the weights, which validation and test see.

    Args:
        decay: Share of the old average that each step keeps.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(
            multi_avg_fn=get_ema_multi_avg_fn(decay),  # type: ignore[no-untyped-call]
            use_buffers=False,
        )


class RecipeKeeper(Callback):
    """Puts into every checkpoint what it takes to open it: plain values, no objects.

    Args:
        recipe: Those values.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe.to_json()

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the recipe."""
        checkpoint["sdsiqa"] = self.recipe


class StepSeeds(Callback):
    """Seeds each step by run seed and step number, so that a resumed run draws what an unbroken one draws."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch on this rank."""
        seed = data_of(trainer).seed
        torch.manual_seed(hash((seed, trainer.global_step, trainer.global_rank)) & 0x7FFF_FFFF_FFFF_FFFF)


class History(Callback):
    """Keeps the course of the run in `metrics.csv`, one row per epoch, exact over stops and restarts.

    Args:
        pulse: Knows the mean loss of an epoch over all its steps and devices.
    """

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the checkpoint."""
        self.rows = list(state_dict["rows"])

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch."""
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if not name.endswith("_step")}
        rate, loss = trainer.optimizers[0].param_groups[-1]["lr"], self.pulse.mean
        row = {"epoch": float(trainer.current_epoch), "step": float(trainer.global_step), "train/lr": rate, **values}
        row["train/loss"] = loss
        self.rows = [kept for kept in self.rows if kept["epoch"] < row["epoch"]] + [row]
        speed = {name: values[name] for name in ("train/images_per_second",) if name in values}
        for logger in trainer.loggers:
            # by Lightning's own way this would come after the epoch's checkpoint, which counts what is logged
            logger.log_metrics({"train/lr": rate, "train/loss_epoch": loss, **speed}, step=trainer.global_step - 1)
        self._write(trainer)

    @rank_zero_only
    def _write(self, trainer: lightning.Trainer) -> None:
        content = pd.DataFrame(self.rows).to_csv(index=False, lineterminator="\n")
        RunFolder(folder_of(trainer)).write("metrics.csv", content.encode())


class Cost(Callback):
    """Records throughput, memory and hours, which headers of configurations quote."""

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0
        self._since = self._begun = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint."""
        return {"images": self.images, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the checkpoint."""
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock of what is fitted before the first step."""
        self._begun = time.perf_counter()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock; an epoch that is gone on with does not start."""
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
        RunFolder(folder_of(trainer)).update(cost=facts)
