"""How far a training is: a bar in a terminal, lines in a log, and one line per epoch in both."""

from contextlib import ExitStack
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, ProgressBar

from sdsiqa.runs.progress import Progress
from sdsiqa.training.history import Summary


class StepProgress(ProgressBar):
    """Shows steps of training and batches of evaluation, by the mechanism that everything else uses.

    Attributes:
        is_enabled: Whether anything is shown; Lightning asks for it wherever a module prints.
    """

    def __init__(self) -> None:
        super().__init__()
        self._phase = ExitStack()
        self._progress: Progress | None = None
        self.is_enabled = True

    def disable(self) -> None:
        """Show nothing; Lightning says so on all devices but the first."""
        self.is_enabled = False

    def enable(self) -> None:
        """Show again."""
        self.is_enabled = True

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a step; the first one of an epoch begins it, after a stop or a validation in its middle, too."""
        if self._progress is None:
            last = f" of {trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
            self._begin(f"epoch {trainer.current_epoch + 1}{last}", self.total_train_batches, "steps")
            if batch_idx:
                self._advance(batch_idx)
        # a loss on a GPU is waited for, so it is not asked for at every step
        is_told = self.is_enabled and batch_idx % max(1, getattr(trainer, "log_every_n_steps", 1)) == 0
        loss = trainer.progress_bar_metrics.get("train/loss") if is_told else None
        self._advance(1, None if loss is None else f"loss {float(loss):.4f}")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say what the epoch came to."""
        self._end()
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name in ("val/srcc", "val/plcc")}
        if found:
            told = "  ".join(f"{name.removeprefix('val/').upper()} {value:.4f}" for name, value in found.items())
            self.print(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: validation {told}")

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to validate."""
        self._begin("validation", _first(trainer.num_val_batches), "batches")

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to test."""
        self._begin("test", _first(trainer.num_test_batches), "batches")

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to score."""
        self._begin("prediction", _first(trainer.num_predict_batches), "batches")

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        """Count a batch."""
        self._advance(1)

    on_test_batch_end = on_validation_batch_end
    on_predict_batch_end = on_validation_batch_end

    def on_validation_end(self, *_: Any, **__: Any) -> None:
        """End of validation, of the test, of a prediction, or by an error."""
        self._end()

    on_test_end = on_validation_end
    on_predict_end = on_validation_end
    on_exception = on_validation_end

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print, beside a bar if there is one.

        Args:
            args: As of Python's own.
            kwargs: As of Python's own.
        """
        if self.is_enabled:
            print(*args, **{"flush": True, **kwargs})

    def _begin(self, title: str, total: float, unit: str) -> None:
        self._end()
        count = int(total) if total != float("inf") else None
        self._progress = self._phase.enter_context(Progress(title, count, unit, is_shown=self.is_enabled))

    def _advance(self, steps: int, note: str | None = None) -> None:
        if self._progress is not None:
            self._progress.advance(steps, note)

    def _end(self) -> None:
        self._phase.close()
        self._progress = None


def displays(config: Any) -> list[Callback]:
    """Give the callbacks that show what a person sees of a run, in place of Lightning's own.

    Args:
        config: The trainer's settings, changed here.
    """
    own: list[Callback] = []
    if config.enable_progress_bar is not False and not any(isinstance(one, ProgressBar) for one in config.callbacks or []):
        own.append(StepProgress())  # Lightning's says nothing in a log
    if config.enable_model_summary is not False:  # Lightning's counts no operations, and says that there are 0
        own.append(Summary())
    config.enable_model_summary = False
    return own


def _first(counts: list[int | float] | int | float) -> int | float:
    """Give the batches of the one dataloader there is."""
    return counts[0] if isinstance(counts, list) else counts
