"""What happens around training: checkpoints, averages, seeds, the course, the cost."""

import time
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.callbacks.weight_averaging import WeightAveraging
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sdsiqa.inference.recipe import Recipe
from sdsiqa.runs.folder import START, RunFolder
from sdsiqa.training.scores import data_of, folder_of
from sdsiqa.training.step_sync import Pulse


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights that the validation part chose (`best.ckpt`) and the newest ones (`last.ckpt`).

    The weights before the first step are validated too and may be chosen: a training that never beats a solved or a
    pretrained start must not replace it. A start from random weights costs one pass more, and needs no rule of its own.

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

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate the start; a run that resumes has done so, and its checkpoint remembers the best."""
        super().on_train_start(trainer, pl_module)
        if self.monitor is None or trainer.global_step or trainer.ckpt_path is not None or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        _validate_start(trainer)
        score = trainer.callback_metrics.get(self.monitor)
        if score is not None and torch.isfinite(score):  # what is undefined is no candidate
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
        # an epoch without a validation must not find the values of the start
        trainer._logger_connector.reset_metrics()

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Say whether this epoch is kept: of equal ones the later (`docs/protocol.md`)."""
        if current is None or self.save_top_k == 0:
            return False
        if self.best_model_score is None or not self.best_k_models:
            return True
        return bool(current >= self.best_model_score.to(current.device))


def _validate_start(trainer: lightning.Trainer) -> None:
    """Run a validation as after an epoch; what it draws and counts leaves training as it would be without it."""
    connector, loop = trainer._logger_connector, trainer.fit_loop.epoch_loop.val_loop
    first = connector._first_loop_iter
    trainer.validating = True
    with isolate_rng():
        loop.run()
    trainer.training = True
    connector._first_loop_iter = first
    loop.batch_progress.reset()  # a checkpoint within the first epoch must not look like one within a validation


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

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Let the average begin with the weights before the first step, which were set after `setup` copied them."""
        if trainer.ckpt_path is None and self._average_model is not None:
            self._average_model.module.load_state_dict(pl_module.state_dict())


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


class Size(Callback):
    """Says how large the network is."""

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Count its parameters."""
        network = pl_module.network
        parameters = [(value.numel(), value.requires_grad) for value in network.parameters()]  # type: ignore[union-attr]
        total, learning = sum(n for n, _ in parameters), sum(n for n, learns in parameters if learns)
        rank_zero_info(f"{type(network).__name__}: {total:,} parameters, of which {learning:,} learn")


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

    The validation before the first step is the row of epoch -1 and step 0.

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

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the start."""
        if trainer.global_step == 0 and not trainer.sanity_checking:
            values = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")}
            self.rows = [{"epoch": float(START), "step": 0.0, **values}]
            self._write(trainer)

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
        columns = dict.fromkeys([*self.rows[-1], *self.rows[0]])  # the start has fewer
        content = pd.DataFrame(self.rows, columns=list(columns)).to_csv(index=False, lineterminator="\n")
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
