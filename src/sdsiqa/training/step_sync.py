"""One small message between all devices after each step: the mean loss, and whether a device was asked to stop.

Everything that devices must decide together hangs on it: they stop after the same step, notice a NaN loss at the same
step, and keep one mean of the loss. It travels over gloo beside the gradients. On a GPU it is one step
late, so that neither the device nor the other processes are waited for.
"""

import math
import signal
from collections import deque
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from sdsiqa.errors import TrainingFaultError
from sdsiqa.runs import signals


@dataclass
class _Message:
    """A step whose message is on its way.

    Args:
        step: Optimiser steps up to and with this one.
        loss: Loss on this device, on its way to the CPU.
        images: Rows of the benchmark's table that this device trained on.
        ready: Says when the copy is there; `None` for a loss that is on the CPU already.
        sums: Over devices, of loss and signals, once they are sent.
        sent: Says when the sums are complete.
    """

    step: int
    loss: Tensor
    images: Tensor
    ready: Any = None
    sums: Tensor | None = None
    sent: Any = None


class StepSync(Callback):
    """Sends the message, keeps the mean loss of the epoch, and raises what all devices must raise together."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0
        self.signals: list[signal.Signals] = []
        self._waiting: deque[_Message] = deque()
        self._group: Any = None
        self._lag = 0
        self._told = False

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint, so that an epoch's mean loss is the same over stops and restarts."""
        return {"total": self.total, "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from the checkpoint."""
        self.total, self.count = state_dict["total"], state_dict["count"]

    @property
    def mean(self) -> float:
        """Mean loss of the epoch so far, over all devices."""
        return self.total / self.count if self.count else math.nan

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Open a channel of its own: messages in the gradients' channel would have to keep their order."""
        self._lag = 1 if trainer.strategy.root_device.type == "cuda" else 0
        if trainer.world_size > 1 and self._group is None:
            self._group = torch.distributed.new_group(backend="gloo")
        # Lightning asks all devices after each step whether there was a signal, and waits for the GPU to hear the answer
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _nothing  # type: ignore[method-assign]
        # and its handlers talk to other devices from inside a signal
        trainer._signal_connector.register_signal_handlers = _nothing  # type: ignore[method-assign]

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on there is something to save."""
        signals.answer(signals.Answer.NOTE)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start a new mean."""
        self.total, self.count = 0.0, 0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Send the message of this step, and read what has arrived."""
        # Lightning has divided the loss for the sum of gradients over several batches
        loss = outputs["loss"].detach() * trainer.accumulate_grad_batches
        message = _Message(trainer.global_step, loss.to("cpu", torch.float64, non_blocking=True), batch["index"])
        if loss.device.type == "cuda":
            message.ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
            message.ready.record()
        self._waiting.append(message)
        self._read(trainer, self._lag)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Read everything before the network is judged."""
        self.settle(trainer)
        self._told = False

    def on_validation_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        """Say that a signal was heard: it is obeyed after the validation, which may take minutes."""
        if trainer.global_step and signals.received() and not self._told:
            rank_zero_info("stopping after this validation; a second Ctrl-C ends the run at once")
            self._told = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """As `on_validation_start`."""
        self.settle(trainer)

    def settle(self, trainer: lightning.Trainer) -> None:
        """Wait for all messages that are on their way; on every device at the same step.

        Args:
            trainer: The trainer.

        Raises:
            TrainingFaultError: A loss is NaN or infinite.
        """
        self._read(trainer, 0)

    def _read(self, trainer: lightning.Trainer, lag: int) -> None:
        """Send what has reached the CPU and read what was sent, leaving so many steps for each to arrive."""
        for message in list(self._waiting)[: len(self._waiting) - lag]:
            if message.sums is None:
                self._send(message)
        while len(self._waiting) > 2 * lag:
            self._finish(trainer, self._waiting.popleft())

    def _send(self, message: _Message) -> None:
        if message.ready is not None:
            message.ready.synchronize()
        asked = [float(number in signals.received()) for number in signals.STATUS]
        message.sums = torch.tensor([float(message.loss), *asked], dtype=torch.float64)
        if self._group is not None:
            message.sent = torch.distributed.all_reduce(message.sums, group=self._group, async_op=True)

    def _finish(self, trainer: lightning.Trainer, message: _Message) -> None:
        if message.sums is None:
            raise AssertionError("a message is read after it was sent")
        if message.sent is not None:
            message.sent.wait()
        total, *asked = message.sums.div(trainer.world_size).tolist()
        self.signals = [number for number, share in zip(signals.STATUS, asked, strict=True) if share > 0]
        if not math.isfinite(total):
            raise TrainingFaultError(self._not_finite(trainer, message, total))
        self.total, self.count = self.total + total, self.count + 1
        if message.step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            for logger in trainer.loggers:
                # Lightning counts from 0 in what it logs of a step
                logger.log_metrics({"train/loss_step": total}, step=message.step - 1)

    def _not_finite(self, trainer: lightning.Trainer, message: _Message, total: float) -> str:
        where = f"step {message.step} (epoch {trainer.current_epoch})"
        if math.isfinite(float(message.loss)):
            return f"the loss of {where} is {total} on another device; its message names the images"
        names = trainer.datamodule.benchmark.table()["image"]  # type: ignore[attr-defined]
        images = ", ".join(str(names[int(row)]) for row in message.images.tolist()[:8])
        return (
            f"the loss of {where} is {float(message.loss)}; the images of that step on this device: {images}. Look at their "
            "files and scores with `sdsiqa check-data`, or lower the learning rate. The last checkpoint is from before; the same "
            "command resumes from it"
        )


def _nothing() -> None:
    """Stands where Lightning would talk to all devices; `StepSync` does."""
