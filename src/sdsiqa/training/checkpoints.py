"""Checkpoints of a run: which weights are kept, what goes with them, and how files are written and read."""

import errno
import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from sdsiqa.errors import StorageError
from sdsiqa.files import part_beside, remove_parts
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.inference.recipe import Recipe
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.manifest import Manifest
from sdsiqa.runs.trainings import KEY, Training, to_json
from sdsiqa.training.scores import data_of


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights that the validation part chose (`best.ckpt`) and the newest ones (`last.ckpt`).

    The weights before the first step are validated too and may be chosen: a training that never beats a solved or a
    pretrained start must not replace it. A start from random weights costs one validation more, and needs no rule of its own.

    Args:
        folder: The run's.
        monitor: Metric of the validation part; None keeps only the newest weights.
    """

    def __init__(self, folder: RunFolder, monitor: str | None = "val/srcc") -> None:
        self.folder = folder
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
        """Live in the run's folder, whatever the loggers do; without a validation part keep the newest weights alone."""
        self.dirpath = str(self.folder.path / "checkpoints")
        if stage == "fit" and data_of(trainer).fit_on == "train+val":
            self.monitor, self.save_top_k, self._save_on_train_epoch_end = None, 0, True
        super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate the start; a run that resumes has done so, and its checkpoint remembers the best."""
        super().on_train_start(trainer, pl_module)
        if self.monitor is None or trainer.global_step or trainer.ckpt_path is not None or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        _validate(trainer)
        score = trainer.callback_metrics.get(self.monitor)
        if score is not None and torch.isfinite(score):  # what is undefined is no candidate
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
        # an epoch without a validation must not find the values of the start
        trainer._logger_connector.reset_metrics()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume; a run whose folder was moved still knows its best epoch."""
        old, new = str(state_dict.get("dirpath")), str(self.dirpath)
        if old != new and (Path(new) / "best.ckpt").exists():
            state_dict = {name: _moved(value, old, new) for name, value in state_dict.items()}
        super().load_state_dict(state_dict)

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Say whether this epoch is kept: of equal ones the later (`docs/protocol.md`)."""
        if current is None or self.save_top_k == 0:
            return False
        if self.best_model_score is None or not self.best_k_models:
            return True
        return bool(current >= self.best_model_score.to(current.device))


def _moved(value: Any, old: str, new: str) -> Any:
    """Write paths below one folder as paths below another."""
    if isinstance(value, dict):
        return {_moved(name, old, new): item for name, item in value.items()}
    return value.replace(old, new, 1) if isinstance(value, str) and value.startswith(old) else value


class CurrentValidation(Callback):
    """Lets no epoch be judged by a validation of other weights, as Lightning does where one ends without a validation.

    An epoch that `trainer.max_steps` or `trainer.max_time` cuts short is validated where it ends.
    """

    def __init__(self) -> None:
        self._step: int | None = None

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Forget the values of the last validation."""
        trainer._logger_connector.reset_metrics()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Remember which weights were validated."""
        self._step = trainer.global_step

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate what was cut short."""
        is_whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        is_asked = trainer.enable_validation and trainer.check_val_every_n_epoch == 1 and not trainer.fast_dev_run  # type: ignore[attr-defined]
        if is_asked and not is_whole and self._step != trainer.global_step:
            _validate(trainer)


def _validate(trainer: lightning.Trainer) -> None:
    """Run a validation as after an epoch; what it draws and counts leaves training as it would be without it."""
    connector, loop = trainer._logger_connector, trainer.fit_loop.epoch_loop.val_loop
    first = connector._first_loop_iter
    trainer.validating = True
    with isolate_rng():
        loop.run()
    trainer.training = True
    connector._first_loop_iter = first
    loop.batch_progress.reset()  # a checkpoint within the first epoch must not look like one within a validation


class RecipeKeeper(Callback):
    """Puts into every checkpoint what it takes to open it: plain values, no objects.

    Args:
        recipe: Those values.
        trainings: What the weights will have seen.
    """

    def __init__(self, recipe: Recipe, trainings: Sequence[Training] = ()) -> None:
        self.recipe, self.trainings = recipe.to_json(), to_json(trainings)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the recipe, and what the weights have seen."""
        checkpoint["sdsiqa"], checkpoint[KEY] = self.recipe, self.trainings


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them; a full disk costs the new one and leaves the old one.

    Args:
        manifest: Keeps their checksums.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What Lightning collected.
            path: Where it ends up.
            storage_options: Not used.

        Raises:
            StorageError: There is no room, or no permission; says what is still good.
        """
        path = Path(path)
        try:
            remove_parts(path)
            with part_beside(path) as part:
                with part.open("wb") as file:
                    counted = _Hashed(file)
                    torch.save(checkpoint, cast(Any, counted))
                    file.flush()
                    os.fsync(file.fileno())
                self.manifest.replace(part, path, counted.sha256.hexdigest(), counted.size)
        except (OSError, RuntimeError) as error:  # torch turns some errors of the file into its own
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError):
                raise
            raise StorageError(_lost(path, cause)) from error

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint, to the CPU, whatever is asked for: files from elsewhere may carry code.

        Args:
            path: The file.
            map_location: Not used.
            weights_only: Not used: always true.

        Raises:
            CheckpointError: As `read_checkpoint`.
        """
        return read_checkpoint(Path(path))


class _Hashed(io.RawIOBase):
    """A file to write to that counts and hashes on the way, which saves reading it again."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.file, self.sha256, self.size = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.size += memoryview(data).nbytes
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def _lost(path: Path, error: OSError) -> str:
    room = " make room, and" if error.errno == errno.ENOSPC else ""
    still = f"{path} is the one written before and is good;" if path.exists() else "no checkpoint was written before;"
    return f"{path} could not be written ({error.strerror}); {still}{room} the same command resumes from the last good one"
