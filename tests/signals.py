"""Callbacks for configurations of tests: something happens to a run at a certain step."""

import os
import signal
from typing import Any

from lightning.pytorch.callbacks import Callback


class SignalAt(Callback):
    """Sends a signal to its own process at a step of its first life.

    Args:
        step: After so many optimiser steps.
        name: Such as `SIGUSR1`.
    """

    def __init__(self, step: int, name: str) -> None:
        self.step, self.number = step, signal.Signals[name]

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.ckpt_path is None and trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


class Poison(Callback):
    """Makes the labels of one step NaN.

    Args:
        step: After so many optimiser steps.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            batch["quality"].fill_(float("nan"))
