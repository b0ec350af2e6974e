"""Exact resuming: checkpoints within an epoch, a seed for every step, and the stop at a signal."""

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint

from sdsiqa.errors import StoppedError
from sdsiqa.runs import signals
from sdsiqa.runs.folder import RunFolder
from sdsiqa.tracking.logger import RunLogger
from sdsiqa.training.scores import data_of
from sdsiqa.training.step_sync import StepSync


class Restart(Checkpoint):
    """Keeps `last.ckpt` fresh, so that a killed run repeats few steps and a stopped one none.

    A checkpoint within an epoch holds the position in the data (`EpochLoader`), the mean loss so far (`StepSync`), the learning
    curve (`History`), averaged weights, schedule and optimiser. Random states need no keeping: every step is seeded by its
    number, every crop by its epoch.

    Args:
        folder: The run's.
        step_sync: Tells whether a device was asked to stop.
        every: Steps between checkpoints within an epoch; 0 keeps those of epochs' ends alone.
    """

    def __init__(self, folder: RunFolder, step_sync: StepSync, every: int) -> None:
        self.folder, self.step_sync, self.every = folder, step_sync, every
        self._rows = 0
        self._loggers: list[RunLogger] = []

    def state_dict(self) -> dict[str, Any]:
        """Count the rows that are logged so far."""
        for logger in self._loggers:
            logger.log_rows.sync()
            return {"rows": logger.log_rows.rows}
        return {"rows": 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember how many rows belong to the checkpoint."""
        self._rows = int(state_dict["rows"])

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Remove rows that a killed process logged behind the checkpoint; they are logged again."""
        self._loggers = [logger for logger in trainer.loggers if isinstance(logger, RunLogger)]
        for logger in self._loggers:
            logger.go_on(self._rows)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after every so many steps; save and stop when a signal has come.

        Raises:
            StoppedError: On every device after the same step.
        """
        if trainer.fast_dev_run or trainer.fit_loop._should_accumulate():  # type: ignore[attr-defined]
            return
        interval = trainer.val_check_batch
        if trainer.is_last_batch or (interval and (batch_idx + 1) % interval == 0):
            # a validation is next, and a checkpoint after it; Lightning would leave it out if it started from here
            return
        due = self.every > 0 and trainer.global_step % self.every == 0
        asked = list(self.step_sync.signals)
        if due or asked:
            self.step_sync.settle(trainer)
            trainer.save_checkpoint(self.folder.path / "checkpoints" / "last.ckpt", weights_only=False)
        if asked:
            raise StoppedError(
                f"stopped after step {trainer.global_step} of epoch {trainer.current_epoch}; the same command resumes",
                signals.STATUS[asked[0]],
            )


class StepSeeds(Callback):
    """Seeds each step by run seed and step number, so that a resumed run draws what an unbroken one draws."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch on this rank."""
        seed = data_of(trainer).seed
        torch.manual_seed(hash((seed, trainer.global_step, trainer.global_rank)) & 0x7FFF_FFFF_FFFF_FFFF)
