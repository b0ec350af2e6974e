"""Callbacks for configurations of tests: something happens to a run at a certain step."""

import os
import signal
import time
from pathlib import Path
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


class Forget(Callback):
    """Takes away the solution of a ridge start in the first step: all images have one score from then on."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 0:
            pl_module.network.linear_path.weight.data.zero_()


class GroupSignal(Callback):
    """Sends a signal to the whole process group in a phase of a run's first life, as a terminal does.

    Args:
        hook: Name of the callback's hook that stands for the phase.
        name: Such as `SIGINT`.
        again: Whether the signal comes again and again until the process ends.
        mark: File whose presence says that the first life is over.
    """

    def __init__(self, hook: str, name: str, mark: str, again: bool = False) -> None:
        self.number, self.mark, self.again = signal.Signals[name], Path(mark), again
        setattr(self, hook, self._send)

    def _send(self, *args: Any, **kwargs: Any) -> None:
        if self.mark.exists():
            return
        self.mark.touch()
        os.killpg(0, self.number)
        for _ in range(600 * self.again):  # a process that heeds none must not live for ever
            time.sleep(0.1)
            os.killpg(0, self.number)
